"""``srgan_cli.load`` and ``upscale_image``: every kind comes back as it went in."""

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from srgan_cli import engine
from srgan_cli.cli import run
from srgan_cli.errors import InputError, UsageError
from tests.toolbox import save_bilinear, synthetic_photograph


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Load a network that interpolates: its results are known."""
    folder = tmp_path_factory.mktemp("model")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SRGAN_HOME", str(folder))
        return engine.load(str(save_bilinear(folder / "bilinear.safetensors")), device="cpu")


PHOTO = synthetic_photograph(40, 24)
CUTOUT = np.dstack([PHOTO, np.linspace(0, 255, 40 * 24).reshape(24, 40).astype(np.uint8)])


def _close(result, source, tolerance):
    """Compare a result with its source by their reductions to 2 by 2 blocks."""
    large, small = result.astype(float), source.astype(float)
    height, width = small.shape[:2]
    means = large.reshape(height, 2, width, 2, -1).mean(axis=(1, 3))
    return np.abs(means - small.reshape(height, width, -1)).mean() < tolerance


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32, np.float64, ">u2"])
@pytest.mark.parametrize("axes", ["grey", "one channel", "RGB", "RGBA"])
def test_an_array_comes_back_with_its_type_and_axes(model, axes, dtype):
    levels = {"grey": PHOTO[..., 0], "one channel": PHOTO[..., :1], "RGB": PHOTO, "RGBA": CUTOUT}
    whole = np.issubdtype(np.dtype(dtype), np.integer)
    top = 1 if not whole else np.iinfo(dtype).max
    values = levels[axes] / 255 * top
    source = (np.round(values) if whole else values).astype(dtype)
    result = model.upscale_image(source)
    assert result.dtype == source.dtype
    assert result.shape == (48, 80, *source.shape[2:])
    assert _close(result, source, 0.05 * top)
    assert result.flags.writeable


def test_floats_keep_more_than_eight_bits(model):
    ramp = np.tile(np.linspace(0.5, 0.51, 64, dtype=np.float32), (16, 1))
    assert len(np.unique(model.upscale_image(ramp))) > 60


def test_transparent_parts_stay_transparent(model):
    source = CUTOUT.copy()
    source[:, :20, 3], source[:, 20:, 3] = 0, 255
    alpha = model.upscale_image(source)[..., 3]
    assert (alpha[:, :38] == 0).all()
    assert (alpha[:, 42:] == 255).all()


@pytest.mark.parametrize(
    ("mode", "back"),
    [
        *(("L", "L"), ("LA", "LA"), ("RGB", "RGB"), ("RGBA", "RGBA"), ("1", "L"), ("P", "RGB")),
        ("I;16", "I;16"),
    ],
)
def test_a_pillow_image_comes_back_in_its_mode(model, mode, back):
    if mode == "I;16":
        source = Image.fromarray(PHOTO[..., 0].astype(np.uint16) * 257)
    else:
        source = Image.fromarray(CUTOUT if "A" in mode else PHOTO).convert(mode)
    result = model.upscale_image(source)
    assert (result.mode, result.size) == (back, (80, 48))


def test_a_palette_with_transparency_comes_back_with_alpha(model):
    source = Image.fromarray(PHOTO).quantize(8)
    source.info["transparency"] = 0
    assert model.upscale_image(source).mode == "RGBA"


def test_colour_profile_and_exif_of_a_pillow_image_are_kept(model, tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(PHOTO).save(tmp_path / "a.jpg", icc_profile=profile, exif=exif)
    with Image.open(tmp_path / "a.jpg") as source:
        result = model.upscale_image(source)
    assert result.getexif()[0x0112] == 6  # Pixels are not turned, so the note stays true.
    result.save(tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as saved:
        assert saved.info["icc_profile"] == profile


def test_a_path_gives_the_path_of_a_result_beside_it(model, tmp_path):
    Image.fromarray(PHOTO).save(tmp_path / "a.png")
    made = model.upscale_image(str(tmp_path / "a.png"))
    assert made == tmp_path / "a_x2.png"
    with Image.open(made) as result:
        assert result.size == (80, 48)
    before = made.stat().st_mtime_ns
    assert model.upscale_image(tmp_path / "a.png") == made
    assert made.stat().st_mtime_ns == before


def test_a_path_never_replaces_a_file_of_somebody_else(model, tmp_path):
    Image.fromarray(PHOTO).save(tmp_path / "a.png")
    (tmp_path / "a_x2.png").write_text("mine")
    with pytest.raises(InputError, match="srgan did not make it"):
        model.upscale_image(tmp_path / "a.png")
    assert (tmp_path / "a_x2.png").read_text() == "mine"


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (PHOTO.astype(np.int64), "int64; expected: uint8"),
        (PHOTO > 9, "bool; expected"),
        (PHOTO * 1.0, "floats from 0 to 1"),
        (PHOTO / 255 - 0.01 - PHOTO.min() / 255, "expected: floats from 0 to 1"),
        (np.full((4, 4), np.nan), "with NaN or infinity"),
        (PHOTO.transpose(2, 0, 1), r"shape \(3, 24, 40\); expected: H, W or"),
        (PHOTO[None], "shape .* expected: H, W"),
        (PHOTO[..., :2], "shape .* expected: H, W"),
        (np.zeros((0, 4), np.uint8), "without pixels"),
        (np.zeros(4, np.uint8), "shape"),
        ([[1]], "type list; expected"),
        (torch.zeros(3, 4, 4), "type Tensor; expected"),
        (None, "type NoneType; expected"),
        (Image.new("CMYK", (4, 4)), "mode CMYK; expected"),
        (Image.new("F", (4, 4)), "mode F; expected"),
        (Image.new("RGB", (0, 4)), "0×4 pixels"),
        ("missing.png", "no such file"),
        (str(Path(__file__).parent), "upscaling is a folder"),
    ],
)
def test_what_cannot_be_upscaled_is_refused_with_what_is_wanted(model, image, words):
    with pytest.raises(InputError, match=words) as caught:
        model.upscale_image(image)
    assert caught.value.hint in caught.value.__notes__[0]  # Tracebacks show it.


SIGNED = PHOTO / 127.5 - 1


def _hint(model, image):
    with pytest.raises(InputError) as caught:
        model.upscale_image(image)
    return caught.value.hint


@pytest.mark.parametrize(
    ("image", "code", "expected"),
    [
        (PHOTO.astype(np.int64), "image.astype(np.uint8)", PHOTO),
        (PHOTO.astype(np.int16) + 256, "image.astype(np.uint16)", PHOTO.astype(np.uint16) + 256),
        (PHOTO > 9, "image * np.uint8(255)", np.where(PHOTO > 9, 255, 0)),
        (SIGNED, "(image + 1) / 2", PHOTO / 255),
        (
            PHOTO / PHOTO.max() * 1.01,
            "np.clip(image, 0, 1)",
            np.minimum(PHOTO / PHOTO.max() * 1.01, 1),
        ),
        (
            np.where(PHOTO > 99, np.nan, 0.5),
            "np.nan_to_num(image, posinf=1, neginf=0)",
            np.where(PHOTO > 99, 0, 0.5),
        ),
        (PHOTO[..., :2], "image[..., [0, 0, 0, 1]]", PHOTO[..., [0, 0, 0, 1]]),
        (np.dstack([PHOTO, PHOTO[..., :2]]), "image[..., :3]", PHOTO),
        (Image.new("RGBa", (4, 4)), 'image.convert("RGBA")', None),
        (Image.new("La", (4, 4)), 'image.convert("LA")', None),
        (Image.new("I", (4, 4), 500), "np.asarray(image).astype(np.uint16)", np.full((4, 4), 500)),
        (Image.new("F", (4, 4), 500), "np.asarray(image).astype(np.uint16)", np.full((4, 4), 500)),
    ],
)
def test_the_hint_gives_an_image_that_can_be_upscaled(model, image, code, expected):
    assert code in _hint(model, image)
    mended = eval(code, {"np": np, "image": image})  # noqa: S307 - of the lines above
    assert model.upscale_image(mended) is not None
    if expected is not None:
        assert np.allclose(mended, expected)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (PHOTO * 1.0, "divide it by 255,"),
        (PHOTO * 200.5, "divide it by 65535,"),
        (PHOTO * 1.0 - PHOTO.max() / 2, r"np\.clip"),
        (PHOTO.astype(np.int32) - 500, "to 0..65535"),
        (PHOTO.astype(np.uint32) * 2**16, "to 0..65535"),
        (np.dstack([PHOTO, PHOTO[..., :2]]), "1, 3 or 4 channels are wanted, not 5"),
        (PHOTO[None], r"images\[0\]"),
        (np.zeros((4, 4), complex), r"help\(srgan_cli"),
    ],
)
def test_the_hint_depends_on_values_and_shape(model, image, words):
    assert re.search(words, _hint(model, image))


@pytest.mark.parametrize(
    ("arguments", "message", "wanted"),
    [
        ({"precision": "fp8"}, "precision is 'fp8'", "auto, fp32, fp16 or bf16"),
        ({"precision": None}, "precision is None", "auto, fp32"),
        ({"runtime": "foo"}, "runtime is 'foo'", "onnxruntime or openvino"),
        ({"scale": "two"}, "scale is 'two'", "a number"),
        ({"scale": (2, 2)}, "scale is of type tuple", "a number"),
        ({"scale": True}, "scale is True", "a number"),
        ({"scale": Fraction(10**400)}, "scale is of type Fraction", "a smaller number"),
        ({"strength": "a"}, "strength is 'a'", "a number"),
        ({"tile": "big"}, "tile is 'big'", "a whole number"),
        ({"tile": 64.5}, "tile is 64.5", "a whole number"),
        ({"model": 3}, "model is 3", "a path"),
        ({"device": None}, "device is None", "auto, cpu"),
        ({"tta": 3}, "tta is 3", "True or False"),
    ],
)
def test_arguments_of_wrong_types_and_values_are_refused(arguments, message, wanted):
    with pytest.raises(UsageError, match=re.escape(message)) as caught:
        engine.load(**arguments)
    assert wanted in caught.value.hint


@pytest.mark.parametrize("arguments", [{"progress": True}, {"scale": "two"}])
def test_a_loaded_model_refuses_wrong_types_too(model, arguments):
    with pytest.raises(UsageError, match=f"{next(iter(arguments))} is "):
        model.upscale_image(PHOTO, **arguments)


def test_numbers_of_numpy_and_paths_are_arguments_too(tmp_path):
    path = save_bilinear(tmp_path / "bilinear.safetensors")
    options = {"scale": np.float32(2), "tile": np.int64(32), "tta": np.bool_(False)}
    loaded = engine.load(Path(path), device="cpu", **options)
    assert loaded.upscale_image(PHOTO, np.int64(3)).shape == (72, 120, 3)


def test_any_factor_gives_that_size_and_others_are_refused(model):
    assert model.upscale_image(PHOTO, 2.5).shape == (60, 100, 3)
    with pytest.raises(UsageError):
        model.upscale_image(PHOTO, 0.5)


def test_progress_rises_from_0_to_1(model, tmp_path):
    shares = []
    model.upscale_image(PHOTO, progress=shares.append)
    assert shares[0] == 0
    assert shares[-1] == 1
    assert shares == sorted(shares)
    Image.fromarray(PHOTO).save(tmp_path / "a.png")
    from_file = []
    model.upscale_image(tmp_path / "a.png", progress=from_file.append)
    assert from_file[0] == 0
    assert from_file[-1] == 1


def test_progress_is_told_tile_by_tile_and_may_stop_the_work(tmp_path):
    path = save_bilinear(tmp_path / "bilinear.safetensors")
    model = engine.load(str(path), device="cpu", tile=16)
    source, shares = np.tile(PHOTO, (3, 3, 1)), []
    model.upscale_image(source, progress=shares.append)
    assert len(shares) > 10

    def stop(share):
        if share > 0.4:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        model.upscale_image(source, progress=stop)
    assert model.upscale_image(PHOTO).shape == (48, 80, 3)


def test_it_gives_what_the_command_gives(home, tmp_path):  # noqa: ARG001 - an empty home
    Image.fromarray(PHOTO).save(tmp_path / "a.png")
    command = ["upscale", str(tmp_path / "a.png"), "-o", str(tmp_path / "out"), "--device", "cpu"]
    assert run([*command, "--model", "fidelity", "--scale", "2"]) == 0
    expected = np.asarray(Image.open(tmp_path / "out" / "a.png"))
    made = engine.upscale_image(PHOTO, scale=2, model="fidelity", device="cpu")
    assert np.array_equal(made, expected)


def test_the_upscaler_refuses_arrays_that_would_come_out_black(model):
    for pixels in (PHOTO / 255, CUTOUT):
        with pytest.raises(InputError, match="expected: uint8 or uint16"):
            list(model._upscaler.bands(pixels, None))


def test_an_image_that_pillow_cannot_decode_is_an_error_of_srgan(model, tmp_path):
    path = tmp_path / "cut.png"
    Image.fromarray(PHOTO).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with (
        Image.open(path) as image,
        pytest.raises(InputError, match="Pillow cannot decode the image"),
    ):
        model.upscale_image(image)


def test_bytes_are_told_how_to_become_an_image(model):
    with pytest.raises(InputError, match="of type bytes") as caught:
        model.upscale_image(b"")
    assert "io.BytesIO" in caught.value.hint


def test_the_scale_of_load_is_that_of_its_results(tmp_path, monkeypatch):
    monkeypatch.setenv("SRGAN_HOME", str(tmp_path / "home"))
    loaded = engine.load(str(save_bilinear(tmp_path / "b.safetensors")), scale=1.5, device="cpu")
    assert loaded.upscale_image(PHOTO).shape == (36, 60, 3)
    assert loaded.upscale_image(PHOTO, 3).shape == (72, 120, 3)
    assert loaded.scale == 2


def test_a_file_in_the_way_is_no_matter_of_options(model, tmp_path):
    Image.fromarray(PHOTO).save(tmp_path / "a.png")
    (tmp_path / "a_x2.png").write_bytes(b"mine")
    with pytest.raises(InputError, match="srgan did not make it") as caught:
        model.upscale_image(tmp_path / "a.png")
    assert "--" not in caught.value.hint
    assert (tmp_path / "a_x2.png").read_bytes() == b"mine"
