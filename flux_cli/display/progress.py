"""What is shown while we wait: on stderr only, and only what helps.

What a terminal shows that can draw lines anew has a room of its own, ``live``. Elsewhere, one plain line per change of
state; of a batch, one per job that has ended.
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
    """Return how far a batch has come, in a few words."""
    failed = f", {count.failed} failed" if count.failed else ""
    return f"{count.done} of {count.total} done{failed}, {format_total(count.spent, count.unknown)}"


def format_remaining(count: Count) -> str:
    """Return how long a batch will take, in a few words; nothing while nobody can tell."""
    if count.left is None:
        return ""
    minutes, seconds = divmod(round(count.left), 60)
    hours, minutes = divmod(minutes, 60)
    return f", {hours} h {minutes:02} min left" if hours else f", {minutes}:{seconds:02} left"


class Progress(Protocol):
    """A display of jobs that are being waited for. Any thread may `show`."""

    def __enter__(self) -> Self:
        """Start."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave nothing behind."""
        ...

    def show(self, job: Job, *, activity: str = "") -> None:
        """Take in how a job stands; ``activity`` is what we are doing about it."""
        ...

    def remove(self, job_id: str) -> None:
        """Forget a job that nothing more will be said about."""
        ...

    def pause(self) -> AbstractContextManager[object]:
        """Step out of the way while something is printed on the same terminal."""
        ...


class NoProgress:
    """Shows nothing."""

    def __enter__(self) -> Self:
        """Start."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave nothing behind."""

    def show(self, job: Job, *, activity: str = "") -> None:
        """Do nothing."""

    def remove(self, job_id: str) -> None:
        """Do nothing."""

    def pause(self) -> AbstractContextManager[object]:
        """Do nothing."""
        return nullcontext()


class PlainProgress(NoProgress):
    """One line per change of state."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """Print lines with ``say``."""
        self._say = say
        self._last: dict[str, str] = {}
        self._lock = threading.Lock()

    def show(self, job: Job, *, activity: str = "") -> None:
        """Print the state, if it is another one than before."""
        state = activity or job.status_text
        with self._lock:
            if self._last.get(job.id) != state:
                self._last[job.id] = state
                self._say(f"flux: {job.id} {job.provider} {printable(state)}")


class PlainBatchProgress(NoProgress):
    """One line per job of a batch that has ended: how far it has come."""

    def __init__(self, say: Callable[[str], None], tally: BatchTotals) -> None:
        """Print lines with ``say``, whenever ``tally`` has something to tell."""
        tally.on_change = lambda: say(f"flux: {summarize(tally.count())}")
