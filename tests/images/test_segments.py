from __future__ import annotations

import io
import struct
import zlib

import pytest
from PIL import Image, ImageCms

from flux_cli.errors import ProtocolError
from flux_cli.images.embed import embed, write_with
from flux_cli.images.inspect import find_segments, inspect
from flux_cli.images.metadata import ImageMetadata
from flux_cli.images.segments import MOST_SEGMENTS
from tests.bare import bare, chunks_of

PILLOW = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}
EXIF = Image.Exif()
EXIF[0x010E] = "theirs"
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
METADATA = ImageMetadata(prompt="fox", provider="runware", model=None, seed=7, job_id="k3f9q2mx", created_at=1.8e9)
ADDED = {"description": "a red f\u00f6x".encode(), "xmp": b"<x/>"}


def encoded(kind, mode="RGB", size=(37, 21), **options) -> bytes:
    picture = Image.linear_gradient("L").resize(size).convert(mode)
    if mode in {"RGBA", "LA"}:
        picture.putalpha(Image.linear_gradient("L").resize(size).rotate(180))
    stream = io.BytesIO()
    picture.save(stream, PILLOW[kind], **options)
    return stream.getvalue()


def animated() -> bytes:
    return encoded("webp", save_all=True, append_images=[Image.new("RGB", (37, 21), "red")])


FORMS = {
    "jpeg": encoded("jpg"),
    "grey jpeg": encoded("jpg", "L"),
    "cmyk jpeg": encoded("jpg", "CMYK"),
    "progressive jpeg": encoded("jpg", progressive=True),
    "jpeg with restarts": encoded("jpg", restart_marker_blocks=1),
    "jpeg with a comment and a trailer": encoded("jpg", comment=b"\xff\xd9 not the end") + b"\xff\xd8 trailer",
    "jpeg with a profile": encoded("jpg", icc_profile=PROFILE),
    "jpeg without jfif": encoded("jpg")[:2] + encoded("jpg")[20:],
    "png": encoded("png"),
    "png with alpha": encoded("png", "RGBA"),
    "png with a palette": encoded("png", "P"),
    "png with a profile": encoded("png", icc_profile=PROFILE),
    "png of many chunks": encoded("png", size=(400, 400)),
    "webp": encoded("webp"),
    "webp with alpha": encoded("webp", "RGBA"),
    "lossless webp": encoded("webp", lossless=True),
    "lossless webp with alpha": encoded("webp", "RGBA", lossless=True),
    "webp with a profile": encoded("webp", icc_profile=PROFILE),
    "animated webp": animated(),
}


@pytest.fixture
def spliced(tmp_path):
    """Return a function that adds metadata to the bytes of an image, and returns what came out."""

    def add(content: bytes, added=ADDED) -> bytes:
        source, target = tmp_path / "source", tmp_path / "target"
        source.write_bytes(content)
        target.unlink(missing_ok=True)
        write_with(source, target, inspect(source), added)
        return target.read_bytes()

    return add


def pixels(content: bytes) -> list[bytes]:
    with Image.open(io.BytesIO(content)) as image:
        frames = []
        for frame in range(getattr(image, "n_frames", 1)):
            image.seek(frame)
            frames.append(image.mode.encode() + image.tobytes())
        return frames


def stream(content: bytes) -> list[bytes]:
    """The compressed image, as each container holds it."""
    if content.startswith(b"\xff\xd8"):
        return [content[content.index(b"\xff\xda") :], content[content.index(b"\xff\xdb") :]]
    if content.startswith(b"RIFF"):
        return [body for name, body in chunks_of(content) if name in {b"VP8 ", b"VP8L", b"ALPH", b"ANMF"}]
    return [content[content.index(b"IDAT") - 4 :]]


@pytest.mark.parametrize("form", FORMS)
def test_the_compressed_image_is_not_touched(spliced, form):
    """Nor any other byte that was there; and every pixel is what it was."""
    content = FORMS[form]

    found = spliced(content)

    assert stream(found) == stream(content)
    assert bare(found) == bare(content)
    assert pixels(found) == pixels(content)


@pytest.mark.parametrize("tail", [b"\0", b"trailer\n", bytes(3000)])
@pytest.mark.parametrize("form", FORMS)
def test_what_follows_the_end_of_an_image_stays_there(spliced, tmp_path, form, tail):
    """And is no part of the image: its own length does not count it."""
    before = inspect(_file(tmp_path / "before", FORMS[form])).extra

    found = spliced(FORMS[form] + tail)

    assert found == spliced(FORMS[form]) + tail
    assert inspect(_file(tmp_path / "after", found)).extra == before + len(tail)


@pytest.mark.parametrize("form", FORMS)
def test_what_comes_out_is_a_whole_image(spliced, tmp_path, form):
    """Of the same kind and size."""
    before = inspect(_file(tmp_path / "before", FORMS[form]))

    after = inspect(_file(tmp_path / "after", spliced(FORMS[form])))

    assert (after.format, after.width, after.height) == (before.format, before.width, before.height)


def _file(path, content):
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("form", FORMS)
def test_pillow_finds_what_was_added(spliced, form):
    """The prompt where each container has it, and the packet."""
    with Image.open(io.BytesIO(spliced(FORMS[form]))) as image:
        prompt = image.text["Description"] if image.format == "PNG" else image.getexif()[0x010E]
        packet = image.info["xmp"]
        profile = image.info.get("icc_profile")

    written = prompt if image.format == "PNG" else prompt.encode("latin-1").decode()  # Pillow takes EXIF for Latin-1
    assert (written, packet) == ("a red f\u00f6x", b"<x/>")
    assert (profile == PROFILE) == ("profile" in form)


@pytest.mark.parametrize("form", FORMS)
def test_what_was_added_is_found_again(spliced, tmp_path, form):
    held = inspect(_file(tmp_path / "image", spliced(FORMS[form])))

    assert held.bodies("xmp") == [b"<x/>"]
    assert held.has("description") or held.has("exif")
    assert not held.signed


@pytest.mark.parametrize("text", [b"", b"abc", b"abcd", b"\xc3\xbc" * 30_000])
def test_a_description_of_any_length_is_whole(spliced, text):
    """Three bytes and an end fit into the entry itself; more lie behind it."""
    found = spliced(FORMS["webp"], {"description": text})

    with Image.open(io.BytesIO(found)) as image:
        assert image.getexif()[0x010E].encode("latin-1") == text


@pytest.mark.parametrize("kind", ["jpg", "png", "webp"])
def test_metadata_that_is_there_stays(spliced, kind):
    """A description is not said twice; a packet gives way to the one that holds it."""
    content = encoded(kind, exif=EXIF, **({"xmp": b"<theirs/>"} if kind != "png" else {}))

    with Image.open(io.BytesIO(spliced(content))) as image:
        exif, text, packet = image.getexif(), getattr(image, "text", {}), image.info["xmp"]

    assert exif[0x010E] == "theirs"
    assert packet == b"<x/>"
    assert set(text) <= {"Description", "XML:com.adobe.xmp"}


def test_a_description_in_a_png_stays(spliced):
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Description", "theirs")

    with Image.open(io.BytesIO(spliced(encoded("png", pnginfo=info)))) as image:
        assert image.text["Description"] == "theirs"


@pytest.mark.parametrize("form", ["jpeg", "png"])
def test_metadata_has_a_place_beside_a_packet(spliced, tmp_path, form):
    found = spliced(FORMS[form], {"metadata": b"{}"})

    held = inspect(_file(tmp_path / "image", found))

    assert (held.bodies("metadata"), held.bodies("xmp")) == ([b"{}"], [])
    assert pixels(found) == pixels(FORMS[form])


def test_a_webp_has_no_other_place(spliced):
    with pytest.raises(ProtocolError, match="leaves no place for more"):
        spliced(FORMS["webp"], {"metadata": b"{}"})


@pytest.mark.parametrize(
    ("form", "flags"),
    [
        ("webp", 0x0C),
        ("webp with alpha", 0x1C),
        ("lossless webp", 0x0C),
        ("lossless webp with alpha", 0x1C),
        ("webp with a profile", 0x2C),
        ("animated webp", 0x0E),
    ],
)
def test_an_extended_webp_says_what_is_in_it(spliced, form, flags):
    """In the order that RFC 9649 wants, with its real size."""
    found = chunks_of(spliced(FORMS[form]))

    name, body = found[0]
    assert (name, body[0], body[4:7], body[7:10]) == (b"VP8X", flags, b"\x24\0\0", b"\x14\0\0")
    assert [name for name, _ in found[-2:]] == [b"EXIF", b"XMP "]


def test_unknown_chunks_of_a_webp_stay_at_the_end(spliced):
    content = FORMS["webp with a profile"] + b"ABCD\x02\0\0\0xy"
    content = content[:4] + struct.pack("<I", len(content) - 8) + content[8:]

    found = chunks_of(spliced(content))

    assert [name for name, _ in found] == [b"VP8X", b"ICCP", b"VP8 ", b"EXIF", b"XMP ", b"ABCD"]


def test_exif_that_stands_before_the_picture_is_left_there(spliced):
    """Odd, and no reason to fail."""
    content = b"WEBP" + b"".join(
        name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)
        for name, body in sorted(chunks_of(encoded("webp", exif=EXIF)), key=lambda one: one[0] == b"VP8 ")
    )

    found = chunks_of(spliced(b"RIFF" + struct.pack("<I", len(content)) + content))

    assert [name for name, _ in found] == [b"VP8X", b"EXIF", b"VP8 ", b"XMP "]


def test_an_odd_last_chunk_of_a_webp_is_padded(spliced, tmp_path):
    """Whether it was before or not."""
    body = b"WEBPVP8L\x05\0\0\0\x2f\x02\x40\0\0"
    plain = b"RIFF" + struct.pack("<I", len(body)) + body

    for content in (plain, plain + b"\0"):
        found = spliced(content)

        assert chunks_of(found)[1] == (b"VP8L", body[12:])
        assert len(found) % 2 == 0
        assert inspect(_file(tmp_path / "image", found)).width == 3


def test_exif_stands_before_xmp_in_a_jpeg(spliced):
    """Behind the JFIF segment, which must come first; before everything else."""
    for content in (FORMS["jpeg"], encoded("jpg", exif=EXIF)):
        found = spliced(content)

        assert found[2:4] == b"\xff\xe0"
        assert found.index(b"JFIF") < found.index(b"Exif\0") < found.index(b"adobe.com/xap") < found.index(b"\xff\xdb")


def test_what_follows_a_large_image_is_copied(spliced):
    """And comes out the same."""
    content = FORMS["jpeg"] + bytes(range(256)) * (2 * (1 << 20) // 256) + b"end"

    assert bare(spliced(content)) == content


def chunk(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


JPEG, PNG, WEBP = FORMS["jpeg"], FORMS["png"], FORMS["webp with a profile"]


@pytest.mark.parametrize(
    "content",
    [
        JPEG[:20] + b"\xff\xeb\0\x0cJP\0\1\0\0\0\1jumb"[:14] + JPEG[20:],
        PNG[:33] + chunk(b"caBX", b"jumb") + PNG[33:],
        WEBP[:4] + struct.pack("<I", len(WEBP) + 4) + WEBP[8:] + b"C2PA\x04\0\0\0jumb",
        encoded("jpg", xmp=b"<x dcterms:provenance='https://x.com/a.c2pa'/>"),
    ],
)
def test_a_signed_image_is_known(tmp_path, content):
    """By a manifest of its own, or by the address of one."""
    assert inspect(_file(tmp_path / "image", content)).signed


def test_a_file_of_too_many_pieces_is_whole_and_takes_no_metadata(tmp_path):
    """However many there are, what is held of them is bounded."""
    pair = b"\xff\xe1\0\x08Exif\0\0\xff\xee\0\2"
    path = _file(tmp_path / "image", JPEG[:20] + pair * MOST_SEGMENTS + JPEG[20:] + b"tail")

    image = inspect(path)

    assert (image.width, image.extra, len(image.segments)) == (37, 4, MOST_SEGMENTS)
    with pytest.raises(ProtocolError, match="too many pieces"):
        embed(path, tmp_path / "target", image, METADATA)


@pytest.mark.parametrize("form", FORMS)
def test_the_segments_are_the_whole_file(tmp_path, form):
    """Each begins where the one before ends."""
    content = FORMS[form] + b"tail"

    image = inspect(_file(tmp_path / "image", content))

    assert [one.start for one in image.segments] == [0, *(one.end for one in image.segments[:-1])]
    assert image.segments[-1].end == len(content)
    assert content[image.segments[-1].start :][-4:] == b"tail"


@pytest.mark.parametrize("form", ["jpeg", "png"])
def test_what_stands_before_the_damage_is_found(spliced, tmp_path, form):
    content = spliced(FORMS[form])

    found = find_segments(_file(tmp_path / "image", content[:-20]))

    assert [one.body for one in found if one.kind == "xmp"] == [b"<x/>"]


def test_metadata_that_is_compressed_or_too_large_is_passed_over(tmp_path):
    """It is there, and nobody looks into it."""
    squeezed = chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b"<x/>"))
    large = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + bytes(2 << 20))

    held = [inspect(_file(tmp_path / "image", PNG[:33] + text + PNG[33:])) for text in (squeezed, large)]

    assert [one.bodies("xmp") for one in held] == [[b""], []]
