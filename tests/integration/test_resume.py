"""A run that was stopped and went on ends as one that was never stopped, bit for bit."""

import os
import signal

import pytest
from filelock import FileLock

from srgan_cli import engine
from srgan_cli.config import LossWeights, PrepareConfig
from srgan_cli.engine.runs.checkpoint import Checkpoint
from srgan_cli.engine.runs.folder import CONFIG_FILE
from srgan_cli.engine.runs.journal import METRICS_FILE, Journal
from srgan_cli.engine.training.trainer import Trainer
from srgan_cli.errors import InputError, ResourceError
from srgan_cli.observer import SilentObserver
from srgan_cli.paths import runs_dir
from tests.toolbox import Killed, bits, last_checkpoint, steps_logged, stop_before, tiny

STEPS = 16
OPTIONS = {"steps": STEPS, "validate_every": 5, "ema": 0.9}


def progress(run):
    return Checkpoint.read(run / last_checkpoint(run)).progress


@pytest.fixture(scope="module")
def whole(tmp_path_factory, prepared_once):
    """Return the folder of a run that was never stopped."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("whole")
        patch.setenv("SRGAN_HOME", str(home))
        data = str(prepared_once / "datasets" / "photos-x2")
        return engine.train(tiny(name="r", data=data, **OPTIONS), SilentObserver()).run


@pytest.mark.parametrize("error", [Killed, pytest.param(KeyboardInterrupt, marks=pytest.mark.slow)])
# The middle of both phases, their border, and just after a validation; slow: the first step and
# places beside those.
@pytest.mark.parametrize(
    "number", [3, 8, 12, 15, *(pytest.param(n, marks=pytest.mark.slow) for n in (0, 5, 7, 9))]
)
@pytest.mark.usefixtures("prepared")
def test_resumed_run_matches_uninterrupted_run(observer, monkeypatch, whole, number, error):
    with monkeypatch.context() as patch:
        stop_before(patch, number, error)
        with pytest.raises(error):
            engine.train(tiny(name="r", **OPTIONS), observer)
    report = engine.train(tiny(resume="latest"), observer)
    kept = max(step for step in (0, 5, 8, 10, 15) if step <= number)
    saved = number if error is KeyboardInterrupt else kept
    assert f"resuming at step {saved} of {STEPS}" in observer.said
    assert bits(report.run) == bits(whole)
    assert bits(report.run, "pretrain.safetensors") == bits(whole, "pretrain.safetensors")
    assert last_checkpoint(report.run) == last_checkpoint(whole)
    last = last_checkpoint(whole)
    assert bits(report.run, last) == bits(whole, last)
    for kind in ("pixel", "validation_psnr"):
        assert steps_logged(report.run, kind) == steps_logged(whole, kind)


ELABORATE = {
    "adversarial": "relativistic",
    "discriminator": "unet",
    "discriminator_steps": 2,
    "discriminator_limit": 0.6,
    "weights": LossWeights(
        luma=2, chroma=1, fft=0.05, artefact=1, lattice=1, smooth=1, degraded=1, r1=1
    ),
    "judge": "clean",
    "accumulate": 2,
    "clip": 1.0,
    "schedule": "multistep",
    "precision": "fp16",
}


@pytest.mark.usefixtures("prepared")
def test_resumed_run_of_elaborate_options_matches_uninterrupted_run(observer, monkeypatch):
    options = {"steps": 5, "pretrain_steps": 1} | ELABORATE
    whole = engine.train(tiny(name="whole", **options), observer).run
    with monkeypatch.context() as patch:
        stop_before(patch, 3, KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            engine.train(tiny(name="r", **options), observer)
    resumed = engine.train(tiny(resume="r"), observer).run
    assert bits(resumed) == bits(whole)
    assert bits(resumed, last_checkpoint(whole)) == bits(whole, last_checkpoint(whole))
    assert progress(resumed)["trainer"] == progress(whole)["trainer"]


@pytest.mark.usefixtures("prepared")
def test_a_run_that_named_its_preset_as_it_once_was_is_resumed(observer, monkeypatch):
    sizes = {"preset": "plain", "generator": {"channels": 8, "num_convs": 2}}
    with monkeypatch.context() as patch:
        stop_before(patch, 5, KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            engine.train(tiny(name="r", **sizes, **OPTIONS), observer)
    config = runs_dir() / "r" / CONFIG_FILE
    former = config.read_text().replace('preset = "plain"', 'preset = "row"')
    assert former != config.read_text()
    config.write_text(former)
    engine.train(tiny(resume="r"), observer)
    assert f"resuming at step 5 of {STEPS}" in observer.said


@pytest.mark.usefixtures("prepared")
def test_run_stopped_in_every_step_matches_uninterrupted_run(observer, monkeypatch, whole):
    resume = None
    for number in range(STEPS):
        with monkeypatch.context() as patch:
            stop_before(patch, number, KeyboardInterrupt)
            with pytest.raises(KeyboardInterrupt):
                engine.train(tiny(name="r", resume=resume, **OPTIONS), observer)
        resume = "r"
    report = engine.train(tiny(resume="r"), observer)
    assert bits(report.run) == bits(whole)
    assert len(set(steps_logged(report.run))) == len(steps_logged(report.run))


@pytest.mark.parametrize("place", ["_discriminator_step", "_generator_loss", "_average"])
@pytest.mark.usefixtures("prepared")
def test_ctrl_c_in_the_middle_of_a_step_lets_it_finish(observer, monkeypatch, whole, place):
    intact, calls = getattr(Trainer, place), []

    def pressed(self, *args):
        calls.extend([1] * (runs_dir() / "r").exists())  # Steps are measured before there is one.
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return intact(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, place, pressed)
        with pytest.raises(KeyboardInterrupt):
            engine.train(tiny(name="r", **OPTIONS), observer)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    report = engine.train(tiny(resume="r"), observer)
    assert bits(report.run) == bits(whole)


@pytest.mark.usefixtures("prepared")
def test_ctrl_c_during_the_last_validation_still_leaves_weights(observer, monkeypatch):
    intact = Journal.log

    def pressed(self, record):
        intact(self, record)
        if record["step"] == 1:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "log", pressed)
        with pytest.raises(KeyboardInterrupt):
            engine.train(tiny(name="r", **OPTIONS | {"steps": 1, "pretrain": 1}), observer)
    report = engine.train(tiny(resume="r"), observer)
    assert report.weights.is_file()


def test_line_that_a_crash_cut_short_is_dropped(prepared, observer, monkeypatch, whole):
    with monkeypatch.context() as patch:
        stop_before(patch, 12, Killed)
        with pytest.raises(Killed):
            engine.train(tiny(name="r", **OPTIONS), observer)
    with (prepared.parents[1] / "runs/r" / METRICS_FILE).open("a") as file:
        file.write('{"step": 12, "pha')
    report = engine.train(tiny(resume="r"), observer)
    assert steps_logged(report.run) == steps_logged(whole)


@pytest.mark.usefixtures("prepared")
def test_resuming_a_finished_run_reports_it_again(observer):
    report = engine.train(tiny(name="r", **OPTIONS), observer)
    before = bits(report.run)
    again = engine.train(tiny(resume="r"), observer)
    assert again == report
    assert bits(report.run) == before


@pytest.mark.usefixtures("prepared")
def test_no_two_processes_train_the_same_run(observer, monkeypatch):
    held, step = [], Trainer.step

    def seen(self, *arguments):
        held.extend(runs_dir().glob(".*.lock"))
        return step(self, *arguments)

    monkeypatch.setattr(Trainer, "step", seen)
    run = engine.train(tiny(name="r", **OPTIONS), observer).run
    lock = run.with_name(".r.lock")
    assert set(held) == {lock}
    assert not lock.exists()
    log = (run / METRICS_FILE).read_bytes()
    with FileLock(lock), pytest.raises(ResourceError, match="another process is training r"):
        engine.train(tiny(resume="r"), observer)
    assert (run / METRICS_FILE).read_bytes() == log


@pytest.mark.usefixtures("prepared")
def test_changed_data_set_is_refused(photographs, observer):
    run = engine.train(tiny(name="r", **OPTIONS), observer).run
    before = bits(run)
    engine.prepare(PrepareConfig(photographs, name="photos-x2", seed=9, overwrite=True), observer)
    with pytest.raises(InputError, match="has changed") as caught:
        engine.train(tiny(resume="r"), observer)
    assert "prepare it again" in caught.value.hint
    assert bits(run) == before
    # Prepared again as it was, the set is the same one.
    engine.prepare(PrepareConfig(photographs, name="photos-x2", overwrite=True), observer)
    assert engine.train(tiny(resume="r"), observer).steps == STEPS


@pytest.mark.usefixtures("prepared")
def test_a_run_may_be_lengthened_while_its_rates_stay_what_they_were(observer):
    lasting = {"pretrain": 1, "schedule": "trapezoid", "cooldown": 0.5}
    whole = engine.train(tiny(name="whole", steps=12, **lasting), observer).run
    for name, schedule in (("level", "constant"), ("longer", "trapezoid")):
        first = {"steps": 8 if name == "longer" else 1000, "schedule": schedule}
        with pytest.MonkeyPatch.context() as patch:
            stop_before(patch, 4, KeyboardInterrupt)
            with pytest.raises(KeyboardInterrupt):
                engine.train(tiny(name=name, **lasting | first), observer)
        config = runs_dir() / name / CONFIG_FILE
        text = config.read_text().replace(f"steps = {first['steps']}", "steps = 12")
        config.write_text(text.replace("constant", "trapezoid"))
        assert bits(engine.train(tiny(resume=name), observer).run) == bits(whole)
    assert any("and the run uses it: steps (was 8, is 12)" in line for line in observer.said)


@pytest.mark.usefixtures("prepared")
def test_a_run_whose_rates_would_have_been_others_is_not_lengthened(observer):
    run = engine.train(tiny(name="r", steps=4, pretrain=1), observer).run
    config = run / CONFIG_FILE
    config.write_text(config.read_text().replace("steps = 4", "steps = 8"))
    with pytest.raises(InputError, match=r"steps \(was 4, is 8\)"):
        engine.train(tiny(resume="r"), observer)


@pytest.mark.usefixtures("prepared")
def test_run_goes_on_with_its_own_options_and_data(observer, photographs, monkeypatch, whole):
    with monkeypatch.context() as patch:
        stop_before(patch, 9, KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            engine.train(tiny(name="r", **OPTIONS), observer)
    engine.prepare(PrepareConfig(photographs, scale=4, min_side=64), observer)  # Newer.
    report = engine.train(tiny(resume="r", steps=2, seed=77), observer)
    assert bits(report.run) == bits(whole)
