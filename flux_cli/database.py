"""The ledger's file: opened, set up and written in transactions. The only place where sqlite3 is imported.

Many processes share the file: whoever writes holds its one write lock for as long as one transaction takes. A file of
an older layout is brought up to date where it is opened; one of a newer layout is left alone.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from flux_cli.errors import LedgerError
from flux_cli.records import LAYOUT, UPGRADES, VERSION, columns, decode
from flux_cli.text import printable

_BROKEN = ("file is not a database", "malformed")
"""What SQLite says of a file that is damaged, or none of its own."""
_PATIENCE, _NAP = 600, 0.05
"""How often, and for how many seconds at a time, we wait for a new file that another process is setting up."""


class Database:
    """One SQLite file. One instance may serve many threads, one file many processes."""

    def __init__(self, path: Path, *, connect: Callable[..., sqlite3.Connection] = sqlite3.connect) -> None:
        """Open the file at ``path``, and make it where there is none; ``connect`` opens it. Raises `LedgerError`."""
        self._path = path
        self._connect = connect
        self._lock = threading.RLock()
        self.notice = ""
        """What a person should know about the file, if anything."""
        try:
            self._open()
        except (sqlite3.Error, OSError) as error:
            if not any(words in str(error) for words in _BROKEN):
                raise self._trouble(error) from error
            self._put_aside(error)

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = not self._path.exists()
        self._database = self._connect(self._path, timeout=30, isolation_level=None, check_same_thread=False)
        if fresh:
            self._path.chmod(0o600)
        self._prepare()

    def _put_aside(self, cause: Exception) -> None:
        """Keep a file that is no database under another name, and begin a new one. Raises `LedgerError`."""
        self._database.close()
        kept = self._path.with_name(f"{self._path.name}.broken-{self._path.stat().st_mtime_ns}")
        try:
            for ending in ("", "-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    self._path.with_name(self._path.name + ending).rename(kept.with_name(kept.name + ending))
            self._open()
        except (sqlite3.Error, OSError) as error:
            raise self._trouble(error) from error
        self.notice = f"the job ledger could not be read ({cause}); it is kept as {kept}, and a new one was begun"

    def _prepare(self) -> None:
        """Set the file up, or check that it is one of ours."""
        self._database.execute("PRAGMA busy_timeout = 30000")
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
                f"{self._path} was made by a newer flux (layout {found}, this one knows {VERSION})",
                hint="upgrade flux; nothing was changed",
            )
        self._database.execute("PRAGMA synchronous = FULL")

    def _upgrade(self) -> None:
        """Bring a file of an older layout up to date, in one transaction: others see the old one, or the new one."""
        with self.transaction() as database:
            for version in range(self._version(), VERSION):
                for statement in UPGRADES[version].split(";"):
                    database.execute(statement)
            for seq, document in database.execute("SELECT seq, document FROM jobs").fetchall():
                with contextlib.suppress(LedgerError):  # a job that we cannot read keeps what it has
                    row = columns(decode(document))
                    pairs = ", ".join(f"{name} = :{name}" for name in row)
                    database.execute(f"UPDATE jobs SET {pairs} WHERE seq = :seq", {**row, "seq": seq})  # noqa: S608 - names of ours
            database.execute(f"PRAGMA user_version = {VERSION}")

    def _write_ahead(self) -> None:
        """Choose the journal that lets many read while one writes. Here SQLite waits for nobody: we do."""
        for attempt in range(_PATIENCE, -1, -1):
            try:
                self._database.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or not attempt:
                    raise
                time.sleep(_NAP)
            else:
                return

    def _version(self) -> int:
        return int(self._database.execute("PRAGMA user_version").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    @contextlib.contextmanager
    def transaction(self) -> Generator[sqlite3.Connection]:
        """Hold the file's one write lock, and commit, or take everything back. Raises `LedgerError`."""
        try:
            with self._lock:
                self._database.execute("BEGIN IMMEDIATE")
                try:
                    yield self._database
                    self._database.execute("COMMIT")
                except BaseException:
                    if self._database.in_transaction:  # a disk that fails may have taken everything back already
                        self._database.execute("ROLLBACK")
                    raise
        except sqlite3.Error as error:
            raise self._trouble(error) from error

    def rows(self, query: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[tuple[Any, ...]]:
        """Return every row of a query's answer. Raises `LedgerError`."""
        try:
            with self._lock:
                return self._database.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self._trouble(error) from error

    def scrub(self) -> bool:
        """Write the file anew, without a trace of what was deleted or changed, and return whether that was possible.

        It is not while another process reads or writes, nor on a disk that has no room for a second copy.
        """
        try:
            with self._lock:
                self._database.execute("PRAGMA busy_timeout = 500")
                self._database.execute("VACUUM")
                ((busy, *_),) = self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error:
            return False
        return not busy

    def _trouble(self, error: Exception) -> LedgerError:
        return LedgerError(
            f"cannot use the job ledger {self._path}: {printable(str(error))}",
            hint="nothing is sent while a job cannot be written down first",
        )
