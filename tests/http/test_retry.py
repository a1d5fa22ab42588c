"""When a request is sent again, and when not, beside what test_client.py shows over HTTP."""

from __future__ import annotations

from itertools import islice, pairwise
from typing import get_args

import pytest

from flux_cli.engine.ports import PolicyName
from flux_cli.errors import Interrupted, LostReplyError, UnavailableError
from flux_cli.http.retry import POLICIES, POLL, SUBMIT, Retrier, RetryPolicy
from flux_cli.providers.conversation import Request, Response

PAID = Request("POST", "/jobs", json={}, paid=True)
READ = Request("GET", "/jobs/1")
OK = Response(status=200)


def busy(seconds=0.0) -> UnavailableError:
    return UnavailableError("too many requests", retry_after=seconds)


class Host:
    """Answers from a script, the last answer for ever, and records when requests came."""

    def __init__(self, clock, *script):
        self.clock, self.script = clock, list(script)
        self.asked: list[float] = []
        self.began = clock.monotonic()

    def __call__(self):
        self.asked.append(self.clock.monotonic() - self.began)
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]


@pytest.fixture
def retrier(clock) -> Retrier:
    return Retrier(clock, jitter=lambda: 0.5)


def test_a_single_job_gives_up_after_a_few_seconds(retrier, clock):
    host = Host(clock, busy())

    with pytest.raises(UnavailableError, match="too many"):
        retrier.send("runware", PAID, host, policy=SUBMIT)

    assert host.asked == [0.0, 0.5, 1.5, 3.5, 7.5]


def test_many_attempts_end_after_two_minutes_of_nothing_but_refusals(retrier, clock):
    host = Host(clock, busy())

    with pytest.raises(UnavailableError):
        retrier.send("runware", PAID, host, policy=RetryPolicy(attempts=1000))

    assert 120 < host.asked[-1] < 140


def test_several_give_up_as_soon_as_one_would(retrier, clock):
    """Three rows that are all refused give up after the time that one takes, not after three times as long."""
    hosts = [Host(clock, busy()) for _ in range(3)]

    for host in hosts:
        with pytest.raises(UnavailableError):
            retrier.send("runware", PAID, host, policy=SUBMIT)

    assert len(hosts[0].asked) == 5
    assert [len(host.asked) for host in hosts[1:]] == [1, 1]


def test_one_refusal_slows_the_next_request_to_the_same_provider_and_no_other(retrier, clock):
    """Each row of a batch finds the pace that another one has found."""
    with pytest.raises(UnavailableError):
        retrier.send("runware", PAID, Host(clock, busy(20.0)), policy=POLL)

    elsewhere, here = Host(clock, OK), Host(clock, OK)
    retrier.send("apiframe", PAID, elsewhere, policy=SUBMIT)
    retrier.send("runware", READ, here, policy=SUBMIT)

    assert (elsewhere.asked, here.asked) == ([0.0], [20.0])


def test_a_request_that_is_tried_once_fails_at_once_and_says_how_long_to_wait(retrier, clock):
    """A poll is repeated later anyway, and has a deadline of its own."""
    with pytest.raises(UnavailableError):
        retrier.send("runware", PAID, Host(clock, busy(20.0)), policy=POLL)
    host = Host(clock, OK)

    with pytest.raises(UnavailableError, match="runware asked flux to wait") as caught:
        retrier.send("runware", READ, host, policy=POLL)

    assert (caught.value.retry_after, host.asked, clock.slept) == (20.0, [], [])


def test_a_purchase_that_was_stopped_before_it_left_was_not_made(retrier, clock):
    """It is a failure that cost nothing, not a job of unknown outcome."""
    with pytest.raises(UnavailableError):
        retrier.send("runware", PAID, Host(clock, busy(20.0)), policy=POLL)
    clock.stop(2)
    host = Host(clock, OK)

    with pytest.raises(UnavailableError, match="before anything was sent") as caught:
        retrier.send("runware", PAID, host, policy=SUBMIT)
    with pytest.raises(Interrupted):
        retrier.send("runware", READ, host, policy=SUBMIT)

    assert (caught.value.charged, host.asked) == ("no", [])


def test_being_turned_away_after_a_lost_reply_leaves_it_lost(retrier, clock):
    """The repeat was refused; the first one may have been accepted all the same."""
    repeatable = Request("POST", "/jobs", json={}, paid=True, repeatable=True)

    with pytest.raises(LostReplyError) as caught:
        retrier.send("apiframe", repeatable, Host(clock, LostReplyError("no answer"), busy()), policy=SUBMIT)

    assert isinstance(caught.value.refusal, UnavailableError)


def test_a_lost_reply_stays_lost_when_there_is_no_time_for_a_repeat(retrier, clock):
    """It may have been accepted; and the pause of half a second is not made."""
    repeatable = Request("POST", "/jobs", json={}, paid=True, repeatable=True)
    host = Host(clock, LostReplyError("no answer"))

    with pytest.raises(LostReplyError):
        retrier.send("apiframe", repeatable, host, policy=SUBMIT, deadline=clock.monotonic() + 0.4)

    assert (host.asked, clock.slept) == ([0.0], [])


def test_every_policy_that_the_engine_names_is_in_the_table_and_no_other():
    assert set(get_args(PolicyName)) == set(POLICIES)


@pytest.mark.parametrize("name", POLICIES)
def test_pauses_double_up_to_a_limit(name):
    policy = POLICIES[name]

    pauses = list(islice(policy.pauses(), 9))

    assert pauses[0] == policy.first_pause
    assert pauses[-1] == policy.longest_pause
    assert all(later == min(2 * earlier, policy.longest_pause) for earlier, later in pairwise(pauses))
