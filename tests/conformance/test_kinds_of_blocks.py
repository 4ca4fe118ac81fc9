"""Blocks that were wrong in one file: the same in other formats, in 16 bits and in place."""

import struct
from io import BytesIO

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from srgan_cli.imaging.files.formats import FORMATS
from srgan_cli.imaging.files.io import read_image
from tests.conformance import blocks, samples
from tests.conformance.same_blocks import SOURCES, compared, is_said, require

TARGETS = [format_.suffix for format_ in FORMATS.values()]


def deep_full(path):
    """Write 16-bit pixels with every block that their format can carry."""
    blocks.full(path)
    if path.suffix == ".png":
        encoded = imagecodecs.png_encode(samples.ramp(3, deep=True))
        path.write_bytes(blocks.with_chunks(encoded, blocks.png_parts(deep=True)))
    else:
        _deepen(path)
    return path


def _deepen(path):
    """Give the first page of a TIFF pixels of 16 bits, behind the file."""
    data = bytearray(path.read_bytes())
    pixels = samples.ramp(3, deep=True).tobytes()
    (first,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    for at in range(first + 2, first + 2 + 12 * count, 12):
        tag, _, _, value = struct.unpack_from("<HHII", data, at)
        if tag == 258:
            data[value : value + 6] = struct.pack("<3H", 16, 16, 16)
        elif tag == 273:
            struct.pack_into("<HHII", data, at, 273, 4, 1, len(data) + len(data) % 2)
        elif tag == 279:
            struct.pack_into("<HHII", data, at, 279, 4, 1, len(pixels))
    path.write_bytes(bytes(data) + bytes(len(data) % 2) + pixels)


@pytest.mark.parametrize("source", SOURCES)
def test_every_block_is_the_same_in_place(tmp_path, upscale, source):
    require(source)
    path = blocks.full(tmp_path / f"a{source}")
    before = blocks.inventory(path)
    report = upscale(path, in_place=True)
    assert not report.failed
    converted = any("converted to sRGB" in note for note in report.written[0].notes)
    after = blocks.inventory(path)
    for key, same in compared(before, after, source, converted=converted).items():
        said = converted if key == "colour" else is_said(key, report.written[0].notes)
        assert same or said, key


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("source", [".png", ".tif"])
def test_a_block_of_a_16_bit_image_is_the_same_or_said_to_be_lost(
    tmp_path, upscale, source, target
):
    require(target)
    path = deep_full(tmp_path / f"a{source}")
    (item,) = upscale(path, output=tmp_path / "out", ext=target).written
    if target in {".png", ".tif"}:
        made = read_image(item.output, max_pixels=10**6).pixels
        wanted = read_image(path, max_pixels=10**6).pixels
        assert np.abs(made[::2, ::2].astype(int) - wanted).mean() < 4
    before, after = blocks.inventory(path), blocks.inventory(item.output)
    converted = any("converted to sRGB" in note for note in item.notes)
    for key, same in compared(before, after, target, converted=converted).items():
        said = any("sRGB" in note for note in item.notes) if key == "colour" else None
        said = is_said(key, item.notes) if said is None else said
        assert same or said, (key, before.get(key), after.get(key), item.notes)


PANORAMA = samples.XMP.replace(
    b"<rdf:Description ",
    b'<rdf:Description xmlns:GPano="http://ns.google.com/photos/1.0/panorama/" '
    b"GPano:FullPanoWidthPixels='24' ",
).replace(
    b"/></rdf:RDF>",
    b"><GPano:CroppedAreaTopPixels>7</GPano:CroppedAreaTopPixels></rdf:Description></rdf:RDF>",
)


def xmp_written(path):
    """Write an image with a panorama's XMP, and without other blocks."""
    picture, buffer = samples.image("RGB"), BytesIO()
    match path.suffix:
        case ".jpg":
            extra = blocks.segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + PANORAMA)
            picture.save(path, extra=extra, quality=95)
        case ".png":
            picture.save(buffer, "PNG")
            chunk = samples.png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + PANORAMA)
            path.write_bytes(blocks.with_chunks(buffer.getvalue(), chunk))
        case ".tif":
            tags = [(700, 1, len(PANORAMA), PANORAMA, True)]
            tifffile.imwrite(path, samples.ramp(3), photometric="rgb", extratags=tags)
        case ".gif":
            picture.quantize(64).save(buffer, "GIF")
            data = buffer.getvalue()
            end = 13 + (3 << ((data[10] & 7) + 1))
            xmp = b"\x21\xff\x0bXMP DataXMP" + PANORAMA + b"\1" + bytes(range(255, -1, -1))
            path.write_bytes(b"GIF89a" + data[6:end] + xmp + b"\0" + data[end:])
        case ".jp2":
            picture.save(buffer, "JPEG2000", irreversible=False)
            name = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
            path.write_bytes(buffer.getvalue() + blocks._box(b"uuid", name + PANORAMA))
        case _:
            Image.init()
            picture.save(path, xmp=PANORAMA)
    return path


@pytest.mark.parametrize("source", [s for s in SOURCES if s != ".bmp"])
@pytest.mark.parametrize("target", ["", ".jpg", ".png", ".tif", ".webp"])
def test_sizes_in_xmp_follow_in_every_format(tmp_path, upscale, source, target):
    require(source)
    path = xmp_written(tmp_path / f"a{source}")
    made = upscale.one(path, tmp_path / "out", **({"ext": target} if target else {}))
    data = made.read_bytes()
    assert b"FullPanoWidthPixels='48'" in data
    assert b"<GPano:CroppedAreaTopPixels>14</GPano:CroppedAreaTopPixels>" in data
    assert upscale(path, in_place=True).written
    assert b"FullPanoWidthPixels='48'" in path.read_bytes()


GREY_ON_RGB = ["jpg", "png", "tif", "webp", "avif", "jp2", "heic"]


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("kind", ["GRAY", "CMYK"])
@pytest.mark.parametrize("source", GREY_ON_RGB)
def test_a_profile_of_another_space_never_stays_on_rgb(tmp_path, upscale, source, kind, deep):
    require(f".{source}")
    icc = samples.grey_profile().replace(b"GRAY", kind.encode())
    path = tmp_path / f"a.{source}"
    if deep and source not in {"png", "tif"}:
        pytest.skip("8 bits only")
    if deep and source == "tif":
        tifffile.imwrite(path, samples.ramp(3, deep=True), photometric="rgb", iccprofile=icc)
    elif deep:
        Image.new("L", (1, 1)).save(small := BytesIO(), "PNG", icc_profile=icc)
        chunk = small.getvalue()[33 : small.getvalue().index(b"IDAT") - 4]
        encoded = imagecodecs.png_encode(samples.ramp(3, deep=True))
        path.write_bytes(blocks.with_chunks(encoded, chunk))
    elif source == "jp2":
        samples.image("RGB").save(buffer := BytesIO(), "JPEG2000", irreversible=False)
        data = buffer.getvalue()
        start = data.index(b"colr") - 4
        size = int.from_bytes(data[start : start + 4], "big")
        colour = blocks._box(b"colr", b"\2\0\0" + icc)
        header = data.index(b"jp2h") - 4
        grown = int.from_bytes(data[header : header + 4], "big") + len(colour) - size
        data = data[:start] + colour + data[start + size :]
        path.write_bytes(data[:header] + struct.pack(">I", grown) + data[header + 4 :])
    else:
        Image.init()
        samples.image("RGB").save(path, icc_profile=icc)
    for ext in ("jpg", "png", "tif", "webp", "jp2"):
        (item,) = upscale(path, output=tmp_path / ext, ext=ext).written
        assert icc not in item.output.read_bytes()
        assert any(f"{kind} profile does not describe RGB" in note for note in item.notes)
        made = read_image(item.output, max_pixels=10**6).pixels[::2, ::2].astype(int)
        assert np.abs(made - samples.ramp(3)).mean() < 5


@pytest.mark.parametrize("ext", ["png", "tif", "webp", "jpg", "avif", "bmp"])
@pytest.mark.parametrize("source", ["png", "tif"])
def test_grey_profiles_of_16_bits_stay_on_grey_pixels_alone(tmp_path, upscale, source, ext):
    path = samples.save_deep(tmp_path / f"a.{source}", 1)
    (item,) = upscale(path, output=tmp_path / "out", ext=ext).written
    with Image.open(item.output) as image:
        image.load()
        icc = image.info.get("icc_profile")
        if len(image.getbands()) < 3 and ext != "bmp":
            assert icc == samples.grey_profile()
            return
        assert icc is None or icc[16:20] != b"GRAY"
        made = np.asarray(image.convert("L").reduce(2)) / 255
    linear = (samples.ramp(1, deep=True) / 65535) ** 1.8
    wanted = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert np.abs(made - wanted).mean() < 0.02


def shaped(path, orientation=1):
    """Write an image whose pixels are half as wide as high: 2:1 samples a unit."""
    buffer = BytesIO()
    picture = samples.image("RGB")
    exif = Image.Exif()
    exif[0x0112] = orientation
    match path.suffix:
        case ".jpg":
            picture.save(buffer, "JPEG", quality=95, exif=exif)
            data = bytearray(buffer.getvalue())
            data[13:18] = struct.pack(">BHH", 0, 2, 1)
            path.write_bytes(data)
        case ".png":
            picture.save(buffer, "PNG", exif=exif)
            chunk = samples.png_chunk(b"pHYs", struct.pack(">IIB", 2, 1, 0))
            path.write_bytes(blocks.with_chunks(buffer.getvalue(), chunk))
        case ".tif":
            tags = [(274, 3, 1, orientation, True)]
            tifffile.imwrite(
                path, samples.ramp(3, deep=True), photometric="rgb", resolution=(2, 1),
                resolutionunit="none", extratags=tags,
            )  # fmt: skip
        case ".gif":
            picture.quantize(64).save(buffer, "GIF")
            data = bytearray(b"GIF89a" + buffer.getvalue()[6:])
            data[12] = 17  # (17 + 15) / 64: half as wide as high.
            path.write_bytes(data)
        case ".bmp":
            picture.save(buffer, "BMP")
            data = bytearray(buffer.getvalue())
            data[38:46] = struct.pack("<ii", 4000, 2000)
            path.write_bytes(data)
    return path


def shape_of(path):
    with Image.open(path) as image:
        image.load()
        if image.format == "JPEG":
            return image.info["jfif_density"]
        if image.format == "PNG":
            return image.info.get("aspect") or image.info.get("dpi")
        return float(image.tag_v2[282]), float(image.tag_v2[283])


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("ext", ["jpg", "png", "tif", "webp", "avif", "gif"])
@pytest.mark.parametrize("source", ["jpg", "png", "tif", "gif", "bmp"])
def test_shapes_of_pixels_are_kept_turned_or_said(tmp_path, upscale, source, ext, orientation):
    if orientation == 6 and source in {"gif", "bmp"}:
        pytest.skip("has no orientation")
    path = shaped(tmp_path / f"a.{source}", orientation)
    (item,) = upscale(path, output=tmp_path / "out", ext=ext).written
    if ext == "gif":
        # A pixel's width over its height, in 64ths beyond 15.
        assert item.output.read_bytes()[12] == (17 if orientation == 1 else 128 - 15)
    elif ext in {"webp", "avif"}:
        assert any("pixel aspect ratio" in note for note in item.notes)
    else:
        x, y = shape_of(item.output)
        assert x / y == pytest.approx(2 if orientation == 1 else 0.5, rel=0.01)
        again = tmp_path / f"again.{ext}"
        again.write_bytes(item.output.read_bytes())
        assert upscale(again, in_place=True).written
        assert shape_of(again) == (x, y)


@pytest.mark.parametrize("ext", ["png", "jpg", "webp", "gif", "avif", "jp2", "tga"])
def test_what_an_encoder_raises_costs_that_image_alone(tmp_path, upscale, monkeypatch, ext):
    paths = [samples.picture(tmp_path / f"{name}.png") for name in "abc"]
    original, calls = Image.Image.save, []

    def save(self, *arguments, **options):
        calls.append(self)
        if len(calls) == 2:
            raise OverflowError("a number too large")
        return original(self, *arguments, **options)

    monkeypatch.setattr(Image.Image, "save", save)
    report = upscale(*paths, output=tmp_path / "out", ext=ext)
    (failure,) = report.failed
    assert failure.reason.startswith(f"{failure.source}: ")
    assert "cannot store this image: a number too large" in failure.reason
    made = {path.name for path in (tmp_path / "out").iterdir()} - {".srgan-ledger.jsonl"}
    assert made == {item.output.name for item in report.written}
    assert len(made) == 2
