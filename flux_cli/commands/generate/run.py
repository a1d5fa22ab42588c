"""Carry out one ``flux generate``: read its prompt, and make the images of one prompt or of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from flux_cli import providers
from flux_cli.commands import options
from flux_cli.commands import show as seeing
from flux_cli.commands.generate.compare import choose_pairs, show_comparison, split_line
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
    from flux_cli.providers.base import PlannedJob
    from flux_cli.runs.runner import OnEnd, RunOptions


def run_generate(
    runtime: Runtime,
    line: TypedOptions,
    *,
    provider_names: Sequence[str],
    model_names: Sequence[str],
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
    prompt = _read_prompt(runtime, line.prompt, start) if batch is None else line.prompt
    line = replace(line, prompt=prompt, like=start, gallery=gallery is not None)
    pairs = choose_pairs(runtime, line, provider_names, model_names)
    configured = runtime.settings.options(line.preset)
    at_once = _check_jobs(jobs if jobs is not None else configured.get("jobs"))
    limit = max_cost if max_cost is not None else configured.get("max_cost")
    page = _prepare_gallery(runtime, line, gallery) if gallery is not None else None
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
        outcomes = run_batch(runtime, line, pairs, batch_options)
    elif resume or again:
        raise UsageError(
            "--resume and --again only work together with --batch",
            hint="`flux result @1 --wait` fetches the latest run",
        )
    else:
        lines = split_line(line, pairs)
        outcomes = _run_prompt(runtime, lines, at_once=at_once, dry_run=dry_run, max_cost=limit, page=page)
    if len(pairs) > 1:
        show_comparison(runtime, outcomes, abreast=len(pairs))
    else:
        seeing.show_images(runtime, saved_paths(outcomes))
    return exit_code_for([one.error for one in outcomes])


def _find_earlier(runtime: Runtime, reference: str | None) -> Like | None:
    """Return the image or job to start from, if one was typed. Raises `UsageError`."""
    if reference is None:
        return None
    from flux_cli.commands.generate.like import find_earlier  # noqa: PLC0415 - only here

    return find_earlier(runtime, reference)


def _prepare_gallery(runtime: Runtime, line: TypedOptions, typed: str) -> GalleryFile:
    """Return where the gallery page of the run goes. Raises `UsageError`."""
    from flux_cli.commands.generate.gallery import GalleryFile  # noqa: PLC0415 - only here

    return GalleryFile.prepare(
        runtime,
        typed,
        overwrite=line.overwrite or bool(runtime.settings.options(line.preset).get("overwrite")),
        saves=line.output != "-" and not line.no_wait,
    )


def _check_jobs(jobs: int | None) -> int:
    """Return how many jobs run side by side. Raises `UsageError`."""
    if jobs is None:
        return AT_ONCE
    if not 1 <= jobs <= MOST_AT_ONCE:
        raise UsageError(f"--jobs takes 1 to {MOST_AT_ONCE}, not {jobs}", hint="such as `-j 8`")
    return jobs


def _read_prompt(runtime: Runtime, typed: str | None, start: Like | None) -> str:
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


def _run_prompt(
    runtime: Runtime,
    lines: Sequence[TypedOptions],
    *,
    at_once: int,
    dry_run: bool,
    max_cost: float | None,
    page: GalleryFile | None,
) -> list[Outcome]:
    """Make the images of one prompt, of each of the ``lines``, which differ in provider and model."""
    from flux_cli.commands.generate.estimate import check_limits, print_dry_run  # noqa: PLC0415 - httpx
    from flux_cli.engine.engine import dry_run_requests  # noqa: PLC0415 - after the options are checked
    from flux_cli.runs.runner import collect_jobs, submit_jobs  # noqa: PLC0415 - as above

    prompt = lines[0].prompt or ""
    requests = [resolve_request(runtime, line).over(prompt) for line in lines]
    context = orders.new_run_context(runtime)
    planned = _plan_jobs(requests, context)
    jobs = [one for one, _ in planned]
    if page is not None:
        page.check([request.save for request in requests], rehearsal=dry_run)
    for note in dict.fromkeys(note for request in requests for note in request.notes):
        runtime.output.note(note)
    if dry_run:
        print_dry_run(runtime, jobs)
        check_limits(runtime, jobs, run=context.run, max_cost=max_cost)
        return []
    for one in orders.with_all_fallbacks(jobs):
        dry_run_requests(providers.load(one.job.provider), one)
    orders.check_endpoints(runtime, jobs)
    _, options = planned[0]
    if requests[0].once is not None:
        from flux_cli.commands.generate.once import claim_name, join_requests  # noqa: PLC0415 - only here

        wait = options.save is not None
        once = join_requests([request.once for request in requests if request.once is not None])
        bought = claim_name(runtime, once, jobs, timeout=options.timeout, wait=wait)
        if bought is not None:
            with _write_gallery(page, prompt, bought.jobs) as on_end:
                outcomes = collect_jobs(runtime, bought.jobs, options, wait=wait, on_end=on_end)
            if bought.error is not None:
                runtime.output.error(bought.error)
                outcomes.append(Outcome(job=None, error=bought.error))
            return outcomes
    limits = check_limits(runtime, jobs, run=context.run, max_cost=max_cost)
    if options.save is not None:
        options.save.destination.prepare()
    tasks = [(one, replace(own, limits=limits)) for one, own in planned]
    with _write_gallery(page, prompt, [one.job for one in jobs]) as on_end:
        return submit_jobs(runtime, tasks, on_end=on_end, at_once=at_once)


def _plan_jobs(
    requests: Sequence[orders.GenerateRequest], context: orders.RunContext
) -> list[tuple[PlannedJob, RunOptions]]:
    """Return the jobs of all ``requests``, which share their seed, each with the options to run it with."""
    from flux_cli.runs.runner import RunOptions  # noqa: PLC0415 - after the options are checked

    seed, first = orders.choose_seed(requests, context), 1
    planned: list[tuple[PlannedJob, RunOptions]] = []
    for request in requests:
        options = RunOptions(save=request.save, timeout=request.timeout)
        planned += [(one, options) for one in orders.plan(request, context, seed=seed, first=first)]
        first += request.count
    return planned


def _write_gallery(page: GalleryFile | None, prompt: str, jobs: Sequence[Job]) -> AbstractContextManager[OnEnd]:
    """Return a context that takes the outcomes of ``jobs``, and writes them to the ``page``, if any, at its end."""
    return nullcontext(lambda _jobs, _error: None) if page is None else page.collect(prompt, jobs)
