"""Without --model, damaged images get the model for damaged images, and clean ones the default."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import srgan_cli
from srgan_cli.config import UpscaleConfig
from srgan_cli.config.common import BUNDLED
from srgan_cli.engine.models import shelf
from srgan_cli.engine.upscaling import choice
from srgan_cli.engine.upscaling.ledger import LEDGER_FILE
from srgan_cli.observer import SilentObserver
from tests.toolbox import synthetic_photograph

EXPLAINED = "bad.jpg: restore-x4, since JPEG blocks were found; --model photo keeps them"
CLEAN = synthetic_photograph(64, 56)


@pytest.fixture(autouse=True)
def _images(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(CLEAN).save("good.png")
    Image.fromarray(CLEAN).save("bad.jpg", quality=40)


def test_each_image_gets_its_model_and_a_rerun_makes_nothing(srgan, tmp_path, monkeypatch):
    result = srgan("upscale", "bad.jpg", "good.png", "-o", "out", "-s", "4", "--json")
    first, second, third = result.err.splitlines()[:3]
    assert first.startswith("model: photo-x4 (bundled; no training run yet), ×4, ")
    assert first.endswith("; restore-x4 for damaged images")
    assert second.startswith("model: restore-x4 (for damaged images), ×4, ")
    assert third == EXPLAINED
    assert "good.png" not in result.err
    document = result.document
    assert document["restoring"]["name"] == "restore-x4"
    made = {item["source"]: (item["model"], item["damage"]) for item in document["written"]}
    assert made == {"bad.jpg": ("restore-x4", ["JPEG blocks"]), "good.png": ("photo-x4", [])}
    lines = (tmp_path / "out" / LEDGER_FILE).read_text().splitlines()
    assert len(lines) == 4, "a line for the model, and one for the choice"

    monkeypatch.setattr(choice, "find_damage", None)  # A rerun need not look at the images.
    again = srgan("upscale", "bad.jpg", "good.png", "-o", "out", "-s", "4", "--json")
    assert len(again.document["unchanged"]) == 2


def test_a_result_of_the_model_that_an_image_gets_is_up_to_date_and_of_another_is_not(srgan):
    for model in ("restore", "photo"):
        assert srgan("upscale", "bad.jpg", "-o", model, "-s", "4", "--model", model).code == 0
        assert srgan("upscale", "good.png", "-o", model, "-s", "4", "--model", model).code == 0
    for model, name in (("restore", "bad.jpg"), ("photo", "good.png")):
        result = srgan("upscale", "bad.jpg", "good.png", "-o", model, "-s", "4", "--json")
        (unchanged,) = result.document["unchanged"]
        assert unchanged.endswith(name)


def test_the_bytes_are_those_of_the_named_model_and_verify_passes(srgan, tmp_path):
    srgan("upscale", "bad.jpg", "-o", "chosen", "-s", "4")
    named = srgan("upscale", "bad.jpg", "-o", "named", "-s", "4", "--model", "restore")
    assert EXPLAINED not in named.err
    assert (tmp_path / "chosen/bad.jpg").read_bytes() == (tmp_path / "named/bad.jpg").read_bytes()
    verified = srgan("upscale", "--verify", "chosen/bad.jpg", "bad.jpg")
    assert verified.code == 0, verified.err
    assert verified.out == "equal: chosen/bad.jpg is what restore-x4 makes of bad.jpg\n"


def test_in_place_a_rerun_leaves_what_either_model_made(srgan, tmp_path):
    for name in ("bad.jpg", "good.png"):
        assert srgan("upscale", name, "--in-place", "-s", "4").code == 0
    before = (tmp_path / "bad.jpg").read_bytes()
    again = srgan("upscale", "bad.jpg", "good.png", "--in-place", "-s", "4")
    assert again.out == "nothing to do: 2 results are up to date\n"
    assert (tmp_path / "bad.jpg").read_bytes() == before


@pytest.mark.parametrize("options", [["--model", "photo"], ["--strength", "1"]])
def test_a_named_model_and_a_strength_are_taken_for_all(srgan, options):
    result = srgan("upscale", "bad.jpg", "-o", "out", "-s", "4", "--json", *options)
    assert "restore" not in result.err
    assert result.document["written"][0]["model"] == "photo-x4"


@pytest.mark.parametrize("name", ["photo-x4", "fidelity-x4"])
def test_your_own_default_is_taken_for_all(srgan, name):
    assert srgan("models", "default", name).code == 0
    result = srgan("upscale", "bad.jpg", "-o", "out", "-s", "4", "--json")
    assert "restore" not in result.err
    document = result.document
    assert document["written"][0]["model"] == name
    assert document["restoring"] is None


def test_where_no_model_restores_images_of_a_scale_all_get_the_default(srgan, monkeypatch):
    bundled = [name for name in BUNDLED if not name.startswith("restore-")]
    monkeypatch.setattr(shelf, "BUNDLED", tuple(bundled))
    result = srgan("upscale", "bad.jpg", "-o", "out", "-s", "4", "--json")
    assert result.document["written"][0]["model"] == "photo-x4"


def test_a_dry_run_says_the_same(srgan):
    result = srgan("upscale", "bad.jpg", "good.png", "-o", "out", "-s", "4", "--dry-run", "--json")
    assert EXPLAINED in result.err.splitlines()
    planned = [(item["source"], item["model"]) for item in result.document["images"]]
    assert planned == [("bad.jpg", "restore-x4"), ("good.png", "photo-x4")]


def test_a_damaged_file_does_not_stop_a_dry_run(srgan, tmp_path):
    data = (tmp_path / "good.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(data[: len(data) // 3])
    result = srgan("upscale", "cut.png", "good.png", "-o", "out", "-s", "4", "--dry-run", "--json")
    assert result.code == 7
    assert [item["source"] for item in result.document["failed"]] == ["cut.png"]


def test_an_animation_gets_one_model(srgan):
    clean = synthetic_photograph(96, 80)
    noise = np.random.default_rng(0).normal(0, 25, clean.shape)
    noisy = np.clip(clean + noise, 0, 255).astype("uint8")
    frames = [Image.fromarray(each) for each in (noisy, clean)]
    frames[0].save("moving.webp", lossless=True, save_all=True, append_images=frames[1:])
    result = srgan("upscale", "moving.webp", "-o", "out", "-s", "4", "--json")
    line = "moving.webp: restore-x4, since noise was found; --model photo keeps it"
    assert result.err.splitlines().count(line) == 1
    assert result.document["written"][0]["frames"] == 2


def test_the_page_names_both_models(srgan, tmp_path):
    assert srgan("upscale", "bad.jpg", "-o", "out", "-s", "4", "--report", "page.html").code == 0
    page = (tmp_path / "page.html").read_text()
    assert "photo-x4 or restore-x4" in page
    assert "srgan upscale bad.jpg -s 4" in page


def test_from_python_each_image_gets_its_model(home):
    assert not home.exists()
    bad = np.array(Image.open("bad.jpg"))
    loaded, named = srgan_cli.load(scale=4), srgan_cli.load("restore", scale=4)
    assert np.array_equal(loaded.upscale_image(bad), named.upscale_image(bad))
    assert not np.array_equal(loaded.upscale_image(CLEAN), named.upscale_image(CLEAN))
    assert loaded.name == "photo-x4"
    for image in (CLEAN[:1, :1], CLEAN[..., 0], CLEAN / np.float32(255)):
        assert loaded.upscale_image(image).shape[:2] == (4 * len(image), 4 * image.shape[1])
    assert loaded.upscale_image("bad.jpg").name == "bad_x4.jpg"


def test_the_model_for_damaged_images_is_loaded_only_for_them(home):
    assert not home.exists()
    models = choice.load_models(None, UpscaleConfig((Path("good.png"),), scale=4), SilentObserver())
    frames = {
        name: choice.first_frame(Path(name), max_pixels=10**6) for name in ("good.png", "bad.jpg")
    }
    assert models.choose(frames["good.png"]).upscaler is models.upscaler
    assert models._restorer is None
    restorer = models.choose(frames["bad.jpg"]).upscaler
    assert restorer.model.source.name == "restore-x4"
    assert restorer.stopped is models.upscaler.stopped
    assert models.choose(frames["bad.jpg"]).upscaler is restorer
