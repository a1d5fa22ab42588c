"""Metadata in and out of JPEG, PNG and WebP files, as pieces: the compressed image is copied and never looked into.

Where what goes, and why there: XMP has one place in each container, which every program knows. Beside it stands the
prompt once more where programs without XMP look for it: the EXIF ``ImageDescription`` of a JPEG or WebP (in UTF-8, as
the Metadata Working Group asks for), the ``Description`` text of a PNG. Nothing that was there is taken out.
See ITU-T T.81 annex B and XMP Specification Part 3 for JPEG, https://www.w3.org/TR/png-3/ for PNG, RFC 9649 for WebP.
"""

from __future__ import annotations

import mmap
import re
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from flux_cli.errors import ProtocolError

Kind = Literal["head", "xmp", "exif", "description", "story", "signature", "other", "tail"]
"""``tail`` is what follows the image's end; a JPEG's is part of the piece that the scans are in."""

ROOM = {"jpg": 65_500, "png": 1 << 20, "webp": 1 << 20}
"""Bytes of one thing added that a file of each format takes: a JPEG's segment has 65,533, its name included."""

_MOST = 200_000
"""Pieces of one file; a file of more is no image that anybody made."""
_LARGEST = 1 << 20
"""Bytes of a piece of metadata that are held in memory; the content of a larger one is passed over."""
_STEP = 1 << 20
"""Bytes that are copied at a time."""

_XMP_ID, _EXIF_ID, _STORY_ID = b"http://ns.adobe.com/xap/1.0/\0", b"Exif\0\0", b"flux: "
_MARKER = re.compile(rb"\xff++([^\xff])")
_APP0, _APP1, _APP11, _COMMENT = 0xE0, 0xE1, 0xEB, 0xFE
_TELLING = {_APP1, _APP11, _COMMENT}
_LAST = {0xDA, 0xD9}

_KEYS: dict[bytes, Kind] = {b"XML:com.adobe.xmp": "xmp", b"Description": "description", b"flux": "story"}

_CHUNKS: dict[bytes, Kind] = {b"XMP ": "xmp", b"EXIF": "exif", b"C2PA": "signature"}
_PICTURES = {b"VP8 ", b"VP8L", b"ANMF"}
_EXIF_FLAG, _XMP_FLAG, _ALPHA_FLAG = 0x08, 0x04, 0x10


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment or chunk: where it lies in its file, and its content where that is metadata."""

    kind: Kind
    start: int
    end: int
    body: bytes = b""
    name: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFile:
    """A file as pieces, from its first byte to its last, and what metadata it holds."""

    format: str
    segments: tuple[Segment, ...]

    def has(self, kind: Kind) -> bool:
        """Whether there is such a piece."""
        return any(piece.kind == kind for piece in self.segments)

    def bodies(self, kind: Kind) -> list[bytes]:
        """Return the content of every such piece."""
        return [piece.body for piece in self.segments if piece.kind == kind]

    @property
    def signed(self) -> bool:
        """Whether a C2PA manifest vouches for the bytes as they are, or for bytes like them elsewhere."""
        return self.has("signature") or any(b"dcterms:provenance" in body for body in self.bodies("xmp"))


def parse(path: Path) -> ImageFile:
    """Return the file at ``path`` as pieces.

    Raises `ProtocolError` for what is no JPEG, PNG or WebP, or is cut off, and ``OSError`` where it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(12)
        walk = next((walk for name, walk in _WALKS.items() if _MARKS[name].match(head)), None)
        if walk is None:
            raise ProtocolError("it is no JPEG, PNG or WebP")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            pieces = tuple(islice(walk(data), _MOST + 1))
    if len(pieces) > _MOST:
        raise ProtocolError("it is made of too many pieces")
    return ImageFile(format=next(name for name, known in _WALKS.items() if known is walk), segments=pieces)


def splice(source: Path, target: Path, held: ImageFile, added: Mapping[Kind, bytes]) -> None:
    """Write the file at ``source``, whose pieces are ``held``, to ``target``, with ``added`` in it.

    ``xmp`` is a packet, and takes the place of the one that is there; ``description`` is the prompt in UTF-8, and left
    out where the file has one; ``story`` is text for a file whose packet cannot be touched. Raises `ProtocolError`
    where the format has no place for one of them, and ``OSError`` where ``target`` cannot be written.
    """
    parts: list[Segment | bytes] = [piece for piece in held.segments if "xmp" not in added or piece.kind != "xmp"]
    at = 1 + max(n for n, part in enumerate(parts) if _is(part, "head"))
    said = held.has("exif") or held.has("description")
    if at < len(parts) and _is(parts[at], "exif"):
        at += 1
    new: list[Segment | bytes] = []
    for kind in ("description", "xmp", "story"):
        if kind in added and not (kind == "description" and said):
            if (held.format, kind) not in _MAKERS:
                raise ProtocolError("the metadata that it has already leaves no place for more")
            new.append(_MAKERS[held.format, kind](added[kind]))
    parts[at:at] = new
    with source.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if held.format == "webp":
            parts = _extended(data, parts)
        with target.open("xb") as made:
            for part in _runs(parts):
                made.writelines([part] if isinstance(part, bytes) else _copied(data, *part))


def _runs(parts: Iterable[Segment | bytes]) -> Iterator[tuple[int, int] | bytes]:
    """Yield ``parts``, those that follow each other in the source as one span: from its first byte to the one after."""
    start = end = 0
    for part in parts:
        if isinstance(part, Segment) and part.start == end:
            end = part.end
            continue
        if end > start:
            yield start, end
        start, end = (part.start, part.end) if isinstance(part, Segment) else (0, 0)
        if isinstance(part, bytes):
            yield part
    if end > start:
        yield start, end


def _copied(data: mmap.mmap, start: int, end: int) -> Iterator[bytes]:
    for at in range(start, end, _STEP):
        yield data[at : min(at + _STEP, end)]


def _is(part: Segment | bytes, kind: Kind) -> bool:
    return isinstance(part, Segment) and part.kind == kind


def _fits(data: mmap.mmap, end: int) -> int:
    """Return ``end``. Raises `ProtocolError` where the file ends before it."""
    if end > len(data):
        raise ProtocolError(f"it is cut off after {len(data)} bytes")
    return end


def _body(data: mmap.mmap, start: int, end: int) -> bytes:
    return data[start:end] if end - start <= _LARGEST else b""


def _jpeg(data: mmap.mmap) -> Iterator[Segment]:
    """Yield the segments before the first scan, and all the rest as one piece."""
    yield Segment("head", 0, 2)
    at = head = 2
    while (found := _MARKER.match(data, at)) and (marker := found[1][0]) not in _LAST:
        start = _fits(data, found.end() + 2)
        length = int.from_bytes(data[found.end() : start], "big")
        end = _fits(data, found.end() + max(length, 2))
        body = data[start:end] if marker in _TELLING else b""
        if marker == _APP1 and body.startswith(_XMP_ID):
            yield Segment("xmp", at, end, body.removeprefix(_XMP_ID))
        elif marker == _APP1 and body.startswith(_EXIF_ID):
            yield Segment("exif", at, end)
        elif marker == _COMMENT and body.startswith(_STORY_ID):
            yield Segment("story", at, end, body.removeprefix(_STORY_ID))
        elif marker == _APP11 and body.startswith(b"JP"):
            yield Segment("signature", at, end)
        else:
            leading = marker == _APP0 and at == head
            head = end if leading else head
            yield Segment("head" if leading else "other", at, end)
        at = end
    if found is None:
        raise ProtocolError("there is no picture in it")
    yield Segment("other", at, len(data))


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _png(data: mmap.mmap) -> Iterator[Segment]:
    """Yield the chunks."""
    yield Segment("head", 0, 8)
    at, name = 8, b""
    while name != b"IEND":
        start = _fits(data, at + 8)
        name = data[at + 4 : start]
        length = int.from_bytes(data[at : at + 4], "big")
        end = _fits(data, start + length + 4)
        key, _, rest = (_body(data, start, end - 4) if name in {b"iTXt", b"tEXt", b"zTXt"} else b"").partition(b"\0")
        if key in _KEYS:
            text = rest[2:].split(b"\0", 2)[-1] if name == b"iTXt" and rest[:1] == b"\0" else b""
            yield Segment(_KEYS[key], at, end, text)
        else:
            yield Segment("head" if name == b"IHDR" else "signature" if name == b"caBX" else "other", at, end)
        at = end
    if at < len(data):
        yield Segment("tail", at, len(data))


def _text(key: bytes, text: bytes) -> bytes:
    """Return a text in UTF-8 as a PNG's iTXt chunk, plain."""
    body = b"iTXt" + key + bytes(5) + text
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


def _webp(data: mmap.mmap) -> Iterator[Segment]:
    """Yield the chunks; ``head`` is all up to the last one with a picture in it."""
    end = _fits(data, 8 + int.from_bytes(data[4:8], "little"))
    chunks: list[tuple[bytes, int, int]] = []
    at = 12
    while at < end:
        start = _fits(data, at + 8)
        after = _fits(data, start + int.from_bytes(data[at + 4 : start], "little"))
        chunks.append((data[at : at + 4], at, min(after + after % 2, len(data))))
        at = after + after % 2
    last = max((n for n, (name, _, _) in enumerate(chunks) if name in _PICTURES), default=-1)
    yield Segment("head", 0, 12)
    for n, (name, at, after) in enumerate(chunks):
        kind: Kind = "head" if n <= last else "other"
        yield Segment(_CHUNKS.get(name, kind), at, after, _body(data, at + 8, after) if name == b"XMP " else b"", name)
    over = max(chunks[-1][2] if chunks else end, end)
    if over < len(data):
        yield Segment("tail", over, len(data))


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def _extended(data: mmap.mmap, parts: list[Segment | bytes]) -> list[Segment | bytes]:
    """Return the ``parts`` of a WebP as an extended file: sizes and flags as they are now, every chunk padded."""
    tail = [part for part in parts if _is(part, "tail")]
    parts = parts[: len(parts) - len(tail)]
    names = [part.name if isinstance(part, Segment) else part[:4] for part in parts]
    first = next((part for part in parts[1:2] if isinstance(part, Segment)), None)
    if first is None:
        raise ProtocolError("there is no picture in it")
    flags, canvas = _canvas(data, first)
    flags |= (_EXIF_FLAG if b"EXIF" in names else 0) | (_XMP_FLAG if b"XMP " in names else 0)
    chunks: list[Segment | bytes] = [_chunk(b"VP8X", bytes([flags]) + bytes(3) + canvas)]
    for part in parts[2 if first.name == b"VP8X" else 1 :]:
        chunks += [part, b"\0"] if isinstance(part, Segment) and (part.end - part.start) % 2 else [part]
    length = 4 + sum(len(part) if isinstance(part, bytes) else part.end - part.start for part in chunks)
    if length >= 1 << 32:
        raise ProtocolError("it is as large as a WebP can be")
    return [b"RIFF" + struct.pack("<I", length) + b"WEBP", *chunks, *tail]


def _canvas(data: mmap.mmap, first: Segment) -> tuple[int, bytes]:
    """Return the flags that a file has by its ``first`` chunk, and its size as a VP8X chunk says it."""
    body = data[first.start + 8 : first.start + 18]
    if first.name == b"VP8X":
        return body[0], body[4:]
    if first.name == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        flags, width, height = (_ALPHA_FLAG if bits >> 28 & 1 else 0), bits & 0x3FFF, bits >> 14 & 0x3FFF
    else:
        sides = struct.unpack("<HH", body[6:10])
        flags, width, height = 0, *((side & 0x3FFF) - 1 for side in sides)
    return flags, width.to_bytes(3, "little") + height.to_bytes(3, "little")


def _exif(description: bytes) -> bytes:
    """Return a TIFF structure of one entry, ``ImageDescription``. See Exif 2.32, section 4.6."""
    text = description + b"\0"
    place = struct.pack("<I", 26) if len(text) > 4 else text.ljust(4, b"\0")  # noqa: PLR2004 - what fits into the entry
    entry = struct.pack("<HHI", 0x010E, 2, len(text)) + place
    return struct.pack("<2sHIH", b"II", 42, 8, 1) + entry + bytes(4) + (text if len(text) > 4 else b"")  # noqa: PLR2004


_MARKS = {
    "jpg": re.compile(rb"\xff\xd8"),
    "png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "webp": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
}
_WALKS: dict[str, Callable[[mmap.mmap], Iterator[Segment]]] = {"jpg": _jpeg, "png": _png, "webp": _webp}
_MAKERS: dict[tuple[str, Kind], Callable[[bytes], bytes]] = {
    ("jpg", "description"): lambda text: _segment(_APP1, _EXIF_ID + _exif(text)),
    ("jpg", "xmp"): lambda packet: _segment(_APP1, _XMP_ID + packet),
    ("jpg", "story"): lambda text: _segment(_COMMENT, _STORY_ID + text),
    ("png", "description"): lambda text: _text(b"Description", text),
    ("png", "xmp"): lambda packet: _text(b"XML:com.adobe.xmp", packet),
    ("png", "story"): lambda text: _text(b"flux", text),
    ("webp", "description"): lambda text: _chunk(b"EXIF", _exif(text)),
    ("webp", "xmp"): lambda packet: _chunk(b"XMP ", packet),
}
"""How each format says what; what is missing has no place in it."""
