"""Every step at which the outside can fail, counted; and a command that is run such that one of them does.

A step is a request that leaves, its answer, a piece of a body, a commit, a file that is opened, written, forced to
the disk, named or removed, a sleep, and a line of output. What fails there fails as it would in life; or the process
ends there.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import io
import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import httpx

from flux_cli.cli import main
from flux_cli.config.paths import state_path
from flux_cli.ledger.ledger import Ledger
from flux_cli.providers import NAMES
from flux_cli.runtime import Runtime
from flux_cli.sandbox.transport import SandboxTransport
from flux_cli.sandbox.world import World
from tests import json_lines
from tests.conftest import FakeClock, Stream

PIECES = 3
"""Pieces in which an image arrives."""
ENDED = 77
"""Exit status of a process that ended at its step."""
_FULL, _BROKEN = (errno.ENOSPC, "No space left on device"), (errno.EIO, "Input/output error")
_EVENTS = {
    "open": ("open", _FULL),
    "os.mkdir": ("mkdir", _FULL),
    "os.link": ("link", _BROKEN),
    "os.rename": ("rename", _BROKEN),
    "os.remove": ("unlink", _BROKEN),
}
"""What the interpreter tells of before it is done: what each is called here, and how it fails."""


class Steps:
    """Counts steps, and lets the one numbered ``at`` (from 1) fail, or the process end there."""

    def __init__(self, at: int = 0, *, ending: bool = False) -> None:
        self.seen: list[str] = []
        self._at = at
        self._ending = ending
        self._quiet = threading.local()

    @contextlib.contextmanager
    def elsewhere(self) -> Iterator[None]:
        """Count nothing for a while in this thread: what happens is on the other side."""
        self._quiet.on = True
        yield
        self._quiet.on = False

    def reach(self, name: str, failure: Callable[[], BaseException]) -> None:
        """Say that a step is about to be taken."""
        if getattr(self._quiet, "on", False):
            return
        self.seen.append(name)
        if len(self.seen) == self._at:
            if self._ending:
                os._exit(ENDED)
            raise failure()

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Count what is done to files for a while, also in threads that are started meanwhile."""

        kept = os.fsync, io.open
        os.fsync, io.open = self._fsync, self._open
        _hear_events()
        _watching.append(self)
        try:
            yield
        finally:
            _watching.clear()
            os.fsync, io.open = kept

    def told(self, event: str) -> None:
        """Take in that the interpreter is about to do something."""
        name, (number, words) = _EVENTS[event]
        self.reach(name, lambda: OSError(number, words))

    def _fsync(self, file: int) -> None:
        self.reach("fsync", lambda: OSError(*_BROKEN))
        _FSYNC(file)

    def _open(self, *words: Any, **options: Any) -> Any:
        """Open a file; one that is written to counts each write."""
        file = _OPEN(*words, **options)
        return _Writer(self, file) if type(file) is io.BufferedWriter else file


class _Writer(io.BufferedWriter):
    def __init__(self, steps: Steps, file: io.BufferedWriter) -> None:
        super().__init__(file.detach())
        self._steps = steps

    def write(self, data: Any) -> int:
        self._steps.reach("write", lambda: OSError(*_FULL))
        return super().write(data)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)


_FSYNC, _OPEN = os.fsync, io.open
_watching: list[Steps] = []


def _hear(event: str, _details: object) -> None:
    if _watching and event in _EVENTS:
        _watching[0].told(event)


@cache
def _hear_events() -> None:
    """Listen from now on. It cannot be taken back, and disturbs threads while coverage is measured, so it waits."""
    sys.addaudithook(_hear)


class SteppingClock(FakeClock):
    """A clock on which each sleep is a step: what goes wrong there is a Ctrl-C."""

    def __init__(self, steps: Steps, start: float) -> None:
        super().__init__(start)
        self._steps = steps

    def sleep(self, seconds: float) -> None:
        def pressed() -> BaseException:
            self.stop(signal.SIGINT)
            return KeyboardInterrupt()

        with contextlib.suppress(KeyboardInterrupt):
            self._steps.reach("sleep", pressed)
        super().sleep(seconds)


class SteppingWire(httpx.BaseTransport):
    """A network on which the connection, the answer and each piece of its body are steps."""

    def __init__(self, steps: Steps, world: World) -> None:
        self._steps = steps
        self._sandbox = SandboxTransport(world)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._steps.reach("send", lambda: httpx.ConnectError("connection refused", request=request))
        with self._steps.elsewhere():
            answer = self._sandbox.handle_request(request)
            body = answer.read()
        self._steps.reach("answer", lambda: httpx.ReadError("connection reset", request=request))
        stream = _Pieces(self._steps, body, request)
        return httpx.Response(answer.status_code, headers=answer.headers, stream=stream, request=request)


class _Pieces(httpx.SyncByteStream):
    def __init__(self, steps: Steps, body: bytes, request: httpx.Request) -> None:
        self._steps, self._body, self._request = steps, body, request

    def __iter__(self) -> Iterator[bytes]:
        size = len(self._body) // PIECES + 1 if len(self._body) > 1 << 13 else max(len(self._body), 1)
        for start in range(0, len(self._body), size):
            self._steps.reach("piece", lambda: httpx.ReadError("connection reset", request=self._request))
            yield self._body[start : start + size]


class _Out(io.BytesIO):
    """Standard output or error, where each line is a step."""

    def __init__(self, steps: Steps) -> None:
        super().__init__()
        self._steps = steps

    def write(self, data: Any) -> int:
        self._steps.reach("print", lambda: OSError(*_FULL))
        return super().write(data)


@dataclass(kw_only=True)
class _Runtime(Runtime):
    """The program, its ledger on a disk that can fail at each commit."""

    steps: Steps

    def gone(self, owner: str) -> bool:
        """Whoever was here before has ended."""
        return True

    @cached_property
    def ledger(self) -> Ledger:
        steps = self.steps

        class Connection(sqlite3.Connection):
            def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
                if sql == "COMMIT":
                    steps.reach("commit", lambda: sqlite3.OperationalError("disk I/O error"))
                return super().execute(sql, *values)

        def connect(path: Path, **options: Any) -> sqlite3.Connection:
            steps.reach("connect", lambda: sqlite3.OperationalError("unable to open database file"))
            return sqlite3.connect(path, factory=Connection, **options)

        return Ledger(state_path() / "ledger.sqlite3", connect=connect)


@dataclass(frozen=True)
class Outcome:
    """What a command came to; of a process that ended on its way there is no more than that."""

    code: int | None = None
    shown: str = ""
    steps: list[str] = field(default_factory=list)


def command(world: Path, start: float, words: list[str], steps: Steps, *, hold: float) -> Outcome:
    """Run a command of the current user here, and return what it came to."""
    clock = SteppingClock(steps, start)
    out, err = Stream(), Stream()
    out.bytes, err.bytes = _Out(steps), _Out(steps)
    streams = [io.TextIOWrapper(stream.bytes, encoding="utf-8", write_through=True) for stream in (out, err)]
    runtime = _Runtime(
        stdin=Stream(),
        stdout=streams[0],
        stderr=streams[1],
        clock=clock,
        connect=lambda: SteppingWire(steps, World(world, clock.now, hold, providers=NAMES)),
        new_seed=lambda: 7,
        steps=steps,
    )
    code = main(words, runtime)
    json_lines.check_output(out.bytes.getvalue().decode())
    shown = (out.bytes.getvalue() + err.bytes.getvalue()).decode()
    for stream in streams:
        stream.detach()
    return Outcome(code, shown, steps.seen)


def ended(world: Path, start: float, words: list[str], *, hold: float, at: int) -> None:
    """Run a command in a process of its own, forked from this one, which ends at step ``at``."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(5)
    pid = os.fork()
    if pid == 0:
        try:
            gc.disable()
            steps = Steps(at, ending=True)
            with steps.watched():
                command(world, start, words, steps, hold=hold)
        finally:
            os._exit(0)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == ENDED, f"the process got past step {at}"
