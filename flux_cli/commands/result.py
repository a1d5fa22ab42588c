"""``flux result``: save the images of finished jobs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from flux_cli.commands import options
from flux_cli.commands import show as seeing
from flux_cli.errors import FluxError, PendingError, ProtocolError, UnavailableError, UsageError
from flux_cli.jobs import Job
from flux_cli.runs.active import list_unsettled, refresh_jobs
from flux_cli.runs.outcome import exit_code_for, require_status
from flux_cli.runs.save import SaveOptions
from flux_cli.runs.workers import AT_ONCE, MOST_AT_ONCE
from flux_cli.runtime import Runtime


def result(
    ctx: typer.Context,
    jobs: options.Jobs = None,
    output: options.OutputOption = None,
    wait: Annotated[
        bool, typer.Option("--wait", metavar="", help="Wait for jobs that are not finished.", show_default=False)
    ] = False,
    all_jobs: Annotated[
        bool,
        typer.Option("--all", metavar="", help="Check every job, save what was never saved.", show_default=False),
    ] = False,
    url: Annotated[
        bool, typer.Option("--url", metavar="", help="Print the links and save nothing.", show_default=False)
    ] = False,
    open_: Annotated[
        bool, typer.Option("--open", metavar="", help="Show them in the system's viewer.", show_default=False)
    ] = False,
    print0: options.Print0 = False,
    preview: options.Preview = None,
    provider: options.ProviderOption = None,
    overwrite: options.Overwrite = False,
    format: options.Format = None,  # noqa: A002 - the option's name
    embed: options.Embed = None,
    timeout: options.Timeout = None,
    config: options.Config = None,
    json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    sandbox: options.Sandbox = False,
) -> int:
    """Save the images of finished jobs, and print their paths.

    What was saved before and is still there is not downloaded again, unless it is wanted otherwise.
    """
    runtime = options.runtime_of(ctx)
    if bool(jobs) == all_jobs:
        raise UsageError("give at least one JOB, or --all", hint="`flux result @1` is the latest run")
    if timeout is not None and not wait:
        raise UsageError("--timeout only works together with --wait", hint="add --wait")
    if all_jobs and provider is not None:
        raise UsageError("--provider cannot be combined with --all", hint="leave it out")
    if url and wait:
        raise UsageError("--url cannot be combined with --wait", hint="`flux result --wait JOB` first, then --url")
    if url and (open_ or preview):
        raise UsageError("--url saves no image, so there is none to show", hint="leave out --url")
    options.check_print0(runtime)
    seeing.check_preview(runtime, preview, output=output)
    command = seeing.find_viewer(runtime, output) if open_ else None
    wanted = options.check_format(format)
    configured = runtime.settings.generate
    seconds = options.check_timeout(timeout, configured.get("timeout"))
    ends: list[FluxError | None] = []
    if jobs:
        found, at_once = options.find_jobs(runtime, jobs, provider), AT_ONCE
    else:
        if not url:  # what was typed wrong is said before anything is asked
            _save_options(runtime, [], output, overwrite=overwrite, wanted=wanted, embed=embed)
        found, ends = _find_due(runtime, wait=wait)
        waited = sum(job.status != "succeeded" for job in found)
        at_once = min(AT_ONCE + waited, MOST_AT_ONCE)  # a job that takes long is in no other's way
    if url:
        ends += _print_links(runtime, found)
        return _exit_code(ends) if all_jobs else exit_code_for(ends)
    place = _save_options(runtime, found, output, overwrite=overwrite, wanted=wanted, embed=embed)
    from flux_cli.runs.runner import RunOptions, collect_jobs  # noqa: PLC0415 - not for --url

    terms = RunOptions(place=place, timeout=seconds, on_end=lambda _, error: ends.append(error))
    code = collect_jobs(runtime, found, terms, wait=wait, at_once=at_once)
    seeing.show_images(runtime)
    if command is not None:
        seeing.open_images(runtime, command)
    return _exit_code(ends) if all_jobs else code


def _find_due(runtime: Runtime, *, wait: bool) -> tuple[list[Job], list[FluxError | None]]:
    """Ask about every job that is not finished. Return all that have unsaved images, or will have if we ``wait``.

    What becomes of the others is told here, and returned as errors. Finished jobs come first.
    """
    asked = list_unsettled(runtime)
    waited: list[Job] = []
    ends: list[FluxError | None] = []
    answers = refresh_jobs(runtime, asked)
    for job, answer in zip(asked, answers, strict=True):
        now = job if isinstance(answer, FluxError) else answer
        lasting = isinstance(answer, FluxError) and not isinstance(answer, UnavailableError | ProtocolError)
        if wait and not lasting and (now.active or (now.status == "unknown" and now.remote_id is not None)):
            waited.append(now)
            continue
        try:
            if isinstance(answer, FluxError):
                raise answer
            require_status(now, "succeeded")
        except FluxError as error:
            ends.append(error)
            runtime.output.error(error, now, where=f"job {job.id}")
    fresh = {job.id: job for job in answers if isinstance(job, Job)}  # with the bytes that came with an answer
    unsaved = [fresh.get(job.id, job) for job in runtime.ledger.unsaved(sandbox=runtime.sandbox)]
    found = [*unsaved, *waited]
    if not found and not ends:
        options.note_nothing(runtime, "no job has unsaved images")
    return found, ends


def _exit_code(ends: Sequence[FluxError | None]) -> int:
    """Return the exit code of ``--all``: where all that is missing is still under way, it says so and nothing else."""
    failed = [error for error in ends if error is not None]
    return exit_code_for(failed if all(isinstance(error, PendingError) for error in failed) else ends)


def _save_options(
    runtime: Runtime, jobs: list[Job], output: str | None, *, overwrite: bool, wanted: str | None, embed: bool | None
) -> SaveOptions:
    from flux_cli.saving.saver import Destination, resolve_format  # noqa: PLC0415 - not for --url

    count = sum(max(len(job.images), job.count) for job in jobs)
    configured = runtime.settings.generate
    where = output if output is not None else configured.get("output") or runtime.settings.output
    destination = Destination.parse(where, overwrite=overwrite, count=max(count, 1))
    if destination.kind == "stdout":
        options.check_stdout(runtime)
    place = SaveOptions(
        destination=destination,
        format=resolve_format(destination, wanted),
        save_again=output is not None
        or wanted is not None
        or (embed is not None and _embedding_differs(jobs, embed=embed)),
        embed=embed if embed is not None else configured.get("embed", True),
    )
    destination.prepare()
    return place


def _embedding_differs(jobs: list[Job], *, embed: bool) -> bool:
    """Whether one of the images that are saved has a story where none is wanted, or the other way round."""
    from flux_cli.images.embed import read  # noqa: PLC0415 - only here

    paths = [Path(image.path) for job in jobs for image in job.images if image.path is not None]
    with suppress(OSError):  # what cannot be read is left as it is
        return any((read(path) is not None) != embed for path in paths if path.is_file())
    return False


def _print_links(runtime: Runtime, jobs: list[Job]) -> list[FluxError | None]:
    """Print where each image can be had, from the newest answer that there is. Return what went wrong with each job."""
    outcomes: list[FluxError | None] = []
    for known, answer in zip(jobs, refresh_jobs(runtime, jobs), strict=True):
        try:
            if isinstance(answer, FluxError):
                raise answer
            job = answer
            require_status(job, "succeeded")
        except FluxError as error:
            outcomes.append(error)
            runtime.output.error(error, known)
        else:
            outcomes.append(None)
            links = [image.url for image in job.images if image.url]
            runtime.output.links(job, links)
    return outcomes
