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

else:
    import fcntl

    def _take(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def alone(path: Path) -> Generator[str | None]:
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
