"""Define the tables of the ledger's file: their layout, how an older layout is upgraded, and the columns of a job."""

from __future__ import annotations

import unicodedata
from typing import Any

from flux_cli.jobs import Job
from flux_cli.money.limits import counted_cost, final_cost, in_credits

VERSION = 4
"""The file's layout, stored in it. A file with a larger number was written by a newer flux."""

_ADDED_IN_3 = """
CREATE INDEX jobs_by_world ON jobs (sandbox);
CREATE INDEX jobs_active ON jobs (sandbox) WHERE status IN ('submitting', 'queued', 'running');
CREATE INDEX jobs_unsaved ON jobs (sandbox) WHERE unsaved = 1;
CREATE TABLE forgotten (
    sandbox    INTEGER NOT NULL,
    run        TEXT NOT NULL,
    provider   TEXT NOT NULL,
    model      TEXT,
    created_at REAL NOT NULL,
    images     INTEGER,
    told       REAL,
    spent      REAL,
    credits    REAL
);
CREATE INDEX forgotten_by_run ON forgotten (run);
CREATE INDEX forgotten_by_time ON forgotten (sandbox, created_at);
"""
"""What layout 3 adds to layout 2."""
_ADDED_IN_4 = """
CREATE INDEX jobs_listed ON jobs (sandbox, seq, provider, model, created_at, folded);
"""
"""The index that layout 4 adds to layout 3: what narrows a list, in the order of a list, without the documents."""

LAYOUT = (
    """
CREATE TABLE jobs (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT NOT NULL UNIQUE,
    run        TEXT NOT NULL,
    sandbox    INTEGER NOT NULL,
    provider   TEXT NOT NULL,
    remote_id  TEXT,
    status     TEXT NOT NULL,
    unsaved    INTEGER NOT NULL,
    created_at REAL NOT NULL,
    document   TEXT NOT NULL,
    model      TEXT,
    batch      TEXT,
    spent      REAL,
    waited     REAL,
    images     INTEGER,
    told       REAL,
    credits    REAL,
    folded     TEXT
);
CREATE INDEX jobs_by_run ON jobs (run);
CREATE INDEX jobs_by_remote_id ON jobs (remote_id);
CREATE INDEX jobs_by_status ON jobs (sandbox, status);
CREATE INDEX jobs_by_batch ON jobs (batch);
CREATE INDEX jobs_by_time ON jobs (sandbox, created_at, spent);
CREATE INDEX jobs_by_wait ON jobs (sandbox, provider, model) WHERE waited IS NOT NULL;
CREATE INDEX jobs_by_price ON jobs (sandbox, provider, model) WHERE told > 0;
CREATE TABLE files (
    path TEXT PRIMARY KEY,
    job  TEXT NOT NULL
);
CREATE TABLE claims (
    name    TEXT NOT NULL,
    sandbox INTEGER NOT NULL,
    run     TEXT NOT NULL,
    jobs    INTEGER NOT NULL,
    mark    TEXT NOT NULL,
    owner   TEXT NOT NULL,
    PRIMARY KEY (name, sandbox)
);
"""
    + _ADDED_IN_3
    + _ADDED_IN_4
)
"""The tables and indexes; see `columns`.

``told`` is what the provider said a job cost, in USD; ``spent`` is that or, where it said nothing, the estimate;
``images`` is the number of images made; ``waited`` is in seconds; ``folded`` is the prompt as
`fold` returns it. ``forgotten`` keeps the costs of jobs whose records
were removed.
"""

UPGRADES = {
    1: """
ALTER TABLE jobs ADD COLUMN model TEXT;
ALTER TABLE jobs ADD COLUMN batch TEXT;
ALTER TABLE jobs ADD COLUMN spent REAL;
ALTER TABLE jobs ADD COLUMN waited REAL;
ALTER TABLE jobs ADD COLUMN images INTEGER;
ALTER TABLE jobs ADD COLUMN told REAL;
ALTER TABLE jobs ADD COLUMN credits REAL;
CREATE INDEX jobs_by_batch ON jobs (batch);
CREATE INDEX jobs_by_time ON jobs (sandbox, created_at, spent);
CREATE INDEX jobs_by_wait ON jobs (sandbox, provider, model) WHERE waited IS NOT NULL;
CREATE INDEX jobs_by_price ON jobs (sandbox, provider, model) WHERE told > 0;
""",
    2: _ADDED_IN_3,
    3: f"ALTER TABLE jobs ADD COLUMN folded TEXT;{_ADDED_IN_4}",
}
"""Statements that upgrade each layout to the next; the columns are filled afterwards."""


def columns(job: Job) -> dict[str, Any]:
    """Return the columns of a job: what is searched and summed up."""
    return {
        "id": job.id,
        "run": job.run,
        "sandbox": job.sandbox,
        "provider": job.provider,
        "remote_id": job.remote_id,
        "status": job.status,
        "unsaved": job.has_unsaved_images,
        "created_at": job.created_at,
        "model": job.model,
        "batch": None if job.batch is None else storable(job.batch),
        "spent": counted_cost(job),
        "waited": job.duration,
        "images": len(job.images),
        "told": final_cost(job),
        "credits": in_credits(job),
        "folded": fold(job.prompt),
    }


def fold(text: str) -> str:
    """Return text as searches compare it: without differences in case or in the form of a character."""
    if text.isascii():
        return text.lower()
    normal = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return storable(normal)


def storable(text: str) -> str:
    """Return text as SQLite can store it: bytes that are not UTF-8 (in a file name, say) become escapes."""
    return text.encode("utf-8", "backslashreplace").decode()
