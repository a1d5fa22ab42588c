"""Filter jobs by provider, model, batch, words and time: the filters, and the SQL for them."""

from __future__ import annotations

from typing import Any, TypedDict

from flux_cli.ledger.schema import fold, storable

UNDER_WAY = "status IN ('submitting', 'queued', 'running')"


class JobFilter(TypedDict, total=False):
    """Which jobs to list; ``None`` is no limit."""

    provider: str | None
    batch: str | None
    """The name under which the ledger has the batch."""
    model: str | None
    search: str | None
    """Words that are all in the prompt, see `build_condition`."""
    since: float | None
    """When the oldest job was created, in seconds since 1970."""


def build_condition(sandbox: bool, filters: JobFilter) -> tuple[str, list[Any]]:  # noqa: FBT001 - a column
    """Return the SQL condition for the ``filters``, and its values.

    Each word of ``search`` must be in the prompt, or be a part of a word there, in any order. Case and the form of a
    character (composed or not, full width or not) do not matter, and no character has a special meaning.
    """
    batch = filters.get("batch")
    plus = "" if batch is None else "+"  # keeps SQLite from using an index that does not help
    values = {
        f"{plus}sandbox = ?": sandbox,
        f"{plus}provider = ?": filters.get("provider"),
        "batch = ?": None if batch is None else storable(batch),
        f"{plus}model = ?": filters.get("model"),
        "+created_at >= ?": filters.get("since"),
    }
    found = [(clause, value) for clause, value in values.items() if value is not None]
    found += [("instr(folded, ?)", word) for word in fold(filters.get("search") or "").split()]
    return " AND ".join(clause for clause, _ in found), [value for _, value in found]


def choose_table(filters: JobFilter, *, active: bool = False) -> str:
    """Return the table to list jobs from, with the index that has all columns of the filters.

    Without statistics, SQLite would prefer an index on one of the columns, and then read and sort whole rows.
    """
    by_index = {"provider", "model", "search", "since"} & {name for name, value in filters.items() if value is not None}
    return "jobs INDEXED BY jobs_listed" if by_index and not active and filters.get("batch") is None else "jobs"
