"""Makes what a test of the bus needs besides a server: keys of two users, certificates of two
authorities, and one for a server of another name. Called by nats.c with a directory."""

import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from stack import certificates, nkeys  # noqa: E402

for folder, name in (("good", "localhost"), ("stranger", "localhost"), ("elsewhere", "elsewhere")):
    place = Path(sys.argv[1]) / folder
    place.mkdir()
    if folder == "elsewhere":
        for file in ("ca.crt", "ca.key"):
            (place / file).write_bytes((Path(sys.argv[1]) / "good" / file).read_bytes())
    certificates.make_authority(place)
    certificates.make_server_certificate(place, [name])
for user in ("first", "second"):
    (Path(sys.argv[1]) / f"{user}.nkey").write_text("\n".join(nkeys.make_nkey()) + "\n")
