import errno
import os
import stat

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from srgan_cli.errors import InputError
from srgan_cli.imaging.io import Picture, read_picture, writable, write_picture
from srgan_cli.imaging.metrics import psnr
from tests.conftest import synthetic_photograph

LIMIT = 1_000_000


@pytest.fixture
def pixels():
    return synthetic_photograph(40, 24)


@st.composite
def pictures(draw):
    height, width = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = (height, width, 3) if draw(st.booleans()) else (height, width)
    alpha = random.integers(0, 256, shape[:2], dtype=np.uint8) if draw(st.booleans()) else None
    return Picture(random.integers(0, 256, shape, dtype=np.uint8), alpha)


@given(pictures())
@settings(max_examples=50, deadline=None)
def test_png_round_trip_is_exact(tmp_path_factory, picture):
    path = tmp_path_factory.mktemp("round") / "a.png"
    write_picture(path, picture)
    back = read_picture(path, max_pixels=LIMIT)
    assert np.array_equal(back.pixels, picture.pixels)
    assert np.array_equal(back.alpha, picture.alpha)


@pytest.mark.parametrize("extension", [".png", ".tif", ".webp", ".bmp"])
def test_formats_without_loss_are_written_without_loss(tmp_path, pixels, extension):
    path = tmp_path / f"a{extension}"
    write_picture(path, Picture(pixels))
    assert np.array_equal(read_picture(path, max_pixels=LIMIT).pixels, pixels)


def test_jpeg_is_written_at_high_quality_with_full_chroma(tmp_path, pixels):
    path = tmp_path / "a.jpg"
    write_picture(path, Picture(pixels))
    with Image.open(path) as image:
        # Sampling factors of Y: 1x1, so chroma has as many samples.
        assert image.layer[0][1:3] == (1, 1)
    assert psnr(read_picture(path, max_pixels=LIMIT).pixels, pixels) > 36


@pytest.mark.parametrize("grey", [True, False])
@pytest.mark.parametrize("extension", [".jpg", ".jpeg", ".jfif", ".jpe", ".bmp"])
def test_transparency_is_laid_on_white_where_the_format_has_none(tmp_path, extension, grey):
    alpha = np.zeros((16, 16), np.uint8)
    alpha[:, 8:] = 255
    black = np.zeros((16, 16) if grey else (16, 16, 3), np.uint8)
    path = tmp_path / f"a{extension}"
    write_picture(path, Picture(black, alpha))
    back = read_picture(path, max_pixels=LIMIT)
    assert back.alpha is None
    assert back.pixels[:, :7].min() > 245
    assert back.pixels[:, 9:].max() < 10


def test_a_compressed_tiff_can_be_enlarged_into_a_tiff(tmp_path, pixels):
    # Its tags tell size, place and compression of the old pixels.
    exif = Image.Exif()
    exif[ExifTags.Base.Software] = "scanner"
    source, target = tmp_path / "a.tif", tmp_path / "b.tif"
    Image.fromarray(pixels).save(source, compression="tiff_lzw", exif=exif)
    enlarged = pixels.repeat(2, axis=0).repeat(2, axis=1)
    write_picture(target, Picture(enlarged, None, read_picture(source, max_pixels=LIMIT).metadata))
    with Image.open(target) as image:
        assert np.array_equal(np.asarray(image), enlarged)
        assert image.getexif()[ExifTags.Base.Software] == "scanner"


@pytest.mark.parametrize("existing", [True, False])
@pytest.mark.parametrize(
    ("failure", "seen"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), OSError),
        (ValueError("too large for this format"), InputError),
        (OSError("cannot write mode RGB as XBM"), InputError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_a_failed_encoder_leaves_no_file_and_keeps_the_old_one(
    tmp_path, pixels, monkeypatch, existing, failure, seen
):
    path = tmp_path / "a.png"
    if existing:
        path.write_bytes(b"the old file")

    def save_half(_, target, **_options):
        target.write_bytes(b"half a pict")
        raise failure

    monkeypatch.setattr(Image.Image, "save", save_half)
    with pytest.raises(seen):
        write_picture(path, Picture(pixels))

    assert list(tmp_path.iterdir()) == ([path] if existing else [])
    assert not existing or path.read_bytes() == b"the old file"


def test_a_picture_never_stands_half_written_under_its_name(tmp_path, pixels, monkeypatch):
    path = tmp_path / "a.png"
    save = Image.Image.save

    def watched_save(image, target, **options):
        save(image, target, **options)
        assert not path.exists()

    monkeypatch.setattr(Image.Image, "save", watched_save)
    write_picture(path, Picture(pixels))
    assert path.exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_the_file_mode_follows_the_umask(tmp_path, pixels, umask):
    before = os.umask(umask)
    try:
        write_picture(tmp_path / "a.png", Picture(pixels))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.png").stat().st_mode) == 0o666 & ~umask


def test_formats_that_cannot_hold_the_picture_are_refused(tmp_path, pixels):
    for name in ("a.xbm", "a.xyz", "a"):
        with pytest.raises(InputError) as caught:
            write_picture(tmp_path / name, Picture(pixels))
        assert name in caught.value.message
        assert caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_an_os_error(tmp_path, pixels):
    with pytest.raises(FileNotFoundError):
        write_picture(tmp_path / "missing" / "a.png", Picture(pixels))


def test_what_can_be_written_is_known_by_the_extension(tmp_path):
    assert writable(tmp_path / "a.JPG")
    assert writable(tmp_path / "a.png")
    assert not writable(tmp_path / "a.psd")
    assert not writable(tmp_path / "a.txt")
