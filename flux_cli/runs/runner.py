"""One job at a time, from wherever it stands to images on disk, told about as it goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from flux_cli.engine.ports import PolicyName
from flux_cli.errors import (
    FluxError,
    LedgerError,
    LimitError,
    OutputError,
    PartialError,
    PendingError,
    ProtocolError,
    UnavailableError,
    UnknownOutcomeError,
    UnsavedError,
)
from flux_cli.jobs import Job
from flux_cli.money.limits import Limit, overrun
from flux_cli.runs.active import ActiveJobs, run_tasks
from flux_cli.runs.outcome import Outcome, exit_code_for, require_status
from flux_cli.runs.plan import PlannedJob
from flux_cli.runs.save import SaveOptions, open_store
from flux_cli.runs.workers import AT_ONCE
from flux_cli.runtime import Runtime

_ELSEWHERE = frozenset({"unavailable", "auth", "payment"})
"""Codes that prove that nothing was accepted, and that another provider may do better."""
_LEAST_SAVING = 5.0
"""Seconds for the downloads of a job that finishes just when its time is up: the image is there, so take it along."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What holds for every job of an errand."""

    place: SaveOptions | None
    """``None`` where nobody waits."""
    timeout: float
    """Seconds to wait for each job."""
    limits: Callable[[], Sequence[Limit]] = tuple
    """What no job may pass, asked whenever one is submitted."""
    retry: PolicyName = "submit"
    """How often a request that is refused for now is tried."""
    named: bool = False
    """Whether a failure must say of which job it speaks."""
    where: str = ""
    """The row that the jobs belong to, for people."""
    on_end: Callable[[Sequence[Job], FluxError | None], None] = lambda _jobs, _error: None
    """Told how each errand of `buy` and `fetch` ended: with which jobs, and what went wrong. Any thread may call it."""


def submit_jobs(runtime: Runtime, purchases: Sequence[PlannedJob], terms: RunOptions, *, at_once: int = AT_ONCE) -> int:
    """Submit every job, and wait and save unless there is no place. Return the exit code."""
    terms = replace(terms, named=len(purchases) > 1)
    tasks = [partial(_submit_job, runtime, purchase, terms) for purchase in purchases]
    outcomes = run_tasks(runtime, tasks, at_once=at_once)
    return exit_code_for(outcomes)


def _submit_job(runtime: Runtime, purchase: PlannedJob, terms: RunOptions, under_way: ActiveJobs) -> FluxError | None:
    end = JobRunner(runtime, under_way, terms).submit(purchase)
    under_way.count_end(end.jobs, end.error)
    return _report(terms, end)


def _report(terms: RunOptions, end: Outcome) -> FluxError | None:
    terms.on_end(end.jobs, end.error)
    return end.error


def collect_jobs(
    runtime: Runtime, jobs: Sequence[Job], terms: RunOptions, *, wait: bool, at_once: int = AT_ONCE
) -> int:
    """Save the images of every job, waiting for those that are not finished if ``wait``. Return the exit code."""
    sizes = [max(len(job.images), job.count) for job in jobs]
    firsts = [1 + sum(sizes[:number]) for number in range(len(jobs))]
    terms = replace(terms, named=len(jobs) > 1)
    tasks = [
        partial(_collect_job, runtime, replace(job, first_index=first), terms, wait=wait)
        for job, first in zip(jobs, firsts, strict=True)
    ]
    outcomes = run_tasks(runtime, tasks, at_once=at_once)
    return exit_code_for(outcomes)


def _collect_job(
    runtime: Runtime, job: Job, terms: RunOptions, under_way: ActiveJobs, *, wait: bool
) -> FluxError | None:
    end = JobRunner(runtime, under_way, terms).collect(job, first=job.first_index, wait=wait)
    under_way.count_end((), end.error)  # bought before
    return _report(terms, end)


class JobRunner:
    """Gets the images of one job: submits it where it is new, waits, and saves."""

    def __init__(
        self, runtime: Runtime, under_way: ActiveJobs, terms: RunOptions, *, deadline: float | None = None
    ) -> None:
        """Report to ``under_way``. The time-out begins now, or ends at the ``deadline``, a reading of the clock."""
        self._runtime = runtime
        self._under_way = under_way
        self._terms = terms
        self._deadline = runtime.clock.monotonic() + terms.timeout if deadline is None else deadline

    def submit(self, purchase: PlannedJob) -> Outcome:
        """Submit a new job, and take it to its end; where the provider accepts nothing, go on to the next one."""
        job = replace(purchase.job, created_at=self._runtime.clock.now())
        self._under_way.show(job, "sending")
        try:
            job = self._runtime.engine.submit(
                job,
                purchase.order,
                limits=self._terms.limits(),
                policy=self._terms.retry,
                deadline=self._deadline,
            )
        except FluxError as error:
            if purchase.fallbacks and error.code in _ELSEWHERE and not isinstance(error, LimitError):
                return self._fall_back(purchase, error)
            return self._report_end(None, job, error)
        if purchase.fallbacks and job.status == "failed" and job.error is not None and job.error.code in _ELSEWHERE:
            return self._fall_back(purchase, job.error)
        return self._finish(job, purchase.job.first_index, wait=True)

    def _fall_back(self, purchase: PlannedJob, error: FluxError) -> Outcome:
        """Make the same images at the next provider, because this one said that it accepted nothing."""
        self._under_way.forget(purchase.job.id)
        with self._under_way.pause():
            self._runtime.output.note(f"switching to {purchase.fallbacks[0].job.provider}: {error.message}")
        several = replace(self._terms, named=self._terms.named or len(purchase.fallbacks) > 1)
        ends = [
            JobRunner(self._runtime, self._under_way, several, deadline=self._deadline).submit(one)
            for one in purchase.fallbacks
        ]
        failed = [end.error for end in ends if end.error is not None]
        failed.sort(key=lambda one: one.retry != "never")  # what must not be tried again has the last word
        outcome: FluxError | None = failed[0] if failed else None
        if failed and len(failed) < len(ends):
            outcome = PartialError("some images were made, some were not")
        jobs = [job for end in ends for job in end.jobs]
        return Outcome(job=jobs[0] if jobs else None, error=outcome, others=tuple(jobs[1:]))

    def collect(self, job: Job, *, first: int, wait: bool) -> Outcome:
        """Save the images of a job that was submitted before, ``first`` being the number of the first of them."""
        self._under_way.show(job)
        try:
            if job.active or job.status == "unknown":
                job = self._refresh(job, wait=wait)
            if wait and job.status == "unknown" and job.remote_id is not None:
                job = self._wait_until_known(job)
        except FluxError as error:
            return self._report_end(job, job, error)
        return self._finish(job, first, wait=wait)

    def _refresh(self, job: Job, *, wait: bool) -> Job:
        """Return the job as its provider has it now; a look that fails for now is taken again where we wait anyway.

        Where only its id is wanted, it is looked at once and without a pause, and a look that fails changes nothing.
        """
        if self._terms.place is None:
            with suppress(UnavailableError, ProtocolError):
                job = self._runtime.engine.look(job)
            return job
        try:
            return self._runtime.engine.refresh(job, deadline=self._deadline)
        except (UnavailableError, ProtocolError):
            if not wait or job.remote_id is None:
                raise
            return job

    def _wait_until_known(self, job: Job) -> Job:
        """Wait until its provider speaks of a job, which some do only once they have started it. Return the job."""
        with suppress(PendingError):
            for job in self._watch(job):  # noqa: B020, PLR1704 - the same job, later
                self._under_way.show(job)
                if job.status != "unknown":
                    break
        return job

    def _watch(self, job: Job) -> Iterator[Job]:
        return self._runtime.engine.watch(job, timeout=self._terms.timeout, deadline=self._deadline)

    def _finish(self, job: Job, first: int, *, wait: bool) -> Outcome:
        """Take a submitted job to its end, and tell of it."""
        self._under_way.show(job)
        place = self._terms.place
        try:
            if place is None:
                if job.status == "unknown" and not self._runtime.flags.json:  # there the error holds the id
                    with self._under_way.pause():
                        self._runtime.output.submitted(job)
                require_status(job, "queued", "running", "succeeded")
                with self._under_way.pause():
                    self._runtime.output.submitted(job)
            else:
                if job.active and wait:
                    for job in self._watch(job):  # noqa: B020, PLR1704 - the same job, later
                        self._under_way.show(job)
                require_status(job, "succeeded")
                job = self._save(job, place, first)
        except FluxError as error:
            return self._report_end(job, job, error)
        return self._report_end(job, job, job.error)

    def _save(self, job: Job, place: SaveOptions, first: int) -> Job:
        """Put the images of a succeeded job on disk, and print their paths, which the ledger knows by then.

        In that order, so that a reader of ours who went away, or a full disk behind stdout, leaves no image unmarked.
        """
        self._under_way.show(job, "saving")
        if job.has_unsaved_images and (dearer := overrun(job)):
            self._under_way.note_once(dearer)
        shown: list[str] = []
        shelf = open_store(self._runtime, job, place, first=first, on_saved=shown.append)
        shown += [_relative_path(image.path) for image in job.images if image.path and shelf.is_saved(image)]
        try:
            deadline = max(self._deadline, self._runtime.clock.monotonic() + _LEAST_SAVING)
            return self._runtime.fetcher.fetch(job, shelf, deadline=deadline)
        finally:
            with self._under_way.pause():
                for path in shown:
                    self._runtime.output.path(path)
            self._runtime.saved.append((job.row or 0, first, shown))

    def _report_end(self, job: Job | None, known: Job, error: FluxError | None) -> Outcome:
        """Tell how a job ended, and that nothing more is to be said about it; ``known`` is what we set out with."""
        if job is not None and isinstance(error, LedgerError):
            error = _explain_ledger_failure(job, error)
        if job is not None and error is None and self._terms.place is not None:
            try:
                with self._under_way.pause():
                    self._runtime.output.finished(job)
            except OutputError as lost:
                error = lost
        newest = self._runtime.ledger.find(known.id, sandbox=self._runtime.sandbox) if job and error else []
        job = newest[0] if newest else job
        if job is not None and isinstance(error, OutputError):
            error = _explain_output_failure(job, error)
        if error is not None:
            with self._under_way.pause():
                self._runtime.output.error(error, job, where=self._where(known), row=row_of(known))
        self._under_way.forget(known.id)
        return Outcome(job=job, error=error)

    def _where(self, job: Job) -> str:
        """Return of what a failure speaks, where that is not plain."""
        return self._terms.where or (f"job {job.id}" if self._terms.named else "")


def row_of(job: Job) -> dict[str, object]:
    """Return the place of a job within its batch, for errors of a job that was never written down."""
    return {} if job.batch is None else {"run": job.run, "row": job.row, "batch": job.batch, "prompt": job.prompt}


def _explain_ledger_failure(job: Job, error: LedgerError) -> FluxError:
    """Return what a ledger that fails us means for a job that was bought: fetch it, never buy it again."""
    if job.status == "succeeded":
        return UnsavedError(error.message, hint=f"`flux result {job.id}` fetches it, or shows where it is")
    if job.active:
        message = f"job {job.id} continues at {job.provider} and is billed; {error.message}"
        return PendingError(message, hint=f"`flux result --wait {job.id}` fetches it")
    return UnknownOutcomeError(error.message, hint=f"`flux status {job.id}` asks about it")


def _explain_output_failure(job: Job, error: OutputError) -> OutputError:
    """Return what a standard output that takes nothing means for a job: what was saved, or goes on, all the same."""
    paths = [_relative_path(image.path) for image in job.images if image.path]
    if job.active:
        message = f"job {job.id} continues at {job.provider} and is billed"
        return OutputError(f"{error.message}; {message}", hint=f"`flux result --wait {job.id}` fetches it")
    told = f"; saved: {', '.join(paths)}" if paths else ""
    return OutputError(f"{error.message}{told}", hint=f"`flux result {job.id}` prints where the images are")


def _relative_path(path: str) -> str:
    """Return a path as it would be typed from the current folder."""
    found = Path(path)
    here = Path.cwd()
    return str(found.relative_to(here)) if found.is_relative_to(here) else path
