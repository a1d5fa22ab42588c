"""Define ``flux status``: show jobs, sum up what they cost, or remove their records."""

from __future__ import annotations

from collections.abc import Container, Sequence
from functools import partial
from typing import Annotated

import typer

from flux_cli.commands import options
from flux_cli.commands.status.listing import Listing, Selection
from flux_cli.errors import FluxError, UnavailableError, UsageError
from flux_cli.jobs import Job
from flux_cli.runs.active import refresh_jobs
from flux_cli.runs.outcome import exit_code_for, require_status
from flux_cli.runtime import Runtime

SHOWN = 20
"""Jobs in a list by default."""
MOST = 100_000
"""The most jobs that --limit takes."""


def _limited(limit: int | None) -> int | None:
    """Return the number of jobs to list. Raises `UsageError`."""
    if limit is not None and not 1 <= limit <= MOST:
        raise UsageError(f"--limit takes 1 to {MOST}, not {limit}", hint="such as `--limit 50`")
    return limit


def status(
    ctx: typer.Context,
    jobs: options.Jobs = None,
    provider: options.ProviderOption = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", metavar="N", help=f"List at most N jobs ({SHOWN}).", show_default=False, callback=_limited
        ),
    ] = None,
    active: Annotated[
        bool, typer.Option("--active", metavar="", help="Only jobs that are not finished.", show_default=False)
    ] = False,
    batch: Annotated[
        str | None,
        typer.Option("--batch", "-b", metavar="FILE", help="Only the jobs of this batch file.", show_default=False),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", metavar="NAME", help="Only the jobs of this model.", show_default=False),
    ] = None,
    search: Annotated[
        str | None,
        typer.Option(
            "--search", metavar="TEXT", help="Only jobs with all of these words in the prompt.", show_default=False
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="TIME",
            help="Only the jobs since then: 7d, 12h, 30m or 2026-11-01.",
            show_default=False,
        ),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", metavar="", help="Keep watching until all are finished.", show_default=False)
    ] = False,
    offline: Annotated[
        bool,
        typer.Option("--offline", metavar="", help="Ask no provider; show the last known state.", show_default=False),
    ] = False,
    exit_status: Annotated[
        bool,
        typer.Option("--exit-status", metavar="", help="Exit with the job's code: 0, 1, 5, 7, 8 …", show_default=False),
    ] = False,
    spend: Annotated[
        bool,
        typer.Option(
            "--spend", metavar="", help="Show what the jobs cost.", show_default=False, rich_help_panel="Money"
        ),
    ] = False,
    by: Annotated[
        str | None,
        typer.Option(
            "--by",
            metavar="WORD",
            help="Group --spend by provider, model, day, label or label:KEY.",
            show_default=False,
            rich_help_panel="Money",
        ),
    ] = None,
    forget: Annotated[
        bool,
        typer.Option(
            "--forget",
            metavar="",
            help="Remove the records of JOB..., with their prompts; images stay.",
            show_default=False,
            rich_help_panel="Records",
        ),
    ] = False,
    forget_older_than: Annotated[
        str | None,
        typer.Option(
            "--forget-older-than",
            metavar="TIME",
            help="Forget all jobs older than this: 90d, 12w or 2026-11-01.",
            show_default=False,
            rich_help_panel="Records",
        ),
    ] = None,
    accept_loss: Annotated[
        bool,
        typer.Option(
            "--accept-loss",
            metavar="",
            help="Accept what a damaged ledger lost: --once, --resume and limits work again.",
            show_default=False,
            rich_help_panel="Records",
        ),
    ] = False,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes",
            metavar="",
            help="Also forget jobs whose images were never saved.",
            show_default=False,
            rich_help_panel="Records",
        ),
    ] = False,
    config: options.Config = None,
    json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    sandbox: options.Sandbox = False,
) -> int:
    """Show the state of recent jobs, or of the jobs you name.

    Unfinished jobs are refreshed first, unless --offline. A single JOB is shown in full.
    """
    runtime = options.runtime_of(ctx)
    selection = Selection(provider=provider, batch=batch, model=model, search=search, since=since)
    shown = bool(active or exit_status or watch or offline or search is not None or limit is not None)
    narrowed = shown or model is not None or since is not None
    if accept_loss:
        from flux_cli.commands.status.forget import accept_loss_of  # noqa: PLC0415 - only here

        others = jobs or narrowed or provider or batch or spend or by or forget or forget_older_than or yes
        return accept_loss_of(runtime, alone=not others)
    if spend or by is not None:
        from flux_cli.commands.status.spend import show_spend  # noqa: PLC0415 - only here

        _check_spend(spend=spend, alone=not (jobs or shown or forget or forget_older_than or yes))
        return show_spend(runtime, by=by, selection=selection)
    if forget or forget_older_than is not None or yes:
        from flux_cli.commands.status.forget import ForgetOptions, forget_jobs  # noqa: PLC0415 - only here

        name = None if batch is None else options.batch_name(batch)
        forget_options = ForgetOptions(
            jobs=tuple(jobs or ()), age=forget_older_than, provider=provider, batch=name, anyway=yes
        )
        return forget_jobs(runtime, forget_options, named=forget, alone=not narrowed)
    narrowing = {"--active": active, "--batch": batch, "--model": model, "--search": search, "--since": since}
    _check_list(
        jobs,
        [option for option, value in narrowing.items() if value not in {None, False}],
        watch=watch,
        offline=offline,
    )
    known: Sequence[Job]
    unlisted: Sequence[Job] = ()
    listing: Listing | None = None
    if jobs:
        known = options.find_jobs(runtime, jobs, provider, elsewhere=partial(_show_job, runtime))
    else:
        listing = Listing(runtime, selection, active=active or watch)
        known = listing.newest(limit or (-1 if watch or batch is not None else SHOWN))
        unlisted = () if watch else listing.left_out(known)
    jobs_now: Sequence[Job] = [*known, *unlisted]
    jobs_now, failures = (jobs_now, []) if offline else _refresh(runtime, jobs_now, watch=watch)
    fresh, unlisted = jobs_now[: len(known)], jobs_now[len(known) :]
    if jobs and len(fresh) == 1:
        runtime.output.details(fresh[0])
    else:
        runtime.output.jobs(fresh)
    _explain(runtime, fresh if len(fresh) > 1 or not jobs else [])  # one job alone says it among its details
    if listing is not None and unlisted:
        listing.note_left_out(unlisted, refreshed=not offline)
    if not _warn_of_failures(runtime, failures, listed_ids={job.id for job in known}):
        return UnavailableError.exit_code
    return exit_code_for([_as_error(job) for job in fresh]) if exit_status else 0


def _warn_of_failures(
    runtime: Runtime, failures: Sequence[tuple[Job, FluxError]], *, listed_ids: Container[str]
) -> bool:
    """Warn about jobs that could not be refreshed. Return whether all listed jobs could.

    Jobs that are not listed share one line.
    """
    others = [(job, error) for job, error in failures if job.id not in listed_ids]
    for job, error in failures:
        if job.id in listed_ids:
            runtime.output.warning(f"job {job.id}: showing its last known status: {error.message}")
    if others:
        job, error = others[0]
        which = f"job {job.id} is" if len(others) == 1 else f"{len(others)} jobs ({job.id} and others) are"
        runtime.output.warning(f"{which} neither listed nor refreshed: {error.message}")
    return len(others) == len(failures)


def _show_job(runtime: Runtime, reference: str) -> Job | None:
    """Return the job that made the image at a path, from the image's metadata; ``None`` without such a file."""
    from flux_cli.runs.described import describe_image  # noqa: PLC0415 - only here

    found = describe_image(reference)
    if found is None:
        return None
    known = found.find_job(runtime)
    if known is None:
        runtime.output.note(f"{reference} was read from the image itself: the ledger has no record of its job")
    return known or found.metadata.as_job(found.image)


def _check_list(jobs: Sequence[str] | None, narrowing: Sequence[str], *, watch: bool, offline: bool) -> None:
    """Raise `UsageError` for options that contradict each other."""
    if jobs and narrowing:
        raise UsageError(f"{narrowing[0]} cannot be combined with a JOB", hint="leave out one of them")
    if watch and offline:
        raise UsageError("--watch cannot be combined with --offline", hint="leave out one of them")


def _check_spend(*, spend: bool, alone: bool) -> None:
    """Raise `UsageError` for ``--by`` without ``--spend``, and for ``--spend`` with options that it ignores."""
    if not spend:
        raise UsageError("--by only works together with --spend", hint="`flux status --spend --by day`")
    if not alone:
        raise UsageError(
            "--spend covers all jobs: it cannot be combined with a JOB or with options that list, watch or forget jobs",
            hint="--provider, --model, --batch and --since narrow it down: `flux status --spend --since 30d --by day`",
        )


def _explain(runtime: Runtime, jobs: Sequence[Job]) -> None:
    """Say how to find out about every job whose state is unknown."""
    for job in jobs:
        if job.status == "unknown" and job.error is not None and job.error.hint:
            runtime.output.note(f"it is not known whether {job.id} was accepted: {job.error.hint}")


def _refresh(
    runtime: Runtime, jobs: Sequence[Job], *, watch: bool
) -> tuple[Sequence[Job], list[tuple[Job, FluxError]]]:
    """Return the jobs as they are now, and those that could not be refreshed, with the error.

    With ``watch``, wait until all of them are finished.
    """
    unsettled = [job for job in jobs if job.active or job.status == "unknown"]
    if not unsettled:
        return jobs, []
    if watch:
        from flux_cli.commands.status.watch import watch_jobs  # noqa: PLC0415 - only here

        answers = watch_jobs(runtime, unsettled)
    else:
        answers = refresh_jobs(runtime, unsettled)
    newer = {job.id: answer for job, answer in zip(unsettled, answers, strict=True) if isinstance(answer, Job)}
    failures = [(job, answer) for job, answer in zip(unsettled, answers, strict=True) if isinstance(answer, FluxError)]
    return [newer.get(job.id, job) for job in jobs], failures


def _as_error(job: Job) -> FluxError | None:
    """Return the error that a job's state stands for."""
    try:
        require_status(job, "succeeded")
    except FluxError as error:
        return error
    return job.error
