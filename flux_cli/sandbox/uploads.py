"""Read a file from a multipart body, and recognize its format."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flux_cli.sandbox.wire import Call

KINDS = ((b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpeg"), (b"GIF87a", "gif"), (b"GIF89a", "gif"))
"""The first bytes of each format; WebP has its mark after the size."""


def file_of(call: Call) -> bytes:
    """Return the bytes of the field ``file``. Raises ``ValueError`` if there is no such field, or any other."""
    boundary = re.search(r'boundary="?([^";\s]+)', call.headers.get("content-type", ""))
    if call.content_type != "multipart/form-data" or not boundary:
        message = "Content-Type must be multipart/form-data with a boundary"
        raise ValueError(message)
    pieces = (b"\r\n" + call.body).split(b"\r\n--" + boundary[1].encode())
    if len(pieces) < 2 or pieces[0] or pieces[-1].rstrip() != b"--":  # noqa: PLR2004 - a beginning and an end
        message = "the body does not begin and end with its boundary"
        raise ValueError(message)
    parts = [piece.removeprefix(b"\r\n").partition(b"\r\n\r\n") for piece in pieces[1:-1]]
    names = [re.findall(rb'form-data;(?:[^\r\n]*;)? *name="([^"]*)"', head, re.IGNORECASE) for head, _, _ in parts]
    if names != [[b"file"]]:
        message = "one field named file is required"
        raise ValueError(message)
    if not parts[0][2]:
        message = "the file is empty"
        raise ValueError(message)
    return parts[0][2]


def kind_of(held: bytes) -> str | None:
    """Return the image format (``png``, ``jpeg``, ``gif``, ``webp``) by its first bytes, or ``None``."""
    if held[:4] == b"RIFF" and held[8:12] == b"WEBP":
        return "webp"
    return next((name for start, name in KINDS if held.startswith(start)), None)
