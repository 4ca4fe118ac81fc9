"""``srgan upscale --verify``: a result is what it says, differs, or says nothing."""

import json
import zlib

import numpy as np
import pytest
from PIL import Image

from srgan_cli.engine.models.weights import ModelSource, load_model, save_weights
from srgan_cli.engine.upscaling import verify
from tests.toolbox import assert_fails, save_bilinear, synthetic_photograph


@pytest.fixture
def photo(tmp_path, monkeypatch):
    """Work in a folder with one small photograph, ``in.png``."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(synthetic_photograph(32, 24)).save("in.png")
    return tmp_path / "in.png"


def changed(path, target, level=3):
    """Write a copy of a PNG whose pixel at 5, 7 is another, with the same XMP."""
    with Image.open(path) as image:
        pixels, packet = np.array(image), image.info["xmp"]
    pixels[7, 5, 1] ^= level
    Image.fromarray(pixels).save(target)
    data = target.read_bytes()
    chunk = b"iTXtXML:com.adobe.xmp\0\0\0\0\0" + packet
    size = (len(chunk) - 4).to_bytes(4, "big")
    target.write_bytes(data[:33] + size + chunk + zlib.crc32(chunk).to_bytes(4, "big") + data[33:])


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--strength", "0.25"],
        ["-s", "2.5", "--ext", "jpg", "--quality", "70"],
        ["--max-side", "50", "--ext", "webp", "--quality", "50"],
        ["--model", "fidelity-x4", "--runtime", "torch", "--tta"],
        ["--ext", "gif"],
    ],
)
@pytest.mark.usefixtures("photo")
def test_a_result_is_what_it_says(srgan, tmp_path, options):
    assert srgan("upscale", "in.png", "-o", "out", *options).code == 0
    (made,) = (tmp_path / "out").glob("in.*")
    result = srgan("upscale", "--verify", made, "in.png")
    assert result.code == 0, result.err + result.out
    assert result.out.startswith(f"equal: {made} is what ")
    assert result.out.count("\n") == 1


@pytest.mark.usefixtures("photo")
def test_a_result_in_half_precision_is_compared_in_another_runtime(srgan):
    pytest.importorskip("ncnn", reason="pip install 'srgan-cli[fast]'")
    assert srgan("upscale", "in.png", "-o", "out.png", "--precision", "bf16").code == 0
    result = srgan("upscale", "--verify", "out.png", "in.png", "--runtime", "ncnn", "--json")
    assert result.code in {0, 9}, result.err
    report = json.loads(result.out)
    assert (report["runtime"], report["precision"]) == ("ncnn", "fp32")


def test_folders_are_told_to_be_verified_one_by_one(srgan, tmp_path):
    (tmp_path / "out").mkdir()
    assert_fails(srgan("upscale", "--verify", tmp_path / "out", tmp_path), 2, "not folders", "each")


@pytest.mark.usefixtures("photo")
def test_one_changed_pixel_is_found_and_named(srgan, tmp_path):
    assert srgan("upscale", "in.png", "-o", "out.png").code == 0
    changed(tmp_path / "out.png", tmp_path / "changed.png")
    result = srgan("upscale", "--verify", "changed.png", "in.png")
    assert result.code == 9
    assert result.out.startswith("different: changed.png is not what photo-x2 makes of in.png: ")
    assert " of 255 levels, at 5, 7 (" in result.out
    assert result.out.count("\n") == 1
    document = json.loads(srgan("upscale", "--verify", "changed.png", "in.png", "--json").out)
    assert document["label"]["Model"] == "photo-x2"
    assert document["difference"].endswith("at 5, 7")


@pytest.mark.usefixtures("photo")
def test_another_source_is_told_by_its_size(srgan, tmp_path):
    assert srgan("upscale", "in.png", "-o", "out.png").code == 0
    Image.new("L", (9, 8)).save(tmp_path / "other.png")
    result = srgan("upscale", "--verify", "out.png", "other.png")
    assert result.code == 9
    assert "64×48 RGB, 8 bits instead of 18×16 grey, 8 bits" in result.out


@pytest.mark.usefixtures("photo")
def test_what_says_nothing_cannot_be_verified(srgan):
    assert srgan("upscale", "in.png", "-o", "out.png", "--strip-metadata").code == 0
    assert_fails(
        srgan("upscale", "--verify", "out.png", "in.png"),
        3,
        "no label that says what made it",
        "first",
    )


def test_other_weights_of_that_name_are_unusable(srgan, photo, tmp_path):
    model = save_bilinear(tmp_path / "own.safetensors")
    assert srgan("upscale", photo, "-o", "out.png", "--model", model).code == 0
    assert srgan("upscale", "--verify", "out.png", photo).code == 0  # By its name, in this folder.
    save_weights(model, load_model(ModelSource("", model, "")).generator, {"steps": 1})
    line = ("upscale", "--verify", "out.png", photo)
    assert_fails(srgan(*line), 4, "made by a different own.safetensors", "--model FILE")
    model.unlink()
    assert_fails(srgan(*line), 4, "which is not installed here", "--model FILE")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--verify in.png", ("two images", "RESULT SOURCE")),
        ("--verify in.png in.png -s 2 --ext png", ("--ext", "--scale", "read from the result")),
        ("--verify in.png in.png --dry-run", ("--dry-run",)),
    ],
)
@pytest.mark.usefixtures("photo")
def test_options_that_the_result_states_are_refused(srgan, line, words):
    assert_fails(srgan("upscale", *line.split()), 2, *words)


@pytest.mark.parametrize(
    "label",
    [{"Scale": "x"}, {"Precision": "fp1"}, {"TTA": "yes"}, {"Quality": "inf"}, {"Width": "1e9"}],
)
def test_a_damaged_label_is_unusable_input(label, tmp_path):
    with pytest.raises(verify.InputError, match="damaged"):
        verify._options(label, tmp_path)
