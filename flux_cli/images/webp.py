"""Parse WebP files and encode metadata for them. See RFC 9649, section 2."""

from __future__ import annotations

import re
import struct

from flux_cli.errors import ProtocolError
from flux_cli.images.exif import build_exif
from flux_cli.images.segments import Cursor, Format, ImageFile, Kind, Parts, Segment

_KINDS: dict[bytes, Kind] = {
    b"XMP ": "xmp",
    b"EXIF": "exif",
    b"C2PA": "signature",
    b"VP8 ": "picture",
    b"VP8L": "picture",
    b"ANMF": "picture",
}
_FIRST = 12
"""Where the first chunk is."""
_EXIF_FLAG, _XMP_FLAG, _ALPHA_FLAG = 0x08, 0x04, 0x10


def _parse(cursor: Cursor) -> None:
    cursor.skip(4)
    length = cursor.little(4)
    if cursor.end < 8 + length:
        cursor.cut()
    cursor.end = min(cursor.end, 8 + length + length % 2)
    cursor.skip(4)
    cursor.add("head", 0)
    filled = False
    while cursor.at < 8 + length:
        start = cursor.at
        name, span = cursor.take(4), cursor.little(4)
        inside = cursor.at
        if start == _FIRST:
            _read_size(cursor, name)
        cursor.at = inside
        cursor.skip(span + (span % 2 if inside + span < cursor.end else 0))
        kind = _KINDS.get(name, "head" if name == b"VP8X" and start == _FIRST else "other")
        filled = filled or kind == "picture"
        cursor.add(kind, start, cursor.body(inside, inside + span) if kind == "xmp" else b"")
    if not filled:
        cursor.damaged("no picture in it")


def _read_size(cursor: Cursor, name: bytes) -> None:
    """Read width, height and flags in the first chunk, whose name is ``name``."""
    if name == b"VP8X":
        cursor.flags = cursor.take(4)[0]
        cursor.width, cursor.height = cursor.little(3) + 1, cursor.little(3) + 1
    elif name == b"VP8L" and cursor.take(1) == b"\x2f":
        bits = cursor.little(4)
        cursor.flags = _ALPHA_FLAG if bits >> 28 & 1 else 0
        cursor.width, cursor.height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif name == b"VP8 " and cursor.take(6)[3:] == b"\x9d\x01\x2a":
        cursor.width, cursor.height = cursor.little(2) & 0x3FFF, cursor.little(2) & 0x3FFF
    else:
        cursor.damaged("a chunk out of place")


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def _assemble(parts: Parts, image: ImageFile) -> Parts:
    """Return the ``parts`` as an extended file: its size and flags as they are now, every chunk padded."""
    tail = [part for part in parts if isinstance(part, Segment) and part.kind == "tail"]
    names = {_KINDS.get(part[:4]) if isinstance(part, bytes) else part.kind for part in parts}
    flags = image.flags | (_EXIF_FLAG if "exif" in names else 0) | (_XMP_FLAG if "xmp" in names else 0)
    sides = (image.width - 1).to_bytes(3, "little") + (image.height - 1).to_bytes(3, "little")
    chunks: list[Segment | bytes] = [_chunk(b"VP8X", bytes([flags, 0, 0, 0]) + sides)]
    for part in parts[1 : len(parts) - len(tail)]:
        chunks += [part, b"\0"] if len(part) % 2 else [part]
    length = 4 + sum(map(len, chunks))
    if length >= 1 << 32:
        raise ProtocolError("it is as large as a WebP can be")
    return [b"RIFF" + struct.pack("<I", length) + b"WEBP", *chunks, *tail]


WEBP = Format(
    name="WebP",
    mark=re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
    parse=_parse,
    room=1 << 20,
    encoders={
        "description": lambda text: _chunk(b"EXIF", build_exif(text)),
        "xmp": lambda packet: _chunk(b"XMP ", packet),
    },
    assemble=_assemble,
)
