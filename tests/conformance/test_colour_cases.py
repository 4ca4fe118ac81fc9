"""Colours of files that once came out wrong, each with what is right."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageCms


@pytest.mark.parametrize("name", ["grey", "grey_alpha"])
@pytest.mark.parametrize("ext", ["webp", "avif", "jpg", "png", "tif", "bmp", "jp2"])
def test_grey_profiles_stay_on_grey_pixels_alone(tmp_path, upscale, case, name, ext):
    source = case(f"grey-icc/{name}.png")
    options = {"ext": ext, "background": "red"} if ext == "jpg" else {"ext": ext}
    report = upscale(source, output=tmp_path / "out", **options)
    with Image.open(report.written[0].output) as image, Image.open(source) as before:
        image.load()
        icc = image.info.get("icc_profile")
        wide = len(image.getbands()) >= 3
        assert not (icc and wide and icc[16:20] == b"GRAY")
        if wide:
            # The profile has a gamma of 1: through it, levels become lighter.
            grey = ImageCms.ImageCmsProfile(BytesIO(before.info["icc_profile"]))
            wanted = ImageCms.profileToProfile(
                before.getchannel("L"), grey, ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
            made = np.asarray(image.convert("RGB").reduce(2)).astype(float)
            opaque = np.asarray(before.convert("LA"))[..., 1] > 250
            difference = np.abs(made - np.asarray(wanted))[opaque]
            assert difference.mean() < 3
            assert any("sRGB" in note for note in report.written[0].notes)


@pytest.mark.parametrize("name", ["jfif_aspect.jpg", "phys_aspect.png", "tif_unitnone.tif"])
@pytest.mark.parametrize("ext", ["jpg", "png", "tif", "webp", "jp2", "bmp"])
def test_pixels_that_are_not_square_stay_so(tmp_path, upscale, case, name, ext):
    report = upscale(case(f"pixel-aspect/{name}"), output=tmp_path / "out", ext=ext)
    (item,) = report.written
    said = any("pixel aspect ratio" in note for note in item.notes)
    with Image.open(item.output) as image:
        if ext == "jpg":
            x, y = image.info["jfif_density"]
        elif ext == "png":
            x, y = image.info["aspect"]
        elif ext == "tif":
            x, y = float(image.tag_v2[282]), float(image.tag_v2[283])
            assert image.tag_v2[296] == 1
        else:
            assert said
            return
    assert x / y == 2
    assert not said


def chunks_of(path):
    data, place, found = path.read_bytes(), 8, {}
    while place < len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        found[data[place + 4 : place + 8]] = data[place + 8 : place + 8 + length]
        place += 12 + length
    return found


COLOUR_CASES = ["cicp16_pq", "cicp_p3", "gama_chrm", "gama_linear"]


@pytest.mark.parametrize("name", COLOUR_CASES)
def test_colour_chunks_stay_in_png(tmp_path, upscale, case, name):
    source = case(f"png-colour-chunks/{name}.png")
    before, after = chunks_of(source), chunks_of(upscale.one(source, tmp_path / "out"))
    coded = (b"gAMA", b"cHRM", b"sRGB", b"cICP")
    assert {k: before[k] for k in coded if k in before}
    assert {k: before.get(k) for k in coded} == {k: after.get(k) for k in coded}


@pytest.mark.parametrize("name", COLOUR_CASES)
@pytest.mark.parametrize("ext", ["jpg", "tif", "webp", "avif", "bmp", "gif", "jp2", "ppm"])
def test_colour_chunks_become_a_profile_or_a_note(tmp_path, upscale, case, name, ext):
    report = upscale(case(f"png-colour-chunks/{name}.png"), output=tmp_path / "out", ext=ext)
    (item,) = report.written
    if name == "cicp16_pq":
        if ext == "avif":
            assert b"nclx\0\x09\0\x10" in item.output.read_bytes()
        else:
            assert any("HDR coding (PQ)" in note for note in item.notes)
    elif name == "cicp_p3" and ext == "avif":
        assert b"nclx\0\x0c\0\x0d" in item.output.read_bytes()
    elif ext in {"jpg", "tif", "webp", "avif"}:
        with Image.open(item.output) as image:
            assert image.info["icc_profile"][16:20] == b"RGB "
    elif ext == "jp2":
        assert b"colr\2\0\0" in item.output.read_bytes()
    else:
        assert any("converted to sRGB" in note for note in item.notes)


def test_a_linear_image_looks_the_same_through_its_new_profile(tmp_path, upscale, case):
    source = case("png-colour-chunks/gama_linear.png")
    linear = np.asarray(Image.open(source).convert("RGB")) / 255
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    for ext in ("webp", "ppm"):
        made = upscale.one(source, tmp_path / "out", ext=ext)
        with Image.open(made) as image:
            shown = image.convert("RGB")
            if "icc_profile" in image.info:
                profile = ImageCms.ImageCmsProfile(BytesIO(image.info["icc_profile"]))
                shown = ImageCms.profileToProfile(
                    shown, profile, ImageCms.createProfile("sRGB"), outputMode="RGB"
                )
        difference = np.asarray(shown.reduce(2)) - 255 * encoded
        assert np.abs(difference).mean() < 4


@pytest.mark.parametrize("name", ["ultrahdr", "ultrahdr_nompf"])
def test_gain_maps_are_said_and_not_claimed(tmp_path, upscale, case, name):
    report = upscale(case(f"ultrahdr/{name}.jpg"), output=tmp_path / "out")
    (item,) = report.written
    assert any("HDR gain map" in note for note in item.notes)
    content = item.output.read_bytes()
    assert b"hdrgm" not in content
    assert b"GainMap" not in content
    assert b"MPF\0" not in content
    copy = tmp_path / "copy.jpg"
    copy.write_bytes(case(f"ultrahdr/{name}.jpg").read_bytes())
    (failure,) = upscale(copy, in_place=True).failed
    assert "HDR gain map" in failure.reason
    assert copy.read_bytes() == case(f"ultrahdr/{name}.jpg").read_bytes()
