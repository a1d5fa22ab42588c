"""Report progress as plain lines on stderr: where the terminal cannot redraw, in a pipe, and with ``--verbose``.

The bars of a terminal are in `progress`, which loads Rich.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Protocol, Self

from flux_cli.jobs import Job
from flux_cli.money.totals import BatchTotals, Count, format_total
from flux_cli.text import printable


def summarize(count: Count) -> str:
    """Return how far a batch has come, in a few words; without an amount before anything is bought or fails."""
    failed = f", {count.failed} failed" if count.failed else ""
    known = count.spent or count.unknown or count.failed
    cost = f", {format_total(count.spent, count.unknown)}" if known else ""
    return f"{count.done} of {count.total} {count.verb}{failed}{cost}"


class Progress(Protocol):
    """A display of jobs in progress. Safe to call from any thread."""

    def __enter__(self) -> Self:
        """Start the display."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the display."""
        ...

    def show(self, job: Job, *, activity: str = "") -> None:
        """Show the state of a job; ``activity`` replaces it with what flux does, such as "saving"."""
        ...

    def remove(self, job_id: str) -> None:
        """Remove a job from the display."""
        ...

    def pause(self) -> AbstractContextManager[object]:
        """Clear the display while something else is printed."""
        ...


class NoProgress:
    """Show nothing."""

    def __enter__(self) -> Self:
        """Do nothing."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing."""

    def show(self, job: Job, *, activity: str = "") -> None:
        """Do nothing."""

    def remove(self, job_id: str) -> None:
        """Do nothing."""

    def pause(self) -> AbstractContextManager[object]:
        """Do nothing."""
        return nullcontext()


class PlainProgress(NoProgress):
    """Print one line for each change of state."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """Print lines with ``say``."""
        self._say = say
        self._last: dict[str, str] = {}
        self._lock = threading.Lock()

    def show(self, job: Job, *, activity: str = "") -> None:
        """Print the state if it has changed."""
        state = activity or job.status_text
        with self._lock:
            if self._last.get(job.id) != state:
                self._last[job.id] = state
                self._say(f"flux: {job.id} {job.provider} {printable(state)}")


class PlainBatchProgress(NoProgress):
    """Print one line for each job of a batch that has ended."""

    def __init__(self, say: Callable[[str], None], totals: BatchTotals) -> None:
        """Print lines with ``say`` whenever ``totals`` changes."""
        totals.on_change = lambda: say(f"flux: {summarize(totals.count())}")
