"""What the trainer's tests share."""

import numpy as np
import pytest
import torch

from srgan_cli.engine.networks.vgg import load_perceptual
from srgan_cli.engine.training.patches import Batch
from srgan_cli.imaging.resize import downscale
from srgan_cli.observer import SilentObserver
from tests.toolbox import synthetic_photograph


@pytest.fixture(scope="module")
def batch():
    hr = [synthetic_photograph(32, 32, seed) for seed in range(4)]
    pairs = ([downscale(image, 2) for image in hr], hr)
    return Batch(*(torch.from_numpy(np.stack(side)) for side in pairs))


@pytest.fixture(scope="module")
def features():
    return load_perceptual("vgg16", SilentObserver())
