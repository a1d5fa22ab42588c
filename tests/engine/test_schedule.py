"""Plans of looks, judged by what they cost: a simulation of jobs whose times are drawn, computed and not waited for."""

from __future__ import annotations

import heapq
import itertools
import random
from dataclasses import dataclass, field
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_cli.engine.schedule import APART, REMEMBERED, PollSchedule, expected, is_precise, schedule
from flux_cli.jobs import ReadyInterval, midpoint

MOST_LOOKS = 12


@dataclass
class Cost:
    """What waiting for jobs came to: for each, seconds from ready to seen, and looks; and when the last was seen."""

    waste: list[float] = field(default_factory=list)
    looks: list[int] = field(default_factory=list)
    end: float = 0.0
    brackets: list[ReadyInterval] = field(default_factory=list)


def waited(durations, *, at_once=1, past=()) -> Cost:
    """Wait for jobs, some at once, each planned with what those that ended before it have shown."""
    cost, left, known = Cost(brackets=list(past)), list(enumerate(durations))[::-1], len(past)
    due: list[tuple[float, int, float, float, int, PollSchedule]] = []
    at_work = 0.0

    def start(now: float) -> None:
        if left:
            number, _ = left.pop()
            found = schedule(cost.brackets[:REMEMBERED], at_work=at_work, number=known + number)
            heapq.heappush(due, (now + found.first, number, now, 0.0, 1, found))

    for _ in range(at_once):
        start(0.0)
    while due:
        now, number, began, before, looks, found = heapq.heappop(due)
        at = now - began
        if at < durations[number] - 1e-9:  # moments that are equal but for how they were added up
            at_work = max(at_work, at)
            heapq.heappush(due, (began + found.next(at), number, began, at, looks + 1, found))
            continue
        cost.waste.append(at - durations[number])
        cost.looks.append(looks)
        cost.brackets[:0] = [(before, at)] if is_precise((before, at)) else []
        cost.end = now
        start(now)
    return cost


def after(past: int, low: float, high: float) -> Cost:
    """Return what one more job costs users who have had a number of jobs before, one after the other."""
    dice, cost = random.Random(7), Cost()
    for _ in range(200):
        whole = waited([dice.uniform(low, high) for _ in range(past + 1)])
        cost.waste.append(whole.waste[-1])
        cost.looks.append(whole.looks[-1])
    return cost


def drawn(low: float, high: float, count: int) -> list[float]:
    dice = random.Random(7)
    return [dice.uniform(low, high) for _ in range(count)]


@pytest.mark.parametrize(("past", "most"), [(0, 0.65), (1, 0.55), (2, 0.55), (6, 0.55), (20, 0.55)])
def test_waste_is_half_a_second_from_the_second_job_on(past, most):
    """Jobs of 10 seconds give or take 15 %: with looks a second apart, half a second is the least there can be."""
    cost = after(past, 8.5, 11.5)

    assert mean(cost.waste) < most
    assert max(cost.looks) <= MOST_LOOKS


@pytest.mark.parametrize(("past", "most"), [(0, 0.75), (2, 0.95), (20, 0.7)])
def test_jobs_of_any_length_waste_less_than_a_second(past, most):
    """Jobs of 4 to 15 seconds: two of them can mislead about the third."""
    cost = after(past, 4, 15)

    assert mean(cost.waste) < most
    assert max(cost.looks) <= MOST_LOOKS


@pytest.mark.parametrize("seconds", [2.0, 10.0, 25.0, 60.0, 120.0])
@pytest.mark.parametrize("past", [2, 20])
def test_a_job_that_takes_as_long_as_others_needs_few_looks(seconds, past):
    cost = after(past, 0.85 * seconds, 1.15 * seconds)

    assert max(cost.looks) <= MOST_LOOKS
    assert mean(cost.waste) < max(0.6, 0.04 * seconds)


@pytest.mark.parametrize("seconds", [2.0, 3.0, 3.05, 3.5, 3.95, 7.7])
@pytest.mark.parametrize(("past", "most"), [(0, 1.08), (2, 1.08), (20, 1.1)])
def test_a_batch_of_equal_jobs_takes_little_longer_than_it_must(seconds, past, most):
    """200 jobs, 16 at once: what the first ones find out is right for all others. At best it takes 13 waves."""
    before = waited([seconds] * past).brackets

    cost = waited([seconds] * 200, at_once=16, past=before)

    assert cost.end < most * 13 * seconds
    assert sorted(cost.waste)[150] < 0.3
    assert mean(cost.looks) < 3.5


def test_a_batch_of_nearly_equal_jobs_takes_little_longer_than_it_must():
    ends = []
    for seed in range(20):
        dice = random.Random(seed)
        ends.append(waited([dice.uniform(2.95, 3.05) for _ in range(200)], at_once=16).end)

    assert mean(ends) < 1.08 * 13 * 3


@pytest.mark.parametrize(
    ("low", "high", "most"),
    [(0.5, 0.5, 1.1), (0.99, 1.0, 1.05), (1.0, 1.0, 1.05), (1.3, 1.3, 1.05), (0.97, 1.03, 1.15)],
)
def test_a_long_batch_of_short_jobs_takes_little_longer_than_it_must(low, high, most):
    """2,000 jobs, 32 at once, each so short that a look which comes too early doubles its time."""
    cost = waited(drawn(low, high, 2000), at_once=32)

    assert cost.end < most * 63 * (low + high) / 2
    assert mean(cost.looks) < 1.1


@pytest.mark.parametrize("slow", [1.4, 60.0])
def test_one_slow_job_among_short_ones_changes_little(slow):
    cost = waited([*[1.0] * 300, slow, *[1.0] * 1699], at_once=32)

    assert cost.end < 1.06 * 63 + slow
    assert mean(cost.looks) < 1.1


@pytest.mark.parametrize("seconds", [2.0, 3.0, 3.3, 5.3])
def test_equal_jobs_one_after_the_other_are_soon_met_on_time(seconds):
    cost = waited([seconds] * 30)

    assert mean(cost.waste[4:]) < 0.2
    assert mean(cost.looks) < 3.5


@pytest.mark.parametrize("spread", [0.0, 0.02, 0.05, 0.15])
def test_a_provider_that_gets_faster_is_followed_within_a_few_jobs(spread):
    """From 10 seconds to 5: looks that begin early find the first job done, and the next ones begin earlier still."""
    past = waited(drawn(10 * (1 - spread), 10 * (1 + spread), 20)).brackets

    cost = waited(drawn(5 * (1 - spread), 5 * (1 + spread), 20), past=past)

    assert mean(cost.waste[:6]) < 1.5
    assert max(cost.waste[6:]) <= 1.05
    assert max(cost.looks) <= 6


@pytest.mark.parametrize("spread", [0.0, 0.05, 0.15])
def test_a_provider_that_gets_slower_is_followed_within_a_few_jobs(spread):
    past = waited(drawn(5 * (1 - spread), 5 * (1 + spread), 20)).brackets

    cost = waited(drawn(10 * (1 - spread), 10 * (1 + spread), 40), past=past)

    assert mean(cost.waste) < 0.7
    assert max(cost.looks) <= MOST_LOOKS
    assert mean(cost.looks[10:]) < 5


@pytest.mark.parametrize("odd", [0.8, 60.0])
@pytest.mark.parametrize("count", [6, 20])
def test_one_odd_job_changes_little(odd, count):
    past = waited([*drawn(9, 11, count), odd]).brackets

    cost = waited(drawn(9, 11, 20), past=past)

    assert mean(cost.waste) < 0.7
    assert max(cost.looks) <= MOST_LOOKS


def test_no_look_comes_long_before_an_image_can_be_ready():
    past = waited(drawn(8.5, 11.5, 40)).brackets

    assert schedule(past[:REMEMBERED]).first > 6.5


def test_looks_fall_on_the_moment_at_which_the_second_quickest_was_done_and_whole_seconds_before():
    past = [(6.2, 7.2), (8.4, 9.4), (9.1, 10.1), *[(10.0, 11.0)] * 7]

    found = schedule(past)

    assert found.first == pytest.approx(7.4)
    assert found.next(7.4) == pytest.approx(8.4)
    assert found.next(8.4) == pytest.approx(9.4)


def test_jobs_of_which_little_is_known_look_at_different_moments():
    """Within the bracket of the quickest; where that has no width there is nothing to find out."""
    unknown = [schedule((), number=number).first for number in range(10)]
    known = [schedule([(4.0, 5.0), (8.0, 9.0)], number=number).first for number in range(10)]
    certain = [schedule([(3.0, 3.0)], number=number).first for number in range(10)]

    assert unknown[0] == 3.0
    assert sorted(unknown[1:]) == pytest.approx([1 + tenth / 10 for tenth in range(1, 10)])
    assert sorted(moment % 1 for moment in known) == pytest.approx([tenth / 10 for tenth in range(10)])
    assert set(certain) == {2.0}


@given(
    st.lists(st.tuples(st.floats(0, 90), st.floats(0, 5)), max_size=REMEMBERED),
    st.floats(0, 5),
    st.integers(0, 1000),
)
def test_looks_are_never_closer_than_a_second_and_the_first_is_not_at_once(told, poll_seconds, number):
    """Whatever was seen before, and whatever the provider asks for."""
    found = schedule([(low, low + width + 0.01) for low, width in told], poll_seconds=poll_seconds, number=number)

    after = found.first
    for _ in range(30):
        following = found.next(after)
        assert max(APART, poll_seconds) - 1e-6 <= following - after <= 10.0 + 1e-6
        after = following
    assert found.first > 0


@pytest.mark.parametrize("past", [(), [(9.0, 10.0)], [(9.0, 10.0)] * 10])
def test_the_time_that_a_provider_asks_for_between_two_looks_is_kept(past):
    """And one of the looks falls on the moment at which the job is expected."""
    found = schedule(past, poll_seconds=3.0)

    looks = [found.first]
    while looks[-1] < 12:
        looks.append(found.next(looks[-1]))

    assert [later - earlier for earlier, later in itertools.pairwise(looks)] == [3.0] * (len(looks) - 1)
    assert not past or 10.0 in looks


def test_pauses_grow_but_not_without_end():
    found = schedule(())

    looks = [found.first]
    while looks[-1] < 600:
        looks.append(found.next(looks[-1]))

    assert len([moment for moment in looks if moment < 15]) <= MOST_LOOKS
    assert len([moment for moment in looks if moment < 60]) <= 20
    assert looks[-1] - looks[-2] == 10.0


def test_an_interval_without_polls_in_between_is_not_used():
    """A job that was left alone, and found done the next day, is no measure of a provider."""
    assert is_precise((0.0, 3.0))
    assert is_precise((40.0, 50.0))
    assert not is_precise((10.0, 86_400.0))
    assert not is_precise((5.0, 9.0))


@pytest.mark.parametrize(("bracket", "seconds"), [((8.0, 9.0), 8.5), ((0.0, 3.0), 3.0)])
def test_a_wait_is_in_the_middle_of_its_bracket_or_where_the_only_look_was(bracket, seconds):
    assert midpoint(bracket) == seconds


def test_the_time_that_a_job_is_expected_to_take_is_the_median():
    assert expected([(8.0, 9.0), (9.0, 10.0), (20.0, 22.0)]) == 9.5
    assert expected(()) is None
