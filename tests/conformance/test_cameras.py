"""What exiftool and exiv2 read of a camera's file is what they read of its result."""

import json
import shutil
import subprocess

import pytest

from tests.conformance import cameras
from tests.conformance.same_blocks import require

exiftool = pytest.mark.skipif(shutil.which("exiftool") is None, reason="needs exiftool")
exiv2 = pytest.mark.skipif(shutil.which("exiv2") is None, reason="needs exiv2")

OF_THE_FILE = ("File:", "System:", "ExifTool:", "SourceFile", "JFIF:", "Composite:", "IFD1:", "PNG")
OF_THE_FILE += (
    "RIFF",
    "VP8",
    "AV1",
    "Meta",
    "Jpeg2000",
    "QuickTime",
    "Track",
    "HEIF",
    "ICC",
    "JXL",
)
OF_THE_PIXELS = (
    "ImageWidth",
    "ImageHeight",
    "ExifImage",
    "Orientation",
    "Interlace",
    "Compression",
)
OF_TIFF = (
    "BitsPerSample", "Photometric", "Strip", "SamplesPerPixel", "RowsPerStrip", "PlanarConfig",
    "Predictor", "SubfileType", "ResolutionUnit",
)  # fmt: skip


def by_exiftool(path):
    done = subprocess.run(
        ["exiftool", "-j", "-G1", "-a", "-u", path], capture_output=True, check=True
    )
    (found,) = json.loads(done.stdout)
    return {
        key: value
        for key, value in found.items()
        if not key.startswith(OF_THE_FILE)
        and not key.split(":")[-1].startswith(OF_THE_PIXELS + OF_TIFF)
    }


def of_maker(key, name):
    """Say whether a value stands in the maker note."""
    return key.split(":")[0].lower().startswith(name.split("-")[0])


def by_exiv2(path):
    done = subprocess.run(
        ["exiv2", "-PEkyv", "pr", path], capture_output=True, check=False, text=True
    )
    left_out = (
        "Exif.Thumbnail",
        "Exif.Photo.Pixel",
        "Exif.Image.Orientation",
        "Exif.Image.ExifTag",
    )
    left_out += ("Exif.Image.GPSTag", "Exif.Photo.InteroperabilityTag", "Exif.MakerNote.Offset")
    return sorted(line for line in done.stdout.splitlines() if not line.startswith(left_out))


@exiftool
@pytest.mark.parametrize("ext", ["jpg", "png", "webp", "avif", "jp2", "heic", "jxl"])
@pytest.mark.parametrize("name", cameras.CAMERAS)
def test_exiftool_reads_the_same(tmp_path, upscale, name, ext):
    require(f".{ext}")
    source = cameras.photograph(tmp_path / "a.jpg", name)
    before = by_exiftool(source)
    assert any(of_maker(key, name) for key in before)
    after = by_exiftool(upscale.one(source, tmp_path / "out", ext=ext))
    lost = {"IPTC", "Photoshop"} if ext not in {"jpg", "png", "jp2"} else set()
    wanted = {key: value for key, value in before.items() if key.split(":")[0] not in lost}
    assert {key: after.get(key) for key in wanted} == wanted


@exiftool
@pytest.mark.parametrize("name", cameras.CAMERAS)
def test_exiftool_reads_the_same_in_tiff(tmp_path, upscale, name):
    source = cameras.photograph(tmp_path / "a.jpg", name)
    before = by_exiftool(source)
    after = by_exiftool(upscale.one(source, tmp_path / "out", ext="tif"))
    groups = {"IFD0", "ExifIFD", "GPS", "InteropIFD", "XMP-dc", "IPTC"}
    groups |= {key.split(":")[0] for key in before if of_maker(key, name)}
    wanted = {key: value for key, value in before.items() if key.split(":")[0] in groups}
    assert {key: after.get(key) for key in wanted} == wanted


@exiv2
@pytest.mark.parametrize("ext", ["jpg", "png", "webp"])
@pytest.mark.parametrize("name", cameras.CAMERAS)
def test_exiv2_reads_the_same(tmp_path, upscale, name, ext):
    source = cameras.photograph(tmp_path / "a.jpg", name)
    before = by_exiv2(source)
    assert len(before) > 25
    assert by_exiv2(upscale.one(source, tmp_path / "out", ext=ext)) == before
