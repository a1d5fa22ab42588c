"""Plan the rows of a batch: resolve, check and price each of them, and report every row that is wrong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flux_cli import providers
from flux_cli.commands.generate.request import TypedOptions, resolve_request
from flux_cli.engine.engine import dry_run_requests
from flux_cli.errors import ConfigError, UsageError
from flux_cli.providers.base import PlannedJob
from flux_cli.runs.batch import RowTask
from flux_cli.runs.plan import GenerateRequest, RunContext, choose_seed, plan, with_all_fallbacks
from flux_cli.runs.resume import RowHistory, image_indexes
from flux_cli.runs.rows import Row
from flux_cli.runs.runner import RunOptions
from flux_cli.runs.save import SaveOptions
from flux_cli.runtime import Runtime
from flux_cli.text import printable

_SHOWN = 20
"""Errors that are reported one by one, at most."""


def plan_rows(
    runtime: Runtime, line: TypedOptions, histories: Sequence[RowHistory], file: str, context: RunContext
) -> list[RowTask]:
    """Return every row with its jobs, checked. Raises `UsageError`, after it has reported each row that is wrong."""
    tasks: list[RowTask] = []
    wrong: list[tuple[Row, UsageError]] = []
    notes: dict[str, set[int]] = defaultdict(set)
    owners: dict[Path, RowHistory] = {}
    planner = _RowPlanner(runtime, line, context, histories)
    for history in histories:
        row = history.row
        try:
            shared, request = planner.resolve(history)
            for path in shared.files:
                if (owner := owners.setdefault(path, history)) is not history:
                    raise _same_name(path, row, owner.row)
            jobs = planner.plan(history, shared, request)
        except ConfigError:
            raise
        except UsageError as error:
            wrong.append((row, error))
            continue
        for note in request.notes:
            notes[note].add(row.number)
        where = f"{row.place} ({request.model.name})" if "model" in line.suffix_fields else row.place
        options = RunOptions(save=request.save, timeout=request.timeout, retry="submit_row", where=where)
        tasks.append(RowTask(history=history, planned=jobs, options=options))
    report_errors(runtime, _locate_errors(wrong), printable(file), _count(wrong))
    for note, rows in notes.items():
        runtime.output.note(f"{note} (in {len(rows)} rows)" if len(tasks) > 1 else note)
    return tasks


def _same_name(path: Path, row: Row, other: Row) -> UsageError:
    """Return the error for two rows, or two pairs of one row, whose images have the same name."""
    shown = printable(str(path))
    if row.number == other.number:
        return UsageError(
            f"{shown} is one name for images of several models or providers",
            hint="use a template, such as {slug}-{model}-{provider}.{ext}",
        )
    return UsageError(f"{shown} is also the name of the image of {other.place}", hint="give each row its own output")


@dataclass(kw_only=True)
class _Shared:
    """What rows have in common that differ only in prompt and seed."""

    request: GenerateRequest
    files: list[Path]
    """The files that ``-o`` names one by one."""
    checked: bool = False
    """Whether the requests were built once, to find out whether the provider refuses them."""


class _RowPlanner:
    """Plans one row after the other; what several rows have in common is resolved once."""

    def __init__(
        self, runtime: Runtime, line: TypedOptions, context: RunContext, histories: Sequence[RowHistory]
    ) -> None:
        """Plan rows over the options of the command ``line``.

        With --no-wait, what a row says about saving is checked like the rest: it holds when --resume saves the images.
        """
        self._runtime = runtime
        self._line = replace(line, no_wait=False)
        self._leaves = line.no_wait
        self._context = context
        self._shared: dict[str, _Shared | UsageError] = {}
        known = {one.row.number: one.seed for one in histories if one.seed is not None} if line.suffix_fields else {}
        self._seeds = known
        """The seed that all pairs of a row share, by the number of the row."""

    def resolve(self, history: RowHistory) -> tuple[_Shared, GenerateRequest]:
        """Return what a row requests. Raises `UsageError`."""
        fields = dict(history.row.fields)
        prompt = fields.pop("prompt")
        own = fields.pop("seed", history.seed)
        complete = history.row.complete
        key = repr((own is None, complete, fields))
        shared = self._shared.get(key)
        if shared is None:
            fields = fields if own is None else {**fields, "seed": own}
            shared = self._shared[key] = self._resolve_shared(fields, complete=complete)
        if isinstance(shared, UsageError):
            raise shared
        return shared, shared.request.over(prompt, own)

    def _resolve_shared(self, fields: Mapping[str, Any], *, complete: bool) -> _Shared | UsageError:
        try:
            request = resolve_request(self._runtime, self._line.over(fields, complete=complete))
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
        number, seed = history.row.number, None
        if self._line.suffix_fields and request.seed is None:
            seed = self._seeds.setdefault(number, choose_seed([request], self._context))
        jobs = plan(request, self._context, seed=seed, row=number, row_key=history.row_key)
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


def prepare_rows(runtime: Runtime, tasks: Sequence[RowTask], file: str) -> None:
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
    report_errors(runtime, _locate_errors(wrong), printable(file), _count(wrong))


def _count(wrong: Sequence[tuple[Row, UsageError]]) -> int:
    """Return how many rows of the file are wrong, at whatever number of providers and models."""
    return len({row.number for row, _ in wrong})


def report_errors(runtime: Runtime, errors: Sequence[UsageError], file: str, wrong: int = 0) -> None:
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
    number, name = wrong or len(errors), "stdin" if file == "-" else file
    raise UsageError(f"{number} rows of {name} have errors{more}; nothing was sent", hint="fix them first")


def _locate_errors(wrong: Sequence[tuple[Row, UsageError]]) -> list[UsageError]:
    """Return errors with their file and line; an error that many rows share is reported once."""
    same: dict[tuple[str, str], list[Row]] = {}
    for row, error in wrong:
        same.setdefault((error.message, error.hint), []).append(row)
    found: list[UsageError] = []
    for (message, hint), where in same.items():
        others = len({row.number for row in where}) - 1
        more = f" (and {others} more)" if others else ""
        found.append(UsageError(f"{where[0].place}{more}: {message}", hint=hint))
    return found
