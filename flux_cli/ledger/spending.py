"""Sum up what jobs cost, in groups."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from flux_cli.ledger.database import Database
from flux_cli.ledger.filters import JobFilter, build_condition
from flux_cli.ledger.records import Spend, add_known

ALL_JOBS = """(
    SELECT sandbox, run, provider, model, created_at, images, told, spent, credits, batch, document FROM jobs UNION ALL
    SELECT sandbox, run, provider, model, created_at, images, told, spent, credits, NULL, NULL FROM forgotten
)"""
"""Every job, including those whose records were removed."""
LABEL = "label"
"""The group by label; ``label:KEY`` groups by the values of one label."""
_COLUMNS = {
    "provider": "provider",
    "model": "model",
    "day": "date(created_at, 'unixepoch', 'localtime')",
    "total": "'total'",
}
GROUPS = ("provider", "model", "day", LABEL)
"""What spending can be grouped by; days are in this machine's local time."""


def sum_up(database: Database, by: str, *, sandbox: bool, filters: JobFilter) -> list[Spend]:
    """Return the spending of each group, sorted by the group's name.

    ``by`` is one of `GROUPS`, ``label:KEY``, or ``total`` for all jobs as one group. Raises `LedgerError`.
    """
    where, values = build_condition(sandbox, filters)
    if by.partition(":")[0] == LABEL:
        return _sum_up_labels(database, by.partition(":")[2], where, values)
    query = (
        f"SELECT {_COLUMNS[by]}, COUNT(*), COALESCE(SUM(images), 0), SUM(told),"  # noqa: S608 - clauses of ours
        " SUM(CASE WHEN told IS NULL THEN spent END), SUM(credits), COUNT(*) - COUNT(COALESCE(spent, credits))"
        f" FROM {ALL_JOBS} WHERE {where} GROUP BY 1 ORDER BY 1"
    )
    return [Spend(*row) for row in database.rows(query, values)]


def _sum_up_labels(database: Database, key: str, where: str, values: Sequence[Any]) -> list[Spend]:
    """Return the spending by label, or by the value of the label ``key``: a job counts in the group of each label.

    Jobs without a label, and forgotten ones, are a group without a name.
    """
    query = (
        "SELECT CASE WHEN instr(document, '\"metadata\"') THEN document END, images, told, spent, credits"  # noqa: S608 - see above
        f" FROM {ALL_JOBS} WHERE {where}"
    )
    groups: dict[str | None, list[tuple[Any, ...]]] = {}
    for document, *money in database.rows(query, values):
        names: list[str | None] = [*_labels(document, key)]
        for name in names or [None]:
            groups.setdefault(name, []).append(tuple(money))
    return [_sum_up_group(name, groups[name]) for name in sorted(groups, key=lambda name: (name is not None, name))]


def _labels(document: str | None, key: str) -> Iterator[str]:
    """Yield each label of a stored job as ``KEY=VALUE``, or only the value of the label ``key``."""
    try:
        labels = json.loads(document or "{}")["parameters"]["metadata"]
    except (KeyError, TypeError, ValueError):  # no labels, or a job that cannot be read
        return
    if isinstance(labels, Mapping):
        for name, value in cast("Mapping[str, object]", labels).items():
            text = value if isinstance(value, str) else json.dumps(value)
            if not key:
                yield f"{name}={text}"
            elif name == key:
                yield text


def _sum_up_group(name: str | None, jobs: Sequence[tuple[Any, ...]]) -> Spend:
    return Spend(
        name=name,
        jobs=len(jobs),
        images=sum(images or 0 for images, *_ in jobs),
        reported=add_known([told for _, told, _, _ in jobs]),
        estimated=add_known([spent for _, told, spent, _ in jobs if told is None]),
        credits=add_known([credit for *_, credit in jobs]),
        unknown=sum(spent is None and credit is None for *_, spent, credit in jobs),
    )
