"""The installed program as a process: on pipes, and on a terminal of 80 by 24 that is read off its screen."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pyte
from rich.text import Text

from tests import json_lines
from tests.e2e.svg import row

FLUX = str(Path(sys.executable).with_name("flux"))
DEADLINE = 30.0
"""Seconds after which what is waited for will not come any more: only a test that fails takes as long."""

COLUMNS, ROWS = 80, 24


@dataclass(frozen=True)
class Ended:
    """What a process came to."""

    code: int
    """The exit code, or minus the number of the signal that it died of."""
    raw: bytes
    err: str

    @property
    def out(self) -> str:
        return self.raw.decode()

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def line(self) -> str:
        (found,) = self.lines
        return found


class Heard:
    """All that comes out of a pipe, as it comes."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self.data = b""
        self._pipe = pipe
        self._over = False
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        with self._pipe:
            while chunk := os.read(self._pipe.fileno(), 65536):
                with self._news:
                    self.data += chunk
                    self._news.notify_all()
        with self._news:
            self._over = True
            self._news.notify_all()

    def wait(self, text: str) -> None:
        """Wait until ``text`` has come."""
        wanted = text.encode()
        with self._news:
            self._news.wait_for(lambda: wanted in self.data or self._over, DEADLINE)
        assert wanted in self.data, f"{text!r} never came, but {self.data!r}"

    def end(self) -> bytes:
        """Return everything, once there is no more."""
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive()
        return self.data


class Program:
    """A process in a session of its own, whose output is heard."""

    def __init__(
        self, words: Sequence[str | bytes], env: dict[str, str], *, stdout: IO[bytes] | None = None, stdin: bytes = b""
    ) -> None:
        self.process = subprocess.Popen(
            words,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if stdout is None else stdout,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._out = Heard(self.process.stdout) if self.process.stdout is not None else None
        self.err = Heard(self.process.stderr)
        with suppress(BrokenPipeError), self.process.stdin as pipe:
            pipe.write(stdin)

    @property
    def out(self) -> Heard:
        assert self._out is not None
        return self._out

    def signal(self, number: int) -> None:
        """Send a signal to the process alone."""
        self.process.send_signal(number)

    def signal_all(self, number: int) -> None:
        """Send a signal to the process and its children, as a terminal does."""
        os.killpg(self.process.pid, number)

    def end(self) -> Ended:
        """Wait for the end."""
        code = self.process.wait(DEADLINE)
        out = b"" if self._out is None else self._out.end()
        if code >= 0:  # a process that a signal ends may leave half a line
            json_lines.check_output(out.decode(errors="replace"))
        return Ended(code, out, self.err.end().decode())

    def clear(self) -> None:
        """Leave nothing behind, whatever happened."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.end()


class Terminal:
    """A process on a terminal; `screen` is what a person would see there now."""

    def __init__(self, words: Sequence[str], env: dict[str, str]) -> None:
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self.raw = b""
        self._news = threading.Condition()
        self._master, self._slave = os.openpty()
        termios.tcsetwinsize(self._master, (ROWS, COLUMNS))
        tty = os.ttyname(self._slave)
        script = f'exec "$0" "$@" <{tty} >{tty} 2>{tty}'  # opening it makes it the terminal of the new session
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", script, *words], env=env, stdin=subprocess.DEVNULL, start_new_session=True
        )
        self.echoes = True
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        with suppress(OSError):  # how Linux says that nobody is left on the other side
            while chunk := os.read(self._master, 65536):
                with self._news:
                    self.raw += chunk
                    self._stream.feed(chunk)
                    self._news.notify_all()

    @property
    def screen(self) -> list[str]:
        """The lines that are not empty."""
        return [line.rstrip() for line in self._screen.display if line.strip()]

    def rows(self) -> list[Text]:
        """Return the lines down to the last that is not empty, as they look."""
        with self._news:
            found = [row([self._screen.buffer[y][x] for x in range(self._screen.columns)]) for y in range(ROWS)]
        while found and not found[-1].plain:
            found.pop()
        return found

    @property
    def cursor_hidden(self) -> bool:
        return self._screen.cursor.hidden

    def wait(self, *texts: str) -> str:
        """Wait until all of ``texts`` stand in one line of the screen, and return that line."""
        self.wait_for(lambda: bool(self._line(texts)))
        return self._line(texts)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until something is true of the screen."""
        given_up = time.monotonic() + DEADLINE
        with self._news:
            while not self._news.wait_for(condition, 0.5):
                assert time.monotonic() < given_up, self.screen
                assert self.process.poll() is None, self.screen

    def _line(self, texts: Sequence[str]) -> str:
        return next((line for line in self.screen if all(text in line for text in texts)), "")

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._master, keys)

    def resize(self, columns: int) -> None:
        """Make it narrower or wider, and tell who is on it."""
        with self._news:
            self._screen.resize(ROWS, columns)
        termios.tcsetwinsize(self._master, (ROWS, columns))

    def end(self) -> int:
        """Wait for the end, and return the exit code, or minus the number of the signal."""
        code = self.process.wait(DEADLINE)
        if self._slave >= 0:
            self.echoes = bool(termios.tcgetattr(self._slave)[3] & termios.ECHO)
            os.close(self._slave)
            self._slave = -1
        self._thread.join(DEADLINE)
        return code

    def clear(self) -> None:
        """Leave nothing behind, whatever happened."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.end()
        os.close(self._master)
