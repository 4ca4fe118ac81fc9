"""A model whose result is known, and files that once came out wrong."""

from pathlib import Path

import pytest
import torch

from tests.toolbox import Upscale, save_bilinear

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"


@pytest.fixture(scope="session")
def bilinear(tmp_path_factory):
    torch.set_num_threads(1)
    return save_bilinear(tmp_path_factory.mktemp("model") / "bilinear.safetensors")


@pytest.fixture
def upscale(bilinear):
    return Upscale(bilinear)


@pytest.fixture
def case():
    """Return a function that gives the path of a case's file."""

    def path(name: str) -> Path:
        if not CASES.is_dir():
            pytest.skip("needs shared/cases beside the repository")
        return CASES / name

    return path
