"""Images in terminals that can show them: kitty's protocol, iTerm2's, and sixel."""

import base64
import io
from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
from PIL import Image

Protocol = Literal["kitty", "iterm2", "sixel"]

_CHUNK = 4096
_ITERM2 = {"iTerm.app", "WezTerm", "mintty"}
_KITTY = ("kitty", "ghostty")
_SIXEL = ("foot", "mlterm", "yaft", "contour", "sixel")


def supported(environment: Mapping[str, str]) -> Protocol | None:
    """Return the protocol that the terminal is known to speak, by its environment.

    A terminal that none of the variables names is taken to speak none: asking it would
    mean reading its answer from the keyboard's stream.
    """
    term, program = environment.get("TERM", ""), environment.get("TERM_PROGRAM", "")
    if environment.get("TMUX") or term.startswith(("screen", "tmux")):
        return None  # A multiplexer swallows the sequences.
    if "KITTY_WINDOW_ID" in environment or any(name in term or name == program for name in _KITTY):
        return "kitty"
    if program in _ITERM2 or environment.get("LC_TERMINAL") == "iTerm2":
        return "iterm2"
    return "sixel" if any(name in term for name in _SIXEL) else None


def side_by_side(crop: Mapping[str, str], order: list[str], width: int, height: int) -> Image.Image:
    """Lay a crop's layers beside each other at HR size; LR's pixels are repeated.

    Args:
        crop: WebP files in base64 by name.
        order: The layers to lay, from the left.
        width: Of the crop, in HR pixels.
        height: Likewise.
    """
    gap = 4
    sheet = Image.new("RGB", (len(order) * (width + gap) - gap, height), "grey")
    for i, name in enumerate(order):
        with Image.open(io.BytesIO(base64.b64decode(crop[name]))) as layer:
            tile = layer.resize((width, height), Image.Resampling.NEAREST)
        sheet.paste(tile, (i * (width + gap), 0))
    return sheet


def escape_sequence(image: Image.Image, protocol: Protocol) -> str:
    """Return what makes a terminal show an image, with no line break after it."""
    encode: Mapping[Protocol, Callable[[Image.Image], str]] = {
        "kitty": _kitty,
        "iterm2": _iterm2,
        "sixel": _sixel,
    }
    return encode[protocol](image)


def _png(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def _kitty(image: Image.Image) -> str:
    data = _png(image)
    chunks = [data[start : start + _CHUNK] for start in range(0, len(data), _CHUNK)]
    keys = ["a=T,f=100,", *[""] * (len(chunks) - 1)]
    more = [*[1] * (len(chunks) - 1), 0]
    return "".join(
        f"\x1b_G{key}m={m};{chunk}\x1b\\" for key, m, chunk in zip(keys, more, chunks, strict=True)
    )


def _iterm2(image: Image.Image) -> str:
    return f"\x1b]1337;File=inline=1;width={image.width}px;preserveAspectRatio=1:{_png(image)}\x07"


def _sixel(image: Image.Image) -> str:
    """Encode as DEC's sixels: bands of six rows, each colour of a band in turn."""
    coded = image.quantize(256, dither=Image.Dither.FLOYDSTEINBERG)
    palette = np.array(coded.getpalette(), dtype=int).reshape(-1, 3) * 100 // 255
    indices = np.asarray(coded)
    parts = [f'\x1bPq"1;1;{image.width};{image.height}']
    parts += [f"#{i};2;{r};{g};{b}" for i, (r, g, b) in enumerate(palette)]
    for top in range(0, image.height, 6):
        band = indices[top : top + 6]
        weights = 1 << np.arange(len(band))
        lines = []
        for colour in np.unique(band):
            bits = weights @ (band == colour)
            lines.append(f"#{colour}" + (bits + 63).astype(np.uint8).tobytes().decode("ascii"))
        parts.append("$".join(lines) + "-")
    return "".join(parts) + "\x1b\\"
