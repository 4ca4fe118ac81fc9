"""EXIF and XMP that are hostile or damaged, and what of them is corrected."""

import struct
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srgan_cli.imaging.metadata import exif, xmp
from tests.conformance.blocks import entries_of, exif_block
from tests.conformance.cameras import CAMERAS, block

HEAD = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
HEAD += 'syntax-ns#"><rdf:Description '
TAIL = "</rdf:Description></rdf:RDF></x:xmpmeta>"
REGIONS = (
    'xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/" '
    'xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#" '
    'xmlns:stDim="http://ns.adobe.com/xap/1.0/sType/Dimensions#"'
)


def updated(packet, turned=1):
    change = xmp.Change((40, 30), (80, 60), turned)
    return xmp.parse(packet.encode()).updated(change).decode()


def test_elements_are_corrected_as_attributes_are():
    packet = (
        f"{HEAD}xmlns:tiff='http://ns.adobe.com/tiff/1.0/' xmlns:e='http://ns.adobe.com/exif/1.0/'>"
        f"<tiff:Orientation> 6 </tiff:Orientation><e:PixelXDimension>40</e:PixelXDimension>{TAIL}"
    )
    made = updated(packet)
    assert "<tiff:Orientation> 1 </tiff:Orientation>" in made
    assert "<e:PixelXDimension>80</e:PixelXDimension>" in made
    assert xmp.parse(packet.encode()).orientation == 6


@pytest.mark.parametrize(
    ("turned", "x", "y", "w", "h"),
    [(1, "0.25", "0.1", "0.2", "0.4"), (3, "0.75", "0.9", "0.2", "0.4"),
     (6, "0.9", "0.25", "0.4", "0.2"), (8, "0.1", "0.75", "0.4", "0.2")],
)  # fmt: skip
def test_face_regions_turn_with_the_image(turned, x, y, w, h):
    area = '<mwg-rs:Area stArea:x="0.25" stArea:y="0.1" stArea:w="0.2" stArea:h="0.4"/>'
    applied = '<mwg-rs:AppliedToDimensions stDim:w="40" stDim:h="30" stDim:unit="pixel"/>'
    made = updated(f"{HEAD}{REGIONS}>{applied}{area}{TAIL}", turned)
    assert f'stArea:x="{x}" stArea:y="{y}" stArea:w="{w}" stArea:h="{h}"' in made
    assert 'stDim:w="80" stDim:h="60"' in made


@pytest.mark.parametrize(
    "packet",
    [
        '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>',
        '<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>',
        "<x>" * 100_000,
        "<x><y></x></y>",
        "no XML at all",
        "",
    ],
)
def test_hostile_and_damaged_packets_are_refused_at_once(packet):
    started = time.perf_counter()
    with pytest.raises(ValueError, match="XMP"):
        xmp.parse(packet.encode())
    assert time.perf_counter() - started < 1


def test_packets_in_utf_16_are_read():
    packet = f"{HEAD}xmlns:tiff='http://ns.adobe.com/tiff/1.0/' tiff:Orientation='8'>{TAIL}"
    assert xmp.parse(packet.encode("utf-16")).orientation == 8


@pytest.mark.parametrize("name", CAMERAS)
def test_nothing_moves_in_a_block_and_the_thumbnail_goes(name):
    before = block(name)
    after = exif.updated(before, (48, 32))
    assert entries_of(after) == entries_of(before)
    assert b"\xff\xd8\xff" not in after
    shared = min(len(before), len(after))
    assert sum(a != b for a, b in zip(before[:shared], after[:shared], strict=True)) <= 12


def test_a_size_that_needs_more_bits_gets_them():
    data = bytearray(exif_block())
    place = data.index(struct.pack("<HHI", 0xA002, 4, 1))
    struct.pack_into("<HHIH", data, place, 0xA002, 3, 1, 24)
    after = exif.updated(bytes(data), (70_000, 10))
    assert struct.unpack_from("<HHII", after, place) == (0xA002, 4, 1, 70_000)


def test_adobe_rgb_that_became_srgb_says_so():
    assert exif.is_adobe_rgb(exif_block())
    assert not exif.is_adobe_rgb(exif.updated(exif_block(), (1, 1), srgb=True))


def test_entries_that_share_their_bytes_take_no_more_than_the_block_has():
    count = 2000
    size = 8 + 2 + 12 * count + 4 + 60_000
    data = b"II*\0\x08\0\0\0" + struct.pack("<H", count)
    for number in range(count):
        data += struct.pack("<HHII", 0xC000 + number, 7, 60_000, size - 60_000)
    data = data.ljust(size, b"x")
    tiff = exif.Tiff(data)
    taken = exif.branch(tiff, tiff.directory(tiff.first), skipped=set())
    assert sum(len(entry.data) for entry in taken.entries) <= size


@given(st.binary(max_size=200), st.sampled_from([b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b""]))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_a_block_or_a_value_error(data, head):
    for function in (exif.orientation, exif.is_adobe_rgb, exif.resolution, exif.time_taken):
        function(head + data)
    try:
        exif.updated(head + data, (3, 4))
    except ValueError:
        return
    assert exif.orientation(exif.updated(head + data, (3, 4))) in (None, 1)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_block_with_any_byte_changed_is_a_block_or_a_value_error(data):
    changed = bytearray(exif_block(data.draw(st.sampled_from("<>"))))
    for _ in range(data.draw(st.integers(1, 6))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        after = exif.updated(bytes(changed), (3, 4))
    except ValueError:
        return
    assert len(after) <= len(changed)
