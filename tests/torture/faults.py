"""Everything that can go wrong on the wire: what the program sees, and whether the host had done its work."""

from __future__ import annotations

import gzip
import json
import resource
import shutil
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import Any

import httpx

ELSEWHERE = "https://elsewhere.example/"
"""A host that is nobody's: what is sent there is lost to a stranger."""
NASTY = "\x1b[2J\x07[red]done[/red]\u202egpj.exe\ud800\x00\r\nflux: error: \x9b31m"
"""Escape sequences, markup, a bidi override, a lone surrogate, NUL and a forged line."""
OVERSIZED = 256 << 20
"""Bytes that no answer may have more than."""


@dataclass(frozen=True)
class Moment:
    """One request that goes wrong: what it was, the world that would answer it, the time, and the target folder."""

    request: httpx.Request
    forward: Callable[[], httpx.Response]
    now: float
    folder: Path


@dataclass(frozen=True)
class Fault:
    """Something that happens to a request in place of what should."""

    name: str
    proof: str
    """What it proves about the request, for a host at its worst.

    ``unsent``: nothing arrived; ``busy``: it was turned away for now; ``slow``: it did not arrive whole, and no page
    says that it may simply be sent again; ``refused``: it was turned away, with ``status``;
    ``lost``: it had its effect, and there was no answer; ``garbled``: it had its effect, and the answer is nonsense;
    ``moved``: a redirect that promises nothing; ``strange``: one answer or one link is not what it should be.
    """
    act: Callable[[Moment], httpx.Response]
    status: int = 0
    scope: str = "any"
    """``any`` operation; only the ``api``; only the ``file``; or the names of the operations."""


class Slices(httpx.SyncByteStream):
    """A body in pieces, as a socket would bring it, and then perhaps the end of the connection."""

    def __init__(self, pieces: Iterator[bytes], end: httpx.TransportError | None = None) -> None:
        self._pieces, self._end = pieces, end

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces
        if self._end is not None:
            raise self._end


def answer(status: int, body: bytes = b"", **headers: str) -> httpx.Response:
    """Return an answer; ``retry_after`` becomes the header ``retry-after``."""
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    pieces = (body[start : start + 65536] for start in range(0, len(body), 65536))
    return httpx.Response(status, headers=told, stream=Slices(pieces))


def _raising(
    error: type[httpx.TransportError], text: str, *, reached: bool = True
) -> Callable[[Moment], httpx.Response]:
    def act(moment: Moment) -> httpx.Response:
        if reached:
            moment.forward()
        raise error(text, request=moment.request)

    return act


def _broken_off(moment: Moment) -> httpx.Response:
    good = moment.forward()
    body = good.read()
    cut = httpx.ReadError("connection reset by peer", request=moment.request)
    return httpx.Response(good.status_code, headers=good.headers, stream=Slices(iter([body[: len(body) // 2]]), cut))


def _answering(
    status: int, body: bytes = b"", *, reached: bool = False, **headers: str
) -> Callable[[Moment], httpx.Response]:
    def act(moment: Moment) -> httpx.Response:
        if reached:
            moment.forward()
        return answer(status, body, **headers)

    return act


def _overloaded(moment: Moment) -> httpx.Response:
    """Say what Apiframe documents as "nothing was accepted", and what may mean anything elsewhere."""
    if moment.request.url.host != "api.apiframe.ai":
        moment.forward()
    return answer(503)


def _at_a_date(moment: Moment) -> httpx.Response:
    return answer(429, _NO, retry_after=formatdate(moment.now + 10, usegmt=True))


def _in_circles(moment: Moment) -> httpx.Response:
    moment.forward()
    return answer(302, location=str(moment.request.url))


def _away(status: int, *, reached: bool) -> Callable[[Moment], httpx.Response]:
    def act(moment: Moment) -> httpx.Response:
        if reached:
            moment.forward()
        return answer(status, location=ELSEWHERE + moment.request.url.raw_path.decode().lstrip("/"))

    return act


def _halved(moment: Moment) -> httpx.Response:
    good = moment.forward()
    body = good.read()
    return answer(200, body[: len(body) // 2], content_type=good.headers["content-type"])


def _bomb(moment: Moment) -> httpx.Response:
    moment.forward()
    return answer(200, _GZIPPED, content_type="application/json", content_encoding="gzip")


def _huge(moment: Moment) -> httpx.Response:
    moment.forward()
    return answer(200, bytes(999), content_type="application/json", content_length=str(OVERSIZED + 1))


def altered(change: Callable[[str, Any], Any]) -> Callable[[Moment], httpx.Response]:
    """Return a fault that puts ``change(name, value)`` in the place of every field of a good JSON answer."""

    def walk(value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return change("{}", {key: walk(inner, key) for key, inner in value.items()})
        if isinstance(value, list):
            return [walk(inner, name) for inner in value]
        return change(name, value)

    def act(moment: Moment) -> httpx.Response:
        good = moment.forward()
        told = walk(json.loads(good.read()))
        return answer(good.status_code, json.dumps(told).encode(), content_type="application/json")

    return act


def _pondering(name: str, value: Any) -> Any:
    if name in {"status", "status_code"}:
        return "pondering"
    if name == "{}" and "imageURL" in value:
        return {"taskUUID": value["taskUUID"], "status": "pondering"}
    return value


def _nasty(name: str, value: Any) -> Any:
    return NASTY if isinstance(value, str) else value


def _escaping(name: str, value: Any) -> Any:
    return "../../v1/steal?x=" if name in {"id", "request_id", "jobId", "taskUUID"} else value


def _linked(link: str) -> Callable[[Moment], httpx.Response]:
    """Return a fault that names ``link`` in the place of every link to an image."""

    def change(name: str, value: Any) -> Any:
        linked = (
            isinstance(value, str) and value.startswith("https://") and not name.endswith("_url") and name != "self"
        )
        return link if linked else value

    return altered(change)


def _without_folder(moment: Moment) -> httpx.Response:
    shutil.rmtree(moment.folder, ignore_errors=True)
    if not moment.folder.exists():
        moment.folder.write_text("a file in its place")
    return moment.forward()


def _without_room(moment: Moment) -> httpx.Response:
    resource.setrlimit(resource.RLIMIT_FSIZE, (16384, resource.RLIM_INFINITY))
    return moment.forward()


def _canvas(side: int) -> bytes:
    """Return a PNG of a few bytes that would decode to ``side`` squared pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    image = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + image


def _mislabelled(moment: Moment) -> httpx.Response:
    good = moment.forward()
    body = good.read()
    headers = {"content-type": good.headers["content-type"], "content-length": str(len(body) + 7)}
    return httpx.Response(200, headers=headers, stream=Slices(iter([body])))


_NO = json.dumps({"error": "not this time", "message": "not this time"}).encode()
_HTML = b"<!doctype html><html><title>Sign in to the guest network</title></html>"
_SHOUT = json.dumps(dict.fromkeys(("error", "message", "detail", "code"), NASTY)).encode()
_GZIPPED = gzip.compress(b"[" + b" " * (1 << 20), 6)
CANVAS = _canvas(60_000)
"""An image that is whole, and would fill ten gigabytes."""

FAULTS = [
    Fault("connection refused", "unsent", _raising(httpx.ConnectError, "connection refused", reached=False)),
    Fault("no such host", "unsent", _raising(httpx.ConnectError, "name or service not known", reached=False)),
    Fault("connect time-out", "unsent", _raising(httpx.ConnectTimeout, "timed out", reached=False)),
    Fault("no route", "unsent", _raising(httpx.ConnectError, "[Errno 113] No route to host", reached=False)),
    Fault("TLS refused", "unsent", _raising(httpx.ConnectError, "[SSL: WRONG_VERSION_NUMBER]", reached=False)),
    Fault("bad certificate", "unsent", _raising(httpx.ConnectError, "certificate verify failed", reached=False)),
    Fault("reset before the reply", "lost", _raising(httpx.ReadError, "connection reset by peer")),
    Fault("closed without a reply", "lost", _raising(httpx.RemoteProtocolError, "server disconnected")),
    Fault("reset in mid-reply", "lost", _broken_off),
    Fault("read time-out", "lost", _raising(httpx.ReadTimeout, "timed out")),
    Fault("400 with garbage", "refused", _answering(400, b"\xff\xfe<oops"), 400),
    Fault("401", "refused", _answering(401, _NO), 401),
    Fault("402", "refused", _answering(402, _NO), 402),
    Fault("403 HTML", "refused", _answering(403, _HTML), 403),
    Fault("404", "refused", _answering(404, _NO), 404),
    Fault("405", "refused", _answering(405, _NO), 405),
    Fault("408", "slow", _answering(408, _NO), 408),
    Fault("409", "refused", _answering(409, _NO), 409),
    Fault("410", "refused", _answering(410, _NO), 410),
    Fault("429", "busy", _answering(429, _NO), 429),
    Fault("429 in 10 s", "busy", _answering(429, _NO, retry_after="10"), 429),
    Fault("429 at a date", "busy", _at_a_date, 429),
    Fault("429 in a year", "busy", _answering(429, _NO, retry_after="31536000"), 429),
    Fault("429 in 11 days", "busy", _answering(429, _NO, retry_after="999999"), 429),
    Fault("500", "lost", _answering(500, _NO, reached=True)),
    Fault("502 HTML", "lost", _answering(502, _HTML, reached=True, content_type="text/html")),
    Fault("503", "lost", _overloaded),
    Fault("504", "lost", _answering(504, b"upstream timed out", reached=True)),
    Fault("302 to another host", "moved", _away(302, reached=True), 302),
    Fault("307 to another host", "refused", _away(307, reached=False), 307),
    Fault("302 in circles", "moved", _in_circles, 302),
    Fault("200 empty", "garbled", _answering(200, b"", reached=True)),
    Fault("200 HTML", "garbled", _answering(200, _HTML, reached=True, content_type="text/html")),
    Fault("200 cut in half", "garbled", _halved),
    Fault("200 of a wrong shape", "garbled", _answering(200, b'[{"data": 3}, null]', reached=True)),
    Fault("200 of 100,000 levels", "garbled", _answering(200, b"[" * 100_000, reached=True)),
    Fault("200 gzip bomb", "garbled", _bomb),
    Fault("200 not the gzip it says", "lost", _answering(200, b"{}", reached=True, content_encoding="gzip")),
    Fault("200 too huge", "lost", _huge),
    Fault("a status never heard of", "strange", altered(_pondering), scope="submit poll result cancel status"),
    Fault("texts that would act", "strange", altered(_nasty), scope="api"),
    Fault("a refusal that would act", "refused", _answering(400, _SHOUT), 400),
    Fault("an id that would leave the path", "strange", altered(_escaping), scope="submit"),
    Fault("a link to http", "strange", _linked("http://elsewhere.example/a.png"), scope="links"),
    Fault("a link to a file", "strange", _linked("file:///etc/passwd"), scope="links"),
    Fault("a link to this machine", "strange", _linked("http://127.0.0.1:9/a.png"), scope="links"),
    Fault("a link to a dead host", "strange", _linked("https://dead.example/a.png"), scope="links"),
    Fault("a link of another scheme", "strange", _linked("javascript:alert(1)"), scope="links"),
    Fault("a wrong length", "lost", _mislabelled, scope="file"),
    Fault("an expired link", "refused", _answering(410, b"<Error>AccessDenied</Error>"), 403, scope="file"),
    Fault("a redirect to http", "garbled", _answering(302, location="http://elsewhere.example/a"), scope="file"),
    Fault("a redirect to a file", "garbled", _answering(302, location="file:///etc/passwd"), scope="file"),
    Fault("an image that decodes to 10 GB", "strange", _answering(200, CANVAS), scope="file"),
    Fault("no room on the disk", "disk", _without_room, scope="file"),
    Fault("the folder gone", "disk", _without_folder, scope="file"),
]
