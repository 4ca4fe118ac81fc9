import json
import math
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open

from srgan_cli import engine
from srgan_cli.config import LossWeights, PrepareConfig, preset
from srgan_cli.data.store import Store
from srgan_cli.engine.models.weights import PRETRAIN_FILE, ModelSource, load_model
from srgan_cli.engine.runs.journal import METRICS_FILE
from srgan_cli.engine.training import assembly
from srgan_cli.engine.training.trainer import Trainer
from srgan_cli.engine.training.validation import Validator
from srgan_cli.errors import InputError, UsageError
from tests.toolbox import tiny

PRETRAIN = {"pixel", "fft", "generator"}
ADVERSARIAL = {
    *("pixel", "fft", "adversarial", "generator", "discriminator", "wasserstein"),
    *("gradient_penalty", "accuracy"),
}


RUN_LEVEL = {*("step", "phase", "learning_rate", "skipped", "rollbacks", "verdict", "reason")}


def metrics(run):
    lines = (run / METRICS_FILE).read_text().splitlines()
    return [json.loads(line, parse_constant=pytest.fail) for line in lines]


def terms(record):
    return {key: value for key, value in record.items() if key not in RUN_LEVEL}


def header(path):
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()["srgan"])


def loaded(path):
    return load_model(ModelSource(path.name, path, "")).generator


@pytest.mark.usefixtures("prepared")
def test_run_goes_through_both_phases_and_logs_every_term_by_name(observer):
    report = engine.train(tiny(steps=40, validate_every=15), observer)
    assert report.steps == 40
    records = metrics(report.run)
    losses = [record for record in records if "pixel" in record]
    validations = [record for record in records if "validation_psnr" in record]
    # Means of ten steps, and what has gathered when a validation comes in between.
    assert [(r["step"], r["phase"]) for r in losses] == [
        *((step, "pretrain") for step in (10, 15, 20)),
        *((step, "adversarial") for step in (30, 40)),
    ]
    assert [r["step"] for r in validations] == [0, 15, 20, 30, 40]
    assert all(set(terms(r)) == PRETRAIN for r in losses[:3])
    assert all(set(terms(r)) == ADVERSARIAL for r in losses[3:])
    values = [value for record in losses for value in terms(record).values()]
    assert all(map(math.isfinite, values))
    assert [status.step for status in observer.statuses] == list(range(1, 41))
    assert [status.phase for status in observer.statuses[18:21]] == [
        *("pretrain", "pretrain", "adversarial")
    ]
    assert report.scores.psnr == validations[-1]["validation_psnr"]


@pytest.mark.usefixtures("prepared")
def test_logged_totals_are_the_weighted_sums_of_their_terms(observer):
    weights = LossWeights(pixel=0.5, fft=0.1, perceptual=0.25, adversarial=2, gradient_penalty=3)
    config = tiny(steps=1, pretrain=0, weights=weights, perceptual="vgg16")
    record = metrics(engine.train(config, observer).run)[1]
    assert set(terms(record)) == ADVERSARIAL | {"perceptual"}
    assert record["generator"] == pytest.approx(
        0.5 * (record["pixel"] + 0.1 * record["fft"])
        + 0.25 * record["perceptual"]
        + 2 * record["adversarial"],
        rel=1e-5,
    )
    assert record["discriminator"] == pytest.approx(
        record["wasserstein"] + 3 * record["gradient_penalty"], rel=1e-5
    )


@pytest.mark.usefixtures("prepared")
def test_network_learns_to_beat_its_start_and_bicubic(observer):
    config = tiny(steps=120, pretrain=1, batch=4, ema=0.9, learning_rate=1e-3, warmup=30)
    trained = engine.train(config, observer).scores
    untrained = engine.train(replace(config, steps=1, learning_rate=1e-9), observer).scores
    # It starts as the bilinear upscaling, which is below bicubic.
    assert untrained.psnr < trained.bicubic_psnr < trained.psnr
    assert trained.psnr > untrained.psnr + 0.5


@pytest.mark.usefixtures("prepared")
def test_saved_weights_are_the_averaged_ones(observer, monkeypatch):
    trainers = []
    monkeypatch.setattr(
        assembly,
        "Trainer",
        lambda *args: trainers.append(Trainer(*args)) or trainers[-1],
    )
    report = engine.train(tiny(ema=0.9), observer)
    saved = loaded(report.weights).state_dict()
    trainer = trainers[-1]  # The one before was to see that a step fits into memory.
    for name, averaged in trainer.ema.state_dict().items():
        assert torch.equal(saved[name], averaged)
    current = trainer.generator.state_dict()
    assert not all(torch.equal(saved[name], current[name]) for name in saved)


def test_weights_explain_themselves(prepared, observer):
    report = engine.train(tiny(name="mine", seed=3), observer)
    manifest = Store(prepared).manifest
    for path, phase, steps in (
        (report.weights, "adversarial", 6),
        (report.run / PRETRAIN_FILE, "pretrain", 3),
    ):
        found = header(path)
        assert found["generator"]["scale"] == 2
        assert loaded(path).config == preset("compact", 2)
        trained = found["trained"]
        assert (trained["run"], trained["phase"], trained["steps"]) == ("mine", phase, steps)
        assert trained["data_fingerprint"] == manifest.fingerprint
        assert trained["config"]["seed"] == 3
        assert str(prepared.parent) not in json.dumps(found)  # No path of this machine.


def test_reported_score_is_that_of_the_saved_weights(prepared, observer):
    report = engine.train(tiny(), observer)
    generator = loaded(report.weights)
    scores = Validator(Store(prepared)).score(generator, torch.device("cpu"))
    assert replace(scores, perceptual=report.scores.perceptual) == report.scores


@pytest.mark.parametrize("scale", [3, 4, 8])
def test_generator_takes_the_scale_of_the_data_set(home, photographs, observer, scale):
    engine.prepare(PrepareConfig(photographs, scale=scale, min_side=96), observer)
    report = engine.train(tiny(steps=2, patch=16), observer)
    assert home in report.run.parents
    assert loaded(report.weights).config.scale == scale


@pytest.mark.usefixtures("prepared")
def test_length_in_epochs_covers_every_photograph_that_often(observer):
    report = engine.train(tiny(steps=None, epochs=3, batch=4), observer)
    assert report.steps == math.ceil(3 * 11 / 4)  # One of twelve is set aside.


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.usefixtures("prepared")
def test_mixed_precision_runs_stay_finite_and_close_to_fp32(observer, precision):
    exact = engine.train(tiny(name="exact"), observer)
    mixed = engine.train(tiny(name="mixed", precision=precision), observer)
    for ours, theirs in zip(metrics(mixed.run), metrics(exact.run), strict=True):
        assert ours.keys() == theirs.keys()
        if "pixel" in ours:
            assert all(map(math.isfinite, terms(ours).values()))
            assert ours["pixel"] == pytest.approx(theirs["pixel"], rel=0.05)


@pytest.mark.usefixtures("prepared")
def test_same_seed_same_bits_other_seed_other_bits(observer):
    first, second, third = (
        loaded(engine.train(tiny(name=f"r{i}", seed=seed), observer).weights).state_dict()
        for i, seed in enumerate((5, 5, 6))
    )
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], third[name]) for name in first)


@pytest.mark.usefixtures("prepared")
def test_init_starts_from_the_weights_it_names(observer):
    first = engine.train(tiny(pretrain=1, steps=10, learning_rate=1e-2), observer)
    config = tiny(name="next", init=first.weights, steps=1, pretrain=1, learning_rate=1e-9)
    second = engine.train(config, observer)
    assert second.scores.psnr == pytest.approx(first.scores.psnr, abs=1e-3)
    # And a resumed run no longer needs that file.
    first.weights.unlink()
    assert engine.train(tiny(resume="next"), observer).steps == 1


@pytest.mark.usefixtures("prepared")
def test_init_of_another_size_is_refused(observer):
    first = engine.train(tiny(), observer)
    with pytest.raises(UsageError, match="has other sizes than"):
        engine.train(tiny(name="n", init=first.weights, preset="standard"), observer)
    assert [path.name for path in first.run.parent.iterdir()] == [first.run.name]


@pytest.mark.usefixtures("prepared")
@pytest.mark.parametrize(("name", "new"), [("plain", "conv_last"), ("srvgg", "body.6")])
def test_init_of_another_scale_gives_all_but_what_depends_on_it(observer, photographs, name, new):
    sizes = {"preset": name, "generator": {"channels": 8, "num_convs": 2}}
    first = engine.train(tiny(**sizes, learning_rate=1e-2), observer)
    engine.prepare(PrepareConfig(photographs, scale=4, min_side=64), observer)
    quick = {"steps": 1, "pretrain": 1, "learning_rate": 1e-9, "ema": 0.0}
    second = engine.train(tiny(**sizes, **quick, name="n", init=first.weights), observer)
    before, after = (loaded(run.weights).state_dict() for run in (first, second))
    assert before.keys() == after.keys()
    for key in before.keys() - {f"{new}.weight", f"{new}.bias"}:
        torch.testing.assert_close(after[key], before[key], rtol=0, atol=1e-6)
    assert after[f"{new}.weight"].abs().max() < 1e-6
    assert any("is ×2; " in line and "×4" in line for line in observer.said)


def test_too_large_a_patch_leaves_no_run_behind(observer, prepared):
    with pytest.raises(InputError):
        engine.train(tiny(patch=200), observer)
    assert not (prepared.parents[1] / "runs").exists()
