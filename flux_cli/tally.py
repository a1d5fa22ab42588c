"""How far a batch has come: counted by whoever does the work, read by whoever shows it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from flux_cli.errors import FluxError
from flux_cli.jobs import Job
from flux_cli.money import counted, dollars


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How far a batch has come, at one moment."""

    total: int
    """Jobs."""
    done: int
    failed: int
    spent: float
    """USD, as told, else as expected."""
    unknown: int
    """Jobs of which nobody tells what they cost."""
    elapsed: float
    """Seconds."""

    @property
    def ended(self) -> int:
        """Jobs that are through, either way."""
        return self.done + self.failed

    @property
    def left(self) -> float | None:
        """Seconds until the end, if it goes on as it did; ``None`` before the first job has ended."""
        return None if not self.ended else self.elapsed / self.ended * (self.total - self.ended)


def money_text(spent: float, unknown: int) -> str:
    """Return an amount for people, with what nobody knows beside it."""
    if not unknown:
        return dollars(spent)
    return f"{dollars(spent)} and {unknown} of unknown cost" if spent else f"{unknown} of unknown cost"


class Tally:
    """Counts the jobs of a batch. Any thread may add."""

    def __init__(self, total: int, now: Callable[[], float]) -> None:
        """Expect ``total`` jobs; ``now`` is the time in seconds."""
        self._total = total
        self._now = now
        self._since = now()
        self._codes = Counter[str]()
        self._done = 0
        self._spent = 0.0
        self._unknown = 0
        self._lock = threading.Lock()
        self.hear: Callable[[], None] = lambda: None
        """Called whenever a job has ended."""

    def add(self, job: Job | None, error: FluxError | None, *, told: bool = True) -> None:
        """Count a job that has ended, or ``None`` where nothing was submitted; ``hear`` is called if it is ``told``."""
        cost = None if job is None else counted(job)
        with self._lock:
            if error is None:
                self._done += 1
            else:
                self._codes[error.code] += 1
            self._spent += cost or 0.0
            self._unknown += job is not None and cost is None
        if told:
            self.hear()

    def count(self) -> Count:
        """Return how far it has come."""
        with self._lock:
            return Count(
                total=self._total,
                done=self._done,
                failed=self._codes.total(),
                spent=self._spent,
                unknown=self._unknown,
                elapsed=self._now() - self._since,
            )

    def codes(self) -> dict[str, int]:
        """Return how many jobs ended in which kind of error."""
        with self._lock:
            return dict(self._codes)
