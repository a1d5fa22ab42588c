"""Plans of looks, judged by what they cost: a simulation of jobs whose times are drawn, computed and not waited for."""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_cli.engine.schedule import APART, REMEMBERED, Bracket, plan, telling, wait

MOST_LOOKS = 12


@dataclass
class Cost:
    """What waiting for jobs came to: for each, seconds from ready to seen, and looks; and when the last was seen."""

    waste: list[float] = field(default_factory=list)
    looks: list[int] = field(default_factory=list)
    end: float = 0.0
    brackets: list[Bracket] = field(default_factory=list)


def waited(durations, *, at_once=1, overhead=0.0, past=()) -> Cost:
    """Wait for jobs, some at once, each planned with what those that ended before it have shown."""
    cost, left, bold = Cost(brackets=list(past)), list(enumerate(durations))[::-1], []
    due: list[tuple[float, int, float, float, int]] = []

    def start(now: float) -> None:
        if left:
            number, _ = left.pop()
            found = plan(cost.brackets[:REMEMBERED], phase=number * 0.618 % 1)
            dares = found.bold is not None and not bold
            bold.extend([number] * dares)
            first = found.bold if dares else found.first
            heapq.heappush(due, (now + first, number, now, 0.0, 1))

    for _ in range(at_once):
        start(0.0)
    while due:
        now, number, began, before, looks = heapq.heappop(due)
        at = now - began
        if at < durations[number]:
            following = plan(cost.brackets[:REMEMBERED]).next(at)
            heapq.heappush(due, (began + following, number, began, at, looks + 1))
            continue
        cost.waste.append(at - durations[number])
        cost.looks.append(looks)
        cost.brackets[:0] = [(before, at)] if telling((before, at)) else []
        bold[:] = [one for one in bold if one != number]
        cost.end = now + overhead
        start(cost.end)
    return cost


def drawn(low: float, high: float, count: int) -> list[float]:
    dice = random.Random(7)
    return [dice.uniform(low, high) for _ in range(count)]


def test_jobs_of_which_much_is_known_waste_half_a_second():
    """10 seconds give or take 15 %, after 20 jobs: no plan with a second between two looks can do much better."""
    past = waited(drawn(8.5, 11.5, 20)).brackets

    cost = waited(drawn(8.5, 11.5, 500), past=past)

    assert mean(cost.waste) < 0.55
    assert mean(cost.looks) < 4
    assert max(cost.looks) <= MOST_LOOKS


def test_jobs_of_which_nothing_is_known_waste_little_more():
    costs = [waited([seconds]) for seconds in drawn(4, 15, 500)]

    assert mean(cost.waste[0] for cost in costs) < 0.75
    assert max(cost.looks[0] for cost in costs) <= MOST_LOOKS


@pytest.mark.parametrize("seconds", [2.0, 3.0, 3.5, 7.7])
def test_a_batch_of_equal_jobs_finds_their_time_in_its_first_wave(seconds):
    """200 jobs, 16 at once: the second wave begins to profit from the first."""
    cost = waited([seconds] * 200, at_once=16)

    ideal = 13 * seconds
    assert cost.end - ideal < 0.05 * ideal + 1.4
    assert sorted(cost.waste)[150] < 0.2
    assert mean(cost.looks) < 2.5


@pytest.mark.parametrize("seconds", [2.0, 3.0, 5.3])
def test_equal_jobs_one_after_the_other_are_soon_met_on_time(seconds):
    cost = waited([seconds] * 20)

    assert mean(cost.waste[4:]) < 0.2
    assert mean(cost.looks) < 3


@pytest.mark.parametrize("spread", [0.0, 0.02, 0.05, 0.15])
def test_a_provider_that_gets_faster_is_followed_within_a_few_jobs(spread):
    """From 10 seconds to 5: a first look that finds the job done moves the next one earlier."""
    past = waited(drawn(10 * (1 - spread), 10 * (1 + spread), 20)).brackets

    cost = waited(drawn(5 * (1 - spread), 5 * (1 + spread), 20), past=past)

    assert max(cost.waste[3:]) <= 1.05
    assert max(cost.looks) <= 6


@pytest.mark.parametrize("spread", [0.0, 0.05, 0.15])
def test_a_provider_that_gets_slower_is_followed_within_a_few_jobs(spread):
    past = waited(drawn(5 * (1 - spread), 5 * (1 + spread), 20)).brackets

    cost = waited(drawn(10 * (1 - spread), 10 * (1 + spread), 40), past=past)

    assert mean(cost.waste[6:]) < 0.7
    assert max(cost.looks) <= MOST_LOOKS
    assert mean(cost.looks[30:]) < 5


@pytest.mark.parametrize("odd", [0.8, 60.0])
def test_one_odd_job_changes_little(odd):
    past = waited([*drawn(9, 11, 20), odd]).brackets

    cost = waited(drawn(9, 11, 20), past=past)

    assert mean(cost.waste) < 0.6
    assert max(cost.looks) <= MOST_LOOKS


def test_no_look_comes_long_before_an_image_can_be_ready():
    past = waited(drawn(8.5, 11.5, 40)).brackets

    assert plan(past[:REMEMBERED]).first > 6.5


@given(
    st.lists(st.tuples(st.floats(0, 90), st.floats(0, 5)), max_size=REMEMBERED),
    st.floats(0, 5),
    st.floats(0, 400),
)
def test_looks_are_never_closer_than_a_second_and_the_first_is_not_at_once(told, poll_seconds, began):
    """Whatever was seen before, whatever the provider asks for, and whenever we begin."""
    found = plan([(low, low + width + 0.01) for low, width in told], poll_seconds=poll_seconds)

    after = began
    for _ in range(30):
        following = found.next(after, began=began)
        assert APART - 1e-6 <= following - after <= max(10.0, poll_seconds, found.pace) + 1e-6
        after = following
    assert found.first > 0
    assert found.bold is None or 0 < found.bold < found.first


def test_the_providers_own_pace_is_kept_while_no_job_is_due():
    """And a second apart around the moment at which one is."""
    past = waited(drawn(9, 11, 20)).brackets[:REMEMBERED]
    known, unknown = plan(past, poll_seconds=3.0), plan((), poll_seconds=3.0)

    assert known.next(known.first) - known.first == APART
    assert known.next(known.last + 0.1) - (known.last + 0.1) == 3.0
    assert (unknown.first, unknown.next(3.0)) == (3.0, 6.0)


def test_pauses_grow_after_the_expected_time_but_not_without_end():
    found = plan(())

    looks = [found.first]
    while looks[-1] < 600:
        looks.append(found.next(looks[-1]))

    assert len([moment for moment in looks if moment < 20]) <= MOST_LOOKS
    assert len([moment for moment in looks if moment < 60]) <= 20
    assert looks[-1] - looks[-2] == 10.0


def test_whoever_comes_back_late_begins_with_short_pauses():
    assert plan(()).next(300.0, began=300.0) < 302


def test_a_bracket_that_nobody_watched_tells_nothing():
    """A job that was left alone, and found done the next day, is no measure of a provider."""
    assert telling((0.0, 3.0))
    assert telling((40.0, 50.0))
    assert not telling((10.0, 86_400.0))
    assert not telling((5.0, 9.0))


@pytest.mark.parametrize(("bracket", "seconds"), [((8.0, 9.0), 8.5), ((0.0, 3.0), 3.0)])
def test_a_wait_is_in_the_middle_of_its_bracket_or_where_the_only_look_was(bracket, seconds):
    assert wait(bracket) == seconds


def test_the_time_that_a_job_is_expected_to_take_is_the_median():
    assert plan([(8.0, 9.0), (9.0, 10.0), (20.0, 22.0)]).median == 9.5
    assert plan(()).median is None
