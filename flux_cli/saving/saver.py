"""Save images: whole or not at all, and never in the place of another file.

An image is received in memory, or in a hidden file in the target folder if it is large. It is inspected, converted if
necessary, written to a hidden file with its metadata, forced to the disk, and only then linked to its name. A link
refuses a name that exists, so any number of processes may save at once. The functions that inspect, convert and embed
are passed in: nothing here knows about pixels or the network.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO, Generic, NamedTuple, Protocol, TypeVar

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

_HELD = 2 << 20
"""Bytes of an image that are held in memory while it is received; what is larger goes to a file."""

_LINK: Callable[[Path, Path], None] | None = getattr(os, "link", None)


class InspectedImage(Protocol):
    """What an inspection of the bytes found: our name of the format, width and height in pixels, size in bytes.

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


Inspected = TypeVar("Inspected", bound=InspectedImage)

Embed = Callable[[Path | bytes, Path, Inspected], None]
"""Writes a copy of an image to a new file, with metadata in it. Raises `ProtocolError` or ``ValueError``."""


class SavedImage(NamedTuple):
    """An image that was saved."""

    path: Path
    """Absolute, its folder free of links; ``-`` for standard output."""
    shown: str
    """Relative to the current folder where the destination is."""
    width: int
    height: int
    content_type: str
    size: int
    """Bytes."""


class Saver(Generic[Inspected]):
    """Saves images; any number of threads may share one."""

    def __init__(  # noqa: PLR0913 - what it works with, each by its name
        self,
        destination: Destination,
        *,
        inspect: Callable[[Path | bytes], Inspected],
        convert: Callable[..., Inspected],
        format: str | None,  # noqa: A002 - the option's own name
        quality: int | None,
        note: Callable[[str], None],
        detail: Callable[[str], None] = lambda _line: None,
        reencode: bool = False,
        max_bytes: int = 256 << 20,
        link: Callable[[Path, Path], None] | None = _LINK,
    ) -> None:
        """Save to ``destination``.

        ``convert(source, target, format=, quality=)`` is called where the bytes have another format than ``format``,
        and with ``reencode`` also for the same one, where the provider has no option for ``quality``. ``note`` takes
        one line for the user, ``detail`` one for a bug report. ``link`` gives a file a second name or raises
        ``OSError``; it is ``None`` on systems without links.
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
        """Names that were overwritten: none is overwritten twice if a job makes more images than expected."""

    def save(self, chunks: Iterable[bytes], fields: Fields, embed: Embed[Inspected] | None = None) -> SavedImage:
        """Write ``chunks`` to where the destination and ``fields`` say, with the metadata that ``embed`` adds.

        Raises `UnsavedError` where that cannot be done, and whatever ``chunks``, ``inspect`` and ``convert`` raise; an
        image that takes no metadata is saved without. Whatever happens, no part of an image stays behind.
        """
        try:
            likely = self._format or "jpg"
            target = self._destination.target(fields, likely)
            folder = self._destination.resolved_target(target).parent
            if self._destination.kind != "file":
                folder.mkdir(parents=True, exist_ok=True)
            with ExitStack() as stack:
                source, found = self._receive(self._limit_bytes(chunks, fields), folder, stack, embed)
                if found.format != likely:
                    target = self._destination.target(fields, found.format)
                path = self._move_into_place(source, target, fields)
            _sync(folder)
            shown = f".{os.sep}{path}" if str(path).startswith("-") else str(path)
            return _describe(found, path.parent.resolve() / path.name, shown)
        except (OSError, UnicodeError) as error:
            raise _unsaved_error(error, self._destination.place, fields) from error

    def save_to(
        self, chunks: Iterable[bytes], fields: Fields, stream: BinaryIO, embed: Embed[Inspected] | None = None
    ) -> SavedImage:
        """Write ``chunks`` to ``stream`` once they are complete and inspected: no byte of a broken image.

        Raises `UnsavedError` where that cannot be done, and ``BrokenPipeError``.
        """
        try:
            folder = Path(tempfile.gettempdir())
            with ExitStack() as stack:
                source, found = self._receive(self._limit_bytes(chunks, fields), folder, stack, embed)
                with source.open("rb") as file:
                    shutil.copyfileobj(file, stream)
                stream.flush()
            return _describe(found, Path("-"), "-")
        except BrokenPipeError:
            raise
        except OSError as error:
            raise _unsaved_error(error, "standard output", fields) from error

    def _receive(
        self, chunks: Iterable[bytes], folder: Path, stack: ExitStack, embed: Embed[Inspected] | None
    ) -> tuple[Path, Inspected]:
        """Return a temporary file with ``chunks``, converted and with metadata, which is on the disk."""

        def new_path() -> Path:
            return stack.enter_context(temporary_path(folder))

        source = self._collect(chunks, new_path())
        found = self._inspect(source)
        if found.extra:
            self._detail(f"{found.extra} bytes follow the end of the {found.format}")
        target_format = self._format or found.format
        if target_format != found.format or (self._reencode and target_format != "png"):
            source, found = self._convert_to(target_format, source, new_path(), found)
        if embed is not None:
            source, found = self._embed_metadata(source, new_path(), found, embed)
        if isinstance(source, bytes):
            content, source = source, new_path()
            source.write_bytes(content)
        with source.open("rb+") as file:
            os.fsync(file.fileno())
        return source, found

    def _collect(self, chunks: Iterable[bytes], path: Path) -> Path | bytes:
        """Return the bytes of ``chunks``, or ``path`` with them where they are too many to hold in memory."""
        incoming = iter(chunks)
        held: list[bytes] = []
        size = 0
        for chunk in incoming:
            held.append(chunk)
            size += len(chunk)
            if size > _HELD:
                with path.open("xb") as file:
                    file.writelines(held)
                    held.clear()
                    file.writelines(incoming)
                return path
        return b"".join(held)

    def _convert_to(
        self, target_format: str, source: Path | bytes, target: Path, found: Inspected
    ) -> tuple[Path | bytes, Inspected]:
        made = self._convert(source, target, format=target_format, quality=self._quality)
        if target_format == found.format:
            self._note(f"re-encoded by flux at quality {self._quality}")
        else:
            self._note(f"converted to {target_format} by flux (the provider sent {found.format})")
        return target, made

    def _embed_metadata(
        self, source: Path | bytes, target: Path, found: Inspected, embed: Embed[Inspected]
    ) -> tuple[Path | bytes, Inspected]:
        """Copy ``source`` to ``target`` with metadata in it; return which of them is to be saved."""
        try:
            embed(source, target, found)
            return target, self._inspect(target)
        except (ProtocolError, ValueError) as error:
            self._note(f"saved without metadata: {error}")
            return source, found

    def _limit_bytes(self, chunks: Iterable[bytes], fields: Fields) -> Iterator[bytes]:
        total = 0
        for chunk in chunks:
            total += len(chunk)
            if total > self._max_bytes:
                raise UnsavedError(
                    f"the image is larger than {self._max_bytes} bytes",
                    hint=f"`flux result --url {fields.id}` shows where it is",
                )
            yield chunk

    def _move_into_place(self, source: Path, target: Path, fields: Fields) -> Path:
        """Give ``source`` the name ``target``, or the next free one unless the user chose the name; return it."""
        exact = self._destination.kind == "file"
        if exact and self._destination.overwrite and is_regular_target(target) and target not in self._replaced:
            source.replace(self._destination.resolved_target(target))
            self._replaced.add(target)
            return target
        for path in [target] if exact else alternatives(target):
            if self._claim_name(source, path):
                return path
        raise UnsavedError(
            f"{printable(str(target))} has appeared in the meantime and was not replaced",
            hint=f"`flux result {fields.id}` saves the image under a free name, `-o` under one of your own",
        )

    def _claim_name(self, source: Path, path: Path) -> bool:
        """Give ``source`` the name ``path`` and return True, or False if the name is taken."""
        if self._link is not None:
            try:
                self._link(source, path)
            except FileExistsError:
                return False
            except OSError:  # no links here (FAT, some network drives); a real failure comes again below
                pass
            else:
                return True
        try:
            path.touch(exist_ok=False)
        except FileExistsError:
            return False
        try:
            source.replace(path)  # the placeholder is ours: others have found the name taken
        finally:
            if source.exists():
                path.unlink(missing_ok=True)
        return True


def _sync(folder: Path) -> None:
    """Force the names in ``folder`` to the disk, where the system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _describe(found: InspectedImage, path: Path, shown: str) -> SavedImage:
    return SavedImage(
        path=path,
        shown=shown,
        width=found.width,
        height=found.height,
        content_type=found.content_type,
        size=found.size,
    )


def _unsaved_error(error: OSError | UnicodeError, place: str, fields: Fields) -> UnsavedError:
    first = "free some space, then " if isinstance(error, OSError) and error.errno in FULL else ""
    elsewhere = "" if first else ", with `-o` to another place"
    return UnsavedError(
        f"cannot write {place}: {describe_os_error(error)}",
        hint=f"{first}`flux result {fields.id}` fetches it{elsewhere}",
    )
