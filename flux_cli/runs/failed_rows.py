"""Write ``FILE.failed.jsonl``, the rows of a batch that can be retried, without ever losing an edit of yours.

Such a file is replaced or removed only if flux wrote it and it was not changed since. To know that, the digest of each
file that flux writes is kept in the state folder. It is not kept in the file itself, because every line there is a row.
Where there is no digest (an older flux, another machine, a lost state folder), the file counts as yours: the new rows
then go to ``FILE.failed-2.jsonl``.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from flux_cli.runs.rows import failed_name


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRows:
    """The files of failed rows that belong to one batch file."""

    batch: Path
    """The batch file, as it was typed."""
    digests: Path
    """The folder of the digests; made when it is first needed."""

    @property
    def default_path(self) -> Path:
        """The file that is written unless one that flux did not write is in the way."""
        return self._file(1)

    def write(self, lines: Sequence[str]) -> Path:
        """Replace the file with ``lines``, whole, and return its path; that of another one where it is not ours.

        Raises `OSError`.
        """
        path = self._is_unchanged_file()
        text = "".join(f"{line}\n" for line in lines).encode()
        passing = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            passing.write_bytes(text)
            passing.replace(path)
        finally:
            passing.unlink(missing_ok=True)
        with suppress(OSError):  # a file that is not remembered counts as yours
            self.digests.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._digest(path).write_text(_digest(text), "ascii")
        return path

    def remove(self) -> bool:
        """Remove the file, because no row failed. Return whether it is gone; one that is not ours stays.

        Raises `OSError`.
        """
        path = self._is_unchanged_file()
        path.unlink(missing_ok=True)
        with suppress(OSError):
            self._digest(path).unlink()
        return path == self.default_path

    def _file(self, number: int) -> Path:
        return self.batch.with_name(failed_name(self.batch.name, number))

    def _is_unchanged_file(self) -> Path:
        """Return the first file that is ours, or that is not there yet."""
        return next(path for path in map(self._file, count(1)) if not os.path.lexists(path) or self._unchanged(path))

    def _unchanged(self, path: Path) -> bool:
        """Whether flux wrote the file, and it is still as it was written."""
        try:
            return self._digest(path).read_text("ascii") == _digest(path.read_bytes())
        except (OSError, ValueError):
            return False

    def _digest(self, path: Path) -> Path:
        """Return where the digest of a file is kept."""
        whole = path.parent.resolve() / path.name
        return self.digests / hashlib.sha256(os.fsencode(whole)).hexdigest()[:32]


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
