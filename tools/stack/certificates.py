"""Certificates for TLS inside of an installation: an authority of its own, and what it signs.

A directory holds one authority and one server: ca.crt, ca.key, tls.crt, tls.key. What is there and
still good is kept, so that everything here can be called again at every start.
"""

import ipaddress
import os
import time
from pathlib import Path

from . import openssl
from .vault import write_private

AUTHORITY_DAYS = 3650
SERVER_DAYS = 825
_RENEW_BEFORE_DAYS = 30
_DAY_S = 86400
_NEW_KEY = ("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")


def make_authority(directory: Path | str) -> None:
    """ca.crt, which clients are given, and ca.key, which nobody is. One that is there is kept."""
    directory = Path(directory)
    if (directory / "ca.crt").exists():
        return
    key = openssl.run(*_NEW_KEY)
    certificate = _certificate(key, AUTHORITY_DAYS, "televisit authority", (
        "basicConstraints = critical, CA:TRUE, pathlen:0",
        "keyUsage = critical, keyCertSign, cRLSign",
        "subjectKeyIdentifier = hash"))
    write_private(directory / "ca.key", key.decode())
    write_private(directory / "ca.crt", certificate.decode())


def make_server_certificate(directory: Path | str, names: list[str]) -> None:
    """tls.crt and tls.key for a server of these names or addresses, by the authority beside them.
    Made anew when it is about to expire, or was for other names or by another authority."""
    directory = Path(directory)
    if _is_good(directory, names):
        return
    key = openssl.run(*_NEW_KEY)
    certificate = _certificate(key, SERVER_DAYS, "televisit server", (
        "basicConstraints = critical, CA:FALSE",
        "keyUsage = critical, digitalSignature",
        "extendedKeyUsage = serverAuth",
        "subjectKeyIdentifier = hash",
        "authorityKeyIdentifier = keyid",
        "subjectAltName = " + ", ".join(f"{_kind(name)}:{name}" for name in names)),
        "-CA", str(directory / "ca.crt"), "-CAkey", str(directory / "ca.key"))
    write_private(directory / "tls.key", key.decode())
    write_private(directory / "tls.crt", certificate.decode())


def _certificate(key: bytes, days: int, subject: str, extensions: tuple[str, ...],
                 *signed_by: str) -> bytes:
    # The machine's own openssl.cnf would add extensions as it likes.
    config = "\n".join(("[req]", "prompt = no", "distinguished_name = name", "x509_extensions = v3",
                        "[name]", f"CN = {subject}", "[v3]", *extensions, ""))
    with openssl.in_memory(key) as key_path, openssl.in_memory(config.encode()) as config_path:
        return openssl.run("req", "-x509", "-new", "-sha256", "-days", str(days),
                           "-config", config_path, "-key", key_path, *signed_by)


def _is_good(directory: Path, names: list[str]) -> bool:
    files = [directory / "ca.crt", directory / "tls.crt", directory / "tls.key"]
    if not all(os.path.exists(f) for f in files):
        return False
    soon = int(time.time()) + _RENEW_BEFORE_DAYS * _DAY_S
    return all(openssl.approves("verify", "-CAfile", str(files[0]), "-purpose", "sslserver",
                                "-attime", str(soon), _check(name), name, str(files[1]))
               for name in names)


def _kind(name: str) -> str:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return "DNS"
    return "IP"


def _check(name: str) -> str:
    return "-verify_ip" if _kind(name) == "IP" else "-verify_hostname"
