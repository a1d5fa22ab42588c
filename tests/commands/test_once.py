"""``--once NAME``: at most one purchase under a name."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from flux_cli.config.paths import state_path
from flux_cli.ledger.ledger import Ledger
from flux_cli.providers import NAMES
from flux_cli.sandbox.wire import Answer, LostReply

DEAD = "elsewhere-that-is-not:1"


@pytest.fixture
def abandon():
    """Return a function that makes a name's process one that has died."""
    import socket

    def leave() -> None:
        with closing(sqlite3.connect(state_path() / "ledger.sqlite3")) as database, database:
            database.execute("UPDATE claims SET owner = ?", (f"{socket.gethostname()}:999999999",))

    return leave


def test_the_second_use_of_a_name_prints_the_image_and_buys_nothing(flux, host):
    first = flux("generate", "a fox", "-p", "runware", "--once", "cover", "-q")
    again = flux("generate", "a fox", "-p", "runware", "--once", "cover", "-q")

    assert (first.code, first.lines) == (again.code, again.lines)
    assert host.paid["runware"] == 1


def test_what_a_stopped_process_did_not_buy_is_named(flux, abandon):
    """Not all of what was requested is there: the exit code says so each time, and nothing is bought again."""
    line = ("generate", "a fox", "--sandbox", "-p", "runware", "-p", "bfl", "-n", "2", "--once", "cover")
    flux(*line, "-q")
    jobs = flux("status", "--sandbox", "--json", "-q").objects
    (lost, *_) = (job["id"] for job in jobs if job["provider"] == "bfl")
    with closing(sqlite3.connect(state_path(sandbox=True) / "ledger.sqlite3")) as database, database:
        database.execute("DELETE FROM jobs WHERE id = ?", (lost,))
    abandon()

    again, third = flux(*line), flux(*line, "--json")

    assert (again.code, len(again.lines)) == (9, 3)
    assert "1 of 4 images of --once cover were not bought" in again.err
    assert "flux-1.1-pro-ultra at bfl" in again.err
    assert (third.code, third.objects[-1]["error"]["code"]) == (9, "partial")
    assert len(flux("status", "--sandbox", "--json", "-q").objects) == 2


def test_an_explicit_file_is_printed_again_although_it_exists(flux, host):
    """What a Makefile does: the same line each time."""
    line = ("generate", "a fox", "-p", "runware", "--once", "cover", "-o", "cover.jpg", "-q")

    assert [flux(*line).lines, flux(*line).lines] == [["cover.jpg"], ["cover.jpg"]]
    assert host.paid["runware"] == 1


def test_an_image_that_was_deleted_is_fetched_again_not_bought(flux, host, tmp_path):
    line = ("generate", "a fox", "-p", "runware", "-s", "7", "--once", "cover", "-q")
    flux(*line)
    (tmp_path / "work" / "a-fox-7.jpg").unlink()

    assert flux(*line).lines == ["a-fox-7.jpg"]
    assert (tmp_path / "work" / "a-fox-7.jpg").exists()
    assert host.paid["runware"] == 1


@pytest.mark.parametrize(
    "other", [["a cat"], ["a fox", "--raw"], ["a fox", "-n", "2"], ["a fox", "-m", "pro"], ["a fox", "-s", "8"]]
)
def test_a_name_stands_for_one_wish(flux, host, other):
    flux("generate", "a fox", "-p", "runware", "--once", "cover", "-q")

    run = flux("generate", *other, "-p", "runware", "--once", "cover")

    assert run.code == 2
    assert "--once cover was used with another prompt" in run.err
    assert host.paid["runware"] == 1


def test_a_job_that_nobody_waited_for_is_waited_for_by_the_next(flux, host, abandon):
    (job_id,) = flux("generate", "a fox", "-p", "runware", "--once", "cover", "--no-wait").lines
    abandon()

    run = flux("generate", "a fox", "-p", "runware", "--once", "cover", "--json")

    assert (run.code, run.object["id"], run.object["status"]) == (0, job_id, "succeeded")
    assert host.paid["runware"] == 1


def test_a_lost_answer_is_never_answered_by_a_second_purchase(flux, host, abandon):
    def lose(call):
        if call.path.endswith("text-to-image"):
            raise LostReply

    host.script = lose
    assert flux("generate", "a fox", "-p", "runcomfy", "--once", "cover").code == 7
    abandon()
    host.script = None

    assert flux("generate", "a fox", "-p", "runcomfy", "--once", "cover").code == 7
    assert host.paid["runcomfy"] == 1


def test_a_name_is_free_again_when_its_process_died_and_nothing_was_accepted(flux, host, abandon):
    host.script = lambda _: Answer(
        status=401, headers={"content-type": "application/json"}, body=json.dumps({"error": "no"}).encode()
    )
    assert flux("generate", "a fox", "-p", "apiframe", "--once", "cover").code == 3
    host.script = None
    abandon()

    assert flux("generate", "a fox", "-p", "apiframe", "--once", "cover", "-q").code == 0
    assert host.accepted("apiframe") == 1


@pytest.mark.parametrize("name", NAMES)
def test_every_refusal_leaves_the_name_and_the_budget_free(flux, host, config, abandon, name):
    """A 4xx to a paid request means that nothing was accepted: it is told so, and costs nothing."""
    price = f'[providers.{name}]\nprice = {{ "flux-1.1-pro-ultra" = 0.06 }}\n'
    config(f"[budget]\ndaily = 0.06\n{price}")
    line = ("generate", "a fox", "-p", name, "--once", "cover")
    refusals = (400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 413, 418, 422, 425, 451, 499)
    told = []

    for status in refusals:
        host.script = lambda _, status=status: Answer(status=status, headers={}, body=b"")
        told.append("charged: no" in flux(*line).err or status in {400, 413, 422})  # a usage error needs no such line
        abandon()
    host.script = None

    assert told == [True] * len(refusals)
    assert flux(*line).code == 0
    assert host.accepted(name) == 1


def test_a_name_that_another_process_is_at_is_waited_for(flux, host, clock):
    """It holds the name, and has not come as far as a job: we look until our time is up, and buy nothing."""
    flux("generate", "a fox", "-p", "runware", "--once", "cover", "--no-wait")
    slept = len(clock.slept)

    run = flux("generate", "a fox", "-p", "runware", "--once", "cover", "--timeout", "5")

    assert run.code == 8
    assert "another process is still running --once cover" in run.err
    assert sum(clock.slept[slept:]) == pytest.approx(5, abs=0.5)
    assert host.paid["runware"] == 1


def test_a_name_is_taken_over_by_one_of_many(tmp_path):
    """Two that find a dead holder do not both buy."""
    from flux_cli.ledger.records import Claim

    path = tmp_path / "ledger.sqlite3"
    one, other = Ledger(path), Ledger(path)
    old = Claim(name="n", sandbox=False, run="r0", jobs=1, key="m", owner=DEAD)
    one.claim(old, free=lambda *_: False)

    mine = old._replace(run="r1", owner="a:1")
    theirs = old._replace(run="r2", owner="b:2")
    first, _ = one.claim(mine, free=lambda held, _: held.owner == DEAD)
    second, _ = other.claim(theirs, free=lambda held, _: held.owner == DEAD)

    assert (first, second) == (mine, mine)
    one.close()
    other.close()


def test_an_empty_name_is_an_error(flux, host):
    assert flux("generate", "a fox", "-p", "runware", "--once", " ").code == 2
    assert not host.requests


@pytest.mark.parametrize(
    ("provider", "prompt", "code"),
    [("runcomfy", "a fox sandbox:lost-reply", 7), ("apiframe", "a fox sandbox:slow", 0), ("runware", "a fox", 0)],
    ids=["unknown", "under way", "nearly done"],
)
def test_without_waiting_the_second_use_of_a_name_prints_the_id_and_leaves(flux, clock, provider, prompt, code):
    """No pause at all, whatever became of the job, and although the process that has the name still lives."""
    line = ("generate", prompt, "--sandbox", "-p", provider, "--once", "cover", "--no-wait")
    first = flux(*line)
    slept = len(clock.slept)

    again, for_scripts = flux(*line), flux(*line, "--json")

    assert (first.code, again.code, for_scripts.code) == (code, code, code)
    assert (len(first.lines), again.lines) == (1, first.lines)
    assert for_scripts.object["id"] == first.lines[0]
    assert clock.slept[slept:] == []


def test_without_waiting_a_host_that_is_out_of_reach_hides_no_id(flux, host, clock):
    line = ("generate", "a fox", "-p", "runware", "--once", "cover", "--no-wait")
    first = flux(*line)
    slept = len(clock.slept)
    host.script = lambda _: Answer(status=503, headers={}, body=b"")

    again = flux(*line)

    assert (again.code, again.lines) == (0, first.lines)
    assert clock.slept[slept:] == []
    assert host.paid["runware"] == 1
