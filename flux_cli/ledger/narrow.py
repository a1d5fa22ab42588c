"""Build the SQL conditions that narrow a list of jobs."""

from __future__ import annotations

from typing import Any, TypedDict

from flux_cli.ledger.schema import fold, storable

UNDER_WAY = "status IN ('submitting', 'queued', 'running')"


class Narrow(TypedDict, total=False):
    """What narrows a list of jobs; ``None`` narrows nothing."""

    provider: str | None
    batch: str | None
    """The name under which the ledger has the batch."""
    model: str | None
    search: str | None
    """Words that are all in the prompt, see `condition`."""
    since: float | None
    """When the oldest job was created, in seconds since 1970."""


def condition(sandbox: bool, narrow: Narrow) -> tuple[str, list[Any]]:  # noqa: FBT001 - a column
    """Return a condition on jobs, and its values.

    Each word of ``search`` must be in the prompt, or be a part of a word there, in any order. Case and the form of a
    character (composed or not, full width or not) do not matter, and no character has a special meaning.
    """
    batch = narrow.get("batch")
    plus = "" if batch is None else "+"  # keeps SQLite from using an index that does not help
    values = {
        f"{plus}sandbox = ?": sandbox,
        f"{plus}provider = ?": narrow.get("provider"),
        "batch = ?": None if batch is None else storable(batch),
        f"{plus}model = ?": narrow.get("model"),
        "+created_at >= ?": narrow.get("since"),
    }
    found = [(clause, value) for clause, value in values.items() if value is not None]
    found += [("instr(folded, ?)", word) for word in fold(narrow.get("search") or "").split()]
    return " AND ".join(clause for clause, _ in found), [value for _, value in found]


def table(narrow: Narrow, *, active: bool = False) -> str:
    """Return the table to list jobs from, with the index that has all columns that narrow a list.

    Without statistics, SQLite would prefer an index on one of the columns, and then read and sort whole rows.
    """
    by_index = {"provider", "model", "search", "since"} & {name for name, value in narrow.items() if value is not None}
    return "jobs INDEXED BY jobs_listed" if by_index and not active and narrow.get("batch") is None else "jobs"
