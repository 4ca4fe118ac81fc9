"""Colours that nclx codes, and profiles beside it."""

import struct
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tests.conformance import samples
from tests.conformance.blocks import inventory
from tests.conformance.same_blocks import require


def coded(path, primaries, transfer):
    """Write an image whose nclx states other colours than its encoder has put there."""
    require(path.suffix)
    Image.init()
    buffer = BytesIO()
    samples.image("RGB").save(buffer, Image.registered_extensions()[path.suffix], quality=95)
    data = buffer.getvalue()
    place = data.index(b"colrnclx") + 8
    path.write_bytes(data[:place] + struct.pack(">HH", primaries, transfer) + data[place + 4 :])
    return path


@pytest.mark.parametrize("source", [".avif", ".heic"])
@pytest.mark.parametrize("target", ["avif", "heic", "png", "jpg", "webp", "tif", "bmp"])
def test_nclx_is_kept_or_becomes_what_says_the_same(tmp_path, upscale, source, target):
    require(f".{target}")
    path = coded(tmp_path / f"a{source}", 12, 13)
    (item,) = upscale(path, output=tmp_path / "out", ext=target).written
    found = inventory(item.output)
    if target in {"avif", "heic"}:
        assert found["nclx"] == (12, 13)
    elif target == "png":
        assert found["cICP"] == bytes((12, 13, 0, 1))
    elif target == "bmp":
        assert any("converted to sRGB" in note for note in item.notes)
    else:
        red = np.frombuffer(found["icc"], ">i4", 3, found["icc"].index(b"XYZ ", 200) + 8)
        assert found["icc"][16:20] == b"RGB "
        assert len(red) == 3


@pytest.mark.parametrize("source", [".avif", ".heic"])
def test_the_usual_nclx_adds_nothing(tmp_path, upscale, source):
    path = coded(tmp_path / f"a{source}", 1, 13)
    for target in ("png", "jpg", "bmp"):
        (item,) = upscale(path, output=tmp_path / "out", ext=target).written
        assert not {"icc", "cICP"} & set(inventory(item.output))
        assert not item.notes


@pytest.mark.parametrize("source", [".avif", ".heic"])
def test_hdr_is_kept_or_said(tmp_path, upscale, source):
    path = coded(tmp_path / f"a{source}", 9, 16)
    made = upscale.one(path, tmp_path / "out", ext="png")
    assert inventory(made)["cICP"] == bytes((9, 16, 0, 1))
    (item,) = upscale(path, output=tmp_path / "out", ext="webp").written
    assert any("HDR coding (PQ)" in note for note in item.notes)


def test_a_profile_beside_nclx_is_not_overruled_in_png(tmp_path, upscale):
    samples.image("RGB").save(tmp_path / "a.avif", icc_profile=samples.display_p3())
    found = inventory(upscale.one(tmp_path / "a.avif", tmp_path / "out", ext="png"))
    assert found["icc"] == samples.display_p3()
    assert "cICP" not in found


@pytest.mark.parametrize("ext", ["jpg", "png", "webp"])
def test_a_profile_of_another_space_is_dropped_and_said(tmp_path, upscale, ext):
    samples.image("L").save(tmp_path / "a.jpg", icc_profile=samples.display_p3())
    (item,) = upscale(tmp_path / "a.jpg", output=tmp_path / "out", ext=ext).written
    assert "icc" not in inventory(item.output)
    assert any("does not describe grey pixels" in note for note in item.notes)
