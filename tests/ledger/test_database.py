"""A ledger of an older flux is brought up to date where it is opened, and nothing in it is lost."""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import closing

import pytest

from flux_cli.errors import LedgerError
from flux_cli.ledger.database import Database
from flux_cli.ledger.ledger import Ledger
from flux_cli.ledger.schema import LAYOUT, VERSION
from flux_cli.money.limits import Limit

FIRST = """
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
    document   TEXT NOT NULL
);
CREATE INDEX jobs_by_run ON jobs (run);
CREATE INDEX jobs_by_remote_id ON jobs (remote_id);
CREATE INDEX jobs_by_status ON jobs (sandbox, status);
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
PRAGMA user_version = 1;
"""
"""The layout of flux 0.1.0."""
IMAGE = {
    "key": "k", "url": "https://x/1", "seed": 7, "nsfw": None, "width": 2, "height": 3,
    "content_type": "image/jpeg", "size": 9, "path": "/abs/a.jpg",
}  # fmt: skip
DOCUMENT = {
    "id": "k3f9q2mx", "run": "r1", "provider": "runware", "model": "flux-1.1-pro-ultra", "prompt": "a fox",
    "created_at": 1000.0, "status": "succeeded", "sandbox": False, "seed": 7, "count": 1, "parameters": {"raw": True},
    "skipped": ["size"], "handle": "h", "remote_id": "r-1", "memo": {}, "request": None, "detail": None,
    "queue_position": None, "progress": None, "images": [IMAGE], "cost": {"amount": 0.05, "currency": "USD"},
    "timing": {}, "error": None, "finished_at": 1010.0, "owner": "h:1", "row": None, "batch": None,
}  # fmt: skip
"""A job as flux 0.1.0 wrote it down."""
BUDGET = Limit(name="budget.daily", amount=1.0)


@pytest.fixture
def old(tmp_path):
    """Return the path of a ledger of flux 0.1.0, and a function that puts a job there."""
    path = tmp_path / "ledger.sqlite3"

    def put(**changes) -> None:
        job = {**DOCUMENT, **changes}
        values = (job["id"], job["run"], False, job["provider"], job["remote_id"], job["status"], False, 1000.0)
        with closing(sqlite3.connect(path)) as database, database:
            database.execute(
                "INSERT INTO jobs (id, run, sandbox, provider, remote_id, status, unsaved, created_at, document)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*values, changes.get("document", json.dumps(job))),
            )
        database.close()

    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(FIRST)
    database.close()
    put()
    return path, put


def shape(path) -> tuple:
    """Return how a file is laid out: its columns, its indexes and the version it claims."""
    with closing(sqlite3.connect(path)) as database, database:
        columns = [row[1:3] for row in database.execute("PRAGMA table_info(jobs)")]
        indexes = sorted(
            row[0] for row in database.execute("SELECT sql FROM sqlite_master WHERE type = 'index'") if row[0]
        )
        version = database.execute("PRAGMA user_version").fetchone()[0]
    database.close()
    return columns, indexes, version


def test_an_old_file_becomes_what_a_new_one_is(old, tmp_path):
    path, _ = old
    Ledger(tmp_path / "new.sqlite3").close()

    Ledger(path).close()

    assert shape(path) == shape(tmp_path / "new.sqlite3")
    assert shape(path)[2] == VERSION


def test_the_jobs_of_an_old_file_are_all_there_and_can_be_summed_up(old):
    """What the file did not know of then is filled in from what it did."""
    path, put = old
    put(id="p5w2r7ta", cost=None, status="failed", error=None, images=[], remote_id="r-2")

    ledger = Ledger(path)
    (job,) = ledger.find("k3f9q2mx", sandbox=False)
    (group,) = ledger.spend("model", sandbox=False)

    assert (job.prompt, job.skipped, job.images[0].path, job.cost.amount) == ("a fox", ("size",), "/abs/a.jpg", 0.05)
    assert (job.estimate, job.ready_between, job.first_index, job.row_key) == (None, None, 1, "")
    assert (group.name, group.jobs, group.images, group.reported, group.unknown) == (
        "flux-1.1-pro-ultra",
        2,
        1,
        0.05,
        1,
    )
    assert {job.id for job in ledger.recent(sandbox=False, limit=9, search="FOX")} == {"k3f9q2mx", "p5w2r7ta"}
    assert ledger.spent_since(BUDGET, sandbox=False) == (0.05, 1)
    assert ledger.paid_prices("runware", "flux-1.1-pro-ultra", sandbox=False) == [(0.05, 1000.0)]
    ledger.close()


def test_an_old_file_goes_on_as_a_new_one(old):
    """What was there can be changed, and what is added stands beside it."""
    path, _ = old
    Ledger(path).close()

    ledger = Ledger(path)
    first = ledger.find("k3f9q2mx", sandbox=False)[0]
    ledger.change("k3f9q2mx", lambda job: job)

    assert ledger.recent(sandbox=False, limit=9) == [first]
    assert shape(path)[2] == VERSION
    ledger.close()


def test_a_job_that_cannot_be_read_stops_nothing(old):
    """It stays as it was, and counts as one of unknown cost."""
    path, put = old
    put(id="p5w2r7ta", document="{}", remote_id="r-2")

    ledger = Ledger(path)

    assert ledger.spent_since(BUDGET, sandbox=False) == (0.05, 1)
    with pytest.raises(LedgerError, match="cannot read"):
        ledger.find("p5w2r7ta", sandbox=False)
    ledger.close()


def test_processes_that_open_an_old_file_at_once_find_it_complete(old):
    path, _ = old
    start, found = threading.Barrier(6), []

    def work():
        start.wait()
        ledger = Ledger(path)
        found.append(ledger.spent_since(BUDGET, sandbox=False))
        ledger.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [(0.05, 0)] * 6


def test_an_upgrade_that_fails_changes_nothing(old):
    """A full disk in the middle of it leaves the old file, which the next start brings up to date."""
    path, _ = old

    class Full(sqlite3.Connection):
        def execute(self, sql, *values):
            if sql.startswith("UPDATE"):
                raise sqlite3.OperationalError("database or disk is full")
            return super().execute(sql, *values)

    before = shape(path)

    with pytest.raises(LedgerError, match="disk is full"):
        Ledger(path, connect=lambda *given, **more: sqlite3.connect(*given, factory=Full, **more))

    assert shape(path) == before
    Ledger(path).close()
    assert shape(path)[2] == VERSION


def test_the_old_layout_is_part_of_the_new_one():
    """Nothing that an older file holds was taken away."""
    names = [line.split()[0] for line in FIRST.splitlines() if line.startswith("    ")]

    assert len(names) > 15
    assert [name for name in names if f"    {name} " not in LAYOUT] == []


def test_cleaning_the_file_leaves_our_patience_with_other_writers_as_it_was(tmp_path):
    """While another process writes, it gives up soon; whatever is written afterwards waits its full time."""
    path = tmp_path / "ledger.sqlite3"
    made: list[sqlite3.Connection] = []

    def connect(*given, **more):
        made.append(sqlite3.connect(*given, **more))
        return made[-1]

    database, other = Database(path, connect=connect), sqlite3.connect(path, isolation_level=None)
    asked = "PRAGMA busy_timeout"
    before = made[0].execute(asked).fetchone()
    other.execute("BEGIN IMMEDIATE")

    while_in_use = database.scrub()
    other.execute("ROLLBACK")
    alone = database.scrub()

    assert (while_in_use, alone) == (False, True)
    assert made[0].execute(asked).fetchone() == before == (30_000,)
    other.close()
    database.close()
