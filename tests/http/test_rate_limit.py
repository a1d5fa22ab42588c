"""The rate limiter of one provider, on a clock that moves only when a test says so."""

from __future__ import annotations

import math
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_cli.errors import Interrupted
from flux_cli.http.rate_limit import LONGEST, Hold, RateLimiter, parse_retry_after


@pytest.fixture
def hold() -> Hold:
    return Hold()


@pytest.fixture
def limiter(clock, hold) -> RateLimiter:
    return RateLimiter(clock, hold, jitter=lambda: 0.5)


@pytest.fixture
def reads(clock, hold) -> RateLimiter:
    """The limiter of the same provider's reads."""
    return RateLimiter(clock, hold, jitter=lambda: 0.5)


def leave(limiter, clock, *, count=1) -> list[float]:
    """Let requests leave, none of them answered yet; return how long after now each did."""
    began = clock.monotonic()
    moments = []
    for _ in range(count):
        limiter.acquire()
        moments.append(clock.monotonic() - began)
    return moments


def refuse(limiter, retry_after=0.0) -> float:
    return limiter.record_refusal(limiter.acquire(), retry_after)


def test_nothing_waits_where_nothing_was_refused(limiter, clock):
    assert leave(limiter, clock, count=100) == [0.0] * 100
    assert clock.slept == []


def test_after_a_refusal_requests_leave_one_after_the_other(limiter, clock):
    refuse(limiter)

    assert leave(limiter, clock, count=4) == [0.5, 1.0, 1.5, 2.0]


def test_what_the_provider_asks_for_holds_all_requests_back(limiter, reads, clock):
    """One refusal speaks for all of them: paid requests and reads."""
    refuse(limiter, 7.0)

    assert reads.seconds_held() == 7.0
    assert leave(reads, clock) == [7.0]
    assert limiter.seconds_held() == 0.0


def test_a_provider_that_takes_no_more_jobs_can_still_be_asked_about_those_it_has(limiter, reads, clock):
    refuse(limiter)

    assert leave(reads, clock, count=20) == [0.0] * 20


def test_refusals_of_requests_that_left_together_slow_down_once(limiter, clock):
    """Sixteen refusals at once are one reason to slow down, not sixteen."""
    waves = [limiter.acquire() for _ in range(16)]

    for wave in waves:
        limiter.record_refusal(wave, 0.0)

    assert leave(limiter, clock) == [0.5]


def test_sixteen_requests_that_were_refused_do_not_come_back_as_a_crowd(limiter, clock):
    """After the pause that was asked for, one leaves at a time."""
    for wave in [limiter.acquire() for _ in range(16)]:
        limiter.record_refusal(wave, 5.0)

    assert leave(limiter, clock, count=16) == [5.0 + number / 2 for number in range(16)]


def test_each_further_wave_doubles_the_distance_up_to_a_limit(limiter, clock):
    waits = []
    for _ in range(7):
        before = clock.monotonic()
        wave = limiter.acquire()
        waits.append(clock.monotonic() - before)
        limiter.record_refusal(wave, 0.0)

    assert waits == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0]


def test_requests_that_succeed_bring_the_pace_back(limiter, clock):
    """Little by little, and in the end nothing waits any more."""
    refuse(limiter)

    gaps = []
    for _ in range(30):
        before = clock.monotonic()
        limiter.acquire()
        gaps.append(clock.monotonic() - before)
        limiter.record_success()

    assert gaps == sorted(gaps, reverse=True)
    assert (gaps[0], gaps[-1]) == (0.5, 0.0)


@pytest.mark.parametrize("waves", [math.inf, 9])
def test_a_refusal_that_comes_while_others_wait_makes_them_wait_anew(clock, hold, waves):
    """A request does not leave at a moment that was fixed before the provider asked for a longer pause."""
    late = []

    class Meanwhile(type(clock)):
        def sleep(self, seconds):
            super().sleep(seconds)
            if not late:
                late.append(limiter.record_refusal(early, 30.0))

    later = Meanwhile()
    limiter = RateLimiter(later, hold, jitter=lambda: 0.5)
    early = limiter.acquire()
    limiter.record_refusal(early, 2.0)

    began = later.monotonic()
    limiter.acquire(waves=waves)

    assert later.monotonic() - began == 32.0


def test_the_time_of_nothing_but_refusals_begins_anew_with_each_success(limiter):
    before = [refuse(limiter, 50.0) for _ in range(3)]
    limiter.acquire()
    limiter.record_success()
    afterwards = [refuse(limiter, 50.0) for _ in range(4)]

    assert before == [0.0, 50.0, 100.0]
    assert afterwards == [0.0, 50.0, 100.0, 150.0]


def test_a_waiting_request_gives_up_after_so_many_waves(limiter):
    """Whichever requests were refused; a success begins a new count."""
    refuse(limiter)
    refuse(limiter)

    given_up = limiter.acquire(waves=2)
    goes_on = limiter.acquire(waves=3)
    limiter.record_success()

    assert given_up is None
    assert goes_on is not None
    assert limiter.acquire(waves=1) is not None


@pytest.mark.parametrize("waves", [math.inf, 9])
def test_a_request_does_not_wait_for_a_moment_after_the_deadline(limiter, clock, waves):
    """It learns so at once; where nothing holds it back it leaves, whatever the time."""
    free = limiter.acquire(waves=waves, deadline=clock.monotonic() - 1)
    limiter.record_refusal(free, 30.0)

    late = limiter.acquire(waves=waves, deadline=clock.monotonic() + 29)
    slept = list(clock.slept)
    in_time = limiter.acquire(waves=waves, deadline=clock.monotonic() + 30)

    assert (free is not None, late, slept) == (True, None, [])
    assert (in_time is not None, clock.slept) == (True, [30.0])


def test_waiting_ends_on_an_interrupt(limiter, clock):
    refuse(limiter, 60.0)
    clock.stop(2)

    with pytest.raises(Interrupted):
        limiter.acquire()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("12", 12.0),
        ("1.5", 1.5),
        ("0", 0.0),
        (formatdate(1_795_000_020, usegmt=True), 20.0),
        (formatdate(1_794_000_000, usegmt=True), 0.0),
        (formatdate(1_899_000_000, usegmt=True), LONGEST),
        ("999999999999", LONGEST),
        ("soon", None),
        ("-7", None),
        ("Thu, 99 Foo 2026", None),
        ("", None),
    ],
)
def test_a_pause_is_asked_for_as_a_number_or_a_date_and_capped(value, seconds):
    assert parse_retry_after(value, now=1_795_000_000.0) == seconds


@given(st.text(max_size=30))
def test_no_header_breaks_anything_or_makes_us_wait_for_long(value):
    seconds = parse_retry_after(value, now=1_795_000_000.0)

    assert seconds is None or 0 <= seconds <= LONGEST
