"""What goes in comes out: every format, mode and depth through the whole upscaler."""

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image, ImageCms

from tests.conformance import samples

CASES = [(extension, mode) for extension, modes in samples.EIGHT_BIT.items() for mode in modes]
RESULT_MODE = {"1": "L", "P": "RGB", "P+t": "RGBA", "CMYK": "RGB", "LAB": "RGB", "YCbCr": "RGB"}


def as_result(image, mode):
    """Bring a source to the mode that its result has."""
    if mode in {"CMYK", "LAB"}:
        return None  # Through profiles: compared for colour elsewhere.
    return image.convert(RESULT_MODE.get(mode, mode))


def reduced(image):
    return np.asarray(image.reduce(2)).astype(int)


@pytest.mark.parametrize(("extension", "mode"), CASES)
def test_pixels_and_mode_survive(tmp_path, upscale, extension, mode):
    source = samples.save(tmp_path / f"a{extension}", samples.image(mode))
    with Image.open(source) as opened:
        wanted = as_result(opened, mode)
    result = upscale.one(source, tmp_path / "out")
    assert result.name == source.name
    with Image.open(result) as image:
        assert image.size == (2 * samples.WIDTH, 2 * samples.HEIGHT)
        kept = image.convert(RESULT_MODE.get(mode, mode))
        if extension not in {".gif", ".webp", ".avif", ".tga", ".pcx", ".qoi"}:
            assert image.mode == RESULT_MODE.get(mode, mode)
    if wanted is None:
        return
    difference = np.abs(reduced(kept) - np.asarray(wanted).astype(int))
    # Dithered and bilevel sources have edges that any upscaling softens.
    assert difference.mean() < (8 if mode in {"1", "P", "P+t"} else 2)


def test_bilinear_oracle_holds_for_every_pixel(tmp_path, upscale):
    pixels = samples.ramp(3)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    result = upscale.one(tmp_path / "a.png", tmp_path / "out")
    import torch

    batch = torch.from_numpy(pixels.astype(np.float32))[None].permute(0, 3, 1, 2)
    wanted = torch.nn.functional.interpolate(batch, scale_factor=2, mode="bilinear")
    made = np.asarray(Image.open(result)).astype(int)
    assert np.abs(made - wanted[0].permute(1, 2, 0).round().numpy()).max() <= 1


@pytest.mark.parametrize("extension", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_16_bits_stay_16_bits(tmp_path, upscale, extension, channels):
    source = samples.save_deep(tmp_path / f"a{extension}", channels)
    result = upscale.one(source, tmp_path / "out")
    if extension == ".png":
        pixels = imagecodecs.png_decode(result.read_bytes())
    else:
        pixels = tifffile.imread(result)
    assert pixels.dtype == np.uint16
    wanted = samples.ramp(channels, deep=True)
    assert pixels.shape == (2 * samples.HEIGHT, 2 * samples.WIDTH, *wanted.shape[2:])
    blocks = pixels.reshape(samples.HEIGHT, 2, samples.WIDTH, 2, -1).mean(axis=(1, 3))
    inner = np.abs(blocks - wanted.reshape(*wanted.shape[:2], -1))[1:-1, 1:-1]
    assert inner.max() < 65535 * 0.01
    with Image.open(result) as image:
        wanted = samples.profile() if channels > 2 else samples.grey_profile()
        assert image.info["icc_profile"] == wanted
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        assert samples.unlabelled(image.info["xmp"]) == samples.XMP
        assert image.getexif()[ExifTags.Base.Make] == "camera"


@pytest.mark.parametrize("extension", [".png", ".tif"])
def test_a_smooth_16_bit_ramp_keeps_more_levels_than_12_bits_have(tmp_path, upscale, extension):
    ramp = np.linspace(0, 65535, 8192).round().astype(np.uint16)[None].repeat(4, axis=0)
    pixels = np.dstack([ramp, ramp[:, ::-1], ramp])
    source = tmp_path / f"a{extension}"
    if extension == ".png":
        source.write_bytes(imagecodecs.png_encode(pixels))
    else:
        tifffile.imwrite(source, pixels, photometric="rgb")
    result = upscale.one(source, tmp_path / "out")
    made = (
        imagecodecs.png_decode(result.read_bytes())
        if extension == ".png"
        else tifffile.imread(result)
    )
    for channel in range(3):
        assert len(np.unique(made[..., channel])) > 4096


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("white is zero", {"photometric": "miniswhite"}),
        ("planes", {"photometric": "rgb", "planarconfig": "separate"}),
        ("big-endian", {"photometric": "rgb", "byteorder": ">"}),
        ("tiles", {"photometric": "rgb", "tile": (16, 16)}),
    ],
)
def test_16_bit_tiff_layouts_are_understood(tmp_path, upscale, kind, options):
    pixels = samples.ramp(1 if kind == "white is zero" else 3, deep=True)
    stored = np.moveaxis(pixels, -1, 0) if kind == "planes" else pixels
    byteorder = options.pop("byteorder", None)
    tifffile.imwrite(tmp_path / "a.tif", stored, byteorder=byteorder, **options)
    made = tifffile.imread(upscale.one(tmp_path / "a.tif", tmp_path / "out"))
    wanted = 65535 - pixels if kind == "white is zero" else pixels
    assert np.abs(made[::2, ::2].astype(int) - wanted).mean() < 65535 * 0.02


def test_premultiplied_16_bit_colour_becomes_straight(tmp_path, upscale):
    colour = np.full((8, 8, 3), 40_000, np.uint32)
    alpha = np.full((8, 8, 1), 32_768, np.uint32)
    stored = np.concatenate([colour * alpha // 65535, alpha], axis=2).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", extrasamples=["assocalpha"])
    made = tifffile.imread(upscale.one(tmp_path / "a.tif", tmp_path / "out"))
    assert np.abs(made[..., :3].astype(int) - 40_000).max() <= 2
    assert (made[..., 3] == 32_768).all()


def test_16_bits_become_8_where_the_format_has_no_more(tmp_path, upscale):
    source = samples.save_deep(tmp_path / "a.png", 3)
    with Image.open(upscale.one(source, tmp_path / "out", ext="webp")) as image:
        difference = np.asarray(image.reduce(2)).astype(int) - samples.ramp(3)
        assert np.abs(difference).mean() < 1


@pytest.mark.parametrize("kind", ["float", "32-bit"])
def test_pixels_without_a_stated_white_are_refused_not_guessed(tmp_path, upscale, kind):
    dtype = np.float32 if kind == "float" else np.int32
    tifffile.imwrite(tmp_path / "a.tif", np.ones((8, 8), dtype))
    report = upscale(tmp_path / "a.tif", output=tmp_path / "out")
    assert kind in report.failed[0].reason
    assert not (tmp_path / "out" / "a.tif").exists()


def test_float_colour_is_refused_by_its_true_name(tmp_path, upscale):
    tifffile.imwrite(tmp_path / "a.tif", np.ones((8, 8, 3), np.float32), photometric="rgb")
    report = upscale(tmp_path / "a.tif", output=tmp_path / "out")
    assert "float" in report.failed[0].reason


METADATA = {
    ".jpg": {"icc", "exif", "xmp", "iptc", "dpi", "comment"},
    ".png": {"icc", "exif", "xmp", "dpi", "comment", "text"},
    ".tif": {"icc", "exif", "xmp", "iptc", "dpi", "comment"},
    ".webp": {"icc", "exif", "xmp"},
    ".avif": {"icc", "exif", "xmp"},
    ".gif": {"comment"},
    ".jp2": {"comment"},
    ".bmp": {"dpi"},
}


@pytest.mark.parametrize("extension", METADATA)
def test_metadata_survive(tmp_path, upscale, extension):
    source = samples.save(tmp_path / f"a{extension}", samples.image("RGB").convert("RGB"))
    assert samples.carried(source) == METADATA[extension]  # Or the sample would prove nothing.
    assert samples.carried(upscale.one(source, tmp_path / "out")) == METADATA[extension]


@pytest.mark.parametrize("extension", METADATA)
def test_stripped_results_carry_the_profile_alone(tmp_path, upscale, extension):
    source = samples.save(tmp_path / f"a{extension}", samples.image("RGB"))
    result = upscale.one(source, tmp_path / "out", strip_metadata=True)
    assert samples.carried(result) <= {"icc"}
    assert ("icc" in samples.carried(result)) == ("icc" in METADATA[extension])


@pytest.mark.parametrize("extension", [".png", ".jpg", ".tif", ".webp", ".avif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_results_stand_upright_once(tmp_path, upscale, extension, orientation):
    upright = samples.image("RGB")
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Image.Transpose values.
    stored = upright.transpose(undo[orientation]) if orientation > 1 else upright
    source = samples.save(tmp_path / f"a{extension}", stored, orientation=orientation)
    with Image.open(upscale.one(source, tmp_path / "out")) as image:
        assert image.getexif().get(ExifTags.Base.Orientation, 1) == 1
        assert image.size == (2 * samples.WIDTH, 2 * samples.HEIGHT)
        difference = reduced(image.convert("RGB")) - np.asarray(upright).astype(int)
    assert np.abs(difference).mean() < 3


@pytest.mark.parametrize("orientation", [3, 6])
def test_16_bit_tiff_stands_upright_once(tmp_path, upscale, orientation):
    upright = samples.ramp(3, deep=True)
    stored = np.rot90(upright, {3: 2, 6: 1}[orientation])
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.ascontiguousarray(stored),
        photometric="rgb",
        extratags=[(274, 3, 1, orientation, True)],
    )
    made = tifffile.imread(upscale.one(tmp_path / "a.tif", tmp_path / "out"))
    assert made.shape[:2] == (2 * samples.HEIGHT, 2 * samples.WIDTH)
    assert np.abs(made[::2, ::2].astype(int) - upright).mean() < 65535 * 0.02


def test_the_orientation_in_xmp_is_reset_too(tmp_path, upscale):
    xmp = samples.XMP.replace(b'dc:source="sample"', b'tiff:Orientation="6"')
    exif = samples.exif(6)
    Image.new("RGB", (8, 4)).save(tmp_path / "a.jpg", xmp=xmp, exif=exif)
    with Image.open(upscale.one(tmp_path / "a.jpg", tmp_path / "out")) as image:
        assert image.size == (8, 16)
        assert b'tiff:Orientation="1"' in image.info["xmp"]


def test_cmyk_goes_through_its_profile(tmp_path, upscale):
    # LittleCMS has no CMYK profile of its own: without one the naive conversion is taken,
    # and a damaged one must not stop the image.
    picture = samples.image("CMYK")
    picture.save(tmp_path / "a.tif")
    picture.save(tmp_path / "b.tif", icc_profile=b"damaged")
    for name in ("a.tif", "b.tif"):
        report = upscale(tmp_path / name, output=tmp_path / "out")
        assert "approximate" in report.written[0].notes[0]
        with Image.open(report.written[0].output) as image:
            assert image.mode == "RGB"
            assert "icc_profile" not in image.info
            difference = reduced(image) - np.asarray(picture.convert("RGB")).astype(int)
            assert np.abs(difference).mean() < 2


def test_formats_without_profile_get_srgb_pixels(tmp_path, upscale):
    grey = ImageCms.createProfile("sRGB")
    wide = samples.profile()
    Image.fromarray(samples.ramp(3)).save(tmp_path / "a.png", icc_profile=wide)
    report = upscale(tmp_path / "a.png", output=tmp_path / "out", ext="bmp")
    assert any("sRGB" in note for note in report.written[0].notes)
    assert grey is not None


def test_transparency_is_laid_on_the_stated_background(tmp_path, upscale):
    picture = Image.new("RGBA", (16, 16), (0, 0, 0, 0))
    picture.paste((200, 0, 0, 255), (8, 0, 16, 16))
    picture.save(tmp_path / "a.png")
    report = upscale(tmp_path / "a.png", output=tmp_path / "out", ext="jpg", background="#00ff00")
    assert report.written[0].notes == ("transparency was replaced by a #00ff00 background",)
    with Image.open(report.written[0].output) as image:
        red, green, blue = image.getpixel((4, 16))
        assert green > 245
        assert max(red, blue) < 10
        assert image.getpixel((28, 16))[0] > 190


def test_formats_that_cannot_be_written_become_png_and_it_is_said(tmp_path, upscale):
    Image.fromarray(samples.ramp(4)).save(tmp_path / "a.ico", sizes=[(16, 16)])
    report = upscale(tmp_path / "a.ico", output=tmp_path / "out")
    assert report.written[0].output.name == "a.png"
    assert any("PNG" in note for note in report.written[0].notes)


def test_quality_changes_lossy_results(tmp_path, upscale):
    rough = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    Image.fromarray(rough).save(tmp_path / "a.png")
    for ext in ("jpg", "webp", "avif", "jp2"):
        low = upscale.one(tmp_path / "a.png", tmp_path / "low", ext=ext, quality=20)
        high = upscale.one(tmp_path / "a.png", tmp_path / "high", ext=ext, quality=95)
        assert low.stat().st_size < high.stat().st_size


def test_jpeg_has_full_chroma(tmp_path, upscale):
    Image.fromarray(samples.ramp(3)).save(tmp_path / "a.png")
    with Image.open(upscale.one(tmp_path / "a.png", tmp_path / "out", ext="jpg")) as image:
        assert image.layer[0][1:3] == (1, 1)


def test_the_page_on_images_is_what_the_samples_show():
    from tools import build_formats

    assert build_formats.TARGET.read_text(encoding="utf-8") == build_formats.document()


@pytest.mark.parametrize("deep", [False, True])
def test_png_files_are_hardly_larger_than_after_a_search_for_repetitions(tmp_path, upscale, deep):
    grain = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    smooth = Image.fromarray(grain).resize((128, 96), Image.Resampling.BICUBIC)
    source = tmp_path / "a.png"
    source.write_bytes(imagecodecs.png_encode(np.asarray(smooth).astype(np.uint16) * 257))
    if not deep:
        smooth.save(source)
    result = upscale.one(source, tmp_path / "out").read_bytes()
    searched = imagecodecs.png_encode(imagecodecs.png_decode(result), level=6)
    assert len(result) < 1.1 * len(searched)
