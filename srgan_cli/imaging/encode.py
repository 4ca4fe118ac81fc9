"""Encode results: choose mode and options of each format, and keep profile and metadata."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from PIL import Image

from srgan_cli.errors import InputError
from srgan_cli.imaging.canvas import Canvas
from srgan_cli.imaging.colour import to_srgb
from srgan_cli.imaging.deep import write_png
from srgan_cli.imaging.formats import Format
from srgan_cli.imaging.metadata import Metadata, lost_parts, save_options
from srgan_cli.imaging.tiff import TiffFile

DEFAULT_QUALITY = {"JPEG": 95, "AVIF": 90, "HEIF": 90}
"""For the formats that are always lossy; the others are lossless unless a quality is given."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a result is written."""

    format: Format
    quality: int | None = None
    """1 to 100 for lossy formats; None for their default, which is lossless where it can be."""
    background: str = "white"
    """Colour that transparent images are laid on where the format has no transparency."""


@dataclass(frozen=True, slots=True)
class Painted:
    """One finished frame."""

    canvas: Canvas
    duration: float | None = None
    """Milliseconds."""


def write_frames(
    path: Path, frames: Iterator[Painted], encoding: Encoding, metadata: Callable[[], Metadata]
) -> list[str]:
    """Encode the frames of one file; later frames are made while earlier ones are encoded.

    Args:
        path: Written in place: the caller gives it its final name.
        frames: At least one. Only the first is taken if the format holds one.
        encoding: The format and its settings.
        metadata: Called once the first frame is there.

    Returns:
        What the format could not hold, in words.

    Raises:
        InputError: The encoder refuses the image.
        OSError: The disk is full or the folder cannot be written.
    """
    first = next(frames)
    kept = metadata()
    notes = [f"{part} is not kept in {encoding.format.name}" for part in _lost(encoding, kept)]
    if encoding.format.frames == "one":
        frames = iter(())
    try:
        if first.canvas.deep and encoding.format.name == "PNG":
            _refuse_more(frames)
            write_png(path, first.canvas.array(), kept)
        elif encoding.format.name == "TIFF":
            with TiffFile(path, kept) as file:
                for frame in chain([first], frames):
                    file.write(frame.canvas)
        else:
            _write_shallow(path, first, frames, encoding, kept, notes)
    except (ValueError, KeyError, SystemError, Image.DecompressionBombError) as error:
        raise InputError(
            f"{path.name}: {encoding.format.name} cannot store this image: {error}",
            hint="choose another format, for example --ext png",
        ) from error
    return notes


def _refuse_more(frames: Iterator[Painted]) -> None:
    assert next(frames, None) is None, "16-bit animations are read with 8 bits"


def _lost(encoding: Encoding, metadata: Metadata) -> list[str]:
    return lost_parts(encoding.format.name, metadata)


def _write_shallow(
    path: Path,
    first: Painted,
    others: Iterator[Painted],
    encoding: Encoding,
    metadata: Metadata,
    notes: list[str],
) -> None:
    """Write through Pillow with 8 bits per channel."""
    name = encoding.format.name
    profile = metadata.icc
    if profile and not encoding.format.icc:
        notes.append(f"{name} cannot store a colour profile: colours were converted to sRGB")
        metadata = replace(metadata, icc=None)

    durations: list[int] = []

    def finished(frame: Painted) -> Image.Image:
        durations.append(round(frame.duration or 0))
        image = frame.canvas.image()
        if profile and not encoding.format.icc:
            image = to_srgb(image, profile)
        return _fitting(image, encoding, notes)

    image = finished(first)
    options = save_options(name, metadata, image.size) | _encoder_options(encoding)
    second = next(others, None)
    if second is None:
        image.save(path, name, **options)
        return
    rest: Iterable[Image.Image] = (finished(frame) for frame in chain([second], others))
    if encoding.format.frames == "animation":
        # Timing must be known before the first frame is written.
        rest = list(rest)
        options |= _timing(name, durations, metadata.loop)
    image.save(path, name, save_all=True, append_images=rest, **options)


def _fitting(image: Image.Image, encoding: Encoding, notes: list[str]) -> Image.Image:
    """Bring an image into a mode that the format holds."""
    format_ = encoding.format
    if image.mode in {"LA", "RGBA"} and not format_.alpha:
        note = f"transparency was replaced by a {encoding.background} background"
        if note not in notes:
            notes.append(note)
        colour = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, encoding.background)
        ground.alpha_composite(colour)
        image = ground.convert("L" if image.mode == "LA" and _is_grey(encoding) else "RGB")
    if image.mode == "LA" and not format_.grey_alpha:
        image = image.convert("RGBA")
    if image.mode == "L" and not format_.grey:
        image = image.convert("RGB")
    if format_.name == "GIF":
        image = _for_gif(image)
    return image


def _is_grey(encoding: Encoding) -> bool:
    ground = Image.new("RGB", (1, 1), encoding.background).getpixel((0, 0))
    return encoding.format.grey and isinstance(ground, tuple) and len(set(ground)) == 1


def _for_gif(image: Image.Image) -> Image.Image:
    """Choose up to 256 colours; GIF pixels are opaque or transparent, nothing between."""
    if image.mode == "L":
        return image
    if image.mode != "RGBA":
        return image.quantize(256, Image.Quantize.MEDIANCUT)
    alpha = image.getchannel("A").point(lambda level: 255 if level >= 128 else 0)
    # Opaque frames keep the entry too: without it, disposal would clear to a colour.
    indexed = image.convert("RGB").quantize(255, Image.Quantize.MEDIANCUT)
    indexed.paste(255, mask=alpha.point(lambda level: 255 - level))
    indexed.info["transparency"] = 255
    return indexed


def _timing(name: str, durations: list[int], loop: int | None) -> dict[str, Any]:
    """Return the options for animations. Frames are whole images, each replacing the last."""
    options: dict[str, Any] = {"duration": durations}
    match name:
        case "GIF":
            options["disposal"] = 2
            if loop is not None:
                options["loop"] = loop
        case "PNG":
            options |= {"loop": 0 if loop is None else loop, "disposal": 0, "blend": 0}
        case "WEBP":
            options["loop"] = 0 if loop is None else loop
    return options


def _encoder_options(encoding: Encoding) -> dict[str, Any]:
    quality = encoding.quality
    chosen = quality or DEFAULT_QUALITY.get(encoding.format.name)
    match encoding.format.name:
        case "JPEG":
            return {"quality": chosen, "subsampling": 0}
        case "WEBP":
            # exact: colours under transparent pixels stay, and with them clean edges.
            return {"quality": quality} if quality else {"lossless": True, "exact": True}
        case "AVIF":
            return {"quality": chosen, "subsampling": "4:4:4"}
        case "HEIF":
            return {"quality": chosen, "chroma": 444}
        case "JXL":
            return {"quality": quality} if quality else {"lossless": True}
        case "JPEG2000":
            if quality is None:
                return {"irreversible": False}
            # Pillow has no quality here; the ratio runs from 1:1 at 100 to 1:50 at 1.
            return {"irreversible": True, "quality_layers": [1 + (100 - quality) / 2]}
        case "TGA":
            return {"compression": "tga_rle"}
        case _:
            return {}
