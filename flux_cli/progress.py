"""What is shown while we wait: on stderr only, and only what helps.

On a terminal, one line per job that is redrawn in place and gone at the end, and above them a bar where there is a
batch. Elsewhere, one plain line per change of state; of a batch, one per job that has ended.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TextIO

from flux_cli.jobs import Job
from flux_cli.providers import alias
from flux_cli.tally import Count, Tally, money_text
from flux_cli.text import printable

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live as Redrawn
    from rich.table import Table


_MARGIN = 4
"""Lines of the window that are left to other things."""
_BAR = 24
"""Characters of the bar of a batch."""


def summary(count: Count) -> str:
    """Return how far a batch has come, in a few words."""
    failed = f", {count.failed} failed" if count.failed else ""
    return f"{count.done} of {count.total} done{failed}, {money_text(count.spent, count.unknown)}"


def remaining(count: Count) -> str:
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

    def drop(self, job_id: str) -> None:
        """Forget a job that nothing more will be said about."""
        ...

    def aside(self) -> AbstractContextManager[object]:
        """Step out of the way while something is printed on the same terminal."""
        ...


class Silent:
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

    def drop(self, job_id: str) -> None:
        """Do nothing."""

    def aside(self) -> AbstractContextManager[object]:
        """Do nothing."""
        return nullcontext()


class Lines(Silent):
    """One line per change of state."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """Print lines with ``say``."""
        self._say = say
        self._last: dict[str, str] = {}
        self._lock = threading.Lock()

    def show(self, job: Job, *, activity: str = "") -> None:
        """Print the state, if it is another one than before."""
        state = activity or job.standing
        with self._lock:
            if self._last.get(job.id) != state:
                self._last[job.id] = state
                self._say(f"flux: {job.id} {job.provider} {printable(state)}")


class Ends(Silent):
    """One line per job of a batch that has ended: how far it has come."""

    def __init__(self, say: Callable[[str], None], tally: Tally) -> None:
        """Print lines with ``say``, whenever ``tally`` has something to tell."""
        tally.hear = lambda: say(f"flux: {summary(tally.count())}")


class Live:
    """One line per job, redrawn in place, and a bar for the whole of a batch."""

    def __init__(self, stream: TextIO, now: Callable[[], float], tally: Tally | None = None) -> None:
        """Draw on a terminal's ``stream``; ``now`` is the time in seconds."""
        from rich.console import Console  # noqa: PLC0415 - only a terminal needs it

        self._now = now
        self._tally = tally
        self._jobs: dict[str, tuple[Job, str, float]] = {}
        self._lock = threading.Lock()
        self._printing = threading.Lock()
        self._over = False
        self._console = Console(file=stream, markup=False, highlight=False, emoji=False)
        self._live = self._drawing()

    def _drawing(self) -> Redrawn:
        """Return a display that has drawn nothing yet, so takes nothing away: a used one would, from above itself."""
        from rich.live import Live as Redrawn  # noqa: PLC0415 - only a terminal needs it

        return Redrawn(
            console=self._console,
            get_renderable=self._draw,
            refresh_per_second=8,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        """Start drawing."""
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the lines away again."""
        with self._lock:
            self._jobs.clear()
            self._over = True
        self._live.stop()

    def show(self, job: Job, *, activity: str = "") -> None:
        """Take in how a job stands."""
        with self._lock:
            known = self._jobs.get(job.id)
            self._jobs[job.id] = (job, activity, known[2] if known else self._now())

    def drop(self, job_id: str) -> None:
        """Take a job's line away."""
        with self._lock:
            self._jobs.pop(job_id, None)

    @contextmanager
    def aside(self) -> Generator[None]:
        """Take the lines away, and draw them again afterwards."""
        with self._printing:
            self._live.stop()
            try:
                yield
            finally:
                fresh = self._drawing()
                with self._lock:
                    self._live = fresh
                    if not self._over:
                        fresh.start()

    def _draw(self) -> RenderableType:
        from rich.console import Group  # noqa: PLC0415
        from rich.progress_bar import ProgressBar  # noqa: PLC0415
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        with self._lock:
            waiting = list(self._jobs.values())
        room = max(self._console.height - _MARGIN, 1)
        lines = self._lines(waiting[:room])
        if self._tally is None:
            return lines
        count = self._tally.count()
        head = Table.grid(padding=(0, 1))
        for _ in range(2):
            head.add_column(no_wrap=True, overflow="ellipsis")
        words = f"{summary(count)}, {len(waiting)} in flight{remaining(count)}"
        head.add_row(ProgressBar(total=count.total, completed=count.ended, width=_BAR), Text(words))
        hidden = [Text(f"and {len(waiting) - room} more", style="dim")] if len(waiting) > room else []
        return Group(head, lines, *hidden)

    def _lines(self, waiting: Sequence[tuple[Job, str, float]]) -> Table:
        """Return a line for each job."""
        from rich.spinner import Spinner  # noqa: PLC0415
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        table = Table.grid(padding=(0, 1))
        for _ in range(4):
            table.add_column(no_wrap=True, overflow="ellipsis")
        for job, activity, since in waiting:
            elapsed = f"{self._now() - since:.0f} s"
            where = Text(f"{job.provider} {alias(job.model or '')}", style="cyan")
            state = Text(printable(activity or job.standing))
            table.add_row(
                Spinner("dots"), where, state, Text(f"{elapsed}  {printable(job.prompt, limit=60)}", style="dim")
            )
        return table
