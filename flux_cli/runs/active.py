"""The jobs that are under way side by side: shown while they last, and told truly when we are told to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import TypeVar

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
from flux_cli.runs.workers import AT_ONCE, WorkerPool
from flux_cli.runtime import Runtime

T = TypeVar("T")

_ASKED_AT_ONCE = 8
"""Jobs that are asked about side by side; a host that finds this too many slows all of them down."""


def list_unsettled(runtime: Runtime, *, provider: str | None = None, batch: str | None = None) -> list[Job]:
    """Return every job that its provider can tell something new about, the oldest first."""
    since = runtime.clock.now() - SEARCH_SECONDS
    return runtime.ledger.unsettled(sandbox=runtime.sandbox, since=since, provider=provider, batch=batch)


def refresh_jobs(runtime: Runtime, jobs: Sequence[Job]) -> list[Job | FluxError]:
    """Ask about every job, side by side. Return each as it is now, or why that cannot be told, in order.

    Raises `Interrupted`.
    """
    engine = runtime.engine
    return WorkerPool[Job](runtime.clock, at_once=_ASKED_AT_ONCE).run([partial(engine.refresh, job) for job in jobs])


class ActiveJobs:
    """What is going on right now. Any thread may report."""

    def __init__(self, runtime: Runtime, progress: Progress, totals: BatchTotals | None = None) -> None:
        """Show it on ``progress``; ``totals`` counts the jobs that have ended."""
        self._runtime = runtime
        self._totals = totals
        self._engine = runtime.engine  # built here, once, not by whichever thread comes first
        self._progress = progress
        self._jobs: dict[str, Job] = {}
        self._noted: set[str] = set()
        self._lock = threading.Lock()

    def note_once(self, text: str) -> None:
        """Note what several jobs may have to say in the same words."""
        with self._lock:
            new = text not in self._noted
            self._noted.add(text)
        if new:
            with self.pause():
                self._runtime.output.note(text)

    def show(self, job: Job, activity: str = "") -> None:
        """Take in how a job stands; ``activity`` is what we are doing about it."""
        with self._lock:
            self._jobs[job.id] = job
        self._progress.show(job, activity=activity)

    def forget(self, job_id: str) -> None:
        """Stop speaking of a job."""
        with self._lock:
            self._jobs.pop(job_id, None)
        self._progress.remove(job_id)

    def count_end(self, jobs: Sequence[Job], error: FluxError | None) -> None:
        """Count the end of a task that bought ``jobs``."""
        if self._totals is not None:
            self._totals.add(jobs, error)

    def pause(self) -> AbstractContextManager[object]:
        """Step out of the way while something is printed."""
        return self._progress.pause()

    def _sending(self) -> bool:
        with self._lock:
            return any(job.status == "submitting" for job in self._jobs.values())

    def unfinished(self) -> list[tuple[Job, FluxError]]:
        """Return the jobs that somebody has to come back for, as the ledger has them, and what that means."""
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
        """Write down that nobody will read the answer to a paid request. Return the job's error."""
        try:
            return self._engine.mark_unanswered(job).error or UnknownOutcomeError("no answer")
        except LedgerError as error:
            return error

    def run(self, tasks: Sequence[Callable[[], T]], *, at_once: int) -> list[T | FluxError]:
        """Run every task, ``at_once`` side by side, and return what each came to, in order. Raises `Interrupted`."""
        return WorkerPool[T](self._runtime.clock, at_once=at_once).run(tasks, sending=self._sending)


def run_tasks(
    runtime: Runtime, tasks: Sequence[Callable[[ActiveJobs], FluxError | None]], *, at_once: int = AT_ONCE
) -> list[FluxError | None]:
    """Run tasks that report to one `UnderWay`, and return what went wrong with each.

    Raises `Interrupted`, having said of every job that is under way what becomes of it without us.
    """
    totals = BatchTotals(len(tasks), runtime.clock.monotonic)
    with runtime.progress(totals if len(tasks) > 1 else None) as progress:
        under_way = ActiveJobs(runtime, progress, totals)
        stopped: Interrupted | None = None
        try:
            return under_way.run([partial(task, under_way) for task in tasks], at_once=at_once)
        except Interrupted as stop:
            stopped = stop
    for job, truth in under_way.unfinished():
        runtime.output.error(truth, replace(job, error=truth))
    raise stopped
