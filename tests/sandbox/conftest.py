from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from flux_cli import providers
from flux_cli.sandbox.wire import Answer, Call
from flux_cli.sandbox.world import World
from tests.hosts import HOSTS
from tests.sandbox.talk import Line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = 1_790_000_000.0

    def __call__(self) -> float:
        return self.time

    def forward(self, seconds: float) -> None:
        self.time += seconds


class Client:
    """Says what a client says, with good manners unless told otherwise."""

    def __init__(self, world: World) -> None:
        self.world = world

    def __call__(
        self, method: str, url: str, *, json_body: Any = None, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        host, _, rest = url.removeprefix("https://").partition("/")
        path, _, query = rest.partition("?")
        provider = HOSTS.get(host)
        header, prefix = providers.load(provider).auth if provider else ("", "")
        key = {header.lower(): f"{prefix}made-up"}
        is_file = provider is None
        sent = {} if is_file else dict(key)
        if json_body is not None:
            sent["content-type"] = "application/json"
            body = json.dumps(json_body).encode()
        for name, value in (headers or {}).items():
            if value:
                sent[name] = value
            else:
                sent.pop(name, None)
        pairs = dict(pair.split("=", 1) for pair in query.split("&") if pair)
        return self.world.answer(
            Call(
                method=method, host=host, path=f"/{path}", query=pairs, headers=sent, body=body, base=f"https://{host}"
            )
        )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(tmp_path: Path, clock: Clock) -> World:
    return World(tmp_path / "sandbox", clock, 10.0, providers=providers.NAMES)


@pytest.fixture
def ask(world: World) -> Client:
    return Client(world)


@pytest.fixture
def told() -> Callable[[Answer], Any]:
    return lambda answer: json.loads(answer.body)


@pytest.fixture
def generate(ask: Client, told: Callable[[Answer], Any]) -> Callable[..., str]:
    """Submit at Apiframe, under a key if one is given, and return the job's id."""

    def run(key: str = "", **more: Any) -> str:
        body = {"prompt": "a fox", "model": "flux-1.1-pro", **more}
        headers = {"idempotency-key": key} if key else {}
        return told(ask("POST", "https://api.apiframe.ai/v2/images/generate", json_body=body, headers=headers))["jobId"]

    return run


@pytest.fixture
def post(ask: Client, told: Callable[[Answer], Any]) -> Callable[..., tuple[int, Any]]:
    """Send tasks to Runware, and return the status and the body of the answer."""

    def run(*tasks: Any) -> tuple[int, Any]:
        answer = ask("POST", "https://api.runware.ai/v1", json_body=list(tasks))
        return answer.status, told(answer)

    return run


@pytest.fixture
def line(world: World) -> Callable[[str], Line]:
    """Return a line from a real provider to the sandbox."""
    return lambda name: Line(world, providers.load(name))
