"""Find shards that are missing or damaged. No torch here."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from srgan_cli.data.manifest import Checksum, Manifest
from srgan_cli.data.shards import read_shard
from srgan_cli.errors import InputError
from srgan_cli.observer import Observer
from srgan_cli.processes import num_cores


def damaged_shards(
    folder: Path, manifest: Manifest, observer: Observer, *, thorough: bool = True
) -> frozenset[str]:
    """Return the names of a set's shards that are missing, or not as they were written.

    Args:
        folder: The data set's folder.
        manifest: What it should hold; of sets from before there were checksums, only the
            structure of the shards can be checked.
        observer: Shows the progress.
        thorough: Compare the hash of every byte; else only sizes and headers.
    """

    def is_whole(name: str) -> bool:
        known = manifest.checksums.get(name)
        if known is None or not thorough:
            return not _size_differs(folder / name, known) and is_readable(folder / name)
        try:
            return not _size_differs(folder / name, known) and Checksum.of(folder / name) == known
        except OSError:
            return False

    damaged = set()
    with (
        observer.bar("checking", total=len(manifest.shards), unit="shards") as bar,
        ThreadPoolExecutor(num_cores()) as pool,
    ):
        for name, whole in zip(manifest.shards, pool.map(is_whole, manifest.shards), strict=True):
            bar.advance()
            if not whole:
                damaged.add(name)
    return frozenset(damaged)


def is_readable(path: Path) -> bool:
    """Say whether a file is a shard that is complete, as far as its header tells."""
    try:
        read_shard(path)
    except InputError:
        return False
    return True


def checksums_of(folder: Path, names: Sequence[str]) -> dict[str, Checksum]:
    """Return what will show whether shards are as they are now.

    Raises:
        OSError: One cannot be read.
    """
    with ThreadPoolExecutor(num_cores()) as pool:
        found = pool.map(lambda name: Checksum.of(folder / name), names)
        return dict(zip(names, found, strict=True))


def _size_differs(path: Path, known: Checksum | None) -> bool:
    try:
        return known is not None and path.stat().st_size != known.size
    except OSError:
        return True
