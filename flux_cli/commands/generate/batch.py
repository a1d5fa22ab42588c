"""``flux generate --batch``: validate and price a file of prompts as a whole before anything is sent, then run it."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from flux_cli.commands.generate.compare import split_rows
from flux_cli.commands.generate.estimate import check_limits, print_dry_run
from flux_cli.commands.generate.plan_rows import plan_rows, prepare_rows, report_errors
from flux_cli.commands.generate.request import TypedOptions, check_no_wait
from flux_cli.errors import UsageError
from flux_cli.jobs import Job
from flux_cli.providers.image_input import list_images
from flux_cli.runs import rows
from flux_cli.runs.batch import BatchRunner, RowTask
from flux_cli.runs.outcome import Outcome
from flux_cli.runs.plan import (
    UTF8_HINT,
    Pair,
    check_endpoints,
    new_run_context,
)
from flux_cli.runs.resume import has_images_to_collect, match_rows
from flux_cli.runs.rows import Row
from flux_cli.runs.save import find_suffix_fields
from flux_cli.runtime import Runtime
from flux_cli.saving.home import expand_home
from flux_cli.text import printable

if TYPE_CHECKING:
    from flux_cli.commands.generate.gallery import GalleryFile


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """Options of the batch as a whole."""

    file: str
    at_once: int
    resume: bool
    again: bool
    dry_run: bool
    max_cost: float | None
    gallery: GalleryFile | None = None
    """The page to write about the batch, if any."""


def run_batch(runtime: Runtime, line: TypedOptions, pairs: Sequence[Pair], options: BatchOptions) -> list[Outcome]:
    """Make the images of a batch file, with each of the ``pairs``. Raises `UsageError` before anything is sent."""
    _check_together(line, options)
    check_no_wait(runtime, line)
    found = split_rows(_read(runtime, line, options.file), pairs)
    only = pairs[0] if len(pairs) == 1 else Pair()  # of several, each row names its own
    line = replace(line, provider=only.provider, model=only.model, suffix_fields=find_suffix_fields(pairs))
    batch = "-" if options.file == "-" else rows.batch_name(str(Path(options.file).resolve()))
    with _lock_batch(runtime, batch, options):  # before the ledger is read, so that no other process adds to it
        return _run(runtime, line, options, found, batch)


def _run(
    runtime: Runtime, line: TypedOptions, options: BatchOptions, found: Sequence[Row], batch: str
) -> list[Outcome]:
    context = new_run_context(runtime, batch=batch)
    anew = options.again or (options.file == "-" and not options.resume)
    if not anew:
        runtime.ledger.require_complete("--resume" if options.resume else "--batch without --again")
    earlier = runtime.ledger.batch(batch, sandbox=runtime.sandbox)
    histories = match_rows(found, earlier)
    own = {job.id for history in histories for job in history.jobs}
    if anew and earlier:
        histories = match_rows(found, ())
    tasks = plan_rows(runtime, line, histories, options.file, context)
    if options.gallery is not None:
        options.gallery.check([task.options.save for task in tasks], rehearsal=options.dry_run)
    made = [task for task in tasks if task.history.known]
    if made and not options.resume:
        raise UsageError(
            f"{_count_rows(made)} of {_count_rows(tasks)} rows of {printable(options.file)} were made before, "
            f"the first of them in {made[0].row.place}",
            hint="--resume skips them and picks up jobs in progress; --again makes every row again",
        )
    jobs = [planned for task in tasks for planned in task.planned]
    if options.dry_run:
        print_dry_run(runtime, jobs)
    limits = check_limits(runtime, jobs, run=context.run, max_cost=options.max_cost)
    if options.dry_run:
        return []
    check_endpoints(runtime, jobs)
    prepare_rows(runtime, tasks, options.file)
    if anew:
        detached = [job for job in earlier if job.id in own]
        runtime.ledger.detach(detached)
        _warn_about(runtime, [job for job in detached if has_images_to_collect(job)], "an earlier run")
    elif rows.batch_name(options.file) == options.file:
        others = [job for job in earlier if job.id not in own and has_images_to_collect(job)]
        _warn_about(runtime, others, f"rows that {printable(options.file)} no longer has")
    tasks = [replace(task, options=replace(task.options, limits=limits)) for task in tasks]
    runner = BatchRunner(runtime, tasks, file=options.file, template=line.prompt, gallery=options.gallery)
    return runner.run(at_once=options.at_once)


def _count_rows(tasks: Sequence[RowTask]) -> int:
    """Return the number of rows of the file; a row with several pairs counts once."""
    return len({task.row.number for task in tasks})


def _warn_about(runtime: Runtime, jobs: Sequence[Job], whose: str) -> None:
    """Name jobs that were paid for, or may have been, and that are no part of this run."""
    if jobs:
        ids = " ".join(job.id for job in jobs)
        number = "1 job" if len(jobs) == 1 else f"{len(jobs)} jobs"
        runtime.output.warning(f"{number} of {whose} may have images for you: `flux result --wait {ids}` fetches them")


def _check_together(line: TypedOptions, options: BatchOptions) -> None:
    """Refuse options that do not go with a batch. Raises `UsageError`."""
    if line.prompt == "-":
        hint = "give the template itself, such as `{prompt}, engraved`"
        raise UsageError("the prompt of a batch is a template, and not read from stdin", hint=hint)
    if options.resume and options.again:
        raise UsageError("--resume and --again cannot be combined", hint="use only one of them")
    if line.once is not None:
        raise UsageError("--once cannot be combined with --batch", hint="--resume never buys a row twice")
    if line.output == "-":
        raise UsageError("-o - takes one image, not a batch", hint="name a folder with -o, such as `-o out/`")


def _read(runtime: Runtime, line: TypedOptions, file: str) -> list[Row]:
    """Return the rows of a batch file, or report each that is wrong. Raises `UsageError`."""
    template = None if line.prompt is None else rows.parse_template(line.prompt)
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
    text = text.removeprefix("\ufeff")
    kind = rows.detect_lines(text, template=template is not None) if file == "-" else kind
    found, errors = rows.read(text, "stdin" if file == "-" else file, kind, template)
    if line.like is not None:
        message, hint = "the line of a job has all of its options", "leave out --like, or write rows with a prompt"
        errors += [UsageError(f"{row.place}: {message}", hint=hint) for row in found if row.complete]
    report_errors(runtime, errors, shown)
    if not found:
        raise UsageError(
            f"there is no prompt in {shown}", hint="write one prompt per line; blank lines and lines with # are skipped"
        )
    _note_changed(runtime, found)
    return [_add_digests(runtime, row) for row in found]


def _note_changed(runtime: Runtime, found: Sequence[Row]) -> None:
    """Print a note about each input image that has changed since the jobs of the rows were made."""
    changed: dict[str, str] = {}
    for row in found:
        for path, digest in (row.files or {}).items():
            used = any(path in list_images(row.fields.get(option)) for option in ("image", "mask"))
            if used and runtime.input_images.digest(path) not in {digest, None}:
                changed.setdefault(path, row.place)
    for path, place in changed.items():
        runtime.output.note(f"{printable(path)} has changed since the job of {place} was made from it")


def _add_digests(runtime: Runtime, row: Row) -> Row:
    """Return a row with the digests of its local input images; one that cannot be read is reported later."""
    found: dict[str, list[str]] = {}
    for option in ("image", "mask"):
        names = list_images(row.fields.get(option))
        digests = [runtime.input_images.digest(expand_home(name)) or name for name in names]
        if digests != names:
            found[option] = digests
    return replace(row, digests=found) if found else row


def _decode(raw: bytes, shown: str) -> str:
    """Return the text of a file, its lines ended by newlines. Raises `UsageError`."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{shown}:{line}: not valid UTF-8", hint=UTF8_HINT) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


@contextmanager
def _lock_batch(runtime: Runtime, batch: str, options: BatchOptions) -> Generator[None]:
    """Lock a batch, so that no two processes run the same one. Raises `UsageError` where another one does."""
    if options.dry_run or (batch == "-" and not options.resume):
        yield
        return
    digest = hashlib.sha256(repr((batch, runtime.sandbox)).encode()).hexdigest()[:16]
    with runtime.ledger.lock(f"batch-{digest}") as holder:
        if holder is not None:
            name = "stdin" if batch == "-" else printable(options.file)
            raise UsageError(
                f"another flux is at work on {name} (process {holder})",
                hint="wait for it to finish, or stop it; then add --resume",
            )
        yield
