"""Check what jobs cost against the limits that the user sets: pure functions, in USD unless a name says otherwise.

A job's own row in the ledger is its reservation: it counts as its estimate while the job is active, and as its real
cost afterwards. So a limit holds from the moment the row is written.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from flux_cli import providers
from flux_cli.errors import LimitError, UsageError
from flux_cli.jobs import Job

PERIODS = {"daily": "today", "monthly": "this month"}
"""The budgets that can be set, and the words for their period."""
_ROUNDING = 1e-6
"""The largest error of sums of floating-point numbers."""


class Limit(NamedTuple):
    """An amount that the jobs of one run, or those since some moment, may not exceed."""

    name: str
    """As the user sets it, such as ``--max-cost 5`` or ``budget.daily``."""
    amount: float
    """USD."""
    run: str = ""
    """The run it applies to; empty for a budget."""
    since: float = 0.0
    """Start of a budget's period, in seconds since 1970."""

    @property
    def hint(self) -> str:
        """What to do when it is reached."""
        return "raise --max-cost" if self.run else "`flux status --spend --by day` shows what was spent"


def final_cost(job: Job) -> float | None:
    """Return what a job cost, in USD, or ``None`` if unknown.

    A job that the provider refused or that was cancelled in the queue costs nothing.
    """
    if job.cost is not None and job.cost.currency == "USD":
        return job.cost.amount
    charged = job.error.charged if job.error is not None else "no" if job.status == "cancelled" else "unknown"
    if job.status in {"failed", "cancelled"} and charged == "no":
        return 0.0
    return None


def counted_cost(job: Job) -> float | None:
    """Return what a job counts for in sums and limits, in USD: its cost, else its estimate.

    ``None`` where neither is known.
    """
    cost = final_cost(job)
    return job.estimate if cost is None else cost


def overrun(job: Job) -> str:
    """Return a sentence if a job cost more than its estimate, else an empty string."""
    if job.estimate is None or job.cost is None or job.cost.currency != "USD":
        return ""
    if job.cost.amount <= job.estimate + _ROUNDING:
        return ""
    return (
        f"{job.provider} charged {format_usd(job.cost.amount)} for a job with {job.model}, "
        f"{format_usd(job.estimate)} was expected; `flux providers {job.provider}` shows the prices that flux expects, "
        "and `flux help money` how to set your own"
    )


def in_credits(job: Job) -> float | None:
    """Return what a job cost in its provider's credits, ``None`` where it is not charged in credits."""
    return job.cost.amount if job.cost is not None and job.cost.currency != "USD" else None


def limits(budget: Mapping[str, float], *, run: str, max_cost: float | None, now: float) -> tuple[Limit, ...]:
    """Return the limits on the jobs of ``run``: ``--max-cost``, and each budget since its day or month began.

    Days and months are in this machine's local time; ``now`` is in seconds since 1970. Raises `UsageError` for a
    ``max_cost`` that is not an amount.
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
    """Raise `LimitError` if ``job`` would exceed ``limit``, of which ``spent`` is used.

    ``spent`` is an amount in USD and the number of jobs of unknown cost. Raises `UsageError` where no price of the job
    is known, since the limit cannot be enforced then.
    """
    estimate = _require_estimate(job, limit)
    if spent[0] + estimate > limit.amount + _ROUNDING:
        raise _limit_error(limit, spent, f"this job is expected to cost {format_usd(estimate)}")


def check_estimates(
    jobs: Sequence[Job],
    limits: Sequence[Limit],
    spent: Callable[[Limit], tuple[float, int]],
    *,
    instead: Iterable[Job] = (),
) -> tuple[str, ...]:
    """Raise `LimitError` if all of ``jobs`` together would exceed one of the ``limits``, before anything is sent.

    ``spent`` returns what is used of a limit, as `check` takes it; ``instead`` are fallbacks of other jobs, whose
    prices must be known as well. Returns a sentence for each limit that does not count earlier jobs of unknown cost.
    Raises `UsageError` as `check` does.
    """
    warnings: list[str] = []
    for limit in limits:
        expected = sum(_require_estimate(job, limit) for job in jobs)
        for job in instead:
            _require_estimate(job, limit)
        used = spent(limit)
        if jobs and used[0] + expected > limit.amount + _ROUNDING:
            several = f"these {len(jobs)} jobs are" if len(jobs) > 1 else "this job is"
            raise _limit_error(limit, used, f"{several} expected to cost {format_usd(expected)}")
        if used[1]:
            warnings.append(f"{limit.name} does not count {_unknown(used[1])}")
    return tuple(warnings)


def _require_estimate(job: Job, limit: Limit) -> float:
    """Return a job's estimate. Raises `UsageError` where it has none."""
    if job.estimate is None:
        raise unknown_price(limit, job.provider, job.model or "")
    return job.estimate


def _limit_error(limit: Limit, spent: tuple[float, int], expected: str) -> LimitError:
    used, unknown = spent
    more = f", plus {_unknown(unknown)}" if unknown else ""
    return LimitError(
        f"this would exceed {limit.name}: {format_usd(used)} of {format_usd(limit.amount)} "
        f"are spent or reserved{more}, and {expected}",
        hint=limit.hint,
    )


def _unknown(jobs: int) -> str:
    return f"{jobs} {'job' if jobs == 1 else 'jobs'} of unknown cost"


def unknown_price(limit: Limit, provider: str, model: str) -> UsageError:
    """Return the error of a limit that cannot be enforced because no price is known."""
    own = providers.canonical_name(model) is None and not re.search("[:/]", model)
    how = f"add price = 0.06 to [models.{model}] in the config"
    return UsageError(
        f"no price is known for {model} at {provider}, so {limit.name} cannot be enforced",
        hint=how if own else f"set what you pay: `flux config set providers.{provider}.price.{model} 0.06`",
    )


def remaining(limit: Limit, spent: tuple[float, int]) -> str:
    """Return what is left of a budget, as a sentence."""
    used, unknown = spent
    when = PERIODS[limit.name.removeprefix("budget.")]
    more = f", not counting {_unknown(unknown)}" if unknown else ""
    return f"{limit.name}: {format_usd(max(limit.amount - used, 0))} of {format_usd(limit.amount)} left {when}{more}"


def format_usd(amount: float) -> str:
    """Return an amount as text, to the cent, or with more decimal places where cents are too coarse."""
    cents = f"{amount:.2f}"
    return f"${cents}" if abs(float(cents) - amount) < _ROUNDING else f"${amount:.6f}".rstrip("0")
