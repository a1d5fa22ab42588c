"""Estimate what jobs cost: check it against limits before anything is sent, and print it for ``--dry-run``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from flux_cli import providers
from flux_cli.display.output import JSON_VERSION
from flux_cli.display.rendering import planned_object
from flux_cli.engine.engine import dry_run_requests
from flux_cli.http import curl
from flux_cli.jobs import Job
from flux_cli.money.limits import Limit, check_estimates
from flux_cli.money.totals import format_total
from flux_cli.providers.base import PlannedJob, Price, Provider
from flux_cli.providers.conversation import Request
from flux_cli.runs.plan import with_all_fallbacks
from flux_cli.runtime import Runtime
from flux_cli.text import printable

Groups = dict[tuple[str, str, Price | None], list[Job]]
"""Jobs by provider, model and the price in the provider's table."""


def check_limits(
    runtime: Runtime, planned: Sequence[PlannedJob], *, run: str, max_cost: float | None
) -> Callable[[], Sequence[Limit]]:
    """Return a function that gives the limits of a run at any moment; the ``planned`` jobs stay within them.

    Raises `LimitError`, and `UsageError` where a price that a limit needs, or what was spent before, is unknown.
    """
    limits = partial(runtime.limits, run=run, max_cost=max_cost)  # a long run may go on into another day
    if current := limits():
        runtime.ledger.require_complete(current[0].name)
    jobs = [one.job for one in planned]
    instead = [one.job for job in planned for one in with_all_fallbacks(job.fallbacks)]
    spent = partial(runtime.ledger.spent_since, sandbox=runtime.sandbox)
    for doubt in check_estimates(jobs, limits(), spent, instead=instead):
        runtime.output.warning(doubt)
    return limits


def print_dry_run(runtime: Runtime, planned: Sequence[PlannedJob], *, estimate: bool) -> None:
    """Print what would be sent, as curl, and with ``estimate`` what it is expected to cost."""
    groups: Groups = defaultdict(list)
    for one in planned:
        groups[one.job.provider, one.model.name, one.model.price].append(one.job)
    if (folder := runtime.keep_copies()) is not None:
        runtime.output.note(f"the commands read copies of input images in {printable(str(folder))}")
    if runtime.flags.json:
        requests = [curl.data(*one, base_url=url) for one, url in _dry_run(runtime, planned)]
        rows = [{"version": JSON_VERSION, **planned_object(one.job)} for one in planned]
        data = {"requests": requests, "estimate": _estimate_object(runtime, groups), "rows": rows}
        runtime.output.lines((), data)
        return
    lines = [curl.line(*one, base_url=url) for one, url in _dry_run(runtime, planned)]
    lines += [f"# {line}" for line in _estimate(runtime, groups)] if estimate else []
    runtime.output.lines(lines, {})


def _dry_run(runtime: Runtime, planned: Sequence[PlannedJob]) -> Iterator[tuple[tuple[Provider, Request], str]]:
    """Yield every request that would be sent, with its provider and base URL."""
    for one in planned:
        provider = providers.load(one.job.provider)
        configured = None if runtime.sandbox else runtime.settings.base_url(provider.name)
        for request in dry_run_requests(provider, one):
            yield (provider, request), configured or provider.base_url


def _sum(jobs: Sequence[Job]) -> tuple[float, int]:
    """Return what jobs are expected to cost, in USD, and how many have no known price."""
    known = [job.estimate for job in jobs if job.estimate is not None]
    return sum(known), len(jobs) - len(known)


def _estimate(runtime: Runtime, groups: Groups) -> list[str]:
    """Return the estimate for people: a line for each provider and model, and the sum."""
    lines: list[str] = []
    for (name, model, listed), jobs in groups.items():
        images = sum(job.count for job in jobs)
        price = runtime.price(name, model, listed)
        each = "no price is known"
        if price is not None:
            origin = ", ".join(word for word in (price.source, price.date) if word)
            by_rule = price.further or price.inputs or price.steps
            each = f"{price.rule}{'' if by_rule else ' an image'} ({origin})"
        lines.append(f"{name} {model}: {images} images, {each}")
    known = [job for jobs in groups.values() for job in jobs]
    total, unknown = _sum(known)
    return [*lines, f"estimate: {len(known)} jobs, {format_total(total, unknown)}"]


def _estimate_object(runtime: Runtime, groups: Groups) -> dict[str, Any]:
    """Return the estimate as ``--json`` has it; ``amount`` is null where the price of any image is unknown."""
    parts: list[dict[str, Any]] = []
    for (name, model, listed), jobs in groups.items():
        price = runtime.price(name, model, listed)
        parts.append(
            {
                "provider": name,
                "model": model,
                "images": sum(job.count for job in jobs),
                "price": None
                if price is None
                else {"amount": price.amount, "rule": price.rule, "source": price.source, "date": price.date},
            }
        )
    total, unknown = _sum([job for jobs in groups.values() for job in jobs])
    return {"amount": None if unknown else round(total, 6), "currency": "USD", "unknown_jobs": unknown, "parts": parts}
