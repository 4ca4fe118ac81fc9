"""Encode results: choose mode and options of each format, and keep profile and metadata."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

from PIL import Image

from srgan_cli.errors import InputError
from srgan_cli.imaging.canvas import Canvas
from srgan_cli.imaging.containers.blocks import Blocks
from srgan_cli.imaging.files import animation
from srgan_cli.imaging.files.carrying import save_with_blocks, write_deep_png
from srgan_cli.imaging.files.colour import ColourPlan, planned, to_srgb
from srgan_cli.imaging.files.formats import Format
from srgan_cli.imaging.files.tiff import TiffFile
from srgan_cli.imaging.metadata.transfer import (
    Metadata,
    fitted,
    lost_parts,
    with_resolution,
    without_lost,
)

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

    @property
    def is_lossy(self) -> bool:
        """Whether a higher quality would come closer to the pixels."""
        by_default = self.format.name in DEFAULT_QUALITY
        return self.format.lossy and (self.quality is not None or by_default)


@dataclass(frozen=True, slots=True)
class Painted:
    """One finished frame."""

    canvas: Canvas
    metadata: Metadata = field(default_factory=Metadata)
    """Of its source."""
    duration: float | None = None
    """Milliseconds."""


def write_frames(path: Path, frames: Iterator[Painted], encoding: Encoding) -> list[str]:
    """Encode the frames of one file; later frames are made while earlier ones are encoded.

    Args:
        path: Written in place: the caller gives it its final name.
        frames: At least one. Only the first is taken if the format holds one.
        encoding: The format and its settings.

    Returns:
        What the format could not hold, in words.

    Raises:
        InputError: The encoder refuses the image.
        OSError: The disk is full or the folder cannot be written.
    """
    first = next(frames)
    if encoding.format.frames == "one":
        frames = iter(())
    writer = _Writer(path, encoding)
    if first.canvas.deep and encoding.format.name == "PNG":
        writer.write_deep(first)
        assert next(frames, None) is None, "16-bit animations are read with 8 bits"
    elif encoding.format.name == "TIFF":
        writer.write_pages(chain([first], frames))
    else:
        writer.write_shallow(first, frames)
    return list(dict.fromkeys(writer.notes))


class _Writer:
    """Writes one file and notes what its format cannot hold."""

    def __init__(self, path: Path, encoding: Encoding) -> None:
        self._path, self._encoding = path, encoding
        self._format = encoding.format
        self.notes: list[str] = []

    def write_deep(self, frame: Painted) -> None:
        """Write a PNG of 16 bits."""
        _, blocks = self._described(frame)
        with self._encoding_errors():
            write_deep_png(self._path, frame.canvas.array(), blocks)

    def write_pages(self, frames: Iterator[Painted]) -> None:
        """Write a TIFF, each page with its own metadata."""
        with TiffFile(self._path) as file:
            for number, frame in enumerate(frames):
                if number and frame.duration is not None:
                    self.notes.append("frame times are not kept in TIFF: frames become pages")
                _, blocks = self._described(frame)
                with self._encoding_errors():
                    file.write(frame.canvas, blocks)

    def write_shallow(self, first: Painted, others: Iterator[Painted]) -> None:
        """Write through Pillow with 8 bits per channel."""
        image, blocks = self._finished(first)
        options = _encoder_options(self._encoding)
        # Timing must be known before the first frame is written.
        images, durations = [image], [first.duration or 0.0]
        for frame in others:
            images.append(self._finished(frame)[0])
            durations.append(frame.duration or 0.0)
        if len(images) > 1:
            image, more = self._animated(images, durations, first.metadata.plays)
            options |= more
        elif self._format.name == "GIF":
            image = _for_gif(image)
        with self._encoding_errors():
            save_with_blocks(self._path, image, self._format.name, blocks, options)

    def _animated(
        self, images: list[Image.Image], durations: list[float], plays: int | None
    ) -> tuple[Image.Image, dict[str, Any]]:
        name = self._format.name
        if name == "GIF":
            images = [_for_gif(image) for image in _alike(images)]
        images, durations = animation.merged(images, durations)
        times = animation.timed(name, durations, self.notes)
        options = animation.options(name, times, plays, self.notes)
        if len(images) == 1:
            return images[0], {"duration": options["duration"]} if name == "GIF" else {}
        return images[0], options | {"save_all": True, "append_images": images[1:]}

    def _finished(self, frame: Painted) -> tuple[Image.Image, Blocks]:
        """Return a frame in a form that the format holds, and its blocks."""
        plan, blocks = self._described(frame)
        image = frame.canvas.image()
        if plan.convert is not None:
            image = to_srgb(image, plan.convert, grey=_stays_grey(image.mode, self._encoding))
        image = _fitting(image, self._encoding, self.notes)
        return image, blocks

    def _described(self, frame: Painted) -> tuple[ColourPlan, Blocks]:
        """Decide what a frame's colours and its other blocks become."""
        source = frame.metadata.blocks
        canvas = frame.canvas
        mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[canvas.channels]
        plan = planned(
            source,
            self._format,
            grey=canvas.channels < 3,
            grey_result=_stays_grey(mode, self._encoding),
        )
        size = (canvas.width, canvas.height)
        blocks = fitted(self._format.name, frame.metadata, size, srgb=plan.convert is not None)
        blocks = replace(blocks, icc=plan.icc, coding=plan.coding)
        blocks = with_resolution(self._format.name, blocks)
        lost = lost_parts(self._format.name, blocks, source=source)
        self.notes += [f"{part} is not kept in {self._format.name}" for part in lost]
        self.notes += [plan.note] if plan.note else []
        return plan, without_lost(blocks, lost)

    @contextmanager
    def _encoding_errors(self) -> Iterator[None]:
        """Turn what an encoder raises into the failure of this image alone."""
        try:
            yield
        except (MemoryError, InputError):
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError(
                f"{self._format.name} cannot store this image: {reason}",
                hint="choose another format, for example --ext png",
            ) from error


def _alike(images: list[Image.Image]) -> list[Image.Image]:
    """Give all frames transparency if one has it: disposal would clear others to a colour."""
    if any(image.mode in {"LA", "RGBA"} for image in images):
        return [image.convert("RGBA") for image in images]
    if any(image.mode != images[0].mode for image in images):
        return [image.convert("RGB") for image in images]
    return images


def _stays_grey(mode: str, encoding: Encoding) -> bool:
    """Say whether an image of a mode is written in grey."""
    format_ = encoding.format
    if mode == "LA":
        return format_.grey_alpha if format_.alpha else _is_grey(encoding)
    return mode == "L" and format_.grey


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


def _encoder_options(encoding: Encoding) -> dict[str, Any]:
    quality = encoding.quality
    chosen = quality or DEFAULT_QUALITY.get(encoding.format.name)
    match encoding.format.name:
        case "JPEG":
            return {"quality": chosen, "subsampling": 0}
        case "PNG":
            # Upscaled images hardly repeat themselves: to look for repetitions takes three
            # times as long and makes files 1 % smaller (docs/speed.md).
            return {"compress_type": zlib.Z_RLE}
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
