"""When to look at a job: the moments at which a look is worth a request, from how long earlier jobs took.

Pure: no clock, no I/O. All moments are seconds since the provider accepted the job.

What is known of an earlier job is an interval: the last look that found it at work, and the first that found it done.
The next job is expected at the moment when the second quickest of the latest ten was found done (the quickest may be an
exception). One look falls on that moment, others fall whole steps before it, and the pauses after it grow. Where jobs
take equally long, the one look is right for all of them; where they differ, the early looks catch the quick ones.

Until ten jobs are known, each expects the end somewhere else within the interval of the quickest. That costs nothing
on average, and finds the moment that is right where jobs take equally long.
"""

from __future__ import annotations

import statistics
from collections.abc import Collection
from dataclasses import dataclass

from flux_cli.jobs import ReadyInterval, midpoint

REMEMBERED = 10
"""ReadyIntervals that a schedule is made of: few, so that it follows when a provider gets slower or faster."""
APART = 1.0
"""Seconds between two looks at a job, at least."""

_FIRST = 3.0
"""The first look where nothing is known."""
_EARLY = 5
"""Looks begin one step before the job is expected, and one more for every five steps of the wait."""
_GROWTH, _PART, _LONGEST = 1 / 5, 1 / 20, 10.0
"""A pause is this part of the time since the first look, or that of the whole wait, and at most so many seconds."""
_WIDEST = 3.0
"""Seconds that a interval may span to tell anything, unless that is little beside the wait itself."""


@dataclass(frozen=True, slots=True)
class PollSchedule:
    """When to look at a job."""

    first: float
    """The first look."""
    step: float
    """Seconds between two looks, at least."""

    def next(self, after: float) -> float:
        """Return the moment of the look that follows one at ``after``."""
        pause = max((after - self.first) * _GROWTH, after * _PART)
        return after + max(min(pause, _LONGEST), self.step)


def schedule(intervals: Collection[ReadyInterval], *, number: int = 0, poll_seconds: float = APART) -> PollSchedule:
    """Return when to look at a job, given what is known of the latest ones.

    ``number`` tells apart the jobs of which little is known, and ``poll_seconds`` is what the provider asks for between
    two looks.
    """
    step = max(APART, poll_seconds)
    part = number * 7 % 10 / 10  # sevens, because any few of them in a row are spread over the whole
    seen = sorted((high, low) for low, high in intervals)
    if not seen:
        return PollSchedule(_FIRST + part * step, step)
    if len(seen) < REMEMBERED:
        high, low = seen[0]
        due = high - part * min(high - low, step)
    else:
        due, _ = seen[1]
    early = step * (1 + due // (step * _EARLY))
    return PollSchedule(due - early if due > 1.5 * step else due, step)


def expected(intervals: Collection[ReadyInterval]) -> float | None:
    """Return how many seconds a job is expected to take, or ``None`` where nothing is known."""
    return statistics.median(midpoint(interval) for interval in intervals) if intervals else None


def is_precise(interval: ReadyInterval) -> bool:
    """Whether an interval is narrow enough to plan with: not so where nobody looked for a while."""
    low, high = interval
    return low == 0 or high - low <= max(_WIDEST, high / 3)
