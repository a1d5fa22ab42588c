"""``flux generate --batch``: validate and price a file of prompts as a whole before anything is sent, then run it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flux_cli import providers
from flux_cli.commands.generate.estimate import check_limits, print_dry_run
from flux_cli.commands.generate.request import TypedOptions, check_no_wait, resolve_request
from flux_cli.engine.engine import dry_run_requests
from flux_cli.errors import ConfigError, UsageError
from flux_cli.jobs import Job
from flux_cli.providers.base import PlannedJob
from flux_cli.providers.image_input import list_images
from flux_cli.runs import rows
from flux_cli.runs.batch import BatchRunner, RowTask
from flux_cli.runs.outcome import Outcome
from flux_cli.runs.plan import (
    UTF8_HINT,
    GenerateRequest,
    RunContext,
    check_endpoints,
    new_run_context,
    plan,
    with_all_fallbacks,
)
from flux_cli.runs.resume import RowHistory, has_images_to_collect, image_indexes, match_rows
from flux_cli.runs.rows import Row
from flux_cli.runs.runner import RunOptions
from flux_cli.runs.save import SaveOptions
from flux_cli.runtime import Runtime
from flux_cli.saving.home import expand_home
from flux_cli.text import printable

if TYPE_CHECKING:
    from flux_cli.commands.generate.gallery import GalleryFile

_SHOWN = 20
"""Wrong rows that are reported one by one."""


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


def run_batch(runtime: Runtime, line: TypedOptions, options: BatchOptions) -> list[Outcome]:
    """Make the images of a batch file. Raises `UsageError` before anything is sent."""
    _check_together(line, options)
    check_no_wait(runtime, line)
    found = _read(runtime, options.file)
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
    keys = {history.row_key for history in histories}
    if anew and earlier:
        histories = match_rows(found, ())
    tasks = _plan_rows(runtime, line, histories, options.file, context)
    if options.gallery is not None:
        options.gallery.check([task.options.save for task in tasks], rehearsal=options.dry_run)
    made = [task for task in tasks if task.history.known]
    if made and not options.resume:
        raise UsageError(
            f"{len(made)} of {len(tasks)} rows of {printable(options.file)} were made before, "
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
    _prepare(runtime, tasks, options.file)
    if anew:
        runtime.ledger.detach([job for job in earlier if job.row_key in keys])
        _warn_about(
            runtime, [job for job in earlier if job.row_key in keys and has_images_to_collect(job)], "an earlier run"
        )
    elif rows.batch_name(options.file) == options.file:
        others = [job for job in earlier if job.row_key not in keys and has_images_to_collect(job)]
        _warn_about(runtime, others, f"rows that {printable(options.file)} no longer has")
    tasks = [replace(task, options=replace(task.options, limits=limits)) for task in tasks]
    return BatchRunner(runtime, tasks, file=options.file, gallery=options.gallery).run(at_once=options.at_once)


def _warn_about(runtime: Runtime, jobs: Sequence[Job], whose: str) -> None:
    """Name jobs that were paid for, or may have been, and that are no part of this run."""
    if jobs:
        ids = " ".join(job.id for job in jobs)
        number = "1 job" if len(jobs) == 1 else f"{len(jobs)} jobs"
        runtime.output.warning(f"{number} of {whose} may have images for you: `flux result --wait {ids}` fetches them")


def _check_together(line: TypedOptions, options: BatchOptions) -> None:
    """Refuse options that do not go with a batch. Raises `UsageError`."""
    if line.prompt:
        raise UsageError(
            "a prompt cannot be combined with --batch", hint="put the prompt in the file, or leave one of them out"
        )
    if options.resume and options.again:
        raise UsageError("--resume and --again cannot be combined", hint="use only one of them")
    if line.once is not None:
        raise UsageError("--once cannot be combined with --batch", hint="--resume never buys a row twice")
    if line.output == "-":
        raise UsageError("-o - takes one image, not a batch", hint="name a folder with -o, such as `-o out/`")


def _read(runtime: Runtime, file: str) -> list[Row]:
    """Return the rows of a batch file, or report each that is wrong. Raises `UsageError`."""
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
    return [_add_digests(runtime, row) for row in found]


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


def _report_errors(runtime: Runtime, errors: Sequence[UsageError], file: str, wrong: int = 0) -> None:
    """Report what is wrong with each row, and stop. Raises `UsageError` if there is anything.

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
    """Return errors with the file and the line that each stands in; what is the same in many rows is said once."""
    same: dict[tuple[str, str], list[Row]] = {}
    for row, error in wrong:
        same.setdefault((error.message, error.hint), []).append(row)
    found: list[UsageError] = []
    for (message, hint), where in same.items():
        more = "" if len(where) == 1 else f" (and {len(where) - 1} more)"
        found.append(UsageError(f"{where[0].place}{more}: {message}", hint=hint))
    return found


def _plan_rows(
    runtime: Runtime, line: TypedOptions, histories: Sequence[RowHistory], file: str, context: RunContext
) -> list[RowTask]:
    """Return every row with its jobs, checked. Raises `UsageError`, after it has reported each row that is wrong."""
    tasks: list[RowTask] = []
    wrong: list[tuple[Row, UsageError]] = []
    notes = Counter[str]()
    owners: dict[Path, str] = {}
    planner = _RowPlanner(runtime, line, context)
    for history in histories:
        row = history.row
        try:
            shared, request = planner.resolve(history)
            for path in shared.files:
                if (owner := owners.setdefault(path, row.place)) != row.place:
                    message = f"{printable(str(path))} is also the name of the image of {owner}"
                    raise UsageError(message, hint="give each row its own output")
            jobs = planner.plan(history, shared, request)
        except ConfigError:
            raise
        except UsageError as error:
            wrong.append((row, error))
            continue
        notes.update(request.notes)
        options = RunOptions(save=request.save, timeout=request.timeout, retry="submit_row", where=row.place)
        tasks.append(RowTask(history=history, planned=jobs, options=options))
    _report_errors(runtime, _locate_errors(wrong), printable(file), len(wrong))
    for note, times in notes.items():
        runtime.output.note(f"{note} (in {times} rows)" if len(tasks) > 1 else note)
    return tasks


@dataclass(kw_only=True)
class _Shared:
    """What all rows have in common that differ by prompt and seed alone."""

    request: GenerateRequest
    files: list[Path]
    """The files that ``-o`` names one by one."""
    checked: bool = False
    """Whether the requests were built once, which shows what a provider itself refuses."""


class _RowPlanner:
    """Plans one row after the other; what several rows have in common is resolved once."""

    def __init__(self, runtime: Runtime, line: TypedOptions, context: RunContext) -> None:
        """Plan rows over the options of the command ``line``.

        With --no-wait, what a row says about saving is checked like the rest: it holds when --resume saves the images.
        """
        self._runtime = runtime
        self._line = replace(line, no_wait=False)
        self._leaves = line.no_wait
        self._context = context
        self._shared: dict[str, _Shared | UsageError] = {}

    def resolve(self, history: RowHistory) -> tuple[_Shared, GenerateRequest]:
        """Return what a row requests. Raises `UsageError`."""
        fields = dict(history.row.fields)
        prompt = fields.pop("prompt")
        own = fields.pop("seed", history.seed)
        key = repr((own is None, fields))
        shared = self._shared.get(key)
        if shared is None:
            shared = self._shared[key] = self._resolve_shared(fields if own is None else {**fields, "seed": own})
        if isinstance(shared, UsageError):
            raise shared
        return shared, shared.request.over(prompt, own)

    def _resolve_shared(self, fields: Mapping[str, Any]) -> _Shared | UsageError:
        try:
            request = resolve_request(self._runtime, self._line.over(fields))
            _check_destination(request.save, fields)
        except ConfigError:
            raise
        except UsageError as error:
            return error
        files = [] if request.save is None else [path.absolute() for path in request.save.destination.files()]
        if self._leaves:
            request = _without_saving(request)
        return _Shared(request=request, files=[path.parent.resolve() / path.name for path in files])

    def plan(self, history: RowHistory, shared: _Shared, request: GenerateRequest) -> list[PlannedJob]:
        """Return the jobs that are left to submit for a row. Raises `UsageError`."""
        jobs = plan(request, self._context, row=history.row.number, row_key=history.row_key)
        if history.known:
            jobs = history.plan_missing(jobs, self._context)
        if not shared.checked:
            for planned in with_all_fallbacks(jobs):
                dry_run_requests(providers.load(planned.job.provider), planned)
            shared.checked = bool(jobs)
        return jobs


def _without_saving(request: GenerateRequest) -> GenerateRequest:
    """Return a request, with its fallbacks, that ends when the job is submitted."""
    fallback = None if request.fallback is None else _without_saving(request.fallback)
    return replace(request, save=None, fallback=fallback)


def _check_destination(save: SaveOptions | None, fields: Mapping[str, Any]) -> None:
    """Refuse a destination for a single image that all rows share. Raises `UsageError`."""
    if save is None:
        return
    destination = save.destination
    typed = printable(destination.typed)
    if destination.kind == "stdout":
        raise UsageError("-o - takes one image, not a batch", hint="name a folder with -o, such as `-o out/`")
    if destination.kind == "file" and "output" not in fields:
        raise UsageError(
            f"-o {typed} is a single file, but a batch makes many images",
            hint=f"`-o {typed}/` is a folder; a template such as {{row}}-{{slug}}.{{ext}} names each",
        )


def _prepare(runtime: Runtime, tasks: Sequence[RowTask], file: str) -> None:
    """Make sure that images can be saved: each folder once, and the files that are named one by one.

    Raises `UsageError`, after it has reported each row that is wrong.
    """
    proved: set[Path] = set()
    wrong: list[tuple[Row, UsageError]] = []
    for task in tasks:
        if not task.planned or task.options.save is None:
            continue
        destination = task.options.save.destination
        numbers = {number for one in task.planned for number in image_indexes(one.job)}
        try:
            destination.prepare(proved, only=numbers)
        except UsageError as error:
            wrong.append((task.row, error))
            if destination.kind != "file":
                break  # it would be the same for every other row
    _report_errors(runtime, _locate_errors(wrong), printable(file), len(wrong))


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
