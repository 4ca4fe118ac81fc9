"""Time is told first and kept: plans, dry runs, and runs of a given time that were killed."""

import json
import os
import signal
import subprocess
import sys
from datetime import datetime

import pytest

from srgan_cli import engine
from srgan_cli.engine.runs.folder import read_config
from srgan_cli.engine.training import assembly
from srgan_cli.engine.training.forecast import Costs, PhaseCosts
from srgan_cli.engine.training.measure import Measured
from srgan_cli.errors import UsageError
from srgan_cli.observer import SilentObserver
from tests.toolbox import TINY, assert_fails, bits, call, files_below, last_checkpoint, tiny

COSTS = Costs({"pretrain": PhaseCosts(10.0, 5.0), "adversarial": PhaseCosts(30.0, 9.0)}, 20.0)
MINUTES = 12
QUICK = TINY[2:]

KILLED = """
import json, os, signal, sys
from srgan_cli.cli import run
from srgan_cli.engine.training import assembly
from srgan_cli.engine.training.forecast import Costs
from srgan_cli.engine.training.measure import Measured
from srgan_cli.engine.training.trainer import Trainer

at, costs, intact = int(sys.argv[1]), json.loads(sys.argv[2]), Trainer.step

def step(self, phase, number, batch):
    if number == at:
        os.kill(os.getpid(), signal.SIGKILL)
    return intact(self, phase, number, batch)

Trainer.step = step
assembly.measure = lambda *_, **__: Measured(Costs.from_dict(costs), 0)
run(sys.argv[3:])
"""


@pytest.fixture
def slow_machine(monkeypatch):
    """Have every machine measured as one that takes half a minute for a step."""

    def measure(_trainer, _batches, _validator, phases, _ranks, **_):
        own = {phase.name: COSTS.phases[phase.name] for phase in phases}
        return Measured(Costs(own, COSTS.closing), 0)

    monkeypatch.setattr(assembly, "measure", measure)


@pytest.mark.parametrize("at", [pytest.param(5, marks=pytest.mark.slow), 20])
def test_a_run_of_a_given_time_that_was_killed_ends_as_if_it_had_not_been(
    prepared, observer, monkeypatch, at
):
    options = [*QUICK, "--minutes", MINUTES, "--validate-every", 4, "--warmup", 2, "--name", "r"]
    costs = json.dumps(COSTS.to_dict())
    command = [sys.executable, "-c", KILLED, at, costs, "train", *options]
    killed = subprocess.run(
        [*map(str, command)],
        capture_output=True,
        check=False,
        timeout=120,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    config = read_config(prepared.parents[1] / "runs" / "r")
    assert (config.minutes, config.hours) == (None, None)
    # 12 minutes, less the start, the validations and the score, at 20 seconds for a step.
    assert config.steps in range(26, 36)

    def measured_again(*_, **__):
        raise AssertionError

    with monkeypatch.context() as patch:
        patch.setattr(assembly, "measure", measured_again)
        resumed = engine.train(tiny(resume="r"), observer).run
    # The time left counts the phase that this process has not seen, as it was measured.
    later = sum(step >= config.steps // 2 for step in range(at, config.steps))
    left = observer.statuses[0].seconds_left
    assert left > 0.9 * 30 * later
    whole = engine.train(
        tiny(name="whole", steps=config.steps, validate_every=4), SilentObserver()
    ).run
    assert bits(resumed) == bits(whole)
    last = last_checkpoint(whole)
    assert last_checkpoint(resumed) == last
    assert bits(resumed, last) == bits(whole, last)


@pytest.mark.usefixtures("prepared", "slow_machine")
def test_the_time_left_counts_both_phases_from_the_first_step_on(observer):
    engine.train(tiny(steps=8), observer)
    first = observer.statuses[0].seconds_left
    assert first > 4 * 30 + 20  # The adversarial phase and the score at the end.
    assert first < 4 * 30 + 4 * 10 + 5 + 9 + 20
    plan = next(line for line in observer.said if line.startswith("plan: "))
    assert "pretrain 4 steps of 10 s, adversarial 4 steps of 30 s, 2 validations; 3 min" in plan
    assert observer.statuses[-1].seconds_left == 20


@pytest.mark.usefixtures("prepared")
def test_a_run_is_measured_and_planned_before_it_leaves_anything(observer, home):
    def planned(line):
        return line.startswith("plan: ") and not any((home / "runs").glob("*/*"))

    seen = []
    observer.say = lambda line: seen.append(planned(line))
    engine.train(tiny(), observer)
    assert any(seen)


def test_a_dry_run_shows_the_plan_and_leaves_nothing(prepared, capsys):
    home = prepared.parents[1]
    before = files_below(home)
    done = call(capsys, "train", "--dry-run", *TINY)
    assert done.code == 0, done.err
    for word in (
        "pretrain",
        "adversarial",
        "time per step",
        "validations",
        "in all",
        "disk: up to",
    ):
        assert word in done.out
    planned = call(capsys, "train", "--dry-run", "--json", *TINY).document
    assert [phase["steps"] for phase in planned["phases"]] == [3, 3]
    assert planned["seconds"] > planned["spent"] > 0
    assert datetime.fromisoformat(planned["ends"]).tzinfo is not None
    assert planned["num_bytes"] > 10_000
    assert files_below(home) == before


def test_a_dry_run_with_a_teacher_does_not_ask_it(prepared, capsys):
    home = prepared.parents[1]
    before = files_below(home)
    done = call(
        capsys, "train", "--dry-run", *TINY, "--degrade", "mild", "--teacher", "fidelity-x2"
    )
    assert done.code == 0, done.err
    assert files_below(home) == before


@pytest.mark.usefixtures("prepared", "slow_machine")
def test_a_dry_run_plans_the_steps_that_a_run_of_that_time_makes(capsys):
    planned = call(capsys, "train", "--dry-run", "--json", *QUICK, "--minutes", MINUTES).document
    steps = [phase["steps"] for phase in planned["phases"]]
    assert sum(steps) in range(26, 36)
    assert 60 * MINUTES - 55 < planned["seconds"] <= 60 * MINUTES
    assert "too few" in planned["warning"]
    assert "--init fidelity" in planned["advice"]


@pytest.mark.usefixtures("prepared", "slow_machine")
def test_more_than_a_day_is_warned_of_before_the_first_step(capsys):
    done = call(capsys, "train", "--dry-run", "--steps", 6000, *QUICK)
    assert "that is more than a day: pass fewer steps, such as --hours 8" in done.out
    assert "--init fidelity --minutes 20" in done.out


@pytest.mark.usefixtures("prepared", "slow_machine")
def test_a_time_that_is_too_short_is_refused_with_one_that_is_not(capsys):
    done = call(capsys, "train", *QUICK, "--minutes", 0.5)
    assert_fails(done, 2, "--minutes 0.5 is too short", "pass at least --minutes")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--minutes", 3, "--steps", 5), "--minutes and --steps set the same length"),
        (("--minutes", 3, "--hours", 1), "--hours and --minutes set the same length"),
        (("--epochs", 3, "--hours", 1), "--epochs and --hours set the same length"),
        (("--minutes", 0), "--minutes is 0"),
        (("--hours", "nan"), "--hours is nan"),
        (("--resume", "latest", "--minutes", 3), "--minutes"),
        (("--resume", "latest", "--dry-run"), "--dry-run"),
    ],
)
def test_options_that_contradict_a_time_are_refused(home, capsys, options, words):
    assert_fails(call(capsys, "train", *options), 2, words)
    assert not home.exists()


def test_the_library_refuses_them_too(observer):
    with pytest.raises(UsageError, match="--steps and --hours"):
        tiny(hours=1)
    with pytest.raises(UsageError, match="only a new run"):
        engine.plan_training(tiny(resume="latest"), observer)


@pytest.mark.usefixtures("prepared", "slow_machine")
def test_a_time_takes_the_place_of_a_length_in_a_file_or_a_recipe(capsys, tmp_path):
    (tmp_path / "run.toml").write_text("steps = 3\nminutes = 2")
    both = call(capsys, "train", "--config", tmp_path / "run.toml")
    assert_fails(both, 2, "--minutes and --steps set the same length")
    (tmp_path / "run.toml").write_text("steps = 3")
    from_file = ("--config", tmp_path / "run.toml")
    for source in (from_file, ("--recipe", "fidelity-x2", "--init", "fidelity-x2")):
        options = (*source, *QUICK, "--minutes", MINUTES, "--dry-run", "--json")
        planned = call(capsys, "train", *options).document
        assert sum(phase["steps"] for phase in planned["phases"]) in range(26, 71)
