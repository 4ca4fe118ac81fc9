"""Every block of metadata, from every format to every other: the same, or a note that says no."""

import pytest
from PIL import Image

from srgan_cli.imaging.formats import FORMATS, readable_formats, written_format
from tests.conformance import blocks

SOURCES = [".jpg", ".png", ".tif", ".webp", ".avif", ".gif", ".jp2", ".bmp", ".heic", ".jxl"]
TARGETS = [format_.suffix for format_ in FORMATS.values()]

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


def require(extension):
    readable_formats()
    name = Image.registered_extensions().get(extension)
    if name is None or written_format(name) is None:
        pytest.skip(f"needs a plugin for {extension}")


def is_said(key, notes):
    words = (SAID[key], "repetitions", "frame times") if key in {"plays", "times"} else (SAID[key],)
    return any(word in note for note in notes for word in words)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("source", SOURCES)
def test_a_block_is_the_same_or_said_to_be_lost(tmp_path, upscale, source, target):
    require(source)
    require(target)
    path = blocks.full(tmp_path / f"a{source}")
    (item,) = upscale(path, output=tmp_path / "out", ext=target).written
    before, after = blocks.inventory(path), blocks.inventory(item.output)
    coded = {"cICP", "gAMA", "cHRM", "nclx", "icc"}
    for key in set(before) - coded:
        wanted, made = before[key], after.get(key)
        if key == "exif":
            wanted, made = dict(wanted), dict(made or {})
            if any("converted to sRGB" in note for note in item.notes) and (0xA005, 1) in made:
                # The entries that said Adobe RGB say sRGB now.
                assert made[0x8769, 0xA001][2][:2] in (b"\1\0", b"\0\1")
                assert made[0xA005, 1][2] == b"R98\0"
                wanted |= {key: made[key] for key in ((0x8769, 0xA001), (0xA005, 1))}
            same = wanted.items() <= made.items()
        elif key == "comment" and target == ".tif":
            same = before["comment"] in after["exif"].get((0, 270), (0, 0, b""))[2]
        else:
            same = wanted == made
        assert same or is_said(key, item.notes), (key, wanted, made, item.notes)
    if coded & set(before):
        same = before.get("icc") == after.get("icc")
        if source == ".png":
            described = {"nclx", "icc"} & set(after)
            same = (
                before.get("nclx") == after.get("nclx")
                if target != ".png"
                else all(before.get(key) == after.get(key) for key in coded)
            )
            same = same or ("icc" in described and target != ".png")
        assert same or any("sRGB" in note for note in item.notes), item.notes
