"""The work of a batch: rows side by side, each saved and told of as soon as ready, and what is left at the end."""

from __future__ import annotations

import json
import os
import shlex
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from flux_cli.config.paths import state_path
from flux_cli.errors import FluxError, Interrupted, LimitError
from flux_cli.jobs import Job
from flux_cli.money.totals import BatchTotals, format_total
from flux_cli.runs.active import ActiveJobs
from flux_cli.runs.failed_rows import FailedRows
from flux_cli.runs.outcome import Outcome, exit_code_for
from flux_cli.runs.plan import PlannedJob
from flux_cli.runs.resume import RowHistory
from flux_cli.runs.rows import COPY, Row
from flux_cli.runs.runner import JobRunner, RunOptions, row_of
from flux_cli.runtime import Runtime
from flux_cli.text import listed, printable

if TYPE_CHECKING:
    from flux_cli.commands.generate.gallery import GalleryFile
    from flux_cli.gallery.page import Entry

_UNREACHED = 5
"""Jobs in a row that find a provider out of reach, before no more are sent to it."""
_HOPELESS = frozenset({"auth", "payment"})
"""Codes of refusals that the next job would meet as well."""
_LEFT = {
    "in progress and billed": {"pending"},
    "finished and paid for, but not saved": {"unsaved"},
    "sent but not answered, possibly accepted": {"unknown"},
}
"""What is said of the jobs that are left behind, by the code of what that means."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One row, checked: what is to be bought, and on which terms."""

    standing: RowHistory
    purchases: Sequence[PlannedJob]
    """Those of its jobs that were not submitted before."""
    terms: RunOptions

    @property
    def row(self) -> Row:
        """The row."""
        return self.standing.row

    @property
    def due(self) -> int:
        """How many ends it comes to."""
        return len(self.purchases) + len(self.standing.pending) + len(self.standing.lacking)


class BatchRunner:
    """Works through a batch that was checked."""

    def __init__(
        self, runtime: Runtime, tasks: Sequence[Task], *, file: str, gallery: GalleryFile | None = None
    ) -> None:
        """Work at ``tasks``, the rows of ``file``, and show what is made of them in a ``gallery``."""
        self._runtime = runtime
        self._tasks = tasks
        self._file = file
        self._gallery = gallery
        self._ends: dict[int, list[Outcome]] = {task.row.number: [] for task in tasks}
        self._stopped: dict[str, FluxError] = {}
        self._unreached: dict[str, int] = {}
        self._lock = threading.Lock()
        self._unsent = 0

    def run(self, *, at_once: int) -> int:
        """Make every row, ``at_once`` jobs side by side. Return the exit code. Raises `Interrupted`."""
        work: list[Callable[[ActiveJobs], FluxError | None]] = []
        for task in self._tasks:
            work += [partial(self._fetch, task, job) for job in task.standing.pending]
            work += [partial(self._report, task, job) for job in task.standing.lacking]
            work += [partial(self._buy, task, purchase) for purchase in task.purchases]
        self._tally = BatchTotals(len(work), self._runtime.clock.monotonic)
        left: list[tuple[Job, FluxError]] = []
        finished = False
        try:
            with self._runtime.progress(self._tally, batch=True) as progress:
                under_way = ActiveJobs(self._runtime, progress)
                try:
                    outcomes = under_way.run([partial(task, under_way) for task in work], at_once=at_once)
                except Interrupted:
                    left = under_way.unfinished()
                    raise
            finished = True
        except Interrupted:
            self._interrupted(left)
            raise
        finally:
            failed, name = self._write_failed(finished=finished)
            if (gallery := self._gallery) is not None:
                title = "Prompts from stdin" if self._file == "-" else Path(self._file).name
                gallery.write(lambda: [self._part(gallery, task) for task in self._tasks], title=title)
        self._summarize(failed, name)
        done = [None for task in self._tasks if task.standing.made]
        return exit_code_for([*outcomes, *done])

    def _buy(self, task: Task, purchase: PlannedJob, under_way: ActiveJobs) -> FluxError | None:
        provider = purchase.job.provider
        stop = self._stopped.get("") or (None if purchase.fallbacks else self._stopped.get(provider))
        if stop is not None:
            with self._lock:
                self._unsent += 1
            if self._runtime.flags.json:  # where every row has its object
                self._runtime.output.error(stop, row=row_of(purchase.job))
            return self._ended(task, Outcome(job=None, error=stop), told=False)
        end = JobRunner(self._runtime, under_way, task.terms).submit(purchase)
        if not purchase.fallbacks or isinstance(end.error, LimitError):
            self._learn(provider, end.error)
        return self._ended(task, end)

    def _learn(self, provider: str, error: FluxError | None) -> None:
        """Send no more where the next job would meet the same: over a limit, no credits, no key, nobody there."""
        with self._lock:
            missed = self._unreached.get(provider, 0) + 1 if error is not None and error.code == "unavailable" else 0
            self._unreached[provider] = missed
            if error is not None and (error.code in _HOPELESS or missed >= _UNREACHED):
                self._stopped.setdefault("" if isinstance(error, LimitError) else provider, error)

    def _fetch(self, task: Task, job: Job, under_way: ActiveJobs) -> FluxError | None:
        errand = JobRunner(self._runtime, under_way, task.terms)
        end = errand.collect(job, first=job.first_index, wait=task.terms.place is not None)
        return self._ended(task, end, bought=False)

    def _report(self, task: Task, job: Job, under_way: ActiveJobs) -> FluxError | None:
        """Tell of a job that failed before, all of it or a part, and would fail again."""
        with under_way.pause():
            self._runtime.output.error(job.error or FluxError("failed before"), job, where=task.row.place)
        return self._ended(task, Outcome(job=job, error=job.error), bought=False)

    def _ended(self, task: Task, end: Outcome, *, told: bool = True, bought: bool = True) -> FluxError | None:
        with self._lock:
            self._ends[task.row.number].append(end)
        self._tally.add(end.jobs if bought else (), end.error, notify=told)
        return end.error

    def _write_failed(self, *, finished: bool) -> tuple[int, str]:
        """Write the rows that can be retried to their file. Return how many there are, and the file's name.

        Only a run that has ``finished`` replaces or removes the file of an earlier one.
        """
        lines = [_retry_row(task.standing) for task in self._tasks if self._safe(task)]
        digests = state_path(sandbox=self._runtime.sandbox) / "failed"
        files = FailedRows(batch=Path("stdin" if self._file == "-" else self._file), digests=digests)
        path, say = files.default_path, self._runtime.output
        try:
            if not finished and os.path.lexists(path):
                return 0, ""
            if lines:
                path = files.write(lines)
            kept = path != files.default_path if lines else self._file != "-" and not files.remove()
        except OSError as error:
            again = "" if self._file == "-" else "; --resume makes these rows anyway"
            with suppress(FluxError, Interrupted):
                say.warning(f"cannot write {printable(str(path))}: {error.strerror}{again}")
            return 0, ""
        if kept:
            now = f"the rows that failed are in {path}" if lines else "there are no rows to retry this time"
            with suppress(FluxError, Interrupted):
                say.warning(f"{printable(str(files.default_path))} was changed after flux wrote it, and is kept; {now}")
        return len(lines), str(path)

    def _safe(self, task: Task) -> bool:
        """Whether a row may be fed back as it stands: all of it failed, and none of it would be bought twice."""
        ends = self._ends[task.row.number]
        return bool(ends) and len(ends) == task.due and not task.standing.made and all(_may_retry(end) for end in ends)

    def _part(self, gallery: GalleryFile, task: Task) -> Entry:
        """Return what became of a row, also in earlier runs."""
        ends = self._ends[task.row.number]
        return gallery.entry(
            task.row.place,
            str(task.row.fields["prompt"]),
            [*task.standing.pending, *(one.job for one in task.purchases)],
            [*(((job,), None) for job in task.standing.made), *((end.jobs, end.error) for end in ends)],
            over=len(ends) == task.due,
        )

    def _interrupted(self, left: Sequence[tuple[Job, FluxError]]) -> None:
        """Say how far we came, what becomes of the jobs that were under way, and how to go on."""
        count = self._tally.count()
        parts = [f"interrupted: {count.done} of {count.total} jobs are done"]
        for words, codes in _LEFT.items():
            ids = [job.id for job, error in left if error.code in codes]
            parts += [f"{words}: {listed(ids)}"] if ids else []
        self._runtime.output.warning("; ".join(parts))
        if self._file != "-":
            again = f"`flux generate --batch {shlex.quote(self._file)} --resume` with the same options"
            self._runtime.output.note(f"to continue without buying anything twice: {again}")
        elif left:
            self._runtime.output.note("`flux result --wait @1` fetches what was bought")

    def _summarize(self, failed: int, file: str) -> None:
        """Say on stderr what became of the batch; ``failed`` rows can be retried, and stand in ``file``."""
        count = self._tally.count()
        before = sum(not task.purchases and not task.standing.pending for task in self._tasks if task.standing.made)
        parts = [f"{count.done} of {count.total} jobs done"] if count.total else ["nothing left to do"]
        parts += [f"{number} {code}" for code, number in sorted(self._tally.codes().items())]
        parts += [f"{self._unsent} of them never sent"] if self._unsent else []
        parts += [f"{_rows(before)} made before"] if before else []
        parts += [format_total(count.spent, count.unknown)] if count.total else []
        self._runtime.output.note(", ".join(parts))
        for error in self._stopped.values() if self._unsent else ():
            self._runtime.output.warning(f"the rest was not sent: {error.message}")
        if failed:
            self._runtime.output.note(f"{_rows(failed)} can be retried: `flux generate --batch {shlex.quote(file)}`")


def _rows(number: int) -> str:
    return "1 row" if number == 1 else f"{number} rows"


def _retry_row(standing: RowHistory) -> str:
    """Return a row as it is written to be fed back: one that is not the first of its kind says which one it is."""
    fields = dict(standing.row.fields)
    if standing.copy > 1:
        fields[COPY] = standing.copy
    return json.dumps(fields, ensure_ascii=False)


def _may_retry(end: Outcome) -> bool:
    """Whether the same may be asked for again: it failed, and what is known of it does not speak against that."""
    error = end.error
    over = all(job.status in {"failed", "cancelled"} for job in end.jobs)
    return (
        error is not None
        and over
        and error.retry != "never"
        and error.code not in {"unknown", "pending", "unsaved", "partial"}
    )
