"""``flux status --watch`` and ``--batch``: which jobs are meant, and staying until they are finished."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from flux_cli.config.paths import state_path
from flux_cli.ledger.ledger import Ledger
from flux_cli.sandbox.wire import reply


def test_all_active_jobs_are_watched_until_they_are_finished(flux, queued):
    """A line a change of state on stderr, the jobs as they ended on stdout, and it ends by itself."""
    jobs = [queued("runware", "one")["id"], queued("runcomfy", "two")["id"]]

    done = flux("status", "--watch", "--sandbox")

    assert done.code == 0
    assert [line.split("\t")[:2] for line in done.lines] == [[one, "succeeded"] for one in reversed(jobs)]
    assert f"flux: {jobs[1]} runcomfy succeeded" in done.err.splitlines()
    assert not Path("one.jpg").exists()


def test_finished_jobs_are_no_part_of_it_unless_they_are_named(flux, queued, clock):
    old = queued("runware", "old")["id"]
    clock.sleep(60)
    flux("status", "--sandbox")
    new = queued("runware", "new")["id"]

    everything = flux("status", "--watch", "--sandbox", "-q")
    named = flux("status", "--watch", old, new, "--sandbox", "--json")
    nothing = flux("status", "--watch", "--sandbox")

    assert [line.split("\t")[0] for line in everything.lines] == [new]
    assert [one["id"] for one in named.objects] == [old, new]
    assert (nothing.code, nothing.out, nothing.err) == (0, "", "flux: note: no job is in progress\n")


def test_one_job_is_shown_in_detail_and_may_decide_the_exit_code(flux, queued):
    job = queued("runware", "sandbox:fail")["id"]

    done = flux("status", job, "--watch", "--exit-status", "--sandbox", "-q")

    assert done.code == 1
    assert done.lines[:2] == [f"id\t{job}", "status\tfailed"]


def test_a_terminal_is_left_with_the_table_alone(flux, queued):
    queued("runware", "a fox")

    done = flux("status", "--watch", "--sandbox", tty=True)

    assert done.lines[0].strip("\x1b[01m").startswith("ID")
    assert "succeeded" in done.lines[1]
    assert len(done.lines) == 2


def test_a_host_that_is_away_for_a_moment_ends_nothing(flux, host):
    """Watching goes on through trouble that may pass, and only ever reads."""
    flux("generate", "a fox", "-p", "runflow", "--no-wait")
    calls = []

    def script(call):
        calls.append(call)
        return reply(503, {"code": "UNAVAILABLE", "message": "later"}) if len(calls) < 6 else None

    host.script = script
    paid = host.paid.copy()

    done = flux("status", "--watch", "--json")

    assert (done.code, done.object["status"]) == (0, "succeeded")
    assert host.paid == paid


def test_a_key_that_is_refused_ends_it_with_the_last_known_state(flux, host):
    flux("generate", "a fox", "-p", "runflow", "--no-wait")
    host.script = lambda call: reply(401, {"code": "UNAUTHORIZED", "message": "no"})

    done = flux("status", "--watch", "--json")

    assert (done.code, done.object["status"]) == (4, "queued")
    assert "showing its last known status" in done.err


def test_a_job_that_another_process_is_just_sending_is_waited_for(flux, queued, clock):
    """As long as that process lives, nobody else settles what becomes of it."""
    job = queued("runware", "a fox")["id"]
    ledger = Ledger(state_path() / "ledger.sqlite3")
    accepted = ledger.find(job, sandbox=True)[0]
    ledger.change(job, lambda known: replace(known, status="submitting", remote_id=None))
    sleep = clock.sleep

    def answer_comes(seconds):
        clock.sleep = sleep
        ledger.change(job, lambda _: accepted)
        sleep(seconds)

    clock.sleep = answer_comes
    done = flux("status", "--watch", "--sandbox")
    ledger.close()

    assert [line.split("\t")[1] for line in done.lines] == ["succeeded"]
    states = [line.split()[3] for line in done.err.splitlines()]
    assert (states[0], states[-1]) == ("submitting", "succeeded")


def test_a_job_of_unknown_outcome_is_asked_about_once(flux):
    """Where the host cannot be asked, watching does not wait for what never comes."""
    flux("generate", "a sandbox:lost-reply fox", "--sandbox", "-p", "runcomfy")

    done = flux("status", "@1", "--watch", "--sandbox")

    assert (done.code, done.lines[1]) == (0, "status\tunknown")


@pytest.fixture
def batch(flux):
    """Make a batch of three in the sandbox, and one more job beside it."""
    Path("prompts.txt").write_text("a fox\nan owl\na heron\n")
    assert flux("generate", "--batch", "prompts.txt", "--no-wait", "--sandbox", "-q").code == 0
    assert flux("generate", "a cat", "--no-wait", "--sandbox", "-q").code == 0


def test_the_jobs_of_a_batch(flux, batch):
    """All of them, from wherever the file is named, also as the file of those that failed; and no others."""

    def prompts(*typed):
        return sorted(line.split("\t")[-1] for line in flux("status", "--sandbox", "--offline", *typed).lines)

    assert prompts("--batch", "prompts.txt") == ["a fox", "a heron", "an owl"]
    assert prompts("--batch", "../work/prompts.txt.failed.jsonl") == ["a fox", "a heron", "an owl"]
    assert len(prompts("-b", "prompts.txt", "--limit", "2")) == 2
    assert prompts("-b", "prompts.txt", "-p", "runflow") == []
    assert len(flux("status", "--batch", "prompts.txt", "--watch", "--sandbox", "-q").lines) == 3
    assert prompts("-b", "prompts.txt", "--active") == []


def test_what_a_batch_came_to(flux, batch):
    done = flux("status", "--spend", "--batch", "prompts.txt", "--sandbox")

    assert [line.split("\t")[:2] for line in done.lines] == [["runware", "3"], ["total", "3"]]


def test_a_file_that_nothing_was_made_from(flux, batch):
    """A note where the file is there; an error where it is not, because the name may be wrong."""
    Path("other.txt").write_text("a fox\n")

    there = flux("status", "--batch", "other.txt", "--sandbox")
    missing = flux("status", "--batch", "promts.txt", "--sandbox")

    assert (there.code, there.out, there.err) == (0, "", "flux: note: no job was made from other.txt yet\n")
    assert missing.code == 2
    assert "the file does not exist" in missing.err


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--watch", "--offline"], "--watch cannot be combined with --offline"),
        (["@1", "--batch", "prompts.txt"], "--batch cannot be combined with a JOB"),
        (["--spend", "--watch"], "--spend covers all jobs"),
    ],
    ids=["offline", "job", "spend"],
)
def test_what_does_not_go_together_is_refused(flux, typed, said):
    done = flux("status", *typed, "--sandbox")

    assert done.code == 2
    assert said in done.err
