"""Waiting for a job: when it is looked at, and what that teaches about the jobs after it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flux_cli.engine.polling import Poller
from flux_cli.engine.schedule import REMEMBERED, is_precise
from flux_cli.errors import PendingError, UnavailableError
from flux_cli.http.retry import READ
from flux_cli.jobs import Job

START = 1_795_000_000.0
SETTLED = ((9.0, 10.0),) * REMEMBERED
"""Jobs of nearly 10 seconds, as many as are remembered."""


class Host:
    """Makes jobs that take some seconds, and notes down the moments at which it was asked for each."""

    def __init__(self, clock, seconds: float = 10.0):
        self.clock, self.seconds = clock, seconds
        self.asked: dict[str, list[float]] = {}
        self.troubles: list[UnavailableError] = []

    def look(self, job: Job, *, working: float | None, deadline: float) -> Job:
        at = self.clock.now() - job.started_at
        self.asked.setdefault(job.id, []).append(at)
        if self.troubles:
            raise self.troubles.pop(0)
        if at < self.seconds:
            return replace(job, status="running")
        seen = None if working is None or not is_precise((working, at)) else (working, at)
        return replace(job, status="succeeded", ready_between=seen)


@pytest.fixture
def host(clock) -> Host:
    return Host(clock)


@pytest.fixture
def watcher(clock, host):
    """Return a function that makes a watcher, given what is known of earlier jobs."""

    def make(*past, poll_seconds=1.0) -> Poller:
        return Poller(
            clock=clock, look=host.look, retry=READ, waits=lambda _: past, poll_seconds=lambda _: poll_seconds
        )

    return make


def job(number: int = 1, *, at: float = START, **changes) -> Job:
    fields = {"id": f"job{number}", "run": "r", "provider": "runware", "model": "m", "prompt": "a fox"}
    return Job(**{**fields, "created_at": at - 2, "accepted_at": at, "status": "queued", **changes})


def ended(watcher, one: Job, timeout=600.0) -> Job:
    return list(watcher.watch(one, timeout=timeout))[-1]


def test_looks_begin_shortly_before_an_image_can_be_ready(watcher, host):
    ended(watcher(*SETTLED), job())

    assert host.asked["job1"] == [7.0, 8.0, 9.0, 10.0]


def test_time_counts_from_when_the_provider_accepted_the_job(watcher, host, clock):
    """However long it took to submit, and to write that down."""
    clock.time += 0.75

    ended(watcher(*SETTLED), job())

    assert host.asked["job1"][0] == 7.0


def test_what_a_look_has_shown_is_kept_as_an_interval(watcher):
    assert ended(watcher(*SETTLED), job()).ready_between == (9.0, 10.0)


def test_jobs_of_a_run_learn_from_those_before_them(watcher, host, clock):
    """Without any history but their own."""
    watching = watcher()

    for number in range(4):
        ended(watching, job(number, at=clock.now()))

    assert host.asked["job0"] == [3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, pytest.approx(10.2)]
    assert [len(host.asked[f"job{number}"]) for number in (1, 2, 3)] == [4, 4, 4]
    assert 9 < watching.expected(job()) < 11


def test_what_is_learned_of_one_model_says_nothing_of_another(watcher, clock):
    watching = watcher()
    ended(watching, job())

    assert watching.expected(job()) is not None
    assert watching.expected(job(model="other")) is None
    assert watching.expected(job(sandbox=True)) is None
    assert watching.expected(job(provider="apiframe")) is None


def test_jobs_that_begin_together_do_not_all_look_at_the_same_moment(watcher, host):
    """Nothing is known yet: what one misses another one sees."""
    watching = watcher()
    begun = [watching.watch(job(number), timeout=60) for number in range(3)]

    firsts = []
    for number, one in enumerate(begun):
        host.clock.time = START
        next(one)
        firsts.append(host.asked[f"job{number}"][0])

    assert firsts == pytest.approx([3.0, 1.7, 1.4])


def test_what_looks_at_short_jobs_have_shown_is_not_forgotten(watcher, host, clock):
    """Once it is known when they are ready, none is looked at too early again: that would double its time."""
    host.seconds = 1.0
    watching = watcher()

    for number in range(60):
        ended(watching, job(number, at=clock.now()))

    assert {len(host.asked[f"job{number}"]) for number in range(30, 60)} == {1}
    assert host.asked["job59"] == [pytest.approx(1.025, abs=0.025)]


def test_jobs_of_separate_runs_do_not_all_look_at_the_same_moment(watcher, host, clock):
    """Each process begins to count where those before it ended."""
    firsts = []
    for past in range(1, 4):
        clock.time = START
        next(watcher(*[(9.0, 10.0)] * past).watch(job(past), timeout=60))
        firsts.append(host.asked[f"job{past}"][0])

    assert firsts == pytest.approx([7.3, 7.6, 7.9])


@pytest.mark.parametrize(("past", "looks"), [((), [3.0, 6.0, 9.0, 12.0]), (SETTLED, [7.0, 10.0])])
def test_the_time_that_a_provider_asks_for_between_two_looks_is_kept(watcher, host, past, looks):
    ended(watcher(*past, poll_seconds=3.0), job())

    assert host.asked["job1"] == looks


def test_the_time_that_a_provider_asks_for_is_kept_when_waiting_is_resumed(watcher, host, clock):
    host.seconds = 306.0
    clock.time += 300

    ended(watcher(poll_seconds=3.0), job())

    assert host.asked["job1"] == [301.0, 304.0, 307.0]


def test_a_job_that_was_left_alone_teaches_nothing(watcher, host, clock):
    """It was found done when somebody came back, which says nothing of when it was ready."""
    clock.time += 3600

    known = ended(watcher(), job())

    assert host.asked["job1"] == [3601.0]
    assert known.ready_between is None


def test_a_job_that_is_still_at_work_when_waiting_is_resumed_is_polled_closely(watcher, host, clock):
    host.seconds = 303.0
    clock.time += 300

    known = ended(watcher(*SETTLED), job())

    assert host.asked["job1"] == [301.0, 302.0, 303.0]
    assert known.ready_between == (302.0, 303.0)


def test_a_first_look_that_failed_leaves_open_when_it_was_ready(watcher, host):
    host.seconds = 2.0
    host.troubles = [UnavailableError("502")]

    known = ended(watcher(), job())

    assert len(host.asked["job1"]) == 2
    assert known.ready_between is None


def test_a_look_that_was_held_up_leaves_open_when_it_was_ready(watcher, host, clock):
    """As by a computer that was asleep."""
    host.seconds = 2.0
    clock.sleep = lambda seconds: setattr(clock, "time", clock.time + seconds + 60)

    assert ended(watcher(), job(), timeout=900).ready_between is None


def test_a_pause_that_the_provider_asks_for_is_made(watcher, host):
    host.troubles = [UnavailableError("429", retry_after=20)]

    ended(watcher(), job())

    assert host.asked["job1"] == [3.0, 23.0]


def test_no_look_comes_after_the_time_is_up(watcher, host):
    """The last one comes just then: it may have been ready since the one before."""
    with pytest.raises(PendingError):
        ended(watcher(), job(), timeout=4.5)

    assert host.asked["job1"] == pytest.approx([3.0, 4.0, 4.5])
