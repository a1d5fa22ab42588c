"""The pace at which one provider is spoken to, shared by all requests of this process.

Why shared: where a provider says that there are too many requests, each of a batch's rows backing off alone comes to a
new crowd after every pause. So one refusal slows all requests down: they wait as long as the provider asked for, and
then leave one after the other. The distance between them doubles with each wave of refusals (requests that were
already under way belong to the wave that has begun) and shrinks as requests are served: additive increase,
multiplicative decrease, as networks do it.

Requests that buy and requests that read leave in lanes of their own: a provider that takes no more jobs can still be
asked about those that it has. What it asks for with ``Retry-After`` holds for both.
"""

from __future__ import annotations

import math
import random
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from flux_cli.clock import Clock

LONGEST = 60.0
"""Longest pause that ``Retry-After`` can make us take, in seconds."""
STALLED = 120.0
"""Seconds of nothing but refusals after which nobody tries any further."""

_SPACING, _WIDEST = 0.5, 8.0
"""Seconds between two requests after the first wave of refusals, and at most."""
_FASTER, _FREE = 0.1, 0.1
"""Requests a second that each one served makes us faster by, and the spacing in seconds that is none any more."""


def parse_retry_after(told: str, *, now: float) -> float | None:
    """Return the seconds that a ``Retry-After`` asks for, as a number or as a date, capped; ``None`` for nonsense.

    ``now`` is in seconds since 1970.
    """
    if re.fullmatch(r"\d{1,20}(\.\d{1,20})?", told, re.ASCII):
        return min(float(told), LONGEST)
    try:
        return min(max(parsedate_to_datetime(told).timestamp() - now, 0.0), LONGEST)
    except (ValueError, TypeError, OverflowError):
        return None


@dataclass(frozen=True, slots=True)
class Permit:
    """One request's leave to go."""

    paid: bool
    wave: int
    """How many waves of refusals its lane had seen when it left."""


@dataclass(slots=True)
class _Lane:
    """Requests that leave one after the other, once one of them was refused."""

    wave: int = 0
    spacing: float = 0.0
    free: float = 0.0
    """When the next request may leave."""
    row: int = 0
    """Waves of refusals since any request was served."""
    since: float = 0.0
    """When the first of them came."""


class RateLimiter:
    """When the next request to one provider may leave. One instance may serve many threads."""

    def __init__(self, clock: Clock, jitter: Callable[[], float] = random.random) -> None:
        """Make a pace that nothing has slowed down; ``jitter`` is a number from 0 to 1, another one each time."""
        self._clock = clock
        self._jitter = jitter
        self._lanes = {True: _Lane(), False: _Lane()}
        self._held = 0.0
        self._lock = threading.Lock()

    def seconds_held(self) -> float:
        """Return for how many seconds yet the provider asked flux to wait."""
        return max(self._held - self._clock.monotonic(), 0.0)

    def acquire(self, *, paid: bool, deadline: float = math.inf) -> Permit | None:
        """Wait until a request may leave. Raises `Interrupted` as soon as we are told to stop.

        Return ``None``, at once, where that would be after the ``deadline``, a reading of the clock.
        """
        return self.acquire_again(paid=paid, waves=math.inf, deadline=deadline)

    def acquire_again(self, *, paid: bool, waves: float, deadline: float = math.inf) -> Permit | None:
        """Wait until a request that was refused may leave again, as `turn` does.

        Return ``None`` also as soon as so many ``waves`` of refusals in a row have come: what one request has found
        out, the others need not.
        """
        while self._lanes[paid].row < waves:
            reserved = self._reserve(paid=paid, deadline=deadline)
            if reserved is None:
                return None
            if self._left(reserved):
                return reserved[0]
        return None

    def _reserve(self, *, paid: bool, deadline: float) -> tuple[Permit, float] | None:
        """Return the next free turn and its moment, ``None`` where that lies ahead and after the ``deadline``."""
        lane = self._lanes[paid]
        with self._lock:
            now = self._clock.monotonic()
            start = max(now, self._held, lane.free)
            if start > max(now, deadline):
                return None
            lane.free = start + lane.spacing
            return Permit(paid, lane.wave), start

    def _left(self, reserved: tuple[Permit, float]) -> bool:
        """Wait for a turn's moment. Return whether it holds: not where a request was refused meanwhile."""
        turn, start = reserved
        pause = start - self._clock.monotonic()
        if pause > 0:
            self._clock.sleep(pause)
        with self._lock:
            return self._lanes[turn.paid].wave == turn.wave and self._held <= start

    def record_success(self, turn: Permit) -> None:
        """Take in that the provider dealt with a request, whatever its answer."""
        lane = self._lanes[turn.paid]
        with self._lock:
            lane.row = 0
            lane.spacing /= 1 + _FASTER * lane.spacing
            if lane.spacing < _FREE:
                lane.spacing = 0.0

    def record_refusal(self, turn: Permit, after: float | None) -> bool:
        """Take in that the provider wants fewer requests, and the seconds that it asked flux to wait.

        Return whether to try again: not where nothing but refusals came for too long.
        """
        lane = self._lanes[turn.paid]
        with self._lock:
            now = self._clock.monotonic()
            self._held = max(self._held, now + (after or 0.0))
            if lane.row == 0:
                lane.since = now
            if turn.wave == lane.wave:
                lane.wave += 1
                lane.row += 1
                lane.spacing = min(max(lane.spacing * 2, _SPACING), _WIDEST)
                lane.free = now + lane.spacing * (0.75 + self._jitter() / 2)
            return now - lane.since <= STALLED
