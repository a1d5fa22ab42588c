"""Stdout and stderr, as bytes that are written whole, and what it means when nobody takes them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import BinaryIO, TextIO

from flux_cli.errors import Interrupted, OutputError


class Streams:
    """Where output goes. A reader that went away ends the program as SIGPIPE would."""

    def __init__(self, stdout: TextIO, stderr: TextIO) -> None:
        """Take the two streams."""
        self.stdout = stdout
        self.stderr = stderr
        self._lock = threading.Lock()

    def out(self, text: str, *, end: str = "\n") -> None:
        """Write a line of data, whole and at once; ``end`` ends it."""
        self._write(self.stdout, text + end)

    def err(self, text: str) -> None:
        """Write a line for people. One that cannot be written stops nothing: there is no other place to say so."""
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
                buffer.write(_encoded(text, stream.encoding))
                buffer.flush()

    @staticmethod
    @contextmanager
    def watch_reader() -> Generator[None]:
        """Turn what a reader does to us into ours: `Interrupted` if it is gone, `OutputError` if it takes no more."""
        try:
            yield
        except BrokenPipeError:
            raise Interrupted(getattr(signal, "SIGPIPE", 13)) from None
        except OSError as error:
            raise OutputError(f"cannot write the output: {error.strerror}") from error


def _encoded(text: str, encoding: str) -> bytes:
    """Return a stream's bytes: names that are no UTF-8 as on disk, what the encoding lacks as escapes."""
    try:
        return text.encode(encoding, "surrogateescape")
    except UnicodeEncodeError:
        return text.encode(encoding, "backslashreplace")
