"""The four hosts behind httpx, with a fault in front of one kind of request."""

from __future__ import annotations

import json
import re
import resource
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from flux_cli.sandbox.transport import SandboxTransport
from flux_cli.sandbox.world import World
from tests.torture.faults import ELSEWHERE, Fault, Moment

KEYS = {
    "runcomfy": ("RUNCOMFY_API_TOKEN", "rc-2f6b1c9d8e7a"),
    "runflow": ("RUNFLOW_API_KEY", "rf-5a0d3b7c4e19"),
    "apiframe": ("APIFRAME_API_KEY", "af-91c8e2d6b4f0"),
    "runware": ("RUNWARE_API_KEY", "rw-7d4e0a9b3c52"),
}
"""The variable that holds each provider's key, and the key."""
_HOSTS = {
    "model-api.runcomfy.net": "runcomfy",
    "api.runcomfy.net": "runcomfy",
    "api.runflow.io": "runflow",
    "api.apiframe.ai": "apiframe",
    "api.runware.ai": "runware",
}
_KINDS = {
    r"POST model-api.runcomfy.net/v1/models/.*": "submit",
    r"GET model-api.runcomfy.net/v1/models/.*": "check",
    r"GET .*/v1/requests/[^/]+/status": "queue",
    r"GET .*/v1/requests/[^/]+/result": "outcome",
    r"POST .*/v1/requests/[^/]+/cancel": "cancel",
    r"POST api.runflow.io/v1/models/.*": "submit",
    r"GET api.runflow.io/v1/runs/.+": "read",
    r"GET .*/v1/auth/me": "check",
    r"POST .*/v2/images/generate": "submit",
    r"GET .*/v2/jobs/.+": "read",
    r"GET .*/v2/me": "check",
}
_TASKS = {"imageInference": "submit", "getResponse": "read", "accountManagement": "check"}


def kind(request: httpx.Request, body: bytes) -> str:
    """Return what a request is for; ``other`` where it is none of the operations."""
    host = request.url.host
    if host == "api.runware.ai":
        return _TASKS.get(json.loads(body)[0]["taskType"], "other")
    if host not in _HOSTS:
        return "file"
    told = f"{request.method} {host}{request.url.path}"
    return next((name for pattern, name in _KINDS.items() if re.fullmatch(pattern, told)), "other")


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
        homes = {
            "/sandbox/": "https://playgrounds-storage-public.runcomfy.net",
            "/runs/": "https://runflow-outputs.s3.amazonaws.com",
            "/images/": "https://cdn2.apiframe.ai",
            "/image/": "https://im.runware.ai",
        }
        return next((home + path for start, home in homes.items() if path.startswith(start)), str(url))

    def _listen(self, request: httpx.Request, body: bytes) -> None:
        """Note down every key that comes to where it does not belong."""
        owner = _HOSTS.get(request.url.host) if request.url.scheme == "https" else None
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
