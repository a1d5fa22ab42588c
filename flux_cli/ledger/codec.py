"""What the ledger holds beside jobs themselves, and a job as its text, and back."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from flux_cli.errors import LedgerError, describe, rebuild
from flux_cli.jobs import Cost, Image, Job
from flux_cli.money.limits import counted_cost, final_cost, in_credits

VERSION = 3
"""Of the file's layout; stored in it. A file with a larger one was made by a newer flux."""

FORGOTTEN = "forgotten"
"""Who holds a name whose job was forgotten: nobody, and nobody can take it over."""

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
"""What layout 3 has more than layout 2."""

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
    credits    REAL
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
)
"""The tables and what makes looking things up fast; see `columns`.

``told`` is what a job did cost, in USD; ``spent`` is that or, where nobody told, what it was expected to cost;
``images`` are those that were made; ``waited`` is in seconds. ``forgotten`` is what is left of jobs whose records were
removed: what they came to.
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
}
"""What makes a file of one layout one of the next; the columns are filled afterwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A name under which one run is bought at most once."""

    name: str
    sandbox: bool
    run: str
    jobs: int
    """How many jobs make up the run."""
    key: str
    """Tells what was asked for from anything else."""
    owner: str
    """The process that buys, as ``host:pid``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What this machine has seen of one provider."""

    jobs: int
    failures: int
    median: float | None
    """Seconds that the jobs which succeeded took, as closely as we know."""

    @classmethod
    def of(cls, waits: Sequence[float | None], *, failures: int) -> History:
        """Return what became of finished jobs: how long those took that succeeded, and how many failed."""
        known = [seconds for seconds in waits if seconds is not None]
        return cls(jobs=len(waits) + failures, failures=failures, median=statistics.median(known) if known else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """What a group of jobs came to. Money that nobody told of is ``None``, not 0."""

    name: str | None
    """What the jobs have in common; ``None`` where nobody told us their model."""
    jobs: int
    images: int
    told: float | None
    """USD, as the providers told or where nothing was charged."""
    estimated: float | None
    """USD, of the jobs whose cost nobody told, as it was expected."""
    credits: float | None
    """Of the providers that count in their own."""
    unknown: int
    """Jobs of which neither is known."""

    @classmethod
    def total(cls, groups: Sequence[Spend]) -> Spend:
        """Return what all groups together came to."""
        return cls(
            name="total",
            jobs=sum(group.jobs for group in groups),
            images=sum(group.images for group in groups),
            told=_sum([group.told for group in groups]) if groups else 0.0,
            estimated=_sum([group.estimated for group in groups]),
            credits=_sum([group.credits for group in groups]),
            unknown=sum(group.unknown for group in groups),
        )


def _sum(amounts: Sequence[float | None]) -> float | None:
    known = [amount for amount in amounts if amount is not None]
    return math.fsum(known) if known else None


def count_lost(job: Job) -> float | None:
    """Return how many seconds a job took at most, where nobody looked closely: until it was first seen finished."""
    return None if job.finished_at is None else job.finished_at - job.started_at


def columns(job: Job) -> dict[str, Any]:
    """Return what is looked up and summed up of a job, by the column that holds it."""
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
    }


_STORED_NAMES = {
    "idempotency_key": "handle",
    "row_key": "mark",
    "poll_state": "memo",
    "first_index": "first",
    "ready_between": "ready",
}
"""Fields of a job that the ledger keeps under the name that they had when its layout was made."""
_FIELD_NAMES = {stored: name for name, stored in _STORED_NAMES.items()}


def encode(job: Job) -> str:
    """Return a job as the ledger's JSON text: ASCII, so that any text survives, and without image bytes."""
    images = tuple(replace(image, data=None) for image in job.images)
    fields = asdict(replace(job, images=images, error=None))
    for image in fields["images"]:
        del image["data"]
    fields["error"] = describe(job.error) if job.error is not None else None
    stored = {_STORED_NAMES.get(name, name): value for name, value in fields.items()}
    return json.dumps(stored, separators=(",", ":"))


def decode(document: str) -> Job:
    """Return the job that `encode` wrote. Raises `LedgerError` for anything else."""
    try:
        stored: dict[str, Any] = json.loads(document)
        fields = {_FIELD_NAMES.get(name, name): value for name, value in stored.items()}
        fields["images"] = tuple(Image(**image) for image in fields["images"])
        fields["cost"] = Cost(**fields["cost"]) if fields["cost"] else None
        fields["error"] = rebuild(fields["error"]) if fields["error"] else None
        fields["skipped"] = tuple(fields["skipped"])
        if fields.get("ready_between"):
            fields["ready_between"] = (fields["ready_between"][0], fields["ready_between"][1])
        return Job(**fields)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LedgerError("the ledger contains a job that this version of flux cannot read") from error


def storable(text: str) -> str:
    """Return text as SQLite can hold it: bytes that are no UTF-8 (in a file's name, say) written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()
