"""A result says in its XMP what made it, in every format that has a place for XMP."""

import json
import shutil
import subprocess
from xml.etree import ElementTree as ET

import pytest
from PIL import Image

from srgan_cli import __version__
from srgan_cli.imaging.files.formats import FORMATS
from srgan_cli.imaging.metadata import xmp
from srgan_cli.imaging.metadata.label import ENHANCED, INVENTED, NAMESPACE, SOURCE_TYPE, Label
from srgan_cli.paths import file_sha256
from tests.conformance import blocks, samples
from tests.conformance.same_blocks import require

RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
OURS, SOURCE = f"{{{NAMESPACE}}}", "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"
TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
WITH_XMP = [".png", ".tif", ".jpg", ".webp", ".avif", ".gif", ".jp2", ".heic", ".jxl"]
WITHOUT = [format_.suffix for format_ in FORMATS.values() if format_.suffix not in WITH_XMP]
HEAD = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF '
    'xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
    'xmlns:i="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">'
)
TAIL = "</r:RDF></x:xmpmeta>"
LABEL = Label({"Model": 'a "quoted" & <odd>\x07 name'}, ENHANCED)


def stated(packet):
    """Return all properties of all descriptions in a packet, by a parser of XML."""
    found = {}
    root = ET.fromstring(packet.decode().strip("\ufeff"))  # noqa: S314 - our own
    for description in root.iter(f"{RDF}Description"):
        found |= description.attrib
        found |= {
            child.tag: child.attrib.get(f"{RDF}resource", child.text) for child in description
        }
    return found


def label_in(path):
    """Return what a file's XMP states, read without the program's parsers."""
    data = path.read_bytes()
    start = data.index(b"<x:xmpmeta")
    return stated(data[start : data.index(b"</x:xmpmeta>", start) + len(b"</x:xmpmeta>")])


@pytest.mark.parametrize("with_blocks", [True, False])
@pytest.mark.parametrize("extension", WITH_XMP)
def test_a_result_says_what_made_it(tmp_path, upscale, extension, with_blocks):
    require(extension)
    source = tmp_path / "a.jpg"
    if with_blocks:
        blocks.full(source)
    else:
        samples.image("RGB").save(source)
    report = upscale(source, output=tmp_path / "out", ext=extension, scale=2.5, strength=None)
    (made,) = report.written
    found = label_in(made.output)
    assert found[f"{OURS}Version"] == __version__
    assert found[f"{OURS}Model"] == upscale.model.name
    assert found[f"{OURS}ModelSHA256"] == file_sha256(upscale.model)
    assert found[f"{OURS}Scale"] == "2.5"
    assert found[SOURCE] == INVENTED  # Of weights that do not say how they were trained.
    assert ("{http://purl.org/dc/elements/1.1/}source" in found) == with_blocks
    assert not any("XMP" in note for note in made.notes)


@pytest.mark.parametrize("extension", [*WITH_XMP, *WITHOUT])
def test_nothing_is_said_where_it_is_not_wanted_or_has_no_place(tmp_path, upscale, extension):
    require(extension)
    source = tmp_path / "a.png"
    samples.image("RGB").save(source)
    report = upscale(
        source, output=tmp_path / "out", ext=extension, strip_metadata=extension in WITH_XMP
    )
    (made,) = report.written
    assert b"xmpmeta" not in made.output.read_bytes()
    assert not any("XMP" in note for note in made.notes)


def test_the_same_command_gives_the_same_bytes(tmp_path, upscale):
    source = blocks.full(tmp_path / "a.jpg")
    made = [upscale.one(source, tmp_path / name) for name in ("one", "two")]
    assert made[0].read_bytes() == made[1].read_bytes()


def test_the_label_of_a_result_replaces_that_of_its_source(tmp_path, upscale):
    source = blocks.full(tmp_path / "a.jpg")
    once = upscale.one(source, tmp_path / "once", scale=2)
    twice = upscale.one(once, tmp_path / "twice", scale=3)
    assert twice.read_bytes().count(b"<rdf:Description") == 2
    assert label_in(twice)[f"{OURS}Scale"] == "3"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("digitalCapture", ENHANCED), ("trainedAlgorithmicMedia", f"{TYPES}trainedAlgorithmicMedia"),
     ("compositeSynthetic", f"{TYPES}compositeSynthetic")],
)  # fmt: skip
@pytest.mark.parametrize(
    "form",
    [
        '<r:Description r:about="" i:DigitalSourceType="{}"/>',
        "<r:Description><i:DigitalSourceType>{}</i:DigitalSourceType></r:Description>",
        '<r:Description><i:DigitalSourceType r:resource="{}"/></r:Description>',
    ],
)
def test_the_source_type_stands_there_once_and_a_generated_image_stays_one(form, text, expected):
    packet = HEAD + form.format(TYPES + text) + TAIL
    made = xmp.parse(packet.encode()).updated(xmp.Change((1, 1), (2, 2)), LABEL)
    assert made.count(SOURCE_TYPE[1].encode()) == packet.count(SOURCE_TYPE[1])
    assert stated(made)[SOURCE] == expected


@pytest.mark.parametrize(
    "packet",
    [f"{HEAD}{TAIL}", HEAD.removesuffix(">") + "/></x:xmpmeta>", "<x:xmpmeta xmlns:x='a'/>",
     "<x:xmpmeta xmlns:x='a'> </x:xmpmeta>", f"{HEAD}<!-- </r:RDF> -->{TAIL}"],
)  # fmt: skip
def test_any_packet_takes_a_label_and_gives_it_back(packet):
    made = xmp.parse(packet.encode()).updated(xmp.Change((1, 1), (2, 2)), LABEL)
    name = 'a "quoted" & <odd>\ufffd name'
    assert stated(made) == {f"{OURS}Model": name, SOURCE: ENHANCED, f"{RDF}about": ""}
    assert xmp.parse(made).label == {"Model": name}


def test_xmp_that_fills_a_jpeg_keeps_its_place(tmp_path, upscale):
    full = samples.XMP.replace(b"sample", b"s" * (65_400 - len(samples.XMP)))
    samples.image("RGB").save(tmp_path / "a.jpg", xmp=full)
    made = upscale.one(tmp_path / "a.jpg", tmp_path / "out")
    with Image.open(made) as image:
        assert image.info["xmp"] == full


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="needs exiftool")
@pytest.mark.parametrize("extension", WITH_XMP)
def test_exiftool_reads_the_label(tmp_path, upscale, extension):
    require(extension)
    made = upscale.one(blocks.full(tmp_path / "a.jpg"), tmp_path / "out", ext=extension)
    done = subprocess.run(
        ["exiftool", "-j", "-G1", "-XMP:all", made], capture_output=True, check=True
    )
    (found,) = json.loads(done.stdout)
    assert found["XMP-iptcExt:DigitalSourceType"] == INVENTED
    assert found["XMP-srgan:Model"] == upscale.model.name
    assert found["XMP-dc:Source"] == "sample"
