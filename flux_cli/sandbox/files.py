"""Serve images as the providers' file hosts do: GET and HEAD, at most one range, and never with a key."""

from __future__ import annotations

import hashlib
import re

from flux_cli.sandbox.life import Job
from flux_cli.sandbox.pictures import picture
from flux_cli.sandbox.store import Scene
from flux_cli.sandbox.wire import Answer, Call

MEDIA = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
"""Media type by format."""

_KEYS = ("authorization", "x-api-key", "x-key")


def content(job: Job, index: int, scene: Scene) -> bytes:
    """Return the bytes of a job's image; only the first half for ``bad-image``."""
    source = next((found for name in job.inputs if (found := scene.input(name)) is not None), None)
    whole = picture(
        job.format,
        job.width,
        job.height,
        prompt=job.prompt,
        label=f"{scene.provider}  {job.model}",
        seed=job.seed + index,
        quality=job.quality,
        source=source,
    )
    return whole[: len(whole) // 2] if "bad-image" in job.plays else whole


def refusal(call: Call) -> Answer | None:
    """Return the answer to a call that must not be made, or ``None``."""
    if any(name in call.headers for name in _KEYS):
        return _plain(400, "a key was sent to a file host")
    return None if call.method in {"GET", "HEAD"} else _plain(405, "only GET and HEAD")


def missing() -> Answer:
    """Return the answer to a link without an image."""
    return _plain(404, "no such image")


def denied() -> Answer:
    """Return the answer to a link whose signature is wrong or has expired."""
    text = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code></Error>'
    return Answer(status=403, headers={"content-type": "application/xml"}, body=text.encode())


def serve(call: Call, job: Job, index: int, scene: Scene) -> Answer:
    """Return a job's image, or the requested range of it.

    With ``broken-download``, the answer breaks off half-way unless a range is requested, so it can be resumed.
    """
    whole = content(job, index, scene)
    mark = f'"{hashlib.sha256(whole).hexdigest()[:32]}"'
    headers = {"content-type": MEDIA[job.format], "accept-ranges": "bytes", "etag": mark}
    same = call.headers.get("if-range", mark) == mark
    span = re.fullmatch(r"bytes=(\d*)-(\d*)", call.headers.get("range", "")) if same else None
    status, body = 200, whole
    if span and (span[1] or span[2]):
        first, last = _parse_range(span[1], span[2], len(whole))
        if first > last or first >= len(whole):
            return Answer(status=416, headers={"content-range": f"bytes */{len(whole)}", "content-length": "0"})
        status, body = 206, whole[first : last + 1]
        headers["content-range"] = f"bytes {first}-{last}/{len(whole)}"
    headers["content-length"] = str(len(body))
    cut = len(whole) // 2 if "broken-download" in job.plays and status == 200 else None  # noqa: PLR2004 - HTTP
    return Answer(status=status, headers=headers, body=body, cut=cut)


def _parse_range(first: str, last: str, size: int) -> tuple[int, int]:
    """Return the first and last byte of a range, inclusive."""
    if not first:
        return max(0, size - int(last)), size - 1 if int(last) else -1
    return int(first), min(int(last), size - 1) if last else size - 1


def _plain(status: int, text: str) -> Answer:
    return Answer(status=status, headers={"content-type": "text/plain; charset=utf-8"}, body=text.encode())
