"""Sum up what the jobs in the ledger cost, and show what is left of the budgets."""

from __future__ import annotations

from typing import Any

from flux_cli import providers
from flux_cli.commands.status.listing import Selection
from flux_cli.errors import UsageError
from flux_cli.ledger.records import Spend
from flux_cli.ledger.spending import GROUPS, LABEL
from flux_cli.money.limits import format_usd, remaining
from flux_cli.runtime import Runtime
from flux_cli.text import listed, nearest, printable


def show_spend(runtime: Runtime, *, by: str | None, selection: Selection) -> int:
    """Show what the jobs of a ``selection`` cost, by group and in total. No provider is asked. Return the exit code.

    A job with several labels counts in the group of each, and in the total once. Budgets cover all jobs: what is left
    of them does not depend on the selection.
    Raises `UsageError`.
    """
    word = _check_group(by)
    if unread := runtime.ledger.unread():
        runtime.output.warning(
            f"the job ledger was damaged: these totals lack what could not be read from {printable(str(unread[0]))}"
        )
    filters = selection.build_filters(runtime)
    groups = runtime.ledger.spend(word, sandbox=runtime.sandbox, **filters)
    total = Spend.total(runtime.ledger.spend("total", sandbox=runtime.sandbox, **filters))
    tty = runtime.stdout.isatty()
    rows = [
        _row(group, providers.alias(group.name or "-") if tty and word == "model" else group.name or "-")
        for group in groups
    ]
    data = [_data(group, word) for group in groups]
    budgets = [(limit, runtime.ledger.spent_since(limit, sandbox=runtime.sandbox)) for limit in runtime.limits()]
    budget_data = [
        {
            "by": "budget",
            "name": limit.name,
            "amount": limit.amount,
            "usd": round(gone, 6),
            "left": round(max(limit.amount - gone, 0), 6),
            "unknown": unknown,
        }
        for limit, (gone, unknown) in budgets
    ]
    head = (word.upper(), "JOBS", "IMAGES", "COST", "ESTIMATE", "CREDITS", "UNKNOWN")
    runtime.output.table(head, [*rows, _row(total, "total")], [*data, _data(total, "total"), *budget_data])
    if not groups and selection.typed:
        runtime.output.note(f"no job matches{selection.typed}")
    if word not in GROUPS and groups and all(group.name is None for group in groups):
        runtime.output.note(f"no job has a label {printable(word.partition(':')[2])}")
    for limit, spent in budgets:
        runtime.output.note(remaining(limit, spent))
    return 0


def _check_group(by: str | None) -> str:
    """Return what to group by. Raises `UsageError` with the nearest word."""
    if by is None or by in GROUPS:
        return by or GROUPS[0]
    if by.startswith(f"{LABEL}:") and by != f"{LABEL}:":
        return by
    near = nearest(by, GROUPS)
    hint = f"did you mean {near}?" if near else "`flux status --spend --by day`"
    raise UsageError(f"--by takes {listed([*GROUPS, f'{LABEL}:KEY'], last='or')}, not {by!r}", hint=hint)


def _row(group: Spend, name: str) -> tuple[str, ...]:
    """Return a group as a table row; an unknown amount is a dash."""
    return (
        name,
        str(group.jobs),
        str(group.images),
        "-" if group.reported is None else format_usd(group.reported),
        "-" if group.estimated is None else f"~{format_usd(group.estimated)}",
        "-" if group.credits is None else f"{group.credits:g}",
        f"{group.unknown} of unknown cost" if group.unknown else "-",
    )


def _data(group: Spend, by: str) -> dict[str, Any]:
    """Return a group as ``--json`` has it."""
    return {
        "by": by,
        "name": group.name,
        "jobs": group.jobs,
        "images": group.images,
        "usd": _round(group.reported),
        "estimated_usd": _round(group.estimated),
        "credits": _round(group.credits),
        "unknown": group.unknown,
    }


def _round(amount: float | None) -> float | None:
    """Return an amount without rounding errors."""
    return None if amount is None else round(amount, 6)
