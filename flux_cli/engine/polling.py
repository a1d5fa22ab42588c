"""Poll jobs until they are finished, and remember how long jobs of each model take.

What the ledger knows of a model is read when a job of it is first waited for, and added to from then on, so the jobs of
a batch learn from those that ended before them.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from flux_cli.clock import Clock
from flux_cli.engine.ports import RetryPolicy
from flux_cli.engine.schedule import APART, REMEMBERED, PollSchedule, expected, schedule
from flux_cli.errors import FluxError, NotFoundError, PendingError, ProtocolError, UnavailableError
from flux_cli.jobs import FINISHED, Job, ReadyInterval

_MISSES = 3
"""Looks at a job that the provider does not know (yet) before we believe it."""

Kind = tuple[str, str | None, bool]
"""Provider, model, and whether it is the sandbox: jobs of one kind take about the same time."""


class Look(Protocol):
    """Asks once how a job is doing, and stores the answer."""

    def __call__(self, job: Job, *, working: float | None, deadline: float) -> Job:
        """Return the job; ``working`` is when a look last found it at work, in seconds since it was accepted.

        That is 0 where this is the first look, and ``None`` where the look cannot say when the job became ready. No
        pause lasts beyond the ``deadline``, a reading of the clock. Raises `FluxError`.
        """
        ...


@dataclass
class _History:
    """How long jobs of one kind took."""

    intervals: deque[ReadyInterval]
    """The latest, the newest first."""
    begun: int
    """How many jobs were waited for, those read from the ledger included."""
    at_work: float = 0.0
    """The latest moment at which a look found one at work."""


class Poller:
    """Waits for jobs. One instance may serve many threads."""

    def __init__(
        self,
        *,
        clock: Clock,
        look: Look,
        retry: RetryPolicy,
        waits: Callable[[Job], Sequence[ReadyInterval]],
        poll_seconds: Callable[[Job], float],
    ) -> None:
        """Make a poller.

        ``retry`` says how often `refresh` looks, ``waits`` returns how long earlier jobs of the same model took, the
        newest first, and ``poll_seconds`` the pause between two looks that a job's provider asks for.
        """
        self._clock = clock
        self._look = look
        self._retry = retry
        self._waits = waits
        self._poll_seconds = poll_seconds
        self._histories: dict[Kind, _History] = {}
        self._lock = threading.Lock()

    def expected(self, job: Job) -> float | None:
        """Return how many seconds a job is expected to take from its acceptance, where earlier ones say so."""
        with self._lock:
            return expected(self._history(job).intervals)

    def refresh(self, job: Job, *, deadline: float = math.inf) -> Job:
        """Return the job as it is now: look once, and again where a look fails in a way that may pass.

        No pause lasts beyond the ``deadline``, a reading of the clock. Raises `FluxError`.
        """
        attempts, pauses = 0, self._retry.pauses()
        while True:
            try:
                return self._look(job, working=None, deadline=deadline)
            except (UnavailableError, ProtocolError) as error:
                attempts, pause = attempts + 1, max(error.retry_after or 0, next(pauses), APART)
                if attempts >= self._retry.attempts or self._clock.monotonic() + pause > deadline:
                    raise
            self._clock.sleep(pause)

    def watch(self, job: Job, *, timeout: float, deadline: float | None = None) -> Iterator[Job]:
        """Yield the job after each look at it, until it is finished.

        A look that fails in a way that may pass (no answer, 5xx, 429, garbage) is repeated later. Raises
        `PendingError` after ``timeout`` seconds, and at once what cannot pass, such as `AuthError`; the job continues
        in either case. The seconds begin now or, where they began earlier, end at the ``deadline``.
        """
        deadline = self._clock.monotonic() + timeout if deadline is None else deadline
        began = self._elapsed(job)
        if began < APART:
            began, polls = 0.0, self._schedule(job)
        else:  # it was not watched for a while, and may be done at any moment
            polls = PollSchedule(first=APART, step=max(APART, self._poll_seconds(job)))
        working: float | None = None if began else 0.0
        due, pause, misses, trouble = began + polls.first, 0.0, 0, ""
        while job.status not in FINISHED:
            left = deadline - self._clock.monotonic()
            if left <= 0:
                raise _pending(job, timeout, trouble)
            self._clock.sleep(min(max(due - self._elapsed(job), pause), left))
            pause, at = APART / 2, self._elapsed(job)
            if not working and at > due + APART:  # held up: it may have been done before
                working = None
            try:
                job = self._look(job, working=working, deadline=deadline)
            except (UnavailableError, ProtocolError, NotFoundError) as error:
                misses += isinstance(error, NotFoundError)
                if misses >= _MISSES:
                    error.retry = "never"
                    raise
                trouble, pause = error.message, max(error.retry_after or 0, pause)
                working = working or None
            except FluxError as error:
                error.retry = "never"  # the job goes on: to generate again would be a second purchase
                raise
            else:
                self._learn(job, 0.0 if working is None else at)
                trouble, working = "", at
                yield job
            due = began + polls.next(at - began)

    def _elapsed(self, job: Job) -> float:
        return max(self._clock.now() - job.started_at, 0.0)

    def _schedule(self, job: Job) -> PollSchedule:
        """Return when to look at a new job."""
        with self._lock:
            history = self._history(job)
            history.begun += 1
            return schedule(
                history.intervals,
                at_work=history.at_work,
                number=history.begun - 1,
                poll_seconds=self._poll_seconds(job),
            )

    def _history(self, job: Job) -> _History:
        kind = _kind(job)
        if kind not in self._histories:
            found = self._waits(job)[:REMEMBERED]
            self._histories[kind] = _History(deque(found, maxlen=REMEMBERED), len(found))
        return self._histories[kind]

    def _learn(self, job: Job, at: float) -> None:
        """Remember what the look ``at`` a moment showed: that a job is at work, or how long it took."""
        with self._lock:
            history = self._history(job)
            if job.status not in FINISHED:
                history.at_work = max(history.at_work, at)
            elif job.ready_between is not None and job.status == "succeeded":
                history.intervals.appendleft(job.ready_between)


def _kind(job: Job) -> Kind:
    """Return what jobs have in common that take about the same time."""
    return job.provider, job.model, job.sandbox


def _pending(job: Job, timeout: float, trouble: str) -> PendingError:
    said = f"; the last poll failed: {trouble}" if trouble else ""
    waited = "1 second" if timeout == 1 else f"{timeout:g} seconds"
    return PendingError(
        f"job {job.id} is not finished after {waited} (it continues at {job.provider} and is billed){said}",
        hint=f"`flux result --wait {job.id}` fetches it",
    )
