from __future__ import annotations

import errno
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_cli.errors import LedgerError, ModeratedError, UsageError
from flux_cli.jobs import Cost, Image, Job
from flux_cli.ledger.codec import decode, encode
from flux_cli.ledger.ledger import Ledger
from flux_cli.ledger.records import Claim
from flux_cli.ledger.schema import columns


def make(job_id="k3f9q2mx", **changes) -> Job:
    fields = {"id": job_id, "run": f"run-{job_id}", "provider": "runware", "model": "flux-1.1-pro-ultra"}
    return Job(**{**fields, "prompt": "a fox", "created_at": 1000.0, **changes})


@pytest.fixture
def ledger(tmp_path):
    found = Ledger(tmp_path / "state" / "ledger.sqlite3")
    yield found
    found.close()


def test_a_job_comes_back_as_it_was_written(ledger):
    """Every field survives, image bytes apart."""
    job = make(
        status="succeeded",
        seed=7,
        count=2,
        parameters={"raw": True, "param": {"a.b": [1, None]}},
        skipped=("size",),
        idempotency_key="h",
        remote_id="r-1",
        poll_state={"count": 2},
        request={"method": "POST", "path": "/x", "headers": {}, "body": {"prompt": "a"}},
        images=(Image(key="k", url="https://x/1", seed=7, nsfw=False, path="/abs/a.jpg", width=2, height=3), Image()),
        cost=Cost(amount=0.06),
        timing={"provider_ms": 9.5},
        error=ModeratedError("blocked", hint="h", charged="no"),
        finished_at=1010.0,
    )

    ledger.add(job)
    (found,) = ledger.find(job.id, sandbox=False)

    assert replace(found, error=None) == replace(job, error=None)
    assert (found.error.code, found.error.message, found.error.hint, found.error.charged) == (
        "moderated",
        "blocked",
        "h",
        "no",
    )


def test_a_change_writes_the_columns_that_differ_and_leaves_all_as_a_new_row_would_have_them(tmp_path):
    """A column that is written again is written in every index that has it."""
    statements = []

    def connect(*args, **options):
        database = sqlite3.connect(*args, **options)
        database.set_trace_callback(statements.append)
        return database

    job = make(status="submitting", estimate=0.06, batch="/b")
    steps = [
        {"status": "running", "remote_id": "r-1", "accepted_at": 1001.0},
        {"status": "succeeded", "images": (Image(url="https://x/1"),), "cost": Cost(amount=0.05)},
        {"images": (Image(url="https://x/1", path="/abs/a.jpg"),)},
        {"detail": "seen again"},
    ]
    written = []
    with closing(Ledger(tmp_path / "ledger.sqlite3", connect=connect)) as ledger:
        ledger.add(job)
        for step in steps:
            statements.clear()
            job = ledger.change(job.id, lambda known, step=step: replace(known, **step))
            (update,) = [one for one in statements if one.startswith("UPDATE")]
            written.append({name for name in columns(job) if f" {name} = " in update.partition(" WHERE ")[0]})
            names = ", ".join(columns(job))
            ((*row,),) = ledger._database.rows(f"SELECT {names} FROM jobs")
            assert row == list(columns(job).values())

    assert written == [{"status", "remote_id"}, {"status", "unsaved", "spent", "images", "told"}, {"unsaved"}, set()]


def test_a_change_that_finds_nothing_new_writes_nothing(tmp_path):
    """Most polls of a job find it as it was, and a write waits for the disk."""
    statements = []

    def connect(*args, **options):
        database = sqlite3.connect(*args, **options)
        database.set_trace_callback(statements.append)
        return database

    with closing(Ledger(tmp_path / "ledger.sqlite3", connect=connect)) as ledger:
        ledger.add(make(status="running"))
        statements.clear()

        same = ledger.change("k3f9q2mx", lambda known: replace(known, status="running"))
        unwritten = [one for one in statements if one.startswith("UPDATE")]
        ledger.change("k3f9q2mx", lambda known: replace(known, detail="half-way"))
        written = [one for one in statements if one.startswith("UPDATE")]

    assert (same.status, unwritten, len(written)) == ("running", [], 1)


def test_image_bytes_are_never_written(ledger, tmp_path):
    ledger.add(make(images=(Image(data=b"\x89PNG-secret-bytes"),)))

    assert b"secret-bytes" not in (tmp_path / "state" / "ledger.sqlite3").read_bytes()
    assert ledger.find("k3f9q2mx", sandbox=False)[0].images == (Image(),)


@given(st.text(st.characters(codec=None)))
def test_any_text_survives(text):
    """Prompts with controls, emoji and lone surrogates come back as they were."""
    assert decode(encode(make(prompt=text))).prompt == text


def test_a_change_is_made_to_the_newest_version(ledger, tmp_path):
    """Two processes that change one job do not undo each other."""
    other = Ledger(tmp_path / "state" / "ledger.sqlite3")
    ledger.add(make())

    ledger.change("k3f9q2mx", lambda job: replace(job, status="queued"))
    other.change("k3f9q2mx", lambda job: replace(job, remote_id="r-9"))

    (found,) = ledger.find("k3f9q2mx", sandbox=False)
    assert (found.status, found.remote_id) == ("queued", "r-9")
    other.close()


def test_a_change_that_fails_changes_nothing(ledger):
    ledger.add(make())

    with pytest.raises(ZeroDivisionError):
        ledger.change("k3f9q2mx", lambda _: 1 / 0)

    assert ledger.find("k3f9q2mx", sandbox=False) == [make()]


def test_references_are_tried_in_the_documented_order(ledger, tmp_path, monkeypatch):
    first = make("aaaa1111", remote_id="0b1e-remote", images=(Image(path=str(tmp_path / "fox.jpg")),))
    second = make("bbbb2222", provider="runcomfy", remote_id="77-remote", run="shared")
    third = make("cccc3333", provider="runcomfy", remote_id="78-remote", run="shared")
    for job in (first, second, third):
        ledger.add(job)
    monkeypatch.chdir(tmp_path)

    def ids(reference, **options):
        return [job.id for job in ledger.find(reference, sandbox=False, **options)]

    assert ids("aaaa1111") == ["aaaa1111"]
    assert ids("77-remote") == ["bbbb2222"]
    assert ids("runcomfy:77-remote") == ["bbbb2222"]
    assert ids("@1") == ["bbbb2222", "cccc3333"]
    assert ids("@2") == ["aaaa1111"]
    assert ids("@3") == []
    assert ids("fox.jpg") == ["aaaa1111"]
    assert ids("aaaa") == ["aaaa1111"]
    assert ids("3333") == ["cccc3333"]
    assert ids("0b1e") == ["aaaa1111"]
    assert ids("aaa") == []
    assert ids("%%%%") == []
    assert ids("bbbb", provider="runware") == []
    with pytest.raises(UsageError, match="matches 3 jobs"):
        ids("-remote")


def test_a_path_that_is_no_text_is_a_reference_like_any_other(ledger, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ledger.add(make(images=(Image(path=str(tmp_path / "n\udcff.jpg")),)))

    assert [job.id for job in ledger.find("n\udcff.jpg", sandbox=False)] == ["k3f9q2mx"]
    assert ledger.find("m\udcff.jpg", sandbox=False) == []


def claim(run="r1", **changes):
    return Claim(**{"name": "cover", "sandbox": False, "run": run, "jobs": 1, "key": "m", "owner": "h:1", **changes})


def test_a_name_belongs_to_the_first_that_claims_it(ledger):
    ledger.add(make(run="r1"))

    assert ledger.claim(claim("r1"), free=lambda *_: False) == (claim("r1"), [])
    held, jobs = ledger.claim(claim("r2", key="other"), free=lambda *_: False)

    assert (held.run, held.key, [job.run for job in jobs]) == ("r1", "m", ["r1"])


def test_a_name_that_is_free_again_is_taken_over(ledger):
    ledger.claim(claim("r1"), free=lambda *_: False)

    assert ledger.claim(claim("r2"), free=lambda held, jobs: held.run == "r1" and not jobs) == (claim("r2"), [])
    assert ledger.claim(claim("r3"), free=lambda *_: False)[0].run == "r2"


def test_a_name_means_another_thing_in_the_sandbox(ledger):
    ledger.claim(claim("r1"), free=lambda *_: False)

    assert ledger.claim(claim("r2", sandbox=True), free=lambda *_: False)[0].run == "r2"


def test_the_two_worlds_are_apart(ledger):
    ledger.add(make("aaaa1111", sandbox=True, status="queued"))
    ledger.add(make("bbbb2222", status="queued"))

    assert [job.id for job in ledger.recent(sandbox=True, limit=9)] == ["aaaa1111"]
    assert [job.id for job in ledger.find("@1", sandbox=False)] == ["bbbb2222"]
    assert ledger.find("@2", sandbox=False) == []
    assert [job.id for job in ledger.active(sandbox=False)] == ["bbbb2222"]
    assert ledger.find("aaaa1111", sandbox=False) != []  # a whole id is beyond doubt


def test_uncollected_jobs_are_those_with_an_image_that_was_never_saved(ledger):
    ledger.add(make("aaaa1111", status="succeeded", images=(Image(url="https://x/1"),)))
    ledger.add(make("bbbb2222", status="succeeded", images=(Image(path="/a.jpg"),)))
    ledger.add(make("cccc3333", status="failed"))

    assert [job.id for job in ledger.unsaved(sandbox=False)] == ["aaaa1111"]


def test_history_is_the_median_and_the_failures_of_this_machine(ledger):
    for number, seconds in enumerate((4.0, 8.0, 20.0)):
        ledger.add(make(f"aaaa000{number}", status="succeeded", finished_at=1000.0 + seconds))
    ledger.add(make("bbbb0000", status="failed", finished_at=1001.0))

    seen = ledger.history(sandbox=False)["runware"]

    assert (seen.jobs, seen.failures, seen.median) == (4, 1, 8.0)
    assert ledger.history(sandbox=True) == {}


def test_waits_are_those_of_the_latest_jobs_of_one_model(ledger):
    """The newest first, and no more than are wanted: only of jobs that somebody watched until they succeeded."""
    for number in range(5):
        ledger.add(make(f"aaaa000{number}", status="succeeded", ready_between=(float(number), number + 1.0)))
    ledger.add(make("bbbb0001", status="failed", ready_between=(7.0, 8.0)))
    ledger.add(make("bbbb0002", status="succeeded"))
    ledger.add(make("bbbb0003", status="succeeded", model="flux-1.1-pro", ready_between=(7.0, 8.0)))
    ledger.add(make("bbbb0004", status="succeeded", sandbox=True, ready_between=(7.0, 8.0)))

    def waits(**options):
        return ledger.durations("runware", "flux-1.1-pro-ultra", **options)

    assert waits(sandbox=False, limit=3) == [(4.0, 5.0), (3.0, 4.0), (2.0, 3.0)]
    assert waits(sandbox=True) == [(7.0, 8.0)]
    assert ledger.durations("apiframe", "flux-1.1-pro-ultra", sandbox=False) == []


def test_waits_are_found_without_reading_every_job(ledger, tmp_path):
    """Also among ten thousand jobs."""
    with closing(sqlite3.connect(tmp_path / "state" / "ledger.sqlite3")) as database, database:
        plan = database.execute(
            "EXPLAIN QUERY PLAN SELECT document FROM jobs WHERE sandbox = 0 AND provider = 'x' AND model IS 'y'"
            " AND waited IS NOT NULL ORDER BY seq DESC LIMIT 20"
        ).fetchall()
    database.close()

    assert [row[-1] for row in plan] == ["SEARCH jobs USING INDEX jobs_by_wait (sandbox=? AND provider=? AND model=?)"]


def test_history_uses_what_polling_showed_where_a_job_was_watched(ledger):
    """A job that was collected the next day did not take a day."""
    ledger.add(make("aaaa0001", status="succeeded", ready_between=(9.0, 10.0), finished_at=90_000.0))

    assert ledger.history(sandbox=False)["runware"].median == 9.5


def test_the_file_is_private(ledger, tmp_path):
    assert (tmp_path / "state" / "ledger.sqlite3").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_a_file_of_a_newer_flux_is_left_alone(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA user_version = 99")
    before = path.read_bytes()

    with pytest.raises(LedgerError, match="newer flux"):
        Ledger(path)

    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"this is no database, and long enough to be looked at" * 20, b"SQLite format 3\0" * 300]
)
def test_a_file_that_cannot_be_read_is_kept_aside_and_never_deleted(tmp_path, content):
    path = tmp_path / "ledger.sqlite3"
    path.write_bytes(content)

    ledger = Ledger(path)
    ledger.add(make())

    (kept,) = tmp_path.glob("ledger.sqlite3.broken-*")
    assert kept.read_bytes() == content
    assert str(kept) in ledger.notice
    assert ledger.find("k3f9q2mx", sandbox=False) == [make()]
    ledger.close()


def test_a_folder_in_the_place_of_the_file_is_an_error_of_one_line(tmp_path):
    (tmp_path / "ledger.sqlite3").mkdir()

    with pytest.raises(LedgerError, match="cannot use the job ledger"):
        Ledger(tmp_path / "ledger.sqlite3")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("attempt to write a readonly database", "in a folder that you can write to, `export XDG_STATE_HOME=FOLDER`"),
        ("disk I/O error", "flux sends nothing that it cannot record first"),
        ("database is locked", "no working locks, as some network folders have none: put the ledger on a local disk"),
        ("locking protocol", "`export XDG_STATE_HOME=FOLDER`"),
    ],
)
def test_a_file_that_cannot_be_written_is_an_error_of_one_line_before_money_moves(tmp_path, words, hint):
    class Stubborn(sqlite3.Connection):
        def execute(self, query, *values):
            if query.startswith("BEGIN"):
                raise sqlite3.OperationalError(words)
            return super().execute(query, *values)

    Ledger(tmp_path / "ledger.sqlite3").close()
    ledger = Ledger(tmp_path / "ledger.sqlite3", connect=Stubborn)

    with pytest.raises(LedgerError, match=words) as caught:
        ledger.add(make())

    assert hint in caught.value.hint
    assert ledger.recent(sandbox=False, limit=9) == []
    ledger.close()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError(errno.EACCES, "Permission denied"), "ledger.sqlite3: permission denied"),
        (PermissionError(errno.EPERM, "Operation not permitted"), "ledger.sqlite3: operation not permitted"),
        (OSError(errno.EROFS, "Read-only file system"), "ledger.sqlite3: read-only file system"),
        (sqlite3.OperationalError("unable to open database file"), "ledger.sqlite3: unable to open database file"),
        (sqlite3.OperationalError("attempt to write a readonly database"), "write a readonly database"),
    ],
)
def test_a_folder_that_may_not_be_written_to_is_an_error_that_says_how_to_name_another(tmp_path, error, words):
    """As ``/.local`` is in containers whose HOME is ``/``."""

    def refuse(*_, **__):
        raise error

    with pytest.raises(LedgerError, match=words) as caught:
        Ledger(tmp_path / "ledger.sqlite3", connect=refuse)

    assert "`export XDG_STATE_HOME=FOLDER`" in caught.value.hint


def test_an_id_is_never_written_twice(ledger):
    ledger.add(make())

    with pytest.raises(LedgerError):
        ledger.add(make(prompt="another"))

    assert ledger.find("k3f9q2mx", sandbox=False)[0].prompt == "a fox"


def test_many_threads_lose_nothing(ledger):
    def work(number):
        for step in range(10):
            ledger.add(make(f"t{number}s{step}abcd"))
            ledger.change(f"t{number}s{step}abcd", lambda job: replace(job, status="queued"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(ledger.active(sandbox=False)) == 80


@pytest.mark.slow
def test_many_processes_share_one_file(tmp_path):
    """Processes that start at once on a ledger that does not exist yet all get their rows in."""
    program = (
        "import sys; from pathlib import Path; from flux_cli.ledger.ledger import Ledger\n"
        "from flux_cli.jobs import Job\n"
        "ledger = Ledger(Path(sys.argv[1]))\n"
        "for n in range(5): ledger.add(Job(id=f'p{sys.argv[2]}n{n}', run='r', provider='runware', model=None,"
        " prompt='x', created_at=1.0))\n"
    )
    path = tmp_path / "ledger.sqlite3"

    running = [subprocess.Popen([sys.executable, "-c", program, path, str(number)]) for number in range(8)]
    codes = [process.wait(timeout=60) for process in running]

    assert codes == [0] * 8
    ledger = Ledger(path)
    assert len(ledger.recent(sandbox=False, limit=100)) == 40
    ledger.close()


class Failing(sqlite3.Connection):
    """A connection whose next commit fails: as a full disk does it, or having taken everything back by itself."""

    fails = ""

    def execute(self, sql, *values):
        if sql == "COMMIT" and self.fails:
            if self.fails == "taken back":
                super().execute("ROLLBACK")
            self.fails = ""
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, *values)


@pytest.mark.parametrize("how", ["left open", "taken back"])
def test_a_commit_that_fails_leaves_nothing_behind(tmp_path, how):
    """The error is told, the row is not there, and neither we nor another process are locked out afterwards."""
    made = []

    def connect(path, **options):
        made.append(sqlite3.connect(path, factory=Failing, **options))
        return made[-1]

    ledger = Ledger(tmp_path / "ledger.sqlite3", connect=connect)
    other = Ledger(tmp_path / "ledger.sqlite3")
    made[0].fails = how

    with pytest.raises(LedgerError, match="disk I/O error"):
        ledger.add(make())

    other.add(make("n2w4x6y8"))
    ledger.add(make("p3q5r7s9"))
    assert [job.id for job in ledger.recent(sandbox=False, limit=9)] == ["p3q5r7s9", "n2w4x6y8"]
    ledger.close()
    other.close()
