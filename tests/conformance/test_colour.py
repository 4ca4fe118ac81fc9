"""Colours look the same afterwards: mean ΔE2000 below 1 on a real photograph."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageEnhance
from skimage.color import deltaE_ciede2000

from srgan_cli import engine
from srgan_cli.config import UpscaleConfig
from srgan_cli.observer import SilentObserver
from tests.conformance import samples

EXAMPLES = Path(__file__).parents[2] / "examples"


def lab(image):
    """Return what a colour-managed viewer shows, as CIE Lab."""
    profile = image.info.get("icc_profile")
    source = ImageCms.ImageCmsProfile(
        io.BytesIO(profile) if profile else ImageCms.createProfile("sRGB")
    )
    target = ImageCms.createProfile("LAB")
    shown = ImageCms.profileToProfile(image.convert("RGB"), source, target, outputMode="LAB")
    values = np.asarray(shown).astype(float)
    signed = np.asarray(shown).view(np.int8).astype(float)
    return np.dstack([values[..., 0] * 100 / 255, signed[..., 1], signed[..., 2]])


def drift(before, after):
    reduced = after.resize(before.size, Image.Resampling.BICUBIC)
    reduced.info |= after.info
    return deltaE_ciede2000(lab(before), lab(reduced)).mean()


def upscaled(source, tmp_path, **options):
    config = UpscaleConfig(
        (source,), tmp_path / "out", model="fidelity-x2", device="cpu", **options
    )
    (item,) = engine.upscale(config, SilentObserver()).written
    return Image.open(item.output)


@pytest.fixture
def photograph(tmp_path):
    with Image.open(EXAMPLES / "coffee.png") as image:
        image.convert("RGB").crop((60, 40, 260, 190)).save(
            tmp_path / "a.png", icc_profile=samples.display_p3()
        )
    return tmp_path / "a.png"


@pytest.mark.parametrize("extension", ["png", "jpg", "tif", "webp", "avif"])
def test_a_display_p3_photograph_keeps_its_look(tmp_path, photograph, extension):
    with Image.open(photograph) as before, upscaled(photograph, tmp_path, ext=extension) as after:
        assert after.info["icc_profile"] == samples.display_p3()
        assert drift(before, after) < 1


def test_the_look_is_kept_where_the_format_holds_no_profile(tmp_path, photograph):
    with Image.open(photograph) as image:  # Paler, so that sRGB can show it all.
        pale = ImageEnhance.Color(image).enhance(0.5)
        pale.save(photograph, icc_profile=samples.display_p3())
    with Image.open(photograph) as before, upscaled(photograph, tmp_path, ext="bmp") as after:
        assert "icc_profile" not in after.info
        assert drift(before, after) < 1
        before.info.pop("icc_profile")
        assert drift(before, after) > 1  # Pixels left as they were would look different.
