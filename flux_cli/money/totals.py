"""Count the progress and the cost of a batch: the runner adds, the display reads."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from flux_cli.errors import FluxError
from flux_cli.jobs import Job
from flux_cli.money.limits import counted_cost, format_usd


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """The progress of a batch at one moment."""

    total: int
    """Jobs."""
    done: int
    failed: int
    spent: float
    """USD: costs, else estimates."""
    unknown: int
    """Jobs of unknown cost."""
    elapsed: float
    """Seconds."""
    verb: str = "done"
    """The word for a job that succeeded, such as done or submitted."""

    @property
    def ended(self) -> int:
        """Jobs that are done or failed."""
        return self.done + self.failed

    @property
    def left(self) -> float | None:
        """Seconds until the end at the rate so far; ``None`` before the first job has ended."""
        return None if not self.ended else self.elapsed / self.ended * (self.total - self.ended)


def format_total(spent: float, unknown: int) -> str:
    """Return an amount as text, with the number of jobs of unknown cost."""
    if not unknown:
        return format_usd(spent)
    return f"{format_usd(spent)} and {unknown} of unknown cost" if spent else f"{unknown} of unknown cost"


class BatchTotals:
    """Counts the jobs of a batch. Any thread may add."""

    def __init__(self, total: int, now: Callable[[], float], *, verb: str = "done") -> None:
        """Expect ``total`` jobs, each of which is ``verb`` in the end; ``now`` is the time in seconds."""
        self._verb = verb
        self._total = total
        self._now = now
        self._since = now()
        self._codes = Counter[str]()
        self._done = 0
        self._spent = 0.0
        self._unknown = 0
        self._lock = threading.Lock()
        self._adding = threading.Lock()  # else an older count might be printed below a newer one
        self.on_change: Callable[[], None] = lambda: None
        """Called after each job."""

    def add(self, jobs: Iterable[Job], error: FluxError | None, *, notify: bool = True) -> None:
        """Count one end and the cost of its ``jobs``; ``on_change`` is called if ``notify``."""
        costs = [counted_cost(job) for job in jobs]
        with self._adding:
            with self._lock:
                if error is None:
                    self._done += 1
                else:
                    self._codes[error.code] += 1
                self._spent += sum(cost for cost in costs if cost is not None)
                self._unknown += costs.count(None)
            if notify:
                self.on_change()

    def count(self) -> Count:
        """Return the progress so far."""
        with self._lock:
            return Count(
                total=self._total,
                done=self._done,
                failed=self._codes.total(),
                spent=self._spent,
                unknown=self._unknown,
                elapsed=self._now() - self._since,
                verb=self._verb,
            )

    def codes(self) -> dict[str, int]:
        """Return the number of failed jobs by error code."""
        with self._lock:
            return dict(self._codes)
