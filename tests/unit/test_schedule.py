import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srgan_cli.engine.schedule import Phase, plan_phases

RATES = {"learning_rate": 1e-3, "adversarial_learning_rate": 1e-4, "warmup": 50}


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_phases_cover_every_step_once_in_order(steps, pretrain):
    phases = plan_phases(steps, pretrain=pretrain, **RATES)
    assert phases[0].start == 0
    assert phases[-1].stop == steps
    assert all(a.stop == b.start for a, b in itertools.pairwise(phases))
    assert all(phase.steps > 0 for phase in phases)
    names = [phase.name for phase in phases]
    assert names in (["pretrain"], ["adversarial"], ["pretrain", "adversarial"])


def test_the_share_of_pretraining_is_what_was_asked_for():
    first, second = plan_phases(1000, pretrain=0.3, **RATES)
    assert (first.steps, second.steps) == (300, 700)
    assert (first.peak, second.peak) == (1e-3, 1e-4)
    assert [p.name for p in plan_phases(10, pretrain=1, **RATES)] == ["pretrain"]
    assert [p.name for p in plan_phases(10, pretrain=0, **RATES)] == ["adversarial"]


@given(st.integers(1, 5_000), st.integers(0, 200), st.integers(0, 1000))
def test_learning_rates_are_positive_and_at_most_the_peak(steps, warmup, start):
    phase = Phase("pretrain", start, steps, 1e-3, warmup)
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


def test_without_warmup_the_first_step_has_the_peak():
    assert Phase("pretrain", 0, 100, 1e-3, 0).learning_rate(0) == 1e-3
