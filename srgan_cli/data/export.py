"""Write a data set as plain picture folders, for other tools."""

from collections import Counter
from pathlib import Path

from PIL import Image

from srgan_cli.data.store import Store
from srgan_cli.observer import Observer
from srgan_cli.paths import written_beside


def export_png(folder: Path, observer: Observer) -> Path:
    """Write the pictures of a data set as PNG files; those that exist are left alone.

    They go to ``png/<split>/hr`` and ``png/<split>/lr`` in the set's folder (``lr-x4`` and so
    on where it holds several scales), under their sources' paths with ``.png`` appended, and
    the number of the picture where a photograph was cut into several.

    Returns:
        The folder ``png``.

    Raises:
        InputError: The set is damaged.
        OSError: The disk is full.
    """
    target = folder / "png"
    scales = Store(folder).manifest.scales
    total = len(Store(folder).manifest.pictures) * len(scales)
    with observer.bar("exporting", total=total, unit="pictures") as bar:
        for scale in scales:
            store = Store(folder, scale)
            sources = Counter(entry.source for entry in store.manifest.pictures)
            lr_name = "lr" if len(scales) == 1 else f"lr-x{scale}"
            for entry in store.manifest.pictures:
                part = f"-{entry.index}" if sources[entry.source] > 1 else ""
                name = f"{entry.source.removeprefix('hr/')}{part}.png"
                for side, pixels in zip((lr_name, "hr"), store.pair(entry), strict=True):
                    _write(target / entry.split / side / name, pixels.numpy())
                bar.advance()
    return target


def _write(path: Path, pixels: "Image.SupportsArrayInterface") -> None:
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_beside(path) as temporary:
        Image.fromarray(pixels).save(temporary, compress_level=1)
