"""``flux generate --batch``: a file of prompts, checked, named and priced as a whole before the first cent is spent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from flux_cli import providers, rows
from flux_cli.batch import Standing, standings
from flux_cli.commands.demand import Asked, demanded
from flux_cli.commands.errand import Terms
from flux_cli.commands.estimate import rehearse_all, within
from flux_cli.commands.shift import Shift, Task
from flux_cli.engine import rehearse
from flux_cli.errors import ConfigError, LedgerError, UsageError
from flux_cli.orders import NOT_UTF8, Purchase, everything
from flux_cli.records import Claim
from flux_cli.rows import Row
from flux_cli.runtime import Runtime
from flux_cli.text import printable

_SHOWN = 20
"""Wrong rows that are told one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was typed about the batch as a whole."""

    file: str
    at_once: int
    resume: bool
    again: bool
    dry_run: bool
    max_cost: float | None


def run_batch(runtime: Runtime, asked: Asked, wanted: Wanted) -> int:
    """Make what a batch file asks for. Return the exit code. Raises `UsageError` before anything is sent."""
    _check_together(asked, wanted)
    found = _read(runtime, wanted.file)
    name = "-" if wanted.file == "-" else rows.family(str(Path(wanted.file).resolve()))
    run = runtime.new_id()
    earlier = [] if wanted.again else runtime.ledger.batch(name, sandbox=runtime.sandbox)
    tasks = _planned(runtime, asked, standings(found, earlier), wanted.file, run=run, batch=name)
    made = [task for task in tasks if task.standing.known]
    if made and not wanted.resume and wanted.file != "-":
        raise UsageError(
            f"{len(made)} of {len(tasks)} rows of {printable(wanted.file)} were made before, "
            f"the first of them in {made[0].row.place}",
            hint="--resume skips them and picks up those in flight; --again makes all anew",
        )
    if not wanted.resume:
        tasks = [replace(task, standing=Standing(row=task.row, mark=task.standing.mark)) for task in tasks]
    purchases = [one for task in tasks for one in task.purchases]
    for purchase in everything(purchases):
        rehearse(providers.load(purchase.job.provider), purchase.order)
    if wanted.dry_run:
        rehearse_all(runtime, purchases, batch=wanted.file)
    limits = within(runtime, purchases, run=run, max_cost=wanted.max_cost)
    if wanted.dry_run:
        return 0
    for provider in {purchase.job.provider for purchase in everything(purchases)}:
        runtime.wire.channel(providers.load(provider), sandbox=runtime.sandbox)
    _prepare(tasks)
    tasks = [replace(task, terms=replace(task.terms, limits=limits)) for task in tasks]
    with _alone(runtime, name, run, wanted.file):
        return Shift(runtime, tasks, file=wanted.file).work(at_once=wanted.at_once)


def _check_together(asked: Asked, wanted: Wanted) -> None:
    """Refuse options that do not go with a batch. Raises `UsageError`."""
    if asked.prompt:
        raise UsageError(
            "a prompt and --batch do not go together", hint="put the prompt into the file, or leave one out"
        )
    if wanted.resume and wanted.again:
        raise UsageError("--resume and --again contradict each other", hint="give one of them")
    if asked.once is not None:
        raise UsageError(
            "--once names one purchase: it does not go with --batch", hint="--resume never buys a row again"
        )
    if asked.output == "-":
        raise UsageError("-o - takes one image, not a batch", hint="name a folder with -o, such as `-o out/`")


def _read(runtime: Runtime, file: str) -> list[Row]:
    """Return the rows of a batch file, having told of each that is wrong. Raises `UsageError`."""
    kind = rows.kind_of(file)
    shown = printable(file)
    try:
        text = runtime.stdin.read() if file == "-" else Path(file).read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{shown} is not valid UTF-8", hint=NOT_UTF8) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"cannot read {shown}: {reason}", hint="name a file as it would be typed from here") from error
    found, errors = rows.read(text, "stdin" if file == "-" else file, kind)
    _tell(runtime, errors, shown)
    if not found:
        raise UsageError(f"there is no prompt in {shown}", hint="one a line; blank lines and lines with # are skipped")
    return found


def _tell(runtime: Runtime, errors: Sequence[UsageError], file: str) -> None:
    """Tell what is wrong with each row, and stop. Raises `UsageError` if there is anything."""
    if not errors:
        return
    for error in errors[:_SHOWN] if len(errors) > 1 else ():
        runtime.output.error(error)
    if len(errors) == 1:
        raise errors[0]
    more = f" ({len(errors) - _SHOWN} more than were told)" if len(errors) > _SHOWN else ""
    raise UsageError(f"{len(errors)} rows of {file} cannot be made{more}; nothing was sent", hint="mend them first")


def _planned(
    runtime: Runtime, asked: Asked, found: Sequence[Standing], file: str, *, run: str, batch: str
) -> list[Task]:
    """Return every row with its jobs, checked. Raises `UsageError`, having told of each row that is wrong."""
    tasks: list[Task] = []
    errors: list[UsageError] = []
    notes = Counter[str]()
    taken: dict[Path, str] = {}
    for standing in found:
        row = standing.row
        try:
            task = _task(runtime, asked, standing, run=run, batch=batch)
            for path in task.demand.files():
                if path in taken:
                    raise UsageError(f"{printable(str(path))} is the name of the image of {taken[path]} too")
                taken[path] = row.place
        except ConfigError:
            raise
        except UsageError as error:
            errors.append(UsageError(f"{row.place}: {error.message}", hint=error.hint))
            continue
        notes.update(task.demand.notes)
        tasks.append(task)
    _tell(runtime, errors, printable(file))
    for note, times in notes.items():
        runtime.output.note(f"{note} (in {times} rows)" if len(tasks) > 1 else note)
    return tasks


def _task(runtime: Runtime, asked: Asked, standing: Standing, *, run: str, batch: str) -> Task:
    """Return one row with its jobs. Raises `UsageError`."""
    row = standing.row
    own = dict(row.fields)
    if standing.seed is not None and "seed" not in own:
        own["seed"] = standing.seed
    demand = demanded(runtime, asked.over(own), run=run)
    if demand.place is not None and demand.place.destination.kind == "file" and "output" not in row.fields:
        typed = printable(demand.place.destination.typed)
        raise UsageError(
            f"-o {typed} is one file, and a batch makes many",
            hint=f"`-o {typed}/` is a folder; a template such as {{row}}-{{slug}}.{{ext}} names each",
        )
    purchases = [_of_row(one, row.number, batch, standing.mark) for one in demand.purchases]
    return Task(
        standing=standing,
        demand=demand,
        purchases=standing.missing(purchases),
        terms=Terms(place=demand.place, timeout=demand.timeout, tries=_TRIES, where=row.place),
    )


_TRIES = 12
"""Attempts at a request that is turned away for now: with many rows, somebody else's turn comes first."""


def _of_row(purchase: Purchase, number: int, batch: str, mark: str) -> Purchase:
    """Return a job, and those that may take its place, as jobs of a row."""
    return replace(
        purchase,
        job=replace(purchase.job, row=number, batch=batch, mark=mark),
        instead=tuple(_of_row(one, number, batch, mark) for one in purchase.instead),
    )


def _prepare(tasks: Sequence[Task]) -> None:
    """Make sure that images can be saved: each place once, and the names that were given one by one."""
    proved: set[Path] = set()
    for task in tasks:
        if task.purchases and task.demand.place is not None:
            destination = task.demand.place.destination
            destination.prepare(proved)


@contextmanager
def _alone(runtime: Runtime, batch: str, run: str, file: str) -> Generator[None]:
    """Hold a batch, so that no two processes work at the same one. Raises `UsageError` where another one does."""
    if file == "-":
        yield
        return
    owner = runtime.origin().owner
    claim = Claim(name=f"--batch {batch}", sandbox=runtime.sandbox, run=run, jobs=0, mark="", owner=owner)
    held, _ = runtime.ledger.claim(claim, free=lambda known, _jobs: runtime.gone(known.owner))
    if held != claim:
        raise UsageError(
            f"another flux is at work on {printable(file)} (process {held.owner.rpartition(':')[2]})",
            hint="wait for it, or stop it, and then add --resume",
        )
    try:
        yield
    finally:
        with suppress(LedgerError):  # whoever comes next sees that we are gone
            runtime.ledger.release(claim)
