"""Say what became of jobs: their outcomes, the paths that were saved, and the exit code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from flux_cli.errors import Charged, FluxError, NotFoundError, PendingError, RefusedError, UnknownOutcomeError
from flux_cli.jobs import Job
from flux_cli.text import printable


class Outcome(NamedTuple):
    """How one planned or known job ended."""

    job: Job | None
    """The job as it was last seen; ``None`` where none was written down."""
    error: FluxError | None = None
    others: tuple[Job, ...] = ()
    """The further jobs that made the rest of the same images, where one became several."""
    paths: tuple[str, ...] = ()
    """Its images on disk, in order, relative to the current folder where they are below it."""

    @property
    def jobs(self) -> tuple[Job, ...]:
        """Every job that was written down."""
        return self.others if self.job is None else (self.job, *self.others)


def require_status(job: Job, *wanted: str) -> None:
    """Raise the `FluxError` of a job that is in none of the ``wanted`` states."""
    if job.status in wanted:
        return
    if job.active:
        hint = f"`flux result --wait {job.id}` waits for it"
        raise PendingError(f"job {job.id} is not finished: {job.status_text}", hint=hint)
    if job.error is not None:
        raise job.error
    if job.status == "unknown" and job.model is None and job.remote_id is not None:  # taken over, not sent by flux
        hint = f"check the id; `flux result --wait {job.id}` waits for it, `flux status --forget {job.id}` forgets it"
        raise NotFoundError(f"{job.provider} does not know a job {printable(job.remote_id)}, or not yet", hint=hint)
    if job.status == "unknown":
        raise UnknownOutcomeError(f"{job.provider} has not confirmed that it accepted job {job.id}")
    paid = job.cost is not None and job.cost.amount > 0
    hint = f"`flux generate --like {job.id}` starts it again, as a new paid job"
    charged: Charged = "unknown" if job.status != "cancelled" else "yes" if paid else "no"
    raise RefusedError(f"job {job.id} is {job.status}", hint=hint, charged=charged)


def saved_paths(outcomes: Iterable[Outcome]) -> list[str]:
    """Return the paths of all saved images, by row of the batch, and within a row in the order of the outcomes."""
    ordered = sorted(outcomes, key=lambda one: (one.job.row or 0) if one.job is not None else 0)
    return [path for one in ordered for path in one.paths]


def exit_code_for(outcomes: Sequence[FluxError | None]) -> int:
    """Return the exit code for several outcomes: theirs if they agree, 9 if some went well, else 1."""
    codes = {0 if error is None else error.exit_code for error in outcomes}
    if len(codes) <= 1:
        return codes.pop() if codes else 0
    return 9 if 0 in codes or 9 in codes else 1  # noqa: PLR2004 - partial
