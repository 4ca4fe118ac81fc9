"""Convert colours: every Pillow mode to grey or RGB, and ICC profiles to sRGB."""

from functools import cache
from io import BytesIO

from PIL import Image, ImageCms

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


def to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Convert a finished image to sRGB, for formats that hold no profile.

    Alpha is left as it is; a profile that cannot be used leaves the pixels alone.
    """
    mode = {"L": "L", "LA": "LA"}.get(image.mode, image.mode)
    alpha = image.getchannel("A") if mode in {"LA", "RGBA"} else None
    colour = image.convert(mode.removesuffix("A")) if alpha else image
    try:
        converted = _transform(colour, ImageCms.ImageCmsProfile(BytesIO(profile)))
    except (OSError, ImageCms.PyCMSError, ValueError):
        return image
    if mode.startswith("L"):
        converted = converted.convert("L")
    if alpha:
        converted.putalpha(alpha)
    return converted
