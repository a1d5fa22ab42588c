"""``flux status``: how jobs are doing. It only ever reads."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated

import typer

from flux_cli import providers
from flux_cli.commands import options
from flux_cli.crew import Crew
from flux_cli.errors import FluxError, UnavailableError, UsageError
from flux_cli.jobs import Job
from flux_cli.runtime import Runtime

AT_ONCE = 8
"""Jobs that are asked about side by side."""
SHOWN = 20
"""Jobs in a list, unless another number is given."""


def status(
    ctx: typer.Context,
    jobs: options.Jobs = None,
    provider: options.ProviderOption = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", min=1, max=100_000, metavar="N", show_default=str(SHOWN), help="How many jobs, at most."
        ),
    ] = None,
    active: Annotated[
        bool, typer.Option("--active", metavar="", help="Only jobs that are not finished.", show_default=False)
    ] = False,
    offline: Annotated[
        bool, typer.Option("--offline", metavar="", help="Ask no provider: the last known state.", show_default=False)
    ] = False,
    exit_status: Annotated[
        bool,
        typer.Option("--exit-status", metavar="", help="Exit as the job would: 0, 1, 5, 7, 8 …", show_default=False),
    ] = False,
    spend: Annotated[
        bool, typer.Option("--spend", metavar="", help="Sum up what the jobs cost.", show_default=False)
    ] = False,
    by: Annotated[
        str | None,
        typer.Option(
            "--by",
            metavar="WORD",
            help="Group --spend by provider, model or day.",
            show_default=False,
            autocompletion=lambda: ["provider", "model", "day"],
        ),
    ] = None,
    config: options.Config = None,
    json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    sandbox: options.Sandbox = False,
) -> int:
    """Show how jobs are doing: the recent ones, or those that are named.

    Jobs that are not finished are asked about at their provider first, unless --offline. With one JOB, every detail.
    """
    runtime = options.runtime_of(ctx)
    if spend or by is not None:
        from flux_cli.commands.spend import summed_up  # noqa: PLC0415 - only here

        _check_spend(spend=spend, alone=not (jobs or active or exit_status) and limit is None)
        return summed_up(runtime, by=by, provider=provider)
    if jobs and active:
        raise UsageError("--active lists jobs: it does not go with a JOB", hint="leave out one of them")
    if jobs:
        known = options.find_jobs(runtime, jobs, provider)
    else:
        if provider is not None:
            providers.load(provider)
        known = runtime.ledger.recent(sandbox=runtime.sandbox, limit=limit or SHOWN, active=active, provider=provider)
    fresh, failures = (known, []) if offline else _refreshed(runtime, known)
    if jobs and len(fresh) == 1:
        runtime.output.details(fresh[0])
    else:
        runtime.output.jobs(fresh)
    _explain(runtime, fresh if len(fresh) > 1 or not jobs else [])  # one job alone says it among its details
    for job, error in failures:
        runtime.output.warning(f"job {job.id}: shown as last known: {error.message}")
    if failures:
        return UnavailableError.exit_code
    return options.verdict([_as_error(job) for job in fresh]) if exit_status else 0


def _check_spend(*, spend: bool, alone: bool) -> None:
    """Raise `UsageError` for ``--by`` without ``--spend``, and for ``--spend`` with what it would not heed."""
    if not spend:
        raise UsageError("--by goes with --spend", hint="`flux status --spend --by day`")
    if not alone:
        raise UsageError(
            "--spend sums up all jobs: a JOB, --active, --limit and --exit-status do not go with it",
            hint="--provider and --by do: `flux status --spend --by day`",
        )


def _explain(runtime: Runtime, jobs: Sequence[Job]) -> None:
    """Say of every job that nobody knows of how to find out."""
    for job in jobs:
        if job.status == "unknown" and job.error is not None and job.error.hint:
            runtime.output.note(f"nobody knows whether {job.id} was accepted: {job.error.hint}")


def _refreshed(runtime: Runtime, jobs: Sequence[Job]) -> tuple[list[Job], list[tuple[Job, FluxError]]]:
    """Return the jobs as they are now, and those that could not be asked about, with the reason."""
    asked = [job for job in jobs if job.active or job.status == "unknown"]
    if not asked:
        return list(jobs), []
    engine = runtime.engine
    answers = Crew[Job](runtime.clock, at_once=AT_ONCE).run([partial(engine.refresh, job) for job in asked])
    newer = {job.id: answer for job, answer in zip(asked, answers, strict=True) if isinstance(answer, Job)}
    failures = [(job, answer) for job, answer in zip(asked, answers, strict=True) if isinstance(answer, FluxError)]
    return [newer.get(job.id, job) for job in jobs], failures


def _as_error(job: Job) -> FluxError | None:
    """Return what a job's state would be as the end of a command."""
    try:
        options.require(job, "succeeded")
    except FluxError as error:
        return error
    return job.error
