"""How long a run takes and how many steps fit, as arithmetic on costs that are made up."""

import pytest

from srgan_cli.config import TrainConfig
from srgan_cli.engine.training.forecast import Costs, PhaseCosts, num_validations, steps_within
from srgan_cli.engine.training.pace import Pace
from srgan_cli.engine.training.schedule import plan_phases

COSTS = Costs({"pretrain": PhaseCosts(0.5, 3.0), "adversarial": PhaseCosts(2.0, 7.0)}, 11.0)


def phases_of(steps, **options):
    options = {"pretrain": 0.5} | options
    return plan_phases(TrainConfig(steps=steps, **options), lambda epochs: 22 * epochs)


def told(phases, every, begin=0):
    """Live through the steps from one on, and return the time that is left after each of them."""
    events = []
    for step in range(begin, phases[-1].stop):
        phase = next(phase for phase in phases if step < phase.stop)
        own = COSTS.phases[phase.name]
        validates = (step + 1) % every == 0 or step + 1 == phase.stop
        events.append(own.step + own.validation * validates)
    left = [COSTS.closing]
    for seconds in reversed(events):
        left.append(left[-1] + seconds)
    return left[::-1]


@pytest.mark.parametrize("every", [1, 7, 10, 100])
@pytest.mark.parametrize("pretrain", [0.0, 0.3, 0.5, 1.0])
def test_the_time_left_is_what_the_rest_of_the_run_takes_at_every_step(every, pretrain):
    phases = phases_of(40, pretrain=pretrain)
    wanted = told(phases, every)
    found = [COSTS.seconds_left(phases, step, every) for step in range(41)]
    assert found == pytest.approx(wanted)


def test_a_phase_is_validated_every_so_many_steps_and_once_at_its_end():
    first, second = phases_of(40, pretrain_steps=15)
    assert num_validations(first, 0, 5) == 3
    assert num_validations(first, 0, 10) == 2
    assert num_validations(second, 0, 10) == 3
    assert num_validations(second, 20, 10) == 2
    assert num_validations(second, 40, 10) == 0


@pytest.mark.parametrize("seconds", [16.5, 17.0, 60.0, 61.9, 3600.0])
@pytest.mark.parametrize("options", [{}, {"pretrain": 1}, {"pretrain": 0}, {"pretrain_steps": 3}])
def test_the_longest_run_that_fits_is_planned(seconds, options):
    def lasts(steps):
        phases = phases_of(steps, **options)
        return COSTS.opening(phases) + told(phases, 500)[0]

    steps = steps_within(seconds, COSTS, lambda steps: phases_of(steps, **options), lambda _: 500)
    assert steps == 0 or lasts(steps) <= seconds
    assert lasts(steps + 1) > seconds


def test_time_that_does_not_suffice_for_a_step_gives_none():
    assert steps_within(3.0, COSTS, phases_of, lambda _: 500) == 0
    assert steps_within(-100.0, COSTS, phases_of, lambda _: 500) == 0


def test_costs_are_read_back_as_they_were_written():
    assert Costs.from_dict(COSTS.to_dict()) == COSTS


def test_the_time_left_falls_by_the_time_that_passes_over_both_phases():
    phases, every = phases_of(40, pretrain=0.4), 10
    wanted, pace, found = told(phases, every), Pace(COSTS), []
    for step in range(40):
        phase = next(phase for phase in phases if step < phase.stop)
        found.append(pace.costs.seconds_left(phases, step, every))
        pace.add(phase.name, COSTS.phases[phase.name].step, 0.0)
        if (step + 1) % every == 0 or step + 1 == phase.stop:
            pace.validated(phase.name, COSTS.phases[phase.name].validation)
    assert found == pytest.approx(wanted[:-1])
    assert found == sorted(found, reverse=True)


def test_the_time_left_follows_a_machine_that_is_slower_than_was_measured():
    phases, pace = phases_of(1000, pretrain=1), Pace(COSTS)
    assert pace.seconds_per_step("pretrain") == 0.5
    pace.add("pretrain", 1.5, 0.3)
    assert pace.seconds_per_step("pretrain") == pytest.approx(0.6)  # One step is no proof.
    for _ in range(9):
        pace.add("pretrain", 1.5, 0.3)
    assert pace.seconds_per_step("pretrain") == pytest.approx(1.5)
    assert pace.costs.seconds_left(phases, 10, 1000) == pytest.approx(990 * 1.5 + 3 + 11)
    assert pace.waiting("pretrain") == pytest.approx(0.2)
    assert pace.waiting("adversarial") == 0


def test_a_run_that_was_never_measured_knows_what_it_has_seen():
    phases = phases_of(20)
    pace = Pace(Costs.unknown(phases))
    assert pace.costs.seconds_left(phases, 0, 100) == 0
    pace.add("pretrain", 1.5, 0.0)
    assert pace.costs.seconds_left(phases, 1, 100) == pytest.approx(9 * 1.5)
