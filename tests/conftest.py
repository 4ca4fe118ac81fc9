"""What every tier shares: a home of its own, real data where present, synthetic photographs."""

import runpy
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from srgan_cli import engine
from srgan_cli.config import PrepareConfig
from srgan_cli.engine.models import installable
from srgan_cli.observer import SilentObserver
from tests.toolbox import synthetic_photograph
from tests.toolbox.scripts import ROOT

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

MakePhotographs = Callable[..., list[Path]]


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Sums come out in one order, and the tests leave the other cores alone."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _compiled():
    """Programs that tests start find the project compiled, as pip leaves it, and start sooner."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def _interruptible():
    """Programs that tests start hear Ctrl-C even if the test run itself was started deaf to it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _unmeasured():
    """Runtimes follow from the rule and results are in fp32, whatever is fast on this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SRGAN_MEASURE", "0")
        yield


@pytest.fixture(autouse=True)
def packages(monkeypatch) -> list[Path]:
    """Look for packages with published models in these folders, none at first, and nowhere else."""
    folders: list[Path] = []
    monkeypatch.setattr(installable, "_folders", lambda module: [each / module for each in folders])
    return folders


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


@pytest.fixture(scope="session")
def photographs(tmp_path_factory, make_photographs):
    """Make a folder of twelve small photographs."""
    folder = tmp_path_factory.mktemp("photographs") / "photos"
    make_photographs(folder, count=12, size=(136, 128))
    return folder


@pytest.fixture(scope="session")
def prepared_once(tmp_path_factory, photographs):
    """Make a home with the data set ``photos-x2``."""
    folder = tmp_path_factory.mktemp("prepared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SRGAN_HOME", str(folder))
        engine.prepare(PrepareConfig(photographs), SilentObserver())
    return folder


@pytest.fixture
def prepared(home, prepared_once):
    """Fill this test's home with the data set ``photos-x2``."""
    shutil.copytree(prepared_once, home)
    return home / "datasets" / "photos-x2"


@pytest.fixture
def script(monkeypatch, capsys):
    """Return a function that runs a script in this process and returns what it prints."""

    def run(name, *arguments):
        path = ROOT / name
        monkeypatch.setattr(sys, "argv", [str(path), *map(str, arguments)])
        monkeypatch.syspath_prepend(path.parent)
        capsys.readouterr()
        runpy.run_path(str(path), run_name="__main__")
        return capsys.readouterr().out

    yield run
    torch.set_num_threads(1)
