"""Inspect an image file: its real format, its size, and whether all of it is there.

The file is walked over a memory map, which takes milliseconds, holds no image in memory and needs no library.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from flux_cli.errors import ProtocolError
from flux_cli.images.jpeg import JPEG
from flux_cli.images.png import PNG
from flux_cli.images.segments import Cursor, ImageFile, InvalidImage, Segment, open_image
from flux_cli.images.webp import WEBP

FORMATS = {"jpg": JPEG, "png": PNG, "webp": WEBP}
"""The formats that flux writes, by our name, which is also the file extension."""

MAX_SIDE = 65535
"""Pixels; the most a JPEG can say, and far beyond what any of the models makes."""

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


def inspect(source: Path | bytes) -> ImageFile:
    """Return what ``source``, a file or its content, is, having walked its structure to the image's end.

    Raises `InvalidImage` for anything but a whole JPEG, PNG or WebP, and ``OSError`` where the file cannot be read.
    """
    return _parse(source, [])


def inspect_download(source: Path | bytes) -> ImageFile:
    """Return what a provider sent. Raises `ProtocolError` where `inspect` raises `InvalidImage`."""
    try:
        return inspect(source)
    except InvalidImage as error:
        message = f"the download is {error}"
        raise ProtocolError(message) from None


def find_segments(path: Path) -> list[Segment]:
    """Return the segments of the file at ``path``, as far as it is sound. Raises ``OSError``."""
    segments: list[Segment] = []
    with suppress(InvalidImage):
        _parse(path, segments)
    return segments


def _parse(source: Path | bytes, segments: list[Segment]) -> ImageFile:
    with open_image(source) as data:
        if not data:
            raise InvalidImage("not an image: it is empty")
        head = data[:1024]
        name, known = next(((name, known) for name, known in FORMATS.items() if known.mark.match(head)), ("", None))
        if known is None:
            raise InvalidImage(f"not an image that flux knows: it {_describe(head)}")
        cursor = Cursor(data, known.name, segments)
        known.parse(cursor)
        if not (0 < cursor.width <= MAX_SIDE and 0 < cursor.height <= MAX_SIDE):
            cursor.damaged(f"a size of {cursor.width}x{cursor.height}")
        end, cursor.at = cursor.at, len(data)
        if end < len(data):
            cursor.add("tail", end)
        return ImageFile(
            format=name,
            width=cursor.width,
            height=cursor.height,
            size=len(data),
            extra=len(data) - end,
            flags=cursor.flags,
            segments=tuple(segments),
        )


def _describe(head: bytes) -> str:
    """Return in a few words what the beginning of a file that is no known image resembles."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    found = (name for mark, name in _OTHERS.items() if re.match(mark, text, re.DOTALL | re.IGNORECASE))
    return next(found, None) or f"starts with the bytes {head[:4].hex(' ')}"
