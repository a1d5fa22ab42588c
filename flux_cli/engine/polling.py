"""Watching jobs until they are finished: the one loop that looks again, and what it remembers of the jobs before.

How long jobs of one model take is read from the ledger when one is first waited for, and added to from then on, so
the jobs of a batch learn from those that have ended before them.
"""

from __future__ import annotations

import gc
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from flux_cli.clock import Clock
from flux_cli.engine.schedule import APART, REMEMBERED, Bracket, Plan, plan
from flux_cli.errors import FluxError, NotFoundError, PendingError, ProtocolError, UnavailableError
from flux_cli.jobs import FINISHED, Job

_MISSES = 3
"""Looks at a job that the provider does not know (yet) before we believe it."""
_GOLDEN = 0.618
"""Steps of this size, without their whole part, stay far from each other however many there are."""

Kind = tuple[str, str | None, bool]


class Refresh(Protocol):
    """Asks once how a job is doing, and writes it down."""

    def __call__(self, job: Job, *, working: float | None, deadline: float) -> Job:
        """Return the job; ``working`` is when a look last found it at work, in seconds since it was accepted.

        That is 0 where this is the first look, and ``None`` where it does not tell when the job became ready. Nothing
        waits beyond the ``deadline``, a reading of the clock. Raises `FluxError`.
        """
        ...


class Poller:
    """Waits for jobs. One instance may serve many threads."""

    def __init__(
        self,
        *,
        clock: Clock,
        look: Refresh,
        waits: Callable[[Job], Sequence[Bracket]],
        poll_seconds: Callable[[Job], float],
    ) -> None:
        """Make a watcher.

        ``waits`` tells what is known of earlier jobs of the same model, the newest first, and ``poll_seconds`` what a
        job's provider asks for between two looks.
        """
        self._clock = clock
        self._look = look
        self._waits = waits
        self._poll_seconds = poll_seconds
        self._known: dict[Kind, deque[Bracket]] = {}
        self._bold: set[Kind] = set()
        self._begun = 0
        self._lock = threading.Lock()

    def expected(self, job: Job) -> float | None:
        """Return how many seconds a job is expected to take from its acceptance, where earlier ones tell."""
        with self._lock:
            return self._plan(job).median

    def watch(self, job: Job, *, timeout: float, deadline: float | None = None) -> Iterator[Job]:
        """Yield the job after each look at it, until it is finished.

        A look that fails in a way that may pass (no answer, 5xx, 429, garbage) is taken again later. Raises
        `PendingError` after ``timeout`` seconds, and at once what cannot pass, such as `AuthError`; the job goes on
        in either case. The seconds count from now on or, where they began earlier, end at the ``deadline``.
        """
        gc.enable()  # which starting up does without: from here on it may take long
        deadline = self._clock.monotonic() + timeout if deadline is None else deadline
        began = self._elapsed(job)
        new = began < APART
        first, bold = self._begin(job) if new else (began + APART, False)
        try:
            yield from self._until(job, deadline, timeout, 0.0 if new else began, first)
        finally:
            if bold:
                with self._lock:
                    self._bold.discard(_kind(job))

    def _until(self, job: Job, deadline: float, timeout: float, began: float, due: float) -> Iterator[Job]:
        """Look at ``due``, and again, until the job is finished; nobody looked before ``began``."""
        working: float | None = None if began else 0.0
        pause, misses, trouble = due - self._elapsed(job), 0, ""
        while job.status not in FINISHED:
            left = deadline - self._clock.monotonic()
            if left <= 0:
                raise _pending(job, timeout, trouble)
            self._clock.sleep(min(pause, left))
            asked, at = 0.0, self._elapsed(job)
            if not working and at > due + APART:  # held up: whether it was done before, nobody knows
                working = None
            try:
                job = self._look(job, working=working, deadline=deadline)
            except (UnavailableError, ProtocolError, NotFoundError) as error:
                misses += isinstance(error, NotFoundError)
                if misses >= _MISSES:
                    error.retry = "never"
                    raise
                trouble, asked = error.message, error.retry_after or 0
                working = working or None
            except FluxError as error:
                error.retry = "never"  # the job goes on: to generate again would be a second purchase
                raise
            else:
                trouble, working = "", at
                self._learn(job)
                yield job
            due = self._next(job, at, began)
            pause = max(due - self._elapsed(job), asked, APART / 2)

    def _elapsed(self, job: Job) -> float:
        return max(self._clock.now() - job.started_at, 0.0)

    def _begin(self, job: Job) -> tuple[float, bool]:
        """Return the first look at a new job, and whether it is a bold one: one job at a time dares that."""
        with self._lock:
            found = self._plan(job, phase=self._begun * _GOLDEN % 1)
            self._begun += 1
            if found.bold is None or _kind(job) in self._bold:
                return found.first, False
            self._bold.add(_kind(job))
            return found.bold, True

    def _next(self, job: Job, after: float, began: float) -> float:
        with self._lock:
            return self._plan(job).next(after, began=began)

    def _plan(self, job: Job, *, phase: float = 0.0) -> Plan:
        kind = _kind(job)
        if kind not in self._known:
            self._known[kind] = deque(self._waits(job)[:REMEMBERED], maxlen=REMEMBERED)
        return plan(self._known[kind], poll_seconds=self._poll_seconds(job), phase=phase)

    def _learn(self, job: Job) -> None:
        """Remember how long a job took, if this look has told."""
        if job.ready_between is not None and job.status == "succeeded":
            with self._lock:
                self._known[_kind(job)].appendleft(job.ready_between)


def _kind(job: Job) -> Kind:
    """Return what jobs have in common that take about the same time."""
    return job.provider, job.model, job.sandbox


def _pending(job: Job, timeout: float, trouble: str) -> PendingError:
    said = f"; the last look at it failed: {trouble}" if trouble else ""
    return PendingError(
        f"job {job.id} is not finished after {timeout:g} seconds (it goes on at {job.provider}, and is billed){said}",
        hint=f"`flux result --wait {job.id}` fetches it",
    )
