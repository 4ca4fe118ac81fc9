"""Pixels that were wrong in one file, or that Pillow alone reads otherwise than all others."""

import struct
from io import BytesIO

import numpy as np
import pytest
import tifffile
from PIL import Image

from srgan_cli.data.photographs import decode, header_size
from srgan_cli.errors import InputError
from srgan_cli.imaging.files.decode import open_image
from srgan_cli.imaging.files.io import read_image
from srgan_cli.imaging.frames import shallow
from tests.conformance import blocks, samples


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
