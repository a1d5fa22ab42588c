"""When to look at a job: the moments at which a look is worth a request, from how long earlier jobs took.

Pure: no clock, no I/O. All moments are seconds since the provider accepted the job.

What is known of an earlier job is a bracket: the last look that found it at work, and the first that found it done. It
was ready somewhere between, so always before it was seen to be: a plan that believed our looks would only get later.
Hence looks begin a second before the earliest moment at which one of the latest jobs was seen to be done, and follow a
second apart. Where jobs differ, a look that comes too early then costs a request and no time; where one comes late, the
next plan begins earlier. Where all jobs take equally long, what counts is that one look comes right after that moment;
now and then a single job looks a little earlier than is safe, to find that out for all the others.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

Bracket = tuple[float, float]
"""The last look that found a job at work (0 where none did), and the first that found it done."""

REMEMBERED = 20
"""Brackets that a plan is made of: few, so that it follows when a provider gets slower or faster."""
APART = 1.0
"""Seconds between two looks at a job, at least."""

_FIRST, _LAST, _PACE = 3.0, 15.0, 1.4
"""Where nothing is known: the first look, the end of the time in which images are expected, and seconds between."""
_FEW = 4
"""Brackets from which on one of them may be an exception."""
_ALIKE, _MARGIN = 0.5, 0.1
"""Seconds by which jobs may differ that one look is right for, and by which it comes after the slowest of them."""
_AHEAD = 0.25
"""The part of a wait by which the next plan begins earlier where a first look came late."""
_SEARCH, _NARROW, _SHORT = 0.33, 0.2, 0.5
"""The part of what is not known that a bold look leaps over, and the seconds that are not worth one: those between two
looks, and those of a wait itself."""
_LOOKS = 8
"""Looks, at most, that cover the time in which jobs become ready."""
_PATIENT, _LONGEST, _PART = 5.0, 10.0, 5.0
"""The longest pause in seconds, that of a very long wait, and what part of the wait it is there (a fifth)."""
_WIDEST = 3.0
"""Seconds that a bracket may span to tell anything, unless that is little beside the wait itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """When to look at jobs of one kind."""

    first: float
    """The first look."""
    last: float
    """The end of the time in which jobs become ready."""
    pace: float
    """Seconds between two looks until then."""
    pause: float
    """Seconds between two looks afterwards, at least."""
    bold: float | None = None
    """An earlier first look that tells more, for one job at a time; ``None`` where there is nothing to learn."""
    median: float | None = None
    """Seconds that a job is expected to take, where anything is known."""

    def next(self, after: float, *, began: float = 0.0) -> float:
        """Return the moment of the look that follows one at ``after``.

        ``began`` is the moment from which on anybody was looking: whoever comes back late begins with short pauses.
        """
        over = after - max(self.last, began)
        if over < 0:
            return after + self.pace
        longest = min(max(after / _PART, _PATIENT), _LONGEST)
        return after + max(min(self.pace + over / 2, longest), self.pause)


def plan(brackets: Sequence[Bracket], *, poll_seconds: float = APART, phase: float = 0.0) -> Plan:
    """Return when to look at a job, given what is known of the latest ones.

    ``poll_seconds`` is what the provider asks for between two looks; it is kept while no job is due. ``phase``, from 0
    to 1, sets jobs apart of which nothing is known: what one misses another one sees.
    """
    if not brackets:
        pace = max(_PACE, poll_seconds)
        return Plan(first=_FIRST + phase * pace, last=_LAST, pace=pace, pause=pace)
    start, early = min(brackets, key=lambda bracket: (bracket[1], -bracket[0]))
    slow = sorted(low for low, _ in brackets if low >= early)
    if len(brackets) >= _FEW:
        slow = slow[:-1]
    late = slow[-1] if slow else early
    alike = late - early <= _ALIKE
    due = late + _MARGIN if slow and alike else early
    first = _before(due)
    if not start and first < due:
        first = min(first, early * (1 - _AHEAD))
    most = sorted(high for _, high in brackets)[len(brackets) * 3 // 4]
    last = due if alike else max(most, due)
    return Plan(
        first=first,
        last=last,
        pace=max(APART, (last - first) / _LOOKS),
        pause=poll_seconds,
        bold=None if slow else _bold(brackets, early, first),
        median=statistics.median(wait(bracket) for bracket in brackets),
    )


def _before(due: float) -> float:
    """Return the first look at jobs that are due at a moment: one ahead of it, unless that would be at once."""
    return due - APART if due > 1.5 * APART else due


def _bold(brackets: Sequence[Bracket], early: float, first: float) -> float | None:
    """Return a look before the ``first`` that finds out more of what lies before the moment known to be ``early``."""
    known = max((low for low, _ in brackets if low < early), default=0.0)
    gap = early - known
    look = _before(early - gap * _SEARCH)
    return look if look < first and gap > (_NARROW if known else _SHORT) else None


def wait(bracket: Bracket) -> float:
    """Return how long a job took, as closely as its bracket tells."""
    low, high = bracket
    return (low + high) / 2 if low else high


def telling(bracket: Bracket) -> bool:
    """Whether a bracket is narrow enough to plan with: not so where nobody looked for a while."""
    low, high = bracket
    return low == 0 or high - low <= max(_WIDEST, high / 3)
