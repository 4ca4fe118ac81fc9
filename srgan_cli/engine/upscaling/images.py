"""Upscale images in memory: ``srgan_cli.load`` and ``srgan_cli.upscale_image`` (docs/python.md)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import get_args, overload

import numpy as np
from PIL import Image

from srgan_cli.config import Precision, RuntimeName, UpscaleConfig
from srgan_cli.engine.inference.frame import upscale_frame
from srgan_cli.engine.inference.sizes import result_size
from srgan_cli.engine.upscaling.arguments import (
    Progress,
    choice,
    flag,
    listener,
    model_name,
    number,
    text,
    whole,
)
from srgan_cli.engine.upscaling.choice import Models, load_models
from srgan_cli.engine.upscaling.upscale import upscale_with
from srgan_cli.errors import InputError
from srgan_cli.imaging.canvas import Canvas
from srgan_cli.imaging.exchange import (
    Array,
    array_like,
    frame_of_array,
    frame_of_image,
    image_like,
    refuse_image,
)
from srgan_cli.imaging.frames import Frame
from srgan_cli.observer import Bar, SilentBar, SilentObserver


class LoadedModel:
    """A model that stays in memory, for any number of images.

    Args:
        models: The model, ready to run, and what damaged images get instead, if they do.
        config: The options that it was loaded with; inputs, sizes and formats are ignored.
    """

    def __init__(self, models: Models, config: UpscaleConfig) -> None:
        self._models, self._upscaler, self._config = models, models.upscaler, config

    def __repr__(self) -> str:
        """Say what it is."""
        return f"<{self.name}, ×{self.scale}, on {self.device} with {self.runtime}>"

    @property
    def name(self) -> str:
        """Its name, such as ``photo-x2``; that for clean images if none was named."""
        return self._upscaler.model.source.name

    @property
    def scale(self) -> int:
        """Its own factor per side."""
        return self._upscaler.model.scale

    @property
    def device(self) -> str:
        """Where it runs, such as ``cpu``, ``cuda:0`` or ``vulkan``."""
        return self._upscaler.amp.where

    @property
    def runtime(self) -> str:
        """What runs it: ``torch``, ``ncnn``, ``onnxruntime`` or ``openvino``."""
        return self._upscaler.runtime

    @overload
    def upscale_image(
        self, image: Image.Image, scale: float | None = ..., *, progress: Progress | None = ...
    ) -> Image.Image: ...
    @overload
    def upscale_image(
        self, image: Array, scale: float | None = ..., *, progress: Progress | None = ...
    ) -> Array: ...
    @overload
    def upscale_image(
        self, image: Path | str, scale: float | None = ..., *, progress: Progress | None = ...
    ) -> Path: ...
    def upscale_image(
        self,
        image: Image.Image | Array | Path | str,
        scale: float | None = None,
        *,
        progress: Progress | None = None,
    ) -> Image.Image | Array | Path:
        """Upscale an image; the result has the type of the input.

        Args:
            image: One of

                - a NumPy array: H, W or H, W, 1 (grey), H, W, 3 (RGB) or H, W, 4 (RGBA, straight
                  alpha); uint8, uint16, or floats from 0 to 1, which are computed with 16 bits;
                - a Pillow image of mode L, LA, RGB, RGBA or I;16; modes 1, P and PA come back as
                  L, RGB or RGBA. Colour profile and EXIF are kept; of an animation the current
                  frame is upscaled, and nothing is turned upright;
                - a file's path: the result is written beside it as ``name_x2.ext``, as
                  ``srgan upscale`` does, with metadata, depth, frames and pages, and its path
                  comes back. A file that srgan did not make is never replaced. To write it
                  elsewhere, pass a Pillow image, and save the result.
            scale: Factor per side, more than 1 and at most 32. None: the one that :func:`load`
                was given, else the model's own.
            progress: Called with the share that is done, from 0 to 1, after each tile; for a file
                possibly from another thread. An exception that it raises stops the work and
                is raised here.

        Returns:
            The result, of the same kind, type, depth and channels.

        Raises:
            SrganError: The image is of another kind, shape, type or range, or cannot be read; the
                scale is out of range; or memory or disk are lacking.
        """
        if scale is not None:
            config = replace(self._config, scale=number("scale", scale))
        else:
            config = self._config
        observer = _Listening(listener(progress))
        if isinstance(image, str | Path):
            return self._upscale_file(Path(image), config, observer)
        if isinstance(image, Image.Image):
            canvas = self._upscale_frame(frame_of_image(image), config, observer)
            return image_like(image, canvas)
        if not isinstance(image, np.ndarray):
            refuse_image(
                f"of type {type(image).__name__}",
                "a Pillow image, a path or a NumPy array",
                "bytes and open files are read by Pillow: Image.open(io.BytesIO(data))",
            )
        canvas = self._upscale_frame(frame_of_array(image), config, observer)
        return array_like(image, canvas)

    def _upscale_frame(self, frame: Frame, config: UpscaleConfig, observer: "_Listening") -> Canvas:
        size = result_size(frame.width, frame.height, config, self.scale)
        total = frame.width * frame.height / 1e6
        with observer.bar("upscaling", total=total, unit="MP") as bar:
            upscaler = self._models.choose(frame).upscaler.suited_to(frame.pixels)
            return upscale_frame(upscaler, frame, size, bar)

    def _upscale_file(self, path: Path, config: UpscaleConfig, observer: "_Listening") -> Path:
        if path.is_dir():
            hint = "pass the path of one image; srgan upscale takes folders"
            raise InputError(f"{path} is a folder", hint=hint)
        if not path.is_file():
            raise InputError(f"{path}: no such file", hint="pass the path of an image")
        report = upscale_with(self._models, replace(config, inputs=(path,)), observer)
        for failure in report.failed:
            raise InputError(failure.reason, hint=_in_python(failure.hint))
        return report.written[0].output if report.written else report.unchanged[0]


def load(
    model: str | Path | None = None,
    *,
    scale: float | None = None,
    device: str = "auto",
    strength: float | None = None,
    precision: Precision = "auto",
    runtime: RuntimeName = "auto",
    tile: int | None = None,
    tta: bool = False,
) -> LoadedModel:
    """Load a model once, to upscale several images with it.

    The arguments are those of ``srgan upscale``; see docs/cli.md.

    Args:
        model: A name that ``srgan models list`` shows, a part of one, or a weights file. None:
            what ``srgan upscale`` would use, for each image: damaged ones may get ``restore``
            instead of ``photo``.
        scale: Factor per side of the results, by a model of that scale if the name fits one, else
            by the next larger one, reduced. None: the model's own; ×2 if the name fits several.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``, ``xpu``, ``vulkan``, or another
            that ``srgan doctor`` lists.
        strength: From faithful (0) to sharp (1), for models that are a pair.
        precision: ``fp32``, ``fp16``, ``bf16``, or ``auto``: the fastest that is accurate.
        runtime: ``auto``, ``torch``, ``ncnn``, ``onnxruntime`` or ``openvino``.
        tile: Side of the square that the network upscales at once, in LR pixels. None: as
            large as fits into memory.
        tta: Average the results of eight orientations.

    Raises:
        SrganError: There is no such model or device, or an argument has a wrong type or is out
            of range.
    """
    config = UpscaleConfig(
        (Path(),),
        scale=number("scale", scale),
        device=text("device", device, "text, such as auto, cpu or cuda"),
        strength=number("strength", strength),
        precision=choice("precision", precision, get_args(Precision)),
        runtime=choice("runtime", runtime, get_args(RuntimeName)),
        tile=whole("tile", tile),
        tta=flag("tta", tta),
    )
    return LoadedModel(load_models(model_name(model), config, SilentObserver()), config)


@overload
def upscale_image(
    image: Image.Image,
    scale: float | None = ...,
    model: str | Path | None = ...,
    *,
    device: str = ...,
    strength: float | None = ...,
    progress: Progress | None = ...,
) -> Image.Image: ...
@overload
def upscale_image(
    image: Array,
    scale: float | None = ...,
    model: str | Path | None = ...,
    *,
    device: str = ...,
    strength: float | None = ...,
    progress: Progress | None = ...,
) -> Array: ...
@overload
def upscale_image(
    image: Path | str,
    scale: float | None = ...,
    model: str | Path | None = ...,
    *,
    device: str = ...,
    strength: float | None = ...,
    progress: Progress | None = ...,
) -> Path: ...
def upscale_image(
    image: Image.Image | Array | Path | str,
    scale: float | None = None,
    model: str | Path | None = None,
    *,
    device: str = "auto",
    strength: float | None = None,
    progress: Progress | None = None,
) -> Image.Image | Array | Path:
    """Upscale one image; for several, :func:`load` a model once.

    Arguments, results and errors are those of :func:`load` and
    :meth:`LoadedModel.upscale_image`.
    """
    loaded = load(model, scale=scale, device=device, strength=strength)
    return loaded.upscale_image(image, scale, progress=progress)


def _in_python(hint: str) -> str:
    """Return a hint of the command for somebody who has no command line."""
    return hint.replace(", or pass --overwrite to replace it", ", or pass a Pillow image")


class _Listening(SilentObserver):
    """Passes the progress of the outermost bar on."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress

    @contextmanager
    def bar(self, title: str, *, total: float, unit: str) -> Iterator[Bar]:  # noqa: ARG002
        """Open a bar; those inside it are not shown."""
        progress, self._progress = self._progress, None
        if progress is None:
            yield SilentBar()
            return
        progress(0.0)
        yield _Told(progress, total)
        progress(1.0)


class _Told:
    """A bar that calls a function."""

    def __init__(self, progress: Progress, total: float) -> None:
        self._progress, self._total = progress, total
        self._done = 0.0

    def advance(self, amount: float = 1, **figures: str) -> None:  # noqa: ARG002
        """Count ``amount`` more units as done."""
        self._done += amount
        share = self._done / self._total if self._total else 1.0
        if amount and share < 1:  # The end is told once, and last.
            self._progress(share)
