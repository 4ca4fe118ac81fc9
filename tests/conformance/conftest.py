"""A model whose result is known."""

import pytest
import torch

from tests.toolbox import Upscale, save_bilinear


@pytest.fixture(scope="session")
def bilinear(tmp_path_factory):
    torch.set_num_threads(1)
    return save_bilinear(tmp_path_factory.mktemp("model") / "bilinear.safetensors")


@pytest.fixture
def upscale(bilinear):
    return Upscale(bilinear)
