import sys
import urllib.error

import numpy as np
import pytest
import torch
import torchvision.models

from srgan_cli.engine.evaluation.extra_metrics import open_metrics, score_extra
from srgan_cli.errors import ResourceError, UsageError
from srgan_cli.imaging.levels import to_levels
from srgan_cli.observer import SilentObserver
from tests.toolbox import synthetic_photograph

HR = synthetic_photograph(96, 80)


def _distance(sr, name="vgg16", border=2):
    return score_extra(open_metrics([name], SilentObserver()), sr, HR, border)[name]


def _noisy(strength):
    return to_levels(HR + strength * np.random.default_rng(0).normal(0, 1, HR.shape))


def test_the_vgg_distance_is_zero_for_equal_images_and_grows_with_noise():
    distances = [_distance(_noisy(s)) for s in (0, 4, 8, 16)]
    assert distances[0] == 0
    assert distances == sorted(set(distances))


def test_the_border_does_not_count():
    sr = HR.copy()
    sr[:2] = 0
    assert _distance(sr) == 0
    assert _distance(sr, border=1) > 0


def test_grey_images_are_measured_as_three_equal_channels():
    grey = HR[..., 0]
    extras = open_metrics(["vgg16"], SilentObserver())
    assert score_extra(extras, grey, np.full_like(grey, 99), 0)["vgg16"] == pytest.approx(
        score_extra(extras, np.dstack([grey] * 3), np.full_like(HR, 99), 0)["vgg16"]
    )


def test_images_that_take_turns_are_each_measured_against_their_own_hr():
    (extra,) = open_metrics(["vgg16"], SilentObserver())
    images = [HR, _noisy(8), HR[:, ::-1], HR.reshape(96, 80, 3)]
    pairs = [(sr, hr) for hr in images for sr in images[:3] if sr.shape == hr.shape]
    alone = [open_metrics(["vgg16"], SilentObserver())[0].measure(*pair) for pair in pairs]
    assert [extra.measure(*pair) for pair in pairs] == pytest.approx(alone)
    assert [extra.measure(*pair) for pair in reversed(pairs)] == pytest.approx(alone[::-1])
    black = np.zeros_like(images[3])
    assert extra.measure(black, images[3]) != extra.measure(black.reshape(HR.shape), HR)


def test_a_metric_named_twice_is_measured_once():
    assert len(open_metrics(["niqe", "niqe"], SilentObserver())) == 1


@pytest.mark.parametrize("name", ["lpips", "dists"])
def test_weights_that_cannot_be_downloaded_are_said_to_be(name, monkeypatch):
    pytest.importorskip("torchmetrics")

    def offline(*_args, **_options):
        raise urllib.error.URLError("no network here")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", offline)
    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", offline)
    with pytest.raises(ResourceError, match=r"not be downloaded \(no network here\)") as caught:
        open_metrics([name], SilentObserver())
    assert "vgg16 or niqe" in caught.value.hint


@pytest.mark.parametrize("name", ["lpips", "dists"])
def test_a_missing_library_is_named_with_how_to_get_it(name, monkeypatch):
    for module in [m for m in sys.modules if m.partition(".")[0] == "torchmetrics"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "torchmetrics", None)
    with pytest.raises(UsageError, match=f"{name} needs torchmetrics") as caught:
        open_metrics([name], SilentObserver())
    assert "srgan-cli[perceptual]" in caught.value.hint


@pytest.mark.parametrize("name", ["lpips", "dists"])
def test_torchmetrics_networks_measure_zero_for_equal_images(name, monkeypatch):
    """With random backbones, since the real ones are a download: the calls must fit."""
    pytest.importorskip("torchmetrics")
    from torchvision import models

    for backbone in ("alexnet", "vgg16"):
        build = getattr(models, backbone)
        monkeypatch.setattr(models, backbone, lambda *_a, build=build, **_o: build(weights=None))
    from torchmetrics.functional.image import dists

    monkeypatch.setattr(dists, "vgg16", lambda **_: models.vgg16())
    torch.manual_seed(0)
    extras = open_metrics([name], SilentObserver())
    same, other = (score_extra(extras, sr, HR, 2)[name] for sr in (HR, _noisy(30)))
    assert same == pytest.approx(0, abs=1e-5)
    assert other > same
