"""TIFF files of every coding, layout and arrangement of directories."""

import subprocess
import sys

import numpy as np
import pytest
import tifffile
from PIL import Image

from srgan_cli.data.photographs import decode
from srgan_cli.errors import InputError
from srgan_cli.imaging.files.io import read_image
from tests.conformance import samples

LOSSLESS = ["lzw", "zlib", "zstd", "lzma", "packbits", "png", "lerc", "jpeg2000", "jpegxl"]


def write(path, pixels, **options):
    photometric = "minisblack" if pixels.ndim == 2 else "rgb"
    tifffile.imwrite(path, pixels, **{"photometric": photometric} | options)
    return path


@pytest.mark.parametrize("coding", LOSSLESS)
@pytest.mark.parametrize("deep", [False, True])
def test_every_coding_is_read(tmp_path, upscale, coding, deep):
    pixels = samples.ramp(3, deep=deep)
    options = {"compressionargs": {"reversible": True}} if coding == "jpeg2000" else {}
    write(tmp_path / "a.tif", pixels, compression=coding, **options)
    read = read_image(tmp_path / "a.tif", max_pixels=10**6).pixels
    wanted = (pixels.astype(np.uint32) + 128) // 257 if deep else pixels
    assert np.array_equal(read, wanted)
    assert np.array_equal(decode(tmp_path / "a.tif", max_side=0).pixels, wanted)
    made = tifffile.imread(upscale.one(tmp_path / "a.tif", tmp_path / "out"))
    assert made.dtype == pixels.dtype


def test_webp_in_tiff_is_read(tmp_path):
    write(tmp_path / "a.tif", samples.ramp(3), compression="webp")
    read = read_image(tmp_path / "a.tif", max_pixels=10**6).pixels
    assert np.abs(read.astype(int) - samples.ramp(3)).mean() < 3


@pytest.mark.parametrize(
    ("dtype", "reason"),
    [("f4", "float"), ("f2", "float"), ("i2", "signed"), ("u4", "32-bit"), ("c8", "complex")],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_without_a_range_are_refused_by_their_name(tmp_path, dtype, reason, channels):
    write(tmp_path / "a.tif", samples.ramp(channels).astype(dtype))
    for reader in (lambda p: read_image(p, max_pixels=10**6), lambda p: decode(p, max_side=0)):
        with pytest.raises(InputError, match=f"{reason} pixels"):
            reader(tmp_path / "a.tif")


@pytest.mark.parametrize("first", [True, False])
def test_reduced_copies_are_no_pages(tmp_path, upscale, first):
    whole, small = samples.ramp(3), samples.ramp(3)[::2, ::2].copy()
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for pixels in (small, whole) if first else (whole, small):
            file.write(pixels, photometric="rgb", subfiletype=int(pixels is small))
    assert np.array_equal(read_image(tmp_path / "a.tif", max_pixels=10**6).pixels, whole)
    assert np.array_equal(decode(tmp_path / "a.tif", max_side=0).pixels, whole)
    (item,) = upscale(tmp_path / "a.tif", output=tmp_path / "out").written
    assert item.frames == 1
    assert any("1 reduced copy" in note for note in item.notes)
    with tifffile.TiffFile(item.output) as file:
        assert [page.shape for page in file.pages] == [(32, 48, 3)]


def test_a_pyramid_is_read_at_its_full_size(tmp_path, upscale):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(samples.ramp(3), photometric="rgb", subifds=1)
        file.write(samples.ramp(3)[::2, ::2].copy(), photometric="rgb", subfiletype=1)
    (item,) = upscale(tmp_path / "a.tif", output=tmp_path / "out").written
    assert (item.width, item.height) == (48, 32)
    assert any("1 reduced copy" in note for note in item.notes)


def test_every_page_keeps_its_own_profile_and_description(tmp_path, upscale):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(
            samples.ramp(3), photometric="rgb", iccprofile=samples.display_p3(), description="one"
        )
        file.write(
            samples.ramp(1),
            photometric="minisblack",
            iccprofile=samples.grey_profile(),
            description="two",
        )
        file.write(samples.ramp(3, deep=True), photometric="rgb", description="three")
    made = upscale.one(tmp_path / "a.tif", tmp_path / "out")
    with tifffile.TiffFile(made) as file:
        found = [(page.iccprofile, page.description) for page in file.pages]
    assert found == [
        (samples.display_p3(), "one"),
        (samples.grey_profile(), "two"),
        (None, "three"),
    ]


def test_a_mask_is_a_part_that_in_place_would_lose(tmp_path, upscale):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(samples.ramp(3), photometric="rgb")
        file.write(samples.ramp(1) > 100, photometric="minisblack", subfiletype=4)
    (failure,) = upscale(tmp_path / "a.tif", in_place=True).failed
    assert "1 transparency mask" in failure.reason


def test_c_libraries_print_nothing(tmp_path, bilinear):
    # libtiff prints what is wrong with this strip, once for every row.
    Image.fromarray(samples.ramp(3)).save(tmp_path / "a.tif", compression="tiff_lzw")
    data = bytearray((tmp_path / "a.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        start, length = file.pages[0].dataoffsets[0], file.pages[0].databytecounts[0]
    data[start + 4 : start + length] = b"\xff" * (length - 4)
    (tmp_path / "a.tif").write_bytes(data)
    command = [sys.executable, "-m", "srgan_cli", "upscale", tmp_path / "a.tif"]
    done = subprocess.run(
        [*command, "-o", tmp_path / "out", "--model", bilinear, "--device", "cpu"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (3, 7)
    lines = [line for line in done.stderr.splitlines() if "LZW" in line or "tempfile" in line]
    assert not lines
    assert "damaged" in done.stderr


def test_pages_keep_their_number_and_that_they_are_pages(tmp_path, upscale):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for number in range(2):
            file.write(
                samples.ramp(3),
                photometric="rgb",
                subfiletype=2,
                extratags=[(297, 3, 2, (number + 4, 9), True)],
            )
        file.write(samples.ramp(1), photometric="minisblack")
    item = upscale(tmp_path / "a.tif", output=tmp_path / "out").written[0]
    with tifffile.TiffFile(item.output) as file:
        found = [(page.tags.valueof(254, 0), page.tags.valueof(297, None)) for page in file.pages]
    assert found == [(2, (4, 9)), (2, (5, 9)), (0, None)]
    assert not any("not kept" in note for note in item.notes)


def test_a_second_description_is_not_lost_without_a_note(tmp_path, upscale):
    tifffile.imwrite(
        tmp_path / "a.tif",
        samples.ramp(3),
        photometric="rgb",
        description="one",
        extratags=[(65000, 2, 4, "two", True)],
        metadata=None,
    )
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as file:
        place = file.pages[0].tags[65000].offset
        file.filehandle.seek(place)
        file.filehandle.write((270).to_bytes(2, "little"))
    item = upscale(tmp_path / "a.tif", output=tmp_path / "out").written[0]
    assert item.notes == ("not kept: a second ImageDescription",)
    with tifffile.TiffFile(item.output) as file:
        assert file.pages[0].description == "one"
