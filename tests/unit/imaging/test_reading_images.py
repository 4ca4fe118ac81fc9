import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import ExifTags, Image

from srgan_cli.errors import InputError
from srgan_cli.imaging.files.io import (
    image_extensions,
    list_images,
    read_image,
)
from srgan_cli.imaging.files.sources import PillowSource, Shown
from tests.toolbox import synthetic_photograph

LIMIT = 1_000_000

# What a viewer shows, by EXIF 2.32's table for the tag Orientation.
UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: np.rot90(a, 1),
}


@pytest.fixture
def pixels():
    return synthetic_photograph(13, 7)


def _refusal(path, **options):
    with pytest.raises(InputError) as caught:
        read_image(path, **{"max_pixels": LIMIT, **options})
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint
    return caught.value.message


def _png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png16(width, height):
    """Encode 16-bit RGB, which Pillow cannot write."""
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    rows = (b"\0" + b"\x12\x34" * 3 * width) * height
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_png_chunk(*chunk) for chunk in chunks)


@pytest.mark.parametrize("extension", [".png", ".tif", ".webp"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_images_are_turned_upright(tmp_path, pixels, orientation, extension):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Make] = "camera"
    path = tmp_path / f"turned{extension}"
    Image.fromarray(pixels).save(path, exif=exif, lossless=True)

    picture = read_image(path, max_pixels=LIMIT)

    assert np.array_equal(picture.pixels, UPRIGHT[orientation](pixels))


@pytest.mark.parametrize("mode", ["1", "L"])
def test_grey_stays_grey(tmp_path, pixels, mode):
    image = Image.fromarray(pixels).convert(mode)
    image.save(tmp_path / "grey.png")
    picture = read_image(tmp_path / "grey.png", max_pixels=LIMIT)
    assert np.array_equal(picture.pixels, np.asarray(image.convert("L")))
    assert picture.alpha is None
    assert (picture.width, picture.height) == (13, 7)


def test_palettes_become_rgb(tmp_path, pixels):
    image = Image.fromarray(pixels).quantize(16)
    image.save(tmp_path / "palette.png")
    picture = read_image(tmp_path / "palette.png", max_pixels=LIMIT)
    assert np.array_equal(picture.pixels, np.asarray(image.convert("RGB")))
    assert picture.alpha is None


def test_palettes_with_transparency_become_rgb_and_alpha(tmp_path, pixels):
    image = Image.fromarray(pixels).quantize(16)
    image.save(tmp_path / "palette.png", transparency=3)
    picture = read_image(tmp_path / "palette.png", max_pixels=LIMIT)
    assert np.array_equal(picture.pixels, np.asarray(image.convert("RGB")))
    assert np.array_equal(picture.alpha, np.where(np.asarray(image) == 3, 0, 255))
    assert (picture.alpha == 0).any()


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha_is_kept_beside_the_colours(tmp_path, pixels, mode):
    alpha = np.arange(7 * 13, dtype=np.uint8).reshape(7, 13)
    image = Image.fromarray(pixels).convert(mode[:-1])
    colours = np.asarray(image)
    image.putalpha(Image.fromarray(alpha))
    image.save(tmp_path / "a.png")
    picture = read_image(tmp_path / "a.png", max_pixels=LIMIT)
    assert np.array_equal(picture.pixels, colours)
    assert np.array_equal(picture.alpha, alpha)


def test_cmyk_becomes_rgb(tmp_path, pixels):
    image = Image.fromarray(pixels).convert("CMYK")
    image.save(tmp_path / "print.tif", icc_profile=b"a profile of inks")
    picture = read_image(tmp_path / "print.tif", max_pixels=LIMIT)
    assert np.array_equal(picture.pixels, np.asarray(image.convert("RGB")))


def test_only_the_first_frame_is_taken(tmp_path, pixels):
    frames = [Image.fromarray(np.roll(pixels, n, axis=0)) for n in range(3)]
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:])
    picture = read_image(tmp_path / "a.tif", max_pixels=LIMIT)
    assert np.array_equal(picture.pixels, pixels)


@pytest.mark.parametrize("extension", [".png", ".jpg", ".webp", ".tif"])
def test_a_truncated_file_is_refused(tmp_path, extension):
    buffer = io.BytesIO()
    Image.fromarray(synthetic_photograph(64, 64)).save(
        buffer, Image.registered_extensions()[extension]
    )
    path = tmp_path / f"half{extension}"
    path.write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])
    assert "damaged" in _refusal(path)


def test_files_that_are_no_images_are_refused(tmp_path):
    text, folder, empty = tmp_path / "text.jpg", tmp_path / "x.png", tmp_path / "empty.png"
    text.write_text("not an image")
    folder.mkdir()
    empty.touch()
    assert "not a readable image" in _refusal(text)
    assert "a folder" in _refusal(folder)
    assert "empty" in _refusal(empty)
    assert "no such file" in _refusal(tmp_path / "missing.png")


def test_the_size_is_checked_before_any_pixel_is_decoded(tmp_path, monkeypatch):
    path = tmp_path / "bomb.png"
    header = struct.pack(">IIBBBBB", 60_000, 50_000, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + _png_chunk(b"IHDR", header) + _png_chunk(b"IDAT", b""))
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("decoded"))
    assert "60000x50000 is more than 1,000,000 pixels" in _refusal(path)


def test_the_size_limit_is_inclusive(tmp_path, pixels):
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path)
    assert read_image(path, max_pixels=13 * 7).width == 13
    _refusal(path, max_pixels=13 * 7 - 1)


def test_images_are_listed_sorted_without_hidden_and_foreign_ones(tmp_path):
    names = ["b.png", "a.JPG", "deep/er/c.webp", "deep/.hidden.png", ".cache/d.png", "notes.txt"]
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "folder.png").mkdir()
    assert list_images(tmp_path) == [tmp_path / n for n in ("a.JPG", "b.png", "deep/er/c.webp")]


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="needs symbolic links")
def test_symlink_loops_do_not_trap_the_listing(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/a.png").touch()
    (tmp_path / "deep/loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "linked.png").symlink_to(tmp_path / "deep/a.png")
    assert list_images(tmp_path) == [tmp_path / "deep/a.png", tmp_path / "linked.png"]


def test_the_usual_extensions_can_be_read():
    assert {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"} <= image_extensions()
    assert ".pdf" not in image_extensions()


def test_16_bits_are_rounded_to_8(tmp_path):
    colour = tmp_path / "colour.png"
    colour.write_bytes(_png16(4, 4))
    assert (read_image(colour, max_pixels=LIMIT).pixels == round(0x1234 / 257)).all()


def test_a_frame_without_pixels_is_refused_whatever_the_header_says(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    Image.new("RGB", (24, 20)).save(path)
    empty = Shown(np.zeros((20, 0, 3), np.uint8), None, 1)
    monkeypatch.setattr(PillowSource, "frames", lambda _: iter([empty]))
    assert "0x20 has no pixels" in _refusal(path)


@pytest.mark.parametrize("upwards", [True, False])
@pytest.mark.parametrize("mask", [0x8000, 0])
@pytest.mark.parametrize("width", [7, 8])
def test_the_alpha_bit_of_16_bit_bmp_is_read(tmp_path, mask, width, upwards):
    levels = np.random.default_rng(0).integers(0, 2**16, (8, width), dtype=np.uint16)
    for empty in (False, True):
        stored = levels & 0x7FFF if empty else levels
        path = bmp_of_16_bits(tmp_path / "a.bmp", stored, mask, upwards=upwards)
        read = read_image(path, max_pixels=LIMIT)
        red = (levels >> 10 & 31) * 255 / 31
        assert np.abs(read.pixels[..., 0] - red).max() <= 1
        if mask and not empty:
            assert np.array_equal(read.alpha, (levels >> 15) * 255)
        else:
            assert read.alpha is None


def bmp_of_16_bits(path, pixels, mask, *, upwards):
    height, width = pixels.shape
    rows = np.pad(pixels[::-1] if upwards else pixels, ((0, 0), (0, width % 2)))
    masks = struct.pack("<4I", 0x7C00, 0x03E0, 0x001F, mask)
    signed = height if upwards else -height
    header = struct.pack("<IiiHHIIiiII", 56, width, signed, 1, 16, 3, rows.nbytes, 0, 0, 0, 0)
    whole = header + masks + rows.astype("<u2").tobytes()
    path.write_bytes(b"BM" + struct.pack("<IHHI", 14 + len(whole), 0, 0, 70) + whole)
    return path
