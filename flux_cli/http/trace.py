"""Describe requests and answers for ``-v``: what a bug report needs, without image bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from flux_cli.providers.conversation import Request, describe_body


def describe_request(request: Request) -> str:
    """Return a request's body as one piece of text."""
    if request.upload is not None:
        kind = f"multipart, {request.upload.field}=" if request.upload.field else ""
        return f"({kind}{request.upload.path})"
    if request.json is None:
        return ""
    return json.dumps(describe_body(request.json), ensure_ascii=False, separators=(",", ":"))


def describe_response(body: bytes, headers: Mapping[str, str]) -> str:
    """Return an answer's body as one piece of text, with long base64 runs left out."""
    if "json" not in headers.get("content-type", "json") and not headers.get("content-type", "").startswith("text/"):
        return f"({len(body)} bytes of {headers.get('content-type')})"
    return _without_images(body[:2_000_000].decode(errors="replace"))


def _without_images(text: str) -> str:
    return re.sub(r"[A-Za-z0-9+/]{200,}={0,2}", lambda run: f"({len(run[0])} characters of base64)", text)
