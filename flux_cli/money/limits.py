"""What jobs cost, and the limits that a person sets: all of it pure, in USD unless a name says otherwise.

A job's own row in the ledger is its reservation: while the job is under way it counts with what it was expected to
cost, afterwards with what it did cost. So a limit holds from the moment at which the row is written.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from flux_cli.errors import LimitError, UsageError
from flux_cli.jobs import Job

PERIODS = {"daily": "today", "monthly": "this month"}
"""The budgets that can be set, and the time that each holds for."""
_DUST = 1e-6
"""What sums of floating-point numbers are off by, at most."""


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

    @property
    def hint(self) -> str:
        """What to do once it is reached."""
        return "raise --max-cost" if self.run else "`flux status --spend --by day` shows what was spent"


def final_cost(job: Job) -> float | None:
    """Return what a job did cost, in USD, ``None`` where nobody told.

    What the provider refused or we took off the queue costs nothing.
    """
    if job.cost is not None and job.cost.currency == "USD":
        return job.cost.amount
    charged = job.error.charged if job.error is not None else "no" if job.status == "cancelled" else "unknown"
    if job.status in {"failed", "cancelled"} and charged == "no":
        return 0.0
    return None


def counted_cost(job: Job) -> float | None:
    """Return what a job counts for in sums and limits, in USD: its cost, else what it may come to.

    ``None`` where nobody can tell.
    """
    cost = final_cost(job)
    return job.estimate if cost is None else cost


def overrun(job: Job) -> str:
    """Return in a sentence that a job cost more than was expected; nothing where it did not, or nobody can tell."""
    if job.estimate is None or job.cost is None or job.cost.currency != "USD":
        return ""
    if job.cost.amount <= job.estimate + _DUST:
        return ""
    return (
        f"{job.provider} charged {format_usd(job.cost.amount)} for a job with {job.model}, "
        f"{format_usd(job.estimate)} was expected; `flux providers {job.provider} --check` compares prices"
    )


def in_credits(job: Job) -> float | None:
    """Return what a job did cost in its provider's own credits, ``None`` where it does not count in such."""
    return job.cost.amount if job.cost is not None and job.cost.currency != "USD" else None


def limits(budget: Mapping[str, float], *, run: str, max_cost: float | None, now: float) -> tuple[Limit, ...]:
    """Return what the jobs of ``run`` may not pass: ``--max-cost``, and each budget since its day or month began.

    Days and months are those of this machine's local time; ``now`` is in seconds since 1970. Raises
    `UsageError` for a ``max_cost`` that is no amount.
    """
    if max_cost is not None and not 0 <= max_cost < math.inf:
        raise UsageError(
            f"--max-cost takes an amount in USD, 0 or more, not {max_cost:g}", hint="such as `--max-cost 5`"
        )
    found = [] if max_cost is None else [Limit(name=f"--max-cost {max_cost:g}", amount=max_cost, run=run)]
    day = datetime.fromtimestamp(now).astimezone().replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    starts = {"daily": day, "monthly": day.replace(day=1)}
    found += [
        Limit(name=f"budget.{period}", amount=budget[period], since=starts[period].timestamp())
        for period in PERIODS
        if period in budget
    ]
    return tuple(found)


def check(limit: Limit, job: Job, spent: tuple[float, int]) -> None:
    """Make sure that ``job`` does not pass ``limit``, of which ``spent`` USD are gone.

    The second number of ``spent`` counts the jobs whose cost nobody knows. Raises `LimitError` where the limit would
    be passed, `UsageError` where nobody can tell what the job costs: then the limit cannot be kept.
    """
    estimate = _price(job, limit)
    if spent[0] + estimate > limit.amount + _DUST:
        raise _passed(limit, spent, f"this job is expected to cost {format_usd(estimate)}")


def check_estimates(
    jobs: Sequence[Job],
    limits: Sequence[Limit],
    spent: Callable[[Limit], tuple[float, int]],
    *,
    instead: Iterable[Job] = (),
) -> tuple[str, ...]:
    """Make sure, before anything is sent, that all of ``jobs`` together pass none of the ``limits``.

    ``spent`` tells what is gone of a limit, as `check` wants it; ``instead`` are jobs that may come in the place of
    others, so that their prices must be known as well. Returns a sentence for each limit that old jobs of unknown cost
    make less certain than it looks. Raises `LimitError` and `UsageError`, as `check` does.
    """
    doubts: list[str] = []
    for limit in limits:
        expected = sum(_price(job, limit) for job in jobs)
        for job in instead:
            _price(job, limit)
        gone = spent(limit)
        if jobs and gone[0] + expected > limit.amount + _DUST:
            several = f"these {len(jobs)} jobs are" if len(jobs) > 1 else "this job is"
            raise _passed(limit, gone, f"{several} expected to cost {format_usd(expected)}")
        if gone[1]:
            doubts.append(f"{limit.name} does not count {_unknown(gone[1])}")
    return tuple(doubts)


def _price(job: Job, limit: Limit) -> float:
    """Return what a job is expected to cost. Raises `UsageError` where nobody can tell."""
    if job.estimate is None:
        raise unknown_price(limit, job.provider, job.model or "")
    return job.estimate


def _passed(limit: Limit, spent: tuple[float, int], expected: str) -> LimitError:
    gone, unknown = spent
    more = f", plus {_unknown(unknown)}" if unknown else ""
    return LimitError(
        f"this would exceed {limit.name}: {format_usd(gone)} of {format_usd(limit.amount)} "
        f"are spent or reserved{more}, and {expected}",
        hint=limit.hint,
    )


def _unknown(jobs: int) -> str:
    return f"{jobs} {'job' if jobs == 1 else 'jobs'} of unknown cost"


def unknown_price(limit: Limit, provider: str, model: str) -> UsageError:
    """Return the error of a limit that cannot be kept, because nobody tells the price of an image."""
    return UsageError(
        f"no price is known for {model} at {provider}, so {limit.name} cannot be enforced",
        hint=f"set what you pay: `flux config set providers.{provider}.price.{model} 0.06`",
    )


def remaining(limit: Limit, spent: tuple[float, int]) -> str:
    """Return what is left of a budget, as a sentence for people."""
    gone, unknown = spent
    when = PERIODS[limit.name.removeprefix("budget.")]
    more = f", not counting {_unknown(unknown)}" if unknown else ""
    return f"{limit.name}: {format_usd(max(limit.amount - gone, 0))} of {format_usd(limit.amount)} left {when}{more}"


def format_usd(amount: float) -> str:
    """Return an amount for people: to the cent, and in as many places as it takes where a cent is too coarse."""
    cents = f"{amount:.2f}"
    return f"${cents}" if abs(float(cents) - amount) < _DUST else f"${amount:.6f}".rstrip("0")
