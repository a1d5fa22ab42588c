"""What the bytes of an image really are, whether they are all there, and how to make another format of them.

The walk from the first byte to the image's end is plain Python over a memory map: it costs milliseconds, holds no
image in memory and needs no library. Pillow is loaded for a conversion only.
"""

from __future__ import annotations

import io
import mmap
import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from flux_cli.errors import ProtocolError

if TYPE_CHECKING:
    from PIL import Image

FORMATS: dict[str, str] = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
"""What flux writes: our name of the format (also its file extension) and its media type."""

DEFAULT_QUALITY = 95
"""Of a JPEG or WebP that flux encodes itself, where nobody asked for another: no visible loss."""

MAX_SIDE = 65535
"""Pixels; the most a JPEG can say, and far beyond what any of the models makes."""

MAX_PIXELS = 200_000_000
"""Beyond this a conversion is refused: decoded, it would take the better part of a gigabyte."""

_FINE = 90
"""From this quality on, colour keeps its full resolution."""

UNDECODABLE = (OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, EOFError, MemoryError)
"""What Pillow raises over bytes that it cannot read."""

_OTHERS = {
    rb"GIF8": "looks like a GIF",
    rb"....ftypavif": "looks like an AVIF",
    rb"[{\[]": "looks like JSON",
    rb"<(!doctype )?(html|head|body)": "looks like HTML",
    rb"<": "looks like XML",
    rb"$": "it is blank",
    rb"[^\x00-\x08\x0e-\x1f\x7f]+$": "looks like text",
}
"""What comes instead of an image, by its beginning."""

_STEP = 1 << 20
_NAMES = {"jpg": "JPEG", "png": "PNG", "webp": "WebP"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInfo:
    """What is known of an image file: format by our name, width and height in pixels, size in bytes.

    ``extra`` is how many of these bytes follow the image's end; every decoder passes them over.
    """

    format: str
    width: int
    height: int
    size: int
    extra: int = 0

    @property
    def content_type(self) -> str:
        """The media type."""
        return FORMATS[self.format]


def inspect(path: Path) -> ImageInfo:
    """Return what the file at ``path`` is, having walked its structure to the image's end.

    Raises `ProtocolError` for anything but a whole JPEG, PNG or WebP, and ``OSError`` where the file cannot be read.
    """
    with path.open("rb") as file:
        if not file.read(1):
            raise ProtocolError("the download is not an image: it is empty")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            head = data[:1024]
            if head.startswith(b"\xff\xd8"):
                kind, walk = "jpg", _jpeg
            elif head.startswith(b"\x89PNG\r\n\x1a\n"):
                kind, walk = "png", _png
            elif head.startswith(b"RIFF") and head[8:12] == b"WEBP":
                kind, walk = "webp", _webp
            else:
                raise ProtocolError(f"the download is not an image that flux knows: {_looks_like(head)}")
            cursor = _Cursor(data, kind)
            width, height = walk(cursor)
            if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
                cursor.damaged(f"a size of {width}x{height}")
            return ImageInfo(format=kind, width=width, height=height, size=len(data), extra=len(data) - cursor.at)


def convert(source: Path, target: Path, *, format: str, quality: int | None) -> ImageInfo:  # noqa: A002 - the option's name
    """Write the image at ``source`` to ``target`` as ``format`` and return what was written.

    ``quality`` is 1 to 100 and means nothing to a PNG. Transparency becomes white in a JPEG; a colour profile is kept
    where it still applies. Raises `ProtocolError` where the image cannot be decoded or is too large to, and
    ``OSError`` where ``target`` cannot be written.
    """
    from PIL import Image  # noqa: PLC0415 - costs 30 ms, and most runs convert nothing

    facts = inspect(source)
    if facts.width * facts.height > MAX_PIXELS:
        raise ProtocolError(f"an image of {facts.width}x{facts.height} is too large to convert")
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS  # Pillow's own, lower limit would warn
    encoded = (
        io.BytesIO()
    )  # so that an OSError from here on is about the image, and one from the disk is about the disk
    quality = quality or DEFAULT_QUALITY
    options: dict[str, int | str] = {} if format == "png" else {"quality": quality}
    if format == "jpg":
        options["subsampling"] = "4:4:4" if quality >= _FINE else "4:2:0"
    content = source.read_bytes()
    try:
        with Image.open(io.BytesIO(content), formats=(_NAMES[facts.format],)) as opened:
            opened.load()
            picture = _fit(opened, format)
            picture.save(encoded, _NAMES[format], icc_profile=_profile(opened, picture), **options)
    except (*UNDECODABLE, struct.error, zlib.error, Image.DecompressionBombError) as error:
        raise ProtocolError(f"cannot convert the {_NAMES[facts.format]} to {format}: it cannot be decoded") from error
    target.write_bytes(encoded.getbuffer())
    return inspect(target)


def _fit(image: Image.Image, format: str) -> Image.Image:  # noqa: A002 - the option's name
    """Return ``image`` in a mode that ``format`` can hold, with nothing but what it must lose lost."""
    from PIL import Image  # noqa: PLC0415 - loaded by now

    if format == "png":
        return image.convert("RGB") if image.mode == "CMYK" else image
    if image.mode.startswith("I"):  # 16 bits of grey, which a plain conversion would clip
        image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if not image.has_transparency_data:
        return image.convert("RGB")
    clear = image.convert("RGBA")
    if format == "webp":
        return clear
    return Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear).convert("RGB")


def _profile(before: Image.Image, after: Image.Image) -> bytes | None:
    """Return the colour profile of ``before`` if it describes the colours of ``after`` too."""
    profile = before.info.get("icc_profile")
    space = {"L": b"GRAY", "LA": b"GRAY", "1": b"GRAY", "CMYK": b"CMYK"}.get(after.mode, b"RGB ")
    return profile if isinstance(profile, bytes) and profile[16:20] == space else None


def _looks_like(head: bytes) -> str:
    """Return in a few words what the beginning of a file that is no known image resembles."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for mark, name in _OTHERS.items():
        if re.match(mark, text, re.DOTALL | re.IGNORECASE):
            return name
    return f"starts with the bytes {head[:4].hex(' ')}"


class _Cursor:
    """A place in the bytes that moves forward, and says so plainly where they end too soon."""

    def __init__(self, data: mmap.mmap, kind: str) -> None:
        self.data = data
        self.at = 0
        self.end = len(data)
        self._name = _NAMES[kind]

    def take(self, count: int) -> bytes:
        """Return the next ``count`` bytes (few)."""
        start = self.at
        self.skip(count)
        return self.data[start : self.at]

    def skip(self, count: int) -> None:
        """Go forward; the end of the file is as far as it goes."""
        self.at += count
        if self.at > self.end:
            self.cut()

    def big(self, count: int) -> int:
        """Return the next ``count`` bytes as a number, big end first."""
        return int.from_bytes(self.take(count), "big")

    def little(self, count: int) -> int:
        """Return the next ``count`` bytes as a number, little end first."""
        return int.from_bytes(self.take(count), "little")

    def cut(self) -> NoReturn:
        """Say that the file ends too soon."""
        raise ProtocolError(f"the download is a {self._name} that is cut off after {self.end} bytes")

    def damaged(self, what: str) -> NoReturn:
        """Say what does not belong into such a file."""
        raise ProtocolError(f"the download is a damaged {self._name}: {what}")


def _png(cursor: _Cursor) -> tuple[int, int]:
    """Return width and height of a PNG whose every chunk is whole. See https://www.w3.org/TR/png-3/ , section 5."""
    cursor.skip(8)
    width = height = 0
    first, filled, kind = True, False, b""
    while kind != b"IEND":
        length, kind = cursor.big(4), cursor.take(4)
        if not kind.isalpha() or (kind == b"IHDR") != first or (first and length < 13):  # noqa: PLR2004 - size of an IHDR
            cursor.damaged("a chunk out of place")
        start = cursor.at
        cursor.skip(length)
        checksum = zlib.crc32(kind)
        for step in range(start, cursor.at, _STEP):
            checksum = zlib.crc32(cursor.data[step : min(step + _STEP, cursor.at)], checksum)
        if cursor.big(4) != checksum:
            cursor.damaged(f"a wrong checksum in its {kind.decode()}")
        if first:
            width, height = (int.from_bytes(cursor.data[at : at + 4], "big") for at in (start, start + 4))
        first, filled = False, filled or (kind == b"IDAT" and length > 0)
    if not filled:
        cursor.damaged("no picture in it")
    return width, height


_MARKER = re.compile(rb"\xff++([^\xff])")
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SCAN, _END = 0xDA, 0xD9


def _jpeg(cursor: _Cursor) -> tuple[int, int]:
    """Return width and height of a JPEG whose segments and scans lead to its end marker. See ITU-T T.81, annex B."""
    cursor.skip(2)
    width = height = 0
    scanned = False
    while True:
        found = _MARKER.match(cursor.data, cursor.at)
        if found is None:
            if cursor.data[cursor.at : cursor.at + 1] in {b"", b"\xff"}:
                cursor.cut()
            cursor.damaged("something between its segments")
        cursor.at = found.end()
        marker = found[1][0]
        if marker == _END:
            break
        start = cursor.at
        length = cursor.big(2)
        if marker in _FRAMES:
            cursor.skip(1)
            height, width = cursor.big(2), cursor.big(2)
        cursor.at = start
        cursor.skip(max(length, 2))
        if marker == _SCAN:
            scanned = True
            after = _AFTER_SCAN.search(cursor.data, cursor.at)
            if after is None:
                cursor.cut()
            cursor.at = after.start()
    if not scanned:
        cursor.damaged("no picture in it")
    return width, height


def _webp(cursor: _Cursor) -> tuple[int, int]:
    """Return width and height of a WebP whose chunks fill it. See RFC 9649, section 2."""
    cursor.skip(4)
    length = cursor.little(4)
    if cursor.end < 8 + length:
        cursor.cut()
    cursor.end = min(cursor.end, 8 + length + length % 2)
    cursor.skip(4)
    size = (0, 0)
    filled = False
    while cursor.at < 8 + length:
        kind, span, start = cursor.take(4), cursor.little(4), cursor.at
        if size == (0, 0):
            size = _webp_size(cursor, kind)
        cursor.at = start
        cursor.skip(span + (span % 2 if start + span < cursor.end else 0))
        filled = filled or kind in {b"VP8 ", b"VP8L", b"ANMF"}
    if not filled:
        cursor.damaged("no picture in it")
    return size


def _webp_size(cursor: _Cursor, kind: bytes) -> tuple[int, int]:
    """Return width and height from a WebP's first chunk, whose name was ``kind``."""
    if kind == b"VP8X":
        cursor.skip(4)
        return cursor.little(3) + 1, cursor.little(3) + 1
    if kind == b"VP8L" and cursor.take(1) == b"\x2f":
        bits = cursor.little(4)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind != b"VP8 " or cursor.take(6)[3:] != b"\x9d\x01\x2a":
        cursor.damaged("a chunk out of place")
    return cursor.little(2) & 0x3FFF, cursor.little(2) & 0x3FFF
