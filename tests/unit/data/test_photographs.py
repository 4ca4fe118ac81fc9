"""What prepare may and may not open, and what it sees."""

import io

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image, ImageOps

from srgan_cli.data.photographs import decode, header_size
from srgan_cli.errors import InputError
from tests.toolbox import synthetic_photograph

POSTSCRIPT = (
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 200 200\n%%EndComments\nshowpage\n%%EOF\n"
)


def test_postscript_named_as_an_image_is_never_run(tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_, **__: started.append(1))
    path = tmp_path / "program.jpg"
    path.write_bytes(POSTSCRIPT)
    with pytest.raises(InputError, match=r"not a readable image|damaged|the file is empty"):
        decode(path, max_side=0)
    assert header_size(path) == (0, 0)
    assert not started


SIZE = 75, 51


def encoded(mode, kind, **options):
    """Return an image of noise and shapes as a file's bytes."""
    image = Image.fromarray(synthetic_photograph(*SIZE, seed=3)).convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


TURNED = Image.Exif()
TURNED[0x0112] = 6
FILES = {
    "full colour": encoded("RGB", "JPEG", quality=90, subsampling=0),
    "half colour": encoded("RGB", "JPEG", quality=40, subsampling=2),
    "progressive": encoded("RGB", "JPEG", progressive=True),
    "grey": encoded("L", "JPEG"),
    "for print": encoded("CMYK", "JPEG"),
    "turned": encoded("RGB", "JPEG", exif=TURNED),
    "with more behind it": encoded("RGB", "JPEG") + b"and more",
    "WebP": encoded("RGB", "WEBP"),
    "lossless WebP": encoded("RGB", "WEBP", lossless=True),
    "WebP with alpha": encoded("RGBA", "WEBP"),
    "turned WebP": encoded("RGB", "WEBP", exif=TURNED),
    "moving WebP": encoded(
        "RGB", "WEBP", save_all=True, append_images=[Image.new("RGB", SIZE)], lossless=True
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_decoded_pixels_are_those_of_pillow(tmp_path, name):
    path = tmp_path / "picture"
    path.write_bytes(FILES[name])
    with Image.open(path) as image:
        wanted = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    np.testing.assert_array_equal(decode(path, max_side=0).pixels, wanted)
    assert sorted(header_size(path)) == sorted(wanted.shape[:2])


@pytest.mark.parametrize("name", ["full colour", "progressive", "WebP", "lossless WebP"])
def test_a_file_cut_anywhere_is_refused(tmp_path, name):
    path = tmp_path / "cut"
    whole = FILES[name]
    for length in {*range(0, len(whole), 97), len(whole) - 2, len(whole) - 1}:
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"not a readable image|damaged|the file is empty"):
            decode(path, max_side=0)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (640, 333), (16383, 2), (3, 5001)])
def test_sizes_of_webp_files_are_read_from_their_headers(tmp_path, mode, lossless, size):
    path = tmp_path / "image.webp"
    Image.new(mode, size).save(path, lossless=lossless)
    assert header_size(path) == size
    path.write_bytes(path.read_bytes()[:30])  # Nothing else is looked at.
    assert header_size(path) == size


def test_images_that_would_be_refused_take_no_space(tmp_path):
    path = tmp_path / "huge.webp"
    path.write_bytes(b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0" + b"\0" * 4 + b"\xff" * 6)
    assert header_size(path) == (0, 0)
