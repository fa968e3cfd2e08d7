"""Nkeys: what a NATS user proves itself with. The server knows the public key only, sends a nonce,
and the user signs it with the key of its seed (Ed25519).

Seed and public key are written in base32, with a prefix that says what they are (`SU…`, `U…`) and a
checksum: https://github.com/nats-io/nkeys
"""

import base64
import binascii

from . import openssl

_USER = 20 << 3  # makes a public key begin with U
_SEED = 18 << 3  # makes a seed begin with S, before the letter of what it is the seed of
_KEY_BYTES = 32
# PKCS #8 around the 32 bytes of an Ed25519 key, always the same (RFC 8410).
_PKCS8 = bytes.fromhex("302e020100300506032b657004220420")


def make_nkey() -> tuple[str, str]:
    """A new user: its seed, to be kept secret, and its public key."""
    seed = openssl.run("genpkey", "-algorithm", "ed25519", "-outform", "DER")[-_KEY_BYTES:]
    return _encode(bytes((_SEED | _USER >> 5, (_USER & 31) << 3)) + seed), _public(seed)


def public_key(seed: str) -> str:
    return _public(_decode_seed(seed))


def sign(seed: str, nonce: bytes) -> bytes:
    """What answers the server's nonce."""
    with openssl.in_memory(_PKCS8 + _decode_seed(seed)) as key, openssl.in_memory(nonce) as text:
        return openssl.run("pkeyutl", "-sign", "-rawin", "-keyform", "DER", "-inkey", key,
                           "-in", text)


def _public(seed: bytes) -> str:
    public = openssl.run("pkey", "-inform", "DER", "-pubout", "-outform", "DER",
                         given=_PKCS8 + seed)[-_KEY_BYTES:]
    return _encode(bytes((_USER,)) + public)


def _encode(content: bytes) -> str:
    checked = content + binascii.crc_hqx(content, 0).to_bytes(2, "little")
    return base64.b32encode(checked).decode().rstrip("=")


def _decode_seed(text: str) -> bytes:
    """The 32 bytes of a user's seed. ValueError, without a word of it, if it is none."""
    try:
        content = base64.b32decode(text + "=" * (-len(text) % 8))
    except ValueError:
        content = b""
    expected = bytes((_SEED | _USER >> 5, (_USER & 31) << 3))
    if len(content) != 2 + _KEY_BYTES + 2 or content[:2] != expected or \
            content[-2:] != binascii.crc_hqx(content[:-2], 0).to_bytes(2, "little"):
        raise ValueError("not the seed of a NATS user (SU…)")
    return content[2:-2]
