"""Images of every format, mode and depth, made with what each format can carry."""

import io
import re
import struct
import zlib
from functools import cache
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
from PIL import ExifTags, Image, ImageCms, PngImagePlugin

WIDTH, HEIGHT = 24, 16

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    b'xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="sample"/></rdf:RDF></x:xmpmeta>'
)
IPTC = b"\x1c\x02\x78\x00\x07caption"  # Record 2, data set 120: caption.
COMMENT = "made for a test"

EIGHT_BIT = {
    ".png": ["1", "L", "LA", "P", "P+t", "RGB", "RGBA"],
    ".tif": ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "LAB"],
    ".jpg": ["L", "RGB", "CMYK"],
    ".webp": ["RGB", "RGBA"],
    ".avif": ["RGB", "RGBA"],
    ".gif": ["L", "P", "P+t"],
    ".jp2": ["L", "LA", "RGB", "RGBA"],
    ".bmp": ["1", "L", "P", "RGB"],
    ".ppm": ["L", "RGB"],
    ".tga": ["L", "LA", "P", "RGB", "RGBA"],
    ".qoi": ["RGB", "RGBA"],
    ".sgi": ["L", "RGB", "RGBA"],
    ".pcx": ["1", "L", "P", "RGB"],
}
"""The formats that are written, and the Pillow modes of 8 bits that each can carry."""


@cache
def profile() -> bytes:
    """Return an ICC profile that is not sRGB."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB", 5000)).tobytes()


@cache
def grey_profile() -> bytes:
    """Return an ICC profile of grey with a gamma of 1.8."""
    gamma = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(1.8 * 256))
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    name = b"grey\0"
    description = b"desc\0\0\0\0" + struct.pack(">I", len(name)) + name + bytes(78)
    return _icc(b"GRAY", {b"desc": description, b"wtpt": white, b"kTRC": gamma})


def _icc(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for tag, data in tags.items():
        table += tag + struct.pack(">II", start + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    header = struct.pack(">I4sI", start + len(body), b"none", 0x02100000)
    header += b"mntr" + space + b"XYZ " + bytes(12) + b"acsp" + bytes(28)
    header += struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + table + body


def exif(orientation: int = 1) -> Image.Exif:
    """Return EXIF data with a camera, an exposure, a place, and a thumbnail's directory."""
    data = Image.Exif()
    data[ExifTags.Base.Orientation] = orientation
    data[ExifTags.Base.Make] = "camera"
    data[ExifTags.Base.Copyright] = "somebody"
    fields = data.get_ifd(ExifTags.IFD.Exif)
    fields[ExifTags.Base.ExposureTime] = 0.5
    fields[ExifTags.Base.ExifImageWidth] = WIDTH
    fields[ExifTags.Base.ExifImageHeight] = HEIGHT
    data.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    return data


def ramp(channels: int, *, deep: bool = False, phase: float = 0.0) -> np.ndarray:
    """Return smooth H, W or H, W, C pixels that differ in every channel and direction."""
    y, x = np.mgrid[0 : 1 : HEIGHT * 1j, 0 : 1 : WIDTH * 1j]
    planes = [0.5 + 0.4 * np.sin(2 * x + c * y + phase + c) for c in range(channels)]
    levels = np.stack(planes, axis=-1) * (65535 if deep else 255)
    pixels = np.round(levels).astype(np.uint16 if deep else np.uint8)
    return pixels[..., 0] if channels == 1 else pixels


def image(mode: str, phase: float = 0.0) -> Image.Image:
    """Return a smooth image of a Pillow mode."""
    match mode:
        case "1":
            return Image.fromarray(ramp(1, phase=phase)).point(lambda v: 255 * (v > 127), "1")
        case "P":
            return Image.fromarray(ramp(3, phase=phase)).quantize(64)
        case "P+t":
            indexed = Image.fromarray(ramp(3, phase=phase)).quantize(64)
            indexed.info["transparency"] = indexed.getpixel((0, 0))
            return indexed
        case "L" | "LA" | "RGB" | "RGBA":
            return Image.fromarray(ramp(len(mode), phase=phase))
        case "CMYK" | "LAB" | "YCbCr":
            return Image.fromarray(ramp(3 + (mode == "CMYK"), phase=phase), mode=mode)
    raise ValueError(mode)


def png_text() -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    info.add_text("Comment", COMMENT)
    info.add_text("Author", "somebody")
    return info


def photoshop_segment() -> bytes:
    block = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(IPTC)) + IPTC + b"\0" * (len(IPTC) % 2)
    body = b"Photoshop 3.0\0" + block
    return b"\xff\xed" + struct.pack(">H", len(body) + 2) + body


def save(path: Path, picture: Image.Image, *, orientation: int = 1) -> Path:  # noqa: C901
    """Write an image with all the metadata that Pillow can put into its format."""
    name = Image.registered_extensions()[path.suffix]
    common = {"exif": exif(orientation), "icc_profile": profile(), "dpi": (300, 300)}
    match name:
        case "JPEG":
            extra = photoshop_segment()
            options = common | {"xmp": XMP, "comment": COMMENT, "extra": extra, "quality": 98}
        case "PNG":
            options = common | {"pnginfo": png_text()}
        case "WEBP":
            options = common | {"xmp": XMP, "lossless": True}
        case "AVIF":
            options = common | {"xmp": XMP, "quality": 98, "subsampling": "4:4:4"}
        case "TIFF":
            tags = exif(orientation)
            tags[700], tags[33723], tags[270] = XMP, IPTC, COMMENT
            for directory in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
                tags[directory] = tags.get_ifd(directory)
            options = common | {"tiffinfo": tags}
            del options["exif"]
        case "GIF":
            options = {"comment": COMMENT}
        case "BMP" | "PCX":
            options = {"dpi": (300, 300)}
        case "JPEG2000":
            options = {"comment": COMMENT, "irreversible": False}
        case _:
            options = {}
    if "transparency" in picture.info:
        options["transparency"] = picture.info["transparency"]
    picture.save(path, name, **options)
    return path


def save_deep(path: Path, channels: int) -> Path:
    """Write 16-bit pixels as PNG or TIFF with a profile."""
    pixels = ramp(channels, deep=True)
    icc = profile() if channels > 2 else grey_profile()
    if path.suffix == ".png":
        small = io.BytesIO()
        Image.new("L", (1, 1)).save(
            small, "PNG", icc_profile=icc, pnginfo=png_text(), exif=exif(), dpi=(300, 300)
        )
        chunks = small.getvalue()
        start, stop = 33, chunks.index(b"IDAT") - 4
        encoded = imagecodecs.png_encode(pixels)
        path.write_bytes(encoded[:33] + chunks[start:stop] + encoded[33:])
    else:
        tifffile.imwrite(
            path,
            pixels,
            photometric="rgb" if channels > 2 else "minisblack",
            extrasamples=["unassalpha"] if channels in (2, 4) else None,
            planarconfig="contig" if channels > 1 else None,
            compression="lzw",
            iccprofile=icc,
            resolution=(300, 300),
            resolutionunit="inch",
            description=COMMENT,
            metadata=None,
            extratags=[
                (271, 2, 0, "camera", True),
                (700, 1, len(XMP), XMP, True),
                (33723, 7, len(IPTC), IPTC, True),
            ],
        )
    return path


def save_animation(path: Path, mode: str = "RGBA") -> tuple[Path, list[int]]:
    """Write three frames of different timing that loop five times; return the timing."""
    frames = [image(mode, phase) for phase in (0.0, 1.0, 2.0)]
    if mode == "RGBA":
        for number, frame in enumerate(frames):
            alpha = np.zeros((HEIGHT, WIDTH), np.uint8)
            alpha[4:12, 4 + 4 * number : 12 + 4 * number] = 255
            frame.putalpha(Image.fromarray(alpha))
    durations = [100, 250, 40]
    options = {"GIF": {"disposal": 2}, "PNG": {"disposal": 0, "blend": 0}, "WEBP": {}, "AVIF": {}}
    name = Image.registered_extensions()[path.suffix]
    more = {"lossless": True} if name == "WEBP" else {}
    more |= {"loop": 5} if name != "AVIF" else {"quality": 98}
    frames[0].save(
        path,
        save_all=True,
        append_images=frames[1:],
        duration=durations,
        **more,
        **options[name],
    )
    return path, durations


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk with its length and checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(path: Path, width: int = 60_000, height: int = 50_000) -> Path:
    """Write a PNG whose header promises many pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0")), (b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks))
    return path


def display_p3() -> bytes:
    """Return a Display P3 profile (ICC.1:2001-04, matrix and gamma, adapted to D50)."""

    def xyz(*values: float) -> bytes:
        numbers = [round(value * 65536) for value in values]
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *numbers)

    name = b"Display P3\0"
    description = b"desc\0\0\0\0" + struct.pack(">I", len(name)) + name + bytes(78)
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256))
    tags = {
        b"desc": description,
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        b"rXYZ": xyz(0.51512, 0.24120, -0.00105),
        b"gXYZ": xyz(0.29198, 0.69225, 0.04189),
        b"bXYZ": xyz(0.15710, 0.06657, 0.78407),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    return _icc(b"RGB ", tags)


def unlabelled(xmp: bytes | None) -> bytes | None:
    """Return XMP without what a result says of what made it; None if nothing else is in it."""
    if xmp is None:
        return None
    rest, count = re.subn(rb'<rdf:Description [^>]* xmlns:srgan="[^>]*/>', b"", xmp)
    assert count <= 1
    return None if re.search(rb'<rdf:RDF xmlns:rdf="[^"]*"></rdf:RDF>', rest) else rest


def carried(path: Path) -> set[str]:
    """Name what a file carries, read by Pillow alone."""
    found = set()
    with Image.open(path) as image:
        image.load()
        info, exif = image.info, image.getexif()
        texts = dict(getattr(image, "text", {}))
        if info.get("icc_profile") == profile():
            found.add("icc")
        fields, place = exif.get_ifd(ExifTags.IFD.Exif), exif.get_ifd(ExifTags.IFD.GPSInfo)
        if (
            exif.get(ExifTags.Base.Make) == "camera"
            and fields.get(ExifTags.Base.ExposureTime) == 0.5
            and place.get(ExifTags.GPS.GPSLatitudeRef) == "N"
        ):
            found.add("exif")
            assert (fields[0xA002], fields[0xA003]) == image.size or path.parent.name != "out"
        if unlabelled(info.get("xmp")) == XMP:
            found.add("xmp")
        iptc = info.get("photoshop", {}).get(0x0404) or getattr(image, "tag_v2", {}).get(33723)
        if iptc == IPTC:
            found.add("iptc")
        if np.allclose(info.get("dpi", (0, 0)), 300, rtol=0, atol=0.5):
            found.add("dpi")
        comment = info.get("comment") or info.get("Comment") or exif.get(270)
        if comment in {COMMENT, COMMENT.encode()}:
            found.add("comment")
        if texts.get("Author") == "somebody":
            found.add("text")
    return found


def picture(path: Path, seed: int = 0) -> Path:
    """Write a small image of random pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 12, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path
