"""Lock files between processes, with locks that the system releases when their process ends.

A process id in the ledger would not do: after a reboot the id of a killed process belongs to another one.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_HELD = frozenset({errno.EACCES, errno.EAGAIN, errno.EDEADLK})
"""Errors where another process holds the lock; any other means that the file system has no locks."""

if sys.platform == "win32":
    import msvcrt

    def _lock(file: BinaryIO) -> None:
        file.seek(1 << 20)  # beyond the text: others cannot read a locked byte
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

    def _share(file: BinaryIO) -> None:
        """Do nothing: Windows neither renames nor replaces an open file."""

    _hold_alone = _release = _share

else:
    import fcntl

    def _lock(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _share(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_SH)

    def _release(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)

    _hold_alone = _lock


@contextmanager
def hold_lock(path: Path) -> Generator[str | None]:
    """Hold the lock at ``path`` and yield ``None``, or yield the id of the process that holds it, as text.

    Raises ``OSError`` where the file cannot be created.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = path.open("ab+")
    try:
        while (free := _try_lock(file)) and not _is_same(file, path):  # its last holder removed the file
            file.close()
            file = path.open("ab+")
        if not free:
            file.seek(0)
            yield file.read(20).decode("ascii", "replace").strip() or "?"
            return
        file.truncate(0)
        file.write(str(os.getpid()).encode())
        file.flush()
        try:
            yield None
        finally:
            with suppress(OSError):
                path.unlink()
    finally:
        file.close()


def _try_lock(file: BinaryIO) -> bool:
    """Lock a file, and return whether it was free."""
    try:
        _lock(file)
    except OSError as error:
        return error.errno not in _HELD
    return True


def _is_same(file: BinaryIO, path: Path) -> bool:
    """Whether an open file is still the one at ``path``."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False


class SharedLock:
    """A lock that any number of processes share, or one of them holds alone.

    Its file stays, and contains a mark of one byte that outlives the processes.
    """

    def __init__(self, path: Path) -> None:
        """Open the file at ``path``, or create it. Raises ``OSError``."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = path.open("ab+", buffering=0)

    def share(self) -> None:
        """Share the lock with others; wait while one process holds it alone."""
        with suppress(OSError):  # no locks here
            _share(self._file)

    def alone(self) -> bool:
        """Hold the lock alone, and return whether that worked; where others hold it, release our share."""
        try:
            _hold_alone(self._file)
        except OSError as error:
            if error.errno not in _HELD:  # no locks here
                return True
            _release(self._file)
            return False
        return True

    @property
    def marked(self) -> bool:
        """Whether any process called `mark`."""
        self._file.seek(0)
        return bool(self._file.read(1))

    def mark(self) -> None:
        """Leave the mark."""
        if not self.marked:
            self._file.write(b"1")

    def close(self) -> None:
        """Release the lock and close its file."""
        self._file.close()
