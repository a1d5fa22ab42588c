"""Where images go, and how they get there: whole or not at all, and never in the place of something else.

Bytes are written to a hidden file in the target folder, checked, converted where that was asked for, given their
story, forced to the disk, and only then linked to their name. A link refuses a name that is taken, so any number of
processes may save at once. What the bytes are, how they are converted and what a story is, is handed in: nothing here
knows about pixels or the network.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from flux_cli.errors import ProtocolError, UnsavedError
from flux_cli.saving.destination import (
    FULL,
    Destination,
    describe_os_error,
    is_regular_target,
    remove_temporary_files,
    resolve_format,
    temporary_path,
)
from flux_cli.saving.names import Fields, alternatives
from flux_cli.text import printable

__all__ = ["Destination", "Fields", "InspectedImage", "SavedImage", "Saver", "remove_temporary_files", "resolve_format"]

Embed = Callable[[Path, Path], None]
"""Writes a copy of an image to a new file, with its story in it. Raises `ProtocolError` or ``ValueError``."""

_LINK: Callable[[Path, Path], None] | None = getattr(os, "link", None)


class InspectedImage(Protocol):
    """What a check of the bytes found: our name of the format, width and height in pixels, size in bytes.

    ``extra`` is how many of the bytes follow the image's end.
    """

    @property
    def format(self) -> str: ...  # noqa: D102 - see the class
    @property
    def width(self) -> int: ...  # noqa: D102 - see the class
    @property
    def height(self) -> int: ...  # noqa: D102 - see the class
    @property
    def size(self) -> int: ...  # noqa: D102 - see the class
    @property
    def content_type(self) -> str: ...  # noqa: D102 - see the class
    @property
    def extra(self) -> int: ...  # noqa: D102 - see the class


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedImage:
    """An image that has reached its place."""

    path: Path
    """Absolute, its folder free of links; ``-`` for standard output."""
    shown: str
    """As it would be typed from here."""
    width: int
    height: int
    content_type: str
    size: int
    """Bytes."""


class Saver:
    """Puts images where they belong; any number of threads may share one."""

    def __init__(  # noqa: PLR0913 - what it works with, each by its name
        self,
        destination: Destination,
        *,
        inspect: Callable[[Path], InspectedImage],
        convert: Callable[..., InspectedImage],
        format: str | None,  # noqa: A002 - the option's own name
        quality: int | None,
        note: Callable[[str], None],
        detail: Callable[[str], None] = lambda _line: None,
        reencode: bool = False,
        max_bytes: int = 256 << 20,
        link: Callable[[Path, Path], None] | None = _LINK,
    ) -> None:
        """Save to ``destination``.

        ``convert(source, target, format=, quality=)`` is called for another format than the bytes have, and with
        ``reencode`` also for the same one, as the provider was not asked for ``quality``. ``note`` takes one line for
        the user, ``detail`` one for a bug report. ``link`` gives a file a second name or raises ``OSError``; some
        systems have none.
        """
        self._destination = destination
        self._inspect = inspect
        self._convert = convert
        self._format = resolve_format(destination, format)
        self._quality = quality
        self._note = note
        self._detail = detail
        self._reencode = reencode and quality is not None
        self._max_bytes = max_bytes
        self._link = link
        self._replaced: set[Path] = set()
        """Names that were overwritten: never twice, should a job make more images than it was asked for."""

    def save(self, chunks: Iterable[bytes], fields: Fields, embed: Embed | None = None) -> SavedImage:
        """Write ``chunks`` to the place that the destination and ``fields`` name, with the story that ``embed`` adds.

        Raises `UnsavedError` where that cannot be done, and lets through what ``chunks``, ``inspect`` and ``convert``
        raise; an image that takes no story is saved without. Whatever happens, no part of an image stays behind.
        """
        try:
            folder = self._destination.resolved_target(self._destination.target(fields, self._format or "jpg")).parent
            if self._destination.kind != "file":
                folder.mkdir(parents=True, exist_ok=True)
            with ExitStack() as stack:
                source, facts = self._receive(
                    chunks, [stack.enter_context(temporary_path(folder)) for _ in range(3)], embed
                )
                path = self._move_into_place(source, self._destination.target(fields, facts.format), fields)
            _sync(folder)
            shown = f".{os.sep}{path}" if str(path).startswith("-") else str(path)
            return _saved(facts, path.parent.resolve() / path.name, shown)
        except (OSError, UnicodeError) as error:
            raise _unsaved(error, self._destination.place, fields) from error

    def save_to(
        self, chunks: Iterable[bytes], fields: Fields, stream: BinaryIO, embed: Embed | None = None
    ) -> SavedImage:
        """Write ``chunks`` to ``stream``, made ready as a file would be, so not a byte of a broken image.

        Raises `UnsavedError` where that cannot be done, and lets ``BrokenPipeError`` through.
        """
        try:
            folder = Path(tempfile.gettempdir())
            with ExitStack() as stack:
                source, facts = self._receive(
                    chunks, [stack.enter_context(temporary_path(folder)) for _ in range(3)], embed
                )
                with source.open("rb") as file:
                    shutil.copyfileobj(file, stream)
                stream.flush()
            return _saved(facts, Path("-"), "-")
        except BrokenPipeError:
            raise
        except OSError as error:
            raise _unsaved(error, "standard output", fields) from error

    def _receive(self, chunks: Iterable[bytes], files: list[Path], embed: Embed | None) -> tuple[Path, InspectedImage]:
        """Write ``chunks`` to the first of ``files``, and what becomes of them to the next; return the last one."""
        first, second, third = files
        with first.open("xb") as file:
            file.writelines(self._limit_bytes(chunks))
        facts = self._inspect(first)
        if facts.extra:
            self._detail(f"{facts.extra} bytes follow the end of the {facts.format}")
        made, facts = self._make_file(first, second, facts)
        if embed is not None:
            made, facts = self._embed_metadata(made, third, facts, embed)
        with made.open("rb+") as file:
            os.fsync(file.fileno())
        return made, facts

    def _make_file(self, source: Path, target: Path, facts: InspectedImage) -> tuple[Path, InspectedImage]:
        """Convert ``source`` to ``target`` where that is called for; return which of them counts."""
        wanted = self._format or facts.format
        if wanted == facts.format and (not self._reencode or wanted == "png"):
            return source, facts
        made = self._convert(source, target, format=wanted, quality=self._quality)
        if wanted == facts.format:
            self._note(f"re-encoded by flux at quality {self._quality}")
        else:
            self._note(f"converted to {wanted} by flux (the provider sent {facts.format})")
        return target, made

    def _embed_metadata(
        self, source: Path, target: Path, facts: InspectedImage, embed: Embed
    ) -> tuple[Path, InspectedImage]:
        """Copy ``source`` to ``target`` with its story in it; return which of them counts."""
        try:
            embed(source, target)
            return target, self._inspect(target)
        except (ProtocolError, ValueError) as error:
            self._note(f"saved without metadata: {error}")
            return source, facts

    def _limit_bytes(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        total = 0
        for chunk in chunks:
            total += len(chunk)
            if total > self._max_bytes:
                raise UnsavedError(
                    f"the image is larger than {self._max_bytes} bytes",
                    hint="`flux result --url JOB` shows where it is",
                )
            yield chunk

    def _move_into_place(self, source: Path, wanted: Path, fields: Fields) -> Path:
        """Give ``source`` the name ``wanted``, or the next free one where the name is ours to choose; return it."""
        exact = self._destination.kind == "file"
        if exact and self._destination.overwrite and is_regular_target(wanted) and wanted not in self._replaced:
            source.replace(self._destination.resolved_target(wanted))
            self._replaced.add(wanted)
            return wanted
        for path in [wanted] if exact else alternatives(wanted):
            if self._claim_name(source, path):
                return path
        raise UnsavedError(
            f"{printable(str(wanted))} has appeared in the meantime and was not replaced",
            hint=f"`flux result {fields.id} -o ANOTHER-NAME` saves the image",
        )

    def _claim_name(self, source: Path, path: Path) -> bool:
        """Give ``source`` the name ``path`` and return True, or False if the name is taken."""
        if self._link is not None:
            try:
                self._link(source, path)
            except FileExistsError:
                return False
            except OSError:  # no such thing as a second name here (FAT, some network drives): a real failure comes back
                pass
            else:
                return True
        try:
            path.touch(exist_ok=False)
        except FileExistsError:
            return False
        try:
            source.replace(path)  # the placeholder is ours: whoever comes later has found the name taken
        finally:
            if source.exists():
                path.unlink(missing_ok=True)
        return True


def _sync(folder: Path) -> None:
    """Force the names in ``folder`` to the disk, where the system knows how."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _saved(facts: InspectedImage, path: Path, shown: str) -> SavedImage:
    return SavedImage(
        path=path,
        shown=shown,
        width=facts.width,
        height=facts.height,
        content_type=facts.content_type,
        size=facts.size,
    )


def _unsaved(error: OSError | UnicodeError, place: str, fields: Fields) -> UnsavedError:
    first = "free some space, then " if isinstance(error, OSError) and error.errno in FULL else ""
    elsewhere = "" if first else " -o ANOTHER-PLACE"
    return UnsavedError(
        f"cannot write {place}: {describe_os_error(error)}",
        hint=f"{first}`flux result {fields.id}{elsewhere}` fetches it",
    )
