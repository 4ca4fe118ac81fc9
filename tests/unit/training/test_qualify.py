"""When a run has earned to be used unnamed, by the scores of its validation images."""

import dataclasses

import pytest

from srgan_cli.engine.training.qualify import judged
from srgan_cli.engine.training.validation import ValidationScores

NUMBER = 8
WOBBLE = [0.02 * (i % 3 - 1) for i in range(NUMBER)]


def scores(psnr, perceptual=None, bicubic=30.0, number=NUMBER):
    return [
        ValidationScores(
            psnr + wobble,
            *(0.9, 0.8, bicubic, 0.85, 0.7),
            None if perceptual is None else perceptual + wobble / 10,
        )
        for wobble in WOBBLE[:number]
    ]


def shaken(rows, by):
    """Return scores that differ from image to image by more than on average."""
    return [
        dataclasses.replace(row, psnr=row.psnr + (by if i % 2 else -by))
        for i, row in enumerate(rows)
    ]


def test_a_run_that_is_better_on_every_image_has_earned_its_place():
    found = judged(scores(33.5), scores(32.7), "fidelity-x2")
    assert found.qualified
    assert found.reason == (
        "better than fidelity-x2: +0.80 dB (+0.80 to +0.80) on 8 validation images"
    )
    assert found.psnr.mean == pytest.approx(0.8)
    assert found.over_bicubic == pytest.approx(3.5, abs=0.01)


@pytest.mark.parametrize(
    ("ours", "theirs", "word"),
    [
        (scores(32.6), scores(32.7), "worse than fidelity-x2: -0.10 dB"),
        (scores(32.7), scores(32.7), "not shown to be better than fidelity-x2: +0.00 dB"),
        (shaken(scores(32.8), 1.0), scores(32.7), "not shown to be better than fidelity-x2"),
        (scores(29.0), scores(28.0), "1.00 dB below bicubic"),
    ],
)
def test_a_run_that_is_not_shown_to_be_better_has_not(ours, theirs, word):
    found = judged(ours, theirs, "fidelity-x2")
    assert not found.qualified
    assert found.reason.startswith(word)


def test_too_few_images_show_nothing():
    found = judged(scores(33, number=4), scores(32, number=4), "fidelity-x2")
    assert not found.qualified
    assert "4 validation images, too few to tell (at least 5)" in found.reason
    assert judged(scores(33, number=5), scores(32, number=5), "fidelity-x2").qualified


@pytest.mark.parametrize(
    ("psnr", "perceptual", "qualified"),
    [
        (32.0, 0.40, True),  # Closer in features, as good in pixels.
        (32.5, 0.50, True),  # Better in pixels, as close in features.
        (32.5, 0.40, True),
        (31.0, 0.40, False),  # One bought with the other.
        (32.5, 0.60, False),
        (32.0, 0.50, False),
        (29.0, 0.40, False),  # Below bicubic.
    ],
)
def test_an_adversarial_run_must_be_better_in_one_measure_and_worse_in_none(
    psnr, perceptual, qualified
):
    found = judged(scores(psnr, perceptual), scores(32.0, 0.50), "photo-x2")
    assert found.qualified is qualified
    assert "perceptual distance" in found.reason or "below bicubic" in found.reason


def test_without_a_bundled_model_a_run_must_be_better_than_bicubic():
    found = judged(scores(30.4), None, "bicubic")
    assert found.qualified
    assert found.reason.startswith("better than bicubic: +0.40 dB")
    assert not judged(scores(30.0), None, "bicubic").qualified
