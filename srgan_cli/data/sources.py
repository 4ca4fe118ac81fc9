"""List the files and folders from which a data set is made. No torch here."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from srgan_cli.data.photographs import Photograph, find_photographs, listed
from srgan_cli.errors import InputError


@dataclass(frozen=True, slots=True)
class Sources:
    """Folders that the images of a set lie below.

    An image is known by its path below the one folder that was named; where several were
    named, the folder's name comes first.
    """

    folders: Mapping[str, Path]
    """By the name that comes first; the only one of a set has the name ``""``."""

    def path(self, source: str) -> Path:
        """Return where an image lies."""
        if "" in self.folders:
            return self.folders[""] / source
        first, _, rest = source.partition("/")
        return self.folders[first] / rest

    def below(self, path: Path) -> str:
        """Return what a file or folder below one of the folders is called."""
        for name, folder in self.folders.items():
            if path.is_relative_to(folder):
                inside = path.relative_to(folder).as_posix()
                return f"{name}/{inside}" if name else inside
        raise ValueError(f"{path} is below none of {[*self.folders.values()]}")


def open_sources(paths: Sequence[Path]) -> Sources:
    """Give each of the named folders, and the folder of each named file, a name of its own.

    Raises:
        InputError: One does not exist.
    """
    for path in paths:
        if not path.exists():
            raise InputError(f"{path}: no such file or folder", hint="name folders or files")
    if len(paths) == 1 and paths[0].is_dir():
        return Sources({"": paths[0]})
    folders: dict[str, Path] = {}
    for folder in dict.fromkeys(path if path.is_dir() else path.parent for path in paths):
        name = stem = folder.resolve().name or "root"
        number = 2
        while name in folders:
            name, number = f"{stem}-{number}", number + 1
        folders[name] = folder
    return Sources(folders)


def list_photographs(paths: Sequence[Path], sources: Sources) -> list[Photograph]:
    """List the images that files and folders name, each once, sorted by path.

    Raises:
        InputError: A folder holds no image.
    """
    found = [photo for path in paths for photo in _below(path, sources)]
    if len(paths) == 1:
        return found
    # One may lie in another.
    by_file = {sources.path(photo.source).resolve(): photo for photo in reversed(found)}
    return sorted(by_file.values(), key=lambda photo: photo.source.split("/"))


def _below(path: Path, sources: Sources) -> Iterable[Photograph]:
    if not path.is_dir():
        return [listed(path, sources.below(path))]
    start = sources.below(path / "x").removesuffix("x")
    return [replace(photo, source=start + photo.source) for photo in find_photographs(path)]
