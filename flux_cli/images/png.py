"""Parse PNG files and encode metadata for them. See https://www.w3.org/TR/png-3/ , section 5."""

from __future__ import annotations

import re
import struct
import zlib

from flux_cli.images.segments import Cursor, Format, Kind

_HEADER_SIZE = 13
_TEXTS = {b"iTXt", b"tEXt", b"zTXt"}
_KEYS: dict[bytes, Kind] = {b"XML:com.adobe.xmp": "xmp", b"Description": "description", b"flux": "metadata"}
_KINDS: dict[bytes, Kind] = {b"IHDR": "head", b"caBX": "signature", b"eXIf": "exif"}


def _parse(cursor: Cursor) -> None:
    cursor.skip(8)
    cursor.add("head", 0)
    filled, name = False, b""
    while name != b"IEND":
        start = cursor.at
        length, name = cursor.big(4), cursor.take(4)
        first, inside = start == 8, cursor.at  # noqa: PLR2004 - behind the signature
        if not name.isalpha() or (name == b"IHDR") != first or (first and length < _HEADER_SIZE):
            cursor.damaged("a chunk out of place")
        cursor.skip(length)
        with memoryview(cursor.data) as view:
            checksum = zlib.crc32(view[inside : cursor.at], zlib.crc32(name))
        if cursor.big(4) != checksum:
            cursor.damaged(f"a wrong checksum in its {name.decode()}")
        if first:
            cursor.width, cursor.height = struct.unpack(">II", cursor.data[inside : inside + 8])
        filled = filled or (name == b"IDAT" and length > 0)
        key, _, rest = (cursor.body(inside, inside + length) if name in _TEXTS else b"").partition(b"\0")
        plain = name == b"iTXt" and rest[:1] == b"\0"
        text = rest[2:].split(b"\0", 2)[-1] if plain and key in _KEYS else b""
        cursor.add(_KEYS.get(key) or _KINDS.get(name, "other"), start, text)
    if not filled:
        cursor.damaged("no picture in it")


def _encode_text(key: bytes, text: bytes) -> bytes:
    """Return a text in UTF-8 as an iTXt chunk, uncompressed."""
    body = b"iTXt" + key + bytes(5) + text
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


PNG = Format(
    name="PNG",
    mark=re.compile(rb"\x89PNG\r\n\x1a\n"),
    parse=_parse,
    room=1 << 20,
    encoders={
        "description": lambda text: _encode_text(b"Description", text),
        "xmp": lambda packet: _encode_text(b"XML:com.adobe.xmp", packet),
        "metadata": lambda text: _encode_text(b"flux", text),
    },
)
