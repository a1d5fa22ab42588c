"""Parse ``-o``, and check before money is spent that images can be saved there."""

from __future__ import annotations

import errno
import os
import secrets
import shlex
import stat
import tempfile
from collections.abc import Container, Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from flux_cli.errors import UsageError
from flux_cli.saving.home import expand_home
from flux_cli.saving.names import Fields, Template, default_name, format_of_extension
from flux_cli.text import printable

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Errors of a full disk."""

_TEMPORARY: set[Path] = set()
"""Files to remove in the end."""

_PROBE_SIZE = 1 << 20
"""Bytes that are written and removed before money is spent, to notice a full disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """What ``-o`` means; made by `parse`."""

    kind: Literal["folder", "file", "template", "stdout"]
    typed: str
    """As it was given; empty for the current folder."""
    path: Path
    """The folder, the file, or the literal folder that a template begins with; as it was given, so maybe relative."""
    format: str | None = None
    """What its extension promises."""
    overwrite: bool = False
    count: int = 1
    """How many images are expected; several under one file name are told apart by ``-1``, ``-2``, …"""
    template: Template | None = None
    suffix_fields: tuple[str, ...] = ()
    """Fields that are added to names that flux chooses, such as ``model`` in a comparison."""

    @classmethod
    def parse(
        cls, output: str | None, *, overwrite: bool = False, count: int = 1, suffix_fields: tuple[str, ...] = ()
    ) -> Destination:
        """Return what ``output`` means: a file, a folder (``None`` is the current one), a template or ``-``.

        ``~`` is the home folder: no shell expands it in ``--output=~/x``, nor in a batch file. Touches nothing. Raises
        `UsageError` for what can never work.
        """
        if output is None:
            return cls(kind="folder", typed="", path=Path(), suffix_fields=suffix_fields)
        if output == "-":
            if count > 1:
                raise UsageError(f"-o - takes one image, not {count}", hint="name a folder with -o, such as `-o out/`")
            return cls(kind="stdout", typed="-", path=Path("-"))
        if not output:
            raise UsageError("-o is empty", hint="-o . is the current folder")
        if not _is_possible(output):
            raise UsageError(f"a file cannot be named {printable(output)}", hint="choose another name with -o")
        place = expand_home(output)
        if os.path.isdir(place):  # noqa: PTH112 - a Path raises where the name is too long
            return cls(kind="folder", typed=output, path=Path(place), suffix_fields=suffix_fields)
        named = Template.parse(place)
        if isinstance(named, Template):
            format = format_of_extension(named.ending)  # noqa: A001 - the field's own name
            return cls(kind="template", typed=output, path=Path(named.folder), format=format, template=named)
        if named.endswith(("/", os.sep, "/.", "/..")):
            return cls(kind="folder", typed=output, path=Path(named), suffix_fields=suffix_fields)
        return cls(
            kind="file",
            typed=output,
            path=Path(named),
            format=format_of_extension(named),
            overwrite=overwrite,
            count=count,
        )

    @property
    def place(self) -> str:
        """Its name in a message."""
        return printable(self.typed) or "the current folder"

    def target(self, fields: Fields, extension: str) -> Path:
        """Return where an image goes whose bytes are ``extension``, if nothing is in its way."""
        if self.template is not None:
            return self.template.render(fields, extension)
        if self.kind == "folder":
            return self.path / default_name(fields, extension, self.suffix_fields)
        return self._numbered(fields.index)

    def resolved_target(self, path: Path) -> Path:
        """Return the file that is written to for ``path``: where a link is overwritten, what it leads to."""
        exact = self.kind == "file" and self.overwrite
        return Path(os.path.realpath(path)) if exact and path.is_symlink() else path

    def files(self) -> list[Path]:
        """Return the files that were named one by one; none where names are chosen when the images are there."""
        return [self._numbered(index) for index in range(1, self.count + 1)] if self.kind == "file" else []

    def creates(self, folder: Path) -> bool:
        """Whether saving creates this folder, where it is not there yet."""
        made = self.path.resolve()
        resolved = folder.resolve()
        return self.kind in {"folder", "template"} and (resolved == made or resolved in made.parents)

    def prepare(self, checked: set[Path] | None = None, *, only: Container[int] = range(1, 1 << 31)) -> None:
        """Make sure, before money is spent, that images can be saved: folder there and writable, names free.

        Folders in ``checked`` are not written to again; the names of the images with the numbers in ``only`` must be
        free. Raises `UsageError` where images cannot be saved.
        """
        checked = set() if checked is None else checked
        try:
            for folder in self._folders(only, checked):
                if folder not in checked:
                    with temporary_path(folder) as probe:
                        write(probe, [bytes(_PROBE_SIZE)])
                checked.add(folder)
        except OSError as error:
            hint = ("free some space, or " if error.errno in FULL else "") + "choose another path with -o"
            raise UsageError(f"cannot write to {self.place}: {describe_os_error(error)}", hint=hint) from error

    def _folders(self, only: Container[int], checked: Container[Path]) -> set[Path]:
        """Return the folders that are written to, as far as they are there."""
        if self.kind == "file":
            return self._folders_of_files(only)
        if self.kind == "stdout":
            return {Path(tempfile.gettempdir())}
        folder = self.path
        if self.kind == "folder" and folder not in checked:
            folder.mkdir(parents=True, exist_ok=True)
        while not os.path.lexists(folder):  # a template's folders are made when they are known
            folder = folder.parent
        return {folder}

    def _folders_of_files(self, only: Container[int]) -> set[Path]:
        """Return the folders of the files. Raises `UsageError` where a name is not free."""
        paths = [path for index, path in enumerate(self.files(), 1) if index in only]
        folders = {self.resolved_target(path).parent for path in paths} or {self.path.parent}
        for folder in folders:
            if not os.path.lexists(folder):
                raise UsageError(
                    f"there is no folder {printable(str(folder))}", hint=f"mkdir -p {shlex.quote(str(folder))}"
                )
        for path in paths:
            if not is_regular_target(path):
                raise UsageError(f"{printable(str(path))} is not a file", hint="-o - writes to standard output")
            if not self.overwrite and _exists(path):
                raise UsageError(
                    f"{printable(str(path))} already exists", hint="choose another name with -o, or add --overwrite"
                )
        return folders

    def _numbered(self, index: int) -> Path:
        return self.path if self.count == 1 else self.path.with_name(f"{self.path.stem}-{index}{self.path.suffix}")


def resolve_format(destination: Destination, format: str | None) -> str | None:  # noqa: A002 - the option's own name
    """Return the format given by name or by extension. Raises `UsageError` where the two contradict."""
    if format and destination.format and format != destination.format:
        raise UsageError(
            f"-o {printable(destination.typed)} and -f {format} contradict each other", hint="leave out -f"
        )
    return format or destination.format


@contextmanager
def temporary_path(folder: Path) -> Generator[Path]:
    """Yield a free name in ``folder`` whose file, if one is made, is gone in the end."""
    path = folder / f".flux-{secrets.token_hex(8)}.part"
    _TEMPORARY.add(path)
    try:
        yield path
    finally:
        with suppress(OSError):  # a hidden file that stays does not make a saved image unsaved
            path.unlink(missing_ok=True)
        _TEMPORARY.discard(path)


def remove_temporary_files() -> None:
    """Remove all temporary files: a signal may end the process while a thread waits for a download."""
    for path in tuple(_TEMPORARY):
        with suppress(OSError):
            path.unlink(missing_ok=True)


def write(path: Path, chunks: Iterable[bytes]) -> None:
    """Write ``chunks`` to a new file, down to the disk."""
    with path.open("xb") as file:
        file.writelines(chunks)
        file.flush()
        os.fsync(file.fileno())


def _is_possible(name: str) -> bool:
    try:
        return b"\0" not in os.fsencode(name)
    except UnicodeEncodeError:
        return False


def _exists(path: Path) -> bool:
    """Whether there is something at ``path``; raises ``OSError`` where nothing can ever be."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True


def is_regular_target(path: Path) -> bool:
    """Whether ``path`` is a file or nothing; a device or a pipe must never be replaced."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return True


def describe_os_error(error: OSError | UnicodeError) -> str:
    """Return the system's message, as the end of one of ours."""
    if isinstance(error, FileExistsError | NotADirectoryError):
        return "there is a file where a folder is needed"
    said = (error.strerror or "") if isinstance(error, OSError) else "the name has characters that cannot be stored"
    return said[:1].lower() + said[1:] or type(error).__name__
