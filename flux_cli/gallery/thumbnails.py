"""Make thumbnails of saved images, small enough to be part of a page."""

from __future__ import annotations

import io
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from flux_cli.images.convert import MAX_PIXELS, UNDECODABLE

SIDE = 384
"""Pixels across and down, at most: sharp in a column of a page, and some 20 kB."""
_QUALITY = 78
_AHEAD = 4
"""Thumbnails that are made ahead, for each core."""


def thumbnails(paths: Iterable[Path]) -> Iterator[bytes | None]:
    """Yield the `thumbnail` of each path, in order, made on all cores and never far ahead."""
    cores = os.cpu_count() or 1
    pending = deque[Future[bytes | None]]()
    with ThreadPoolExecutor(cores) as pool:
        try:
            for path in paths:
                pending.append(pool.submit(thumbnail, path))
                if len(pending) > _AHEAD * cores:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def thumbnail(path: Path) -> bytes | None:
    """Return the image at ``path`` as a small JPEG, white where it is transparent; ``None`` where it cannot be read."""
    from PIL import Image  # noqa: PLC0415 - takes 30 ms to load, and only a gallery needs it

    Image.MAX_IMAGE_PIXELS = MAX_PIXELS  # Pillow's own, lower limit would warn
    encoded = io.BytesIO()
    try:
        with Image.open(path, formats=("JPEG", "PNG", "WEBP")) as opened:
            opened.draft("RGB", (SIDE, SIDE))  # a JPEG is decoded no larger than needed
            clear = opened.has_transparency_data
            small = opened.convert("RGBA" if clear else "RGB")
        small.thumbnail((SIDE, SIDE), reducing_gap=2.0)
        if clear:
            small = Image.alpha_composite(Image.new("RGBA", small.size, "white"), small).convert("RGB")
        small.save(encoded, "JPEG", quality=_QUALITY)
    except (*UNDECODABLE, Image.DecompressionBombError):
        return None
    return encoded.getvalue()
