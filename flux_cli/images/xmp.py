"""Write metadata as an XMP packet, alone or merged into an existing packet, and read it again.

JPEG, PNG and WebP all have a place for XMP, and the IPTC defines how it marks an image as made by AI. A packet holds
the prompt as ``dc:description``, the IPTC digital source type and, in our own namespace, the seed, model, provider and
job for people and all of the metadata as JSON (``flux:story``), from which flux reads it again. See XMP Specification
Part 1 (ISO 16684-1) and https://cv.iptc.org/newscodes/digitalsourcetype/ .
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from flux_cli.images.metadata import ImageMetadata

if TYPE_CHECKING:
    from collections.abc import Collection
    from xml.etree.ElementTree import Element

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""The IPTC's name for an image that a trained model made."""

OURS = "urn:x-flux-image:1.0#"
"""The namespace of our own names."""

LARGEST = 1 << 20
"""Bytes of a packet that are read."""

_SPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "flux": OURS,
}
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_HEAD = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
_TAIL = '\n<?xpacket end="w"?>'
_END = re.compile(r"</[^<>/:]*:?RDF\s*>")
_ILLEGAL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def strip_illegal(text: str) -> str:
    """Return ``text`` without the control characters that neither XML nor a text field can hold."""
    return _ILLEGAL.sub("", text)


def build_packet(metadata: ImageMetadata) -> bytes:
    """Return ``metadata`` as a packet of its own."""
    body = f'<rdf:RDF xmlns:rdf="{_RDF}">\n{_description(metadata, about="", without=())}\n</rdf:RDF>'
    return f'{_HEAD}<x:xmpmeta xmlns:x="adobe:ns:meta/">\n{body}\n</x:xmpmeta>{_TAIL}'.encode()


def merge(packet: bytes, metadata: ImageMetadata) -> bytes | None:
    """Return ``packet`` with ``metadata`` added and all else as it was; ``None`` where that cannot be done safely.

    A property that the packet already has, a description for instance, is kept and not added again.
    """
    root = _parse(packet)
    if root is None:
        return None
    elements = [*root.iter()]
    known = {element.tag for element in elements} | {name for element in elements for name in element.attrib}
    text = packet.decode()
    ends = [*_END.finditer(text)]
    if len(ends) != 1 or any(name.startswith(f"{{{OURS}}}") for name in known):
        return None
    about = next((value for one in elements if (value := one.get(f"{{{_RDF}}}about")) is not None), "")
    at = ends[0].start()
    found = (text[:at] + _description(metadata, about=about, without=known) + text[at:]).encode()
    return None if _parse(found) is None else found


def read(packet: bytes) -> str | None:
    """Return the JSON text of the metadata in ``packet``, or ``None`` where there is none, or no XML."""
    name = f"{{{OURS}}}story"
    root = _parse(packet)
    for element in root.iter() if root is not None else ():
        if element.tag == name:
            return element.text
        if name in element.attrib:  # some editors write short values so
            return element.attrib[name]
    return None


def _parse(packet: bytes) -> Element | None:
    """Return the root of a packet, or ``None`` for what is not plain XML in UTF-8: a DTD may be an attack."""
    from xml.etree import ElementTree as ET  # noqa: PLC0415 - the usual name; only few images need it

    if len(packet) > LARGEST or b"<!" in packet.replace(b"<!--", b""):
        return None
    try:
        return ET.fromstring(packet.decode().lstrip("\ufeff").rstrip("\0 \r\n\t"))  # noqa: S314 - no DTD, no entities
    except (ET.ParseError, ValueError):
        return None


def _description(metadata: ImageMetadata, *, about: str, without: Collection[str]) -> str:
    """Return the properties of ``metadata`` as one element, leaving out those named in ``without``."""
    spaces = " ".join(f'xmlns:{prefix}="{space}"' for prefix, space in _SPACES.items())
    alternatives = f'<rdf:Alt><rdf:li xml:lang="x-default">{_text(metadata.prompt)}</rdf:li></rdf:Alt>'
    lines = [
        ("dc:description", alternatives if metadata.prompt else ""),
        ("Iptc4xmpExt:DigitalSourceType", SOURCE_TYPE),
        ("xmp:CreatorTool", f"flux {_text(metadata.version)}"),
        ("xmp:CreateDate", metadata.created),
        ("flux:provider", _text(metadata.provider)),
        ("flux:model", _text(metadata.model or "")),
        ("flux:seed", "" if metadata.seed is None else str(metadata.seed)),
        ("flux:job", _text(metadata.job_id)),
        ("flux:story", _text(metadata.text)),
    ]
    properties = "".join(
        f" <{name}>{value}</{name}>\n" for name, value in lines if value and _qualified(name) not in without
    )
    about = _text(about).replace('"', "&quot;")
    return f'<rdf:Description xmlns:rdf="{_RDF}" rdf:about="{about}" {spaces}>\n{properties}</rdf:Description>'


def _qualified(name: str) -> str:
    """Return a name as a parsed document has it."""
    prefix, _, local = name.partition(":")
    return f"{{{_SPACES[prefix]}}}{local}"


def _text(text: str) -> str:
    """Return ``text`` as it stands in XML, a carriage return included."""
    escaped = strip_illegal(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("\r", "&#13;")
