import itertools
import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from srgan_cli.config import LossWeights, TrainConfig
from srgan_cli.engine.training.schedule import Decay, Phase, plan_phases, same_until

LENGTHS = st.fixed_dictionaries(
    {"pretrain": st.floats(0, 1)},
    optional={
        "pretrain_epochs": st.integers(0, 500),
        "pretrain_steps": st.integers(0, 12_000),
    },
)


def _plan(**options):
    """Plan a run on a data set whose epoch has 25 steps."""
    return plan_phases(TrainConfig(**options), lambda epochs: 25 * epochs)


@given(st.integers(1, 10_000), LENGTHS)
def test_phases_cover_every_step_once_in_order(steps, lengths):
    phases = _plan(steps=steps, **lengths)
    assert phases[0].start == 0
    assert phases[-1].stop == steps
    assert all(a.stop == b.start for a, b in itertools.pairwise(phases))
    assert all(phase.steps > 0 for phase in phases)
    names = [phase.name for phase in phases]
    assert names in (["pretrain"], ["adversarial"], ["pretrain", "adversarial"])


def test_pretraining_is_validated_by_looks_only_if_it_is_trained_for_them():
    looks = LossWeights(pretrain_perceptual=0.5)
    for weights, wanted in [(LossWeights(), [False, True]), (looks, [True, True])]:
        assert [phase.perceptual for phase in _plan(steps=100, weights=weights)] == wanted


def test_the_share_of_pretraining_is_what_was_asked_for():
    first, second = _plan(
        steps=1000, pretrain=0.3, learning_rate=1e-3, adversarial_learning_rate=1e-4
    )
    assert (first.steps, second.steps) == (300, 700)
    assert (first.peak, second.peak) == (1e-3, 1e-4)
    assert [p.name for p in _plan(steps=10, pretrain=1)] == ["pretrain"]
    assert [p.name for p in _plan(steps=10, pretrain=0)] == ["adversarial"]


@pytest.mark.parametrize(
    ("options", "lengths"),
    [
        ({"epochs": 10}, [188, 62]),
        ({"epochs": 10, "pretrain_epochs": 4}, [100, 150]),
        ({"epochs": 10, "pretrain_steps": 7}, [7, 243]),
        ({"steps": 60, "pretrain_epochs": 2}, [50, 10]),
        ({"steps": 60, "pretrain_epochs": 3}, [60]),
        ({"steps": 60, "pretrain_steps": 0}, [60]),
    ],
)
def test_phases_are_as_long_as_epochs_or_steps_say(options, lengths):
    assert [phase.steps for phase in _plan(**options)] == lengths


@given(
    st.integers(1, 5_000),
    st.integers(0, 200),
    st.integers(0, 1000),
    st.sampled_from([Decay(), Decay("multistep", (0.2, 0.9), 0.1), Decay("constant")]),
)
def test_learning_rates_are_positive_and_at_most_the_peak(steps, warmup, start, decay):
    phase = Phase("pretrain", start, steps, 1e-3, warmup, decay)
    rates = [phase.learning_rate(step) for step in range(phase.start, phase.stop)]
    assert all(0 < rate <= 1e-3 for rate in rates)


def test_the_rate_rises_in_a_line_and_falls_in_a_cosine():
    phase = Phase("adversarial", 200, 1000, 1.0, 10)
    cosine = [0.5 * (1 + math.cos(math.pi * n / 1000)) for n in range(1000)]
    for step in range(10):
        assert phase.learning_rate(200 + step) == pytest.approx((step + 1) / 10 * cosine[step])
    assert phase.learning_rate(200 + 500) == pytest.approx(0.5)
    assert phase.learning_rate(200 + 999) == pytest.approx(cosine[999])
    assert phase.learning_rate(200 + 999) < 1e-5


def test_the_rate_of_several_steps_falls_at_each_milestone():
    (phase,) = _plan(
        steps=400, pretrain=1, warmup=0, schedule="multistep", milestones=(0.125, 0.5), gamma=0.1
    )
    rates = [phase.learning_rate(step) for step in range(400)]
    assert rates == pytest.approx(50 * [1e-3] + 150 * [1e-4] + 200 * [1e-5])


def test_a_trapezoid_is_level_and_then_falls_to_zero_fast_at_first():
    (phase,) = _plan(steps=100, pretrain=1, warmup=0, schedule="trapezoid", cooldown=0.4)
    rates = [phase.learning_rate(step) / phase.peak for step in range(100)]
    assert rates[:61] == [1.0] * 61
    assert rates[70] == pytest.approx(0.5)  # A quarter of the fall is done: 1 - sqrt(1/4).
    assert all(a > b for a, b in itertools.pairwise(rates[60:]))
    assert 0 < rates[-1] < 0.02


@given(st.integers(1, 400), st.integers(1, 400), st.integers(0, 400))
def test_the_length_of_a_trapezoid_is_open_until_one_of_two_falls(one, other, step):
    plans = [_plan(steps=n, pretrain=1, schedule="trapezoid") for n in (one, other)]
    first_fall = 0.8 * min(one, other)
    assume(step != first_fall + 1)  # At the border itself, rounding decides.
    assert same_until(step, *plans) == (one == other or step <= first_fall + 1)


def test_plans_with_other_phases_are_not_the_same():
    half, all_of_it = (
        _plan(steps=steps, pretrain=0.5, schedule="constant") for steps in (100, 200)
    )
    assert same_until(50, half, all_of_it)
    assert not same_until(51, half, all_of_it)  # Adversarial in one of them.


def test_the_default_milestones_are_esrgans():
    # Wang et al. 2018, section 4.1: halved at 50k, 100k, 200k and 300k of 400k iterations.
    (phase,) = _plan(steps=400, pretrain=1, warmup=0, schedule="multistep")
    falls = [s for s in range(1, 400) if phase.learning_rate(s) < phase.learning_rate(s - 1)]
    assert falls == [50, 100, 200, 300]
    assert phase.learning_rate(399) == pytest.approx(1e-3 / 16)


def test_a_constant_rate_stays_after_its_rise():
    (phase,) = _plan(steps=50, pretrain=1, warmup=4, schedule="constant", learning_rate=0.5)
    assert [phase.learning_rate(step) for step in range(50)] == [0.125, 0.25, 0.375] + 47 * [0.5]


def test_without_warmup_the_first_step_has_the_peak():
    assert Phase("pretrain", 0, 100, 1e-3, 0).learning_rate(0) == 1e-3
