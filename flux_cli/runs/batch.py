"""Run a batch: rows in parallel, results saved as they arrive, then a summary and a file of rows to retry."""

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
from flux_cli.providers.base import PlannedJob
from flux_cli.runs.active import ActiveJobs
from flux_cli.runs.failed_rows import FailedRows
from flux_cli.runs.outcome import Outcome
from flux_cli.runs.resume import RowHistory
from flux_cli.runs.rows import COPY, Row
from flux_cli.runs.runner import JobRunner, RunOptions, row_of
from flux_cli.runtime import Runtime
from flux_cli.text import listed, printable

if TYPE_CHECKING:
    from flux_cli.commands.generate.gallery import GalleryFile
    from flux_cli.gallery.card import Entry

_UNREACHED = 5
"""Jobs in a row that find a provider out of reach before no more are sent to it."""
_HOPELESS = frozenset({"auth", "payment"})
"""Codes of refusals that the next job would meet as well."""
_LEFT = {
    "in progress and billed": {"pending"},
    "finished and paid for, but not saved": {"unsaved"},
    "sent but not answered, possibly accepted": {"unknown"},
}
"""What an interrupted batch says of its jobs, by the codes of their errors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowTask:
    """One row, checked: its earlier jobs, and those to submit."""

    history: RowHistory
    planned: Sequence[PlannedJob]
    """Those of its jobs that were not submitted before."""
    options: RunOptions

    @property
    def row(self) -> Row:
        """The row."""
        return self.history.row

    @property
    def due(self) -> int:
        """How many outcomes it comes to."""
        return len(self.planned) + len(self.history.pending) + len(self.history.lacking)


class BatchRunner:
    """Runs the rows of a batch that was checked."""

    def __init__(
        self,
        runtime: Runtime,
        tasks: Sequence[RowTask],
        *,
        file: str,
        template: str | None = None,
        gallery: GalleryFile | None = None,
    ) -> None:
        """Run ``tasks``, the rows of ``file`` with the prompt ``template``, and show their images in a ``gallery``."""
        self._runtime = runtime
        self._tasks = tasks
        self._file = file
        self._words = f"--batch {shlex.quote(file)}" + ("" if template is None else f" {shlex.quote(template)}")
        self._gallery = gallery
        self._leaves = all(task.options.save is None for task in tasks)
        self._outcomes: dict[str, list[Outcome]] = {task.history.row_key: [] for task in tasks}
        self._stopped: dict[str, FluxError] = {}
        self._unreached: dict[str, int] = {}
        self._lock = threading.Lock()
        self._unsent = 0

    def run(self, *, at_once: int) -> list[Outcome]:
        """Run every row, ``at_once`` jobs side by side. Return the outcomes, earlier ones too, by row and image.

        Raises `Interrupted`.
        """
        work: list[Callable[[ActiveJobs], Outcome]] = []
        for task in self._tasks:
            work += [partial(self._collect, task, job) for job in task.history.pending]
            work += [partial(self._report, task, job) for job in task.history.lacking]
            work += [partial(self._submit, task, planned) for planned in task.planned]
        self._totals = BatchTotals(
            len(work), self._runtime.clock.monotonic, verb="submitted" if self._leaves else "done"
        )
        left: list[tuple[Job, FluxError]] = []
        finished = False
        try:
            with self._runtime.progress(self._totals, batch=True) as progress:
                active = ActiveJobs(self._runtime, progress)
                try:
                    outcomes = active.run(work, at_once=at_once)
                except Interrupted:
                    left = active.unfinished()
                    raise
            finished = True
        except Interrupted:
            self._report_interrupt(left)
            raise
        finally:
            failed, name = self._write_failed(finished=finished)
            if (gallery := self._gallery) is not None:
                title = "Prompts from stdin" if self._file == "-" else Path(self._file).name
                gallery.write(lambda: [self._entry(gallery, task) for task in self._tasks], title=title)
        self._summarize(failed, name)
        made = [Outcome(job=job) for task in self._tasks for job in task.history.made]
        return sorted([*made, *outcomes], key=lambda one: one.job.first_index if one.job is not None else 0)

    def _submit(self, task: RowTask, planned: PlannedJob, active: ActiveJobs) -> Outcome:
        provider = planned.job.provider
        stop = self._stopped.get("") or (None if planned.fallbacks else self._stopped.get(provider))
        if stop is not None:
            with self._lock:
                self._unsent += 1
            if self._runtime.flags.json:  # where every row has its object
                self._runtime.output.error(stop, row=row_of(planned.job))
            return self._add(task, Outcome(job=None, error=stop), shown=False)
        outcome = JobRunner(self._runtime, active, task.options).submit(planned)
        if not planned.fallbacks or isinstance(outcome.error, LimitError):
            self._learn(provider, outcome.error)
        return self._add(task, outcome)

    def _learn(self, provider: str, error: FluxError | None) -> None:
        """Send no more where the next job would fail alike: over a limit, no credits, no key, provider out of reach."""
        with self._lock:
            missed = self._unreached.get(provider, 0) + 1 if error is not None and error.code == "unavailable" else 0
            self._unreached[provider] = missed
            if error is not None and (error.code in _HOPELESS or missed >= _UNREACHED):
                self._stopped.setdefault("" if isinstance(error, LimitError) else provider, error)

    def _collect(self, task: RowTask, job: Job, active: ActiveJobs) -> Outcome:
        runner = JobRunner(self._runtime, active, task.options)
        outcome = runner.collect(job, first=job.first_index, wait=task.options.save is not None)
        return self._add(task, outcome, bought=False)

    def _report(self, task: RowTask, job: Job, active: ActiveJobs) -> Outcome:
        """Print the error of a job that failed before, all of it or a part, and would fail again."""
        with active.pause():
            self._runtime.output.error(job.error or FluxError("failed before"), job, where=task.row.place)
        return self._add(task, Outcome(job=job, error=job.error), bought=False)

    def _add(self, task: RowTask, outcome: Outcome, *, shown: bool = True, bought: bool = True) -> Outcome:
        with self._lock:
            self._outcomes[task.history.row_key].append(outcome)
        self._totals.add(outcome.jobs if bought else (), outcome.error, notify=shown)
        return outcome

    def _write_failed(self, *, finished: bool) -> tuple[int, str]:
        """Write the rows that can be retried to their file. Return how many there are, and the file's name.

        Only a run that has ``finished`` replaces or removes the file of an earlier one.
        """
        lines = [_retry_row(task.history) for task in self._tasks if self._may_retry(task)]
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

    def _may_retry(self, task: RowTask) -> bool:
        """Whether a row can be retried as it stands: all of it failed, and none of it would be bought twice."""
        outcomes = self._outcomes[task.history.row_key]
        complete = bool(outcomes) and len(outcomes) == task.due and not task.history.made
        return complete and all(_may_retry(one) for one in outcomes)

    def _entry(self, gallery: GalleryFile, task: RowTask) -> Entry:
        """Return what became of a row, also in earlier runs."""
        outcomes = self._outcomes[task.history.row_key]
        return gallery.entry(
            task.row.place,
            str(task.row.fields["prompt"]),
            [*task.history.pending, *(one.job for one in task.planned)],
            [*(((job,), None) for job in task.history.made), *((one.jobs, one.error) for one in outcomes)],
            over=len(outcomes) == task.due,
        )

    def _report_interrupt(self, left: Sequence[tuple[Job, FluxError]]) -> None:
        """Say how far we came, what becomes of the active jobs, and how to go on."""
        count = self._totals.count()
        parts = [f"interrupted: {count.done} of {count.total} jobs are {count.verb}"]
        for words, codes in _LEFT.items():
            ids = [job.id for job, error in left if error.code in codes]
            parts += [f"{words}: {listed(ids)}"] if ids else []
        self._runtime.output.warning("; ".join(parts))
        if self._file != "-":
            again = f"`flux generate {self._words} --resume` with the same options"
            self._runtime.output.note(f"to continue without buying anything twice: {again}")
        elif left or (self._leaves and count.done):
            self._runtime.output.note("`flux result --wait @1` fetches what was bought")

    def _summarize(self, failed: int, file: str) -> None:
        """Say on stderr what became of the batch; ``failed`` rows can be retried, and are in ``file``."""
        count = self._totals.count()
        over = (task for task in self._tasks if task.history.made and not task.planned and not task.history.pending)
        before = len({task.row.number for task in over})
        parts = [f"{count.done} of {count.total} jobs {count.verb}"] if count.total else ["nothing left to do"]
        parts += [f"{number} {code}" for code, number in sorted(self._totals.codes().items())]
        parts += [f"{self._unsent} of them never sent"] if self._unsent else []
        parts += [f"{_rows(before)} made before"] if before else []
        parts += [format_total(count.spent, count.unknown)] if count.total else []
        self._runtime.output.note(", ".join(parts))
        for error in self._stopped.values() if self._unsent else ():
            self._runtime.output.warning(f"the rest was not sent: {error.message}")
        if self._leaves and count.done:
            self._runtime.output.note(self._explain_return())
        if failed:
            self._runtime.output.note(f"{_rows(failed)} can be retried: `flux generate --batch {shlex.quote(file)}`")

    def _explain_return(self) -> str:
        """Return which commands fetch the images of a batch that was submitted and not waited for."""
        world = " --sandbox" if self._runtime.flags.sandbox else ""
        fetch = f"flux result{world} --all --wait"
        if self._file == "-":
            return f"`{fetch}` fetches the images"
        file = shlex.quote(self._file)
        again = f"`flux generate{world} {self._words} --resume` with the same options"
        return f"`{fetch} --batch {file}` fetches the images; {again} does, too, and makes the rows that failed"


def _rows(number: int) -> str:
    return "1 row" if number == 1 else f"{number} rows"


def _retry_row(history: RowHistory) -> str:
    """Return a row as it is written to be retried: one that is not the first of its kind says which one it is."""
    fields = history.row.to_object()
    if history.copy > 1:
        fields[COPY] = history.copy
    return json.dumps(fields, ensure_ascii=False)


def _may_retry(outcome: Outcome) -> bool:
    """Whether the same may be submitted again: it failed, and nothing of it was or may have been paid for."""
    error = outcome.error
    over = all(job.status in {"failed", "cancelled"} for job in outcome.jobs)
    return (
        error is not None
        and over
        and error.retry != "never"
        and error.code not in {"unknown", "pending", "unsaved", "partial"}
    )
