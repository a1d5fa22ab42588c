"""One process at a time: a file that the system itself keeps locked for as long as its holder lives.

Why not a name in the ledger: after a reboot the number of a process that was killed belongs to another one, and whoever
asks for that number waits for a stranger. A lock ends with its process, however that ends.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_TAKEN = frozenset({errno.EACCES, errno.EAGAIN, errno.EDEADLK})
"""What the system says where another process has the lock; anything else means that there are no locks here."""

if sys.platform == "win32":
    import msvcrt

    def _take(file: BinaryIO) -> None:
        file.seek(1 << 20)  # beyond what is written: a locked byte cannot be read by others
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

    def _share(file: BinaryIO) -> None:
        """Do nothing: here a file that is open can be neither renamed nor replaced anyway."""

    _hold_alone = _release = _share

else:
    import fcntl

    def _take(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _share(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_SH)

    def _release(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)

    _hold_alone = _take


@contextmanager
def hold_lock(path: Path) -> Generator[str | None]:
    """Hold the lock at ``path`` and yield ``None``, or yield who has it: the number of a process, as text.

    Raises ``OSError`` where there can be no such file.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = path.open("ab+")
    try:
        while (free := _free(file)) and not _same(file, path):  # whoever had it removed it: it holds nothing any more
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


def _free(file: BinaryIO) -> bool:
    """Take the lock, and return whether it was free."""
    try:
        _take(file)
    except OSError as error:
        return error.errno not in _TAKEN
    return True


def _same(file: BinaryIO, path: Path) -> bool:
    """Whether an open file is still the one at ``path``."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False


class SharedLock:
    """A lock that any number of processes hold together, or one of them alone.

    Its file stays. It holds one byte of its own, a mark that outlives the processes.
    """

    def __init__(self, path: Path) -> None:
        """Open the file at ``path``, and make it where there is none. Raises ``OSError``."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = path.open("ab+", buffering=0)

    def share(self) -> None:
        """Hold the lock together with others; wait while one holds it alone."""
        with suppress(OSError):  # no locks here
            _share(self._file)

    def alone(self) -> bool:
        """Hold the lock alone, unless others hold it: then ours is gone, too. Return whether it is held."""
        try:
            _hold_alone(self._file)
        except OSError as error:
            if error.errno not in _TAKEN:  # no locks here
                return True
            _release(self._file)
            return False
        return True

    @property
    def marked(self) -> bool:
        """Whether `mark` was called, by any process."""
        self._file.seek(0)
        return bool(self._file.read(1))

    def mark(self) -> None:
        """Leave the mark."""
        if not self.marked:
            self._file.write(b"1")

    def close(self) -> None:
        """Let go of it."""
        self._file.close()
