"""Open the ledger's SQLite file, write it in transactions, and replace it where it is damaged.

Many processes share the file; each holds its one write lock for one transaction at a time. A file of an older layout is
upgraded when it is opened; one of a newer layout is refused.

What can be read of a damaged file is copied into a new one, and the damaged file is kept under a name that says whether
anything is missing. SQLite must not use a file while it is renamed, so every process holds a shared lock as long as it
has the file open, and the one that replaces the file holds it alone.
"""

from __future__ import annotations

import contextlib
import errno
import sqlite3
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from flux_cli.config.paths import STATE_VARIABLE
from flux_cli.errors import LedgerError, UsageError
from flux_cli.ledger.codec import decode
from flux_cli.ledger.lock import SharedLock
from flux_cli.ledger.recovery import copy_readable_rows, find_unread, move, rename_accepted, set_aside_name
from flux_cli.ledger.schema import LAYOUT, UPGRADES, VERSION, columns
from flux_cli.text import printable

_EMPTY = "the file is empty"
_DAMAGED = ("file is not a database", "malformed", _EMPTY)
"""Parts of the errors for a damaged file, or one that is not a database."""
_LOCKED = ("is locked", "locking protocol")
"""Parts of SQLite's errors where it did not get a lock."""
_REFUSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_UNWRITABLE = ("readonly database", "unable to open")
"""Errors where the ledger cannot be written to: of the system, and parts of SQLite's."""
_WAITS, _WAIT_SECONDS = 600, 0.05
"""How often, and for how many seconds, to wait for a file that another process sets up or has open."""
_BUSY = "PRAGMA busy_timeout = 30000"
"""Milliseconds that SQLite waits for the write lock."""
_TABLES = frozenset({"jobs", "files", "claims"})
"""The tables that every layout has."""


class Database:
    """One SQLite file. One instance may serve many threads, one file many processes."""

    def __init__(
        self,
        path: Path,
        *,
        connect: Callable[..., sqlite3.Connection] = sqlite3.connect,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Open the file at ``path`` with ``connect``, or create it. Raises `LedgerError`."""
        self._path = path
        self._connect = connect
        self._sleep = sleep
        self._lock = threading.RLock()
        self.notice = ""
        """A warning about the file for the user, or empty."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._shared = SharedLock(path.parent / "locks" / "ledger")
        except OSError as error:
            raise self._unusable(error) from error
        try:
            self._enter()
        except BaseException:
            self._shared.close()
            raise

    def _enter(self) -> None:
        """Open the file, after replacing it where it is damaged. Raises `LedgerError`."""
        for attempt in range(_WAITS, -1, -1):
            self._shared.share()
            try:
                self._open()
            except (sqlite3.Error, OSError) as error:
                if not _is_damage(error):
                    raise self._unusable(error) from error
                if self._shared.alone():
                    self._replace(error)
                    return
                if not attempt:
                    raise self._in_use(error) from error
            else:
                return
            self._sleep(_WAIT_SECONDS)

    def _open(self) -> None:
        """Open the file as it is. Raises ``sqlite3.Error``, ``OSError`` and `LedgerError`, having closed it."""
        if not self._path.exists():
            with contextlib.suppress(FileNotFoundError):  # left by a `_replace` that was cut off
                self._new.rename(self._path)
        fresh = not self._path.exists()
        if not fresh and self._shared.marked and not self._path.stat().st_size:
            raise sqlite3.DatabaseError(_EMPTY)
        self._database = self._connect(self._path, timeout=30, isolation_level=None, check_same_thread=False)
        try:
            if fresh:
                self._path.chmod(0o600)
            self._prepare()
            self._shared.mark()
        except BaseException:
            self._database.close()
            raise

    def _replace(self, cause: Exception) -> None:
        """Copy what can be read of a damaged file into a new one, keep the damaged one, and open the new one.

        Our lock is held alone until that is done. The new file is complete before the old one is moved, so that a
        process that ends in between loses nothing. Raises `LedgerError`.
        """
        new, kept = self._new, set_aside_name(self._path)
        try:
            new.unlink(missing_ok=True)
            counts, whole = copy_readable_rows(self._path, new, required=_TABLES)
            if not counts:
                new.unlink()  # `_open` creates an empty one
            move(self._path, kept)
            if counts:
                new.chmod(0o600)
                new.rename(self._path)
            if whole:
                kept = rename_accepted(kept)
            self._open()
        except (sqlite3.Error, OSError) as error:
            raise self._unusable(error) from error
        finally:
            self._shared.share()
        jobs = counts.get("jobs", 0)
        saved = f"{jobs} of its jobs were saved" + (", which is all" if whole else ", others may be missing")
        self.notice = f"the job ledger was damaged ({cause}): {saved}; the damaged file is kept as {kept}"
        if not whole:
            self.notice += "; --once, --resume and limits are refused until you type `flux status --accept-loss`"

    @property
    def _new(self) -> Path:
        return self._path.with_name(f"{self._path.name}.new")

    def require_complete(self, what: str) -> None:
        """Raise `UsageError` where jobs are missing that ``what`` relies on."""
        for kept in find_unread(self._path)[:1]:
            raise UsageError(
                f"{what} cannot be relied on: the job ledger was damaged, and part of it could not be read "
                f"(kept as {printable(str(kept))})",
                hint="`flux status` lists the jobs that were saved; "
                "`flux status --accept-loss` continues without the rest",
            )

    def unread(self) -> list[Path]:
        """Return the damaged files that could not be read completely, the newest first."""
        return find_unread(self._path)

    def accept_loss(self) -> list[Path]:
        """Give up what is missing, and return the damaged files, which are kept. Raises `LedgerError`."""
        try:
            return [rename_accepted(kept) for kept in find_unread(self._path)]
        except OSError as error:
            raise self._unusable(error) from error

    def _prepare(self) -> None:
        """Create the tables, upgrade them, or check that the layout is a known one."""
        self._database.execute(_BUSY)
        found = self._version()
        if found == 0:
            self._write_ahead()
            with self.transaction() as database:
                if self._version() == 0:
                    for statement in LAYOUT.split(";"):
                        database.execute(statement)
                    database.execute(f"PRAGMA user_version = {VERSION}")
        elif found < VERSION:
            self._upgrade()
        elif found > VERSION:
            raise LedgerError(
                f"{self._path} was written by a newer flux (layout {found}, this one supports {VERSION})",
                hint="upgrade flux; nothing was changed",
            )
        self._database.execute("PRAGMA synchronous = FULL")

    def _upgrade(self) -> None:
        """Upgrade a file of an older layout in one transaction: others see the old layout or the new one."""
        with self.transaction() as database:
            for version in range(self._version(), VERSION):
                for statement in UPGRADES[version].split(";"):
                    database.execute(statement)
            for seq, document in database.execute("SELECT seq, document FROM jobs").fetchall():
                with contextlib.suppress(LedgerError):  # a job that cannot be read keeps its columns
                    row = columns(decode(document))
                    pairs = ", ".join(f"{name} = :{name}" for name in row)
                    database.execute(f"UPDATE jobs SET {pairs} WHERE seq = :seq", {**row, "seq": seq})  # noqa: S608 - names of ours
            database.execute(f"PRAGMA user_version = {VERSION}")

    def _write_ahead(self) -> None:
        """Choose the journal that lets many read while one writes. SQLite does not wait for locks here, so we do."""
        for attempt in range(_WAITS, -1, -1):
            try:
                self._database.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or not attempt:
                    raise
                self._sleep(_WAIT_SECONDS)
            else:
                return

    def _version(self) -> int:
        return int(self._database.execute("PRAGMA user_version").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        self._database.close()
        self._shared.close()

    @contextlib.contextmanager
    def transaction(self) -> Generator[sqlite3.Connection]:
        """Hold the file's write lock, and commit, or roll back on an error. Raises `LedgerError`."""
        try:
            with self._lock:
                self._database.execute("BEGIN IMMEDIATE")
                try:
                    yield self._database
                    self._database.execute("COMMIT")
                except BaseException:
                    if self._database.in_transaction:  # SQLite rolls back itself when the disk fails
                        self._database.execute("ROLLBACK")
                    raise
        except sqlite3.Error as error:
            raise self._as_ledger_error(error) from error

    def rows(self, query: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a query. Raises `LedgerError`."""
        try:
            with self._lock:
                return self._database.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self._as_ledger_error(error) from error

    def scrub(self) -> bool:
        """Rewrite the file without a trace of what was deleted or changed, and return whether that was possible.

        It is not possible while another process reads or writes, or on a disk that has no room for a second copy.
        """
        try:
            with self._lock:
                self._database.execute("PRAGMA busy_timeout = 500")
                try:
                    self._database.execute("VACUUM")
                    ((busy, *_),) = self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                finally:
                    self._database.execute(_BUSY)
        except sqlite3.Error:
            return False
        return not busy

    def _as_ledger_error(self, error: Exception) -> LedgerError:
        """Return the error for an error of SQLite, having replaced the file where it is damaged."""
        if not _is_damage(error):
            return self._unusable(error)
        with self._lock:
            return self._unusable(error) if self.notice else self._replace_open_file(error)

    def _unusable(self, error: Exception) -> LedgerError:
        hint = "flux sends nothing that it cannot record first"
        if any(words in str(error) for words in _LOCKED):
            hint = (
                "another process may be holding it; if none is, the file system of "
                f"{printable(str(self._path.parent))} has no working locks, as some network folders have none: "
                f"put the ledger on a local disk, `export {STATE_VARIABLE}=FOLDER`"
            )
        elif _is_refused(error):
            hint = f"put the ledger in a folder that you can write to, `export {STATE_VARIABLE}=FOLDER`"
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        return LedgerError(
            f"cannot use the job ledger {self._path}: {printable(reason[:1].lower() + reason[1:])}", hint=hint
        )

    def _replace_open_file(self, cause: Exception) -> LedgerError:
        """Replace the file that is open, and return the error to raise."""
        self._database.close()
        if self._shared.alone():
            self._replace(cause)
            return LedgerError(self.notice, hint="run the command again")
        self._shared.share()
        try:
            self._open()
        except (sqlite3.Error, OSError) as error:
            return self._unusable(error)
        return self._in_use(cause)

    def _in_use(self, cause: Exception) -> LedgerError:
        return LedgerError(
            f"the job ledger {self._path} is damaged ({printable(str(cause))}), and another flux process has it open",
            hint="wait for it to finish, or stop it; flux then saves what can be read",
        )


def _is_refused(error: Exception) -> bool:
    """Whether the file, or a folder on its path, cannot be written by this user, or by anyone."""
    if isinstance(error, OSError):
        return error.errno in _REFUSED
    return any(words in str(error) for words in _UNWRITABLE)


def _is_damage(error: Exception) -> bool:
    return isinstance(error, sqlite3.Error) and any(words in str(error) for words in _DAMAGED)
