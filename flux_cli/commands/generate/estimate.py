"""What a purchase is expected to cost: held against limits before the first cent, and told by ``--dry-run``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from flux_cli import providers
from flux_cli.engine.engine import dry_run_requests
from flux_cli.http import curl
from flux_cli.jobs import Job
from flux_cli.money.limits import Limit, check_estimates, format_usd
from flux_cli.money.totals import format_total
from flux_cli.runs.plan import PlannedJob, with_all_fallbacks
from flux_cli.runtime import Runtime


def check_limits(
    runtime: Runtime, purchases: Sequence[PlannedJob], *, run: str, max_cost: float | None
) -> Callable[[], Sequence[Limit]]:
    """Return what tells the limits of a run as they are at any moment; its ``purchases`` are expected to pass none.

    Raises `LimitError`, and `UsageError` where nobody tells a price that a limit needs, or what was spent before.
    """
    limits = partial(runtime.limits, run=run, max_cost=max_cost)  # a long run may go on into another day
    if current := limits():
        runtime.ledger.require_complete(current[0].name)
    jobs = [purchase.job for purchase in purchases]
    instead = [one.job for purchase in purchases for one in with_all_fallbacks(purchase.fallbacks)]
    spent = partial(runtime.ledger.spent_since, sandbox=runtime.sandbox)
    for doubt in check_estimates(jobs, limits(), spent, instead=instead):
        runtime.output.warning(doubt)
    return limits


def print_dry_run(runtime: Runtime, purchases: Sequence[PlannedJob], *, batch: str = "") -> None:
    """Print what would be sent, as curl, and of a ``batch`` what it is expected to cost."""
    lines: list[str] = []
    told: list[dict[str, Any]] = []
    for purchase in purchases:
        provider = providers.load(purchase.job.provider)
        configured = None if runtime.sandbox else runtime.settings.base_url(provider.name)
        base_url = configured or provider.base_url
        for request in dry_run_requests(provider, purchase.order):
            lines.append(curl.line(provider, request, base_url=base_url))
            told.append(curl.data(provider, request, base_url=base_url))
    groups = _groups([purchase.job for purchase in purchases])
    if batch:
        lines += [f"# {line}" for line in _estimate(runtime, groups)]
    runtime.output.lines(lines, {"requests": told, "estimate": _estimate_object(runtime, groups)})


def _groups(jobs: Sequence[Job]) -> dict[tuple[str, str], list[Job]]:
    """Return jobs by provider and model."""
    found: dict[tuple[str, str], list[Job]] = defaultdict(list)
    for job in jobs:
        found[job.provider, job.model or ""].append(job)
    return found


def _sum(jobs: Sequence[Job]) -> tuple[float, int]:
    """Return what jobs are expected to cost, in USD, and of how many nobody can tell."""
    known = [job.estimate for job in jobs if job.estimate is not None]
    return sum(known), len(jobs) - len(known)


def _estimate(runtime: Runtime, groups: dict[tuple[str, str], list[Job]]) -> list[str]:
    """Return the estimate for people: a line for each provider and model, and the sum."""
    lines: list[str] = []
    for (name, model), jobs in groups.items():
        images = sum(job.count for job in jobs)
        price = runtime.price(name, model)
        each = "no price is known"
        if price is not None:
            origin = ", ".join(word for word in (price.source, price.date) if word)
            each = f"{format_usd(price.amount)} an image ({origin})"
        lines.append(f"{name} {model}: {images} images, {each}")
    known = [job for jobs in groups.values() for job in jobs]
    total, unknown = _sum(known)
    return [*lines, f"estimate: {len(known)} jobs, {format_total(total, unknown)}"]


def _estimate_object(runtime: Runtime, groups: dict[tuple[str, str], list[Job]]) -> dict[str, Any]:
    """Return the estimate as ``--json`` has it; ``amount`` is null where the price of any image is unknown."""
    parts: list[dict[str, Any]] = []
    for (name, model), jobs in groups.items():
        price = runtime.price(name, model)
        parts.append(
            {
                "provider": name,
                "model": model,
                "images": sum(job.count for job in jobs),
                "price": None
                if price is None
                else {"amount": price.amount, "source": price.source, "date": price.date},
            }
        )
    total, unknown = _sum([job for jobs in groups.values() for job in jobs])
    return {"amount": None if unknown else round(total, 6), "currency": "USD", "unknown_jobs": unknown, "parts": parts}
