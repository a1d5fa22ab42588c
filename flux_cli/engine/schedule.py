"""Plan when to poll a job, from how long earlier jobs took.

Pure: no clock, no I/O. All times are seconds since the provider accepted the job.

What is known of an earlier job is an interval: the last look that found it at work, and the first that found it done.
The next job is expected when the second fastest of the latest ten was found done (the fastest may be an exception). One
look falls on that moment, others fall whole steps before it, and the pauses after it grow. Where jobs take equally
long, the one look is right for all of them; where they differ, the early looks catch the fast ones.

Until ten jobs are known, each expects the end at another moment within the interval of the fastest. That costs nothing
on average, and finds the right moment where jobs take equally long.

Where nothing is known, the jobs beside the first are looked at from the first step on: they may be short, and a batch
is worth a few more looks. A job so short that only one look fits into its wait is looked at as soon as it may be ready,
not sooner: a look that comes too early costs a whole step, one that comes late costs every job the same again. So the
spreading goes on until the moments at which jobs were at work are close to those at which they were done.
"""

from __future__ import annotations

import statistics
from collections.abc import Collection
from typing import NamedTuple

from flux_cli.jobs import ReadyInterval, midpoint

REMEMBERED = 10
"""Intervals that a schedule uses: few, so that it follows a provider that gets slower or faster."""
APART = 1.0
"""Seconds between two looks at a job, at least."""

_FIRST = 3.0
"""The first look at a job that is alone, where nothing is known."""
_EARLY = 5
"""Looks begin one step before the expected time, and one more step for every five of the wait."""
_GROWTH, _PART, _LONGEST = 1 / 5, 1 / 20, 10.0
"""A pause is a part of the time since the first look or of the whole wait, and at most so many seconds."""
_WIDEST = 3.0
"""Seconds that an interval may span to be useful, unless that is little compared with the wait."""
_SHORT, _CLOSE = 1.5, 1 / 20
"""The steps up to which a wait is short, and the part of it that is close enough: to find out more would cost more."""


class PollSchedule(NamedTuple):
    """When to look at a job."""

    first: float
    """The first look."""
    step: float
    """Seconds between two looks, at least."""

    def next(self, after: float) -> float:
        """Return the time of the look that follows one at ``after``."""
        pause = max((after - self.first) * _GROWTH, after * _PART)
        return after + max(min(pause, _LONGEST), self.step)


def schedule(
    intervals: Collection[ReadyInterval], *, at_work: float = 0.0, number: int = 0, poll_seconds: float = APART
) -> PollSchedule:
    """Return when to look at a job, given what is known of the latest ones.

    ``at_work`` is the latest moment at which any job was seen at work, ``number`` spreads the looks at several jobs
    while little is known, and ``poll_seconds`` is the pause between two looks that the provider asks for.
    """
    step = max(APART, poll_seconds)
    part = number * 7 % 10 / 10  # steps of seven spread any few jobs over the whole time
    seen = sorted((high, low) for low, high in intervals)
    if not seen:
        return PollSchedule(step * (1 + part) if number else max(_FIRST, step), step)
    few = len(seen) < REMEMBERED
    due, low = seen[0 if few else 1]
    if few:
        due -= part * min(due - low, step)
    elif due <= _SHORT * step:
        low = max(low for _, low in seen)
        if due <= low <= _SHORT * step:
            due = low * (1 + _CLOSE)
        unknown = due - max(low, at_work)
        due -= part * unknown if unknown > due * _CLOSE else 0.0
    early = step * (1 + due // (step * _EARLY))
    return PollSchedule(due - early if due > _SHORT * step else due, step)


def expected(intervals: Collection[ReadyInterval]) -> float | None:
    """Return how many seconds a job is expected to take, or ``None`` if unknown."""
    return statistics.median(midpoint(interval) for interval in intervals) if intervals else None


def is_precise(interval: ReadyInterval) -> bool:
    """Whether an interval is narrow enough to plan with, which it is not after a long gap between looks."""
    low, high = interval
    return low == 0 or high - low <= max(_WIDEST, high / 3)
