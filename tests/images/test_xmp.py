from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_cli.images.metadata import ImageMetadata
from flux_cli.images.xmp import LARGEST, OURS, SOURCE_TYPE, build_packet, merge, read, strip_illegal

METADATA = ImageMetadata(
    prompt="a red fox",
    provider="runware",
    model="flux-1.1-pro-ultra",
    seed=7,
    job_id="k3f9q2mx",
    parameters={"raw": True},
    created_at=1_795_000_000.0,
)
DC, XMP, IPTC, RDF = (
    "{http://purl.org/dc/elements/1.1/}",
    "{http://ns.adobe.com/xap/1.0/}",
    "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}",
    "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}",
)
THEIRS = b"""<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><!-- by a tool --><r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<r:Description r:about="uuid:&quot;1" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:CreatorTool="Theirs"/>
</r:RDF></x:xmpmeta>
<?xpacket end="w"?>     """


def said(found: bytes, name: str) -> list[str]:
    """Return the text of every property of that name, written as an element or as an attribute."""
    root = ET.fromstring(found.decode().lstrip("\ufeff"))
    texts = ["".join(element.itertext()) for element in root.iter(name)]
    return texts + [element.attrib[name] for element in root.iter() if name in element.attrib]


def test_a_packet_says_what_others_look_for():
    found = build_packet(METADATA)

    names = (f"{DC}description", f"{IPTC}DigitalSourceType", f"{XMP}CreatorTool", f"{XMP}CreateDate")
    assert [said(found, name) for name in names] == [
        ["a red fox"],
        [SOURCE_TYPE],
        [f"flux {METADATA.version}"],
        ["2026-11-18T11:06:40Z"],
    ]
    assert SOURCE_TYPE.endswith("/digitalsourcetype/trainedAlgorithmicMedia")


def test_a_packet_says_the_rest_under_names_of_our_own():
    found = build_packet(METADATA)

    assert [said(found, f"{{{OURS}}}{name}") for name in ("provider", "model", "seed", "job")] == [
        ["runware"],
        ["flux-1.1-pro-ultra"],
        ["7"],
        ["k3f9q2mx"],
    ]


def test_what_nobody_knows_is_not_said():
    found = build_packet(replace(METADATA, prompt="", model=None, seed=None))

    assert [said(found, name) for name in (f"{DC}description", f"{{{OURS}}}model", f"{{{OURS}}}seed")] == [[]] * 3


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_prompt_makes_a_packet_that_can_be_read(prompt):
    """The metadata is exact; the description lacks what XML cannot hold, and nothing else."""
    metadata = replace(METADATA, prompt=prompt)

    found = build_packet(metadata)

    assert ImageMetadata.read(read(found)) == metadata
    assert said(found, f"{DC}description") == [strip_illegal(prompt)]


def test_a_packet_that_is_there_keeps_every_byte():
    found = merge(THEIRS, METADATA)

    start = found.index(b"<rdf:Description")
    end = found.index(b"</rdf:Description>") + len(b"</rdf:Description>")
    assert found[:start] + found[end:] == THEIRS
    assert ImageMetadata.read(read(found)) == METADATA


def test_what_a_packet_says_already_is_not_said_twice():
    """And all of it is about the same thing."""
    found = merge(THEIRS, METADATA)

    assert said(found, f"{XMP}CreatorTool") == ["Theirs"]
    assert said(found, f"{DC}description") == ["a red fox"]
    assert said(found, f"{RDF}about") == ['uuid:"1'] * 2


@pytest.mark.parametrize(
    "odd",
    [
        b"",
        b"no XML",
        b"<a/>",
        b"\xff\xfe<\0a\0",
        THEIRS.replace(b"<x:xmpmeta", b"<!DOCTYPE a [<!ENTITY b 'c'>]><x:xmpmeta"),
        THEIRS.replace(b"by a tool", b"</r:RDF>"),
        THEIRS.replace(b"r:RDF", b"r:Bag"),
        build_packet(METADATA),
        THEIRS + b" " * LARGEST,
    ],
)
def test_a_packet_that_is_not_plain_is_left_alone(odd):
    assert merge(odd, METADATA) is None


@pytest.mark.parametrize(
    "odd",
    [b"", b"no XML", THEIRS, b"\xff\xfe<\0", b"<a>", build_packet(METADATA).replace(b"<x:", b"<!DOCTYPE a><x:", 1)],
)
def test_a_packet_without_metadata_tells_none(odd):
    assert read(odd) is None


def test_metadata_that_an_editor_made_an_attribute_is_found():
    found = f'<a xmlns:flux="{OURS}"><b flux:story="told"/></a>'.encode()

    assert read(found) == "told"


def test_an_entity_bomb_is_not_opened():
    bomb = b'<!DOCTYPE a [<!ENTITY b "bbbbbbbb"><!ENTITY c "&b;&b;&b;">]><a xmlns:f="%s"><f:story>&c;</f:story></a>'

    assert read(bomb % OURS.encode()) is None
