"""Jobs side by side, from wherever they stand to images on disk; and the truth about each when we are told to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from flux_cli import providers
from flux_cli.commands.options import require, verdict
from flux_cli.crew import Crew
from flux_cli.errors import (
    FluxError,
    Interrupted,
    LedgerError,
    PartialError,
    PendingError,
    ProtocolError,
    RefusedError,
    UnavailableError,
    UnknownOutcomeError,
    UnsavedError,
)
from flux_cli.jobs import Job
from flux_cli.orders import Purchase
from flux_cli.progress import Progress
from flux_cli.runtime import Place, Runtime

_ELSEWHERE = frozenset({"unavailable", "auth", "payment"})
"""Codes that prove that nothing was accepted, and that another provider may do better."""

AT_ONCE = 4
"""Jobs that are under way side by side."""


class Errand:
    """Gets images for jobs: submits them where they are new, waits, and saves."""

    def __init__(self, runtime: Runtime, *, place: Place | None, timeout: float) -> None:
        """Save to ``place`` (nowhere where nobody waits), and wait ``timeout`` seconds for each job."""
        self._runtime = runtime
        self._place = place
        self._timeout = timeout
        self._under_way: dict[str, Job] = {}
        self._lock = threading.Lock()

    def buy(self, purchases: Sequence[Purchase]) -> int:
        """Submit every job, and wait and save unless there is no place. Return the exit code."""
        several = len(purchases) > 1
        return self._run([partial(self._buy, purchase, several) for purchase in purchases])

    def fetch(self, jobs: Sequence[Job], *, wait: bool) -> int:
        """Save the images of every job, waiting for those that are not finished if ``wait``. Return the exit code."""
        sizes = [max(len(job.images), job.count) for job in jobs]
        firsts = [1 + sum(sizes[:number]) for number in range(len(jobs))]
        several = len(jobs) > 1
        return self._run(
            [partial(self._fetch, job, first, wait, several) for job, first in zip(jobs, firsts, strict=True)]
        )

    def _run(self, tasks: Sequence[Callable[[Progress], FluxError | None]]) -> int:
        crew = Crew[FluxError | None](self._runtime.clock, at_once=AT_ONCE)
        try:
            with self._runtime.progress() as progress:
                outcomes = crew.run([partial(task, progress) for task in tasks], sending=self._sending)
        except Interrupted:
            self._explain()
            raise
        return verdict(outcomes)

    def _buy(self, purchase: Purchase, several: bool, progress: Progress) -> FluxError | None:
        job = purchase.job
        self._show(job, progress, "sending")
        try:
            job = self._runtime.engine.submit(job, purchase.order)
        except FluxError as error:
            if purchase.instead and error.code in _ELSEWHERE:
                return self._go_on(purchase, error, several, progress)
            return self._ended(None, job.id, error, several, progress)
        if purchase.instead and job.status == "failed" and job.error is not None and job.error.code in _ELSEWHERE:
            return self._go_on(purchase, job.error, several, progress)
        return self._see_to(job, purchase.first, several, progress, wait=True)

    def _go_on(self, purchase: Purchase, error: FluxError, several: bool, progress: Progress) -> FluxError | None:
        """Make the same images at the next provider, because this one said that it accepted nothing."""
        self._forget(purchase.job.id, progress)
        with progress.aside():
            self._runtime.output.note(f"going on with {purchase.instead[0].job.provider}: {error.message}")
        outcomes = [self._buy(one, several or len(purchase.instead) > 1, progress) for one in purchase.instead]
        failures = [one for one in outcomes if one is not None]
        if failures and len(failures) < len(outcomes):
            return PartialError("some images were made, some were not")
        return failures[0] if failures else None

    def _fetch(self, job: Job, first: int, wait: bool, several: bool, progress: Progress) -> FluxError | None:
        self._show(job, progress)
        try:
            if job.active or job.status == "unknown":
                job = self._looked_at(job, wait=wait)
            if wait and job.status == "unknown" and job.remote_id is not None:
                job = self._heard_of(job, progress)
        except FluxError as error:
            return self._ended(job, job.id, error, several, progress)
        return self._see_to(job, first, several, progress, wait=wait)

    def _looked_at(self, job: Job, *, wait: bool) -> Job:
        """Return the job as its provider has it now; a look that fails for now is taken again where we wait anyway."""
        try:
            return self._runtime.engine.refresh(job)
        except (UnavailableError, ProtocolError):
            if not wait or job.remote_id is None:
                raise
            return job

    def _heard_of(self, job: Job, progress: Progress) -> Job:
        """Wait until its provider speaks of a job, which some do only once they have started it. Return the job."""
        with suppress(PendingError):
            for job in self._runtime.engine.watch(job, timeout=self._timeout):  # noqa: B020, PLR1704 - the same job, later
                self._show(job, progress)
                if job.status != "unknown":
                    break
        return job

    def _see_to(self, job: Job, first: int, several: bool, progress: Progress, *, wait: bool) -> FluxError | None:
        """Take a submitted job to its end. Return what went wrong, having told it."""
        self._show(job, progress)
        try:
            if self._place is None:
                require(job, "queued", "running", "succeeded")
                with progress.aside():
                    self._runtime.output.submitted(job)
            else:
                if job.active and wait:
                    for job in self._runtime.engine.watch(job, timeout=self._timeout):  # noqa: B020, PLR1704 - the same job, later
                        self._show(job, progress)
                require(job, "succeeded")
                job = self._save(job, self._place, first, progress)
        except FluxError as error:
            return self._ended(job, job.id, error, several, progress)
        return self._ended(job, job.id, job.error, several, progress)

    def _save(self, job: Job, place: Place, first: int, progress: Progress) -> Job:
        """Put the images of a succeeded job on disk, and print their paths, which the ledger knows by then.

        In that order, so that a reader of ours who went away, or a full disk behind stdout, leaves no image unmarked.
        """
        self._show(job, progress, "saving")
        shown: list[str] = []
        shelf = self._runtime.shelf(job, place, first=first, placed=shown.append)
        shown += [_from_here(image.path) for image in job.images if image.path and shelf.kept(image)]
        try:
            return self._runtime.collector.collect(job, shelf)
        finally:
            with progress.aside():
                for path in shown:
                    self._runtime.output.path(path)

    def _ended(
        self,
        job: Job | None,
        job_id: str,
        error: FluxError | None,
        several: bool,
        progress: Progress,
    ) -> FluxError | None:
        """Tell how a job ended, and that nothing more is to be said about it."""
        if job is not None and isinstance(error, LedgerError):
            error = self._unwritten(job, error)
        newest = self._runtime.ledger.find(job_id, sandbox=self._runtime.sandbox) if job and error else []
        with progress.aside():
            if error is not None:
                self._runtime.output.error(error, newest[0] if newest else job, named=several)
            elif job is not None and self._place is not None:
                self._runtime.output.finished(job)
        self._forget(job_id, progress)
        return error

    @staticmethod
    def _unwritten(job: Job, error: LedgerError) -> FluxError:
        """Return what a ledger that fails us means for a job that was bought: fetch it, never buy it again."""
        if job.status == "succeeded":
            return UnsavedError(error.message, hint=f"`flux result {job.id}` fetches it, or shows where it is")
        if job.active:
            message = f"job {job.id} goes on at {job.provider}, and is billed; {error.message}"
            return PendingError(message, hint=f"`flux result --wait {job.id}` fetches it")
        return UnknownOutcomeError(error.message, hint=f"`flux status {job.id}` asks about it")

    def _forget(self, job_id: str, progress: Progress) -> None:
        """Stop speaking of a job."""
        with self._lock:
            self._under_way.pop(job_id, None)
        progress.drop(job_id)

    def _show(self, job: Job, progress: Progress, activity: str = "") -> None:
        with self._lock:
            self._under_way[job.id] = job
        progress.show(job, activity=activity)

    def _sending(self) -> bool:
        with self._lock:
            return any(job.status == "submitting" for job in self._under_way.values())

    def _explain(self) -> None:
        """Say of every job that is under way what becomes of it without us."""
        with self._lock:
            left = list(self._under_way.values())
        for known in left:
            for job in self._runtime.ledger.find(known.id, sandbox=known.sandbox):
                if job.status == "succeeded" and not job.unsaved:
                    continue
                truth = self._truth(job)
                self._runtime.output.error(truth, replace(job, error=truth))

    def _truth(self, job: Job) -> FluxError:
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
                f"interrupted: job {job.id} was sent and not answered; it may have been accepted", hint=error.hint
            )
        if job.active:
            cancel = f"; `flux cancel {job.id}` takes it off the queue while it is queued" if provider.cancel else ""
            return PendingError(
                f"interrupted: job {job.id} goes on at {job.provider}, and is billed", hint=fetch + cancel
            )
        return job.error or RefusedError(f"interrupted: job {job.id} is {job.status}")

    def _give_up(self, job: Job) -> FluxError:
        """Write down that nobody will read the answer to a paid request. Return the job's error."""
        try:
            return self._runtime.engine.abandon(job).error or UnknownOutcomeError("no answer")
        except LedgerError as error:
            return error


def _from_here(path: str) -> str:
    """Return a path as it would be typed from the current folder."""
    found = Path(path)
    here = Path.cwd()
    return str(found.relative_to(here)) if found.is_relative_to(here) else path
