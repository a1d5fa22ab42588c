"""Run one job to the end: submit it if it is new, wait, save its images, and report progress."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from flux_cli.providers.base import PlannedJob
from flux_cli.runs.active import ActiveJobs, run_tasks
from flux_cli.runs.outcome import Outcome, require_status
from flux_cli.runs.save import SaveOptions, open_store
from flux_cli.runs.workers import AT_ONCE
from flux_cli.runtime import Runtime

_ELSEWHERE = frozenset({"unavailable", "auth", "payment"})
"""Codes that prove that nothing was accepted, and that another provider may do better."""
_LEAST_SAVING = 5.0
"""Seconds for the downloads of a job that finishes just when its time is up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What holds for every job of a run."""

    save: SaveOptions | None
    """``None`` where the run does not wait for images."""
    timeout: float
    """Seconds to wait for each job."""
    limits: Callable[[], Sequence[Limit]] = tuple
    """The limits that no job may exceed, read whenever one is submitted."""
    retry: PolicyName = "submit"
    """How often a request that is refused for now is tried."""
    named: bool = False
    """Whether a failure names its job, because there are several."""
    where: str = ""
    """The row that the jobs belong to, for people."""


OnEnd = Callable[[Sequence[Job], FluxError | None], None]
"""Called with the jobs of each outcome and its error as soon as it is known, from any thread."""


def submit_jobs(
    runtime: Runtime, jobs: Sequence[tuple[PlannedJob, RunOptions]], *, on_end: OnEnd, at_once: int = AT_ONCE
) -> list[Outcome]:
    """Submit every job, and wait and save unless its options save nothing. Return the outcomes, in order."""

    def submit(planned: PlannedJob, options: RunOptions, active: ActiveJobs) -> Outcome:
        outcome = JobRunner(runtime, active, replace(options, named=len(jobs) > 1)).submit(planned)
        active.count_end(outcome.jobs, outcome.error)
        on_end(outcome.jobs, outcome.error)
        return outcome

    return run_tasks(runtime, [partial(submit, *one) for one in jobs], at_once=at_once)


def collect_jobs(
    runtime: Runtime,
    jobs: Sequence[Job],
    options: RunOptions,
    *,
    wait: bool,
    on_end: OnEnd = lambda _jobs, _error: None,
    at_once: int = AT_ONCE,
) -> list[Outcome]:
    """Save the images of every job, waiting for those that are not finished if ``wait``. Return the outcomes."""
    sizes = [max(len(job.images), job.count) for job in jobs]
    firsts = [1 + sum(sizes[:number]) for number in range(len(jobs))]
    options = replace(options, named=len(jobs) > 1)

    def collect(job: Job, first: int, active: ActiveJobs) -> Outcome:
        outcome = JobRunner(runtime, active, options).collect(job, first=first, wait=wait)
        active.count_end((), outcome.error)  # bought before
        on_end(outcome.jobs, outcome.error)
        return outcome

    tasks = [partial(collect, job, first) for job, first in zip(jobs, firsts, strict=True)]
    return run_tasks(runtime, tasks, at_once=at_once)


class JobRunner:
    """Gets the images of one job: submits it where it is new, waits, and saves."""

    def __init__(
        self, runtime: Runtime, active: ActiveJobs, options: RunOptions, *, deadline: float | None = None
    ) -> None:
        """Report to ``active``. The time-out begins now, or ends at the ``deadline``, a reading of the clock."""
        self._runtime = runtime
        self._active = active
        self._options = options
        self._deadline = runtime.clock.monotonic() + options.timeout if deadline is None else deadline
        self._paths: tuple[str, ...] = ()

    def submit(self, planned: PlannedJob) -> Outcome:
        """Submit a new job, and run it to the end; where the provider accepts nothing, go on to the next one."""
        new = replace(planned.job, created_at=self._runtime.clock.now())
        self._active.show(new, "sending")
        try:
            job = self._runtime.engine.submit(
                replace(planned, job=new),
                limits=self._options.limits(),
                policy=self._options.retry,
                deadline=self._deadline,
            )
        except FluxError as error:
            if planned.fallbacks and error.code in _ELSEWHERE and not isinstance(error, LimitError):
                return self._fall_back(planned, error)
            return self._report_end(None, new, error)
        if planned.fallbacks and job.status == "failed" and job.error is not None and job.error.code in _ELSEWHERE:
            return self._fall_back(planned, job.error)
        return self._finish(job, new.first_index, wait=True)

    def _fall_back(self, planned: PlannedJob, error: FluxError) -> Outcome:
        """Make the same images at the next provider, because this one accepted nothing."""
        self._active.forget(planned.job.id)
        with self._active.pause():
            self._runtime.output.note(f"switching to {planned.fallbacks[0].job.provider}: {error.message}")
        several = replace(self._options, named=self._options.named or len(planned.fallbacks) > 1)
        outcomes = [
            JobRunner(self._runtime, self._active, several, deadline=self._deadline).submit(one)
            for one in planned.fallbacks
        ]
        errors = [one.error for one in outcomes if one.error is not None]
        errors.sort(key=lambda one: one.retry != "never")  # what must not be tried again has the last word
        final: FluxError | None = errors[0] if errors else None
        if errors and len(errors) < len(outcomes):
            final = PartialError("some images were made, some were not")
        jobs = [job for one in outcomes for job in one.jobs]
        return Outcome(
            job=jobs[0] if jobs else None,
            error=final,
            others=tuple(jobs[1:]),
            paths=tuple(path for one in outcomes for path in one.paths),
        )

    def collect(self, job: Job, *, first: int, wait: bool) -> Outcome:
        """Save the images of a job that was submitted before, ``first`` being the number of the first of them."""
        self._active.show(job)
        try:
            if job.active or job.status == "unknown":
                job = self._refresh(job, wait=wait)
            if wait and job.status == "unknown" and job.remote_id is not None:
                with suppress(PendingError):  # some providers know a job only once they have started it
                    job = self._wait(job, until_known=True)
        except FluxError as error:
            return self._report_end(job, job, error)
        return self._finish(job, first, wait=wait)

    def _refresh(self, job: Job, *, wait: bool) -> Job:
        """Return the job as its provider has it now; a failed look is repeated by the waiting, where there is any.

        Where only its id is needed, it is looked at once and without a pause, and a look that fails changes nothing.
        """
        if self._options.save is None:
            with suppress(UnavailableError, ProtocolError):
                job = self._runtime.engine.look(job)
            return job
        try:
            return self._runtime.engine.refresh(job, deadline=self._deadline)
        except (UnavailableError, ProtocolError):
            if not wait or job.remote_id is None:
                raise
            return job

    def _wait(self, job: Job, *, until_known: bool = False) -> Job:
        """Wait until a job is finished, or ``until_known`` to its provider. Return the job as it is then."""
        for job in self._runtime.engine.watch(job, timeout=self._options.timeout, deadline=self._deadline):  # noqa: B020, PLR1704 - the same job, later
            self._active.show(job)
            if until_known and job.status != "unknown":
                break
        return job

    def _finish(self, job: Job, first: int, *, wait: bool) -> Outcome:
        """Run a submitted job to its end, and report it."""
        self._active.show(job)
        try:
            if self._options.save is None:
                if job.status == "unknown" and not self._runtime.flags.json:  # there the error holds the id
                    self._print_submitted(job)
                require_status(job, "queued", "running", "succeeded")
                self._print_submitted(job)
            else:
                if job.active and wait:
                    job = self._wait(job)
                require_status(job, "succeeded")
                job = self._save(job, self._options.save, first)
        except FluxError as error:
            return self._report_end(job, job, error)
        return self._report_end(job, job, job.error)

    def _print_submitted(self, job: Job) -> None:
        with self._active.pause():
            self._runtime.output.submitted(job)

    def _save(self, job: Job, options: SaveOptions, first: int) -> Job:
        """Put the images of a succeeded job on disk, and print their paths, which the ledger knows by then.

        In that order, so that a closed pipe or a full disk behind stdout leaves no image unrecorded.
        """
        self._active.show(job, "saving")
        if job.has_unsaved_images and (dearer := overrun(job)):
            self._active.note_once(dearer)
        paths: list[str] = []
        store = open_store(self._runtime, job, options, first=first, on_saved=paths.append)
        paths += [_relative_path(image.path) for image in job.images if image.path and store.is_saved(image)]
        try:
            deadline = max(self._deadline, self._runtime.clock.monotonic() + _LEAST_SAVING)
            return self._runtime.fetcher.fetch(job, store, deadline=deadline)
        finally:
            with self._active.pause():
                for path in paths:
                    self._runtime.output.path(path)
            self._paths = tuple(paths)

    def _report_end(self, job: Job | None, known: Job, error: FluxError | None) -> Outcome:
        """Print how a job ended, and return it; ``known`` is the job at the start."""
        if job is not None and isinstance(error, LedgerError):
            error = _explain_ledger_failure(job, error)
        if job is not None and error is None and self._options.save is not None:
            try:
                with self._active.pause():
                    self._runtime.output.finished(job)
            except OutputError as lost:
                error = lost
        newest = self._runtime.ledger.find(known.id, sandbox=self._runtime.sandbox) if job and error else []
        job = newest[0] if newest else job
        if job is not None and isinstance(error, OutputError):
            error = _explain_output_failure(job, error)
        if error is not None:
            where = self._options.where or (f"job {known.id}" if self._options.named else "")
            with self._active.pause():
                self._runtime.output.error(error, job, where=where, row=row_of(known))
        self._active.forget(known.id)
        return Outcome(job=job, error=error, paths=self._paths)


def row_of(job: Job) -> dict[str, object]:
    """Return a job's fields within its batch, for errors of a job that is not in the ledger."""
    names = ("run", "row", "batch", "provider", "model", "prompt")
    return {} if job.batch is None else {name: getattr(job, name) for name in names}


def _explain_ledger_failure(job: Job, error: LedgerError) -> FluxError:
    """Return the error of a paid job whose ledger entry cannot be written: fetch it, never buy it again."""
    if job.status == "succeeded":
        return UnsavedError(error.message, hint=f"`flux result {job.id}` fetches it, or shows where it is")
    if job.active:
        message = f"job {job.id} continues at {job.provider} and is billed; {error.message}"
        return PendingError(message, hint=f"`flux result --wait {job.id}` fetches it")
    return UnknownOutcomeError(error.message, hint=f"`flux status {job.id}` asks about it")


def _explain_output_failure(job: Job, error: OutputError) -> OutputError:
    """Return the error of a job whose result cannot be printed: it names the saved files, or says that the job runs."""
    paths = [_relative_path(image.path) for image in job.images if image.path]
    if job.active:
        message = f"job {job.id} continues at {job.provider} and is billed"
        return OutputError(f"{error.message}; {message}", hint=f"`flux result --wait {job.id}` fetches it")
    saved = f"; saved: {', '.join(paths)}" if paths else ""
    return OutputError(f"{error.message}{saved}", hint=f"`flux result {job.id}` prints where the images are")


def _relative_path(path: str) -> str:
    """Return a path relative to the current folder, if it is below it."""
    found = Path(path)
    here = Path.cwd()
    return str(found.relative_to(here)) if found.is_relative_to(here) else path
