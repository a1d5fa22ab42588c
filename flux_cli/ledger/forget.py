"""How records leave the ledger: for good, and without making anybody buy twice.

What a record said is overwritten in the file. What stays is what keeps the sums and the promises true: when a job was
made, where, and what it came to, so that a budget still holds; and that a name of ``--once`` was used.
"""

from __future__ import annotations

from collections.abc import Sequence

from flux_cli.ledger.database import Database
from flux_cli.ledger.records import FORGOTTEN

_MONEY = "sandbox, run, provider, model, created_at, images, told, spent, credits"
_FINISHED = "status IN ('succeeded', 'failed', 'cancelled')"
_BOUGHT = "(status <> 'failed' OR told IS NULL OR told > 0)"
"""Whether a job may have been paid for."""


def forget(database: Database, ids: Sequence[str]) -> list[str]:
    """Remove jobs, all of them or none, and return the ids of those that are gone: a job under way stays.

    Raises `LedgerError`.
    """
    gone: list[str] = []
    with database.transaction():
        for one in ids:
            found = f"FROM jobs WHERE id = ? AND {_FINISHED}"
            if not database.rows(f"SELECT 1 {found}", (one,)):
                continue
            database.rows(f"INSERT INTO forgotten ({_MONEY}) SELECT {_MONEY} {found}", (one,))
            used = f"UPDATE claims SET owner = ? WHERE run IN (SELECT run {found} AND {_BOUGHT})"  # noqa: S608 - clauses of ours
            database.rows(used, (FORGOTTEN, one))
            database.rows("DELETE FROM jobs WHERE id = ?", (one,))
            gone.append(one)
        database.rows("DELETE FROM files WHERE job NOT IN (SELECT id FROM jobs)")
    return gone
