"""Read the input images of a request: data URIs, base64, uploads and links."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from typing import Any

from flux_cli.sandbox.store import Scene
from flux_cli.sandbox.uploads import kind_of

_DATA_URI = r"data:(image/[a-z0-9.+-]+);base64,"
_LINK = r"https?://[^\s/]+\S*"
_SHORT = 200
"""Characters of the longest text that is stored as it arrived."""


def keep_image(value: str, scene: Scene) -> str:
    """Store an input image, and return the name it is stored under; empty for a link, which is not followed.

    Raises ``ValueError`` if it is neither a link nor an image as a data URI or as base64.
    """
    if re.fullmatch(_LINK, value, re.IGNORECASE):
        found = re.search(r"([0-9a-f-]{36})[^/]*$", value)
        uploaded = scene.uploads.get_bytes(found[1]) if found else None
        return "" if uploaded is None else scene.keep_input(uploaded)
    prefix = re.match(_DATA_URI, value, re.IGNORECASE)
    try:
        content = base64.b64decode(value[prefix.end() if prefix else 0 :], validate=True)
    except ValueError:
        message = "is neither a link nor an image in base64"
        raise ValueError(message) from None
    if kind_of(content) is None:
        message = "is not an image"
        raise ValueError(message)
    return scene.keep_input(content)


def measure(content: bytes) -> tuple[int, int]:
    """Return width and height of an image, in pixels. Raises ``ValueError`` if it cannot be read."""
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - slow to import

    try:
        with Image.open(io.BytesIO(content)) as opened:
            return opened.size
    except (UnidentifiedImageError, OSError) as error:
        message = "is not an image"
        raise ValueError(message) from error


def shorten(body: Any) -> Any:
    """Return a request body with a digest in place of each long base64 text, as it is stored."""
    if isinstance(body, dict):
        return {name: shorten(value) for name, value in body.items()}
    if isinstance(body, list):
        return [shorten(value) for value in body]
    if isinstance(body, str) and len(body) > _SHORT and re.fullmatch(r"(data:[^,]*,)?[A-Za-z0-9+/=]+", body):
        return f"sha256:{hashlib.sha256(body.encode()).hexdigest()}"
    return body
