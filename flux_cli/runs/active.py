"""Run several jobs at once: show them while they run, and report what becomes of each after an interrupt."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Unpack

from flux_cli import providers
from flux_cli.display.plain import Progress
from flux_cli.errors import (
    FluxError,
    Interrupted,
    LedgerError,
    PendingError,
    RefusedError,
    UnknownOutcomeError,
    UnsavedError,
)
from flux_cli.jobs import SEARCH_SECONDS, Job
from flux_cli.money.totals import BatchTotals
from flux_cli.runs.outcome import Outcome
from flux_cli.runs.workers import AT_ONCE, WorkerPool
from flux_cli.runtime import Runtime

if TYPE_CHECKING:
    from flux_cli.ledger.filters import JobFilter

_LOOKS_AT_ONCE = 8
"""Jobs that are looked at side by side; a host slows all of them down where this is too many."""


def list_unsettled(runtime: Runtime, **filters: Unpack[JobFilter]) -> list[Job]:
    """Return every job whose state at its provider may have changed, the oldest first."""
    unknown_since = runtime.clock.now() - SEARCH_SECONDS
    return runtime.ledger.unsettled(sandbox=runtime.sandbox, unknown_since=unknown_since, **filters)


def refresh_jobs(runtime: Runtime, jobs: Sequence[Job]) -> list[Job | FluxError]:
    """Look at every job, several at once. Return each as it is now, or why that is unknown, in order.

    Raises `Interrupted`.
    """
    engine = runtime.engine
    return WorkerPool[Job](runtime.clock, at_once=_LOOKS_AT_ONCE).run([partial(engine.refresh, job) for job in jobs])


class ActiveJobs:
    """The jobs that run right now. Any thread may report."""

    def __init__(self, runtime: Runtime, progress: Progress, totals: BatchTotals | None = None) -> None:
        """Show them on ``progress``; ``totals`` counts the jobs that have ended."""
        self._runtime = runtime
        self._totals = totals
        self._engine = runtime.engine  # built here, once, before there are several threads
        self._progress = progress
        self._jobs: dict[str, Job] = {}
        self._noted: set[str] = set()
        self._lock = threading.Lock()

    def note_once(self, text: str) -> None:
        """Print a note that several jobs may have, once."""
        with self._lock:
            new = text not in self._noted
            self._noted.add(text)
        if new:
            with self.pause():
                self._runtime.output.note(text)

    def show(self, job: Job, activity: str = "") -> None:
        """Show the state of a job; ``activity`` is what we are doing with it."""
        with self._lock:
            self._jobs[job.id] = job
        self._progress.show(job, activity=activity)

    def forget(self, job_id: str) -> None:
        """Stop showing a job."""
        with self._lock:
            self._jobs.pop(job_id, None)
        self._progress.remove(job_id)

    def count_end(self, jobs: Sequence[Job], error: FluxError | None) -> None:
        """Count the end of a task that bought ``jobs``."""
        if self._totals is not None:
            self._totals.add(jobs, error)

    def pause(self) -> AbstractContextManager[object]:
        """Hide the progress display while something is printed."""
        return self._progress.pause()

    def _sending(self) -> bool:
        with self._lock:
            return any(job.status == "submitting" for job in self._jobs.values())

    def unfinished(self) -> list[tuple[Job, FluxError]]:
        """Return the jobs that are not done, as the ledger has them, each with the error that says how to go on."""
        with self._lock:
            known = list(self._jobs.values())
        found = [job for one in known for job in self._runtime.ledger.find(one.id, sandbox=one.sandbox)]
        return [(job, self._explain(job)) for job in found if job.status != "succeeded" or job.has_unsaved_images]

    def _explain(self, job: Job) -> FluxError:
        provider = providers.load(job.provider)
        fetch = f"`flux result --wait {job.id}` fetches it"
        if job.status == "succeeded":
            return UnsavedError(
                f"interrupted: job {job.id} is finished and paid for, but not saved",
                hint=f"`flux result {job.id}` saves it",
            )
        if job.status in {"submitting", "unknown"}:
            error = job.error or self._give_up(job)
            return UnknownOutcomeError(
                f"interrupted: job {job.id} was sent but not answered; it may have been accepted", hint=error.hint
            )
        if job.active:
            cancel = f"; `flux cancel {job.id}` cancels it while it is queued" if provider.cancel else ""
            return PendingError(
                f"interrupted: job {job.id} continues at {job.provider} and is billed", hint=fetch + cancel
            )
        return job.error or RefusedError(f"interrupted: job {job.id} is {job.status}")

    def _give_up(self, job: Job) -> FluxError:
        """Record that the answer to a paid request will not be read. Return the job's error."""
        try:
            return self._engine.mark_unanswered(job).error or UnknownOutcomeError("no answer")
        except LedgerError as error:
            return error

    def run(self, tasks: Sequence[Callable[[ActiveJobs], Outcome]], *, at_once: int) -> list[Outcome]:
        """Run every task, ``at_once`` side by side, and return the outcomes, in order. Raises `Interrupted`."""
        pool = WorkerPool[Outcome](self._runtime.clock, at_once=at_once)
        results = pool.run([partial(task, self) for task in tasks], sending=self._sending)
        return [Outcome(job=None, error=one) if isinstance(one, FluxError) else one for one in results]


def run_tasks(
    runtime: Runtime, tasks: Sequence[Callable[[ActiveJobs], Outcome]], *, at_once: int = AT_ONCE
) -> list[Outcome]:
    """Run tasks that report to the same `ActiveJobs`, and return their outcomes, in order.

    Raises `Interrupted`, after it has reported what becomes of every job that still runs.
    """
    totals = BatchTotals(len(tasks), runtime.clock.monotonic)
    with runtime.progress(totals if len(tasks) > 1 else None) as progress:
        active = ActiveJobs(runtime, progress, totals)
        stopped: Interrupted | None = None
        try:
            return active.run(tasks, at_once=at_once)
        except Interrupted as stop:
            stopped = stop
    for job, error in active.unfinished():
        runtime.output.error(error, replace(job, error=error))
    raise stopped
