"""Carry out one ``flux generate``: read its prompt, and make the images of one prompt or of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from flux_cli import providers
from flux_cli.commands import options
from flux_cli.commands import show as seeing
from flux_cli.commands.generate.images import read_stdin
from flux_cli.commands.generate.request import TypedOptions, resolve_request
from flux_cli.errors import UsageError
from flux_cli.jobs import Job
from flux_cli.runs import plan as orders
from flux_cli.runs.outcome import Outcome, exit_code_for, saved_paths
from flux_cli.runs.workers import AT_ONCE, MOST_AT_ONCE
from flux_cli.runtime import Runtime
from flux_cli.saving.home import expand_home

if TYPE_CHECKING:
    from flux_cli.commands.generate.gallery import GalleryFile
    from flux_cli.commands.generate.like import Like
    from flux_cli.runs.runner import OnEnd


def run_generate(
    runtime: Runtime,
    line: TypedOptions,
    *,
    like: str | None,
    preview: bool | None,
    print0: bool,
    dry_run: bool,
    batch: str | None,
    jobs: int | None,
    resume: bool,
    again: bool,
    gallery: str | None,
    max_cost: float | None,
) -> int:
    """Make images, wait for them, save them, and print their paths. Return the exit code. Raises `FluxError`."""
    options.check_print0(runtime, dry_run=dry_run)
    seeing.check_preview(runtime, preview, output=line.output, no_wait=line.no_wait)
    start = _find_earlier(runtime, like)
    read_stdin(runtime, line.prompt, batch, line.options)
    prompt = _prompt(runtime, line.prompt, start) if batch is None else line.prompt
    line = replace(line, prompt=prompt, like=start, gallery=gallery is not None)
    configured = runtime.settings.generate
    at_once = _check_jobs(jobs if jobs is not None else configured.get("jobs"))
    limit = max_cost if max_cost is not None else configured.get("max_cost")
    page = _gallery(runtime, line, gallery) if gallery is not None else None
    if batch is not None:
        from flux_cli.commands.generate.batch import BatchOptions, run_batch  # noqa: PLC0415 - only here

        batch_options = BatchOptions(
            file=expand_home(batch),
            at_once=at_once,
            resume=resume,
            again=again,
            dry_run=dry_run,
            max_cost=limit,
            gallery=page,
        )
        outcomes = run_batch(runtime, line, batch_options)
    elif resume or again:
        raise UsageError(
            "--resume and --again only work together with --batch",
            hint="`flux result @1 --wait` fetches the latest run",
        )
    else:
        outcomes = _single(runtime, line, at_once=at_once, dry_run=dry_run, max_cost=limit, page=page)
    seeing.show_images(runtime, saved_paths(outcomes))
    return exit_code_for([one.error for one in outcomes])


def _find_earlier(runtime: Runtime, reference: str | None) -> Like | None:
    """Return the image or job to start from, if one was typed. Raises `UsageError`."""
    if reference is None:
        return None
    from flux_cli.commands.generate.like import find_earlier  # noqa: PLC0415 - only here

    return find_earlier(runtime, reference)


def _gallery(runtime: Runtime, line: TypedOptions, typed: str) -> GalleryFile:
    """Return where the gallery page of the run goes. Raises `UsageError`."""
    from flux_cli.commands.generate.gallery import GalleryFile  # noqa: PLC0415 - only here

    return GalleryFile.prepare(
        runtime,
        typed,
        overwrite=line.overwrite or bool(runtime.settings.generate.get("overwrite")),
        saves=line.output != "-" and not line.no_wait,
    )


def _check_jobs(jobs: int | None) -> int:
    """Return how many jobs run side by side. Raises `UsageError`."""
    if jobs is None:
        return AT_ONCE
    if not 1 <= jobs <= MOST_AT_ONCE:
        raise UsageError(f"--jobs takes 1 to {MOST_AT_ONCE}, not {jobs}", hint="such as `-j 8`")
    return jobs


def _prompt(runtime: Runtime, typed: str | None, start: Like | None) -> str:
    """Return the prompt: typed, from stdin, or that of an earlier job. Raises `UsageError`."""
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
    line: TypedOptions,
    *,
    at_once: int,
    dry_run: bool,
    max_cost: float | None,
    page: GalleryFile | None,
) -> list[Outcome]:
    """Make the images of one prompt."""
    from flux_cli.commands.generate.estimate import check_limits, print_dry_run  # noqa: PLC0415 - httpx
    from flux_cli.engine.engine import dry_run_requests  # noqa: PLC0415 - after the options are checked
    from flux_cli.runs.runner import RunOptions, collect_jobs, submit_jobs  # noqa: PLC0415 - as above

    request = resolve_request(runtime, line).over(line.prompt or "")
    jobs = orders.plan(request, orders.new_run_context(runtime))
    if page is not None:
        page.check([request.save], rehearsal=dry_run)
    for note in request.notes:
        runtime.output.note(note)
    if dry_run:
        print_dry_run(runtime, jobs)
        check_limits(runtime, jobs, run=jobs[0].job.run, max_cost=max_cost)
        return []
    for planned in orders.with_all_fallbacks(jobs):
        dry_run_requests(providers.load(planned.job.provider), planned)
    orders.check_endpoints(runtime, jobs)
    options = RunOptions(save=request.save, timeout=request.timeout)
    if request.once is not None:
        from flux_cli.commands.generate.once import claim_name  # noqa: PLC0415 - only here

        wait = request.save is not None
        bought = claim_name(runtime, request.once, jobs, timeout=request.timeout, wait=wait)
        if bought is not None:
            with _write_gallery(page, line, bought) as on_end:
                return collect_jobs(runtime, bought, options, wait=wait, on_end=on_end)
    limits = check_limits(runtime, jobs, run=jobs[0].job.run, max_cost=max_cost)
    if request.save is not None:
        request.save.destination.prepare()
    with _write_gallery(page, line, [planned.job for planned in jobs]) as on_end:
        return submit_jobs(runtime, jobs, replace(options, limits=limits), on_end=on_end, at_once=at_once)


def _write_gallery(page: GalleryFile | None, line: TypedOptions, jobs: Sequence[Job]) -> AbstractContextManager[OnEnd]:
    """Return what is called with the outcomes of ``jobs``, and writes them to the ``page``, if any, at the end."""
    return nullcontext(lambda _jobs, _error: None) if page is None else page.collect(line.prompt or "", jobs)
