"""Open local files to be sent, and stream JSON bodies that have them inside."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any, BinaryIO

from flux_cli.errors import UsageError
from flux_cli.jobs import LocalFile
from flux_cli.providers.conversation import Upload, encode
from flux_cli.text import printable

_CHUNK = 3 * 2**16
"""Bytes of a file that are encoded at once: a multiple of three, so that base64 needs no padding in between."""


def open_body(body: Any, files: ExitStack) -> tuple[bytes | Iterator[bytes], int]:
    """Return a JSON body as httpx takes it, and its length in bytes; files are opened in ``files``.

    Raises `UsageError` for a file that cannot be read or has changed since it was checked.
    """
    parts = encode(body)
    if len(parts) == 1 and isinstance(parts[0], bytes):
        return parts[0], len(parts[0])
    opened: list[bytes | BinaryIO] = []
    length = 0
    for part in parts:
        if isinstance(part, bytes):
            opened.append(part)
            length += len(part)
        else:
            opened.append(files.enter_context(_open(part.path, part)))
            length += 4 * ((part.size + 2) // 3)
    return _stream(opened), length


def open_upload(upload: Upload, files: ExitStack) -> BinaryIO:
    """Return the file of an upload, opened in ``files``. Raises `UsageError` as `open_body` does."""
    return files.enter_context(_open(upload.path, upload.file))


def _open(path: str, checked: LocalFile | None) -> BinaryIO:
    try:
        opened = open(path, "rb")  # noqa: PTH123, SIM115 - as it was typed, and closed by the caller
    except OSError as error:
        message = f"cannot read {printable(path)}: {error.strerror}"
        raise UsageError(message, hint="put it back, and run the command again", retry="safe") from error
    if checked is not None:
        found = os.fstat(opened.fileno())
        if found.st_size != checked.size or checked.modified not in {None, found.st_mtime_ns}:
            opened.close()
            message = f"{printable(path)} changed after it was checked"
            raise UsageError(message, hint="run the command again", retry="safe")
    return opened


def _stream(parts: Sequence[bytes | BinaryIO]) -> Iterator[bytes]:
    for part in parts:
        if isinstance(part, bytes):
            yield part
            continue
        while chunk := part.read(_CHUNK):
            yield base64.b64encode(chunk)
