"""A damaged ledger: what can be read is saved, and what it guarded is not sold a second time in silence."""

from __future__ import annotations

import itertools
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from flux_cli.errors import LedgerError, UsageError
from flux_cli.jobs import Job
from flux_cli.ledger.ledger import Ledger
from flux_cli.ledger.records import Claim
from flux_cli.money.limits import Limit
from tests.ledger.test_database import FIRST

JOBS = 60
PAGE = 4096
LIMIT = Limit(name="budget.daily", amount=100.0)


def make(number: int) -> Job:
    return Job(
        id=f"jobnr{number:03d}", run=f"run{number:03d}", provider="runware", model="m", prompt="a fox " * 20,
        created_at=1000.0 + number, status="succeeded", estimate=0.5,
    )  # fmt: skip


def claim(name: str) -> Claim:
    return Claim(name=name, sandbox=False, run="run001", jobs=1, key="m", owner="h:1")


@pytest.fixture
def path(tmp_path) -> Path:
    """Return the path of a ledger with jobs, and a name that is taken."""
    found = tmp_path / "state" / "ledger.sqlite3"
    ledger = Ledger(found)
    for number in range(1, JOBS + 1):
        ledger.add(make(number))
    ledger.claim(claim("cover"), free=lambda *_: False)
    ledger.close()
    return found


def overwrite(path: Path, page: int) -> None:
    """Put noise in the place of a page, counted from 0."""
    with path.open("r+b") as file:
        file.seek(page * PAGE)
        file.write(b"\xa5" * PAGE)


def page_of(path: Path, job: str) -> int:
    return path.read_bytes().index(f'"id":"{job}"'.encode()) // PAGE


def root_of(path: Path, name: str) -> int:
    with closing(sqlite3.connect(path)) as database, database:
        (page,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)).fetchone()
    database.close()
    return page - 1


def scramble_row_page(path: Path) -> None:
    overwrite(path, page_of(path, "jobnr030"))


def scramble_several_pages(path: Path) -> None:
    for job in ("jobnr010", "jobnr030", "jobnr060"):
        overwrite(path, page_of(path, job))


def scramble_root(path: Path) -> None:
    overwrite(path, root_of(path, "jobs"))


def scramble_claims(path: Path) -> None:
    overwrite(path, root_of(path, "claims"))


def scramble_index(path: Path) -> None:
    overwrite(path, root_of(path, "jobs_by_run"))


def scramble_head(path: Path) -> None:
    overwrite(path, 0)


def cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(page_of(path, "jobnr040") * PAGE)


def empty(path: Path) -> None:
    path.write_bytes(b"")


DAMAGES: dict[str, tuple[Callable[[Path], None], range, bool]] = {
    "a page of rows": (scramble_row_page, range(50, JOBS), False),
    "several pages of rows": (scramble_several_pages, range(30, JOBS - 2), False),
    "the root of the jobs": (scramble_root, range(1), False),
    "the names of --once": (scramble_claims, range(JOBS, JOBS + 1), False),
    "an index": (scramble_index, range(JOBS, JOBS + 1), True),
    "the head of the file": (scramble_head, range(1), False),
    "the end of the file": (cut, range(20, JOBS), False),
    "all of it": (empty, range(1), False),
}
"""What is damaged, how many jobs can be saved, and whether nothing is missing then."""


def settle(path: Path) -> Ledger:
    """Return the ledger once its damage was met, wherever that was: when it was opened, or by a look at everything."""
    ledger = Ledger(path)
    try:
        ledger.recent(sandbox=False, limit=-1)
        ledger.spent_since(LIMIT, sandbox=False)
        ledger.find("@1", sandbox=False)
        ledger.claim(claim("other"), free=lambda *_: False)
    except (LedgerError, UsageError):
        ledger.close()
        return Ledger(path)
    return ledger


@pytest.mark.parametrize(("damage", "saved", "whole"), DAMAGES.values(), ids=DAMAGES)
def test_what_can_be_read_is_saved_and_what_it_guarded_is_refused_while_anything_is_missing(path, damage, saved, whole):
    damage(path)
    damaged = path.read_bytes()

    ledger = settle(path)
    jobs = ledger.recent(sandbox=False, limit=-1)

    assert len(jobs) in saved
    assert jobs == [make(int(job.id[-3:])) for job in jobs]
    assert ledger.spent_since(LIMIT, sandbox=False) == (0.5 * len(jobs), 0)
    (kept,) = (one for one in path.parent.glob("ledger.sqlite3.*-*") if not one.name.endswith(("-wal", "-shm")))
    assert kept.read_bytes() == damaged
    assert (ledger.unread() == []) is whole
    if not whole:
        assert ledger.unread() == [kept]
        with pytest.raises(UsageError, match=r"cannot be relied on.*part of it could not be read") as caught:
            ledger.claim(claim("cover"), free=lambda *_: True)
        assert str(kept) in caught.value.message
        assert "flux status --accept-loss" in caught.value.hint
        with pytest.raises(UsageError, match=r"budget\.daily cannot be relied on"):
            ledger.add(make(500), limits=[LIMIT])
    ledger.add(make(600))  # what no guard is asked for goes on
    ledger.close()


def test_the_name_of_a_purchase_survives_where_only_jobs_were_lost(path):
    scramble_row_page(path)
    ledger = settle(path)

    files = ledger.accept_loss()
    held, jobs = ledger.claim(claim("cover"), free=lambda *_: False)

    assert (held.run, [job.id for job in jobs]) == ("run001", ["jobnr001"])
    assert [one.exists() for one in files] == [True]
    assert ledger.unread() == []
    ledger.close()


def test_damage_that_is_met_half_way_is_an_error_that_says_so_and_the_next_command_works(path):
    """Nothing that the transaction did is half there."""
    scramble_row_page(path)
    ledger = Ledger(path)

    with pytest.raises(
        LedgerError, match=r"was damaged .*: 5\d of its jobs were saved, others may be missing"
    ) as caught:
        ledger.change("jobnr030", lambda job: job)

    assert caught.value.hint == "run the command again"
    assert len(ledger.recent(sandbox=False, limit=-1)) in range(50, JOBS)
    ledger.close()
    Ledger(path).close()


def test_a_file_of_an_older_layout_is_saved_and_brought_up_to_date(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(FIRST)
        database.execute("INSERT INTO claims VALUES ('cover', 0, 'r1', 1, 'm', 'h:1')")
    database.close()
    overwrite(path, root_of(path, "jobs_by_status"))
    with closing(sqlite3.connect(path)) as database, database, pytest.raises(sqlite3.DatabaseError):
        database.execute("SELECT 1 FROM jobs INDEXED BY jobs_by_status WHERE status = 'x' AND sandbox = 0").fetchall()
    database.close()

    ledger = settle(path)
    held, _ = ledger.claim(claim("cover"), free=lambda *_: False)

    assert held.run == "r1"
    ledger.close()


def test_a_file_that_another_process_has_open_is_not_replaced(path):
    """SQLite would mix up the old and the new one: we wait for the other to end, and give up with the reason."""
    other = Ledger(path)
    scramble_head(path)
    naps: list[float] = []

    with pytest.raises(LedgerError, match=r"is damaged .* and another flux process has it open"):
        Ledger(path, sleep=naps.append)

    assert len(naps) > 100
    assert list(path.parent.glob("*.broken-*")) == []
    other.close()
    ledger = Ledger(path)
    assert len(ledger.unread()) == 1
    ledger.close()


def test_a_process_that_waited_finds_the_new_file(path):
    other = Ledger(path)
    scramble_row_page(path)

    def end_the_other(_: float) -> None:
        other.close()

    ledger = Ledger(path, sleep=end_the_other)
    with pytest.raises(LedgerError, match="another flux process has it open"):
        ledger.recent(sandbox=False, limit=-1)
    end_the_other(0)
    with pytest.raises(LedgerError, match="of its jobs were saved"):
        ledger.recent(sandbox=False, limit=-1)

    assert len(ledger.recent(sandbox=False, limit=-1)) in range(50, JOBS)
    ledger.close()


def test_a_new_file_that_was_never_moved_into_its_place_is_taken(path):
    """What is left where a process ends between the two steps of a replacement."""
    path.rename(path.with_name("ledger.sqlite3.new"))

    ledger = Ledger(path)

    assert len(ledger.recent(sandbox=False, limit=-1)) == JOBS
    ledger.close()


def test_an_empty_file_that_was_never_a_ledger_is_a_new_one(tmp_path):
    """As a process leaves it that is killed while it sets up the very first one."""
    path = tmp_path / "ledger.sqlite3"
    path.write_bytes(b"")

    ledger = Ledger(path)

    assert (ledger.notice, ledger.unread()) == ("", [])
    ledger.close()


@pytest.mark.parametrize("damage", [scramble_head, empty], ids=["noise", "nothing"])
def test_of_many_that_find_a_damaged_file_at_once_one_replaces_it(path, damage):
    damage(path)
    start, numbers, notices = threading.Barrier(6), itertools.count(100), []

    def work() -> None:
        start.wait()
        ledger = Ledger(path, sleep=lambda _: time.sleep(0.001))
        notices.append(ledger.notice)
        ledger.add(make(next(numbers)))
        ledger.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(bool(notice) for notice in notices) == [False] * 5 + [True]
    ledger = Ledger(path)
    assert (len(ledger.recent(sandbox=False, limit=-1)), len(ledger.unread())) == (6, 1)
    ledger.close()
