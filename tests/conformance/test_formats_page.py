"""The tables of docs/formats.md are what the images of this suite show."""

from tools import build_formats


def test_the_tables_of_formats_and_blocks_are_what_is_measured():
    made = build_formats.TARGET.read_text(encoding="utf-8")
    assert made == build_formats.document(), "run: python -m tools.build_formats"
