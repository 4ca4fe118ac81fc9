"""What the shell completes behind an option: names of models, runs, data sets and devices.

Only names of files and folders are read, and torch is never imported. Where nothing fits, shells
complete files.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from srgan_cli import engine
from srgan_cli.config.common import BUNDLED
from srgan_cli.paths import datasets_dir, models_dir, runs_dir

Completion = Callable[[str], list[str]]


def models(incomplete: str) -> list[str]:
    """Complete the name of a model: bundled, on the shelf, a run, or of an installed package."""
    shelf = (path.stem for path in models_dir().glob("[!.]*.safetensors"))
    installed = (model.name for model in engine.published_models() if model.installed)
    return _fitting([*BUNDLED, *shelf, *_run_names(), *installed], incomplete)


def on_shelf(incomplete: str) -> list[str]:
    """Complete the name of a model that can be removed."""
    return _fitting((path.stem for path in models_dir().glob("[!.]*.safetensors")), incomplete)


def runs(incomplete: str) -> list[str]:
    """Complete the name of a run to continue."""
    found = (path.name for path in runs_dir().glob("[!.]*") if path.is_dir())
    return _fitting(["latest", *found], incomplete)


def data_sets(incomplete: str) -> list[str]:
    """Complete the name of a prepared data set."""
    found = datasets_dir().glob("[!.]*")
    return _fitting((path.name for path in found if path.is_dir()), incomplete)


def devices(incomplete: str) -> list[str]:
    """Complete a device; which there are is known without asking PyTorch only on Linux."""
    cards = sorted(path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*"))
    apple = ["mps"] if sys.platform == "darwin" else []
    names = ["auto", "cpu", "cuda", *(f"cuda:{number}" for number in cards), *apple, "xpu"]
    return _fitting(names, incomplete)


def completion_of(name: str, metavar: str | None) -> Completion | None:
    """Return what completes the value of an option, by what the help calls that value.

    Args:
        name: The option's parameter.
        metavar: What stands for its value in the help.
    """
    return devices if name == "device" else _BY_METAVAR.get(metavar or "")


def _run_names() -> Iterable[str]:
    return (path.parent.name for path in runs_dir().glob("[!.]*/weights.safetensors"))


def _fitting(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete)]


_BY_METAVAR: Mapping[str, Completion] = {
    "NAME|FILE": models,
    "RUN|latest": runs,
    "NAME|FOLDER": data_sets,
}
