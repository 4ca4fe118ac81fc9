"""Verdicts on traces that were made up to deserve them."""

import pytest

from srgan_cli.engine.runs.health import judge


def score(psnr, phase="pretrain", detail=0.8, step=0):
    return {
        "step": step,
        "phase": phase,
        "validation_psnr": psnr,
        "detail": detail,
        "bicubic_detail": 0.7,
    }


def losses(count, phase="adversarial", **terms):
    """Return records whose terms are numbers, or functions from 0 (first) to 1 (last)."""
    return [
        {"step": 10 * i, "phase": phase}
        | {
            name: value(i / (count - 1)) if callable(value) else value
            for name, value in terms.items()
        }
        for i in range(count)
    ]


def verdict(*records):
    return judge([record for group in records for record in group])


def test_loss_that_falls_and_score_that_rises_are_healthy():
    found = verdict(
        [score(30)], losses(40, "pretrain", pixel=lambda x: 0.05 - 0.03 * x), [score(34)]
    )
    assert found.word == "healthy"
    assert "34.00 dB" in found.reason
    assert not found.bad


def test_texture_may_cost_psnr():
    game = losses(60, pixel=0.02, wasserstein=-0.8, accuracy=0.8)
    assert verdict([score(36)], game, [score(33, "adversarial")]).word == "healthy"


@pytest.mark.parametrize("psnr", [29.9, float("nan")])
def test_score_far_below_the_best_is_diverging(psnr):
    found = verdict([score(36)], losses(3, "pretrain", pixel=0.02), [score(psnr)])
    assert found.word == "diverging"
    assert found.bad
    assert f"{psnr:.2f} dB" in found.reason


def test_pixel_loss_that_multiplies_is_diverging():
    rising = losses(40, "pretrain", pixel=lambda x: 0.02 * 8**x)
    found = verdict([score(36)], rising, [score(35)])
    assert found.word == "diverging"
    assert "times its lowest" in found.reason
    spike = losses(39, "pretrain", pixel=0.02) + losses(2, "pretrain", pixel=0.1)[:1]
    assert verdict([score(36)], spike, [score(35)]).word == "healthy"


def test_a_loss_that_burst_and_came_back_is_diverging_once():
    calm = losses(40, "pretrain", pixel=0.015)
    burst = losses(20, "pretrain", pixel=lambda x: 0.4 if x < 0.3 else 0.017)
    found = verdict([score(34)], calm, [score(34.4)], burst, [score(31.1)])
    assert found.word == "diverging"
    assert "times its lowest" in found.reason
    # Gone back to 34.4 dB, the run is judged by what follows.
    late = losses(20, "pretrain", pixel=lambda x: 0.017 if x < 0.7 else 0.4)
    back = {"step": 400, "rolled_back_from": 600, "reason": found.reason}
    again = [[score(34.4)], late, [score(31.1)], [back], calm, [score(34.5)]]
    assert verdict(calm, *again).word == "healthy"


def test_the_phases_are_not_compared():
    before = losses(40, "pretrain", pixel=0.01)
    after = losses(40, pixel=0.05, accuracy=0.7, wasserstein=-1)
    assert verdict(before, [score(36)], after, [score(34, "adversarial")]).word == "healthy"


def test_images_without_detail_are_a_collapse():
    game = losses(40, pixel=0.02, wasserstein=-0.8, accuracy=0.8)
    found = verdict([score(36)], game, [score(33, "adversarial", detail=0.2)])
    assert found.word == "generator collapsed"
    assert "20%" in found.reason
    assert not found.bad
    # An untrained network draws nothing yet.
    assert verdict([score(8, detail=0.01)]).word == "healthy"


@pytest.mark.parametrize("term", ["classification", "wasserstein"])
def test_discriminator_that_wins_ever_more_clearly_overpowers(term):
    trend = (lambda x: -0.5 * 30**x) if term == "wasserstein" else 1e-4
    game = losses(60, pixel=0.02, accuracy=0.999, **{term: trend})
    found = verdict([score(36)], game, [score(34, "adversarial")])
    assert found.word == "discriminator overpowers"
    assert "100%" in found.reason


def test_a_critic_whose_distance_levels_out_does_not_overpower():
    game = losses(60, pixel=0.02, accuracy=0.99, wasserstein=lambda x: -1 + 0.9 * 0.001**x)
    assert verdict([score(36)], game, [score(34, "adversarial")]).word == "healthy"


def test_a_discriminator_that_is_often_wrong_does_not_overpower():
    game = losses(60, pixel=0.02, accuracy=0.9, wasserstein=lambda x: -0.5 * 30**x)
    assert verdict([score(36)], game, [score(34, "adversarial")]).word == "healthy"


def test_terms_that_were_not_finite_and_roll_backs_are_passed_over():
    game = losses(30, pixel=0.02, accuracy=0.8, wasserstein=-1)
    game[5]["pixel"] = game[7]["accuracy"] = None
    back = {"step": 100, "rolled_back_from": 150, "reason": "a reason"}
    assert verdict([score(36), back], game, [score(34, "adversarial")]).word == "healthy"
