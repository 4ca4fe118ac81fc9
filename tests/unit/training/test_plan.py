"""Plans of runs, from costs and clocks that are made up."""

from datetime import datetime, timedelta

import pytest

from srgan_cli.config import TrainConfig
from srgan_cli.engine.training.forecast import Costs, PhaseCosts, duration
from srgan_cli.engine.training.measure import Measured
from srgan_cli.engine.training.plan import Deadline, clock_time, planned
from srgan_cli.engine.training.schedule import plan_phases
from srgan_cli.errors import UsageError
from tests.toolbox import Recorder

COSTS = Costs({"pretrain": PhaseCosts(0.5, 3.0), "adversarial": PhaseCosts(2.0, 7.0)}, 11.0)


def of_epochs(epochs):
    return 22 * epochs


def plan(costs=COSTS, spent=20.0, **options):
    measured = Measured(costs, checkpoint_bytes=10_000_000)
    return planned(TrainConfig(**options), measured, of_epochs, 1_000_000, spent)


@pytest.mark.parametrize("length", [{"minutes": 20}, {"hours": 1}, {"minutes": 1440}])
@pytest.mark.parametrize("schedule", ["cosine", "trapezoid"])
def test_a_run_of_a_given_time_ends_on_it_with_its_rates_at_zero(length, schedule):
    config, found = plan(**length, schedule=schedule)
    wanted = 60 * length.get("minutes", 0) + 3600 * length.get("hours", 0)
    assert wanted - 13 < found.seconds <= wanted  # A step of each phase and a validation.
    assert (config.minutes, config.hours) == (None, None)
    assert config.steps == sum(phase.steps for phase in found.phases)
    for phase in plan_phases(config, of_epochs):
        assert phase.learning_rate(phase.stop - 1) < 0.1 * phase.peak
        assert phase.learning_rate(phase.start + phase.steps // 2) > 0.4 * phase.peak


def test_the_plan_adds_up_and_counts_what_was_spent_already():
    config, found = plan(steps=1000, pretrain=0.5)
    assert config == TrainConfig(steps=1000, pretrain=0.5, validate_every=125)
    first, second = found.phases
    assert (first.steps, first.validations, first.seconds) == (500, 4, 262)
    assert (second.steps, second.validations, second.seconds) == (500, 4, 1028)
    assert found.seconds == 20 + 3 + 262 + 1028 + 11
    ends = datetime.fromisoformat(found.ends) - datetime.now().astimezone()
    assert abs(ends - timedelta(seconds=found.seconds - 20)) < timedelta(seconds=60)
    assert found.advice == ""
    # Checkpoints: of nine validations three are kept, with the best and a new one.
    assert found.num_bytes == 5 * 10_000_000 + 3 * 1_000_000 + 9 * 400_000
    assert "pretrain 500 steps of 0.5 s, adversarial 500 steps of 2 s, 8 validations" in str(found)


@pytest.mark.parametrize(("options", "every"), [({}, 23), ({"validate_every": 100}, 100)])
def test_a_short_run_is_validated_eight_times_unless_asked_otherwise(options, every):
    assert plan(steps=186, **options)[0].validate_every == every
    assert plan(steps=100_000)[0].validate_every == 500


def test_an_epoch_has_the_steps_that_the_data_set_says():
    assert sum(phase.steps for phase in plan(epochs=3)[1].phases) == 66


@pytest.mark.parametrize("options", [{}, {"pretrain": 1.0}, {"pretrain_steps": 400}])
def test_a_time_without_room_for_a_step_of_each_phase_is_refused_with_one_that_has(options):
    costs = COSTS
    if "pretrain" in options:
        costs = Costs({"pretrain": COSTS.phases["pretrain"]}, 11.0)
    with pytest.raises(UsageError, match=r"--minutes 0\.5 is too short") as caught:
        plan(costs, minutes=0.5, **options)
    enough = int(caught.value.hint.split("--minutes ")[1].split(",")[0])
    config, found = plan(costs, minutes=enough, **options)
    assert len(found.phases) == len(costs.phases)
    assert config.steps >= 1
    with pytest.raises(UsageError):
        plan(costs, minutes=enough - 1.6, **options)


def test_more_than_a_day_comes_with_what_to_do_instead():
    assert plan(steps=60_000, pretrain=0.5)[1].advice == ""
    advice = plan(steps=80_000, pretrain=0.5)[1].advice
    assert "--hours 8" in advice
    assert "--init fidelity" in advice
    assert "GPU" in advice
    advice = plan(steps=80_000, pretrain=0.5, init="fidelity", device="cuda")[1].advice
    assert advice == "pass fewer steps, such as --hours 8"


def test_a_run_that_will_be_late_says_so_once_and_one_that_is_on_time_says_nothing():
    now = 0.0
    observer = Recorder()
    deadline = Deadline(600.0, 600.0, lambda: now)
    for now, left in ((100.0, 500.0), (200.0, 455.0), (300.0, 362.0), (400.0, 300.0)):  # noqa: B007
        deadline.check(left, observer)
    assert len(observer.warned) == 1
    assert observer.warned[0].endswith(", 62 s late")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (7, "7 s"),
        (99.4, "99 s"),
        (119, "2 min"),
        (3540, "59 min"),
        (3590, "1 h 0 min"),
        (9000, "2 h 30 min"),
        (400_000, "4.6 days"),
    ],
)
def test_a_time_is_told_in_two_units_at_most(seconds, words):
    assert duration(seconds) == words


def test_a_moment_of_another_day_has_its_date():
    now = datetime.now().astimezone()
    assert clock_time(now.isoformat()) == f"{now:%H:%M}"
    assert f"{now + timedelta(days=2):%b}" in clock_time((now + timedelta(days=2)).isoformat())


def test_a_time_that_is_too_short_to_learn_from_nothing_comes_with_init():
    found = plan(minutes=2)[1]
    assert sum(phase.steps for phase in found.phases) < 100
    assert "too few for a network that starts from nothing" in found.warning
    assert "--init fidelity" in found.advice
    for fine in ({"minutes": 2, "init": "fidelity"}, {"minutes": 20}, {"steps": 50}):
        assert plan(**fine)[1].warning == ""
