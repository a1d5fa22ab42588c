"""Draw placeholder images quickly: flat colours chosen by the seed, with a caption that says what was requested."""

from __future__ import annotations

import hashlib
import io
import textwrap
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from flux_cli.text import printable

if TYPE_CHECKING:
    from PIL.Image import Image

_KINDS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}
_LINES = 4
_COLUMNS = 56


@lru_cache(maxsize=8)
def picture(
    format: str,  # noqa: A002 - the usual name
    width: int,
    height: int,
    *,
    prompt: str,
    label: str,
    seed: int,
    quality: int = 90,
    source: bytes | None = None,
) -> bytes:
    """Return an image file of this size (pixels) and format (``jpg``, ``png``, ``webp``).

    The same arguments give the same image, another seed gives other colours. Any prompt is allowed. ``label`` says
    what made it. An edit shows its ``source``, an image file.
    """
    dice = hashlib.sha256(str(seed).encode()).digest()
    image = _paint(width, height, dice) if source is None else _tint(source, width, height, dice)
    _caption(image, [*_wrap(prompt), label, f"seed {seed}  sandbox"])
    settings: dict[str, Any] = {
        "jpg": {"quality": max(1, quality)},
        "png": {"compress_level": 1},
        "webp": {"quality": quality, "method": 0},
    }[format]
    held = io.BytesIO()
    image.save(held, _KINDS[format], **settings)
    return held.getvalue()


def _paint(width: int, height: int, dice: bytes) -> Image:
    """Return a background with a disc and two bands."""
    from PIL import Image, ImageDraw  # noqa: PLC0415 - Pillow is slow to import

    ground, disc, near, far = (
        _make_colour(dice[3 * k : 3 * k + 3], light) for k, light in enumerate((150, 190, 90, 120))
    )
    image = Image.new("RGB", (width, height), ground)
    pen = ImageDraw.Draw(image)
    radius = min(width, height) * (10 + dice[12] % 12) // 100
    x, y = width * (20 + dice[13] % 60) // 100, height * (18 + dice[14] % 20) // 100
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=disc)
    pen.rectangle((0, height * (42 + dice[15] % 12) // 100, width, height), fill=far)
    pen.rectangle((0, height * (56 + dice[16] % 8) // 100, width, height), fill=near)
    return image


def _tint(source: bytes, width: int, height: int, dice: bytes) -> Image:
    """Return the input image at this size, with a tint."""
    from PIL import Image, ImageOps  # noqa: PLC0415 - as above

    with Image.open(io.BytesIO(source)) as opened:
        image = ImageOps.fit(opened.convert("RGB"), (width, height))
    return Image.blend(image, Image.new("RGB", image.size, _make_colour(dice[:3], 150)), 0.15)


def _make_colour(three: bytes, light: int) -> tuple[int, int, int]:
    """Return a colour around a lightness."""
    red, green, blue = (min(255, max(0, light - 48 + part * 96 // 255)) for part in three)
    return red, green, blue


def _wrap(prompt: str) -> list[str]:
    """Return the beginning of a prompt in a few lines."""
    shown = printable(prompt[: 2 * _LINES * _COLUMNS])
    return textwrap.wrap(shown, _COLUMNS, max_lines=_LINES, placeholder=" \u2026", break_on_hyphens=False)


def _caption(image: Image, lines: list[str]) -> None:
    """Write ``lines`` on a dark band at the bottom of the image."""
    from PIL import ImageDraw, ImageFont  # noqa: PLC0415 - as above

    letter = max(9, min(image.width // 34, image.height // 18))
    font = ImageFont.load_default(size=letter)
    top = image.height - int(letter * (1.35 * len(lines) + 1))
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, top, image.width, image.height), fill=(18, 20, 24))
    for row, line in enumerate(lines):
        place = letter, top + letter // 2 + int(1.35 * letter * row)
        pen.text(place, line, font=font, fill=(244, 244, 240))
