"""Export a data set as folders of PNG files for other tools (``--export png``). No torch here."""

import shutil
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PIL import Image
from safetensors import SafetensorError, safe_open

from srgan_cli.data.manifest import MANIFEST, Manifest, ManifestEntry
from srgan_cli.data.names import without_hr_folder
from srgan_cli.data.workers import run_parallel
from srgan_cli.errors import InputError
from srgan_cli.imaging.files.admission import require_regular
from srgan_cli.observer import Observer
from srgan_cli.paths import file_sha256, write_text, written_beside
from srgan_cli.processes import Node

Task = tuple[str, tuple[tuple[str, str], ...]]
"""A shard, and which of its tensors go into which files."""


def export_png(folder: Path, observer: Observer) -> Path:
    """Write the images of a data set as PNG files, on all cores.

    Those that an interrupted export has written are left alone; an export of what the set
    was before it grew or was replaced is deleted first, since tools train on all they find.

    They go to ``png/<split>/hr`` and ``png/<split>/lr`` in the set's folder (``lr-x4`` and so
    on where it holds several scales), under their sources' paths with ``.png`` appended, and
    the number of the image where a photograph was cut into several.

    Returns:
        The folder ``png``.

    Raises:
        InputError: The set is damaged.
        OSError: The disk is full.
    """
    target = folder / "png"
    _start(target, file_sha256(folder / MANIFEST))
    manifest = Manifest.read(folder)
    tasks = _tasks(manifest)
    total = sum(len(files) for _, files in tasks)
    with observer.bar("exporting", total=total, unit="images") as bar:
        work = partial(_export_shard, folder, target, manifest.repair)
        for (_, files), _ in run_parallel(work, tasks, Node().num_workers):
            bar.advance(len(files))
    return target


def _start(target: Path, manifest: str) -> None:
    """Make the folder, or empty one that was made by another manifest."""
    mark = target / ".manifest"
    if target.exists() and not (mark.is_file() and mark.read_bytes() == manifest.encode()):
        shutil.rmtree(target)
    target.mkdir(exist_ok=True)
    write_text(mark, manifest)


def _tasks(manifest: Manifest) -> list[Task]:
    parts = Counter(entry.source for entry in manifest.images)
    names = without_hr_folder(list(parts))
    files: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for entry in manifest.images:
        files[entry.shard] += _files(
            entry, names[entry.source], manifest.scales, whole=parts[entry.source] == 1
        )
    return [(shard, tuple(pairs)) for shard, pairs in files.items()]


def _files(
    entry: ManifestEntry, source: str, scales: Sequence[int], *, whole: bool
) -> list[tuple[str, str]]:
    """Return an image's tensors and the files that they go into."""
    part = "" if whole else f"-{entry.index}"
    name = f"{source}{part}.png"
    sides = [("hr", "hr")]
    sides += [(f"lr-x{scale}", "lr" if len(scales) == 1 else f"lr-x{scale}") for scale in scales]
    return [(f"{side}/{entry.index}", f"{entry.split}/{to}/{name}") for side, to in sides]


def _export_shard(folder: Path, target: Path, repair: str, task: Task) -> None:
    name, files = task
    try:
        require_regular(folder / name)
        with safe_open(folder / name, framework="np") as shard:
            for key, file in files:
                if not (target / file).exists():
                    _write(target / file, shard.get_tensor(key))
    except (InputError, SafetensorError) as error:
        raise InputError(f"{folder / name}: damaged shard ({error})", hint=repair) from error


def _write(path: Path, pixels: "Image.SupportsArrayInterface") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_beside(path) as temporary:
        Image.fromarray(pixels).save(temporary, compress_level=1)
