"""Runs that go wrong as people's do, and the verdict that they end with."""

import pytest

from srgan_cli import engine
from tests.toolbox import tiny

# Without a bilinear skip, images are as good as the last convolution: a new one draws nothing.
WITHOUT_SKIP = {
    "preset": "esrgan",
    "generator": {"channels": 4, "growth": 4, "num_blocks": 1, "dense_blocks": 1, "num_convs": 2},
}


@pytest.mark.usefixtures("prepared")
def test_a_generator_that_draws_nothing_is_said_to_have_collapsed(observer):
    game = {"pretrain": 0.0, "steps": 20, "validate_every": 10, "adversarial_learning_rate": 1e-6}
    report = engine.train(tiny(name="r", **WITHOUT_SKIP, **game), observer)
    assert report.verdict.word == "generator collapsed"
    assert report.rollbacks == ()
