"""A run becomes the default only when it has earned it, from its first step to srgan upscale."""

import dataclasses
import json
from unittest.mock import patch

import pytest

from srgan_cli import engine
from srgan_cli.config import PRESETS, PrepareConfig
from srgan_cli.engine.models.shelf import BUNDLED, KnownModel
from srgan_cli.engine.models.trained_runs import QUALIFICATION_FILE, Qualification
from srgan_cli.engine.models.weights import save_weights
from srgan_cli.engine.runs.journal import METRICS_FILE
from srgan_cli.engine.training import qualify
from srgan_cli.observer import SilentObserver
from tests.toolbox import call, random_generator, stop_before, tiny

FINE_TUNED = {
    "preset": "plain",
    "generator": {"channels": 64, "num_convs": 12},
    "equivariant": True,
    "pretrain": 1.0,
    "learning_rate": 1e-9,
    "steps": 2,
}


@pytest.fixture
def enough(home, tmp_path, make_photographs):
    """Prepare 25 images, of which 5 are for validation."""
    assert not home.exists()
    make_photographs(tmp_path / "in", count=25, size=(136, 128))
    engine.prepare(PrepareConfig(tmp_path / "in"), SilentObserver())
    return tmp_path


def verdicts(run):
    lines = (run / METRICS_FILE).read_text().splitlines()
    return [record for record in map(json.loads, lines) if "verdict" in record]


@pytest.mark.usefixtures("enough")
def test_a_run_that_was_stopped_early_and_below_bicubic_leaves_the_bundled_model(
    home, tmp_path, capsys
):
    with pytest.MonkeyPatch.context() as context:
        stop_before(context, 5, KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            engine.train(tiny(name="toy", steps=2500, validate_every=2), SilentObserver())
    run = home / "runs" / "toy"
    assert not (run / QUALIFICATION_FILE).exists()
    for record in verdicts(run):
        assert record["validation_psnr"] < record["bicubic_psnr"]
        assert record["verdict"] == "below bicubic"
    image = next((tmp_path / "in").iterdir())
    first = call(capsys, "upscale", image, "-o", tmp_path / "out").err.splitlines()[0]
    assert first.startswith(f"model: {BUNDLED[0]} (bundled; your run toy is not used: unfinished")
    assert "at step 4 of 2,500" in first
    assert "dB below bicubic; to use it: --model toy, or srgan models default toy)" in first


@pytest.mark.usefixtures("enough")
def test_a_run_that_is_better_than_the_bundled_model_is_used_from_its_end_on(
    home, tmp_path, capsys
):
    poor = tmp_path / "poor.safetensors"
    small = dataclasses.replace(PRESETS["plain"], channels=8, num_convs=1)
    save_weights(poor, random_generator(small), {})
    rival = KnownModel("fidelity-x2", "bundled", poor)
    init = engine.find_model("fidelity-x2", None).path
    config = tiny(name="mine", init=init, **FINE_TUNED)
    with patch.object(qualify, "bundled_rival", lambda *_, **__: rival):
        report = engine.train(config, SilentObserver())
    assert report.qualification.qualified
    assert report.qualification == Qualification.read(home / "runs" / "mine")
    assert report.qualification.images == 5
    assert verdicts(report.run)[-1]["verdict"] == "healthy"
    image = next((tmp_path / "in").iterdir())
    first = call(capsys, "upscale", image, "-o", tmp_path / "out").err.splitlines()[0]
    assert first.startswith("model: mine (your run: better than fidelity-x2: +")
    assert f"back to the bundled model: --model {BUNDLED[0]})" in first
    assert "model: photo-x4" in call(capsys, "upscale", image, "-s", 4, "-o", tmp_path / "x4").err


@pytest.mark.usefixtures("enough", "home")
def test_a_run_that_is_as_good_as_the_bundled_model_changes_nothing(tmp_path, capsys):
    init = engine.find_model("fidelity-x2", None).path
    found = engine.train(tiny(name="same", init=init, **FINE_TUNED), SilentObserver()).qualification
    assert not found.qualified
    assert found.reason.startswith("not shown to be better than fidelity-x2: ")
    assert abs(found.psnr.mean) < 0.005
    assert engine.find_model(None, 2).name == BUNDLED[0]
    image = next((tmp_path / "in").iterdir())
    first = call(capsys, "upscale", image, "-o", tmp_path / "out").err.splitlines()[0]
    said = "your run same is not used: not shown to be better than fidelity-x2: "
    assert first.startswith(f"model: {BUNDLED[0]} (bundled; {said}")
    assert "to use it: --model same, or srgan models default same)" in first


@pytest.mark.usefixtures("enough")
def test_a_run_that_goes_on_after_its_end_has_to_earn_its_place_again(home):
    options = {"schedule": "constant", "pretrain": 1.0}
    report = engine.train(tiny(name="run", **options), SilentObserver())
    path = report.run / QUALIFICATION_FILE
    before = path.read_text()
    engine.train(tiny(resume="run"), SilentObserver())
    assert path.read_text() == before
    config = home / "runs" / "run" / "config.toml"
    config.write_text(config.read_text().replace("steps = 6", "steps = 8"))
    with pytest.MonkeyPatch.context() as context:
        stop_before(context, 7, KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            engine.train(tiny(resume="run"), SilentObserver())
    assert not path.exists()
