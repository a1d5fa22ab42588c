"""Processes that are gone when the test is, and a host on this machine whose time the test decides."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flux_cli.ledger.ledger import Ledger
from flux_cli.sandbox.wire import Answer
from tests.e2e.process import DEADLINE, FLUX, Ended, Program, Terminal
from tests.hosts import KEYS
from tests.loopback import PROVIDERS, LoopbackServer


class Held:
    """Answers to one kind of request that are held back, after the request had its effect."""

    def __init__(self, method: str, part: str) -> None:
        self._wanted = (method, part)
        self._came = threading.Event()
        self._free = threading.Event()

    def pass_through(self, method: str, target: str) -> None:
        """Hold back the answer to a request, if it is one of ours."""
        if method == self._wanted[0] and self._wanted[1] in target:
            self._came.set()
            self._free.wait(DEADLINE)

    def wait(self) -> None:
        """Wait until such a request has come."""
        assert self._came.wait(DEADLINE), f"no {self._wanted} came"

    def let_go(self) -> None:
        """Answer it, and all that come later."""
        self._free.set()


class Host(LoopbackServer):
    """The four providers. A job is queued until the test says otherwise."""

    def __init__(self, folder: Path) -> None:
        self.ahead = 0.0
        self._held: list[Held] = []
        super().__init__(folder, hold=1000.0, now=lambda: time.time() + self.ahead)

    def start_jobs(self) -> None:
        """Let every job leave the queue."""
        self.ahead = 500.0

    def finish_jobs(self) -> None:
        """Let every job be done."""
        self.ahead = 1100.0

    def hold(self, method: str, part: str) -> Held:
        """Hold back some answers."""
        held = Held(method, part)
        self._held.append(held)
        return held

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        """Answer one request, later where that is wanted."""
        answer = super().answer(method, target, headers, body)
        for held in self._held:
            held.pass_through(method, target)
        return answer

    def __exit__(self, *details: object) -> None:
        for held in self._held:
            held.let_go()
        super().__exit__(*details)

    @property
    def env(self) -> dict[str, str]:
        """What makes the program talk to us."""
        bases = {f"FLUX_PROVIDERS__{name.upper()}__BASE_URL": self.base_url(name) for name in PROVIDERS}
        return bases | dict(KEYS.values())


@pytest.fixture(autouse=True, scope="session")
def signals():
    """Let our children hear every signal, also where the tests run under nohup or in the background of a script."""
    deaf = [n for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is signal.SIG_IGN]
    for number in deaf:
        signal.signal(number, lambda *_: None)
    yield
    for number in deaf:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture
def env(home) -> dict[str, str]:
    """Return the environment of a new user, in the sandbox, with quick jobs."""
    path = f"{Path(FLUX).parent}{os.pathsep}{os.environ['PATH']}"
    return {
        "HOME": str(home),
        "PATH": path,
        "LC_ALL": "C.UTF-8",
        "TERM": "xterm-256color",
        "FLUX_SANDBOX": "1",
        "FLUX_SANDBOX_SECONDS": "0.2",
    }


@pytest.fixture
def host(tmp_path, env) -> Iterator[Host]:
    """Return the providers on this machine, which the program now talks to in place of the sandbox."""
    del env["FLUX_SANDBOX"]
    with Host(tmp_path / "host") as host:
        env.update(host.env)
        yield host


@pytest.fixture
def cleaned(request) -> Iterator[contextlib.ExitStack]:
    """Return what is undone at the end: processes end before the host that they talk to does."""
    if "host" in request.fixturenames:
        request.getfixturevalue("host")
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def start(env, cleaned) -> Callable[..., Program]:
    """Return the program as something that can be started."""

    def begin(*words: str | bytes, path: str = FLUX, **options) -> Program:
        program = Program([path, *words], env | options.pop("more", {}), **options)
        cleaned.callback(program.clear)
        return program

    return begin


@pytest.fixture
def flux(start) -> Callable[..., Ended]:
    """Return the program as a function of its arguments."""
    return lambda *words, **options: start(*words, **options).end()


@pytest.fixture
def warm(start, warm_program) -> Callable[..., Ended]:
    """Return the program as a function of its arguments, for what is not about its start, signals or streams."""
    return lambda *words, **options: start(*words, path=warm_program, **options).end()


@pytest.fixture
def bash(env, cleaned) -> Callable[..., Program]:
    """Return bash, for a script."""

    def begin(script: str, **options) -> Program:
        program = Program(["bash", "-c", script], env | options.pop("more", {}), **options)
        cleaned.callback(program.clear)
        return program

    return begin


@pytest.fixture
def terminal(env, cleaned) -> Callable[..., Terminal]:
    """Return the program on a terminal."""

    def begin(*words: str, **more: str) -> Terminal:
        shown = Terminal([FLUX, *words], env | more)
        cleaned.callback(shown.clear)
        return shown

    return begin


@pytest.fixture
def ledger(home, cleaned) -> Callable[[], Ledger]:
    """Return the ledger of the new user, once there is one."""

    def opened() -> Ledger:
        (path,) = home.rglob("ledger.sqlite3")
        found = Ledger(path)
        cleaned.callback(found.close)
        return found

    return opened
