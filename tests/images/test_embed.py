from __future__ import annotations

import io
import json
import shutil
import subprocess
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from flux_cli.errors import ProtocolError
from flux_cli.images.embed import embed, read
from flux_cli.images.inspect import inspect, inspect_download
from flux_cli.images.metadata import ImageMetadata
from tests.bare import bare

KINDS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}
METADATA = ImageMetadata(
    prompt='a "f\u00f6x" & <b>\u65e5\u672c \U0001f98a</b>\nin the snow',
    provider="runware",
    model="flux-1.1-pro-ultra",
    seed=7,
    job_id="k3f9q2mx",
    parameters={"aspect_ratio": "16:9", "param": {"a.b": [1, None]}},
    omitted=("image",),
    created_at=1_795_000_000.0,
)
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


def encoded(kind: str, **options) -> bytes:
    stream = io.BytesIO()
    Image.linear_gradient("L").resize((37, 21)).convert("RGB").save(stream, KINDS[kind], **options)
    return stream.getvalue()


@pytest.fixture
def embedded(tmp_path):
    """Return a function that embeds metadata into the bytes of an image, and returns the path of what came out."""

    def run(content: bytes, metadata: ImageMetadata = METADATA):
        source, target = tmp_path / "source", tmp_path / "target"
        source.write_bytes(content)
        target.unlink(missing_ok=True)
        embed(source, target, inspect(source), metadata)
        return target

    return run


@pytest.mark.parametrize("kind", KINDS)
def test_metadata_comes_back_from_its_image(embedded, kind):
    """Exactly, and the image is what it was."""
    path = embedded(encoded(kind))

    assert read(path) == METADATA
    assert bare(path.read_bytes()) == encoded(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_metadata_makes_the_same_file(embedded, kind):
    """Fetched again, an image is the same to the last byte."""
    first = embedded(encoded(kind)).read_bytes()

    assert embedded(encoded(kind)).read_bytes() == first


@given(prompt=st.text(alphabet=st.characters(exclude_categories=["Cs"])), kind=st.sampled_from(sorted(KINDS)))
def test_any_prompt_leaves_a_whole_image(tmp_path_factory, prompt, kind):
    source, target = (tmp_path_factory.mktemp("any") / name for name in ("source", "target"))
    source.write_bytes(encoded(kind))

    embed(source, target, inspect(source), replace(METADATA, prompt=prompt))

    assert read(target).prompt == prompt
    assert inspect(target).width == 37


@pytest.mark.parametrize("kind", KINDS)
def test_metadata_without_a_prompt_can_be_embedded(embedded, kind):
    """Of a job that was made elsewhere."""
    metadata = replace(METADATA, prompt="", model=None, seed=None)

    assert read(embedded(encoded(kind), metadata)) == metadata


def test_metadata_too_long_for_a_jpeg_loses_its_parameters_first(embedded):
    metadata = replace(METADATA, parameters={"param": {"a": "x" * 70_000}})

    found = read(embedded(encoded("jpg"), metadata))

    assert found == replace(metadata, parameters={}, omitted=("image", "param a"))


@pytest.mark.parametrize("prompt", ["\u00fc" * 40_000, "&" * 40_000, "\x01" * 40_000, "\\" * 40_000])
def test_a_prompt_too_long_for_a_jpeg_is_cut_and_says_so(embedded, prompt):
    found = read(embedded(encoded("jpg"), replace(METADATA, prompt=prompt)))

    assert found.omitted == ("prompt", "image", "aspect_ratio", "param a.b")
    assert found.prompt
    assert prompt.startswith(found.prompt)


@pytest.mark.parametrize("kind", ["png", "webp"])
def test_what_is_too_long_for_a_jpeg_is_not_for_others(embedded, kind):
    metadata = replace(METADATA, prompt="\u00fc" * 40_000)

    assert read(embedded(encoded(kind), metadata)) == metadata


THEIRS = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<r:Description r:about="" xmlns:a="urn:a#" a:b="kept"/></r:RDF></x:xmpmeta>'
)


@pytest.mark.parametrize("kind", ["jpg", "webp"])
def test_metadata_joins_the_packet_of_the_provider(embedded, kind):
    """There is one packet, and all of it is in there."""
    path = embedded(encoded(kind, xmp=THEIRS))

    with Image.open(path) as image:
        assert b'a:b="kept"' in image.info["xmp"]
    assert path.read_bytes().count(b"adobe:ns:meta/") == 1
    assert read(path) == METADATA


@pytest.mark.parametrize("theirs", [b"not XML", THEIRS.replace(b"kept", b"k" * 65_000)])
def test_a_packet_that_cannot_be_joined_is_left_alone(embedded, theirs):
    """Because it is odd, or full: the metadata stands beside it."""
    path = embedded(encoded("jpg", xmp=theirs))

    with Image.open(path) as image:
        assert image.info["xmp"] == theirs
        assert image.info["comment"].startswith(b"flux: {")
    assert read(path) == METADATA


def test_two_packets_are_left_alone(embedded):
    """Which one counts is not ours to say."""
    content = encoded("jpg", xmp=THEIRS)
    start, end = content.index(b"\xff\xe1"), content.index(b"\xff\xdb")

    path = embedded(content[:end] + content[start:end] + content[end:])

    assert path.read_bytes().count(THEIRS) == 2
    assert read(path) == METADATA


def test_where_no_place_is_left_the_image_is_left_alone(embedded, tmp_path):
    """A WebP has none beside its packet."""
    with pytest.raises(ProtocolError, match="leaves no place for more"):
        embedded(encoded("webp", xmp=b"not XML"))

    assert not (tmp_path / "target").exists()


def test_a_signed_image_is_left_alone(embedded):
    """Any change would break what it was signed for."""
    content = encoded("jpg")

    with pytest.raises(ProtocolError, match="signed it"):
        embedded(content[:20] + b"\xff\xeb\0\x06JP\0\1" + content[20:])


@pytest.mark.parametrize(
    "content",
    [b"", b"text", b"\xff\xd8\xff", *(encoded(kind) for kind in KINDS), encoded("jpg", comment=b"flux: {}")],
)
def test_a_file_without_metadata_tells_none(tmp_path, content):
    path = tmp_path / "image"
    path.write_bytes(content)

    assert read(path) is None


@pytest.mark.parametrize("kind", KINDS)
def test_no_damage_breaks_the_reading(embedded, tmp_path, kind):
    """A byte that was changed anywhere gives another metadata, or none."""
    content = embedded(encoded(kind)).read_bytes()
    path = tmp_path / "damaged"

    for at in range(0, min(len(content), 1500), 7):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :])
        found = read(path)
        assert found is None or isinstance(found, ImageMetadata)


SAMPLES = [encoded(kind) for kind in KINDS] + [
    encoded("webp", lossless=True),
    encoded("webp", exif=b"odd", xmp=b"<a/>"),
]


@given(
    content=st.sampled_from(SAMPLES),
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_whatever_passes_for_an_image_gets_its_metadata_or_a_reason(tmp_path_factory, content, changes):
    """It is bought by then: nothing but a full disk may stop the saving."""
    source, target = (tmp_path_factory.mktemp("odd") / name for name in ("source", "target"))
    odd = bytearray(content)
    for at, byte in changes:
        odd[at % len(odd)] = byte
    source.write_bytes(odd)

    try:
        before = inspect_download(source)
        embed(source, target, before, METADATA)
    except ProtocolError:
        return

    after = inspect(target)
    assert (after.format, after.width, after.height) == (before.format, before.width, before.height)


exiftool = pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")


@pytest.mark.slow
@exiftool
def test_exiftool_finds_the_metadata(embedded, tmp_path):
    """In every format, whatever the language, and without a complaint about the file."""
    paths = [embedded(encoded(kind)).rename(tmp_path / f"fox.{kind}") for kind in KINDS]

    asked = ["-j", "-a", "-validate", "-Description", "-DigitalSourceType", "-Seed", "-Model", "-Provider", "-Job"]
    done = subprocess.run(["exiftool", *asked, *paths], capture_output=True, check=True)

    found = json.loads(done.stdout)
    wanted = {
        "Description": METADATA.prompt,
        "DigitalSourceType": SOURCE_TYPE,
        "Seed": 7,
        "Model": "flux-1.1-pro-ultra",
        "Provider": "runware",
        "Job": "k3f9q2mx",
    }
    assert [{name: one[name] for name in wanted} for one in found] == [wanted] * 3
    assert [one["Validate"] for one in found[1:]] == ["OK"] * 2  # of a JPEG it wants a resolution, which nobody knows


@pytest.mark.slow
@exiftool
def test_metadata_survives_an_editor(embedded, tmp_path):
    """Which writes the packet anew."""
    paths = [embedded(encoded(kind)).rename(tmp_path / f"fox.{kind}") for kind in KINDS]

    subprocess.run(["exiftool", "-q", "-overwrite_original", "-XMP-dc:Title=mine", *paths], check=True)

    assert [read(path) for path in paths] == [METADATA] * 3
