"""Read recent jobs for completion, quickly and without changing the ledger.

Opening a `Ledger` creates or upgrades its file, replaces a damaged one and waits for locks. Here a file that is
missing, damaged, locked or of another layout counts as empty.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

_TIMEOUT = 0.2
"""Seconds to wait for a writer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentJob:
    """A job as one line of candidates shows it."""

    id: str
    run: str
    status: str
    prompt: str


def recent(
    path: Path, *, sandbox: bool, statuses: Sequence[str] = (), provider: str | None = None, limit: int = 50
) -> list[RecentJob]:
    """Return the latest jobs of the ledger at ``path``, the newest first, or none where they cannot be read."""
    where, values = "sandbox = ?", [str(int(sandbox))]
    if statuses:
        where += f" AND status IN ({', '.join('?' * len(statuses))})"
        values += statuses
    if provider is not None:
        where += " AND provider = ?"
        values.append(provider)
    query = f"SELECT id, run, status, document FROM jobs WHERE {where} ORDER BY seq DESC LIMIT {limit:d}"  # noqa: S608 - clauses of ours
    try:
        address = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=_TIMEOUT)) as database:
            rows = database.execute(query, values).fetchall()
        return [
            RecentJob(id=job, run=run, status=status, prompt=str(json.loads(document)["prompt"]))
            for job, run, status, document in rows
        ]
    except (sqlite3.Error, OSError, ValueError, KeyError, TypeError):
        return []
