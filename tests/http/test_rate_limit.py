"""The pace of one provider, on a clock that moves only when a test says so."""

from __future__ import annotations

from email.utils import formatdate
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_cli.errors import Interrupted
from flux_cli.http.rate_limit import LONGEST, STALLED, RateLimiter, parse_retry_after


@pytest.fixture
def pace(clock) -> RateLimiter:
    return RateLimiter(clock, jitter=lambda: 0.5)


def left(pace, clock, *, paid=True, count=1) -> list[float]:
    """Let requests leave, none of them answered yet; return how long after now each did."""
    began = clock.monotonic()
    found = []
    for _ in range(count):
        pace.acquire(paid=paid)
        found.append(clock.monotonic() - began)
    return found


def test_nothing_waits_where_nothing_was_refused(pace, clock):
    assert left(pace, clock, count=100) == [0.0] * 100
    assert clock.slept == []


def test_after_a_refusal_requests_leave_one_after_the_other(pace, clock):
    turn = pace.acquire(paid=True)

    pace.record_refusal(turn, None)

    assert left(pace, clock, count=4) == [0.5, 1.0, 1.5, 2.0]


def test_what_the_provider_asks_for_holds_all_requests_back(pace, clock):
    """One refusal speaks for all of them: those that buy and those that read."""
    turn = pace.acquire(paid=True)

    pace.record_refusal(turn, 7.0)

    assert pace.seconds_held() == 7.0
    assert left(pace, clock, paid=False) == [7.0]
    assert pace.seconds_held() == 0.0


def test_a_provider_that_takes_no_more_jobs_can_still_be_asked_about_those_it_has(pace, clock):
    pace.record_refusal(pace.acquire(paid=True), None)

    assert left(pace, clock, paid=False, count=20) == [0.0] * 20


def test_requests_that_were_under_way_belong_to_the_wave_that_has_begun(pace, clock):
    """Sixteen refusals at once are one reason to slow down, not sixteen."""
    turns = [pace.acquire(paid=True) for _ in range(16)]

    for turn in turns:
        pace.record_refusal(turn, None)

    assert left(pace, clock) == [0.5]


def test_each_further_wave_doubles_the_distance_up_to_a_limit(pace, clock):
    waits = []
    for _ in range(7):
        before = clock.monotonic()
        turn = pace.acquire(paid=True)
        waits.append(clock.monotonic() - before)
        pace.record_refusal(turn, None)

    assert waits == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0]


def test_requests_that_are_served_bring_the_pace_back(pace, clock):
    """Little by little, and in the end nothing waits any more."""
    pace.record_refusal(pace.acquire(paid=True), None)

    gaps = []
    for _ in range(120):
        before = clock.monotonic()
        turn = pace.acquire(paid=True)
        gaps.append(clock.monotonic() - before)
        pace.record_success(turn)

    assert gaps == sorted(gaps, reverse=True)
    assert (gaps[0], gaps[-1]) == (0.5, 0.0)


@pytest.mark.parametrize("leave", [RateLimiter.acquire, partial(RateLimiter.acquire_again, waves=9)])
def test_a_refusal_that_comes_while_others_wait_makes_them_wait_anew(clock, leave):
    """Nobody leaves at a moment that was fixed before the provider asked for a longer pause."""
    told = []

    class Meanwhile(type(clock)):
        def sleep(self, seconds):
            super().sleep(seconds)
            if not told:
                told.append(pace.record_refusal(early, 30.0))

    later = Meanwhile()
    pace = RateLimiter(later, jitter=lambda: 0.5)
    early = pace.acquire(paid=True)
    pace.record_refusal(early, 2.0)

    began = later.monotonic()
    leave(pace, paid=True)

    assert later.monotonic() - began == 32.0


def test_nobody_tries_for_ever(pace, clock):
    """Minutes of nothing but refusals are enough; one request that is served begins a new count."""

    def refused() -> bool:
        return pace.record_refusal(pace.acquire(paid=True), 50.0)

    before = [refused() for _ in range(3)]
    pace.record_success(pace.acquire(paid=True))
    afterwards = [refused() for _ in range(4)]

    assert STALLED == 120.0
    assert before == [True, True, True]
    assert afterwards == [True, True, True, False]


def test_whoever_waits_gives_up_after_so_many_waves(pace, clock):
    """Whichever request they came upon; one that is served begins a new count."""
    turns = [pace.acquire(paid=True)]
    pace.record_refusal(turns[0], None)
    pace.record_refusal(pace.acquire(paid=True), None)

    given_up = pace.acquire_again(paid=True, waves=2)
    goes_on = pace.acquire_again(paid=True, waves=3)
    pace.record_success(goes_on)

    assert given_up is None
    assert goes_on is not None
    assert pace.acquire_again(paid=True, waves=1) is not None


@pytest.mark.parametrize("leave", [RateLimiter.acquire, partial(RateLimiter.acquire_again, waves=9)])
def test_nobody_waits_for_a_turn_that_comes_after_the_deadline(pace, clock, leave):
    """That is told at once; a turn that is free now is given whatever the time."""
    free = leave(pace, paid=True, deadline=clock.monotonic() - 1)
    pace.record_refusal(free, 30.0)

    late = leave(pace, paid=True, deadline=clock.monotonic() + 29)
    slept = list(clock.slept)
    in_time = leave(pace, paid=True, deadline=clock.monotonic() + 30)

    assert (free is not None, late, slept) == (True, None, [])
    assert (in_time is not None, clock.slept) == (True, [30.0])


def test_waiting_ends_when_we_are_told_to_stop(pace, clock):
    pace.record_refusal(pace.acquire(paid=True), 60.0)
    clock.stop(2)

    with pytest.raises(Interrupted):
        pace.acquire(paid=True)


@pytest.mark.parametrize(
    ("told", "seconds"),
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
def test_a_pause_is_asked_for_as_a_number_or_a_date_and_capped(told, seconds):
    assert parse_retry_after(told, now=1_795_000_000.0) == seconds


@given(st.text(max_size=30))
def test_no_header_breaks_anything_or_makes_us_wait_for_long(told):
    seconds = parse_retry_after(told, now=1_795_000_000.0)

    assert seconds is None or 0 <= seconds <= LONGEST
