"""Print results, as text for people or as JSON: data goes to stdout, everything else to stderr.

Text from users and servers is never read as markup, and its control characters are made visible.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from flux_cli.display import rendering
from flux_cli.display.streams import Streams
from flux_cli.errors import FluxError, OutputError
from flux_cli.jobs import Job
from flux_cli.text import printable

if TYPE_CHECKING:
    from flux_cli.display.tables import TableRenderer

JSON_VERSION = 1
"""The version of the objects that ``--json`` prints. Keys are only ever added."""


Rows = Sequence[Sequence[str]]
Objects = Sequence[Mapping[str, Any]]


class Output(Protocol):
    """What commands print with."""

    quiet: bool

    def path(self, shown: str) -> None:
        """Print the path of a saved image, relative to the current folder."""
        ...

    def finished(self, job: Job) -> None:
        """Print a job whose images are all saved."""
        ...

    def submitted(self, job: Job) -> None:
        """Print a job that is submitted and not waited for."""
        ...

    def job(self, job: Job, *, note: str = "") -> None:
        """Print the status of a job, or a ``note`` in its place."""
        ...

    def details(self, job: Job) -> None:
        """Print everything known about a job."""
        ...

    def jobs(self, jobs: Sequence[Job]) -> None:
        """Print a list of jobs."""
        ...

    def lines(self, lines: Iterable[str], data: Mapping[str, Any]) -> None:
        """Print lines, or the same as one JSON object."""
        ...

    def table(self, head: Sequence[str], rows: Rows, data: Objects) -> None:
        """Print a table, or one JSON object for each row."""
        ...

    def listing(
        self,
        facts: Sequence[tuple[str, str]],
        head: Sequence[str],
        sections: Mapping[str, Rows],
        data: Mapping[str, Any],
    ) -> None:
        """Print facts, then a table for each section, or the same as one JSON object."""
        ...

    def links(self, job: Job, links: Sequence[str]) -> None:
        """Print the links to the images of a job."""
        ...

    def error(
        self,
        error: FluxError,
        job: Job | None = None,
        *,
        where: str = "",
        row: Mapping[str, Any] | None = None,
        whole: bool = False,
    ) -> None:
        """Print what failed, what to do next, and whether it was charged.

        ``where`` names the job or row for people; ``row`` names it for scripts if there is no job. ``whole`` marks
        the end of a command that buys.
        """
        ...

    def note(self, text: str) -> None:
        """Print a note, unless quiet."""
        ...

    def warning(self, text: str) -> None:
        """Print a warning."""
        ...


class Base:
    """Print notes and warnings on stderr."""

    def __init__(self, streams: Streams, *, quiet: bool = False) -> None:
        """Write to ``streams``; ``quiet`` leaves out notes."""
        self.streams = streams
        self.quiet = quiet

    def note(self, text: str) -> None:
        """Print a note, unless quiet."""
        if not self.quiet:
            self.streams.err(f"flux: note: {printable(text)}")

    def warning(self, text: str) -> None:
        """Print a warning."""
        self.streams.err(f"flux: warning: {printable(text)}")


class Human(Base):
    """Print lines and tables for people."""

    def __init__(self, streams: Streams, *, quiet: bool = False, end: str = "\n") -> None:
        """Write to ``streams``; ``end`` ends each path, id or link."""
        super().__init__(streams, quiet=quiet)
        self._end = end

    def path(self, shown: str) -> None:
        """Print the path."""
        plain = self._end == "\n" and self.streams.stdout.isatty()
        self.streams.out(printable(shown) if plain else shown, end=self._end)

    def finished(self, job: Job) -> None:
        """Print nothing: the paths are already printed."""

    def submitted(self, job: Job) -> None:
        """Print the id."""
        self.streams.out(job.id, end=self._end)

    def job(self, job: Job, *, note: str = "") -> None:
        """Print id and status."""
        self.streams.out(f"{job.id}\t{note or job.status}")

    def details(self, job: Job) -> None:
        """Print one fact on each line."""
        self._pairs([(name, value) for name, value in rendering.job_facts(job) if value])

    def _make_renderer(self) -> TableRenderer:
        """Return the renderer of the terminal."""
        from flux_cli.display.tables import TableRenderer  # noqa: PLC0415 - only a terminal needs it

        return TableRenderer(self.streams.stdout)

    def _pairs(self, rows: Sequence[tuple[str, str]]) -> None:
        """Print a name and a value on each line: aligned on a terminal, else with a tab between them."""
        if self.streams.stdout.isatty():
            self.streams.out(self._make_renderer().pairs(rows))
        else:
            for name, value in rows:
                self.streams.out(f"{name}\t{printable(value)}")

    def jobs(self, jobs: Sequence[Job]) -> None:
        """Print one job on each line: a table on a terminal, else with tabs."""
        if self.streams.stdout.isatty() and jobs:
            self.streams.out(
                self._make_renderer().one_line_rows(
                    rendering.HEAD, [rendering.table_row(job) for job in jobs], rendering.row_style
                )
            )
        else:
            for job in jobs:
                self.streams.out("\t".join(rendering.tab_fields(job)))

    def lines(self, lines: Iterable[str], data: Mapping[str, Any]) -> None:  # noqa: ARG002 - the lines say it
        """Print the lines."""
        for line in lines:
            self.streams.out(line)

    def table(self, head: Sequence[str], rows: Rows, data: Objects) -> None:  # noqa: ARG002 - the rows say it
        """Print aligned columns on a terminal, folded in a narrow window; else with tabs."""
        if self.streams.stdout.isatty():
            self.streams.out(self._make_renderer().wrapped_rows(head, rows))
        else:
            for row in rows:
                self.streams.out("\t".join(printable(cell) for cell in row))

    def listing(
        self,
        facts: Sequence[tuple[str, str]],
        head: Sequence[str],
        sections: Mapping[str, Rows],
        data: Mapping[str, Any],  # noqa: ARG002 - the rows say it
    ) -> None:
        """Print one fact on each line, then the tables; in a pipe each row begins with its section."""
        self._pairs(facts)
        for name, rows in sections.items():
            if self.streams.stdout.isatty():
                self.streams.out(f"\n{name}")
                self.table(head, rows, [])
            else:
                self.table(head, [(name, *row) for row in rows], [])

    def links(self, job: Job, links: Sequence[str]) -> None:  # noqa: ARG002 - the links are the data
        """Print one link on each line."""
        for link in links:
            self.streams.out(printable(link), end=self._end)

    def error(
        self,
        error: FluxError,
        job: Job | None = None,
        *,
        where: str = "",
        row: Mapping[str, Any] | None = None,  # noqa: ARG002 - the message says what a person needs
        whole: bool = False,
    ) -> None:
        """Print the message, the hint, and whether it was charged if anything could have been."""
        subject = f"{printable(where)}: " if where and where not in error.message else ""
        self.streams.err(f"flux: error: {subject}{printable(error.message)}")
        if error.hint:
            self.streams.err(f"hint: {printable(error.hint)}")
        if whole or rendering.is_about_money(error, job):
            self.streams.err(f"charged: {rendering.format_charged(error, job)}")


class Json(Base):
    """Print one JSON object on each line of stdout, errors included."""

    def __init__(self, streams: Streams, *, quiet: bool = False, options: Sequence[str] = ()) -> None:
        """Write to ``streams``; ``options`` are those that the commands in an error need to be run with."""
        super().__init__(streams, quiet=quiet)
        self._options = options

    def _print(self, data: Mapping[str, Any]) -> None:
        if error := data.get("error"):
            from flux_cli.display.next_commands import next_commands  # noqa: PLC0415 - only for an error

            data = {**data, "error": {**error, "commands": next_commands(error["hint"], options=self._options)}}
        self.streams.out(json.dumps({"version": JSON_VERSION, **data}, ensure_ascii=True))

    def path(self, shown: str) -> None:
        """Print nothing: the object of the job has the path."""

    def finished(self, job: Job) -> None:
        """Print the job."""
        self._print(rendering.job_object(job))

    def submitted(self, job: Job) -> None:
        """Print the job."""
        self._print(rendering.job_object(job))

    def job(self, job: Job, *, note: str = "") -> None:  # noqa: ARG002 - the status says it
        """Print the job."""
        self._print(rendering.job_object(job))

    def details(self, job: Job) -> None:
        """Print the job."""
        self._print(rendering.job_object(job))

    def jobs(self, jobs: Sequence[Job]) -> None:
        """Print one job on each line."""
        for job in jobs:
            self._print(rendering.job_object(job))

    def lines(self, lines: Iterable[str], data: Mapping[str, Any]) -> None:  # noqa: ARG002 - the data says it
        """Print the data."""
        self._print(data)

    def table(self, head: Sequence[str], rows: Rows, data: Objects) -> None:  # noqa: ARG002 - the data says it
        """Print one object on each line."""
        for row in data:
            self._print(row)

    def listing(
        self,
        facts: Sequence[tuple[str, str]],  # noqa: ARG002 - the data says it
        head: Sequence[str],  # noqa: ARG002 - the same
        sections: Mapping[str, Rows],  # noqa: ARG002 - the same
        data: Mapping[str, Any],
    ) -> None:
        """Print the data."""
        self._print(data)

    def links(self, job: Job, links: Sequence[str]) -> None:  # noqa: ARG002 - the images say it
        """Print the job."""
        self._print(rendering.job_object(job))

    def error(
        self,
        error: FluxError,
        job: Job | None = None,
        *,
        where: str = "",
        row: Mapping[str, Any] | None = None,
        whole: bool = False,
    ) -> None:
        """Print the failed job, or the error alone if there is none; on stderr as text if stdout fails."""
        about = rendering.job_object(job) if job is not None else dict(row or {})
        try:
            self._print({**about, "error": rendering.error_object(error)})
        except OutputError:
            Human(self.streams).error(error, job, where=where, whole=whole)
