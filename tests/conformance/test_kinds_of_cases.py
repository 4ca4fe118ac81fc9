"""What was wrong in one file must be right in its neighbours: other formats, 16 bits, in place."""

import struct
from io import BytesIO

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from srgan_cli.data.photographs import decode, header_size
from srgan_cli.errors import InputError
from srgan_cli.imaging.decode import open_image
from srgan_cli.imaging.formats import FORMATS
from srgan_cli.imaging.frames import shallow
from srgan_cli.imaging.io import read_image
from tests.conformance import blocks, samples
from tests.conformance.same_blocks import compared, require
from tests.conformance.test_every_block import SOURCES, is_said

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
    for key, same in compared(before, blocks.inventory(path), source, converted=False).items():
        assert same or is_said(key, report.written[0].notes), key


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


def palette_jp2(entries, order=(0, 1, 2), width=24, height=16):
    """Return a JPEG 2000 of indices with a palette, whose columns make the channels in an order."""
    buffer = BytesIO()
    y, x = np.mgrid[:height, :width]
    indices = ((x + 3 * y) % len(entries)).astype(np.uint8)
    Image.fromarray(indices).save(buffer, "JPEG2000", irreversible=False)
    data = buffer.getvalue()
    count = len(entries[0])
    palette = struct.pack(">HB", len(entries), count) + b"\7" * count + bytes(entries.ravel())
    mapping = b"".join(struct.pack(">HBB", 0, 1, column) for column in order)
    start = data.index(b"colr") - 4
    size = int.from_bytes(data[start : start + 4], "big")
    colour = blocks._box(b"colr", b"\1\0\0" + struct.pack(">I", 16))
    more = blocks._box(b"pclr", palette) + blocks._box(b"cmap", mapping) + colour
    if count == 4:
        kinds = [(0, 0, 1), (1, 0, 2), (2, 0, 3), (3, 1, 0)]
        values = b"".join(struct.pack(">HHH", *kind) for kind in kinds)
        more += blocks._box(b"cdef", struct.pack(">H", 4) + values)
    header = data.index(b"jp2h") - 4
    grown = int.from_bytes(data[header : header + 4], "big") + len(more) - size
    data = data[:start] + more + data[start + size :]
    data = data[:header] + struct.pack(">I", grown) + data[header + 4 :]
    return data, entries[indices][..., list(order)]


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 1, 2, 3)])
@pytest.mark.parametrize("suffix", [".jp2", ".jpx", ".jpf", ".png"])
def test_palettes_of_jpeg_2000_give_their_own_colours(tmp_path, upscale, order, suffix):
    entries = np.random.default_rng(1).integers(0, 256, (16, len(order)), dtype=np.uint8)
    data, wanted = palette_jp2(entries, order)
    path = tmp_path / f"a{suffix}"
    path.write_bytes(data)
    read = read_image(path, max_pixels=10**6)
    assert np.array_equal(read.pixels, wanted[..., :3])
    if len(order) == 4:
        assert np.array_equal(read.alpha, wanted[..., 3])
    assert np.array_equal(decode(path, max_side=0).pixels, wanted[..., :3])
    (item,) = upscale(path, output=tmp_path / "out", ext="png").written
    made = np.asarray(Image.open(item.output).convert("RGBA")).astype(float)
    opaque = made[..., :3].mean((0, 1))
    if len(order) == 3:
        assert opaque == pytest.approx(wanted.reshape(-1, 3).mean(0), abs=2)


def still_and_frames(path):
    """Write an animated PNG with a still image, in red, for programs that know no animation."""
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "lime", "blue")]
    frames[0].save(path, save_all=True, default_image=True, append_images=frames[1:], duration=100)
    return path


def turned_by_xmp(path):
    packet = samples.XMP.replace(
        b"dc:source=", b"xmlns:tiff='http://ns.adobe.com/tiff/1.0/' tiff:Orientation='6' dc:source="
    )
    samples.image("RGB").save(path, xmp=packet, quality=98)
    return path


@pytest.mark.parametrize(
    "source",
    [
        lambda folder: still_and_frames(folder / "a.png"),
        lambda folder: turned_by_xmp(folder / "a.jpg"),
        lambda folder: samples.save_deep(folder / "a.png", 3),
        lambda folder: samples.save_deep(folder / "a.png", 4),
        lambda folder: samples.save_deep(folder / "a.png", 1),
        lambda folder: samples.save_deep(folder / "a.tif", 3),
    ],
    ids=["still image", "XMP", "RGB", "RGBA", "grey", "TIFF"],
)
def test_prepare_and_eval_see_the_pixels_that_upscale_sees(tmp_path, source):
    path = source(tmp_path)
    with open_image(path, max_pixels=10**6) as image:
        frame = next(image.frames())
    seen = shallow(frame.pixels)
    assert np.array_equal(read_image(path, max_pixels=10**6).pixels, seen)
    prepared = decode(path, max_side=0).pixels
    assert np.array_equal(prepared, seen if seen.ndim == 3 else np.dstack([seen] * 3))
    assert header_size(path) in {seen.shape[1::-1], seen.shape[:2]}


def test_a_set_bit_of_an_xbm_is_ink(tmp_path, upscale):
    """As the X Window System has it; the first pixel is the lowest bit (Xlib, XReadBitmapFile)."""
    path = tmp_path / "a.xbm"
    path.write_text(
        "#define a_width 8\n#define a_height 2\nstatic char a_bits[] = {\n0x0f, 0x01};\n"
    )
    wanted = np.array([[0] * 4 + [255] * 4, [0] + [255] * 7], np.uint8)
    assert np.array_equal(read_image(path, max_pixels=100).pixels, wanted)
    assert np.array_equal(decode(path, max_side=0).pixels[..., 0], wanted)
    with Image.open(upscale.one(path, tmp_path / "out")) as image:
        assert np.asarray(image.convert("L")).mean() == pytest.approx(wanted.mean(), abs=1)


def icon_of_depths(path):
    """Write an icon of the same size in 8 bits (black) and 32 bits (red), and a smaller one."""

    def entry(side, bits, pixel):
        palette = bytes(1024) if bits == 8 else b""
        head = struct.pack("<IiiHHIIiiII", 40, side, 2 * side, 1, bits, 0, 0, 0, 0, 0, 0)
        return head + palette + pixel * side * side + bytes((side + 31) // 32 * 4 * side)

    kinds = [(16, 32, b"\0\xff\0\xff"), (32, 8, b"\0"), (32, 32, b"\0\0\xff\xff")]
    images = [entry(*kind) for kind in kinds]
    data, place = struct.pack("<HHH", 0, 1, len(images)), 6 + 16 * len(images)
    for (side, bits, _), image in zip(kinds, images, strict=True):
        data += struct.pack("<BBBBHHII", side, side, 0, 0, 1, bits, len(image), place)
        place += len(image)
    path.write_bytes(data + b"".join(images))
    return path


def test_the_deepest_of_the_largest_images_of_an_icon_is_taken(tmp_path, upscale):
    path = icon_of_depths(tmp_path / "a.ico")
    assert read_image(path, max_pixels=10**4).pixels[0, 0].tolist() == [255, 0, 0]
    assert decode(path, max_side=0).pixels[0, 0].tolist() == [255, 0, 0]
    (item,) = upscale(path, output=tmp_path / "out").written
    assert (item.width, item.height) == (64, 64)
    assert "only the largest of 3 images is upscaled" in item.notes


@pytest.mark.parametrize("reader", [read_image, decode])
def test_fits_of_16_bits_is_refused_since_it_states_no_white(tmp_path, reader):
    cards = ["SIMPLE  = T", "BITPIX  = 16", "NAXIS   = 2", "NAXIS1  = 8", "NAXIS2  = 8", "END"]
    head = "".join(
        f"{name:8}{'= ' if value else ''}{value.strip():>20}".ljust(80)
        for name, _, value in (card.partition("=") for card in cards)
    )
    path = tmp_path / "a.fits"
    path.write_bytes(head.ljust(2880).encode() + np.arange(64, dtype=">i2").tobytes().ljust(2880))
    options = {"max_side": 0} if reader is decode else {"max_pixels": 100}
    with pytest.raises(InputError, match="16-bit pixels without a known range"):
        reader(path, **options)


@pytest.mark.parametrize(
    ("luma", "coding"),
    [
        *(((2126, 7152, 722), coding) for coding in (None, "lzw", "zlib")),
        ((2627, 6780, 593), "lzw"),
        ((299, 587, 114), None),
        ((0, 0, 0), None),
    ],
)
def test_ycbcr_of_tiff_goes_by_its_own_coefficients(tmp_path, upscale, luma, coding):
    """TIFF 6.0, section 21; coefficients that are not shares of one are BT.601's."""
    total = sum(luma)
    kr, kg, kb = (share / total for share in luma) if total else (0.299, 0.587, 0.114)
    rgb = samples.ramp(3).astype(float)
    y = rgb @ (kr, kg, kb)
    chroma = [(rgb[..., 2] - y) / (2 - 2 * kb), (rgb[..., 0] - y) / (2 - 2 * kr)]
    coded = np.stack([y, *(128 + part for part in chroma)], axis=-1).round().astype(np.uint8)
    numbers = [number for share in luma for number in (share, total or 1)]
    tifffile.imwrite(
        tmp_path / "a.tif", coded, photometric="ycbcr", compression=coding, subsampling=(1, 1),
        extratags=[(529, 5, 3, tuple(numbers), True)],
    )  # fmt: skip
    for pixels in (
        read_image(tmp_path / "a.tif", max_pixels=10**6).pixels,
        decode(tmp_path / "a.tif", max_side=0).pixels,
    ):
        assert np.abs(pixels - rgb).max() <= 3
    made = tifffile.imread(upscale.one(tmp_path / "a.tif", tmp_path / "out"))
    assert np.abs(made[::2, ::2] - rgb).mean() < 4
