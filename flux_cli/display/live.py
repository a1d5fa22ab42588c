"""What a terminal shows while we wait: a line for each job, redrawn in place, gone at the end; a bar for a batch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TextIO

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from flux_cli.display.canvas import Canvas
from flux_cli.display.progress import format_remaining, summarize
from flux_cli.display.rendering import style
from flux_cli.errors import FluxError
from flux_cli.foreground import may_draw, suspending
from flux_cli.jobs import Job
from flux_cli.money.totals import BatchTotals
from flux_cli.providers import alias
from flux_cli.text import printable

BEAT = 0.2
"""Seconds between two drawings, at least."""

_MARGIN = 4
"""Lines of the window that are left to other things."""
_BAR, _SHORTEST = 24, 6
"""Characters of the bar of a batch: at most, and those under which it is left out."""
_SPINNER, _PLAIN_SPINNER = "\u280b\u2819\u2839\u2838\u283c\u2834\u2826\u2827\u2807\u280f", "|/-\\"
_LONG = 60
"""Characters of a provider's own words for a state."""
_MINUTES, _HOURS, _DAYS = 120, 7200, 172_800
"""Seconds from which on a time is told in minutes, hours or days."""


def format_duration(seconds: float) -> str:
    """Return a length of time in as few words as it takes."""
    if seconds < _MINUTES:
        return f"{max(seconds, 0):.0f} s"
    if seconds < _HOURS:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < _DAYS else f"{seconds / 86400:.0f} days"


@dataclass(frozen=True, slots=True)
class _Shown:
    """A job as it was last told about."""

    job: Job
    activity: str
    expected: float | None

    @property
    def under_way(self) -> bool:
        return bool(self.activity) or self.job.active

    def time(self, now: float) -> str:
        """How long it takes, and how long such jobs usually take while that says anything."""
        ended = None if self.under_way else self.job.finished_at
        elapsed = format_duration((now if ended is None else ended) - self.job.created_at)
        usual = self.expected if self.job.active else None
        return elapsed if usual is None or usual < 1 else f"{elapsed} (usually {format_duration(usual)})"


class Live:
    """A line for each job, and a bar for the whole of a batch. Any thread may report."""

    def __init__(
        self,
        stream: TextIO,
        now: Callable[[], float],
        tally: BatchTotals | None = None,
        *,
        expected: Callable[[Job], float | None] = lambda _: None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Draw on a terminal's ``stream``.

        ``now`` is the time in seconds since 1970; ``expected`` tells how long a job is expected to take.
        """
        self._now = now
        self._tally = tally
        self._expected = expected
        self._stream = stream
        self._canvas = Canvas(stream, environ or {})
        self._jobs: dict[str, _Shown] = {}
        self._lock = threading.Lock()
        self._drawing = threading.Lock()
        self._over = threading.Event()
        self._suspended = False
        self._signals = suspending(suspend=self._suspend, resume=self._resume)
        self._beats = 0

    def __enter__(self) -> Self:
        """Start drawing."""
        self._signals.__enter__()
        threading.Thread(target=self._keep_drawing, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the lines away again."""
        self._signals.__exit__(kind, error, trace)
        self._over.set()
        with self._held():
            self._canvas.clear()

    @contextmanager
    def _held(self) -> Generator[None]:
        """Keep others from drawing, except for one that is stuck because nobody reads what it says."""
        held = self._drawing.acquire(timeout=BEAT)
        try:
            yield
        finally:
            if held:
                self._drawing.release()

    def _suspend(self) -> None:
        """Leave the terminal to the shell, without our lines and with the cursor."""
        self._suspended = True
        with self._held():
            self._canvas.clear()

    def _resume(self) -> None:
        """Go on drawing, below whatever the shell has printed."""
        with self._held():
            self._canvas.forget()
        self._suspended = False

    def _keep_drawing(self) -> None:
        while not self._over.wait(BEAT):
            self.draw()

    def show(self, job: Job, *, activity: str = "") -> None:
        """Take in how a job stands."""
        expected = None
        with suppress(FluxError):  # whoever does the work will hear of it
            expected = self._expected(job)
        with self._lock:
            self._jobs[job.id] = _Shown(job, activity, expected)

    def remove(self, job_id: str) -> None:
        """Take a job's line away."""
        with self._lock:
            self._jobs.pop(job_id, None)

    @contextmanager
    def pause(self) -> Generator[None]:
        """Take the lines away; they come back with the next beat."""
        with self._drawing:
            self._canvas.clear()
            yield

    def draw(self) -> None:
        """Draw how things stand now, unless it is over or the terminal is somebody else's."""
        with self._lock:
            shown = list(self._jobs.values())
        with self._drawing:
            if not (self._over.is_set() or self._suspended) and may_draw(self._stream):
                self._beats += 1
                self._canvas.draw(self._lines(shown))

    def _lines(self, shown: Sequence[_Shown]) -> list[Text]:
        width, height = self._canvas.size
        shown = sorted(shown, key=lambda one: not one.under_way)
        room = max(height - _MARGIN, 1)
        lines = [] if self._tally is None else [self._head(self._tally, len(shown), width)]
        lines += self._rows(shown[:room])
        return lines if len(shown) <= room else [*lines, Text(f"and {len(shown) - room} more", style="dim")]

    def _head(self, tally: BatchTotals, in_flight: int, width: int) -> Text:
        """Return how far a batch has come, as a bar and in words; where there is little room, the bar gives way."""
        count = tally.count()
        words = f"{summarize(count)}, {in_flight} in flight{format_remaining(count)}"
        bar = min(width - cell_len(words) - 1, _BAR)
        if bar < _SHORTEST:
            return Text(words)
        full, empty = ("\u2501", "\u2500") if self._canvas.unicode else ("#", "-")
        done = bar * count.ended // max(count.total, 1)
        return Text.assemble((full * done, "green"), (empty * (bar - done), "dim"), f" {words}")

    def _rows(self, shown: Sequence[_Shown]) -> list[Text]:
        """Return a line for each job, its prompt last: where the window is narrow, that is cut first."""
        now = self._now()
        frames = _SPINNER if self._canvas.unicode else _PLAIN_SPINNER
        cells = [
            (
                f"{one.job.provider} {alias(one.job.model or '')}".rstrip(),
                printable(one.activity or one.job.status_text, limit=_LONG),
                one.time(now),
            )
            for one in shown
        ]
        widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
        lines: list[Text] = []
        for one, words in zip(shown, cells, strict=True):
            where, state, time = map(set_cell_size, words, widths)
            mark = frames[self._beats % len(frames)] if one.under_way else " "
            drawn = "" if one.activity else style(one.job.status)
            prompt = (printable(one.job.prompt, limit=200), "dim")
            lines.append(Text.assemble(f"{mark} ", where, "  ", (state, drawn), "  ", time, "  ", prompt))
        return lines
