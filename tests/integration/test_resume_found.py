"""Which run goes on, and that it does so when its log or its data set is not what it was."""

import shutil

import pytest

from srgan_cli import engine
from srgan_cli.config import PrepareConfig
from srgan_cli.engine.runs.folder import CONFIG_FILE, read_config
from srgan_cli.engine.runs.journal import METRICS_FILE
from srgan_cli.engine.training.session import Session
from srgan_cli.errors import InputError, UsageError
from srgan_cli.observer import SilentObserver
from tests.toolbox import Killed, Recorder, bits, call, steps_logged, stop_before, tiny

OPTIONS = {"steps": 16, "validate_every": 5, "ema": 0.9}


def stopped(observer, name="r", at=12, error=Killed, **options):
    with pytest.MonkeyPatch.context() as context:
        stop_before(context, at, error)
        with pytest.raises(error):
            engine.train(tiny(name=name, **OPTIONS | options), observer)


@pytest.fixture
def runs(prepared):
    return prepared.parents[1] / "runs"


@pytest.fixture(scope="module")
def whole(tmp_path_factory, prepared_once):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SRGAN_HOME", str(tmp_path_factory.mktemp("whole")))
        data = str(prepared_once / "datasets" / "photos-x2")
        return engine.train(tiny(name="r", data=data, **OPTIONS), SilentObserver()).run


def test_latest_is_the_newest_run_that_is_not_finished(runs, observer):
    stopped(observer, "older")
    stopped(observer, "newer")
    engine.train(tiny(name="done", steps=2), observer)
    assert engine.train(tiny(resume="latest"), observer).run.name == "newer"
    assert engine.train(tiny(resume="latest"), observer).run.name == "older"
    with pytest.raises(InputError, match="every run is finished; the newest is older") as caught:
        engine.train(tiny(resume="latest"), observer)
    assert f"{runs / 'older' / CONFIG_FILE}" in caught.value.hint
    assert engine.train(tiny(resume="done"), observer).steps == 2


@pytest.mark.usefixtures("prepared")
def test_a_run_that_was_stopped_while_it_was_compared_is_not_finished(observer, monkeypatch):
    with monkeypatch.context() as context:
        context.setattr(Session, "qualify", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            engine.train(tiny(name="r", steps=2), observer)
    assert engine.train(tiny(resume="latest"), observer).qualification.images == 1


def damage(path, kind):
    text = path.read_text()
    lines = text.splitlines(keepends=True)
    match kind:
        case "missing":
            path.unlink()
        case "empty":
            path.write_text("")
        case "binary":
            path.write_bytes(bytes(range(256)) * 20)
        case "a line in the middle":
            lines[2] = "{" + lines[2][5:]
            path.write_text("".join(lines))
        case "other lines":
            path.write_text(text + '[]\n"step"\n{"pixel": 1}\n{"step": "12"}\n{"step": {}}\n')
        case "validations without scores":
            path.write_text(text.replace('"detail"', '"retail"'))


@pytest.mark.parametrize(
    "kind",
    [
        *("missing", "empty", "binary", "a line in the middle", "other lines"),
        "validations without scores",
    ],
)
def test_a_run_with_a_damaged_log_goes_on_from_its_checkpoint(runs, observer, whole, kind):
    stopped(observer)
    damage(runs / "r" / METRICS_FILE, kind)
    report = engine.train(tiny(resume="r"), observer)
    assert bits(report.run) == bits(whole)
    assert any(METRICS_FILE in line for line in observer.warned)
    assert steps_logged(report.run)[-1] == steps_logged(whole)[-1]
    assert all(isinstance(step, int) for step in steps_logged(report.run, "step"))


def test_how_many_lines_were_damaged_is_said(runs, observer):
    stopped(observer)
    damage(runs / "r" / METRICS_FILE, "other lines")
    engine.train(tiny(resume="r"), observer)
    assert f"{METRICS_FILE}: 5 damaged lines dropped" in observer.warned


def test_a_data_set_that_has_moved_is_found_by_its_fingerprint(runs, prepared, observer, whole):
    stopped(observer)
    prepared.rename(prepared.with_name("moved"))
    report = engine.train(tiny(resume="r"), observer)
    assert bits(report.run) == bits(whole)
    assert read_config(runs / "r").data == str(prepared.with_name("moved"))


def test_a_data_set_elsewhere_is_named(runs, prepared, observer, whole, tmp_path):
    stopped(observer)
    elsewhere = tmp_path / "elsewhere"
    shutil.move(prepared, elsewhere)
    with pytest.raises(InputError, match=f"no longer at {prepared}") as caught:
        engine.train(tiny(resume="r"), observer)
    assert "srgan train --resume r --data PATH" in caught.value.hint
    report = engine.train(tiny(resume="r", data=str(elsewhere)), observer)
    assert bits(report.run) == bits(whole)
    assert read_config(runs / "r").data == str(elsewhere)
    assert not any("was changed" in line for line in observer.said)


@pytest.mark.usefixtures("prepared")
def test_another_data_set_is_refused(photographs, observer, tmp_path):
    stopped(observer)
    config = PrepareConfig(photographs, name="other", seed=9)
    engine.prepare(config, SilentObserver())
    with pytest.raises(InputError, match="has changed"):
        engine.train(tiny(resume="r", data="other"), observer)
    with pytest.raises(InputError, match="no data set is called"):
        engine.train(tiny(resume="r", data=str(tmp_path)), observer)


def test_the_command_takes_data_and_nothing_else_beside_resume(runs, prepared, capsys, tmp_path):
    stopped(Recorder())
    shutil.move(prepared, tmp_path / "elsewhere")
    refused = call(capsys, "train", "--resume", "r", "--data", tmp_path / "elsewhere", "--steps", 3)
    assert refused.code == 2
    assert "--data" in refused.err
    done = call(capsys, "train", "--resume", "latest", "--data", tmp_path / "elsewhere")
    assert done.code == 0, done.err
    assert (runs / "r" / "qualification.json").exists()


def test_a_run_that_got_no_checkpoint_can_be_started_again_under_its_name(
    runs, observer, whole, monkeypatch
):
    with monkeypatch.context() as context:
        context.setattr(Session, "save", lambda _: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            engine.train(tiny(name="r", **OPTIONS), observer)
    assert (runs / "r" / METRICS_FILE).exists()
    report = engine.train(tiny(name="r", **OPTIONS), observer)
    assert bits(report.run) == bits(whole)
    assert steps_logged(report.run) == steps_logged(whole)
    assert steps_logged(report.run, "validation_psnr") == steps_logged(whole, "validation_psnr")


@pytest.mark.parametrize("kept", ["checkpoints", "weights.safetensors"])
def test_a_run_that_has_something_to_lose_is_not_started_again(runs, observer, kept):
    engine.train(tiny(name="r", steps=2), observer)
    for path in (runs / "r").iterdir():
        if path.name != kept:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(UsageError, match="run r exists already"):
        engine.train(tiny(name="r"), observer)
