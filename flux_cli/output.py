"""What people and scripts read: stdout is data, stderr is everything else.

`Human` and `Json` are two renderings of the same values. User and server text is never read as markup, and control
characters in it are made visible.
"""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, BinaryIO, Protocol, TextIO

from flux_cli.errors import FluxError, Interrupted, describe
from flux_cli.jobs import Image, Job
from flux_cli.text import printable

JSON_VERSION = 1
"""Of the objects that ``--json`` prints; keys are only ever added."""


class Output(Protocol):
    """The verbs that commands print with."""

    quiet: bool

    def path(self, shown: str) -> None:
        """Tell that an image is on disk: its path, as it would be typed from here."""
        ...

    def finished(self, job: Job) -> None:
        """Tell that all images of a job are on disk."""
        ...

    def submitted(self, job: Job) -> None:
        """Tell the id of a job that nobody waits for."""
        ...

    def job(self, job: Job, *, note: str = "") -> None:
        """Tell how one job stands, where that is all there is to tell."""
        ...

    def details(self, job: Job) -> None:
        """Tell all there is to know about one job."""
        ...

    def jobs(self, jobs: Sequence[Job]) -> None:
        """Show a list of jobs."""
        ...

    def lines(self, lines: Iterable[str], data: Mapping[str, Any]) -> None:
        """Print lines, or the same as one JSON object."""
        ...

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]], data: Sequence[Mapping[str, Any]]) -> None:
        """Show a table, or the same as JSON, an object a row."""
        ...

    def listing(
        self,
        facts: Sequence[tuple[str, str]],
        head: Sequence[str],
        sections: Mapping[str, Sequence[Sequence[str]]],
        data: Mapping[str, Any],
    ) -> None:
        """Show facts, then a table for each section; or the same as one JSON object."""
        ...

    def links(self, job: Job, links: Sequence[str]) -> None:
        """Tell where a job's images can be had."""
        ...

    def error(self, error: FluxError, job: Job | None = None, *, named: bool = False) -> None:
        """Tell what went wrong, and what to do next; ``named`` where it must say of which job it speaks."""
        ...

    def note(self, text: str) -> None:
        """Say something worth knowing."""
        ...

    def warning(self, text: str) -> None:
        """Say something that should be mended."""
        ...


class Streams:
    """Where output goes. A reader that went away ends the program as SIGPIPE would."""

    def __init__(self, stdout: TextIO, stderr: TextIO) -> None:
        """Take the two streams."""
        self.stdout = stdout
        self.stderr = stderr
        self._lock = threading.Lock()

    def out(self, text: str) -> None:
        """Write a line of data, whole and at once."""
        self._write(self.stdout, text)

    def err(self, text: str) -> None:
        """Write a line for people."""
        self._write(self.stderr, text)

    def binary(self) -> BinaryIO:
        """Return stdout for bytes."""
        return self.stdout.buffer

    def _write(self, stream: TextIO, text: str) -> None:
        buffer = getattr(stream, "buffer", None)
        with self._lock, self.reader():
            if buffer is None:
                stream.write(f"{text}\n")
            else:
                buffer.write(_encoded(f"{text}\n", stream.encoding))
                buffer.flush()

    @staticmethod
    @contextmanager
    def reader() -> Generator[None]:
        """Turn what a reader does to us into ours: `Interrupted` if it is gone, `FluxError` if it is full."""
        try:
            yield
        except BrokenPipeError:
            raise Interrupted(getattr(signal, "SIGPIPE", 13)) from None
        except OSError as error:
            raise FluxError(f"cannot write the output: {error.strerror}") from error


def _encoded(text: str, encoding: str) -> bytes:
    """Return a stream's bytes: names that are no UTF-8 as on disk, what the encoding lacks as escapes."""
    try:
        return text.encode(encoding, "surrogateescape")
    except UnicodeEncodeError:
        return text.encode(encoding, "backslashreplace")


class Base:
    """What both renderings do alike: notes and warnings, on stderr."""

    def __init__(self, streams: Streams, *, quiet: bool = False) -> None:
        """Write to ``streams``; ``quiet`` leaves out notes."""
        self.streams = streams
        self.quiet = quiet

    def note(self, text: str) -> None:
        """Say something worth knowing."""
        if not self.quiet:
            self.streams.err(f"flux: note: {printable(text)}")

    def warning(self, text: str) -> None:
        """Say something that should be mended."""
        self.streams.err(f"flux: warning: {printable(text)}")


class Human(Base):
    """Lines and tables."""

    def path(self, shown: str) -> None:
        """Print the path."""
        self.streams.out(printable(shown) if self.streams.stdout.isatty() else shown)

    def finished(self, job: Job) -> None:
        """Print nothing: the paths were printed as they came."""

    def submitted(self, job: Job) -> None:
        """Print the id."""
        self.streams.out(job.id)

    def job(self, job: Job, *, note: str = "") -> None:
        """Print id and status."""
        self.streams.out(f"{job.id}\t{note or job.status}")

    def details(self, job: Job) -> None:
        """Print one fact a line."""
        self._pairs([(name, value) for name, value in _facts(job) if value])

    def _pairs(self, rows: Sequence[tuple[str, str]]) -> None:
        """Print a name and a value a line: aligned on a terminal, a tab between them elsewhere."""
        width = max(len(name) for name, _ in rows) if self.streams.stdout.isatty() else 0
        for name, value in rows:
            self.streams.out(f"{name:<{width}}  {printable(value)}" if width else f"{name}\t{printable(value)}")

    def jobs(self, jobs: Sequence[Job]) -> None:
        """Print one job a line; a table on a terminal, tabs elsewhere."""
        if self.streams.stdout.isatty():
            head = ("ID", "STATUS", "PROVIDER", "MODEL", "CREATED", "COST", "PROMPT")
            self.table(head, [_short(job) for job in jobs], [])
        else:
            for job in jobs:
                self.streams.out("\t".join(_fields(job)))

    def lines(self, lines: Iterable[str], data: Mapping[str, Any]) -> None:  # noqa: ARG002 - the lines say it
        """Print the lines."""
        for line in lines:
            self.streams.out(line)

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]], data: Sequence[Mapping[str, Any]]) -> None:  # noqa: ARG002 - the rows say it
        """Print aligned columns on a terminal, each row one line; tabs elsewhere."""
        self._columns(head, rows, fold=False)

    def _columns(self, head: Sequence[str], rows: Sequence[Sequence[str]], *, fold: bool) -> None:
        """Print columns; what does not fit is cut, or goes on in the next line where ``fold``."""
        if not self.streams.stdout.isatty():
            for row in rows:
                self.streams.out("\t".join(printable(cell) for cell in row))
            return
        from rich import box  # noqa: PLC0415 - only a terminal needs it
        from rich.console import Console  # noqa: PLC0415
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
        for index, name in enumerate(head[:-1]):
            width = None if fold else max(len(name), *(len(row[index]) for row in rows), 0)
            table.add_column(name, no_wrap=not fold, overflow="fold", min_width=width)
        table.add_column(head[-1], no_wrap=not fold, overflow="fold" if fold else "ellipsis", min_width=2)
        for row in rows:
            table.add_row(*(Text(printable(cell)) for cell in row))
        Console(file=self.streams.stdout, markup=False, highlight=False, emoji=False).print(table)

    def listing(
        self,
        facts: Sequence[tuple[str, str]],
        head: Sequence[str],
        sections: Mapping[str, Sequence[Sequence[str]]],
        data: Mapping[str, Any],  # noqa: ARG002 - the rows say it
    ) -> None:
        """Print one fact a line, then the tables; in a pipe each row begins with its section."""
        self._pairs(facts)
        for name, rows in sections.items():
            if self.streams.stdout.isatty():
                self.streams.out(f"\n{name}")
                self._columns(head, rows, fold=True)
            else:
                self._columns(head, [(name, *row) for row in rows], fold=True)

    def links(self, job: Job, links: Sequence[str]) -> None:  # noqa: ARG002 - the links are the data
        """Print one link a line."""
        for link in links:
            self.streams.out(printable(link))

    def error(self, error: FluxError, job: Job | None = None, *, named: bool = False) -> None:
        """Print the message, and the hint below it."""
        whose = f"job {job.id}: " if named and job is not None and job.id not in error.message else ""
        self.streams.err(f"flux: error: {whose}{printable(error.message)}")
        if error.hint:
            self.streams.err(f"hint: {printable(error.hint)}")


class Json(Base):
    """One JSON object a line, on stdout, errors included."""

    def _print(self, data: Mapping[str, Any]) -> None:
        self.streams.out(json.dumps({"version": JSON_VERSION, **data}, ensure_ascii=True))

    def path(self, shown: str) -> None:
        """Print nothing: the job's object will name the path."""

    def finished(self, job: Job) -> None:
        """Print the job."""
        self._print(job_object(job))

    def submitted(self, job: Job) -> None:
        """Print the job."""
        self._print(job_object(job))

    def job(self, job: Job, *, note: str = "") -> None:  # noqa: ARG002 - the status says it
        """Print the job."""
        self._print(job_object(job))

    def details(self, job: Job) -> None:
        """Print the job."""
        self._print(job_object(job))

    def jobs(self, jobs: Sequence[Job]) -> None:
        """Print the jobs, a line each."""
        for job in jobs:
            self._print(job_object(job))

    def lines(self, lines: Iterable[str], data: Mapping[str, Any]) -> None:  # noqa: ARG002 - the data says it
        """Print the data."""
        self._print(data)

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]], data: Sequence[Mapping[str, Any]]) -> None:  # noqa: ARG002 - the data says it
        """Print the data, a line each."""
        for row in data:
            self._print(row)

    def listing(
        self,
        facts: Sequence[tuple[str, str]],  # noqa: ARG002 - the data says it
        head: Sequence[str],  # noqa: ARG002 - the same
        sections: Mapping[str, Sequence[Sequence[str]]],  # noqa: ARG002 - the same
        data: Mapping[str, Any],
    ) -> None:
        """Print the data."""
        self._print(data)

    def links(self, job: Job, links: Sequence[str]) -> None:  # noqa: ARG002 - the images say it
        """Print the job."""
        self._print(job_object(job))

    def error(self, error: FluxError, job: Job | None = None, *, named: bool = False) -> None:  # noqa: ARG002 - the object names it
        """Print the job that failed, or the error alone where there is none."""
        told = error_object(error)
        self._print({**job_object(job), "error": told} if job is not None else {"error": told})


def error_object(error: FluxError) -> dict[str, Any]:
    """Return an error as ``--json`` has it."""
    return {**describe(error), "exit_code": error.exit_code}


def stamp(seconds: float | None) -> str | None:
    """Return a time as ISO 8601, in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def job_object(job: Job) -> dict[str, Any]:
    """Return a job as ``--json`` has it."""
    return {
        "id": job.id,
        "run": job.run,
        "row": job.row,
        "remote_id": job.remote_id,
        "provider": job.provider,
        "model": job.model,
        "status": job.status,
        "detail": job.detail,
        "queue_position": job.queue_position,
        "progress": job.progress,
        "prompt": job.prompt,
        "parameters": dict(job.parameters),
        "skipped": list(job.skipped),
        "seed": job.seed,
        "images": [_image_object(image) for image in job.images],
        "cost": None if job.cost is None else {"amount": job.cost.amount, "currency": job.cost.currency},
        "timing": dict(job.timing),
        "error": None if job.error is None else error_object(job.error),
        "sandbox": job.sandbox,
        "created_at": stamp(job.created_at),
        "finished_at": stamp(job.finished_at),
        "batch": job.batch,
    }


def _image_object(image: Image) -> dict[str, Any]:
    return {
        "path": image.path,
        "url": image.url,
        "width": image.width,
        "height": image.height,
        "content_type": image.content_type,
        "bytes": image.size,
        "seed": image.seed,
        "nsfw": image.nsfw,
    }


def cost_text(job: Job) -> str:
    """Return what a job cost, for people; empty where nobody told."""
    if job.cost is None:
        return ""
    return f"${job.cost.amount:.4g}" if job.cost.currency == "USD" else f"{job.cost.amount:g} {job.cost.currency}"


def _short(job: Job) -> tuple[str, ...]:
    created = datetime.fromtimestamp(job.created_at).astimezone().strftime("%m-%d %H:%M")
    model = (job.model or "").removeprefix("flux-1.1-")
    return job.id, job.standing, job.provider, model, created, cost_text(job), job.prompt


def _fields(job: Job) -> tuple[str, ...]:
    paths = " ".join(image.path for image in job.images if image.path)
    row = (
        job.id,
        job.status,
        job.provider,
        job.model or "",
        stamp(job.created_at) or "",
        cost_text(job),
        paths,
        job.prompt,
    )
    return tuple(printable(cell) for cell in row)


def _facts(job: Job) -> list[tuple[str, str]]:
    """Return all there is to know about a job, in the order in which a person asks."""
    facts = [
        ("id", job.id),
        ("status", job.standing),
        ("provider", job.provider + (" (sandbox)" if job.sandbox else "")),
        ("model", job.model or ""),
        ("remote id", job.remote_id or ""),
        ("run", job.run),
        ("prompt", job.prompt),
        ("seed", "" if job.seed is None else str(job.seed)),
    ]
    facts += [(name, value if isinstance(value, str) else json.dumps(value)) for name, value in job.parameters.items()]
    facts += [("skipped", " ".join(job.skipped)), ("cost", cost_text(job))]
    facts += [("created", stamp(job.created_at) or ""), ("finished", stamp(job.finished_at) or "")]
    facts += [(name, f"{value:g}") for name, value in job.timing.items()]
    for image in job.images:
        size = f" ({image.width}x{image.height}, {image.size} bytes)" if image.path and image.width else ""
        facts.append(("image", (image.path or f"not saved: {image.url or 'in the answer'}") + size))
        if image.nsfw is not None:
            facts.append(("nsfw", "yes" if image.nsfw else "no"))
    if job.error is not None:
        facts += [("error", job.error.message), ("hint", job.error.hint), ("charged", job.error.charged)]
    return facts
