"""The ledger: every job this user ever submitted, in one SQLite file. The only place where sqlite3 is imported.

Why a job is written down before it is bought: a process can die between the moment a provider accepts a job and the
moment we read its answer. What was not written before then is an image that somebody paid for and nobody can name. So
the intent, with the exact body and the handle, is committed before the first byte of a paid request leaves.

Every change is one transaction that reads the row, changes it and writes it, so that a ``flux status`` beside a waiting
``flux generate`` never writes an old picture of a job over a newer one.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

from flux_cli.errors import LedgerError, UsageError
from flux_cli.jobs import Job
from flux_cli.records import LAYOUT, VERSION, Claim, History, decode, encode, storable
from flux_cli.text import listed, printable

_SAVED_AT = "id IN (SELECT job FROM files WHERE path = ?)"
_LIKE = "(id LIKE ? ESCAPE '!' OR id LIKE ? ESCAPE '!' OR remote_id LIKE ? ESCAPE '!' OR remote_id LIKE ? ESCAPE '!')"
_BROKEN = ("file is not a database", "malformed")
"""What SQLite says of a file that is damaged, or none of its own."""
_PATIENCE, _NAP = 600, 0.05
"""How often, and for how many seconds at a time, we wait for a new file that another process is setting up."""
_SHORTEST = 4
"""Characters of an id's beginning or end that stand for it."""


class Ledger:
    """The jobs. One instance may serve many threads, one file many processes."""

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
            with self._transaction() as database:
                if self._version() == 0:
                    for statement in LAYOUT.split(";"):
                        database.execute(statement)
                    database.execute(f"PRAGMA user_version = {VERSION}")
        elif found > VERSION:
            raise LedgerError(
                f"{self._path} was made by a newer flux (layout {found}, this one knows {VERSION})",
                hint="upgrade flux; nothing was changed",
            )
        self._database.execute("PRAGMA synchronous = FULL")

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
    def _transaction(self) -> Generator[sqlite3.Connection]:
        """Hold the file's one write lock, and commit, or take everything back."""
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:  # a disk that fails may have taken everything back already
                    self._database.execute("ROLLBACK")
                raise

    def _trouble(self, error: Exception) -> LedgerError:
        return LedgerError(
            f"cannot use the job ledger {self._path}: {printable(str(error))}",
            hint="nothing is sent while a job cannot be written down first",
        )

    def add(self, job: Job) -> Job:
        """Write down a new job, to disk, before returning. Raises `LedgerError`."""
        try:
            with self._transaction() as database:
                self._write(database, job, new=True)
        except sqlite3.Error as error:
            raise self._trouble(error) from error
        return job

    def change(self, job_id: str, change: Callable[[Job], Job]) -> Job:
        """Replace a job by ``change`` of what the ledger has now, and return the new one. Raises `LedgerError`."""
        try:
            with self._transaction() as database:
                job = change(self._one(job_id))
                self._write(database, job, new=False)
        except sqlite3.Error as error:
            raise self._trouble(error) from error
        return job

    def _one(self, job_id: str) -> Job:
        row = self._database.execute("SELECT document FROM jobs WHERE id = ?", (job_id,)).fetchone()
        if row is None:
            raise LedgerError(f"the ledger has no job {job_id}")
        return decode(row[0])

    def _write(self, database: sqlite3.Connection, job: Job, *, new: bool) -> None:
        row = {
            "id": job.id,
            "run": job.run,
            "sandbox": job.sandbox,
            "provider": job.provider,
            "remote_id": job.remote_id,
            "status": job.status,
            "unsaved": job.unsaved,
            "created_at": job.created_at,
            "document": encode(job),
        }
        if new:
            names = ", ".join(row)
            marks = ", ".join(f":{name}" for name in row)
            database.execute(f"INSERT INTO jobs ({names}) VALUES ({marks})", row)  # noqa: S608 - names of ours
        else:
            pairs = ", ".join(f"{name} = :{name}" for name in row)
            database.execute(f"UPDATE jobs SET {pairs} WHERE id = :id", row)  # noqa: S608 - names of ours
        for image in job.images:
            if image.path is not None:
                database.execute("INSERT OR REPLACE INTO files VALUES (?, ?)", (storable(image.path), job.id))

    def _select(self, where: str, *values: Any) -> list[Job]:
        """Return the jobs of a query's tail. Raises `LedgerError`."""
        try:
            with self._lock:
                query = f"SELECT document FROM jobs WHERE {where}"  # noqa: S608 - clauses of ours
                rows = self._database.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self._trouble(error) from error
        return [decode(row[0]) for row in rows]

    def recent(self, *, sandbox: bool, limit: int, active: bool = False, provider: str | None = None) -> list[Job]:
        """Return the latest jobs, the newest first."""
        where = "sandbox = ?" + (" AND status IN ('submitting', 'queued', 'running')" if active else "")
        values: list[Any] = [sandbox]
        if provider is not None:
            where += " AND provider = ?"
            values.append(provider)
        return self._select(f"{where} ORDER BY seq DESC LIMIT ?", *values, limit)

    def active(self, *, sandbox: bool, provider: str | None = None) -> list[Job]:
        """Return every job that a provider may still be working on, the oldest first."""
        return self.recent(sandbox=sandbox, limit=-1, active=True, provider=provider)[::-1]

    def uncollected(self, *, sandbox: bool) -> list[Job]:
        """Return every succeeded job with images that were never saved, the oldest first."""
        return self._select("sandbox = ? AND unsaved = 1 ORDER BY seq", sandbox)

    def find(self, reference: str, *, sandbox: bool, provider: str | None = None) -> list[Job]:
        """Return the jobs that ``reference`` stands for: none, one, or all of a run.

        Tried in this order: an id of ours or of a provider, whole; ``provider:id``; ``@1``, the latest run; the path
        of a saved image; the beginning or end of an id. Raises `UsageError` where several jobs fit.
        """
        typed, reference = reference, storable(reference)
        if provider is not None:
            found = self._select("provider = ? AND (id = ? OR remote_id = ?)", provider, reference, reference)
        else:
            found = self._select("id = ? OR remote_id = ?", reference, reference)
        if not found and ":" in reference:
            owner, _, remote_id = reference.partition(":")
            found = self._select("provider = ? AND remote_id = ?", owner, remote_id)
        if not found and (latest := re.fullmatch(r"@([1-9]\d{0,8})", reference)):
            return self._run(int(latest[1]), sandbox=sandbox)
        if not found:
            found = self._by_path(typed)
        if not found and len(reference) >= _SHORTEST:
            found = self._by_part(reference, provider)
        if len(found) > 1:
            shown = listed([f"{job.provider}:{job.id}" for job in found[:5]])
            raise UsageError(
                f"{printable(reference)} stands for {len(found)} jobs ({shown})", hint="give more of the id"
            )
        return found

    def _run(self, nth: int, *, sandbox: bool) -> list[Job]:
        latest = "SELECT run FROM jobs WHERE sandbox = ? GROUP BY run ORDER BY MAX(seq) DESC LIMIT 1 OFFSET ?"
        return self._select(f"run = ({latest}) ORDER BY seq", sandbox, nth - 1)

    def _by_path(self, reference: str) -> list[Job]:
        if "\0" in reference:
            return []
        path = Path(reference).absolute()
        names = {str(path)}
        with contextlib.suppress(OSError, RuntimeError):  # too long, or links in a circle
            names |= {str(path.resolve()), str(path.parent.resolve() / path.name)}
        found = {job.id: job for name in names for job in self._select(_SAVED_AT, storable(name))}
        return list(found.values())

    def _by_part(self, part: str, provider: str | None) -> list[Job]:
        plain = part.replace("!", "!!").replace("%", "!%").replace("_", "!_")
        likes = [f"{plain}%", f"%{plain}"] * 2
        if provider is not None:
            return self._select(f"{_LIKE} AND provider = ? LIMIT 20", *likes, provider)
        return self._select(f"{_LIKE} LIMIT 20", *likes)

    def claim(self, wanted: Claim, *, free: Callable[[Claim, list[Job]], bool]) -> tuple[Claim, list[Job]]:
        """Take a name, unless it is held, and return who holds it now, with the jobs of that run.

        ``free`` decides whether a name that is held may be taken over. One transaction: of several processes that
        want a name, one gets it. Raises `LedgerError`.
        """
        query = "SELECT run, jobs, mark, owner FROM claims WHERE name = ? AND sandbox = ?"
        try:
            with self._transaction() as database:
                row = database.execute(query, (wanted.name, wanted.sandbox)).fetchone()
                if row is not None:
                    run, count, mark, owner = row
                    held = replace(wanted, run=run, jobs=count, mark=mark, owner=owner)
                    jobs = self._select("run = ? ORDER BY seq", run)
                    if not free(held, jobs):
                        return held, jobs
                values = (wanted.name, wanted.sandbox, wanted.run, wanted.jobs, wanted.mark, wanted.owner)
                database.execute("INSERT OR REPLACE INTO claims VALUES (?, ?, ?, ?, ?, ?)", values)
        except sqlite3.Error as error:
            raise self._trouble(error) from error
        return wanted, []

    def history(self, *, sandbox: bool) -> dict[str, History]:
        """Return what became of the last 200 finished jobs of each provider."""
        jobs = self._select(
            "sandbox = ? AND status IN ('succeeded', 'failed') ORDER BY seq DESC LIMIT 800",
            sandbox,
        )
        by_provider: dict[str, list[Job]] = {}
        for job in jobs:
            by_provider.setdefault(job.provider, []).append(job)
        return {name: History.of(found[:200]) for name, found in by_provider.items()}
