"""The sandbox's pictures, drawn once for each size: each has bytes of its own by a comment, not by its pixels."""

from __future__ import annotations

import hashlib
import struct
import zlib
from functools import cache

from flux_cli.sandbox import pictures


def picture(
    format: str,  # noqa: A002 - as `pictures.picture` has it
    width: int,
    height: int,
    *,
    prompt: str,
    label: str,
    seed: int,
    quality: int = 90,
    source: bytes | None = None,
) -> bytes:
    """Return an image file as `pictures.picture` does: the same for the same arguments, another one for others."""
    mark = hashlib.sha256(f"{prompt!r} {label} {seed}".encode("utf-8", "surrogatepass")).hexdigest().encode()
    if format == "webp" or source is not None:
        return pictures.picture(
            format, width, height, prompt=prompt, label=label, seed=seed, quality=quality, source=source
        )
    drawn = _draw(format, width, height, quality)
    if format == "jpg":
        at = 4 + int.from_bytes(drawn[4:6], "big")  # behind the header of JFIF, which comes first
        return drawn[:at] + b"\xff\xfe" + struct.pack(">H", 2 + len(mark)) + mark + drawn[at:]
    at, text = 33, b"tEXt" + b"Comment\0" + mark  # behind IHDR
    return drawn[:at] + struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text)) + drawn[at:]


@cache
def _draw(format: str, width: int, height: int, quality: int) -> bytes:  # noqa: A002 - as above
    return pictures.picture(format, width, height, prompt="a fox", label="runware  ultra", seed=7, quality=quality)
