"""Write whole lines to stdout and stderr, and turn closed pipes and full disks into errors of flux."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import BinaryIO, TextIO

from flux_cli.errors import Interrupted, OutputError


class Streams:
    """Stdout and stderr. A closed pipe ends the program as SIGPIPE would. Safe to call from any thread."""

    def __init__(self, stdout: TextIO, stderr: TextIO) -> None:
        """Write to these two streams."""
        self.stdout = stdout
        self.stderr = stderr
        self._lock = threading.Lock()

    def out(self, text: str, *, end: str = "\n") -> None:
        """Write a line of data at once, ended by ``end``. Raises `Interrupted` and `OutputError`."""
        self._write(self.stdout, text + end)

    def err(self, text: str) -> None:
        """Write a line for people. A failure is ignored: there is nowhere else to report it."""
        with suppress(OutputError):
            self._write(self.stderr, f"{text}\n")

    def binary(self) -> BinaryIO:
        """Return stdout for bytes."""
        return self.stdout.buffer

    def _write(self, stream: TextIO, text: str) -> None:
        buffer = getattr(stream, "buffer", None)
        with self._lock, self.watch_reader():
            if buffer is None:
                stream.write(text)
            else:
                buffer.write(_encode(text, stream.encoding))
                buffer.flush()

    @staticmethod
    @contextmanager
    def watch_reader() -> Generator[None]:
        """Raise `Interrupted` for a closed pipe, and `OutputError` for any other failed write."""
        try:
            yield
        except BrokenPipeError:
            raise Interrupted(getattr(signal, "SIGPIPE", 13)) from None
        except OSError as error:
            raise OutputError(f"cannot write the output: {error.strerror}") from error


def _encode(text: str, encoding: str) -> bytes:
    """Return text as bytes: undecodable file names as on disk, and what the encoding lacks as escapes."""
    try:
        return text.encode(encoding, "surrogateescape")
    except UnicodeEncodeError:
        return text.encode(encoding, "backslashreplace")
