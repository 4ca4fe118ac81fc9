"""Turn NumPy arrays and Pillow images of other programs into frames, and results back."""

import math
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
from PIL import Image

from srgan_cli.errors import InputError
from srgan_cli.imaging.canvas import Canvas
from srgan_cli.imaging.frames import Frame
from srgan_cli.imaging.types import ImageArray

Array = npt.NDArray[Any]

_SHAPES = "H, W or H, W, 1 (grey), H, W, 3 (RGB) or H, W, 4 (RGBA)"
_TYPES = "uint8 (0 to 255), uint16 (0 to 65535) or floats (0 to 1)"
_CHANNELS = (1, 3, 4)
_SEE = "see help(srgan_cli.upscale_image)"
_KEPT = ("icc_profile", "exif")
"""What is kept of a Pillow image's ``info``."""


def refuse_image(found: str, wanted: str, hint: str = _SEE) -> NoReturn:
    """Raise the InputError of an image that cannot be used."""
    raise InputError(f"the image is {found}; expected: {wanted}", hint=hint)


def frame_of_array(image: Array) -> Frame:
    """Turn an array into a frame.

    Args:
        image: H, W; H, W, 1; H, W, 3 or H, W, 4; uint8, uint16, or floats in [0, 1], which
            become 16 bits.

    Raises:
        InputError: It has another shape, type or range.
    """
    kind, bits = image.dtype.kind, 8 * image.dtype.itemsize
    if not (kind == "f" or (kind == "u" and bits <= 16)):
        refuse_image(f"an array of type {image.dtype}", _TYPES, _hint_for_type(image))
    flat = image.ndim == 2
    if not (flat or (image.ndim == 3 and image.shape[2] in _CHANNELS)):
        refuse_image(f"an array of shape {image.shape}", _SHAPES, _hint_for_shape(image.shape))
    if image.size == 0:
        refuse_image(f"an array of shape {image.shape}, without pixels", _SHAPES)
    levels = _levels(image)
    if flat or image.shape[2] == 1:
        return Frame(levels if flat else levels[..., 0])
    if image.shape[2] == 3:
        return Frame(levels)
    return Frame(np.ascontiguousarray(levels[..., :3]), np.ascontiguousarray(levels[..., 3]))


def _levels(image: Array) -> ImageArray:
    """Return unsigned integers in this machine's order; floats become 16 bits."""
    if image.dtype.kind == "u":
        deep = image.dtype.itemsize == 2
        return np.ascontiguousarray(image, np.uint16 if deep else np.uint8)
    low, high = float(image.min()), float(image.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        hint = "np.nan_to_num(image, posinf=1, neginf=0) replaces NaN and infinity"
        refuse_image("an array with NaN or infinity", "floats from 0 to 1", hint)
    if low < 0 or high > 1:
        hint = _hint_for_range(low, high)
        refuse_image(f"floats from {low:g} to {high:g}", "floats from 0 to 1", hint)
    return np.round(image.astype(np.float64) * 65535).astype(np.uint16)


def _hint_for_type(image: Array) -> str:
    """Say how to bring an array into a type that is wanted, without changing what it shows."""
    if image.dtype.kind == "b":
        return "True is white: image * np.uint8(255)"
    if image.dtype.kind not in "iu" or image.size == 0:
        return _SEE
    low, high = int(image.min()), int(image.max())
    if low < 0 or high > 65535:
        return f"scale its values, now from {low} to {high}, to 0..65535, then astype(np.uint16)"
    top = 255 if high <= 255 else 65535
    return f"levels from 0 to {top}: image.astype(np.uint{8 if top == 255 else 16})"


def _hint_for_shape(shape: tuple[int, ...]) -> str:
    if len(shape) == 4:
        return "pass one image of the batch: images[0]"
    if len(shape) != 3:
        return "pass an array of two or three axes"
    if shape[0] in _CHANNELS:
        return "channels come last: image.transpose(1, 2, 0)"
    if shape[2] == 2:
        return "1, 3 or 4 channels are wanted; grey with alpha as RGBA: image[..., [0, 0, 0, 1]]"
    return f"1, 3 or 4 channels are wanted, not {shape[2]}; the first three: image[..., :3]"


def _hint_for_range(low: float, high: float) -> str:
    """Say how to bring floats into 0 to 1, by the range that theirs probably is."""
    if high > 2:
        top = 255 if high <= 255 else 65535
        hint = f"divide it by {top}, or by the largest value that it can have"
        return hint if low >= 0 else f"{hint}, and cut off the rest: np.clip(image, 0, 1)"
    cut = "np.clip(image, 0, 1) cuts off what lies outside"
    return cut if low >= 0 else f"values from -1 to 1: (image + 1) / 2; else {cut}"


def array_like(image: Array, canvas: Canvas) -> Array:
    """Return a result as an array of the type and with the axes of its source."""
    levels = canvas.array() if canvas.deep else np.array(canvas.image())
    if image.ndim == 3 and levels.ndim == 2:
        levels = levels[..., None]
    if image.dtype.kind == "f":
        return (levels / np.float64(65535)).astype(image.dtype)
    return levels.astype(image.dtype, copy=False)


def frame_of_image(image: Image.Image) -> Frame:
    """Turn a Pillow image into a frame; of an animation, the current one.

    Raises:
        InputError: Its mode holds something else than grey or RGB, or its file is damaged.
    """
    try:
        image.load()  # Pillow decodes when pixels are first needed.
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(
            f"Pillow cannot decode the image: {error}", hint="the file may be damaged"
        ) from error
    mode = image.mode
    if image.width * image.height == 0:
        refuse_image(f"{image.width}×{image.height} pixels", "an image with pixels")
    if mode.startswith("I;16"):
        return Frame(np.asarray(image).astype(np.uint16))
    if mode not in {"1", "L", "LA", "P", "PA", "RGB", "RGBA"}:
        hint = _HINTS.get(mode, 'convert it: image.convert("RGB")')
        refuse_image(f"of Pillow's mode {mode}", "mode L, LA, RGB, RGBA, P, 1 or I;16", hint)
    grey = mode in {"1", "L", "LA"}
    has_alpha = image.has_transparency_data
    channels = np.asarray(image.convert(_MODES[grey, has_alpha]))
    if not has_alpha:
        return Frame(channels)
    colour = channels[..., 0] if grey else channels[..., :3]
    return Frame(np.ascontiguousarray(colour), np.ascontiguousarray(channels[..., -1]))


_MODES = {(True, False): "L", (True, True): "LA", (False, False): "RGB", (False, True): "RGBA"}
"""Pillow's mode for an image that is grey, that has alpha."""


_SIXTEEN_BITS = "np.asarray(image).astype(np.uint16) for levels from 0 to 65535"
_HINTS = {
    "I": f"pass an array: {_SIXTEEN_BITS}",
    "F": f"pass an array: {_SIXTEEN_BITS}, np.asarray(image) for floats from 0 to 1",
    "RGBa": 'convert it: image.convert("RGBA")',
    "La": 'convert it: image.convert("LA")',
}
"""What to do with Pillow's modes that would lose something as RGB."""


def image_like(image: Image.Image, canvas: Canvas) -> Image.Image:
    """Return a result as a Pillow image with what is kept of its source."""
    result = Image.fromarray(canvas.array()) if canvas.deep else canvas.image()
    result.info = {name: image.info[name] for name in _KEPT if name in image.info}
    return result


def canvas_of_frame(frame: Frame) -> Canvas:
    """Put a frame on a canvas of its size."""
    channels = (1 if frame.grey else 3) + (frame.alpha is not None)
    canvas = Canvas(frame.width, frame.height, channels=channels, deep=frame.deep)
    pixels = frame.pixels
    canvas.paste(pixels if frame.alpha is None else np.dstack([pixels, frame.alpha]), 0)
    return canvas


def frame_of_canvas(canvas: Canvas) -> Frame:
    """Take a canvas's pixels as a frame."""
    pixels = canvas.rows(0, canvas.height)
    if not canvas.has_alpha:
        return Frame(pixels)
    colour = pixels[..., 0] if canvas.channels == 2 else pixels[..., :3]
    return Frame(colour, pixels[..., -1])
