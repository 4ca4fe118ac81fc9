import numpy as np
import pytest
from PIL import Image, ImageCms, ImageFilter

from srgan_cli.config import DenseConfig, UpscaleConfig
from srgan_cli.engine import upscale
from srgan_cli.engine.inference.upscaler import Upscaler
from srgan_cli.engine.models.weights import save_weights
from srgan_cli.errors import UsageError, WeightsError
from srgan_cli.imaging.resize import upscale_bicubic
from srgan_cli.imaging.tensors import from_image, to_image, to_pixels
from tests.toolbox import files_below, random_generator, synthetic_photograph

SMALL = DenseConfig(2, 8, 8, 2, 1, 3, 1.0, "pixelshuffle")


@pytest.fixture
def small_weights(tmp_path):
    """Write weights of a small random generator, which makes the tests quick."""
    path = tmp_path / "small.safetensors"
    save_weights(path, random_generator(SMALL), {})
    return str(path)


@pytest.fixture
def upscaled(home, observer, small_weights, tmp_path):  # noqa: ARG001 - an empty home
    """Return a function that upscales into ``out``."""

    def run(*inputs, output=None, **options):
        config = UpscaleConfig(
            inputs,
            output or tmp_path / "out",
            **{"model": small_weights, "device": "cpu"} | options,
        )
        return upscale(config, observer)

    return run


def one(report):
    (written,) = report.written
    assert not report.failed
    return opened(written.output)


def opened(path):
    with Image.open(path) as image:
        image.load()
        image.getexif()
    return image


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (200, 1), (3, 5), (17, 16), (300, 2)])
def test_odd_sizes_come_out_exactly_twice_as_large(upscaled, tmp_path, size):
    Image.fromarray(synthetic_photograph(*size)).save(tmp_path / "odd.png")
    result = one(upscaled(tmp_path / "odd.png", tile=16))
    assert result.size == (2 * size[0], 2 * size[1])
    result = one(upscaled(tmp_path / "odd.png", model="fidelity-x2", output=tmp_path / "o2"))
    assert result.size == (2 * size[0], 2 * size[1])


def test_result_is_the_generator_applied_to_the_pixels(upscaled, tmp_path):
    picture = synthetic_photograph(40, 30)
    Image.fromarray(picture).save(tmp_path / "a.png")
    expected = to_pixels(random_generator(SMALL)(from_image(picture)))
    np.testing.assert_array_equal(np.asarray(one(upscaled(tmp_path / "a.png"))), expected)


@pytest.mark.parametrize("extension", ["png", "jpg", "webp", "tif", "bmp"])
def test_grey_stays_grey(upscaled, tmp_path, extension):
    grey = Image.fromarray(synthetic_photograph(40, 30)).convert("L")
    path = tmp_path / f"grey.{extension}"
    grey.save(path)
    source = np.asarray(opened(path).convert("L"))
    result = one(upscaled(path))
    assert result.size == (80, 60)
    if extension != "webp":  # It has no grey.
        assert result.mode == "L"
    sr = random_generator(SMALL)(from_image(source))
    expected = to_image(sr, grey=True, deep=False).astype(int)
    got = np.asarray(result.convert("L")).astype(int)
    assert np.abs(got - expected).mean() < (4 if extension == "jpg" else 1)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
@pytest.mark.parametrize("extension", ["png", "webp", "tif"])
def test_alpha_is_kept_and_upscaled(upscaled, tmp_path, mode, extension):
    alpha = np.tile(np.linspace(0, 255, 40).astype(np.uint8), (30, 1))
    image = Image.fromarray(synthetic_photograph(40, 30))
    if mode == "P":
        alpha = np.where(alpha > 100, 255, 0).astype(np.uint8)
        indices = np.where(alpha > 0, np.asarray(image.convert("L")) // 2 + 1, 0).astype(np.uint8)
        image = Image.fromarray(indices).convert("P")
        image.putpalette([value for i in range(256) for value in (i, i, i)])
        if extension != "png":
            pytest.skip("only PNG keeps a transparent palette entry")
        image.save(tmp_path / "a.png", transparency=0)
    else:
        image = image.convert(mode[:-1])
        image.putalpha(Image.fromarray(alpha))
        if (mode, extension) == ("LA", "webp"):
            image = image.convert("RGBA")
        image.save(tmp_path / f"a.{extension}", lossless=True)
    result = one(upscaled(tmp_path / f"a.{extension}"))
    assert result.size == (80, 60)
    made = np.asarray(result.getchannel("A"))
    # Upscaled by the network, but never beyond the pixels around.
    low, high = (
        np.asarray(Image.fromarray(alpha).filter(extreme)).repeat(2, axis=0).repeat(2, axis=1)
        for extreme in (ImageFilter.MinFilter(3), ImageFilter.MaxFilter(3))
    )
    assert ((low <= made) & (made <= high))[2:-2, 2:-2].all()


def test_cmyk_becomes_rgb_without_its_profile(upscaled, tmp_path):
    Image.fromarray(synthetic_photograph(40, 30)).convert("CMYK").save(
        tmp_path / "a.jpg", icc_profile=b"of the press"
    )
    result = one(upscaled(tmp_path / "a.jpg"))
    assert result.mode == "RGB"
    assert "icc_profile" not in result.info


@pytest.mark.parametrize("extension", ["jpg", "png", "webp", "tif"])
def test_exif_and_profile_are_kept_and_the_image_stands_upright(upscaled, tmp_path, extension):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif[0x0112] = 6  # To be turned by a quarter.
    path = tmp_path / f"a.{extension}"
    Image.fromarray(synthetic_photograph(40, 30)).save(path, exif=exif, icc_profile=profile)
    result = one(upscaled(path))
    assert result.size == (60, 80)
    assert result.info["icc_profile"] == profile
    assert result.getexif()[0x010F] == "Maker"
    assert result.getexif().get(0x0112, 1) == 1


def test_tiff_of_tiles_and_compression_can_be_read_again(upscaled, tmp_path):
    picture = Image.fromarray(synthetic_photograph(70, 50))
    picture.save(tmp_path / "a.tif", compression="tiff_lzw", tiffinfo={317: 2, 270: "kept"})
    result = one(upscaled(tmp_path / "a.tif"))
    result.load()
    assert result.size == (140, 100)
    assert result.getexif()[270] == "kept"


def test_results_have_their_sources_names(upscaled, tmp_path):
    folder = tmp_path / "in"
    (folder / "deeper").mkdir(parents=True)
    picture = Image.fromarray(synthetic_photograph(8, 8))
    for name in ("a.png", "b.tar.JPG", "ü n.webp", "deeper/not.png", ".hidden.png"):
        picture.save(folder / name)
    report = upscaled(folder, suffix="_x2")
    assert files_below(tmp_path / "out") == ["a_x2.png", "b.tar_x2.JPG", "ü n_x2.webp"]
    assert [w.output.name for w in report.written] == files_below(tmp_path / "out")
    assert (report.scale, report.failed) == (2, ())


def test_format_that_cannot_be_written_becomes_png(upscaled, tmp_path):
    lines = ['"2 1 2 1"', '"a c #ff0000"', '"b c #00ff00"', '"ab"']
    text = "/* XPM */\nstatic char *a[] = {\n" + ",\n".join(lines) + "\n};\n"
    (tmp_path / "a.xpm").write_text(text)
    assert one(upscaled(tmp_path / "a.xpm")).size == (4, 2)
    assert files_below(tmp_path / "out") == ["a.png"]


@pytest.mark.parametrize("names", [("a/x.png", "b/x.png"), ("x.png", "a/x.png")])
def test_colliding_results_are_refused_before_any_work(upscaled, tmp_path, names, monkeypatch):
    monkeypatch.setattr(Upscaler, "upscale", lambda *_: pytest.fail("worked"))
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    with pytest.raises(UsageError, match="both be written to"):
        upscaled(*(tmp_path / name for name in names))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("overwrite", [False, True])
def test_source_is_never_overwritten_by_its_own_result(upscaled, tmp_path, overwrite):
    (tmp_path / "in").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "in", target_is_directory=True)
    path = tmp_path / "in" / "a.png"
    Image.new("RGB", (8, 8)).save(path)
    before = path.read_bytes()
    for output in ("in", "link", "in/../in"):
        with pytest.raises(UsageError, match="would be overwritten"):
            upscaled(path, output=tmp_path / output, overwrite=overwrite)
    assert path.read_bytes() == before
    one(upscaled(path, output=tmp_path / "in", suffix="_x2"))
    assert path.read_bytes() == before


@pytest.mark.parametrize("overwrite", [False, True])
def test_source_is_never_overwritten_by_anothers_result(upscaled, tmp_path, overwrite):
    for name in ("a.png", "a_x2.png"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    before = (tmp_path / "a_x2.png").read_bytes()
    with pytest.raises(
        UsageError, match=r"a_x2\.png would be overwritten by the result of .*a\.png"
    ):
        upscaled(
            tmp_path / "a.png",
            tmp_path / "a_x2.png",
            output=tmp_path,
            suffix="_x2",
            overwrite=overwrite,
        )
    assert (tmp_path / "a_x2.png").read_bytes() == before


def test_existing_results_are_replaced_only_when_asked(upscaled, tmp_path):
    for name in ("a.png", "b.png"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.png").write_text("mine")
    report = upscaled(tmp_path / "a.png", tmp_path / "b.png")
    assert (tmp_path / "out" / "a.png").read_text() == "mine"
    assert [w.source.name for w in report.written] == ["b.png"]
    assert "exists already" in report.failed[0].reason
    assert "--overwrite" in report.failed[0].hint
    report = upscaled(tmp_path / "a.png", tmp_path / "b.png", overwrite=True)
    assert [w.source.name for w in report.written] == ["a.png"]
    assert [path.name for path in report.unchanged] == ["b.png"]
    assert opened(tmp_path / "out" / "a.png").size == (16, 16)


def test_image_named_twice_is_upscaled_once(upscaled, tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    assert len(upscaled(tmp_path / "a.png", tmp_path, tmp_path / "a.png").written) == 1


def test_bad_file_costs_only_itself(upscaled, tmp_path, observer):
    folder = tmp_path / "in"
    folder.mkdir()
    picture = Image.fromarray(synthetic_photograph(40, 30))
    for name in ("a.png", "c.png", "e.jpg"):
        picture.save(folder / name)
    (folder / "b.png").write_text("no image")
    (folder / "d.jpg").write_bytes((folder / "e.jpg").read_bytes()[:300])
    (folder / "f.png").symlink_to("nowhere")
    Image.new("RGB", (90, 90)).save(folder / "g.png")
    report = upscaled(folder, max_pixels=8000)
    assert [w.source.name for w in report.written] == ["a.png", "c.png", "e.jpg"]
    reasons = {f.source.name: f.reason for f in report.failed}
    assert sorted(reasons) == ["b.png", "d.jpg", "f.png", "g.png"]
    assert "90x90 is more than 8,000 pixels" in reasons["g.png"]
    assert files_below(tmp_path / "out") == ["a.png", "c.png", "e.jpg"]
    assert len(observer.warned) == 4


def test_the_bar_is_full_in_the_end_whatever_failed(upscaled, tmp_path, observer):
    for name in ("a.jpg", "b.jpg"):
        Image.fromarray(synthetic_photograph(64, 48)).save(tmp_path / name)
    whole = (tmp_path / "b.jpg").read_bytes()
    (tmp_path / "b.jpg").write_bytes(whole[: len(whole) * 9 // 10])
    report = upscaled(tmp_path / "a.jpg", tmp_path / "b.jpg")
    assert len(report.written) == len(report.failed) == 1
    (bar,), (count,) = observer.bars, observer.counts
    assert bar[1] == pytest.approx(2 * 64 * 48 / 1e6)
    assert count.done == pytest.approx(bar[1])


def test_image_that_its_format_cannot_hold_costs_only_itself(upscaled, tmp_path):
    Image.new("RGB", (40_000, 1)).save(tmp_path / "a.jpg")  # JPEG ends at 65,535.
    Image.new("RGB", (9000, 1)).save(tmp_path / "b.webp")  # WebP at 16,383.
    Image.new("RGB", (8, 8)).save(tmp_path / "c.png")
    report = upscaled(*(tmp_path / name for name in ("a.jpg", "b.webp", "c.png")))
    assert [f.source.name for f in report.failed] == ["a.jpg", "b.webp"]
    assert files_below(tmp_path / "out") == ["c.png"]


def test_animation_in_a_format_of_stills_gives_a_warning(upscaled, tmp_path, observer):
    frames = [Image.fromarray(synthetic_photograph(20, 20, seed)) for seed in range(3)]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], lossless=True)
    assert one(upscaled(tmp_path / "a.webp", ext="jpg")).size == (40, 40)
    assert "first of 3 frames" in observer.warned[0]


def test_broken_generator_is_noticed(upscaled, tmp_path):
    generator = random_generator(SMALL)
    generator.conv_last.bias.data[0] = float("nan")
    save_weights(tmp_path / "nan.safetensors", generator, {})
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(WeightsError, match="NaN or infinite"):
        upscaled(tmp_path / "a.png", model=str(tmp_path / "nan.safetensors"))
    assert not (tmp_path / "out").exists()


def test_bundled_model_beats_bicubic_on_the_example_photographs(upscaled, tmp_path):
    from pathlib import Path

    from srgan_cli.imaging.metrics import psnr
    from srgan_cli.imaging.resize import downscale, mod_crop

    examples = Path(__file__).resolve().parents[2] / "examples"
    for path in sorted(examples.glob("*.png")):
        hr = mod_crop(np.asarray(opened(path).convert("RGB")), 2)
        lr = downscale(hr, 2)
        Image.fromarray(np.ascontiguousarray(lr)).save(tmp_path / path.name)
        sr = np.asarray(one(upscaled(tmp_path / path.name, model="fidelity-x2")))
        assert psnr(sr, hr) > psnr(upscale_bicubic(lr, 2), hr) + 0.5
