"""XMP packets: what they state about the old image is corrected, all else stays as it was.

A packet is parsed as XML (ISO 16684-1), and the values found are replaced at their places, so
that the rest keeps its prefixes, its order and its padding. Document type declarations and
with them entities are refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.parsers import expat
from xml.sax.saxutils import unescape

from srgan_cli.imaging.metadata.label import NAMESPACE, RDF, SOURCE_TYPE, Label
from srgan_cli.imaging.metadata.xmp_values import (
    EXIF,
    PANORAMA,
    TIFF,
    Change,
    Name,
    corrected,
    turned_area,
)

_XMP = "http://ns.adobe.com/xap/1.0/"
_REGIONS = "http://www.metadataworkinggroup.com/schemas/regions/"
_AREA = "http://ns.adobe.com/xmp/sType/Area#"
_DIMENSIONS = "http://ns.adobe.com/xap/1.0/sType/Dimensions#"
_CAMERA = "http://ns.google.com/photos/1.0/camera/"
_NOTE = "http://ns.adobe.com/xmp/note/"

_GAIN_MAP, _VIDEO = "HDR gain map", "motion-photo video"
_DEPTH, _SOUND, _EXTENDED = "depth map", "sound", "extended XMP"
_REMOVED_NAMESPACES = {
    "http://ns.adobe.com/hdr-gain-map/1.0/": _GAIN_MAP,
    "http://ns.apple.com/HDRGainMap/1.0/": _GAIN_MAP,
    "http://ns.apple.com/pixeldatainfo/1.0/": "",
    "http://ns.google.com/photos/1.0/container/": "",
    "http://ns.google.com/photos/1.0/container/item/": "",
    "http://ns.google.com/photos/dd/1.0/device/": "",
    "http://ns.google.com/photos/1.0/depthmap/": _DEPTH,
    "http://ns.google.com/photos/1.0/image/": _DEPTH,
    "http://ns.google.com/photos/1.0/audio/": _SOUND,
    NAMESPACE: "",
}
"""Properties of further images and of data in the file, and what those are; and our own."""
_SEMANTICS = {"GainMap": _GAIN_MAP, "MotionPhoto": _VIDEO, "Depth": _DEPTH, "DepthMap": _DEPTH}
_MOTION = re.compile(r"(MicroVideo|MotionPhoto).*")

_USUAL_PREFIXES = {"tiff": TIFF, "exif": EXIF, "xmp": _XMP, "xap": _XMP, "GPano": PANORAMA}
"""For packets that forget to declare them."""
_DEEPEST = 100
_RDF_START, _RDF_END = f'<rdf:RDF xmlns:rdf="{RDF}">'.encode(), b"</rdf:RDF>"
_ATTRIBUTE = re.compile(rb"""\s+([^\s=/>]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_TAG_END = re.compile(rb"""(?:[^"'>]|"[^"]*"|'[^']*')*>""")


@dataclass(slots=True)
class _Value:
    """A value in the packet, as an attribute or as an element's text."""

    name: Name
    start: int
    stop: int
    text: str


@dataclass(slots=True)
class _Open:
    """An element whose end has not come yet."""

    name: Name
    start: int
    after: int
    """Offset of the first byte behind its start tag."""
    empty: bool
    is_leaf: bool = True
    group: list[_Value] | None = None
    is_own: bool = False
    """It holds properties of our own."""


@dataclass(slots=True)
class Packet:
    """A parsed packet."""

    data: bytes
    values: list[_Value] = field(default_factory=list)
    groups: list[tuple[str, list[_Value]]] = field(default_factory=list)
    """Of ``Area`` and ``AppliedToDimensions``: their values together."""
    removed: list[tuple[int, int]] = field(default_factory=list)
    losses: set[str] = field(default_factory=set)
    """What the packet says of parts of the file that are not kept."""
    label: dict[str, str] = field(default_factory=dict)
    """Our own properties: what made the image."""
    room: tuple[int, int, bytes, bytes] = (0, 0, b"", b"")
    """Where a property can be added: what is replaced there, and what goes around it."""

    @property
    def orientation(self) -> int:
        """The orientation that it states; 1 where it states none."""
        for value in self.values:
            if value.name == (TIFF, "Orientation") and value.text in set("12345678"):
                return int(value.text)
        return 1

    def updated(self, change: Change, label: Label | None = None) -> bytes:
        """Return a packet that describes the result.

        Sizes follow, the orientation is 1, and thumbnails and whatever is said of gain maps,
        videos, depth maps and extended XMP is gone, since results have none.

        Args:
            change: What becomes of the image.
            label: What makes the result, in place of what made the source; None to say nothing.
        """
        edits = [(start, stop, b"") for start, stop in self.removed]
        for value in self.values:
            replaced = corrected(value.name, value.text, change)
            if replaced is not None:
                edits.append((value.start, value.stop, replaced.encode()))
        for name, group in self.groups:
            edits += _regrouped(name, group, change)
        if label is not None:
            edits += self._labelled(label)
        return _edited(self.data, edits)

    def _labelled(self, label: Label) -> list[tuple[int, int, bytes]]:
        stated = [value for value in self.values if value.name == SOURCE_TYPE]
        label = label.after([value.text for value in stated])
        stays = [v for v in stated if not any(a <= v.start < b for a, b in self.removed)]
        start, stop, before, after = self.room
        text = before + label.packed(with_source_type=not stays) + after
        kind = label.source_type.encode()
        return [(start, stop, text), *((v.start, v.stop, kind) for v in stays)]


def parse(xmp: bytes) -> Packet:
    """Parse a packet.

    Raises:
        ValueError: It is not well-formed, has a document type, or is nested too deeply.
    """
    if xmp[:2] in (b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<"):
        codec = "utf-16-be" if xmp[:1] in (b"\xfe", b"\0") else "utf-16-le"
        xmp = xmp.decode(codec).lstrip("\ufeff").encode()
    packet = Packet(xmp.rstrip(b"\0"))
    _Parser(packet).run()
    return packet


class _Parser:
    """Collects what matters of a packet while expat goes through it."""

    def __init__(self, packet: Packet) -> None:
        self._packet = packet
        self._stack: list[_Open] = []
        self._scopes: list[Mapping[str, str]] = [_USUAL_PREFIXES]
        self._expat = expat.ParserCreate("UTF-8")
        self._expat.ordered_attributes = True
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end
        self._expat.StartDoctypeDeclHandler = _refuse
        self._expat.EntityDeclHandler = _refuse

    def run(self) -> None:
        try:
            self._expat.Parse(self._packet.data, True)
        except expat.ExpatError as error:
            raise ValueError(f"XMP that is not well-formed: {error}") from error

    def _start(self, name: str, attributes: list[str]) -> None:
        if len(self._stack) >= _DEEPEST:
            raise ValueError("XMP that is nested too deeply")
        start = self._expat.CurrentByteIndex
        match = _TAG_END.match(self._packet.data, start)
        if match is None:
            raise ValueError("XMP that is not well-formed")
        tag = match.group()
        pairs = dict(zip(attributes[::2], attributes[1::2], strict=True))
        declared = {k.partition(":")[2]: v for k, v in pairs.items() if k.startswith("xmlns")}
        self._scopes.append({**self._scopes[-1], **declared} if declared else self._scopes[-1])
        element = _Open(self._name(name), start, match.end(), tag.endswith(b"/>"))
        if self._stack:
            self._stack[-1].is_leaf = False
        if element.name in {(_REGIONS, "Area"), (_REGIONS, "AppliedToDimensions")}:
            element.group = []
        self._stack.append(element)
        self._attributes(tag, start)

    def _name(self, name: str) -> Name:
        """Resolve a name with its prefix."""
        prefix, _, local = name.rpartition(":")
        return self._scopes[-1].get(prefix, ""), local

    def _attributes(self, tag: bytes, start: int) -> None:
        for match in _ATTRIBUTE.finditer(tag):
            which = 2 if match.group(2) is not None else 3
            span = (start + match.start(), start + match.end())
            name = match.group(1).decode()
            if name.startswith("xmlns"):
                if match.group(which).decode() in _REMOVED_NAMESPACES:
                    self._packet.removed.append(span)
                continue
            text = match.group(which).decode()
            begin = start + match.start(which)
            value = _Value(self._name(name), begin, begin + len(match.group(which)), text)
            self._take(value, span)

    def _end(self, _: str) -> None:
        element = self._stack.pop()
        stop = element.after
        if not element.empty:
            index = self._expat.CurrentByteIndex
            stop = self._packet.data.index(b">", index) + 1
            text = self._packet.data[element.after : index]
            if element.is_leaf:
                stripped = text.strip()
                begin = element.after + text.find(stripped)
                value = _Value(
                    element.name, begin, begin + len(stripped), stripped.decode("utf-8", "replace")
                )
                self._take(value, (element.start, stop))
        self._scopes.pop()
        if self._is_removed(element.name) or (element.empty and element.is_own):
            self._packet.removed.append((element.start, stop))
        if element.group is not None:
            self._packet.groups.append((element.name[1], element.group))
        is_rdf = element.name == (RDF, "RDF")
        if is_rdf or not (self._stack or self._packet.room[1]):
            self._packet.room = self._room(element, stop, wrap=not is_rdf)

    def _room(self, element: _Open, stop: int, *, wrap: bool) -> tuple[int, int, bytes, bytes]:
        """Return the place behind the last child of an element."""
        before, after = (_RDF_START, _RDF_END) if wrap else (b"", b"")
        if not element.empty:
            place = self._expat.CurrentByteIndex
            return place, place, before, after
        tag = self._packet.data[element.start + 1 : stop].split()[0].rstrip(b"/>")
        return stop - 2, stop, b">" + before, after + b"</" + tag + b">"

    def _take(self, value: _Value, span: tuple[int, int]) -> None:
        """Keep a value in mind, or the place of one that is to be removed."""
        if value.name[0] == NAMESPACE and self._stack:
            self._packet.label[value.name[1]] = unescape(value.text, {"&quot;": '"'})
            self._stack[-1].is_own = True
        if (
            value.name == (RDF, "resource")
            and self._stack[-1:]
            and self._stack[-1].name == SOURCE_TYPE
        ):
            value.name = SOURCE_TYPE
        if value.name[1] == "Semantic":
            self._packet.losses.add(_SEMANTICS.get(value.text, ""))
        if self._is_removed(value.name):
            self._packet.removed.append(span)
            return
        group = next((e.group for e in reversed(self._stack) if e.group is not None), None)
        if group is not None and value.name[0] in {_AREA, _DIMENSIONS}:
            group.append(value)
        else:
            self._packet.values.append(value)

    def _is_removed(self, name: Name) -> bool:
        namespace, local = name
        losses = self._packet.losses
        if namespace in _REMOVED_NAMESPACES:
            losses.add(_REMOVED_NAMESPACES[namespace])
        elif namespace == _CAMERA and _MOTION.fullmatch(local):
            losses.add(_VIDEO)
        elif name == (_NOTE, "HasExtendedXMP"):
            losses.add(_EXTENDED)
        elif name != (_XMP, "Thumbnails"):
            return False
        losses.discard("")
        return True


def _refuse(*_: object) -> None:
    raise ValueError("XMP with a document type")


def _regrouped(name: str, group: list[_Value], change: Change) -> list[tuple[int, int, bytes]]:
    """Turn a region, whose coordinates are shares of the sides, or state the new size."""
    by_name = {value.name[1]: value for value in group}
    new: dict[str, str] = {}
    if name == "AppliedToDimensions":
        if getattr(by_name.get("unit"), "text", "pixel") == "pixel":
            new = {"w": str(change.new[0]), "h": str(change.new[1])}
    else:
        new = turned_area({key: value.text for key, value in by_name.items()}, change.turned)
    return [
        (by_name[key].start, by_name[key].stop, text.encode())
        for key, text in new.items()
        if key in by_name
    ]


def _edited(data: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    """Replace spans; one that lies within another, which is removed, goes with it."""
    parts, position = [], 0
    for start, stop, text in sorted(edits, key=lambda edit: (edit[0], -edit[1])):
        if start < position:
            continue
        parts += [data[position:start], text]
        position = stop
    return b"".join([*parts, data[position:]])
