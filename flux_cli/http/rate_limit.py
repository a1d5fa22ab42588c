"""Slow down requests to a provider that refuses them for being too many.

One refusal slows every request of this process: each row of a batch backing off alone would come to a new crowd after
every pause. Two things are kept: a hold, until which nothing leaves since the provider asked for that with
``Retry-After``, and a spacing between two requests, which doubles with every wave of refusals and shrinks as requests
succeed. Paid requests and reads have a spacing each: a provider that takes no more jobs still answers questions about
those that it has.
"""

from __future__ import annotations

import math
import random
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

from flux_cli.clock import Clock

LONGEST = 60.0
"""Longest pause that ``Retry-After`` can make us take, in seconds."""

_FIRST_SPACING, _WIDEST_SPACING = 0.5, 8.0
"""Seconds between two requests after the first wave of refusals, and at most."""
_SHRINK, _NO_SPACING = 0.9, 0.1
"""What a success leaves of the spacing, and the seconds below which it is dropped."""


def parse_retry_after(value: str, *, now: float) -> float | None:
    """Return the seconds that a ``Retry-After`` asks for, as a number or as a date, capped; ``None`` for nonsense.

    ``now`` is in seconds since 1970.
    """
    if re.fullmatch(r"\d{1,20}(\.\d{1,20})?", value, re.ASCII):
        return min(float(value), LONGEST)
    try:
        return min(max(parsedate_to_datetime(value).timestamp() - now, 0.0), LONGEST)
    except (ValueError, TypeError, OverflowError):
        return None


@dataclass(slots=True)
class Hold:
    """Until when a provider asked us to send nothing; shared by its rate limiters."""

    until: float = -math.inf
    """A reading of the clock."""
    lock: threading.Lock = field(default_factory=threading.Lock)


class RateLimiter:
    """When the next request of one kind to one provider may leave. One instance may serve many threads."""

    def __init__(self, clock: Clock, hold: Hold, jitter: Callable[[], float] = random.random) -> None:
        """Make a limiter that slows nothing down yet; ``jitter`` returns a number from 0 to 1."""
        self._clock = clock
        self._hold = hold
        self._jitter = jitter
        self._spacing = 0.0
        self._free = -math.inf  # when the next request may leave
        self._wave = 0
        self._refused_waves = 0  # since the last success
        self._refused_since = 0.0

    def seconds_held(self) -> float:
        """Return for how many seconds yet the provider asked flux to wait."""
        return max(self._hold.until - self._clock.monotonic(), 0.0)

    def acquire(self, *, deadline: float = math.inf, waves: float = math.inf) -> int | None:
        """Wait until a request may leave, and return the number of its wave. Raises `Interrupted`.

        Return ``None``, at once, where that would be after the ``deadline``, a reading of the clock, or as soon as so
        many ``waves`` of refusals in a row have come: what one request found out, the others need not.
        """
        while self._refused_waves < waves:
            with self._hold.lock:
                now = self._clock.monotonic()
                start = max(now, self._hold.until, self._free)
                if start > max(now, deadline):
                    return None
                wave, self._free = self._wave, start + self._spacing
            if start > now:
                self._clock.sleep(start - now)
            if self._wave == wave and self._hold.until <= start:  # else a request was refused meanwhile
                return wave
        return None

    def record_success(self) -> None:
        """Note that the provider dealt with a request, whatever its answer."""
        with self._hold.lock:
            self._refused_waves = 0
            self._spacing *= _SHRINK
            if self._spacing < _NO_SPACING:
                self._spacing = 0.0

    def record_refusal(self, wave: int, retry_after: float) -> float:
        """Note that a request of a ``wave`` was refused, and the seconds that the provider asked flux to wait.

        Requests that were already on their way belong to the wave that has begun: they are no reason to slow down
        further. Return for how many seconds there have been nothing but refusals.
        """
        with self._hold.lock:
            now = self._clock.monotonic()
            self._hold.until = max(self._hold.until, now + retry_after)
            if self._refused_waves == 0:
                self._refused_since = now
            if wave == self._wave:
                self._wave += 1
                self._refused_waves += 1
                self._spacing = min(max(self._spacing * 2, _FIRST_SPACING), _WIDEST_SPACING)
                self._free = now + self._spacing * (0.75 + self._jitter() / 2)
            return now - self._refused_since
