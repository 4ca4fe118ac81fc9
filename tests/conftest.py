"""What every tier shares: a home of its own, real data where present, synthetic photographs."""

import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

MakePhotographs = Callable[..., list[Path]]


def synthetic_photograph(width: int, height: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Return H, W, 3 pixels with what photographs have: slow gradients, sharp edges, texture."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / max(height, width)
    light = random.uniform(60, 120, 3) + random.uniform(40, 90, 3) * x[..., None]
    image = light + random.uniform(-40, 40, 3) * y[..., None]
    for _ in range(6):  # Discs in colours of their own: edges in every direction.
        centre_x, centre_y, radius = random.uniform(0, 1, 3) * (1, height / max(height, width), 0.3)
        inside = (x - centre_x) ** 2 + (y - centre_y) ** 2 < radius**2
        image[inside] = 0.3 * image[inside] + random.uniform(0, 180, 3)
    for _ in range(4):  # Gratings, fading out: fabric, foliage, brickwork.
        angle, frequency = random.uniform(0, np.pi), random.uniform(10, 60)
        wave = np.sin(2 * np.pi * frequency * (x * np.cos(angle) + y * np.sin(angle)))
        image += (10 * wave * random.uniform(0, 1) * x)[..., None]
    image += random.normal(0, 2, image.shape)
    return np.clip(np.round(image), 0, 255).astype(np.uint8)


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Sums come out in one order, and the tests leave the other cores alone."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _interruptible():
    """Programs that tests start hear Ctrl-C even if the test run itself was started deaf to it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """Point SRGAN_HOME to an empty folder."""
    folder = tmp_path / "home"
    monkeypatch.setenv("SRGAN_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of benchmark images, which is not part of the repository."""
    if not SHARED_DATA.is_dir():
        pytest.skip("needs the benchmark images of shared/data beside the repository")
    return SHARED_DATA


@pytest.fixture(scope="session")
def make_photographs() -> MakePhotographs:
    """Return a function that writes synthetic photographs, alternately PNG and JPEG, to a folder.

    ``make_photographs(folder, count=4, size=(192, 160), seed=0)`` gives the paths; the
    same arguments give the same files.
    """

    def make(
        folder: Path, count: int = 4, size: tuple[int, int] = (192, 160), seed: int = 0
    ) -> list[Path]:
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for i in range(count):
            path = folder / f"photo-{i:02d}{'.jpg' if i % 2 else '.png'}"
            Image.fromarray(synthetic_photograph(*size, seed=1000 * seed + i)).save(path)
            paths.append(path)
        return paths

    return make
