"""What jobs cost, and the limits that a person sets: all of it pure, in USD unless a name says otherwise."""

from __future__ import annotations

from dataclasses import dataclass

from flux_cli.errors import PaymentError, UsageError
from flux_cli.jobs import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """An amount that the jobs of one run, or those since some moment, may not pass."""

    name: str
    """As a person set it, such as ``--max-cost 5`` or ``budget.daily``."""
    amount: float
    """USD."""
    run: str = ""
    """The run it holds for; empty for a budget."""
    since: float = 0.0
    """Start of the time it holds for, in seconds since 1970, where it is a budget."""


def counted(job: Job) -> float | None:
    """Return what a job counts for in sums and limits, in USD: its cost, else what it may come to.

    ``None`` where nobody can tell. What the provider refused or we took off the queue costs nothing.
    """
    if job.cost is not None and job.cost.currency == "USD":
        return job.cost.amount
    if job.status == "cancelled" or (job.status == "failed" and job.error is not None and job.error.charged == "no"):
        return 0.0
    return job.estimate


def check(limit: Limit, job: Job, spent: tuple[float, int]) -> None:
    """Make sure that ``job`` does not pass ``limit``, of which ``spent`` USD are gone.

    The second number of ``spent`` counts the jobs whose cost nobody knows. Raises `PaymentError` where the limit would
    be passed, `UsageError` where nobody can tell what the job costs: then the limit cannot be kept.
    """
    if job.estimate is None:
        raise unknown_price(limit, job.provider, job.model or "")
    gone, unknown = spent
    if gone + job.estimate > limit.amount + _DUST:
        more = f", beside {unknown} jobs of unknown cost" if unknown else ""
        raise PaymentError(
            f"{limit.name} would be passed: ${gone:.2f} of ${limit.amount:.2f} are spent or reserved{more}, "
            f"and this job is expected to cost ${job.estimate:.2f}",
            hint="`flux status --spend` shows what was spent" if not limit.run else "give a larger --max-cost",
        )


_DUST = 1e-9
"""What sums of floating-point numbers are off by, at most."""


def unknown_price(limit: Limit, provider: str, model: str) -> UsageError:
    """Return the error of a limit that cannot be kept, because nobody tells the price of an image."""
    return UsageError(
        f"nobody tells what an image of {model} costs at {provider}, so {limit.name} cannot be kept",
        hint=f"tell it what you pay: `flux config set providers.{provider}.price.{model} 0.06`",
    )
