"""What a reader of a set's figures should know: images equal to HR, and what was not scored."""

import math
from collections.abc import Iterator, Mapping, Sequence

from srgan_cli.data.names import named
from srgan_cli.engine.evaluation.protocol import ImageScores
from srgan_cli.imaging.comparison import PSNR


def equal_to_hr(
    contenders: Sequence[str], images: Sequence[ImageScores]
) -> dict[str, tuple[str, ...]]:
    """Return each contender's images whose PSNR is infinite; contenders without any are absent."""
    found = {
        name: tuple(p.name for p in images if math.isinf(p.scores[name][PSNR.name]))
        for name in contenders
    }
    return {name: images for name, images in found.items() if images}


def equality_notes(equal: Mapping[str, Sequence[str]], total: int) -> Iterator[str]:
    """Say which images are equal to HR; contenders with the same ones share a line."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for name, images in equal.items():
        groups.setdefault(tuple(images), []).append(name)
    for images, names in groups.items():
        rest = total - len(images)
        means = f"; PSNR and gain are those of the other {rest}" if rest else ""
        verb = "is" if len(images) == 1 else "are"
        yield f"{', '.join(names)}: {_of(images, total)} {verb} equal to HR{means}"


def file_notes(images: Mapping[str, Sequence[tuple[str, str]]]) -> Iterator[str]:
    """Say what of the files was not scored, one line for all images of which it is true.

    Args:
        images: For every image's name, whose file (HR, LR, a folder's name), and what.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for image, notes in images.items():
        for said in notes:
            groups.setdefault(said, []).append(image)
    for (role, note), those in groups.items():
        yield f"{role}: {note} in {_of(those, len(images))}"


def _of(names: Sequence[str], total: int) -> str:
    return f"{len(names)} of {total} image{'s' * (total != 1)} ({named(names)})"
