"""``flux generate``: make images, wait, save them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import typer

from flux_cli import providers
from flux_cli.commands import options
from flux_cli.commands import show as seeing
from flux_cli.commands.generate import options as flags
from flux_cli.commands.generate.like import Like, find_earlier
from flux_cli.commands.generate.request import TypedOptions, resolve_request
from flux_cli.errors import FluxError, UsageError
from flux_cli.jobs import Job
from flux_cli.runs import plan as orders
from flux_cli.runs.workers import AT_ONCE, MOST_AT_ONCE
from flux_cli.runtime import Runtime
from flux_cli.saving.home import expand_home

if TYPE_CHECKING:
    from flux_cli.commands.generate.gallery import GalleryFile

OnEnd = Callable[[Sequence[Job], FluxError | None], None]
"""Told how something ended: with which jobs, and what went wrong."""


@flags.add_image_options
def generate(
    ctx: typer.Context,
    prompt: flags.Prompt = None,
    provider: options.ProviderOption = None,
    model: flags.Model = None,
    output: options.OutputOption = None,
    count: flags.Count = None,
    like: flags.Like = None,
    overwrite: options.Overwrite = False,
    embed: options.Embed = None,
    preview: options.Preview = None,
    print0: options.Print0 = False,
    no_wait: flags.NoWait = False,
    timeout: options.Timeout = None,
    dry_run: flags.DryRun = False,
    once: flags.Once = None,
    fallback: flags.Fallback = None,
    param: flags.Param = None,
    batch: flags.Batch = None,
    jobs: flags.AtOnce = None,
    resume: flags.Resume = False,
    again: flags.Again = False,
    gallery: flags.Gallery = None,
    max_cost: flags.MaxCost = None,
    config: options.Config = None,
    json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    sandbox: options.Sandbox = False,
    **typed: Any,
) -> int:
    """Make images, wait for them, save them, and print their paths."""
    runtime = options.runtime_of(ctx)
    options.check_print0(runtime, dry_run=dry_run)
    seeing.check_preview(runtime, preview, output=output, no_wait=no_wait)
    start = find_earlier(runtime, like) if like is not None else None
    asked = TypedOptions(
        prompt=_prompt(runtime, prompt, start) if batch is None else prompt or "",
        provider=provider,
        model=model,
        options=flags.parse_image_options(typed),
        extra=orders.parse_params(param) if param else {},
        count=count,
        output=output,
        overwrite=overwrite,
        no_wait=no_wait,
        timeout=timeout,
        fallback=fallback,
        once=once,
        embed=embed,
        like=start,
        gallery=gallery is not None,
    )
    configured = runtime.settings.generate
    at_once = _check_jobs(jobs if jobs is not None else configured.get("jobs"))
    most = max_cost if max_cost is not None else configured.get("max_cost")
    wall = _gallery(runtime, asked, gallery) if gallery is not None else None
    if batch is not None:
        from flux_cli.commands.generate.batch import BatchOptions, run_batch  # noqa: PLC0415 - only here

        wanted = BatchOptions(
            file=expand_home(batch),
            at_once=at_once,
            resume=resume,
            again=again,
            dry_run=dry_run,
            max_cost=most,
            gallery=wall,
        )
        code = run_batch(runtime, asked, wanted)
    elif resume or again:
        raise UsageError(
            "--resume and --again only work together with --batch",
            hint="`flux result @1 --wait` fetches the latest run",
        )
    else:
        code = _single(runtime, asked, at_once=at_once, dry_run=dry_run, max_cost=most, wall=wall)
    seeing.show_images(runtime)
    return code


def _gallery(runtime: Runtime, asked: TypedOptions, typed: str) -> GalleryFile:
    """Return where the page of the run goes. Raises `UsageError`."""
    from flux_cli.commands.generate.gallery import GalleryFile  # noqa: PLC0415 - only here

    return GalleryFile.prepare(
        runtime,
        typed,
        overwrite=asked.overwrite or bool(runtime.settings.generate.get("overwrite")),
        saves=asked.output != "-" and not asked.no_wait,
    )


def _check_jobs(jobs: int | None) -> int:
    """Return how many jobs run side by side. Raises `UsageError`."""
    if jobs is None:
        return AT_ONCE
    if not 1 <= jobs <= MOST_AT_ONCE:
        raise UsageError(f"--jobs takes 1 to {MOST_AT_ONCE}, not {jobs}", hint="such as `-j 8`")
    return jobs


def _prompt(runtime: Runtime, typed: str | None, start: Like | None) -> str:
    """Return the prompt: typed, or on stdin, or that of an earlier wish. Raises `UsageError`."""
    if typed is None and start is not None:
        return start.prompt()
    if typed is None:
        raise UsageError("a prompt is needed", hint='`flux generate "a red fox in the snow"`; - reads it from stdin')
    if typed != "-":
        return typed
    try:
        return runtime.stdin.read()
    except UnicodeDecodeError:
        raise UsageError("the prompt on stdin is not valid UTF-8", hint=orders.UTF8_HINT) from None


def _single(
    runtime: Runtime,
    asked: TypedOptions,
    *,
    at_once: int,
    dry_run: bool,
    max_cost: float | None,
    wall: GalleryFile | None,
) -> int:
    """Make what one prompt asks for. Return the exit code."""
    from flux_cli.commands.generate.estimate import check_limits, print_dry_run  # noqa: PLC0415
    from flux_cli.engine.engine import dry_run_requests  # noqa: PLC0415
    from flux_cli.runs.runner import RunOptions, collect_jobs, submit_jobs  # noqa: PLC0415 - not for --help

    demand = resolve_request(runtime, asked)
    if wall is not None:
        wall.check([demand.place], rehearsal=dry_run)
    for note in demand.notes:
        runtime.output.note(note)
    allowed = partial(check_limits, runtime, demand.jobs, run=demand.jobs[0].job.run, max_cost=max_cost)
    if dry_run:
        print_dry_run(runtime, demand.jobs)
        allowed()
        return 0
    for purchase in orders.with_all_fallbacks(demand.jobs):
        dry_run_requests(providers.load(purchase.job.provider), purchase.order)
    for provider in (demand.provider, *demand.fallbacks):
        runtime.router.endpoint(provider, sandbox=runtime.sandbox)
    terms = RunOptions(place=demand.place, timeout=demand.timeout)
    if demand.once is not None:
        from flux_cli.commands.generate.once import claim_name  # noqa: PLC0415 - only here

        wait = demand.place is not None
        jobs = claim_name(runtime, demand.once, demand.jobs, timeout=demand.timeout, wait=wait)
        if jobs is not None:
            with _collect_for_gallery(wall, asked, jobs) as heard:
                return collect_jobs(runtime, jobs, replace(terms, on_end=heard), wait=wait)
    limits = allowed()
    if demand.place is not None:
        demand.place.destination.prepare()
    with _collect_for_gallery(wall, asked, [purchase.job for purchase in demand.jobs]) as heard:
        return submit_jobs(runtime, demand.jobs, replace(terms, limits=limits, on_end=heard), at_once=at_once)


def _collect_for_gallery(
    wall: GalleryFile | None, asked: TypedOptions, jobs: Sequence[Job]
) -> AbstractContextManager[OnEnd]:
    """Return what hears of the ends of ``jobs``, for as long as they take, and shows them where that is wanted."""
    return nullcontext(lambda _jobs, _error: None) if wall is None else wall.collect(asked.prompt, jobs)
