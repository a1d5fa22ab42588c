"""The sandbox behind a real socket on 127.0.0.1, for tests of whole processes and of the wire."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from flux_cli.providers import NAMES, load
from flux_cli.sandbox.wire import Answer, Call, LostReply
from flux_cli.sandbox.world import World
from tests.hosts import find_kind

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PROVIDERS = NAMES


class Seen(NamedTuple):
    """One request as it arrived."""

    provider: str
    method: str
    path: str
    """Below the provider's prefix; of an image, below ``/files/<provider>``."""
    headers: dict[str, str]
    body: Any
    """Parsed JSON, or bytes."""
    file: bool = False
    """Whether an image was asked for."""


class LoopbackServer:
    """A context manager: every provider of a `World` under a path of its own, images under ``/files``.

    ``script``, where set, is asked about every call first: what it returns is sent, what it raises
    (`LostReply`) happens, ``None`` leaves the call to the world. A ``content-length`` in its answer is sent as it
    is, also a wrong one.
    """

    def __init__(self, folder: Path, *, hold: float = 0.0, now: Callable[[], float] = time.time) -> None:
        self.requests: list[Seen] = []
        self.paid: Counter[str] = Counter()
        """Submits that arrived, by provider, whatever came of them; `accepted` counts the jobs."""
        self.images: dict[str, bytes] = {}
        """The bytes that were served, by the whole address."""
        self.script: Callable[[Call], Answer | None] | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = False  # so that closing waits for them, and leaves no socket behind
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self.root = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.world = World(folder, now, hold, providers=NAMES, link_base=f"{self.root}/files")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        with self._lock:
            for connection in self._connections:
                hang_up(connection)
        self._server.server_close()

    def base_url(self, provider: str) -> str:
        """Return what stands in for the provider's documented base URL."""
        return f"{self.root}/{provider}{urlsplit(load(provider).base_url).path}"

    def accepted(self, provider: str) -> int:
        """Return how many jobs the provider has."""
        return len(self.world.jobs(provider))

    def attach(self, connection: socket.socket) -> None:
        """Remember an open connection."""
        with self._lock:
            self._connections.add(connection)

    def detach(self, connection: socket.socket) -> None:
        """Forget a connection."""
        with self._lock:
            self._connections.discard(connection)

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        """Answer one request. Raises `LostReply`."""
        split = urlsplit(target)
        first, _, rest = unquote(split.path).removeprefix("/").partition("/")
        file = first == "files"
        provider, _, rest = rest.partition("/") if file else (first, "", rest)
        if provider not in NAMES:
            return Answer(status=404)
        query = dict(parse_qsl(split.query, keep_blank_values=True))
        base = f"{self.root}/{provider}"
        call = Call(
            method=method, host="127.0.0.1", path=f"/{rest}", query=query, headers=headers, body=body, base=base
        )
        seen = Seen(provider, method, call.path, headers, _parsed(call), file)
        with self._lock:
            self.requests.append(seen)
            self.paid[provider] += _is_submit(seen)
        scripted = self.script(call) if self.script is not None else None
        if scripted is not None:
            return scripted
        if not file:
            return self.world.answer_as(provider, call)
        answer = self.world.file_as(provider, call)
        if answer.status == 200 and method == "GET":
            self.images[self.root + target] = answer.body
        return answer


def hang_up(connection: socket.socket) -> None:
    """Cut a connection, so that whoever reads from it sees its end."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def _parsed(call: Call) -> Any:
    if not call.is_json:
        return call.body
    try:
        return json.loads(call.body)
    except ValueError:
        return call.body


def _is_submit(seen: Seen) -> bool:
    body = json.dumps(seen.body).encode() if isinstance(seen.body, list) else b""
    return not seen.file and find_kind(seen.provider, seen.method, seen.path, body) == "submit"


def _handler(owner: LoopbackServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            owner.attach(self.connection)

        def finish(self) -> None:
            owner.detach(self.connection)
            super().finish()

        def respond(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            try:
                answer = owner.answer(self.command, self.path, headers, body)
            except LostReply:
                self.close_connection = True
                hang_up(self.connection)
                return
            told = {"content-length": str(len(answer.body)), **answer.headers}
            body = answer.body[: answer.cut]
            self.close_connection |= self.command != "HEAD" and told["content-length"] != str(len(body))
            try:
                self.send_response(answer.status)
                for name, value in told.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
            except ConnectionError:
                self.close_connection = True

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = respond  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
