"""``flux status --forget``: what was asked for leaves the ledger for good, and nobody buys twice for that."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from flux_cli.config.paths import state_path
from flux_cli.jobs import Cost, Image, Job
from flux_cli.ledger.ledger import Ledger
from flux_cli.money.limits import Limit

SECRET = "a surprise party for Ada"
START = 1_795_000_000.0
DAY = 86_400.0


def job(job_id: str, **changes) -> Job:
    fields = {"id": job_id, "run": f"run-{job_id}", "provider": "runware", "model": "flux-1.1-pro-ultra"}
    fields |= {"prompt": f"{SECRET} {job_id} " * 40, "created_at": START, "status": "succeeded", "sandbox": True}
    fields |= {"images": (Image(path=f"/pictures/{job_id}.jpg"),), "cost": Cost(amount=0.06)}
    return Job(**{**fields, **changes})


@pytest.fixture
def book(home):
    """Return this user's ledger."""
    with closing(Ledger(state_path() / "ledger.sqlite3")) as ledger:
        yield ledger


def left(flux, *more: str) -> list[str]:
    return [line.split("\t")[0] for line in flux("status", "--sandbox", "--offline", *more).lines]


def test_a_job_is_forgotten_and_its_image_stays(flux):
    flux("generate", SECRET, "--sandbox", "-o", "ada.jpg")
    flux("generate", "a fox", "--sandbox")
    ada, fox = reversed(left(flux))

    done = flux("status", "--forget", "ada.jpg", "--sandbox")

    assert (done.code, done.lines, done.err) == (0, [f"{ada}\tforgotten"], "")
    assert Path("ada.jpg").exists()
    assert left(flux) == [fox]
    assert flux("status", ada, "--sandbox").code == 2


def test_what_a_record_said_is_nowhere_in_the_file(flux, home):
    """Neither in the database nor beside it: also not what was written over before."""
    flux("generate", SECRET, "--sandbox", "-q")
    folder = state_path()
    before = [path.name for path in folder.glob("ledger*") if SECRET.encode() in path.read_bytes()]

    done = flux("status", "--forget", "@1", "--sandbox", "--json")

    assert before
    assert set(done.object) == {"version", "id", "forgotten"}
    assert [path.name for path in folder.glob("ledger*") if SECRET.encode() in path.read_bytes()] == []


def test_a_file_that_is_being_read_is_said_not_to_be_clean(flux, book):
    """Somebody else's reading keeps old pages alive: the record is gone, and a warning says how to come back."""
    book.add(job("aaaa1111"))
    with closing(sqlite3.connect(state_path() / "ledger.sqlite3", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM jobs").fetchall()
        done = flux("status", "--forget", "aaaa1111", "--sandbox")
    again = flux("status", "--forget-older-than", "5000w", "--sandbox")

    assert (done.code, done.lines) == (0, ["aaaa1111\tforgotten"])
    assert "parts of the forgotten records may still be in its file" in done.err
    assert (again.code, again.out, again.err) == (0, "", "")


STAYS = {
    "queued": ({"status": "queued", "images": ()}, "it is not finished"),
    "running": ({"status": "running", "images": ()}, "it is not finished"),
    "submitting": ({"status": "submitting", "images": ()}, "it is not finished"),
    "unknown": ({"status": "unknown", "images": ()}, "it may have been accepted"),
    "unsaved": ({"images": (Image(url="https://x/y"),)}, "its images were paid for and never saved"),
}


@pytest.mark.parametrize(("changes", "reason"), STAYS.values(), ids=STAYS)
def test_what_somebody_may_come_back_for_stays(flux, book, changes, reason):
    """By name, nothing at all is forgotten then; by age, all the others are, and a note counts those that stay."""
    book.add(job("aaaa1111"))
    book.add(job("bbbb1111", **changes))

    named = flux("status", "--forget", "aaaa1111", "bbbb1111", "--sandbox")
    both = left(flux)
    aged = flux("status", "--forget-older-than", "0d", "--sandbox", "-v")

    assert (named.code, named.out) == (2, "")
    assert f"job bbbb1111 is not forgotten: {reason}" in named.err
    assert "hint: `flux " in named.err
    assert len(both) == 2
    assert (aged.code, aged.lines, left(flux)) == (0, ["aaaa1111\tforgotten"], ["bbbb1111"])
    assert f"flux: note: 1 job stays: {reason}" in aged.err


def test_unsaved_images_are_forgotten_if_that_is_wanted(flux, book):
    """--yes is for images that were never saved; it helps no job that is under way."""
    book.add(job("aaaa1111", images=(Image(url="https://x/y"),)))
    book.add(job("bbbb1111", status="queued", images=()))

    assert flux("status", "--forget", "aaaa1111", "--yes", "--sandbox").code == 0
    assert flux("status", "--forget", "bbbb1111", "--yes", "--sandbox").code == 2
    assert left(flux) == ["bbbb1111"]


def test_a_job_that_has_moved_on_meanwhile_stays(book):
    """What the file says when it is written decides, not what was read before."""
    seen = job("aaaa1111")
    book.add(job("aaaa1111", status="running", images=()))

    assert book.forget([seen, job("nothing1")]) == ([], True)
    assert len(book.recent(sandbox=True, limit=9)) == 1


def test_by_age(flux, book, clock):
    """Older than that and no younger ones; of one provider or one batch where that is said, and of one world."""
    batch = str(Path("prompts.txt").resolve())
    book.add(job("aaaa1111"))
    book.add(job("bbbb1111", provider="runcomfy"))
    book.add(job("cccc1111", batch=batch, row_key="m"))
    book.add(job("dddd1111", created_at=START + 80 * DAY))
    book.add(job("eeee1111", sandbox=False))
    clock.sleep(100 * DAY)

    def forget(age, *more):
        return [line.split("\t")[0] for line in flux("status", "--forget-older-than", age, "--sandbox", *more).lines]

    assert forget("101d") == []
    assert forget("90d", "-p", "runcomfy") == ["bbbb1111"]
    assert forget("12w", "--batch", "prompts.txt") == ["cccc1111"]
    assert forget("2401h") == []
    assert forget("2400h") == ["aaaa1111"]
    assert left(flux) == ["dddd1111"]
    assert len(flux("status", "--offline").lines) == 1


def test_a_batch_is_told_what_that_means(flux, book):
    book.add(job("aaaa1111", batch="/somewhere/prompts.txt", row_key="m"))

    done = flux("status", "--forget", "aaaa1111", "--sandbox")

    assert "--resume of /somewhere/prompts.txt would make them again" in done.err


def test_money_is_not_forgotten(flux, book):
    """Sums and budgets are what they were: forgetting is no way around a limit."""
    for one in (job("aaaa1111"), job("bbbb1111", cost=None, estimate=0.12), job("cccc1111", cost=None)):
        book.add(one)
    limits = [
        Limit(name="budget.daily", amount=9, since=START),
        Limit(name="--max-cost 9", amount=9, run="run-aaaa1111"),
    ]

    def sums():
        spent = [book.spent_since(limit, sandbox=True) for limit in limits]
        return [
            spent,
            *(flux("status", "--spend", "--by", by, "--sandbox").lines for by in ("provider", "model", "day")),
        ]

    before = sums()
    flux("status", "--forget-older-than", "0d", "--sandbox")

    assert left(flux) == []
    assert sums() == before
    assert before[1][-1].split("\t")[1:4] == ["3", "3", "$0.06"]


def test_a_name_of_once_buys_nothing_a_second_time(flux, host):
    """Also where the job that was bought under it is forgotten."""
    line = ("generate", "a fox", "-p", "runware", "--once", "cover", "-q")
    flux(*line)

    flux("status", "--forget", "@1")
    again = flux(*line)

    assert (again.code, host.paid["runware"]) == (2, 1)
    assert "--once cover was used before, and its job was forgotten" in again.err


def test_a_name_of_once_under_which_nothing_was_bought_is_free(flux, book, host):
    """A refusal that was forgotten is no purchase."""
    flux("generate", "sandbox:credits fox", "-p", "runware", "--once", "cover", "-q")
    with closing(sqlite3.connect(state_path() / "ledger.sqlite3", isolation_level=None)) as database:
        owner = database.execute("SELECT owner FROM claims").fetchall()

        flux("status", "--forget", "@1")

        assert database.execute("SELECT owner FROM claims").fetchall() == owner != []
    assert flux("status").lines == []


WRONG = [
    (["--forget"], "--forget needs the jobs to forget: JOB..."),
    (["--forget", "--batch", "x.txt"], "--forget needs the jobs to forget: JOB..."),
    (["--forget", "nothing1"], "there is no job nothing1"),
    (["--forget", "runware:0f0f0f0f-0f0f-4f0f-8f0f-0f0f0f0f0f0f"], "there is no job runware:"),
    (["--forget", "@1", "--watch"], "--forget cannot be combined with --active"),
    (["--forget", "@1", "-p", "nobody"], "nobody"),
    (["--forget-older-than", "90"], "--forget-older-than takes a time, not 90"),
    (["--forget-older-than", "-1d"], "--forget-older-than takes a time, not -1d"),
    (["--forget-older-than", "999999w"], "--forget-older-than takes a time, not 999999w"),
    (["--forget-older-than", "90d", "@1"], "cannot be combined with a JOB"),
    (["--forget-older-than", "90d", "--forget"], "cannot be combined with a JOB"),
    (["@1", "--yes"], "--yes only works with --forget"),
    (["--spend", "--forget"], "--spend covers all jobs"),
]


@pytest.mark.parametrize(("typed", "said"), WRONG, ids=[" ".join(typed) for typed, _ in WRONG])
def test_what_makes_no_sense_is_refused_and_nothing_is_removed(flux, book, typed, said):
    book.add(job("aaaa1111"))

    done = flux("status", *typed, "--sandbox")

    assert (done.code, done.out, left(flux)) == (2, "", ["aaaa1111"])
    assert said in done.err
    assert "hint: " in done.err


def test_a_job_that_flux_never_sent_can_be_forgotten_whatever_became_of_it(flux, book):
    """One from elsewhere that its provider did not confirm leaves no cost behind; one that flux sent stays."""
    elsewhere = {"model": None, "prompt": "", "remote_id": "r-1", "count": 0}
    book.add(job("aaaa1111", status="unknown", images=(), cost=None, **elsewhere))
    book.add(job("bbbb1111", status="unknown", images=(), cost=None))

    gone = flux("status", "--forget", "aaaa1111", "--sandbox")
    kept = flux("status", "--forget", "bbbb1111", "--sandbox")

    assert (gone.code, kept.code) == (0, 2)
    assert left(flux) == ["bbbb1111"]
    assert flux("status", "--spend", "--sandbox").lines[-1].split("\t")[1] == "1"
