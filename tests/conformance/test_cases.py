"""Files that once came out wrong, each with what is right; they lie beside the repository."""

import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image

from srgan_cli.data.photographs import decode
from srgan_cli.errors import InputError
from srgan_cli.imaging.files.io import read_image


def exif_entries(path):
    """Read the entries of all EXIF directories: type, count and bytes, and the byte order."""
    if path.suffix == ".tif":
        block = path.read_bytes()
    else:
        with Image.open(path) as image:
            image.load()
            block = image.info["exif"].removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}[block[:2]]
    sizes = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 9: 4, 10: 8, 13: 4}
    found, waiting = {}, [struct.unpack_from(order + "I", block, 4)[0]]
    while waiting:
        start = waiting.pop()
        (count,) = struct.unpack_from(order + "H", block, start)
        for place in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, number = struct.unpack_from(order + "HHI", block, place)
            size = sizes[kind] * number
            where = place + 8 if size <= 4 else struct.unpack_from(order + "I", block, place + 8)[0]
            if tag in (0x8769, 0x8825, 0xA005):
                waiting.append(struct.unpack_from(order + "I", block, place + 8)[0])
            else:
                found[tag] = (kind, number, block[where : where + size])
    return order, found


SIZES = {0xA002, 0xA003, 0x0100, 0x0101, 0x1001, 0x1002}


LAYOUT = {0x0112, 0x011A, 0x011B, 0x0128, 0x0213}
"""Of a TIFF's own pixels; there the resolution is its own."""


@pytest.mark.parametrize("ext", ["jpg", "png", "webp", "avif", "tif"])
@pytest.mark.parametrize(
    "name",
    [
        "exif-text/copyright.jpg",
        "exif-text/latin1.jpg",
        "exif-types/camera.jpg",
        "interop-r03/r03.jpg",
    ],
)
def test_exif_entries_keep_type_count_bytes_and_order(tmp_path, upscale, case, name, ext):
    made = upscale.one(case(name), tmp_path / "out", ext=ext)
    order, before = exif_entries(case(name))
    order_after, after = exif_entries(made)
    assert order_after == order
    changed = SIZES | (LAYOUT if ext == "tif" else set())
    for tag, entry in before.items():
        assert tag in changed or after[tag] == entry, hex(tag)
    assert ext == "tif" or set(after) == set(before)
    for tag, size in ((0xA002, 192), (0xA003, 128)):
        if tag in before:
            assert int.from_bytes(after[tag][2], "little" if order == "<" else "big") == size


@pytest.mark.parametrize(
    ("name", "ext", "wanted"),
    [
        ("exif-text/comment_latin1.jpg", "jpg", None),
        ("exif-text/comment.gif", "gif", None),
        ("exif-text/comment.jp2", "jp2", None),
        ("exif-text/comment_latin1.jpg", "jp2", None),
    ],
)
def test_comments_keep_their_bytes(tmp_path, upscale, case, name, ext, wanted):
    with Image.open(case(name)) as image:
        image.load()
        wanted = image.info["comment"]
    assert b"Caf\xe9" in wanted
    with Image.open(upscale.one(case(name), tmp_path / "out", ext=ext)) as image:
        image.load()
        assert image.info["comment"] == wanted


def test_a_latin_1_comment_is_text_in_png(tmp_path, upscale, case):
    made = upscale.one(case("exif-text/comment_latin1.jpg"), tmp_path / "out", ext="png")
    with Image.open(made) as image:
        assert image.text["Comment"].startswith("Café")


@pytest.mark.parametrize("name", ["raw-dng/raw.dng", "raw-dng/renamed.tif"])
def test_raw_files_are_refused_everywhere(tmp_path, upscale, case, name):
    copy = tmp_path / Path(name).name
    copy.write_bytes(case(name).read_bytes())
    for options in ({"output": tmp_path / "out"}, {"in_place": True}):
        (failure,) = upscale(copy, **options).failed
        assert "raw file" in failure.reason
        assert "export" in failure.hint
    assert copy.read_bytes() == case(name).read_bytes()
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match="raw file"):
        read_image(copy, max_pixels=10**9)
    with pytest.raises(InputError, match="raw file"):
        decode(copy, max_side=0)


def test_equal_frames_of_a_long_time_cost_no_batch(tmp_path, upscale, case):
    source = case("faults/equal_800s.gif")
    for ext in ("gif", "webp", "png", "avif"):
        report = upscale(source, output=tmp_path / ext, ext=ext)
        assert not report.failed
        with Image.open(report.written[0].output) as image:
            image.load()
            if ext == "gif":
                assert image.info["duration"] == 655_350
                assert any("655.35 s" in note for note in report.written[0].notes)


def test_a_volume_is_refused(tmp_path, upscale, case):
    (failure,) = upscale(case("faults/depthz_100.tif"), output=tmp_path / "out").failed
    assert "100 slices" in failure.reason
    with pytest.raises(InputError, match="100 slices"):
        read_image(case("faults/depthz_100.tif"), max_pixels=10**9)
    with pytest.raises(InputError, match="100 slices"):
        decode(case("faults/depthz_100.tif"), max_side=0)


def test_raw_profile_chunks_are_read(tmp_path, upscale, case):
    source = case("faults/paris_icc_exif_xmp.png")
    with Image.open(source) as image:
        icc = image.info["icc_profile"]
    made = upscale.one(source, tmp_path / "out")
    chunks = made.read_bytes()
    assert b"eXIf" in chunks
    with Image.open(made) as image:
        image.load()
        assert image.getexif()[ExifTags.Base.Model] == "Pixel 4a"
        assert b"x:xmpmeta" in image.info["xmp"]
        assert image.info["icc_profile"] == icc


def test_the_channels_of_a_palette_jpeg_2000_are_in_order(tmp_path, upscale, case):
    source = case("faults/issue412.jp2")
    made = upscale.one(source, tmp_path / "out", ext="png")
    for pixels in (
        np.asarray(Image.open(made)),
        read_image(source, max_pixels=10**9).pixels,
        decode(source, max_side=0).pixels,
    ):
        assert pixels.reshape(-1, 3).mean(0) == pytest.approx([135, 135, 100], abs=2)


def test_what_a_first_gif_frame_leaves_open_is_transparent(tmp_path, upscale, case):
    source = case("faults/small-frame-interlaced.gif")
    left, top, width, height = struct.unpack_from("<4H", source.read_bytes(), 26)
    covered = np.zeros((5, 5), bool)
    covered[top : top + height, left : left + width] = True
    assert np.array_equal(read_image(source, max_pixels=10**6).alpha, np.where(covered, 255, 0))
    with Image.open(upscale.one(source, tmp_path / "out", ext="png")) as image:
        alpha = np.asarray(image.convert("RGBA"))[..., 3]
        assert alpha[-1, -1] == 0
        assert alpha.max() > 100


@pytest.mark.parametrize(("name", "bands"), [("rgbn8", 3), ("rgbn16", 3)])
def test_further_bands_are_said(tmp_path, upscale, case, name, bands):
    report = upscale(case(f"four-bands/{name}.tif"), output=tmp_path / "out")
    (item,) = report.written
    assert any("1 further band" in note for note in item.notes)
    assert tifffile.imread(item.output).shape == (128, 192, bands)
    copy = tmp_path / "copy.tif"
    copy.write_bytes(case(f"four-bands/{name}.tif").read_bytes())
    (failure,) = upscale(copy, in_place=True).failed
    assert "1 further band" in failure.reason


def test_a_georeference_follows_the_pixels(tmp_path, upscale, case):
    made = upscale.one(case("four-bands/geotiff.tif"), tmp_path / "out")
    with tifffile.TiffFile(case("four-bands/geotiff.tif")) as file:
        before = {t.code: t.value for t in file.pages[0].tags.values()}
    with tifffile.TiffFile(made) as file:
        after = {t.code: t.value for t in file.pages[0].tags.values()}
    assert after[33550][:2] == tuple(v / 2 for v in before[33550][:2])
    assert after[33922][3:] == before[33922][3:]
    assert after[34735] == before[34735]
    assert after[42113] == before[42113]
    report = upscale(case("four-bands/geotiff.tif"), output=tmp_path / "png", ext="png")
    assert any("georeference is not kept" in note for note in report.written[0].notes)


@pytest.mark.parametrize(("name", "reason"), [("five", "5 bands"), ("float32", "float pixels")])
def test_refusals_have_true_reasons(tmp_path, upscale, case, name, reason):
    (failure,) = upscale(case(f"four-bands/{name}.tif"), output=tmp_path / "out").failed
    assert reason in failure.reason
    assert "damaged" not in failure.reason


@pytest.mark.parametrize(
    ("name", "ext", "loop"),
    [
        ("once", "webp", 1),
        ("once", "png", 1),
        ("once", "gif", None),
        ("loop3", "webp", 4),
        ("loop3", "png", 4),
        ("loop3", "gif", 3),
    ],
)
def test_animations_are_shown_as_often(tmp_path, upscale, case, name, ext, loop):
    made = upscale.one(case(f"gif-once/{name}.gif"), tmp_path / "out", ext=ext)
    with Image.open(made) as image:
        assert image.n_frames == 2
        assert image.info.get("loop") == loop
    if ext == "webp":
        back = upscale.one(made, tmp_path / "back", ext="gif")
        with Image.open(back) as image:
            assert image.info.get("loop") == {1: None, 4: 3}[loop]


def xmp_of(path):
    with Image.open(path) as image:
        image.load()
        return image.info["xmp"].decode()


def test_sizes_in_xmp_follow(tmp_path, upscale, case):
    panorama = xmp_of(upscale.one(case("gpano/gpano.jpg"), tmp_path / "out"))
    for text in (
        'FullPanoWidthPixels="192"',
        'FullPanoHeightPixels="256"',
        'CroppedAreaImageWidthPixels="192"',
        'CroppedAreaImageHeightPixels="128"',
        'CroppedAreaLeftPixels="0"',
        'CroppedAreaTopPixels="64"',
        'UsePanoramaViewer="True"',
    ):
        assert text in panorama
    sizes = xmp_of(upscale.one(case("gpano/xmp_dims.jpg"), tmp_path / "out", ext="png"))
    for text in (
        'exif:PixelXDimension="192"',
        'exif:PixelYDimension="128"',
        'tiff:ImageWidth="192"',
        'tiff:ImageLength="128"',
    ):
        assert text in sizes


def test_thumbnails_and_orientation_in_xmp_go(tmp_path, upscale, case):
    assert "Thumbnails" not in xmp_of(upscale.one(case("gpano/xmpthumb.jpg"), tmp_path / "out"))
    made = upscale.one(case("gpano/orient_single.jpg"), tmp_path / "out")
    assert "tiff:Orientation='1'" in xmp_of(made)
    with Image.open(made) as image:
        assert image.size == (128, 192)
        assert image.getexif()[ExifTags.Base.Orientation] == 1
