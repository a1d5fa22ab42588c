"""``flux cancel``: take queued jobs off the queue."""

from __future__ import annotations

from typing import Annotated

import typer

from flux_cli import providers
from flux_cli.commands import options
from flux_cli.errors import FluxError, LostReplyError, RefusedError, UnknownOutcomeError, UsageError
from flux_cli.jobs import FINISHED, Job
from flux_cli.runs.outcome import exit_code_for
from flux_cli.runtime import Runtime


def cancel(
    ctx: typer.Context,
    jobs: options.Jobs = None,
    all_jobs: Annotated[
        bool, typer.Option("--all", metavar="", help="Every job that is not finished.", show_default=False)
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", metavar="", help="With --all: do not ask.", show_default=False)
    ] = False,
    provider: options.ProviderOption = None,
    config: options.Config = None,
    json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    sandbox: options.Sandbox = False,
) -> int:
    """Take queued jobs off the queue.

    Says of each job whether it was cancelled, or why not.
    """
    runtime = options.runtime_of(ctx)
    if bool(jobs) == all_jobs:
        raise UsageError("give at least one JOB, or --all", hint="`flux status --active` lists the jobs in progress")
    if all_jobs:
        if provider is not None:
            providers.load(provider)
        found = runtime.ledger.active(sandbox=runtime.sandbox, provider=provider)
        if found and not yes:
            _ask(runtime, len(found))
    else:
        found = options.find_jobs(runtime, jobs or [], provider)
    outcomes = [_cancel(runtime, job, several=len(found) > 1) for job in found]
    if not found:
        options.note_nothing(runtime, "no job is in progress", active=True, provider=provider)
    return exit_code_for(outcomes)


def _ask(runtime: Runtime, count: int) -> None:
    """Ask before cancelling everything. Raises `UsageError` where the answer is no, or stdin is no terminal."""
    what = f"{count} jobs" if count > 1 else "1 job"
    if not runtime.stdin.isatty() or not runtime.stderr.isatty():
        raise UsageError(f"--all would cancel {what}, but standard input is not a terminal", hint="add --yes")
    if not typer.confirm(f"Cancel {what}?", err=True):
        raise UsageError("nothing was cancelled", hint="`flux cancel JOB` cancels a single job")


def _cancel(runtime: Runtime, job: Job, *, several: bool) -> FluxError | None:
    """Cancel one job, and print its new state. Return the error, if any."""
    try:
        if providers.load(job.provider).cancel is not None and job.status in FINISHED:
            now = job
        else:
            now = runtime.engine.cancel(job)
        if now.status == "queued":
            raise RefusedError(
                f"{now.provider} did not cancel job {job.id}, although it is still {now.status_text}",
                hint=f"`flux cancel {job.id}` tries again; `flux result --wait {job.id}` fetches it",
                retry="later",
            )
        if now.status != "cancelled":
            raise RefusedError(
                f"too late to cancel job {job.id}: already {now.status_text}",
                hint=f"`flux result --wait {job.id}` fetches it" if now.active else "",
                charged="yes" if now.status == "succeeded" else None,
                retry="never",
            )
    except LostReplyError as error:
        lost = UnknownOutcomeError(
            f"job {job.id} may or may not have been cancelled: {error.message}", hint=f"`flux status {job.id}`"
        )
        runtime.output.error(lost, job)
        return lost
    except FluxError as error:
        runtime.output.error(error, job, where=f"job {job.id}" if several else "")
        return error
    runtime.output.job(now, note="already cancelled" if job.status == "cancelled" else "cancelled")
    return None
