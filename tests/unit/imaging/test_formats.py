from importlib.util import find_spec

import pytest

from srgan_cli.imaging.files.formats import extra_for, format_of_extension, known_suffixes


@pytest.mark.parametrize(("extra", "module"), [("heic", "pillow_heif"), ("jxl", "pillow_jxl")])
def test_a_format_of_an_extra_is_offered_only_where_that_is_installed(extra, module):
    installed = find_spec(module) is not None
    assert (f".{extra}" in known_suffixes()) == installed
    assert extra_for(extra.upper()) == (None if installed else extra)


def test_every_suffix_that_is_offered_can_be_written():
    assert all(map(format_of_extension, known_suffixes()))
    assert {".jpg", ".png", ".tif", ".webp"} <= set(known_suffixes())
    assert extra_for(".png") is extra_for(".xyz") is None
