"""What became of a job, and the exit code of several outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flux_cli.errors import Charged, FluxError, PendingError, RefusedError, UnknownOutcomeError
from flux_cli.jobs import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an errand ended."""

    job: Job | None
    """The job as it was last seen; ``None`` where none was written down."""
    error: FluxError | None = None
    others: tuple[Job, ...] = ()
    """The further jobs that made the rest of the same images, where one became several."""

    @property
    def jobs(self) -> tuple[Job, ...]:
        """Every job that was written down."""
        return self.others if self.job is None else (self.job, *self.others)


def require_status(job: Job, *wanted: str) -> None:
    """Raise what it means that a job is in none of the ``wanted`` states."""
    if job.status in wanted:
        return
    if job.active:
        hint = f"`flux result --wait {job.id}` waits for it"
        raise PendingError(f"job {job.id} is not finished: {job.status_text}", hint=hint)
    if job.error is not None:
        raise job.error
    if job.status == "unknown":
        raise UnknownOutcomeError(f"{job.provider} has not confirmed that it accepted job {job.id}")
    paid = job.cost is not None and job.cost.amount > 0
    hint = f"`flux generate --like {job.id}` starts it again, as a new paid job"
    charged: Charged = "unknown" if job.status != "cancelled" else "yes" if paid else "no"
    raise RefusedError(f"job {job.id} is {job.status}", hint=hint, charged=charged)


def exit_code_for(outcomes: Sequence[FluxError | None]) -> int:
    """Return the exit code for several outcomes: theirs if they agree, 9 if some went well, else 1."""
    codes = {0 if error is None else error.exit_code for error in outcomes}
    if len(codes) <= 1:
        return codes.pop() if codes else 0
    return 9 if 0 in codes or 9 in codes else 1  # noqa: PLR2004 - partial
