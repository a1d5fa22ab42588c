"""Convert an image to another format or quality, with Pillow."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from flux_cli.errors import ProtocolError
from flux_cli.images.inspect import FORMATS, inspect_download
from flux_cli.images.segments import ImageFile, open_image

if TYPE_CHECKING:
    from PIL import Image

DEFAULT_QUALITY = 95
"""Of a JPEG or WebP that flux encodes without a given quality: no visible loss."""

MAX_PIXELS = 200_000_000
"""A larger image is not decoded: it would take the better part of a gigabyte."""

UNDECODABLE = (OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, EOFError, MemoryError)
"""What Pillow raises over bytes that it cannot read."""

_FINE = 90
"""From this quality on, colour keeps its full resolution."""


def convert(source: Path | bytes, target: Path, *, format: str, quality: int | None) -> ImageFile:  # noqa: A002 - the option's name
    """Write the image at ``source`` to ``target`` as ``format`` and return what was written.

    ``quality`` is 1 to 100 and means nothing to a PNG. Transparency becomes white in a JPEG; a colour profile is kept
    where it still applies. Raises `ProtocolError` where the image cannot be decoded or is too large to, and
    ``OSError`` where ``target`` cannot be written.
    """
    from PIL import Image  # noqa: PLC0415 - costs 30 ms, and most runs convert nothing

    found = inspect_download(source)
    name = FORMATS[found.format].name
    if found.width * found.height > MAX_PIXELS:
        raise ProtocolError(f"an image of {found.width}x{found.height} is too large to convert")
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS  # Pillow's own, lower limit would warn
    encoded = io.BytesIO()  # not the target: an OSError from here on is about the image, not about the disk
    quality = quality or DEFAULT_QUALITY
    options: dict[str, int | str] = {} if format == "png" else {"quality": quality}
    if format == "jpg":
        options["subsampling"] = "4:4:4" if quality >= _FINE else "4:2:0"
    with open_image(source) as data:
        content = io.BytesIO(data)
    try:
        with Image.open(content, formats=(name,)) as opened:
            opened.load()
            picture = _fit(opened, format)
            picture.save(encoded, FORMATS[format].name, icc_profile=_profile(opened, picture), **options)
    except (*UNDECODABLE, struct.error, zlib.error, Image.DecompressionBombError) as error:
        raise ProtocolError(f"cannot convert the {name} to {format}: it cannot be decoded") from error
    target.write_bytes(encoded.getbuffer())
    return inspect_download(target)


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
