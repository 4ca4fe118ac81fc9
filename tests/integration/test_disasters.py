"""What goes wrong in days of training, planted, and how it ends."""

import errno
import json
import math
from dataclasses import replace

import pytest
import torch

from srgan_cli import engine
from srgan_cli.engine.losses import objectives
from srgan_cli.engine.models.weights import ModelSource, load_model
from srgan_cli.engine.runs.checkpoint import Checkpoint
from srgan_cli.engine.runs.journal import METRICS_FILE
from srgan_cli.engine.runs.progress import RATE_FACTORS
from srgan_cli.engine.training.patches import PatchSampler
from srgan_cli.engine.training.trainer import Trainer
from srgan_cli.errors import InputError, ResourceError
from tests.toolbox import (
    TINY,
    Killed,
    assert_fails,
    bits,
    call,
    last_checkpoint,
    small_disk,
    start,
    stop_before,
    tiny,
)

OPTIONS = {"steps": 40, "validate_every": 10, "ema": 0.9}


def records(run):
    lines = (run / METRICS_FILE).read_text().splitlines()
    return [json.loads(line, parse_constant=pytest.fail) for line in lines]


def finite(path):
    generator = load_model(ModelSource(path.name, path, "")).generator
    return all(bool(weight.isfinite().all()) for weight in generator.parameters())


def plant_nan(monkeypatch, at, times=math.inf, network="generator"):
    """Make weights not a number before a step, the first few times that it is reached."""
    intact, hits = Trainer.step, []

    def step(self, phase, number, batch):
        if number == at and len(hits) < times:
            hits.append(number)
            with torch.no_grad():
                next(getattr(self, network).parameters())[0, 0, 0, 0] = math.nan
        return intact(self, phase, number, batch)

    monkeypatch.setattr(Trainer, "step", step)


# Just before and just after a record, and at the last step before a validation.
@pytest.mark.parametrize(("at", "network"), [(12, "generator"), (19, "generator"), (31, "ema")])
@pytest.mark.usefixtures("prepared")
def test_weights_that_broke_are_replaced_by_the_last_good_ones(observer, monkeypatch, at, network):
    plant_nan(monkeypatch, at, times=1, network=network)
    report = engine.train(tiny(name="r", **OPTIONS), observer)
    assert report.steps == 40
    assert finite(report.weights)
    (rollback,) = report.rollbacks
    assert rollback.to == at // 10 * 10
    assert at < rollback.step <= at + 11
    assert any(f"back to step {rollback.to}, learning rate × 0.5" in w for w in observer.warned)
    losses = [record for record in records(report.run) if "pixel" in record]
    assert [record["step"] for record in losses] == [10, 20, 30, 40]
    assert all(record["pixel"] is not None for record in losses)
    assert [record["rollbacks"] for record in losses] == [int(r["step"] > at) for r in losses]
    marks = [record for record in records(report.run) if "rolled_back_from" in record]
    assert [(mark["step"], mark["rolled_back_from"]) for mark in marks] == [
        (rollback.to, rollback.step)
    ]


@pytest.mark.usefixtures("prepared")
def test_a_rate_lowered_by_a_roll_back_stays_lowered(observer, monkeypatch):
    whole = engine.train(tiny(name="whole", **OPTIONS), observer)
    plant_nan(monkeypatch, 12, times=1)
    report = engine.train(tiny(name="r", **OPTIONS), observer)
    rates = [
        [record["learning_rate"] for record in records(run) if "learning_rate" in record]
        for run in (whole.run, report.run)
    ]
    ratios = [ours / theirs for theirs, ours in zip(*rates, strict=True) if theirs]
    assert ratios == pytest.approx([1, *[RATE_FACTORS[1]] * (len(ratios) - 1)])


def test_a_run_that_cannot_be_helped_ends_with_code_6_and_good_weights(
    prepared, capsys, monkeypatch
):
    plant_nan(monkeypatch, 12)
    options = [*TINY, "--steps", 40, "--validate-every", 10, "--name", "r"]
    result = call(capsys, "train", *options)
    assert_fails(
        replace(result, err=result.err[result.err.index("error: ") :]),
        *(6, "3 roll-backs", "lower learning rate", "step 10"),
    )
    run = prepared.parents[1] / "runs/r"
    assert finite(run / "weights.safetensors")
    assert len(Checkpoint.read(run / last_checkpoint(run)).progress["rollbacks"]) == 3


@pytest.mark.usefixtures("prepared")
def test_a_single_step_that_is_not_finite_costs_itself_alone(observer, monkeypatch):
    intact, numbers = Trainer.step, []

    def step(self, phase, number, batch):
        numbers.append(number)
        return intact(self, phase, number, batch)

    def pixel_loss(sr, hr, _):
        return (sr - hr).abs().mean() * (math.nan if numbers[-1] == 12 else 1)

    monkeypatch.setattr(Trainer, "step", step)
    monkeypatch.setattr(objectives, "pixel_loss", pixel_loss)
    report = engine.train(tiny(name="r", **OPTIONS), observer)
    assert report.rollbacks == ()
    assert report.skipped == 1
    losses = [record for record in records(report.run) if "pixel" in record]
    assert [record["skipped"] for record in losses] == [0, 1, 1, 1]
    assert all(record["pixel"] is not None for record in losses)


# Before the roll-back, which then comes about once more; and after it.
@pytest.mark.parametrize(
    ("number", "again"), [(17, True), pytest.param(25, False, marks=pytest.mark.slow)]
)
@pytest.mark.usefixtures("prepared")
def test_killed_run_that_rolls_back_matches_one_that_was_not_stopped(
    observer, monkeypatch, number, again
):
    with monkeypatch.context() as patch:
        plant_nan(patch, 12, times=1)
        whole = engine.train(tiny(name="whole", **OPTIONS), observer)
    with monkeypatch.context() as patch:
        plant_nan(patch, 12, times=1)
        stop_before(patch, number, Killed)
        with pytest.raises(Killed):
            engine.train(tiny(name="r", **OPTIONS), observer)
    with monkeypatch.context() as patch:
        plant_nan(patch, 12, times=int(again))
        report = engine.train(tiny(resume="r"), observer)
    assert report.rollbacks == whole.rollbacks
    last = last_checkpoint(whole.run)
    assert bits(report.run) == bits(whole.run)
    assert bits(report.run, last) == bits(whole.run, last)
    assert records(report.run) == records(whole.run)


@pytest.mark.usefixtures("prepared")
def test_a_learning_rate_a_thousand_times_too_high_ends_well(observer):
    config = tiny(name="r", learning_rate=0.999, steps=60, pretrain=1, validate_every=10, ema=0.5)
    report = engine.train(config, observer)
    assert report.rollbacks
    assert finite(report.weights)
    assert report.scores.psnr > report.scores.bicubic_psnr - 10


@pytest.mark.usefixtures("prepared")
def test_a_discriminator_ten_times_too_strong_leaves_a_whole_generator(observer):
    config = tiny(
        name="r", steps=60, pretrain=0.5, discriminator_steps=10, discriminator_learning_rate=1e-3
    )
    report = engine.train(config, observer)
    assert finite(report.weights)
    assert report.verdict.word != "diverging"
    assert report.scores.psnr > report.scores.bicubic_psnr - 6


@pytest.mark.usefixtures("prepared")
def test_a_truncated_checkpoint_costs_the_way_from_the_one_before(observer, monkeypatch):
    whole = engine.train(tiny(name="whole", **OPTIONS), observer)
    with monkeypatch.context() as patch:
        stop_before(patch, 25, Killed)
        with pytest.raises(Killed):
            engine.train(tiny(name="r", **OPTIONS), observer)
    path = whole.run.parent / "r/checkpoints/step-00000020.safetensors"
    path.write_bytes(path.read_bytes()[:5000])
    report = engine.train(tiny(resume="r"), observer)
    assert "resuming at step 10 of 40" in observer.said
    assert any(
        "step-00000020" in line and "using the checkpoint before it" in line
        for line in observer.warned
    )
    assert bits(report.run) == bits(whole.run)


@pytest.mark.usefixtures("prepared")
def test_edited_options_that_shape_the_result_are_refused(observer, monkeypatch):
    with monkeypatch.context() as patch:
        stop_before(patch, 25, Killed)
        with pytest.raises(Killed):
            engine.train(tiny(name="r", **OPTIONS), observer)
    path = engine.train(tiny(name="whole", **OPTIONS), observer).run.parent / "r/config.toml"
    config = path.read_text()
    shorter = config.replace("keep = 3", "keep = 1")
    path.write_text(shorter.replace("steps = 40", "steps = 80"))
    with pytest.raises(InputError, match=r"steps \(was 40, is 80\)") as caught:
        engine.train(tiny(resume="r"), observer)
    assert "--init" in caught.value.hint
    path.write_text(shorter)
    assert engine.train(tiny(resume="r"), observer).steps == 40
    assert "r/config.toml was changed, and the run uses it: keep (was 3, is 1)" in observer.said
    assert len(list((path.parent / "checkpoints").iterdir())) <= 2


def _stop_with_full_disk(prepared, process):
    out, err = process.communicate(timeout=120)
    assert process.returncode == 5, err
    assert out == ""
    assert "Traceback" not in err
    assert "free some disk space, then: srgan train --resume r" in err
    run = prepared.parents[1] / "runs/r"
    assert not list(run.rglob(".srgan-*"))
    return run


def test_a_full_disk_leaves_the_last_checkpoint_whole(prepared, observer):
    """A file system of its own, just large enough for the first two checkpoints."""
    with small_disk(prepared.parents[1] / "runs", "6m"):
        options = [*TINY, "--steps", 2000, "--validate-every", 10, "--name", "r", "--keep", 50]
        run = _stop_with_full_disk(prepared, start("train", *options))
        last = Checkpoint.read(run / last_checkpoint(run))
        assert last.progress["step"] >= 10
        for path in sorted((run / "sheets").iterdir()):
            path.unlink()
        with pytest.raises(ResourceError):
            engine.train(tiny(resume="r"), observer)
        assert f"resuming at step {last.progress['step']} of 2,000" in observer.said


def test_a_checkpoint_that_cannot_be_written_ends_the_run_and_spoils_none(
    prepared, capsys, monkeypatch
):
    intact = Checkpoint.write

    def write(self, path):
        if self.progress["step"] == 30:
            raise OSError(errno.ENOSPC, "No space left on device")
        return intact(self, path)

    monkeypatch.setattr(Checkpoint, "write", write)
    result = call(*(capsys, "train", *TINY, "--steps", 40, "--validate-every", 10, "--name", "r"))
    assert result.code == 5
    assert "No space left on device" in result.err
    run = prepared.parents[1] / "runs/r"
    assert Checkpoint.read(run / last_checkpoint(run)).progress["step"] == 20


@pytest.mark.usefixtures("prepared")
def test_a_loader_that_fails_ends_the_run_with_its_own_error(observer, monkeypatch):
    intact = PatchSampler.batch

    def batch(self, step):
        if step == 15:
            raise InputError("photo-03: damaged", hint="prepare it again")
        return intact(self, step)

    with monkeypatch.context() as patch:
        patch.setattr(PatchSampler, "batch", batch)
        with pytest.raises(InputError, match="photo-03"):
            engine.train(tiny(name="r", **OPTIONS), observer)
    assert engine.train(tiny(resume="r"), observer).steps == 40
    assert "resuming at step 10 of 40" in observer.said
