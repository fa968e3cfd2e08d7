#!/usr/bin/python3
"""How large images are, and how much of that lies over their base, which is the first layer:
Debian's slim image has one, and so has ours. Usage: sizes.py ARCHIVE.tar ..."""

import json
import sys
import tarfile

MB = 1000 * 1000


def sizes(path):
    """Bytes of the whole image and of its first layer, unpacked."""
    with tarfile.open(path) as archive:
        manifest = json.load(archive.extractfile("manifest.json"))[0]
        layers = [archive.getmember(name).size for name in manifest["Layers"]]
        return manifest["RepoTags"][0], sum(layers), layers[0]


def main():
    print(f"{'image':<44}{'MB':>8}{'over the base':>16}")
    for path in sys.argv[1:]:
        name, whole, base = sizes(path)
        print(f"{name:<44}{whole / MB:>8.1f}{(whole - base) / MB:>16.1f}")


if __name__ == "__main__":
    main()
