"""Training with ``--degrade``: it can be stopped, and it shows what it undoes."""

import numpy as np
import pytest
from PIL import Image

from srgan_cli import engine
from srgan_cli.data.store import Store
from tests.toolbox import Killed, bits, last_checkpoint, stop_before, tiny

OPTIONS = {"steps": 8, "validate_every": 3, "degrade": "strong"}
SIDE = 32
"""HR pixels of a training patch of ``tiny``."""


@pytest.mark.usefixtures("prepared")
def test_resumed_run_with_degradations_matches_uninterrupted_run(observer, monkeypatch):
    whole = engine.train(tiny(name="whole", **OPTIONS), observer).run
    with monkeypatch.context() as patch:
        stop_before(patch, 5, Killed)
        with pytest.raises(Killed):
            engine.train(tiny(name="r", **OPTIONS), observer)
    sheet = (whole.with_name("r") / "degradations.png").read_bytes()
    resumed = engine.train(tiny(resume="r"), observer).run
    assert f"resuming at step 4 of {OPTIONS['steps']}" in observer.said
    assert bits(resumed) == bits(whole)
    last = last_checkpoint(whole)
    assert bits(resumed, last) == bits(whole, last)
    assert (resumed / "degradations.png").read_bytes() == sheet
    clean = engine.train(tiny(name="clean", **OPTIONS | {"degrade": "none"}), observer).run
    assert bits(clean) != bits(whole)


def symmetries(image):
    return [np.rot90(side, turns) for side in (image, image[:, ::-1]) for turns in range(4)]


def is_part(part, image):
    """Say whether an image holds a part, unchanged."""
    windows = np.lib.stride_tricks.sliding_window_view(image[..., 0], (len(part), len(part)))
    found = np.argwhere((windows[..., ::8, ::8] == part[::8, ::8, 0]).all(axis=(2, 3)))
    return any((image[y : y + len(part), x : x + len(part)] == part).all() for y, x in found)


def test_the_run_shows_patches_of_its_photographs_above_what_was_made_of_them(prepared, observer):
    run = engine.train(tiny(degrade="mild", batch=3), observer).run
    assert any("degradations.png" in line for line in observer.said)
    hr, lr = np.split(np.asarray(Image.open(run / "degradations.png")), 2)
    assert hr.shape == lr.shape == (SIDE, 3 * SIDE, 3)
    store = Store(prepared)
    images = [store.pair(entry)[1].numpy() for entry in store.entries("train")]
    for patch, damaged in zip(np.split(hr, 3, axis=1), np.split(lr, 3, axis=1), strict=True):
        assert any(is_part(turn, picture) for turn in symmetries(patch) for picture in images)
        assert (damaged == damaged[::2, ::2].repeat(2, 0).repeat(2, 1)).all()
        assert 0.5 < np.abs(patch.astype(float) - damaged).mean() < 60


@pytest.mark.usefixtures("prepared")
def test_without_degradations_there_is_nothing_to_show(observer):
    run = engine.train(tiny(), observer).run
    assert not (run / "degradations.png").exists()
