"""Which blocks of a source a result still has."""

import pytest
from PIL import Image

from srgan_cli.imaging.files.formats import readable_formats, written_format

SOURCES = [".jpg", ".png", ".tif", ".webp", ".avif", ".gif", ".jp2", ".bmp", ".heic", ".jxl"]
"""Formats whose every block is tried."""

SAID = {
    "icc": "colour profile",
    "exif": "EXIF",
    "xmp": "XMP",
    "iptc": "IPTC",
    "resolution": "resolution",
    "comment": "comment",
    "text": "text",
    "ground": "georeference",
    "plays": "only the first of",
    "frames": "only the first of",
    "times": "only the first of",
}


def is_said(key, notes):
    words = (SAID[key], "repetitions", "frame times") if key in {"plays", "times"} else (SAID[key],)
    return any(word in note for note in notes for word in words)


def require(extension):
    readable_formats()
    name = Image.registered_extensions().get(extension)
    if name is None or written_format(name) is None:
        pytest.skip(f"needs a plugin for {extension}")


def compared(before, after, target, *, converted):
    """Say of each block of a source whether its result has it; ``colour`` is the look's.

    Args:
        before: ``blocks.inventory`` of the source.
        after: Of the result.
        target: Extension of the result.
        converted: Whether its colours have been converted to sRGB.
    """
    coded = {"cICP", "gAMA", "cHRM", "nclx", "icc"}
    found = {}
    for key in set(before) - coded:
        if key == "exif":
            found[key] = _same_exif(dict(before[key]), dict(after.get(key) or {}), converted)
        elif key == "comment" and target == ".tif":
            described = after["exif"].get((0, 270), (0, 0, b""))[2]
            found[key] = before[key] in described
        else:
            found[key] = before[key] == after.get(key)
    if coded & set(before):
        found["colour"] = _same_colour(before, after, target, coded)
    return found


def _same_exif(wanted, made, converted):
    if converted and (0xA005, 1) in made:
        # The entries that said Adobe RGB say sRGB now.
        if made[0x8769, 0xA001][2][:2] not in (b"\1\0", b"\0\1") or made[0xA005, 1][2] != b"R98\0":
            return False
        wanted |= {key: made[key] for key in ((0x8769, 0xA001), (0xA005, 1))}
    return wanted.items() <= made.items()


def _same_colour(before, after, target, coded):
    if "cICP" not in before or target == ".png":
        return all(before.get(key) == after.get(key) for key in coded - {"nclx"})
    # PNG's chunks become what the other format has for them.
    return before["nclx"] == after.get("nclx") or "icc" in after
