"""``flux generate --batch``: a file of prompts, checked, named and priced as a whole before the first cent is spent."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from flux_cli import providers
from flux_cli.commands.generate.estimate import check_limits, print_dry_run
from flux_cli.commands.generate.request import ResolvedRequest, TypedOptions, resolve_request
from flux_cli.engine.engine import dry_run_requests
from flux_cli.errors import ConfigError, UsageError
from flux_cli.jobs import Job
from flux_cli.runs import rows
from flux_cli.runs.batch import BatchRunner, Task
from flux_cli.runs.plan import UTF8_HINT, PlannedJob, RunContext, new_run_context, with_all_fallbacks
from flux_cli.runs.resume import RowHistory, has_images_to_collect, image_indexes, match_rows
from flux_cli.runs.rows import Row
from flux_cli.runs.runner import RunOptions
from flux_cli.runs.save import SaveOptions
from flux_cli.runtime import Runtime
from flux_cli.text import printable

if TYPE_CHECKING:
    from flux_cli.commands.generate.gallery import GalleryFile

_SHOWN = 20
"""Wrong rows that are told one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """What was typed about the batch as a whole."""

    file: str
    at_once: int
    resume: bool
    again: bool
    dry_run: bool
    max_cost: float | None
    gallery: GalleryFile | None = None
    """Where the page of the batch goes."""


def run_batch(runtime: Runtime, asked: TypedOptions, wanted: BatchOptions) -> int:
    """Make what a batch file asks for. Return the exit code. Raises `UsageError` before anything is sent."""
    _check_together(asked, wanted)
    found = _read(runtime, wanted.file)
    batch = "-" if wanted.file == "-" else rows.batch_name(str(Path(wanted.file).resolve()))
    with _lock_batch(runtime, batch, wanted):  # before the ledger is read: whoever was at it until now has ended
        return _run(runtime, asked, wanted, found, batch)


def _run(runtime: Runtime, asked: TypedOptions, wanted: BatchOptions, found: Sequence[Row], batch: str) -> int:
    run = runtime.new_id()
    anew = wanted.again or (wanted.file == "-" and not wanted.resume)
    if not anew:
        runtime.ledger.require_complete("--resume" if wanted.resume else "--batch without --again")
    earlier = runtime.ledger.batch(batch, sandbox=runtime.sandbox)
    old = match_rows(found, earlier)
    marks = {standing.row_key for standing in old}
    tasks = _plan_rows(runtime, asked, match_rows(found, ()) if anew else old, wanted.file, run=run, batch=batch)
    if wanted.gallery is not None:
        wanted.gallery.check([task.terms.place for task in tasks], rehearsal=wanted.dry_run)
    made = [task for task in tasks if task.standing.known]
    if made and not wanted.resume:
        raise UsageError(
            f"{len(made)} of {len(tasks)} rows of {printable(wanted.file)} were made before, "
            f"the first of them in {made[0].row.place}",
            hint="--resume skips them and picks up jobs in progress; --again makes every row again",
        )
    purchases = [one for task in tasks for one in task.purchases]
    if wanted.dry_run:
        print_dry_run(runtime, purchases, batch=wanted.file)
    limits = check_limits(runtime, purchases, run=run, max_cost=wanted.max_cost)
    if wanted.dry_run:
        return 0
    for provider in {purchase.job.provider for purchase in with_all_fallbacks(purchases)}:
        runtime.router.endpoint(providers.load(provider), sandbox=runtime.sandbox)
    _prepare(runtime, tasks, wanted.file)
    if anew:
        runtime.ledger.detach([job for job in earlier if job.row_key in marks])
        _warn_about(
            runtime, [job for job in earlier if job.row_key in marks and has_images_to_collect(job)], "an earlier run"
        )
    elif rows.batch_name(wanted.file) == wanted.file:
        others = [job for job in earlier if job.row_key not in marks and has_images_to_collect(job)]
        _warn_about(runtime, others, f"rows that {printable(wanted.file)} no longer has")
    tasks = [replace(task, terms=replace(task.terms, limits=limits)) for task in tasks]
    return BatchRunner(runtime, tasks, file=wanted.file, gallery=wanted.gallery).run(at_once=wanted.at_once)


def _warn_about(runtime: Runtime, jobs: Sequence[Job], whose: str) -> None:
    """Name jobs that were paid for, or may have been, and that this run has nothing to do with."""
    if jobs:
        ids = " ".join(job.id for job in jobs)
        number = "1 job" if len(jobs) == 1 else f"{len(jobs)} jobs"
        runtime.output.warning(f"{number} of {whose} may have images for you: `flux result --wait {ids}` fetches them")


def _check_together(asked: TypedOptions, wanted: BatchOptions) -> None:
    """Refuse options that do not go with a batch. Raises `UsageError`."""
    if asked.prompt:
        raise UsageError(
            "a prompt cannot be combined with --batch", hint="put the prompt in the file, or leave one of them out"
        )
    if wanted.resume and wanted.again:
        raise UsageError("--resume and --again cannot be combined", hint="use only one of them")
    if asked.once is not None:
        raise UsageError("--once cannot be combined with --batch", hint="--resume never buys a row twice")
    if asked.output == "-":
        raise UsageError("-o - takes one image, not a batch", hint="name a folder with -o, such as `-o out/`")


def _read(runtime: Runtime, file: str) -> list[Row]:
    """Return the rows of a batch file, having told of each that is wrong. Raises `UsageError`."""
    kind = rows.detect_kind(file)
    shown = printable(file)
    try:
        text = runtime.stdin.read() if file == "-" else _decode(Path(file).read_bytes(), shown)
    except UnicodeDecodeError:
        raise UsageError("stdin is not valid UTF-8", hint=UTF8_HINT) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(
            f"cannot read {shown}: {reason}", hint="give a path, absolute or relative to the current folder"
        ) from error
    found, errors = rows.read(text.removeprefix("\ufeff"), "stdin" if file == "-" else file, kind)
    _report_errors(runtime, errors, shown)
    if not found:
        raise UsageError(
            f"there is no prompt in {shown}", hint="write one prompt per line; blank lines and lines with # are skipped"
        )
    return found


def _decode(raw: bytes, shown: str) -> str:
    """Return the text of a file, its lines ended by newlines. Raises `UsageError`."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{shown}:{line}: not valid UTF-8", hint=UTF8_HINT) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _report_errors(runtime: Runtime, errors: Sequence[UsageError], file: str, wrong: int = 0) -> None:
    """Tell what is wrong with each row, and stop. Raises `UsageError` if there is anything.

    ``wrong`` is how many rows that are, where one error speaks of several.
    """
    if not errors:
        return
    for error in errors[:_SHOWN] if len(errors) > 1 else ():
        runtime.output.error(error)
    if len(errors) == 1:
        raise errors[0]
    more = f" ({len(errors) - _SHOWN} more errors not shown)" if len(errors) > _SHOWN else ""
    number = wrong or len(errors)
    raise UsageError(f"{number} rows of {file} have errors{more}; nothing was sent", hint="fix them first")


def _locate_errors(wrong: Sequence[tuple[Row, UsageError]]) -> list[UsageError]:
    """Return errors with the file and the line that each stands in; what is the same in many rows is told once."""
    same: dict[tuple[str, str], list[Row]] = {}
    for row, error in wrong:
        same.setdefault((error.message, error.hint), []).append(row)
    found: list[UsageError] = []
    for (message, hint), where in same.items():
        more = "" if len(where) == 1 else f" (and {len(where) - 1} more)"
        found.append(UsageError(f"{where[0].place}{more}: {message}", hint=hint))
    return found


def _plan_rows(
    runtime: Runtime, asked: TypedOptions, found: Sequence[RowHistory], file: str, *, run: str, batch: str
) -> list[Task]:
    """Return every row with its jobs, checked. Raises `UsageError`, having told of each row that is wrong."""
    tasks: list[Task] = []
    wrong: list[tuple[Row, UsageError]] = []
    notes = Counter[str]()
    taken: dict[Path, str] = {}
    folders: dict[Path, Path] = {}
    origin = new_run_context(runtime)
    for standing in found:
        try:
            task, request = _plan_row(runtime, asked, standing, origin, run=run, batch=batch)
            for path in request.files():
                if path.parent not in folders:
                    folders[path.parent] = path.parent.resolve()
                first = taken.setdefault(folders[path.parent] / path.name, standing.row.place)
                if first != standing.row.place:
                    message = f"{printable(str(path))} is also the name of the image of {first}"
                    raise UsageError(message, hint="give each row its own output")
        except ConfigError:
            raise
        except UsageError as error:
            wrong.append((standing.row, error))
            continue
        notes.update(request.notes)
        tasks.append(task)
    _report_errors(runtime, _locate_errors(wrong), printable(file), len(wrong))
    for note, times in notes.items():
        runtime.output.note(f"{note} (in {times} rows)" if len(tasks) > 1 else note)
    return tasks


def _plan_row(
    runtime: Runtime, asked: TypedOptions, standing: RowHistory, origin: RunContext, *, run: str, batch: str
) -> tuple[Task, ResolvedRequest]:
    """Return one row with its jobs, and the request that they are made of. Raises `UsageError`."""
    row = standing.row
    own = dict(row.fields)
    if standing.seed is not None and "seed" not in own:
        own["seed"] = standing.seed
    demand = resolve_request(runtime, asked.over(own), run=run)
    _check_place(demand.place, row)
    purchases = standing.plan_missing(
        [_assign_row(one, row.number, batch, standing.row_key) for one in demand.jobs], origin
    )
    for purchase in with_all_fallbacks(purchases):
        dry_run_requests(providers.load(purchase.job.provider), purchase.order)
    terms = RunOptions(place=demand.place, timeout=demand.timeout, retry="submit_row", where=row.place)
    return Task(standing=standing, purchases=purchases, terms=terms), demand


def _check_place(place: SaveOptions | None, row: Row) -> None:
    """Refuse a place that has room for one image only, for all rows. Raises `UsageError`."""
    if place is None:
        return
    destination = place.destination
    typed = printable(destination.typed)
    if destination.kind == "stdout":
        raise UsageError("-o - takes one image, not a batch", hint="name a folder with -o, such as `-o out/`")
    if destination.kind == "file" and "output" not in row.fields:
        raise UsageError(
            f"-o {typed} is a single file, but a batch makes many images",
            hint=f"`-o {typed}/` is a folder; a template such as {{row}}-{{slug}}.{{ext}} names each",
        )


def _assign_row(purchase: PlannedJob, number: int, batch: str, mark: str) -> PlannedJob:
    """Return a job, and those that may take its place, as jobs of a row."""
    return replace(
        purchase,
        job=replace(purchase.job, row=number, batch=batch, row_key=mark),
        fallbacks=tuple(_assign_row(one, number, batch, mark) for one in purchase.fallbacks),
    )


def _prepare(runtime: Runtime, tasks: Sequence[Task], file: str) -> None:
    """Make sure that images can be saved: each place once, and the names that were given one by one.

    Raises `UsageError`, having told of each row that is wrong.
    """
    proved: set[Path] = set()
    wrong: list[tuple[Row, UsageError]] = []
    for task in tasks:
        if not task.purchases or task.terms.place is None:
            continue
        destination = task.terms.place.destination
        wanted = {number for one in task.purchases for number in image_indexes(one.job)}
        try:
            destination.prepare(proved, only=wanted)
        except UsageError as error:
            wrong.append((task.row, error))
            if destination.kind != "file":
                break  # it would be the same for every other row
    _report_errors(runtime, _locate_errors(wrong), printable(file), len(wrong))


@contextmanager
def _lock_batch(runtime: Runtime, batch: str, wanted: BatchOptions) -> Generator[None]:
    """Hold a batch, so that no two processes work at the same one. Raises `UsageError` where another one does."""
    if wanted.dry_run or (batch == "-" and not wanted.resume):
        yield
        return
    digest = hashlib.sha256(repr((batch, runtime.sandbox)).encode()).hexdigest()[:16]
    with runtime.ledger.lock(f"batch-{digest}") as holder:
        if holder is not None:
            name = "stdin" if batch == "-" else printable(wanted.file)
            raise UsageError(
                f"another flux is at work on {name} (process {holder})",
                hint="wait for it to finish, or stop it; then add --resume",
            )
        yield
