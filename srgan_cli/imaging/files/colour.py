"""Convert colours: every Pillow mode to grey or RGB, and ICC profiles to sRGB."""

from dataclasses import dataclass, field, replace
from functools import cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

from srgan_cli.imaging.containers.blocks import Blocks, Coding
from srgan_cli.imaging.files.formats import Format
from srgan_cli.imaging.metadata import exif, profiles
from srgan_cli.imaging.types import Uint8Image

_CODED = {"AVIF", "HEIF"}  # Formats with nclx.
_NAMES = {16: "PQ", 18: "HLG"}
_GREY_MODES = {"1", "L", "LA", "La"}


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def to_grey_or_rgb(image: Image.Image, notes: list[str]) -> Image.Image:
    """Turn an image into mode L, LA, RGB or RGBA.

    Grey stays grey, palettes become RGB or RGBA, a colour that is declared
    transparent becomes alpha. CMYK goes through its own ICC profile to sRGB where
    it has one; LAB goes to sRGB.

    Args:
        image: Decoded, 8 bits per channel.
        notes: Gets a line when colours had to be interpreted.
    """
    transparent = image.has_transparency_data
    if image.mode == "CMYK":
        return _from_cmyk(image, notes)
    if image.mode == "LAB":
        notes.append("LAB was converted to sRGB")
        return _transform(image, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")))
    if image.mode in _GREY_MODES:
        if image.mode == "1":
            image = _bilevel_as_grey(image)
        return image.convert("LA" if transparent else "L")
    return image.convert("RGBA" if transparent else "RGB")


def ycbcr_to_rgb(image: Image.Image, luma: tuple[float, float, float]) -> Uint8Image:
    """Convert YCbCr of the full range to H, W, 3 (RGB).

    Args:
        image: Mode YCbCr.
        luma: The shares of red, green and blue in Y.
    """
    y, cb, cr = np.moveaxis(np.asarray(image, dtype=np.float32), -1, 0)
    red = y + 2 * (1 - luma[0]) * (cr - 128)
    blue = y + 2 * (1 - luma[2]) * (cb - 128)
    green = (y - luma[0] * red - luma[2] * blue) / luma[1]
    return np.stack([red, green, blue], axis=-1).round().clip(0, 255).astype(np.uint8)


def is_converted(mode: str) -> bool:
    """Say whether pixels of a mode become sRGB, so that their own profile ends with them."""
    return mode in {"CMYK", "LAB"}


def _bilevel_as_grey(image: Image.Image) -> Image.Image:
    grey = image.convert("L")
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey.info["transparency"] = 255 if transparent else 0
    return grey


def _from_cmyk(image: Image.Image, notes: list[str]) -> Image.Image:
    profile = image.info.get("icc_profile")
    if profile:
        try:
            converted = _transform(image, ImageCms.ImageCmsProfile(BytesIO(profile)))
        except (OSError, ImageCms.PyCMSError):
            notes.append("the CMYK profile is damaged: colours are approximate")
        else:
            notes.append("CMYK was converted to sRGB with its ICC profile")
            return converted
    else:
        notes.append("CMYK without a profile was converted to RGB: colours are approximate")
    return image.convert("RGB")


def _transform(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    converted = ImageCms.profileToProfile(
        image,
        profile,
        _srgb(),
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        "RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    if converted is None:
        raise ImageCms.PyCMSError("no transform")
    return converted


def to_srgb(image: Image.Image, profile: bytes, *, grey: bool = False) -> Image.Image:
    """Convert a finished image to sRGB, for formats that hold no profile.

    Alpha is left as it is; a profile that cannot be used leaves the pixels alone.

    Args:
        image: L, LA, RGB or RGBA.
        profile: What describes it.
        grey: Whether a grey image stays one.
    """
    mode = {"L": "L", "LA": "LA"}.get(image.mode, image.mode)
    alpha = image.getchannel("A") if mode in {"LA", "RGBA"} else None
    colour = image.convert(mode.removesuffix("A")) if alpha else image
    try:
        converted = _transform(colour, ImageCms.ImageCmsProfile(BytesIO(profile)))
    except (OSError, ImageCms.PyCMSError, ValueError):
        return image
    if grey:
        converted = converted.convert("L")
    if alpha:
        converted.putalpha(alpha)
    return converted


@dataclass(frozen=True, slots=True)
class ColourPlan:
    """What becomes of the colours of one image in a format."""

    icc: bytes | None = None
    """Profile of the result."""
    coding: Coding = field(default_factory=Coding)
    """How its colours are coded otherwise."""
    convert: bytes | None = None
    """Profile that its pixels go through, to sRGB."""
    note: str = ""


def planned(blocks: Blocks, format_: Format, *, grey: bool, grey_result: bool) -> ColourPlan:
    """Decide how the colours of an image are said in a format.

    Args:
        blocks: Of the source.
        format_: Of the result.
        grey: Whether the source is grey.
        grey_result: Whether the result is.
    """
    if blocks.icc is not None:
        return _with_profile(blocks, blocks.icc, format_, grey=grey, grey_result=grey_result)
    if blocks.coding:
        return _with_coding(blocks.coding, format_, grey=grey, grey_result=grey_result)
    is_adobe = not grey and blocks.exif is not None and exif.is_adobe_rgb(blocks.exif)
    if is_adobe and not format_.exif:
        return _converted(profiles.adobe_rgb(), format_, "Adobe RGB")
    return ColourPlan()


def _with_profile(
    blocks: Blocks, icc: bytes, format_: Format, *, grey: bool, grey_result: bool
) -> ColourPlan:
    space = profiles.space_of(icc)
    # In PNG cICP comes before a profile; beside one, nclx tells only how it was coded.
    from_png = blocks.coding.cicp is None or blocks.coding.cicp[2] == 0
    coding = blocks.coding if format_.name == "PNG" and from_png else Coding()
    if space != ("GRAY" if grey else "RGB"):
        kind = "grey" if grey else "RGB"
        note = f"its {space} profile does not describe {kind} pixels and was dropped"
        return replace(_without_profile(blocks, format_, grey, grey_result), note=note)
    is_held = format_.icc and not (format_.matrix_icc and profiles.has_tables(icc))
    if is_held and grey == grey_result:
        return ColourPlan(icc, coding)
    return _converted(icc, format_, "grey" if grey else "")


def _without_profile(blocks: Blocks, format_: Format, grey: bool, grey_result: bool) -> ColourPlan:
    return planned(replace(blocks, icc=None), format_, grey=grey, grey_result=grey_result)


def _with_coding(coding: Coding, format_: Format, *, grey: bool, grey_result: bool) -> ColourPlan:
    """Keep colours that no profile describes, or find one that does."""
    cicp = coding.cicp
    if format_.name == "PNG":
        if cicp is None or cicp[2] == 0:
            return ColourPlan(coding=coding)
        # From nclx: decoded to RGB of the full range, whatever the file had.
        same = profiles.is_srgb(coding)
        return ColourPlan(coding=Coding() if same else Coding(cicp=(*cicp[:2], 0, 1)))
    note = "what it says of a display's light is not kept" if coding.light else ""
    if cicp is not None and format_.name in _CODED:
        return ColourPlan(coding=coding, note=note)
    if profiles.is_srgb(coding):
        return ColourPlan(note=note)
    if profiles.is_hdr(coding):
        assert cicp is not None
        name = _NAMES[cicp[1]]
        return ColourPlan(
            note=f"its HDR coding ({name}) is not kept in {format_.name}: it will look dull"
        )
    icc = profiles.of_coding(coding, grey=grey)
    if icc is None:
        return ColourPlan(note=f"its colour coding is not kept in {format_.name}")
    if format_.icc and grey == grey_result:
        return ColourPlan(icc, note=note)
    return _converted(icc, format_, "grey" if grey else "")


def _converted(icc: bytes, format_: Format, name: str) -> ColourPlan:
    if format_.icc and name == "grey":
        note = f"{format_.name} holds no grey here: it became sRGB through its profile"
    else:
        note = f"{format_.name} cannot store a colour profile: colours were converted to sRGB"
    return ColourPlan(convert=icc, note=note)
