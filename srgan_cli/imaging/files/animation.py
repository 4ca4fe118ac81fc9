"""Timing of animations: merge equal frames, and convert durations to what each format can store."""

from collections.abc import Sequence
from typing import Any

from PIL import Image

_LONGEST = {"GIF": 655_350, "WEBP": 2**24 - 1, "PNG": 65_535_000, "AVIF": 2**31 - 1}
"""Milliseconds that a frame can be shown."""
_UNIT = {"GIF": 10, "WEBP": 1, "AVIF": 1}
"""Milliseconds that times are multiples of; APNG has fractions."""
_MOST_PLAYS = {"GIF": 65_536, "WEBP": 65_535, "PNG": 2**31 - 1}


def merged(
    images: Sequence[Image.Image], durations: Sequence[float]
) -> tuple[list[Image.Image], list[float]]:
    """Put equal frames that follow one another together, with their common duration."""
    kept: list[Image.Image] = []
    times: list[float] = []
    for image, duration in zip(images, durations, strict=True):
        if kept and (kept[-1] is image or _equal(kept[-1], image)):
            times[-1] += duration
        else:
            kept.append(image)
            times.append(duration)
    return kept, times


def _equal(first: Image.Image, second: Image.Image) -> bool:
    # Not through a conversion, which would change the palette of the image itself.
    if (first.size, first.mode) != (second.size, second.mode):
        return False
    return first.getpalette() == second.getpalette() and first.tobytes() == second.tobytes()


def timed(name: str, durations: Sequence[float], notes: list[str]) -> list[float]:
    """Return durations that a format can say.

    They are rounded so that every frame begins as close to its time as it can.

    Args:
        name: Pillow's name of the format.
        durations: In milliseconds.
        notes: Gets a line where a frame cannot be shown for long enough, or where times move.
    """
    longest, unit = _LONGEST[name], _UNIT.get(name)
    result: list[float] = []
    exact = said = 0.0
    for wanted in durations:
        duration = max(0.0, wanted)
        if duration > longest:
            _tell(notes, name, duration, longest)
            result.append(longest)
            continue
        exact += duration
        rounded = duration if unit is None else unit * round((exact - said) / unit)
        rounded = min(longest, max(0.0, rounded))
        said += rounded
        result.append(rounded)
    if unit and any(abs(a - min(b, longest)) >= 1 for a, b in zip(result, durations, strict=True)):
        notes.append(f"frame times are rounded to {unit} ms, as {name} has them")
    return result


def _tell(notes: list[str], name: str, duration: float, longest: float) -> None:
    note = f"a frame of {duration / 1000:g} s is shown for {longest / 1000:g} s, {name}'s most"
    if note not in notes:
        notes.append(note)


def options(
    name: str, durations: Sequence[float], plays: int | None, notes: list[str]
) -> dict[str, Any]:
    """Return Pillow's options for an animation. Frames are whole images, each replacing the last.

    Args:
        name: Pillow's name of the format.
        durations: By :func:`timed`.
        plays: How often it is shown; 0 or None: for ever.
        notes: Gets a line where the format cannot say that.
    """
    times = [duration if name == "PNG" else round(duration) for duration in durations]
    chosen: dict[str, Any] = {"duration": times if len(times) > 1 else times[0]}
    most = _MOST_PLAYS.get(name)
    if plays and most is None:
        notes.append(f"it is shown for ever: {name} does not count repetitions")
    elif plays and most is not None and plays > most:
        notes.append(f"it is shown {most:,} times, {name}'s most")
        plays = most
    match name:
        case "GIF":
            chosen["disposal"] = 2
            # GIF counts the repetitions after the first showing.
            if plays != 1:
                chosen["loop"] = plays - 1 if plays else 0
        case "PNG":
            chosen |= {"loop": plays or 0, "disposal": 0, "blend": 0}
        case "WEBP":
            chosen["loop"] = plays or 0
    return chosen
