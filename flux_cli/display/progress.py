"""Draw progress bars on a terminal with Rich: a line for each job, and one for the whole of a batch or ``-n``."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console, Group, RenderableType
from rich.control import Control
from rich.live import Live
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TaskID
from rich.segment import ControlType
from rich.table import Column, Table
from rich.text import Text

from flux_cli.display.plain import summarize
from flux_cli.display.rendering import style
from flux_cli.display.tables import CutLines, is_unicode, make_text
from flux_cli.errors import FluxError
from flux_cli.foreground import may_draw, suspending
from flux_cli.jobs import Job
from flux_cli.money.totals import BatchTotals, Count
from flux_cli.providers import alias

REFRESH_SECONDS = 0.2
"""Seconds between two drawings."""

_OTHER_LINES = 4
"""Lines of the window that are left free."""
_ECHO = len("^Z")
"""Columns that are left free at the end of a line: what the terminal echoes there must not wrap."""
_JOB_BAR, _TOTAL_BAR, _MIN_BAR = 12, 24, 6
"""Widths of a bar in cells; one that would be narrower than the last is left out."""
_ALMOST = 0.99
"""How full the bar of an unfinished job is at most."""
_MAX_STATE, _MAX_PROMPT = 60, 200
"""Characters of a provider's own word for a state, and of a prompt."""
_MINUTES, _HOURS, _DAYS = 120, 7200, 172_800
"""Seconds from which a duration is given in minutes, hours or days."""

_REFLOWING = frozenset(
    {
        "TMUX",
        "VTE_VERSION",
        "KITTY_WINDOW_ID",
        "WEZTERM_PANE",
        "WT_SESSION",
        "ALACRITTY_WINDOW_ID",
        "KONSOLE_VERSION",
    }
)
"""Variables set by terminals that wrap existing lines again when the window becomes narrower; xterm cuts them."""
_REFLOWING_PROGRAMS = frozenset({"iTerm.app", "ghostty", "vscode", "Apple_Terminal"})
"""The same, as values of TERM_PROGRAM."""


def format_duration(seconds: float) -> str:
    """Return a duration in its largest useful unit."""
    if seconds < _MINUTES:
        return f"{max(seconds, 0):.0f} s"
    if seconds < _HOURS:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < _DAYS else f"{seconds / 86400:.0f} days"


def _format_remaining(count: Count) -> str:
    """Return how long the rest of a batch will take; empty before the first job has ended."""
    if count.left is None:
        return ""
    minutes, seconds = divmod(round(count.left), 60)
    hours, minutes = divmod(minutes, 60)
    return f", {hours} h {minutes:02} min left" if hours else f", {minutes}:{seconds:02} left"


@dataclass(frozen=True, slots=True)
class _Row:
    """The last reported state of a job."""

    job: Job
    activity: str
    expected: float | None

    @property
    def active(self) -> bool:
        return bool(self.activity) or self.job.active

    def describe_state(self) -> tuple[str, str]:
        """Return the state and its style."""
        return (self.activity, "") if self.activity else (self.job.status_text, style(self.job.status))

    def format_time(self, now: float) -> str:
        """Return how long the job has taken, and how long such jobs usually take while it is active."""
        ended = None if self.active else self.job.finished_at
        elapsed = format_duration((now if ended is None else ended) - self.job.created_at)
        usual = self.expected if self.job.active else None
        return elapsed if usual is None or usual < 1 else f"{elapsed} (usually {format_duration(usual)})"

    def measure(self, now: float) -> float | None:
        """Return how much of the job is done, from 0 to 1; ``None`` if that cannot be estimated."""
        if self.job.status == "succeeded":
            return _ALMOST if self.activity else 1.0
        if not self.job.active:
            return 0.0
        if self.job.progress is not None:
            return min(max(self.job.progress / 100, 0.0), _ALMOST)
        if not self.expected:
            return None
        return min(max((now - self.job.started_at) / self.expected, 0.0), _ALMOST)


class _Spinner(SpinnerColumn):
    """A spinner for active jobs only."""

    def render(self, task: Task) -> RenderableType:
        return super().render(task) if task.fields["active"] else Text(" ")


class _Field(ProgressColumn):
    """A column that shows a text stored with the task. It never wraps; the last column is cut first."""

    def __init__(self, name: str, *, last: bool = False) -> None:
        super().__init__(Column(no_wrap=not last))
        self.name = name

    def render(self, task: Task) -> RenderableType:
        text: Text = task.fields[self.name]
        return text

    def measure(self, tasks: Sequence[Task]) -> int:
        """Return the width of the longest text in cells."""
        texts: list[Text] = [task.fields[self.name] for task in tasks]
        return max(text.cell_len for text in texts)


class LiveProgress:
    """A bar for each job, and one for the whole of a batch. Safe to call from any thread."""

    def __init__(
        self,
        stream: TextIO,
        now: Callable[[], float],
        totals: BatchTotals | None = None,
        *,
        expected: Callable[[Job], float | None] = lambda _: None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Draw on the terminal ``stream``.

        ``now`` returns the time in seconds since 1970, ``expected`` how many seconds a job usually takes.
        """
        environ = environ or {}
        self._now = now
        self._totals = totals
        self._expected = expected
        self._stream = stream
        self._reflows = bool(_REFLOWING & environ.keys()) or environ.get("TERM_PROGRAM") in _REFLOWING_PROGRAMS
        self._console = Console(file=stream, markup=False, highlight=False, emoji=False)
        unicode = is_unicode(stream)
        self._spinner = _Spinner("dots" if unicode else "line", style="", table_column=Column(no_wrap=True))
        self._bar = _make_bar("cyan")
        self._fields = [_Field("where"), _Field("state"), _Field("time"), _Field("prompt", last=True)]
        self._bars = Progress(console=self._console, auto_refresh=False, get_time=now)
        self._total_bar = _make_bar("green")
        self._total_text = _Field("text")
        self._total = Progress(console=self._console, auto_refresh=False, get_time=now)
        self._rows: dict[str, _Row] = {}
        self._tasks: dict[str, TaskID] = {}
        self._live: Live | None = None
        self._widths: list[int] = []
        self._lock = threading.Lock()
        self._drawing = threading.RLock()
        self._ended = threading.Event()
        self._suspended = False
        self._signals = suspending(suspend=self._suspend, resume=self._resume)

    def __enter__(self) -> Self:
        """Start drawing."""
        self._signals.__enter__()
        threading.Thread(target=self._keep_drawing, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove all lines."""
        self._signals.__exit__(kind, error, trace)
        self._ended.set()
        with self._hold():
            self._clear()

    def show(self, job: Job, *, activity: str = "") -> None:
        """Show the state of a job; ``activity`` replaces it with what flux does, such as "saving"."""
        expected = None
        with suppress(FluxError):  # the code that does the work reports it
            expected = self._expected(job)
        with self._lock:
            self._rows[job.id] = _Row(job, activity, expected)

    def remove(self, job_id: str) -> None:
        """Remove the line of a job."""
        with self._lock:
            self._rows.pop(job_id, None)

    @contextmanager
    def pause(self) -> Generator[None]:
        """Remove the lines while something else is printed; the next drawing starts below it."""
        with self._drawing:
            self._clear()
            yield

    def draw(self) -> None:
        """Draw the current state, unless the terminal is in use by another program or the display has ended."""
        with self._drawing:
            if self._ended.is_set() or self._suspended or not may_draw(self._stream):
                return
            with self._lock:
                rows = list(self._rows.values())
            if not rows and self._totals is None:
                self._clear()
                return
            try:
                lines = self._render(rows)
                if self._live is None:  # a Live that was stopped would erase what was printed since
                    self._live = Live(
                        console=self._console,
                        auto_refresh=False,
                        transient=True,
                        redirect_stdout=False,
                        redirect_stderr=False,
                    )
                    self._live.start()
                self._erase_wrapped()
                self._live.update(lines, refresh=True)
                self._widths = lines.widths
            except OSError:  # the terminal is gone
                self._ended.set()
                self._live = None

    def _keep_drawing(self) -> None:
        while not self._ended.wait(REFRESH_SECONDS):
            self.draw()

    @contextmanager
    def _hold(self) -> Generator[None]:
        """Keep other threads from drawing, but do not wait for one that is blocked by the terminal."""
        held = self._drawing.acquire(timeout=REFRESH_SECONDS)
        try:
            yield
        finally:
            if held:
                self._drawing.release()

    def _suspend(self) -> None:
        """Give the terminal back to the shell, without our lines and with its cursor."""
        self._suspended = True
        with self._hold():
            self._clear()

    def _resume(self) -> None:
        """Continue below what the shell has printed: after ``kill -STOP`` our old lines are still there."""
        with self._hold():
            if self._live is not None:
                with suppress(OSError):
                    self._stream.write("\n" * len(self._widths))
                    self._stream.flush()
                self._widths = []
                self._clear()
        self._suspended = False

    def _clear(self) -> None:
        """Remove all lines and show the cursor."""
        live, self._live = self._live, None
        if live is not None:
            with suppress(OSError):
                self._erase_wrapped()
                live.stop()

    def _erase_wrapped(self) -> None:
        """Erase the rows that our lines take in addition since the window became narrower."""
        width = max(self._console.width, 1)
        extra = sum(max(-(-cells // width), 1) - 1 for cells in self._widths) if self._reflows else 0
        if extra := min(extra, self._console.height - 1):
            up = [(ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2)] * extra
            self._console.control(Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2), *up))
        self._widths = []

    def _render(self, rows: Sequence[_Row]) -> CutLines:
        """Return the whole display: totals, the jobs that fit the window, and the number of the others.

        A narrow window cuts the prompts first, then the bars, then the ends of the lines.
        """
        room = max(self._console.height - _OTHER_LINES, 1)
        lines: list[RenderableType] = []
        least = 0
        if self._totals is not None:
            least, table = self._render_totals(self._totals, len(rows))
            lines.append(table)
        if shown := sorted(rows, key=lambda row: not row.active)[:room]:
            needed, table = self._render_jobs(shown)
            least = max(least, needed)
            lines.append(table)
        if len(rows) > room:
            lines.append(Text(f"and {len(rows) - room} more", style="dim"))
        return CutLines(Group(*lines), least, margin=_ECHO)

    def _render_totals(self, totals: BatchTotals, in_flight: int) -> tuple[int, Table]:
        """Return the line of a batch, and the width it needs without its bar."""
        count = totals.count()
        text = Text(f"{summarize(count)}, {in_flight} in flight{_format_remaining(count)}")
        if not self._total.tasks:
            self._total.add_task("")
        (task,) = self._total.tasks
        self._total.update(task.id, total=max(count.total, 1), completed=count.ended, text=text)
        bar = _fit_bar(self._total_bar, self._console.width - _ECHO - text.cell_len - 1, _TOTAL_BAR)
        self._total.columns = (*bar, self._total_text)
        return text.cell_len, self._total.make_tasks_table([task])

    def _render_jobs(self, rows: Sequence[_Row]) -> tuple[int, Table]:
        """Return a line for each job, and the width they need without bars and prompts."""
        for job_id in self._tasks.keys() - {row.job.id for row in rows}:
            self._bars.remove_task(self._tasks.pop(job_id))
        for row in rows:
            self._update_task(row)
        tasks = {task.id: task for task in self._bars.tasks}
        shown = [tasks[self._tasks[row.job.id]] for row in rows]
        where, state, time, prompt = self._fields
        least = 1 + sum(1 + field.measure(shown) for field in (where, state, time))
        bar = _fit_bar(self._bar, self._console.width - _ECHO - least - 1, _JOB_BAR)
        self._bars.columns = (self._spinner, where, *bar, state, time, prompt)
        return least, self._bars.make_tasks_table(shown)

    def _update_task(self, row: _Row) -> None:
        now, job = self._now(), row.job
        if job.id not in self._tasks:
            self._tasks[job.id] = self._bars.add_task("")
        task = self._tasks[job.id]
        done = row.measure(now)
        self._bars.reset(task, start=done is not None, total=1.0)  # a bar that is not started pulses
        self._bars.update(
            task,
            completed=done or 0.0,
            active=row.active,
            where=make_text(self._stream, f"{job.provider} {alias(job.model or '')}".rstrip()),
            state=make_text(self._stream, *row.describe_state(), limit=_MAX_STATE),
            time=make_text(self._stream, row.format_time(now)),
            prompt=make_text(self._stream, job.prompt, "dim", limit=_MAX_PROMPT),
        )


def _make_bar(colour: str) -> BarColumn:
    """Return a bar column in a colour that every theme defines; a full bar is green."""
    return BarColumn(
        style="bright_black",
        complete_style=colour,
        finished_style="green",
        pulse_style=colour,
        table_column=Column(no_wrap=True),
    )


def _fit_bar(bar: BarColumn, room: int, most: int) -> list[BarColumn]:
    """Return a bar column as wide as there is room for, or none."""
    bar.bar_width = min(room, most)
    return [bar] if room >= _MIN_BAR else []
