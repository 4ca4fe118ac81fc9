"""Every block of metadata, from every format to every other: the same, or a note that says no."""

import pytest

from srgan_cli.imaging.files.formats import FORMATS
from tests.conformance import blocks
from tests.conformance.same_blocks import SOURCES, compared, is_said, require

TARGETS = [format_.suffix for format_ in FORMATS.values()]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("source", SOURCES)
def test_a_block_is_the_same_or_said_to_be_lost(tmp_path, upscale, source, target):
    require(source)
    require(target)
    path = blocks.full(tmp_path / f"a{source}")
    (item,) = upscale(path, output=tmp_path / "out", ext=target).written
    before, after = blocks.inventory(path), blocks.inventory(item.output)
    converted = any("converted to sRGB" in note for note in item.notes)
    for key, same in compared(before, after, target, converted=converted).items():
        said = any("sRGB" in note for note in item.notes) if key == "colour" else None
        said = is_said(key, item.notes) if said is None else said
        assert same or said, (key, before.get(key), after.get(key), item.notes)
