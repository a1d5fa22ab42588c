"""Store every job that this user ever submitted, in one SQLite file.

A job is stored before it is paid for: a process can die between the moment a provider accepts a job and the moment we
read its answer, and a job that was not stored by then is paid for and cannot be found. So the intent, with the exact
body and the idempotency key, is committed before the first byte of a paid request leaves.

Every change is one transaction that reads the row, changes it and writes it, so that a ``flux status`` beside a waiting
``flux generate`` never overwrites a newer version of a job with an older one.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

from flux_cli.errors import LedgerError, UsageError
from flux_cli.jobs import Job, ReadyInterval
from flux_cli.ledger.codec import decode, encode
from flux_cli.ledger.database import Database
from flux_cli.ledger.filters import UNDER_WAY, JobFilter, build_condition, choose_table
from flux_cli.ledger.forget import forget
from flux_cli.ledger.lock import hold_lock
from flux_cli.ledger.records import Claim, History, Spend
from flux_cli.ledger.schema import columns, storable
from flux_cli.ledger.spending import ALL_JOBS, sum_up
from flux_cli.money.limits import Limit, check
from flux_cli.text import listed, printable

_SAVED_AT = "id IN (SELECT job FROM files WHERE path = ?)"
_LIKE = "(id LIKE ? ESCAPE '!' OR id LIKE ? ESCAPE '!' OR remote_id LIKE ? ESCAPE '!' OR remote_id LIKE ? ESCAPE '!')"
_SHORTEST = 4
"""Characters of an id's beginning or end that are enough to find it."""
_NAMED = 5
"""Jobs that are named where a reference matches several."""


class Ledger:
    """The jobs. One instance may serve many threads, one file many processes."""

    def __init__(self, path: Path, **opened: Any) -> None:
        """Open the file at ``path``, or create it, as `Database` does. Raises `LedgerError`."""
        self._path = path
        self._database = Database(path, **opened)
        self.notice = self._database.notice
        """A warning about the file for the user, or empty."""

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def add(self, job: Job, limits: Sequence[Limit] = ()) -> Job:
        """Write a new job to disk before returning, unless it would exceed one of the ``limits``.

        What counts against a limit is read in the same transaction, so any number of processes keep it together. A
        job that was planned before a limit's period began counts from its beginning. Raises `LimitError` where a limit
        would be exceeded, `UsageError` where one cannot be enforced, and `LedgerError`; then the job is not stored.
        """
        if limits:
            self.require_complete(limits[0].name)
        since = max((limit.since for limit in limits), default=0.0)
        job = replace(job, created_at=since) if since > job.created_at else job
        with self._database.transaction():
            for limit in limits:
                check(limit, job, self.spent_since(limit, sandbox=job.sandbox))
            self._write(job)
        return job

    def require_complete(self, what: str) -> None:
        """Raise `UsageError` where jobs are missing that ``what`` relies on."""
        self._database.require_complete(what)

    def unread(self) -> list[Path]:
        """Return the damaged files that could not be read completely, the newest first."""
        return self._database.unread()

    def accept_loss(self) -> list[Path]:
        """Give up what could not be read of damaged files, and return these files. Raises `LedgerError`."""
        return self._database.accept_loss()

    def spent_since(self, limit: Limit, *, sandbox: bool) -> tuple[float, int]:
        """Return what counts against a limit so far, in USD, and the number of jobs of unknown cost."""
        where = "+sandbox = ? AND run = ?" if limit.run else "sandbox = ? AND created_at >= ?"
        query = f"SELECT TOTAL(spent), COUNT(*) - COUNT(spent) FROM {ALL_JOBS} WHERE {where}"  # noqa: S608 - clauses of ours
        spent, unknown = self._database.rows(query, (sandbox, limit.run or limit.since))[0]
        return float(spent), int(unknown)

    def change(self, job_id: str, change: Callable[[Job], Job]) -> Job:
        """Replace a job by ``change`` of what the ledger has now, and return the new one. Raises `LedgerError`."""
        with self._database.transaction():
            known = self._load(job_id)
            job = change(known)
            if job != known:  # most polls find nothing new, and a write waits for the disk
                self._write(job, known)
        return job

    def _load(self, job_id: str) -> Job:
        found = self._select("id = ?", job_id)
        if not found:
            raise LedgerError(f"the ledger has no job {job_id}")
        return found[0]

    def _write(self, job: Job, known: Job | None = None) -> None:
        """Insert a job, or update the row of a ``known`` one: only what differs, so few indexes are written again."""
        row = {**columns(job), "document": encode(job)}
        if known is None:
            names = ", ".join(row)
            marks = ", ".join(f":{name}" for name in row)
            self._database.rows(f"INSERT INTO jobs ({names}) VALUES ({marks})", row)  # noqa: S608 - names of ours
        else:
            before = columns(known)
            pairs = ", ".join(f"{name} = :{name}" for name in row if name not in before or row[name] != before[name])
            self._database.rows(f"UPDATE jobs SET {pairs} WHERE id = :id", row)  # noqa: S608 - names of ours
        saved = {image.path for image in known.images} if known is not None else set[str | None]()
        for image in job.images:
            if image.path is not None and image.path not in saved:
                self._database.rows("INSERT OR REPLACE INTO files VALUES (?, ?)", (storable(image.path), job.id))

    def _select(self, where: str, *values: Any) -> list[Job]:
        """Return the jobs that match a condition. Raises `LedgerError`."""
        query = f"SELECT document FROM jobs WHERE {where}"  # noqa: S608 - clauses of ours
        return [decode(row[0]) for row in self._database.rows(query, values)]

    def recent(self, *, sandbox: bool, limit: int, active: bool = False, **filters: Unpack[JobFilter]) -> list[Job]:
        """Return the latest jobs, the newest first; all of them where ``limit`` is -1."""
        where, values = build_condition(sandbox, filters)
        where += f" AND {UNDER_WAY}" if active else ""
        query = f"SELECT document FROM {choose_table(filters, active=active)} WHERE {where} ORDER BY seq DESC LIMIT ?"  # noqa: S608 - ours
        return [decode(row[0]) for row in self._database.rows(query, [*values, limit])]

    def active(self, *, sandbox: bool, provider: str | None = None) -> list[Job]:
        """Return every job that a provider may still be working on, the oldest first."""
        return self.recent(sandbox=sandbox, limit=-1, active=True, provider=provider)[::-1]

    def unsettled(self, *, sandbox: bool, unknown_since: float, **filters: Unpack[JobFilter]) -> list[Job]:
        """Return every job that its provider may know something new about, the oldest first.

        These are the active ones, and those of unknown outcome that were made after ``unknown_since``.
        """
        where, values = build_condition(sandbox, filters)
        where += " AND status IN ('submitting', 'queued', 'running', 'unknown')"
        where += " AND (status <> 'unknown' OR created_at > ?)"
        # without the plus, SQLite walks through all jobs
        return self._select(f"{where} ORDER BY +seq", *values, unknown_since)

    def count(
        self, *, sandbox: bool, active: bool = False, oldest: str | None = None, **filters: Unpack[JobFilter]
    ) -> int:
        """Return how many jobs `recent` would list without a limit, down to the job ``oldest`` where one is given."""
        where, values = build_condition(sandbox, filters)
        where += f" AND {UNDER_WAY}" if active else ""
        if oldest is not None:
            where += " AND seq >= (SELECT seq FROM jobs WHERE id = ?)"
            values = [*values, oldest]
        query = f"SELECT COUNT(*) FROM {choose_table(filters, active=active)} WHERE {where}"  # noqa: S608 - ours
        return int(self._database.rows(query, values)[0][0])

    def unsaved(self, *, sandbox: bool, batch: str | None = None) -> list[Job]:
        """Return every succeeded job with images that were never saved, the oldest first."""
        where, values = build_condition(sandbox, {"batch": batch})
        return self._select(f"{where} AND unsaved = 1 ORDER BY seq", *values)

    def find(self, reference: str, *, sandbox: bool, provider: str | None = None) -> list[Job]:
        """Return the jobs that ``reference`` means: none, one, or all of a run.

        Tried in this order: a full id of ours or of a provider; ``provider:id``; ``@1``, the latest run; the path of a
        saved image; the beginning or end of an id. Raises `UsageError` where several jobs match.
        """
        path, reference = reference, storable(reference)
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
            found = self._by_path(path)
        if not found and len(reference) >= _SHORTEST:
            found = self._by_part(reference, provider)
        if len(found) > 1:
            # Our own full ids: they match one job, whatever was typed.
            shown = listed([*(job.id for job in found[:_NAMED]), *(["others"] if found[_NAMED:] else [])])
            raise UsageError(
                f"{printable(reference)} matches {len(found)} jobs ({shown})",
                hint=f"give the full id, such as {found[0].id}, or more of its beginning",
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

    def claim(self, claim: Claim, *, free: Callable[[Claim, list[Job]], bool]) -> tuple[Claim, list[Job]]:
        """Claim a name, unless it is held, and return the claim that holds it now, with the jobs of that run.

        ``free`` decides whether a name that is held may be taken over. One transaction: of several processes that
        claim a name, one gets it. Raises `LedgerError`, and `UsageError` as `require_complete` does.
        """
        self.require_complete(f"--once {printable(claim.name)}")
        query = "SELECT run, jobs, mark, owner FROM claims WHERE name = ? AND sandbox = ?"
        with self._database.transaction():
            row = next(iter(self._database.rows(query, (claim.name, claim.sandbox))), None)
            if row is not None:
                run, count, key, owner = row
                held = claim._replace(run=run, jobs=count, key=key, owner=owner)
                jobs = self._select("run = ? ORDER BY seq", run)
                if not free(held, jobs):
                    return held, jobs
            values = (claim.name, claim.sandbox, claim.run, claim.jobs, claim.key, claim.owner)
            self._database.rows("INSERT OR REPLACE INTO claims VALUES (?, ?, ?, ?, ?, ?)", values)
        return claim, []

    def spend(self, by: str, *, sandbox: bool, **filters: Unpack[JobFilter]) -> list[Spend]:
        """Return the spending of each group, as `sum_up` does."""
        return sum_up(self._database, by, sandbox=sandbox, filters=filters)

    def paid_prices(self, provider: str, model: str, *, sandbox: bool, limit: int = 50) -> list[tuple[float, float]]:
        """Return the cost of an image in each of the latest jobs, in USD, and when it was made, the newest first.

        Jobs that cost nothing are left out: they say nothing about the price.
        """
        query = (
            "SELECT told / MAX(images, 1), created_at FROM jobs WHERE sandbox = ? AND provider = ? AND model = ?"
            " AND told > 0 AND status = 'succeeded' ORDER BY seq DESC LIMIT ?"
        )
        return [(float(amount), when) for amount, when in self._database.rows(query, (sandbox, provider, model, limit))]

    def durations(self, provider: str, model: str | None, *, sandbox: bool, limit: int = 20) -> list[ReadyInterval]:
        """Return how long the latest jobs of a model took, as far as polling showed it, the newest first."""
        where = "sandbox = ? AND provider = ? AND model IS ? AND waited IS NOT NULL ORDER BY seq DESC LIMIT ?"
        return [
            job.ready_between
            for job in self._select(where, sandbox, provider, model, limit)
            if job.ready_between is not None
        ]

    def batch(self, name: str, *, sandbox: bool) -> list[Job]:
        """Return every job of a batch, the oldest first."""
        return self._select("batch = ? AND +sandbox = ? ORDER BY seq", storable(name), sandbox)

    def detach(self, jobs: Iterable[Job]) -> None:
        """Detach ``jobs`` from the rows of their batch: all of them, or none. Raises `LedgerError`."""
        with self._database.transaction():
            for job in jobs:
                known = self._load(job.id)
                self._write(replace(known, row_key=""), known)

    def older_than(
        self, before: float, *, sandbox: bool, provider: str | None = None, batch: str | None = None
    ) -> list[Job]:
        """Return every job that was created no later than ``before``, the oldest first."""
        where, values = build_condition(sandbox, {"provider": provider, "batch": batch})
        return self._select(f"{where} AND created_at <= ? ORDER BY seq", *values, before)

    def forget(self, jobs: Iterable[Job]) -> tuple[list[str], bool]:
        """Remove the records of ``jobs`` that are finished, and overwrite their text in the file.

        Return the ids of those that are removed, and whether no trace is left in the file. Raises `LedgerError`.
        """
        removed = forget(self._database, [job.id for job in jobs])
        return removed, self._database.scrub()

    @contextlib.contextmanager
    def lock(self, name: str) -> Generator[str | None]:
        """Hold ``name``, a plain word, and yield ``None``; or yield the number of the process that holds it.

        Raises `LedgerError`.
        """
        with contextlib.ExitStack() as stack:
            try:
                holder = stack.enter_context(hold_lock(self._path.parent / "locks" / name))
            except OSError as error:
                raise LedgerError(f"cannot lock {name}: {error.strerror}") from error
            yield holder

    def history(self, *, sandbox: bool) -> dict[str, History]:
        """Return how the last 200 finished jobs of each provider ended."""
        rows = self._database.rows(
            "SELECT provider, status, waited, CASE WHEN waited IS NULL AND status = 'succeeded' THEN document END"
            " FROM jobs WHERE sandbox = ? AND status IN ('succeeded', 'failed') ORDER BY seq DESC LIMIT 800",
            (sandbox,),
        )
        found: dict[str, list[tuple[str, float | None]]] = {}
        for provider, status, waited, document in rows:
            seconds = waited if document is None else _seconds_until_seen(decode(document))
            found.setdefault(provider, []).append((status, seconds))
        return {
            name: History.of(
                [seconds for status, seconds in ends[:200] if status == "succeeded"],
                failures=sum(status == "failed" for status, _ in ends[:200]),
            )
            for name, ends in found.items()
        }


def _seconds_until_seen(job: Job) -> float | None:
    """Return how many seconds a job took at most that was not watched: until it was first seen finished."""
    return None if job.finished_at is None else job.finished_at - job.started_at
