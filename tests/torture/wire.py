"""Every host behind httpx, with a fault in front of one kind of request."""

from __future__ import annotations

import resource
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from flux_cli.sandbox.transport import SandboxTransport
from flux_cli.sandbox.world import World
from tests.hosts import FILES, HOSTS, KEYS, find_kind
from tests.torture.faults import ELSEWHERE, Fault, Moment


def kind(request: httpx.Request, body: bytes) -> str:
    """Return what a request is for; ``file`` for an image, ``other`` where it is none of the operations."""
    provider = HOSTS.get(request.url.host)
    return "file" if provider is None else find_kind(provider, request.method, request.url.path, body)


class Wire(httpx.BaseTransport):
    """Carries requests to a `World`, and lets a fault happen to those that are of the kinds it is set on."""

    def __init__(self, world: World, clock: Any, folder: Path) -> None:
        self._sandbox = SandboxTransport(world)
        self._clock = clock
        self._folder = folder
        self.fault: Fault | None = None
        self.kinds: frozenset[str] = frozenset()
        self.lasting = True
        self.hits = 0
        self.sent: Counter[str] = Counter()
        """Requests by kind, as they left the program."""
        self.arrived: list[tuple[str | None, bytes]] = []
        """Paid requests that had their effect: handle and body."""
        self.leaks: list[str] = []
        """Addresses at which a key arrived that must never see it."""
        self.images: set[bytes] = set()
        """Images as the host has them."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request, or let the fault do so."""
        body = request.read()
        found = kind(request, body)
        self.sent[found] += 1
        self._listen(request, body)
        if self.fault is None or found not in self.kinds or (self.hits and not self.lasting):
            return self._forward(request, found, body)
        if request.url.host == "elsewhere.example":
            return self._forward(request, found, body)
        self.hits += 1
        moment = Moment(request, lambda: self._forward(request, found, body), self._clock.now(), self._folder)
        return self.fault.act(moment)

    def _forward(self, request: httpx.Request, found: str, body: bytes) -> httpx.Response:
        if found == "submit":
            self.arrived.append((request.headers.get("idempotency-key"), body))
        if str(request.url).startswith(ELSEWHERE):
            request = httpx.Request(request.method, self._home(request.url), headers=request.headers)
        answer = self._sandbox.handle_request(request)
        if found == "file" and answer.status_code == 200:
            self.images.add(answer.read())
            return httpx.Response(200, headers=answer.headers, stream=httpx.ByteStream(answer.content))
        return answer

    def _home(self, url: httpx.URL) -> str:
        """Return where an image really is that was asked for elsewhere."""
        path = url.raw_path.decode()
        starts = {
            "/sandbox/": "runcomfy",
            "/runs/": "runflow",
            "/images/": "apiframe",
            "/image/": "runware",
            "/results/": "bfl",
            "/files/b/": "fal",
            "/xezq/": "replicate",
        }
        return next((FILES[name] + path for start, name in starts.items() if path.startswith(start)), str(url))

    def _listen(self, request: httpx.Request, body: bytes) -> None:
        """Note down every key that comes to where it does not belong."""
        owner = HOSTS.get(request.url.host) if request.url.scheme == "https" else None
        everything = f"{request.url} {request.headers.raw!r}".encode() + body
        for name, (_, key) in KEYS.items():
            if key.encode() in everything and (name != owner or key in str(request.url)):
                self.leaks.append(str(request.url))

    def heal(self) -> None:
        """Let the fault be gone."""
        self.fault = None
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        if self._folder.is_file():
            self._folder.unlink()
