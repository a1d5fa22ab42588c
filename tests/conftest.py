"""Fixtures for every test: a home of its own, a clock on which sleeping takes no time, and `flux` as a function."""

from __future__ import annotations

import gc
import io
import json
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import hypothesis
import pytest

from flux_cli.cli import main
from flux_cli.clock import SystemClock
from flux_cli.runtime import Runtime
from flux_cli.sandbox import files
from tests import drawn, json_lines, warm

hypothesis.settings.register_profile(
    "steady", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)  # a busy machine is no fault of the program
hypothesis.settings.load_profile("steady")
files.picture = drawn.picture  # drawing is a seventh of the time of all tests that are not slow


class FakeClock(SystemClock):
    """A clock on which sleeping takes no time."""

    def __init__(self, start: float = 1_795_000_000.0) -> None:
        super().__init__()
        self.time = start
        self.slept: list[float] = []
        self._guard = threading.Lock()

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.check()
        with self._guard:
            self.slept.append(seconds)
            self.time += max(seconds, 0)


@dataclass(frozen=True)
class Run:
    """Exit code and output of a command."""

    code: int
    out: str
    err: str
    raw: bytes = field(repr=False)

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def objects(self) -> list[dict]:
        return [json.loads(line) for line in self.lines]

    @property
    def object(self) -> dict:
        (found,) = self.objects
        return found


class Stream(io.TextIOWrapper):
    """A text stream over bytes that may claim to be a terminal."""

    def __init__(self, data: bytes = b"", *, tty: bool = False) -> None:
        self.bytes = io.BytesIO(data)
        self.tty = tty
        super().__init__(self.bytes, encoding="utf-8", write_through=True)

    def isatty(self) -> bool:
        return self.tty


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    """Give each test a home, a current folder, and no settings."""
    ours = ("FLUX_", "XDG_", "RUN", "APIFRAME_", "SSL", "REQUESTS_")
    for name in list(os.environ):
        if name.startswith(ours) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return folder


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def flux(clock) -> Callable[..., Run]:
    """Return the program as a function of its arguments."""

    def run(*arguments: str, stdin: str = "", tty: bool = False, connect: Callable | None = None) -> Run:
        out, err = Stream(tty=tty), Stream(tty=tty)
        runtime = Runtime(
            stdin=Stream(stdin.encode("utf-8", "surrogateescape"), tty=tty),
            stdout=out,
            stderr=err,
            clock=clock,
            connect=connect,
        )
        code = main([str(argument) for argument in arguments], runtime)
        raw = out.bytes.getvalue()
        if runtime.flags.json:
            json_lines.check_output(raw.decode(), json_only=True)
        return Run(code, raw.decode("utf-8", "replace"), err.bytes.getvalue().decode("utf-8", "replace"), raw)

    return run


@pytest.fixture(scope="session")
def warm_program() -> Iterator[str]:
    """Return the path of a ``flux`` that need not start Python: see `tests.warm`."""
    with warm.serve() as program:
        yield program


def pytest_configure(config) -> None:
    """Keep the folders of the tests in memory, where the system has room there for files and programs.

    Most of what a disk does for a test is making sure that its ledger is still there after a power failure.
    """
    memory = Path("/dev/shm")
    if not memory.is_dir() or {"PYTEST_DEBUG_TEMPROOT", "TMPDIR"} & set(os.environ):
        return
    system = os.statvfs(memory)
    if system.f_bavail * system.f_frsize > 2**30 and not system.f_flag & os.ST_NOEXEC and os.access(memory, os.W_OK):
        os.environ["PYTEST_DEBUG_TEMPROOT"] = str(memory)


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Collect the tests without looking for garbage, and never look for any among them: they stay to the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


_SLOW = {Path(__file__).parent / name for name in ("e2e", "torture")}


def pytest_collection_modifyitems(items) -> None:
    """Mark the tests in folders of slow tests, and spread the slow tests of each module evenly over the others.

    Slow tests mostly wait: side by side with quick ones they take little time, one after the other in one worker much.
    """
    modules: dict[Path, list] = {}
    slow_paths = {path for path in {item.path for item in items} if _SLOW & set(path.parents)}
    for item in items:
        if item.path in slow_paths:
            item.add_marker(pytest.mark.slow)
        if item.get_closest_marker("slow"):
            modules.setdefault(item.path, []).append(item)
    slow = {item: (n + 0.5) / len(module) for module in modules.values() for n, item in enumerate(module)}
    quick: dict[Path, float] = {}
    for n, item in enumerate(items):
        if item not in slow:
            quick.setdefault(item.path, n / len(items))  # a module stays together, with the fixtures that it shares
    items.sort(key=lambda item: slow.get(item, quick.get(item.path, 0.0)))


def pytest_terminal_summary(terminalreporter) -> None:
    """Print each ``summary`` property of the tests once, and how many tests have each ``counted`` property."""
    lines: dict[str, None] = {}
    counts: dict[str, Counter] = {}
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            for name, value in getattr(report, "user_properties", ()):
                if name == "summary":
                    lines[value] = None
                elif name == "counted":
                    counts.setdefault(value, Counter())[outcome] += 1
    totals = [f"{label}: {count['passed']} passed, {count['failed']} failed" for label, count in counts.items()]
    for line in (*lines, *totals):
        terminalreporter.write_line(line)


def pytest_xdist_auto_num_workers(config) -> int:
    """Return the number of workers for ``-n auto``: twice the cores, as slow tests mostly wait for other processes."""
    return 2 * (os.cpu_count() or 1)
