"""Parse JPEG files and encode metadata for them. See ITU-T T.81, annex B, and XMP Specification Part 3."""

from __future__ import annotations

import re
import struct

from flux_cli.images.exif import build_exif
from flux_cli.images.segments import Cursor, Format, Kind

_MARKER = re.compile(rb"\xff++([^\xff])")
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SCAN, _END = 0xDA, 0xD9
_APP0, _APP1, _APP11, _COMMENT = 0xE0, 0xE1, 0xEB, 0xFE
_XMP_ID, _EXIF_ID, _METADATA_ID = b"http://ns.adobe.com/xap/1.0/\0", b"Exif\0\0", b"flux: "
_METADATA: tuple[tuple[int, bytes, Kind], ...] = (
    (_APP1, _XMP_ID, "xmp"),
    (_APP1, _EXIF_ID, "exif"),
    (_APP11, b"JP", "signature"),
    (_COMMENT, _METADATA_ID, "metadata"),
)


def _parse(cursor: Cursor) -> None:
    cursor.skip(2)
    cursor.add("head", 0)
    scanned = False
    while True:
        start = cursor.at
        found = _MARKER.match(cursor.data, start)
        if found is None:
            if cursor.data[start : start + 1] in {b"", b"\xff"}:
                cursor.cut()
            cursor.damaged("something between its segments")
        cursor.at = found.end()
        marker = found[1][0]
        if marker == _END:
            cursor.add("other", start)
            break
        length = cursor.big(2)
        inside = cursor.at
        if marker in _FRAMES:
            cursor.skip(1)
            cursor.height, cursor.width = cursor.big(2), cursor.big(2)
        cursor.at = inside
        cursor.skip(max(length - 2, 0))
        kind, body = _classify(cursor, marker, inside, scanned=scanned)
        if marker == _SCAN:
            scanned = True
            after = _AFTER_SCAN.search(cursor.data, cursor.at)
            if after is None:
                cursor.cut()
            cursor.at = after.start()
        cursor.add(kind, start, body)
    if not scanned:
        cursor.damaged("no picture in it")


def _classify(cursor: Cursor, marker: int, start: int, *, scanned: bool) -> tuple[Kind, bytes]:
    """Return the kind of the segment whose content is from ``start`` to here, and its metadata."""
    if scanned:
        return "other", b""
    if marker == _APP0 and cursor.segments[-1].kind == "head":
        return "head", b""
    for known, name, kind in _METADATA:
        if marker == known and cursor.data[start : min(start + len(name), cursor.at)] == name:
            return kind, b"" if kind in {"exif", "signature"} else cursor.data[start + len(name) : cursor.at]
    return "other", b""


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


JPEG = Format(
    name="JPEG",
    mark=re.compile(rb"\xff\xd8"),
    parse=_parse,
    room=65_500,  # a segment has 65,533, its name included
    encoders={
        "description": lambda text: _segment(_APP1, _EXIF_ID + build_exif(text)),
        "xmp": lambda packet: _segment(_APP1, _XMP_ID + packet),
        "metadata": lambda text: _segment(_COMMENT, _METADATA_ID + text),
    },
)
