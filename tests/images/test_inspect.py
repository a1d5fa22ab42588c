from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib

import pytest
from PIL import Image, ImageCms

from flux_cli.errors import ProtocolError, UsageError
from flux_cli.images.convert import convert
from flux_cli.images.inputs import InputReader
from flux_cli.images.inspect import FORMATS, inspect, inspect_download
from flux_cli.images.segments import CONTENT_TYPES, ImageFile, InvalidImage

PILLOW = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}


def picture(mode="RGB", size=(37, 21)) -> Image.Image:
    gradient = Image.linear_gradient("L").resize(size)
    if mode == "P":
        return gradient.convert("RGB").quantize(16)
    if mode == "I;16":
        made = Image.new("I;16", size)
        made.putdata([value * 257 for value in gradient.tobytes()])
        return made
    if mode in {"RGBA", "LA"}:
        made = gradient.convert(mode)
        made.putalpha(gradient.rotate(180))
        return made
    return gradient.convert(mode)


def encoded(kind, mode="RGB", size=(37, 21), **options) -> bytes:
    stream = io.BytesIO()
    picture(mode, size).save(stream, PILLOW[kind], **options)
    return stream.getvalue()


def chunk(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*chunks: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def riff(*chunks: bytes) -> bytes:
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


IHDR = chunk(b"IHDR", struct.pack(">IIBBBBB", 3, 2, 8, 2, 0, 0, 0))
IDAT = chunk(b"IDAT", zlib.compress(b"\0" * 20))
IEND = chunk(b"IEND")
SOF = b"\xff\xc0\x00\x0b\x08\x00\x02\x00\x03\x01\x01\x11\x00"
SOS = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00"

FORMS = [
    ("jpg", "RGB", {}),
    ("jpg", "L", {}),
    ("jpg", "CMYK", {}),
    ("jpg", "RGB", {"progressive": True, "quality": 90}),
    ("jpg", "RGB", {"restart_marker_blocks": 1}),
    ("jpg", "RGB", {"comment": b"\xff\xd9 not the end"}),
    ("png", "RGB", {}),
    ("png", "RGBA", {}),
    ("png", "P", {}),
    ("png", "1", {}),
    ("png", "I;16", {}),
    ("webp", "RGB", {}),
    ("webp", "RGBA", {}),
    ("webp", "RGB", {"lossless": True}),
    ("webp", "RGB", {"exif": b"Exif\0\0odd", "icc_profile": b"odd"}),
]


@pytest.fixture
def file(tmp_path):
    def write(content: bytes):
        path = tmp_path / "image"
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize(("kind", "mode", "options"), FORMS)
def test_every_kind_of_image_is_what_its_bytes_say(file, kind, mode, options):
    """Format, size and media type are found in whatever Pillow can write."""
    content = encoded(kind, mode, **options)

    found = inspect(file(content))

    assert found == ImageFile(format=kind, width=37, height=21, size=len(content))
    assert found.content_type == f"image/{PILLOW[kind].lower()}"


@pytest.mark.parametrize(("kind", "mode", "options"), FORMS)
def test_an_image_that_ends_too_soon_is_never_taken_for_whole(file, kind, mode, options):
    """Whatever is missing from the end, be it one byte, the image is refused."""
    content = encoded(kind, mode, **options)

    for length in range(len(content)):
        with pytest.raises(InvalidImage):
            inspect(file(content[:length]))


@pytest.mark.parametrize("kind", ["jpg", "png", "webp"])
def test_the_message_says_how_much_came(file, kind):
    """A cut-off image is named as such, with its length."""
    content = encoded(kind)[:60]

    with pytest.raises(InvalidImage, match=r"^a (JPEG|PNG|WebP) that is cut off after 60 bytes$"):
        inspect(file(content))


@pytest.mark.parametrize("offset", [60, -20, -6])
def test_a_flipped_bit_in_a_png_is_found(file, offset):
    """Every chunk's checksum is compared."""
    content = bytearray(encoded("png"))
    content[offset] ^= 1

    with pytest.raises(InvalidImage, match=r"damaged PNG|cut off"):
        inspect(file(bytes(content)))


def test_an_animated_webp_counts_as_an_image(file):
    """Its size is the canvas's."""
    stream = io.BytesIO()
    picture().save(stream, "WEBP", save_all=True, append_images=[picture().rotate(180)])

    found = inspect(file(stream.getvalue()))

    assert (found.width, found.height) == (37, 21)


TAILS = [b"\0", b"\n", b"\0\0trailer", b"IEND", b"\xff\xd8\xff\xd9", bytes(5000)]
"""What servers, cameras and editors put behind an image; an odd and an even number of bytes."""


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize(("kind", "mode", "options"), FORMS)
def test_what_follows_the_end_of_an_image_is_counted_and_no_damage(file, kind, mode, options, tail):
    """Every decoder passes it over; the picture is whole."""
    content = encoded(kind, mode, **options)

    found = inspect(file(content + tail))

    assert found == ImageFile(format=kind, width=37, height=21, size=len(content + tail), extra=len(tail))


def test_what_follows_a_webp_does_not_complete_it(file):
    """A chunk that is longer than the file says it is lacks its end, whatever stands there instead."""
    content = bytearray(encoded("webp"))
    content[16] += 8

    with pytest.raises(InvalidImage, match="cut off"):
        inspect(file(bytes(content) + bytes(100)))


def test_fill_bytes_before_a_marker_are_allowed(file):
    """Any number of them, and without taking for ever."""
    content = b"\xff\xd8" + b"\xff" * 2_000_000 + SOF + SOS + b"\x12\xff\x00\xff\xff\xd9"

    found = inspect(file(content))

    assert (found.width, found.height) == (3, 2)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty"),
        (b"  \n", "it is blank"),
        (b"\xef\xbb\xbf\n<!DOCTYPE html><p>", "looks like HTML"),
        (b"<HTML>", "looks like HTML"),
        (b"<?xml version='1.0'?><Error/>", "looks like XML"),
        (b' {"error": 1}', "looks like JSON"),
        (b"Not found", "looks like text"),
        (b"GIF89a", "looks like a GIF"),
        (b"\0\0\0\x20ftypavif", "looks like an AVIF"),
        (b"\0\1\2\3\4", "starts with the bytes 00 01 02 03"),
        (b"\x89\0", "starts with the bytes 89 00"),
    ],
)
def test_what_is_no_image_is_called_by_its_name(file, content, words):
    """An error page or another file is refused with a word on what it is."""
    path = file(content)

    with pytest.raises(InvalidImage) as caught:
        inspect(path)

    assert str(caught.value).startswith("not an image")
    assert str(caught.value).endswith(words)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not an image: it is empty"),
        (b"<html>", "not an image that flux knows: it looks like HTML"),
        (png(IHDR), "a PNG that is cut off after 33 bytes"),
        (png(IHDR, IEND), "a damaged PNG: no picture in it"),
    ],
)
def test_the_reason_is_about_any_file_and_the_caller_says_which(file, content, reason):
    """The same file may be a download, whose error is the provider's, or one of yours."""
    path = file(content)

    with pytest.raises(InvalidImage) as found:
        inspect(path)
    with pytest.raises(ProtocolError) as download:
        inspect_download(path)
    with pytest.raises(UsageError) as own:
        InputReader(lambda: path.parent).read(str(path))

    assert str(found.value) == reason
    assert download.value.message == f"the download is {reason}"
    assert own.value.message == f"cannot use {path} as an input image: it is {reason}"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (png(IDAT, IEND), "a chunk out of place"),
        (png(IHDR, IHDR, IDAT, IEND), "a chunk out of place"),
        (png(chunk(b"IHDR", b"\0" * 4), IDAT, IEND), "a chunk out of place"),
        (png(IHDR, chunk(b"I?AT", b"x"), IEND), "a chunk out of place"),
        (png(IHDR, IEND), "no picture in it"),
        (png(IHDR, chunk(b"IDAT"), IEND), "no picture in it"),
        (png(IHDR, IDAT[:-1] + b"\0", IEND), "a wrong checksum in its IDAT"),
        (png(chunk(b"IHDR", b"\0" * 13), IDAT, IEND), "a size of 0x0"),
        (png(chunk(b"IHDR", b"\0\1\0\0" * 2 + b"\0" * 5), IDAT, IEND), "a size of 65536x65536"),
        (b"\xff\xd8" + SOF + b"??", "something between its segments"),
        (b"\xff\xd8" + SOF + b"\xff\xd9", "no picture in it"),
        (b"\xff\xd8" + SOS + b"\xff\xd9", "a size of 0x0"),
        (riff(), "no picture in it"),
        (riff(b"VP8X\x0a\0\0\0" + b"\0" * 10), "no picture in it"),
        (riff(b"VP8 \x0a\0\0\0" + b"\0" * 10), "a chunk out of place"),
        (riff(b"VP8L\x06\0\0\0" + b"\0" * 6), "a chunk out of place"),
        (riff(b"ICCP\x02\0\0\0ab"), "a chunk out of place"),
    ],
)
def test_a_damaged_image_is_refused_with_the_reason(file, content, words):
    """What does not belong into such a file is named."""
    path = file(content)

    with pytest.raises(InvalidImage, match=f"^a damaged (JPEG|PNG|WebP): {words}$"):
        inspect(path)


def test_an_odd_last_chunk_of_a_webp_may_or_may_not_be_padded(file):
    """Both are in use."""
    body = b"VP8L\x05\0\0\0\x2f\x02\x40\0\0"

    found = [inspect(file(riff(body))), inspect(file(riff(body) + b"\0")), inspect(file(riff(body + b"\0")))]

    assert {(one.width, one.height) for one in found} == {(3, 2)}


@pytest.mark.parametrize("target", ["jpg", "png", "webp"])
@pytest.mark.parametrize(("kind", "mode", "options"), FORMS)
def test_a_conversion_keeps_the_picture(tmp_path, file, kind, mode, options, target):
    """Any image becomes any format, and still looks the same on white."""
    source = file(encoded(kind, mode, **options))

    found = convert(source, tmp_path / "made", format=target, quality=None)

    assert found == inspect(tmp_path / "made")
    assert (found.format, found.width, found.height) == (target, 37, 21)
    before, after = (seen(path) for path in (source, tmp_path / "made"))
    assert max(abs(a - b) for a, b in zip(before, after, strict=True)) < 24


def seen(path) -> bytes:
    """What a grey screen with a white background would show."""
    with Image.open(path) as image:
        if image.mode.startswith("I"):
            return bytes(value >> 8 for value in image.get_flattened_data())
        clear = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear).convert("L").tobytes()


def test_a_jpeg_made_here_has_plain_colours_on_white(tmp_path, file):
    """What was transparent turns white, not black."""
    stream = io.BytesIO()
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(stream, "PNG")

    convert(file(stream.getvalue()), tmp_path / "made", format="jpg", quality=None)

    with Image.open(tmp_path / "made") as made:
        assert made.mode == "RGB"
        assert min(made.tobytes()) > 250


@pytest.mark.parametrize("kind", ["jpg", "webp"])
def test_quality_decides_how_many_bytes_a_conversion_makes(tmp_path, file, kind):
    """Less asked for is less made; nothing asked for is 95."""
    source = file(encoded("png", size=(200, 200)))

    sizes = [convert(source, tmp_path / "made", format=kind, quality=asked).size for asked in (1, 60, 95, None)]

    assert sizes[0] < sizes[1] < sizes[2] == sizes[3]


def test_a_colour_profile_is_kept_where_it_still_applies(tmp_path, file):
    """That of an RGB image describes its RGB copy; that of another colour space does not."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    ink = profile[:16] + b"CMYK" + profile[20:]

    kept = [copied(tmp_path, file(encoded("png", icc_profile=profile)), kind) for kind in ("jpg", "png", "webp")]
    dropped = copied(tmp_path, file(encoded("jpg", "CMYK", icc_profile=ink)), "png")

    assert kept == [profile] * 3
    assert dropped is None


def copied(folder, source, kind):
    convert(source, folder / "made", format=kind, quality=None)
    with Image.open(folder / "made") as made:
        return made.info.get("icc_profile")


def test_an_image_that_cannot_be_decoded_is_the_providers_fault(tmp_path, file):
    """A sound structure around nonsense is a protocol error, and nothing is written."""
    nonsense = png(IHDR, chunk(b"IDAT", b"this is not zlib"), IEND)

    with pytest.raises(ProtocolError, match="cannot convert the PNG to jpg"):
        convert(file(nonsense), tmp_path / "made", format="jpg", quality=None)

    assert not (tmp_path / "made").exists()


def test_an_image_too_large_to_hold_is_not_decoded(tmp_path, file):
    """A few bytes that promise two gigabytes of pixels are refused."""
    bomb = png(chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 20000, 8, 2, 0, 0, 0)), IDAT, IEND)

    with pytest.raises(ProtocolError, match="60000x20000 is too large to convert"):
        convert(file(bomb), tmp_path / "made", format="jpg", quality=None)


def test_a_large_image_is_converted_without_a_warning(tmp_path, file):
    """Our own limit counts, not the lower one of the library."""
    stream = io.BytesIO()
    Image.new("1", (12000, 8000)).save(stream, "PNG")

    found = convert(file(stream.getvalue()), tmp_path / "made", format="png", quality=None)

    assert (found.width, found.height) == (12000, 8000)


def test_a_target_that_cannot_be_written_is_the_disks_fault(tmp_path, file):
    """Then the error is the system's own."""
    source = file(encoded("png"))

    with pytest.raises(FileNotFoundError):
        convert(source, tmp_path / "missing" / "made", format="jpg", quality=None)


@pytest.mark.slow
def test_looking_at_an_image_loads_no_image_library(file):
    """Only a conversion pays for it."""
    path = file(encoded("png"))
    code = "import sys, pathlib; from flux_cli.images.inspect import inspect; inspect(pathlib.Path(sys.argv[1]))"

    found = subprocess.run(
        [sys.executable, "-c", f"{code}; print('PIL' in sys.modules)", str(path)],
        capture_output=True,
        text=True,
        check=True,
    )

    assert found.stdout == "False\n"


def test_every_format_has_a_media_type():
    """And they are the three that flux writes."""
    assert CONTENT_TYPES == {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
    assert [*FORMATS] == [*CONTENT_TYPES]
