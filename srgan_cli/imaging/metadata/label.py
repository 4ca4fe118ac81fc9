"""What made a result, as properties of its XMP: model, options, and IPTC's digital source type."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from xml.sax.saxutils import escape

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
NAMESPACE = "urn:srgan-cli:label:1.0/"
"""Of our own properties."""
SOURCE_TYPE = ("http://iptc.org/std/Iptc4xmpExt/2008-02-29/", "DigitalSourceType")
_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
ENHANCED = f"{_TYPES}algorithmicallyEnhanced"
INVENTED = f"{_TYPES}compositeWithTrainedAlgorithmicMedia"
_STRONGER = {"trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "algorithmicMedia"}
_STRONGER |= {"compositeSynthetic", "virtualRecording"}

EMPTY_PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    f'<rdf:RDF xmlns:rdf="{RDF}"></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
).encode()


@dataclass(frozen=True, slots=True)
class Label:
    """What made a result."""

    properties: Mapping[str, str]
    """By their names in our namespace, such as ``Model``."""
    source_type: str
    """Of IPTC's digital source types, the one that the result has by what made it."""

    def after(self, stated: Iterable[str]) -> "Label":
        """Return the label of the result of an image that states digital source types.

        What a generator made stays what a generator made, however faithfully it is upscaled.
        """
        kept = (kind for kind in stated if kind.removeprefix(_TYPES) in _STRONGER)
        return replace(self, source_type=next(kept, self.source_type))

    def packed(self, *, with_source_type: bool) -> bytes:
        """Return an element ``rdf:Description`` that states the label."""
        prefix, name = "Iptc4xmpExt", SOURCE_TYPE[1]
        attributes = {"xmlns:rdf": RDF, "rdf:about": "", "xmlns:srgan": NAMESPACE}
        attributes |= {f"srgan:{key}": value for key, value in self.properties.items()}
        if with_source_type:
            attributes |= {f"xmlns:{prefix}": SOURCE_TYPE[0], f"{prefix}:{name}": self.source_type}
        parts = [f'{key}="{_escaped(value)}"' for key, value in attributes.items()]
        return f"<rdf:Description {' '.join(parts)}/>".encode()


def _escaped(text: str) -> str:
    """Return text as an attribute holds it; what XML cannot hold becomes U+FFFD."""
    printable = "".join(c if c.isprintable() else "\ufffd" for c in text)
    return escape(printable, {'"': "&quot;"})
