"""Remove records of jobs from the ledger, with their prompts. Images on disk stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from flux_cli import providers
from flux_cli.commands import options
from flux_cli.commands.status.moments import parse_moment
from flux_cli.errors import UsageError
from flux_cli.jobs import FINISHED, Job
from flux_cli.runtime import Runtime
from flux_cli.text import listed, printable

_NAMED = 3
"""Batches that a note lists by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetOptions:
    """Which jobs to forget."""

    jobs: tuple[str, ...]
    """References as typed."""
    age: str | None
    """Or all that are older than this, such as ``90d`` or ``2026-11-01``."""
    provider: str | None
    batch: str | None
    """The ledger's name of the batch file."""
    anyway: bool
    """Whether jobs with unsaved images are forgotten, too."""


def forget_jobs(runtime: Runtime, selection: ForgetOptions, *, named: bool, alone: bool) -> int:
    """Remove the records of all named jobs or of none, or of all old jobs. Return the exit code.

    ``named`` is whether ``--forget`` was typed, ``alone`` whether no option that narrows lists was.
    Raises `UsageError`.
    """
    _check(selection, named=named, alone=alone)
    if selection.provider is not None:
        providers.load(selection.provider)
    if selection.age is None:
        _remove(runtime, _named(runtime, selection))
    else:
        # No minutes: 6m would mean six months here.
        now = runtime.clock.now()
        before = parse_moment(selection.age, option="--forget-older-than", now=now, minutes=False)
        _forget_older(runtime, selection, before)
    return 0


def accept_loss_of(runtime: Runtime, *, alone: bool) -> int:
    """Accept what a damaged ledger lost, and print the files that are kept. Return the exit code.

    ``alone`` is whether no other option was typed. Raises `UsageError`.
    """
    if not alone:
        raise UsageError("--accept-loss cannot be combined with anything else", hint="`flux status --accept-loss`")
    files = [str(path) for path in runtime.ledger.accept_loss()]
    for file in files:
        runtime.output.lines([f"{printable(file)}\taccepted"], {"file": file, "accepted": True})
    if not files:
        runtime.output.note("nothing is missing from the job ledger")
    return 0


def _check(selection: ForgetOptions, *, named: bool, alone: bool) -> None:
    """Raise `UsageError` for what does not go together, or makes no sense alone."""
    hint = "`flux status --forget @1` forgets the latest run; `--forget-older-than 90d` what is older than that"
    if not named and selection.age is None:
        raise UsageError("--yes only works with --forget or --forget-older-than", hint=hint)
    if selection.age is not None and (named or selection.jobs):
        raise UsageError("--forget-older-than cannot be combined with a JOB or --forget", hint=hint)
    if not alone:
        wrong = "--active, --watch, --offline, --limit, --model, --search, --since or --exit-status"
        raise UsageError(f"--forget cannot be combined with {wrong}", hint=hint)
    if selection.age is None and (not selection.jobs or selection.batch is not None):
        raise UsageError("--forget needs the jobs to forget: JOB...", hint=hint)


def _named(runtime: Runtime, selection: ForgetOptions) -> list[Job]:
    """Return the jobs that are named, each once. Raises `UsageError` where one is not there, or has to stay."""
    found: dict[str, Job] = {}
    for reference in selection.jobs:
        jobs = runtime.ledger.find(reference, sandbox=runtime.sandbox, provider=selection.provider)
        if not jobs:
            raise options.unknown_reference(runtime, reference, "`flux status` lists them")
        found |= {job.id: job for job in jobs}
    for job in found.values():
        reason, hint = _in_the_way(job, anyway=selection.anyway)
        if reason:
            raise UsageError(f"job {job.id} is not forgotten: {reason}", hint=hint)
    return list(found.values())


def _forget_older(runtime: Runtime, selection: ForgetOptions, before: float) -> None:
    """Remove the records of old jobs, and say how many stay, and why."""
    jobs = runtime.ledger.older_than(
        before, sandbox=runtime.sandbox, provider=selection.provider, batch=selection.batch
    )
    reasons = [_in_the_way(job, anyway=selection.anyway)[0] for job in jobs]
    _remove(runtime, [job for job, reason in zip(jobs, reasons, strict=True) if not reason])
    for reason, count in Counter(filter(None, reasons)).items():
        runtime.output.note(f"{'1 job stays' if count == 1 else f'{count} jobs stay'}: {reason}")


def _in_the_way(job: Job, *, anyway: bool) -> tuple[str, str]:
    """Return why a record has to stay and what to do about it, or empty texts if it can be removed."""
    if job.status == "unknown" and job.model is not None:  # without a model, flux never sent it
        return "it may have been accepted and charged", f"`flux status {job.id}` asks about it"
    if job.status not in FINISHED | {"unknown"}:
        return "it is not finished, and its images would be lost", f"`flux result --wait {job.id}` fetches it"
    if job.has_unsaved_images and not anyway:
        hint = f"`flux result {job.id}` saves them; --yes forgets it anyway"
        return "its images were paid for and never saved", hint
    return "", ""


def _remove(runtime: Runtime, jobs: Sequence[Job]) -> None:
    """Remove records, and print the id of each."""
    gone, clean = runtime.ledger.forget(jobs)
    for one in gone:
        runtime.output.lines([f"{one}\tforgotten"], {"id": one, "forgotten": True})
    batches = sorted({job.batch for job in jobs if job.batch and job.batch != "-"} if gone else ())
    if batches:
        names = listed([*(printable(name) for name in batches[:_NAMED]), *(["others"] if batches[_NAMED:] else [])])
        runtime.output.note(f"forgotten rows count as new: --resume of {names} would make them again")
    if not clean:
        runtime.output.warning(
            "the ledger is in use, so parts of the forgotten records may still be in its file; "
            "`flux status --forget-older-than 5000w` removes them once no other flux is running"
        )
