"""However many jobs there are: none that may be finished is left out of ``status`` and of ``result --all``."""

from __future__ import annotations

import json
import re
import shlex
import socket
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from flux_cli.cli import main
from flux_cli.config.paths import state_path
from flux_cli.ledger.ledger import Ledger
from flux_cli.runtime import Runtime
from flux_cli.sandbox.wire import reply
from tests import json_lines
from tests.conftest import FakeClock, Stream

DEAD = f"{socket.gethostname()}:99999999"
"""A process that runs no more."""


@pytest.fixture
def in_flight(flux, host):
    """Return a function that leaves so many jobs of a killed process, and returns their ids, the oldest first.

    They are done at the host by now, and every third was being submitted when its process died.
    """

    def leave(count: int, provider: str = "runflow") -> list[str]:
        ids: list[str] = []
        while len(ids) < count:
            more = str(min(20, count - len(ids)))
            ids += flux("generate", "a fox", "-p", provider, "-n", more, "--no-wait").lines
        ledger = Ledger(state_path() / "ledger.sqlite3")
        for job in ids[::3]:
            ledger.change(job, lambda known: replace(known, status="submitting", owner=DEAD))
        jobs = [job.id for job in ledger.recent(sandbox=False, limit=-1)][::-1]
        ledger.close()
        host.requests.clear()
        return jobs

    return leave


def states(flux) -> set[str]:
    """Return how the jobs stand, as the ledger has them."""
    return {job["status"] for job in flux("status", "--offline", "--limit", "500", "--json").objects}


def images() -> int:
    return len([*Path().glob("*.jpg"), *Path().glob("*.png"), *Path().glob("*.webp")])


@pytest.mark.parametrize("typed", [[], ["--limit", "3"], ["--active", "--limit", "3"]], ids=" ".join)
def test_status_asks_about_every_job_also_those_it_does_not_list(flux, in_flight, typed):
    """One line says how many that are and what lists them, and that command does."""
    jobs = in_flight(40)

    done = flux("status", "--json", *typed)

    assert done.code == 0
    assert states(flux) == {"succeeded"}
    assert {job["status"] for job in done.objects} == {"succeeded"}
    assert len(done.objects) == (3 if typed else 20)
    (line,) = done.err.splitlines()
    told = re.fullmatch(r"flux: note: (\d+) older jobs refreshed but not listed: \1 succeeded; `(.*)` lists them", line)
    assert told
    assert len(done.objects) + int(told[1]) == 40
    listed = flux(*shlex.split(told[2])[1:])
    assert ([line.split("\t")[0] for line in listed.lines], listed.err) == (jobs[::-1], "")


def test_status_does_not_speak_of_jobs_that_need_no_asking(flux, in_flight):
    """Finished jobs that the limit leaves out are no news."""
    in_flight(5)
    flux("status")

    assert flux("status", "--limit", "2").err == ""


def test_offline_says_what_it_does_not_list_and_asks_nobody(flux, host, in_flight):
    in_flight(6)

    done = flux("status", "--offline", "--limit", "2")

    assert host.requests == []
    assert "4 older jobs not finished and not listed: " in done.err


def test_a_provider_that_is_narrowed_to_is_the_only_one_asked(flux, host, in_flight):
    in_flight(3, "runflow")
    in_flight(3, "apiframe")

    done = flux("status", "-p", "runflow", "--limit", "1")

    assert {seen.provider for seen in host.requests} == {"runflow"}
    assert "2 older jobs refreshed but not listed: 2 succeeded; `flux status -p runflow --limit 3`" in done.err


def test_jobs_that_are_not_listed_and_cannot_be_asked_about_take_one_line(flux, host, in_flight):
    """The exit code is about the rows that are shown."""
    jobs = in_flight(9)
    flux("status", jobs[-1])
    host.script = lambda _: reply(401, {"code": "UNAUTHORIZED", "message": "no"})

    done = flux("status", "--limit", "1")

    assert done.code == 0
    warnings = [line for line in done.err.splitlines() if line.startswith("flux: warning: ")]
    assert len(warnings) == 1
    assert f"8 jobs ({jobs[0]} and others) are neither listed nor refreshed: " in warnings[0]


def test_a_host_that_wants_fewer_requests_gets_fewer(flux, host, in_flight, clock):
    """One refusal slows all the others down: only what was under way with it is refused as well, and asked again."""
    in_flight(40)
    refused = []
    until = clock.now() + 2

    def script(call):
        if clock.now() < until:
            refused.append(call)
            return reply(429, {"code": "RATE_LIMITED", "message": "slow down"}, retry_after="2")
        return None

    host.script = script

    done = flux("status", "--json")

    assert done.code == 0
    assert states(flux) == {"succeeded"}
    assert 1 <= len(refused) <= 8
    assert len(host.requests) == 40 + len(refused)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 30, 40])
def test_result_all_saves_what_is_finished_whether_or_not_anybody_asked_before(flux, in_flight, count):
    """Exit 0 and an image of each job; the second time there is nothing left to do, and that is said."""
    jobs = in_flight(count)

    done = flux("result", "--all", "-o", "{id}-{index}.{ext}")
    again = flux("result", "--all")

    assert (done.code, "error" in done.err) == (0, False)
    assert len(done.lines) == images() == count
    assert {line[:8] for line in done.lines} == set(jobs)
    assert (again.code, again.out) == (0, "")
    assert again.err == "flux: note: no job has unsaved images\n"


def test_result_all_prints_the_links_of_all(flux, host, in_flight):
    in_flight(5)

    done = flux("result", "--all", "--url")

    assert (done.code, len(done.lines), images()) == (0, 5, 0)


def test_result_all_names_what_is_under_way_and_waits_for_it_on_demand(flux, queued, clock):
    """Exit 8 without --wait, though others are saved; with it, all of them come home."""
    ready = queued("runware", "a fox")["id"]
    clock.sleep(5)
    slow = [queued(provider, "sandbox:slow")["id"] for provider in ("runflow", "runcomfy")]

    first = flux("result", "--all", "--sandbox", "--json")
    second = flux("result", "--all", "--sandbox", "--wait", "--timeout", "2")
    third = flux("result", "--all", "--sandbox", "--wait")

    ends = {job["id"]: (job["error"] or {}).get("exit_code") for job in first.objects}
    assert (first.code, ends) == (8, {ready: None, slow[0]: 8, slow[1]: 8})
    assert (second.code, second.out) == (8, "")
    assert (third.code, len(third.lines)) == (0, 2)
    assert images() == 3


class HeldClock(FakeClock):
    """A clock that stays below a limit until something is printed: on a `FakeClock` the sleeps of all threads add up.

    It gives the limit up after many sleeps, so that a program that prints nothing until then fails, not hangs.
    """

    def __init__(self, start: float, *, limit: float) -> None:
        super().__init__(start)
        self.out = Stream()
        self._limit = start + limit
        self._held = 0

    def sleep(self, seconds: float) -> None:
        if self.time + seconds < self._limit or self._held > 5000 or self.out.bytes.getvalue():
            super().sleep(seconds)
            return
        self.check()
        self._held += 1
        threading.Event().wait(0.001)  # let the other threads run


def test_result_all_is_held_up_by_nothing_that_takes_long(queued, clock):
    """More jobs that never end than are saved at a time: one that does end comes home before they are given up."""
    for _ in range(6):
        queued("runflow", "sandbox:never")
    ready = queued("runware", "a fox")["id"]
    held = HeldClock(clock.time, limit=600)
    runtime = Runtime(stdin=Stream(), stdout=held.out, stderr=Stream(), clock=held)

    code = main(["result", "--all", "--sandbox", "--wait", "--timeout", "600", "--json"], runtime)

    printed = held.out.bytes.getvalue().decode()
    json_lines.check_output(printed, json_only=True)
    jobs = [json.loads(line) for line in printed.splitlines()]
    assert code == 8
    assert (jobs[0]["id"], jobs[0]["error"]) == (ready, None)
    assert [job["error"]["code"] for job in jobs[1:]] == ["pending"] * 6


@pytest.mark.parametrize(
    ("prompt", "code", "exit_code"),
    [("sandbox:fail", "failed", 1), ("sandbox:moderated", "moderated", 5)],
)
def test_result_all_tells_of_a_job_that_turns_out_to_have_failed(flux, queued, clock, prompt, code, exit_code):
    """Once: nobody knew of it before, and from then on it is no job that anything is to be had from."""
    queued("runware", prompt)
    clock.sleep(5)

    done, again = (flux("result", "--all", "--sandbox", "--json") for _ in range(2))

    assert (done.code, done.object["error"]["code"]) == (exit_code, code)
    assert (again.code, again.out) == (0, "")


def test_result_all_with_an_option_that_is_wrong_asks_nobody(flux, host, in_flight):
    in_flight(2)

    done = flux("result", "--all", "-o", "fox.png", "-f", "jpg")

    assert (done.code, host.requests) == (2, [])


def test_a_job_of_unknown_outcome_is_named_for_as_long_as_it_is_looked_for(flux, clock):
    """Exit 7 on its day, then silence: it is `flux status` that keeps it."""
    assert flux("generate", "a sandbox:lost-reply fox", "--sandbox", "-p", "runcomfy").code == 7

    today = flux("result", "--all", "--sandbox", "--json")
    clock.sleep(2 * 86_400)
    later = flux("result", "--all", "--sandbox", "--json")

    assert (today.code, today.object["error"]["code"]) == (7, "unknown")
    assert (later.code, later.out) == (0, "")
