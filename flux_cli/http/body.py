"""Stream JSON bodies that have local files inside."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any, BinaryIO

from flux_cli.errors import UsageError
from flux_cli.jobs import LocalFile
from flux_cli.providers.conversation import encode
from flux_cli.text import printable

_CHUNK = 3 * 2**16
"""Bytes of a file that are encoded at once: a multiple of three, so that base64 needs no padding in between."""


def open_body(body: Any, files: ExitStack) -> tuple[bytes | Iterator[bytes], int]:
    """Return a JSON body as httpx takes it, and its length in bytes; files are opened in ``files``.

    Raises `UsageError` for a file that cannot be read or is not the size that was checked.
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
            opened.append(_open(part, files))
            length += 4 * ((part.size + 2) // 3)
    return _stream(opened), length


def _open(file: LocalFile, files: ExitStack) -> BinaryIO:
    try:
        opened = files.enter_context(open(file.path, "rb"))  # noqa: PTH123, SIM115 - closed with the others
        size = opened.seek(0, 2)
        opened.seek(0)
    except OSError as error:
        raise UsageError(f"cannot read {printable(file.path)}: {error.strerror}") from error
    if size != file.size:
        raise UsageError(f"{printable(file.path)} changed after it was checked", hint="run the command again")
    return opened


def _stream(parts: Sequence[bytes | BinaryIO]) -> Iterator[bytes]:
    for part in parts:
        if isinstance(part, bytes):
            yield part
            continue
        while chunk := part.read(_CHUNK):
            yield base64.b64encode(chunk)
