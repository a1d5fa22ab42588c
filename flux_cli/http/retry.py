"""Sending again: where that is safe, how often, and at whose pace.

Why a POST is not repeated: a paid request whose reply was lost may have been accepted, and then a second one is a
second bill. So a request is sent again only where it provably was not accepted (no connection, 429, a documented
503), or where the request itself says that a repeat has no second effect (``Request.safe``). Once one attempt's
answer is lost it stays lost, however later attempts end, unless a later one is answered with success.
"""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Callable

from flux_cli.clock import Clock
from flux_cli.errors import FluxError, Interrupted, LostReplyError, UnavailableError, UnreachedError
from flux_cli.http.rate_limit import Permit, RateLimiter
from flux_cli.providers.conversation import Request, Response

TRIES, CONNECT_TRIES = 5, 3
"""Attempts at a request that was turned away or lost, and at a host that cannot be reached."""
_PAUSE, _LAST_PAUSE = 0.5, 8.0
"""Seconds before the first repeat where no pace is asked for, then twice as long each time, and the longest."""


class Retrier:
    """Sends requests of any provider until there is an answer. One instance may serve many threads."""

    def __init__(self, clock: Clock, jitter: Callable[[], float] = random.random) -> None:
        """Wait by ``clock``; ``jitter`` is a number from 0 to 1, another one each time."""
        self._clock = clock
        self._jitter = jitter
        self._paces: dict[str, RateLimiter] = {}
        self._lock = threading.Lock()

    def send(
        self,
        provider: str,
        request: Request,
        attempt: Callable[[], Response | FluxError],
        *,
        tries: int,
        deadline: float = math.inf,
    ) -> Response:
        """Make attempts at ``request``, at most ``tries``, with growing pauses, and return the first answer.

        No pause lasts beyond the ``deadline``, a reading of the clock: an attempt that would have to wait longer is not
        made. Raises what the last attempt came to, or that an answer was lost, if one was.
        """
        with self._lock:
            pace = self._paces.setdefault(provider, RateLimiter(self._clock, self._jitter))
        turn = self._first(provider, pace, request, once=tries == 1, deadline=deadline)
        lost: LostReplyError | None = None
        made = 0
        while True:
            made += 1
            error = attempt()
            if isinstance(error, Response):
                pace.record_success(turn)
                return error
            if isinstance(error, LostReplyError):
                lost = lost or error
            left = min(tries, CONNECT_TRIES) - made if isinstance(error, UnreachedError) else tries - made
            following = self._next(pace, turn, request, error, made=made, left=left, deadline=deadline)
            if following is not None:
                turn = following
            elif lost is not None and error is not lost:
                refusal = None if isinstance(error, LostReplyError) else error
                raise LostReplyError(lost.message, hint=lost.hint, refusal=refusal) from error
            else:
                raise error

    def _first(self, provider: str, pace: RateLimiter, request: Request, *, once: bool, deadline: float) -> Permit:
        """Wait until a request may leave. Raises `UnavailableError` where it does not.

        Whoever asks ``once`` asks again later: how long to wait for that is told, not waited.
        """
        held = pace.seconds_held()
        if once and held:
            raise UnavailableError(f"{provider} asked flux to wait", retry_after=held)
        try:
            turn = pace.acquire(paid=request.paid, deadline=deadline)
        except Interrupted:
            if not request.outcome_matters:
                raise
            raise UnavailableError(f"stopped before anything was sent to {provider}") from None
        if turn is None:
            raise UnavailableError(f"{provider} asked flux to wait longer than the time-out", retry_after=held)
        return turn

    def _next(
        self,
        pace: RateLimiter,
        turn: Permit,
        request: Request,
        error: FluxError,
        *,
        made: int,
        left: int,
        deadline: float,
    ) -> Permit | None:
        """Wait for the next attempt. Return ``None`` where there is none, also because the wait was cut off."""
        turned_away = error.retry_after is not None
        unaccepted = isinstance(error, UnreachedError) or (isinstance(error, UnavailableError) and turned_away)
        if turned_away and not pace.record_refusal(turn, error.retry_after):
            return None
        if left < 1 or not (
            unaccepted or (request.idempotent and isinstance(error, LostReplyError | UnavailableError))
        ):
            return None
        try:
            if turned_away:
                return pace.acquire_again(paid=request.paid, waves=made + left, deadline=deadline)
            pause = min(_PAUSE * 2 ** (made - 1), _LAST_PAUSE) * (0.75 + self._jitter() / 2)
            if self._clock.monotonic() + pause > deadline:
                return None
            self._clock.sleep(pause)
            return pace.acquire(paid=request.paid, deadline=deadline)
        except Interrupted:
            return None
