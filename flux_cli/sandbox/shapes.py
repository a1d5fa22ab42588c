"""Give the documented size of each aspect ratio, and a similar size for any other ratio."""

from __future__ import annotations

import math
import re

ULTRA = {
    "21:9": (3136, 1344),
    "16:9": (2752, 1536),
    "4:3": (2368, 1792),
    "3:2": (2496, 1664),
    "1:1": (2048, 2048),
    "2:3": (1664, 2496),
    "3:4": (1792, 2368),
    "9:16": (1536, 2752),
    "9:21": (1344, 3136),
}
"""Ultra: https://runware.ai/docs/models/bfl-flux-1-1-pro-ultra."""

PRO = {
    "16:9": (1344, 768),
    "4:3": (1152, 864),
    "1:1": (1024, 1024),
    "1:1 (hd)": (1408, 1408),
    "3:4": (864, 1152),
    "9:16": (768, 1344),
}
"""FLUX 1.1 [pro], at about one megapixel."""

_STEP = 32
MEGAPIXEL = 2**20


def megapixels(width: int, height: int) -> int:
    """Return how many megapixels of an image are billed: whole ones, at least one."""
    return max(-(-width * height // MEGAPIXEL), 1)


def size_of_area(ratio: str, area: int, step: int) -> tuple[int, int]:
    """Return width and height of about ``area`` pixels in multiples of ``step``."""
    wide, high = (max(1, int(side)) for side in ratio.split(":"))
    width = round(math.sqrt(area * wide / high) / step) * step
    return width, round(width * high / wide / step) * step


def size(ratio: str, *, ultra: bool) -> tuple[int, int]:
    """Return width and height in pixels; a ratio not in the table keeps the area of a square, within 1:4 and 4:1."""
    table = ULTRA if ultra else PRO
    if ratio in table:
        return table[ratio]
    found = re.fullmatch(r"(\d{1,9}):(\d{1,9})", ratio)
    wide, high = (max(1, int(side)) for side in found.groups()) if found else (1, 1)
    slope = math.sqrt(min(4.0, max(0.25, wide / high)))
    side = table["1:1"][0]
    return round(side * slope / _STEP) * _STEP, round(side / slope / _STEP) * _STEP
