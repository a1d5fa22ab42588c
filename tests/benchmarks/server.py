"""A host on this machine that costs next to nothing: Runware's dialect over plain asyncio, in a process of its own.

``python -m tests.benchmarks.server --shortest 8.5 --longest 11.5`` prints its port on the first line, and serves until
its stdin ends. A job is ready after a duration that is drawn between the two, the same ones in every run; the host
writes down when that was and how often it was asked. All images are one picture, made once.

It believes what it is told: whether a client speaks the dialect well is the sandbox's question, here only time counts.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import random
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

_GRAIN, _QUALITY = 6, 74
"""Pixels from one drawn value to the next, and JPEG quality: 4 megapixels then weigh 1 MB, as photographs do."""


@dataclass
class Record:
    """What the host knows of one job."""

    ready: float
    """Seconds since 1970."""
    told: float = 0.0
    """When a poll was first answered with the image."""
    polls: int = 0


class Host:
    """The jobs, and the picture that all of them come to."""

    def __init__(self, shortest: float, longest: float, picture: bytes, *, seed: int = 1) -> None:
        self.root = ""
        self._range = shortest, longest
        self._dice = random.Random(seed)
        self._jobs: dict[str, Record] = {}
        self._image = _answer(picture, "image/jpeg")

    def answer(self, method: str, path: str, body: bytes) -> bytes:
        """Return the whole answer to one request."""
        if method == "POST":
            told = [item for task in json.loads(body) for item in self._task(task)]
            return _answer(json.dumps({"data": told}).encode())
        if path.startswith("/images/"):
            return self._image
        return _answer(json.dumps({name: asdict(record) for name, record in self._jobs.items()}).encode())

    def _task(self, task: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the items that tell of one task: accepted, not ready, or one link an image."""
        name = task["taskUUID"]
        named = {"taskType": "imageInference", "taskUUID": name}
        if task["taskType"] == "imageInference":
            self._jobs[name] = Record(ready=time.time() + self._dice.uniform(*self._range))
            return [named]
        record = self._jobs[name]
        record.polls += 1
        now = time.time()
        if now < record.ready:
            return [{**named, "status": "processing"}]
        record.told = record.told or now
        link = f"{self.root}/images/{name}.jpg"
        return [{**named, "status": "success", "imageUUID": name, "imageURL": link, "seed": 1, "cost": 0.06}]


class Connection(asyncio.Protocol):
    """One client's connection, kept for as many requests as it likes."""

    def __init__(self, answer: Callable[[str, str, bytes], bytes]) -> None:
        self._answer = answer
        self._heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._heard += data
        while (end := self._heard.find(b"\r\n\r\n")) >= 0:
            first, *lines = self._heard[:end].decode("latin-1").split("\r\n")
            sizes = (line[15:] for line in lines if line[:15].lower() == "content-length:")
            whole = end + 4 + int(next(sizes, "0"))
            if len(self._heard) < whole:
                return
            body, self._heard = self._heard[end + 4 : whole], self._heard[whole:]
            method, path, _ = first.split(" ")
            self._transport.write(self._answer(method, path, body))


def _answer(body: bytes, kind: str = "application/json") -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def picture(width: int, height: int) -> bytes:
    """Return a JPEG of smooth noise, the same for the same size in pixels."""
    from PIL import Image

    size = width // _GRAIN, height // _GRAIN
    noise = random.Random(1).randbytes(3 * size[0] * size[1])
    held = io.BytesIO()
    Image.frombytes("RGB", size, noise).resize((width, height)).save(held, "JPEG", quality=_QUALITY)
    return held.getvalue()


async def serve(host: Host) -> None:
    """Serve until stdin ends, having said where."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(host.answer), "127.0.0.1", 0, backlog=1024)
    port = server.sockets[0].getsockname()[1]
    host.root = f"http://127.0.0.1:{port}"
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    over = asyncio.Event()

    def listen() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(over.set)

    threading.Thread(target=listen, daemon=True).start()
    await over.wait()


def main() -> None:
    """Make the picture, and serve."""
    parser = argparse.ArgumentParser(description="a host for measuring: Runware's dialect on 127.0.0.1")
    parser.add_argument("--shortest", type=float, default=0.0, help="seconds that a job takes, at least")
    parser.add_argument("--longest", type=float, default=0.0, help="and at most")
    parser.add_argument("--width", type=int, default=64, help="of the picture, in pixels")
    parser.add_argument("--height", type=int, default=64)
    asked = parser.parse_args()
    asyncio.run(serve(Host(asked.shortest, asked.longest, picture(asked.width, asked.height))))


if __name__ == "__main__":
    main()
