"""The metrics of ``srgan eval --metric``: NIQE, VGG16 perceptual distance, LPIPS and DISTS."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import torch
from torch import Tensor

from srgan_cli.engine.networks.vgg import VggFeatures, load_perceptual
from srgan_cli.errors import ResourceError, UsageError
from srgan_cli.imaging.comparison import Metric
from srgan_cli.imaging.levels import to_levels
from srgan_cli.imaging.metrics import crop_border, luma
from srgan_cli.imaging.niqe import niqe
from srgan_cli.imaging.tensors import from_image
from srgan_cli.imaging.types import Levels, Uint8Image
from srgan_cli.observer import Observer

Distance = Callable[[Tensor, Tensor], Tensor]
"""Takes two batches of one image, B, 3, H, W in [0, 1]."""

_NIQE = Metric("niqe", "NIQE", 2, False, "naturalness without a reference (Mittal et al. 2013), Y")
_VGG16 = Metric(
    "vgg16",
    "VGG16 relu3_3",
    4,
    False,
    "L1 distance of the bundled VGG16's relu3_3 features over the mean of HR's; RGB; not LPIPS",
)
_LPIPS = Metric("lpips", "LPIPS", 4, False, "Zhang et al. 2018, AlexNet, by torchmetrics; RGB")
_DISTS = Metric("dists", "DISTS", 4, False, "Ding et al. 2020, by torchmetrics; RGB")


@dataclass(frozen=True)
class ExtraMetric:
    """A metric with what computes it."""

    metric: Metric
    measure: Callable[[Levels, Levels], float]
    """Takes the scored image and HR, without their border."""


def open_metrics(names: Sequence[str], observer: Observer) -> tuple[ExtraMetric, ...]:
    """Load what the metrics of these names need, each once.

    Raises:
        UsageError: A metric's optional library is not installed.
        ResourceError: A metric's weights cannot be downloaded.
    """
    openers = {
        "niqe": lambda: ExtraMetric(_NIQE, lambda sr, _: niqe(luma(sr))),
        "vgg16": lambda: _vgg16(observer),
        "lpips": _lpips,
        "dists": _dists,
    }
    return tuple(openers[name]() for name in dict.fromkeys(names))


def score_extra(
    extras: Sequence[ExtraMetric], sr: Levels, hr: Levels, border: int
) -> dict[str, float]:
    """Measure an image of HR's shape; both are cut by the border first."""
    inside = crop_border(sr, border), crop_border(hr, border)
    return {extra.metric.name: extra.measure(*inside) for extra in extras}


def _vgg16(observer: Observer) -> ExtraMetric:
    features = load_perceptual("vgg16", observer)
    assert features is not None, "vgg16 is bundled"
    network: VggFeatures = features

    @torch.inference_mode()
    def features_of(picture: Uint8Image) -> Tensor:
        found: list[Tensor] = network(from_image(picture))
        return found[-1]

    # All contenders of an image are measured against one HR; two images are scored at a time.
    @lru_cache(maxsize=2)
    def features_of_hr(levels: bytes, shape: tuple[int, ...]) -> Tensor:
        return features_of(np.frombuffer(levels, np.uint8).reshape(shape))

    def measure(sr: Levels, hr: Levels) -> float:
        ours = features_of(to_levels(sr))
        theirs = features_of_hr(to_levels(hr).tobytes(), hr.shape)
        return float((ours - theirs).abs().mean() / theirs.abs().mean())

    return ExtraMetric(_VGG16, measure)


def _lpips() -> ExtraMetric:
    def network() -> Distance:
        from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

        # The network itself: the metric around it keeps state, and images are scored in threads.
        net = LearnedPerceptualImagePatchSimilarity("alex").net.eval()
        return partial(net, normalize=True)

    return _by_torchmetrics(_LPIPS, network)


def _dists() -> ExtraMetric:
    def network() -> Distance:
        from torchmetrics.functional.image.dists import DISTSNetwork

        return DISTSNetwork().eval()

    return _by_torchmetrics(_DISTS, network)


def _by_torchmetrics(metric: Metric, network: Callable[[], Distance]) -> ExtraMetric:
    try:
        distance = network()
    except ModuleNotFoundError as error:
        raise UsageError(
            f"--metric {metric.name} needs {error.name}, which is not installed",
            hint="pip install 'srgan-cli[perceptual]'",
        ) from error
    except OSError as error:
        raise ResourceError(
            f"--metric {metric.name}: its ImageNet weights could not be downloaded "
            f"({getattr(error, 'reason', None) or error})",
            hint="connect to the internet once, or use --metric vgg16 or niqe, which are bundled",
        ) from error

    @torch.inference_mode()
    def measure(sr: Levels, hr: Levels) -> float:
        return float(distance(*(from_image(to_levels(image)) for image in (sr, hr))))

    return ExtraMetric(metric, measure)
