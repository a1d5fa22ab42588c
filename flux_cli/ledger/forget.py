"""Remove jobs from the ledger for good, and keep what budgets and ``--once`` rely on.

What stays is when and where a job was made and what it cost, so that budgets still hold; and that a name of ``--once``
was used, so that nothing is paid for twice.
"""

from __future__ import annotations

from collections.abc import Sequence

from flux_cli.ledger.database import Database
from flux_cli.ledger.records import FORGOTTEN

_MONEY = "sandbox, run, provider, model, created_at, images, told, spent, credits"
_OVER = "(status IN ('succeeded', 'failed', 'cancelled') OR (status = 'unknown' AND model IS NULL))"
"""Jobs that may be removed. One of unknown outcome without a model was taken over from elsewhere, not sent by flux."""
_MAY_BE_PAID = "(status <> 'failed' OR told IS NULL OR told > 0)"
"""Whether a job may have been paid for."""


def forget(database: Database, ids: Sequence[str]) -> list[str]:
    """Remove jobs, all of them or none, and return the ids of those that are removed: an active job stays.

    Raises `LedgerError`.
    """
    removed: list[str] = []
    with database.transaction():
        for one in ids:
            found = f"FROM jobs WHERE id = ? AND {_OVER}"
            if not database.rows(f"SELECT 1 {found}", (one,)):
                continue
            database.rows(f"INSERT INTO forgotten ({_MONEY}) SELECT {_MONEY} {found} AND status <> 'unknown'", (one,))
            used = f"UPDATE claims SET owner = ? WHERE run IN (SELECT run {found} AND {_MAY_BE_PAID})"  # noqa: S608 - clauses of ours
            database.rows(used, (FORGOTTEN, one))
            database.rows("DELETE FROM jobs WHERE id = ?", (one,))
            removed.append(one)
        database.rows("DELETE FROM files WHERE job NOT IN (SELECT id FROM jobs)")
    return removed
