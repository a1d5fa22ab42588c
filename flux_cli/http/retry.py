"""Decide whether and when a request is sent again: the table of all retry figures, and the loop that keeps to it.

A POST is not repeated on principle: a paid request whose reply was lost may have been accepted, and then a second one
is a second bill. So a request is sent again only where it provably was not accepted (no connection, 429, a documented
503), or where the request itself says that a repeat has no second effect (``Request.idempotent``). Once one attempt's
answer is lost it stays lost, however later attempts end, unless a later one succeeds.
"""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from flux_cli.clock import Clock
from flux_cli.errors import FluxError, Interrupted, LostReplyError, UnavailableError, UnreachedError
from flux_cli.http.rate_limit import Hold, RateLimiter
from flux_cli.providers.conversation import Request, Response


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often something is tried, and for how long. Times are in seconds."""

    attempts: int
    connect_attempts: int = 3
    """At most so many at a host that cannot be reached."""
    first_pause: float = 0.5
    """Before the second attempt; twice as long before each further one."""
    longest_pause: float = 8.0
    total: float = 120.0
    """Of nothing but refusals by a provider, after which no request to it is tried again."""

    def pauses(self) -> Iterator[float]:
        """Yield the pauses between attempts, without end."""
        pause = self.first_pause
        while True:
            yield pause
            pause = min(pause * 2, self.longest_pause)


SUBMIT = RetryPolicy(attempts=5)
SUBMIT_ROW = RetryPolicy(attempts=20)
"""A batch has many jobs to send, and the other ones may come first."""
POLL = RetryPolicy(attempts=1)
"""The poller looks again later, at moments of its own."""
READ = RetryPolicy(attempts=3)
CANCEL = RetryPolicy(attempts=3)
DOWNLOAD = RetryPolicy(attempts=2, longest_pause=15.0)
"""Attempts at one link, and then at the renewed one."""

POLICIES: Mapping[str, RetryPolicy] = {
    "submit": SUBMIT,
    "submit_row": SUBMIT_ROW,
    "poll": POLL,
    "read": READ,
    "cancel": CANCEL,
    "download": DOWNLOAD,
}
"""The policies by the names that the engine uses."""


class Retrier:
    """Sends requests of any provider until there is an answer. One instance may serve many threads."""

    def __init__(self, clock: Clock, jitter: Callable[[], float] = random.random) -> None:
        """Wait by ``clock``; ``jitter`` returns a number from 0 to 1."""
        self._clock = clock
        self._jitter = jitter
        self._limiters: dict[str, dict[bool, RateLimiter]] = {}
        self._lock = threading.Lock()

    def send(
        self,
        provider: str,
        request: Request,
        attempt: Callable[[], Response | FluxError],
        *,
        policy: RetryPolicy,
        deadline: float = math.inf,
    ) -> Response:
        """Make attempts at ``request`` as ``policy`` says, and return the first answer.

        No pause lasts beyond the ``deadline``, a reading of the clock: an attempt that would have to wait longer is not
        made. Raises the error of the last attempt, or that an answer was lost, if one was.
        """
        limiter = self._limiter(provider, paid=request.paid)
        wave = self._acquire_first(provider, limiter, request, policy, deadline)
        lost: LostReplyError | None = None
        made, pauses = 0, policy.pauses()
        while True:
            error, made, pause = attempt(), made + 1, next(pauses)
            if isinstance(error, Response):
                limiter.record_success()
                return error
            if isinstance(error, LostReplyError):
                lost = lost or error
            seconds_refused = 0.0
            if error.retry_after is not None:
                seconds_refused = limiter.record_refusal(wave, error.retry_after)
            following = None
            if seconds_refused <= policy.total and _may_repeat(request, error, made, policy):
                following = self._acquire_next(limiter, error, policy, pause=pause, deadline=deadline)
            if following is None:
                if lost is None or error is lost:
                    raise error
                refusal = None if isinstance(error, LostReplyError) else error
                raise LostReplyError(lost.message, hint=lost.hint, refusal=refusal) from error
            wave = following

    def _limiter(self, provider: str, *, paid: bool) -> RateLimiter:
        with self._lock:
            if provider not in self._limiters:
                hold = Hold()
                self._limiters[provider] = {
                    kind: RateLimiter(self._clock, hold, self._jitter) for kind in (True, False)
                }
            return self._limiters[provider][paid]

    def _acquire_first(
        self, provider: str, limiter: RateLimiter, request: Request, policy: RetryPolicy, deadline: float
    ) -> int:
        """Wait until a request may leave, and return its wave. Raises `UnavailableError` where it does not leave.

        A request that is tried once does not wait at all: the error says how long the provider asked flux to wait.
        """
        held = limiter.seconds_held()
        if held and policy.attempts == 1:
            raise UnavailableError(f"{provider} asked flux to wait", retry_after=held)
        try:
            wave = limiter.acquire(deadline=deadline)
        except Interrupted:
            if not request.outcome_matters:
                raise
            raise UnavailableError(f"stopped before anything was sent to {provider}") from None
        if wave is None:
            raise UnavailableError(f"{provider} asked flux to wait longer than the time-out", retry_after=held)
        return wave

    def _acquire_next(
        self, limiter: RateLimiter, error: FluxError, policy: RetryPolicy, *, pause: float, deadline: float
    ) -> int | None:
        """Wait for the next attempt, and return its wave; ``None`` where the wait is too long or was interrupted."""
        try:
            if error.retry_after is not None:
                return limiter.acquire(waves=policy.attempts, deadline=deadline)
            pause *= 0.75 + self._jitter() / 2
            if self._clock.monotonic() + pause > deadline:
                return None
            self._clock.sleep(pause)
            return limiter.acquire(deadline=deadline)
        except Interrupted:
            return None


def _may_repeat(request: Request, error: FluxError, made: int, policy: RetryPolicy) -> bool:
    """Whether there is an attempt left after ``made`` ones, and a repeat has no second effect."""
    if isinstance(error, UnreachedError):
        return made < min(policy.attempts, policy.connect_attempts)
    if made >= policy.attempts:
        return False
    if isinstance(error, UnavailableError):
        return error.retry_after is not None or request.idempotent
    return request.idempotent and isinstance(error, LostReplyError)
