"""What every benchmark stands on: a host and a user of its own, the program as a process, and a row of the table."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parent.parent.parent
PROGRAM = str(Path(sys.executable).with_name("flux"))
MEGA = 1_000_000
_BUY = """
import sys
from flux_cli.cli import main
from flux_cli.runtime import Runtime

for number in range(int(sys.argv[1])):
    if code := main(["generate", "--no-wait", "-q", f"a red fox, number {number}"], Runtime()):
        sys.exit(code)
"""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    measured: str
    target: str = ""
    met: bool | None = None
    """``None`` where the line only stands beside another."""


def table(rows: Sequence[Row]) -> str:
    """Return the rows below a header, in columns."""
    lines = [("what", "measured", "target", "met")]
    lines += [(row.what, row.measured, row.target, {None: "", True: "yes", False: "NO"}[row.met]) for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    padded = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    return "\n".join(line.rstrip() for line in padded)


@dataclass(frozen=True)
class Cost:
    """What a process took: wall time and CPU time in seconds, and its greatest size in memory in bytes."""

    wall: float
    cpu: float
    memory: int


class Host:
    """A context manager: the server of `tests.benchmarks.server` as a process of its own."""

    def __init__(self, shortest: float = 0.0, longest: float | None = None, size: tuple[int, int] = (64, 64)) -> None:
        """Serve jobs that take ``shortest`` to ``longest`` seconds, and a picture of ``size`` pixels."""
        longest = shortest if longest is None else longest
        words = {"--shortest": shortest, "--longest": longest, "--width": size[0], "--height": size[1]}
        options = [str(word) for pair in words.items() for word in pair]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.server", *options],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.root = f"http://127.0.0.1:{self._process.stdout.readline().strip()}"

    @property
    def base_url(self) -> str:
        """What stands in for Runware's one address."""
        return f"{self.root}/v1"

    def records(self) -> dict[str, dict[str, Any]]:
        """Return by task when each job was ready (seconds since 1970), and how often it was asked about."""
        with urllib.request.urlopen(f"{self.root}/records") as answer:
            return json.load(answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=10)  # which ends its stdin, and so the server


class User:
    """Somebody with a home of their own, a key, and no history."""

    def __init__(self, folder: Path, base_url: str) -> None:
        self.home = folder
        self.images = folder / "images"
        self.images.mkdir(parents=True)
        self.env = {
            "PATH": os.environ["PATH"],
            "LC_ALL": "C.UTF-8",
            "HOME": str(folder),
            "RUNWARE_API_KEY": "a-key-for-measuring",
            "FLUX_PROVIDERS__RUNWARE__BASE_URL": base_url,
        }

    def start(self, *words: str, stdout: Any = subprocess.PIPE) -> subprocess.Popen[str]:
        """Start the program in the folder of the images."""
        return subprocess.Popen(
            [PROGRAM, *words],
            env=self.env,
            cwd=self.images,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str) -> list[dict[str, Any]]:
        """Run the program, which must go well, and return the objects that it prints."""
        return ended(self.start(*words, "--json"))

    def buy(self, jobs: int) -> None:
        """Submit jobs and wait for none, all in one process."""
        costed([sys.executable, "-c", _BUY, str(jobs)], self.env, self.images)

    def cost(self, *words: str) -> Cost:
        """Run the program, which must go well, and return what that took."""
        return costed([PROGRAM, *words], self.env, self.images)


def ended(process: subprocess.Popen[str]) -> list[dict[str, Any]]:
    """Wait for a program that prints JSON, which must go well, and return the objects."""
    out, err = process.communicate()
    require(process.returncode, out + err)
    return [json.loads(line) for line in out.splitlines()]


def costed(command: Sequence[str], env: dict[str, str], place: Path) -> Cost:
    """Run a command in a folder, which must go well, and return what that took."""
    with tempfile.TemporaryFile("w+") as told:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, env=env, cwd=place, stdin=subprocess.DEVNULL, stdout=told, stderr=subprocess.STDOUT
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        told.seek(0)
        require(process.returncode, told.read())
    unit = 1 if sys.platform == "darwin" else 1024
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * unit)


def require(code: int, said: str) -> None:
    """Raise where a process ended badly: figures of something that failed mean nothing."""
    if code != 0:
        raise RuntimeError(f"exit code {code}: {said[-2000:]}")


@contextlib.contextmanager
def folder() -> Generator[Path]:
    """Yield a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="flux-benchmark-") as name:
        yield Path(name)
