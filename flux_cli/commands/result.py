"""``flux result``: save the images of finished jobs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from flux_cli.commands import options
from flux_cli.commands import show as seeing
from flux_cli.errors import FluxError, PendingError, ProtocolError, UnavailableError, UsageError
from flux_cli.jobs import Job
from flux_cli.runs.active import list_unsettled, refresh_jobs
from flux_cli.runs.outcome import exit_code_for, require_status, saved_paths
from flux_cli.runs.save import SaveOptions, find_suffix_fields
from flux_cli.runs.workers import AT_ONCE, MOST_AT_ONCE
from flux_cli.runtime import Runtime
from flux_cli.text import printable


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
    batch: Annotated[
        str | None,
        typer.Option("--batch", "-b", metavar="FILE", help="With --all: the jobs of this file.", show_default=False),
    ] = None,
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

    What was saved before and is still there is not downloaded again, unless -o, -f or --embed asks for it.
    """
    runtime = options.runtime_of(ctx)
    _check_together(jobs, all_jobs=all_jobs, batch=batch, provider=provider)
    if timeout is not None and not wait:
        raise UsageError("--timeout only works together with --wait", hint="add --wait")
    if url and wait:
        raise UsageError("--url cannot be combined with --wait", hint="`flux result --wait JOB` first, then --url")
    if url and (open_ or preview):
        raise UsageError("--url saves no image, so there is none to show", hint="leave out --url")
    options.check_print0(runtime)
    seeing.check_preview(runtime, preview, output=output)
    command = seeing.find_viewer(runtime, output) if open_ else None
    format_ = options.check_format(format)
    configured = runtime.settings.generate
    seconds = options.check_timeout(timeout, configured.get("timeout"))
    errors: list[FluxError | None] = []
    if jobs:
        found, at_once = options.find_jobs(runtime, jobs, provider), AT_ONCE
    else:
        if not url:  # usage errors come before any request
            _save_options(runtime, [], output, overwrite=overwrite, format_=format_, embed=embed)
        found, errors = _find_due(runtime, batch, wait=wait)
        waited = sum(job.status != "succeeded" for job in found)
        at_once = min(AT_ONCE + waited, MOST_AT_ONCE)  # a slow job holds up no other
    if url:
        errors += _print_links(runtime, found)
    else:
        from flux_cli.runs.runner import RunOptions, collect_jobs  # noqa: PLC0415 - not for --url

        save = _save_options(runtime, found, output, overwrite=overwrite, format_=format_, embed=embed)
        run_options = RunOptions(save=save, timeout=seconds)
        outcomes = collect_jobs(runtime, found, run_options, wait=wait, at_once=at_once)
        errors += [one.error for one in outcomes]
        paths = saved_paths(outcomes)
        seeing.show_images(runtime, paths)
        if command is not None:
            seeing.open_images(runtime, command, paths)
    return _exit_code(errors) if all_jobs else exit_code_for(errors)


def _check_together(jobs: Sequence[str] | None, *, all_jobs: bool, batch: str | None, provider: str | None) -> None:
    """Raise `UsageError` unless the options choose jobs in one way."""
    if batch is not None and not all_jobs:
        raise UsageError("--batch only works together with --all", hint="`flux result --all --batch FILE`")
    if bool(jobs) == all_jobs:
        raise UsageError("give at least one JOB, or --all", hint="`flux result @1` is the latest run")
    if all_jobs and provider is not None:
        raise UsageError("--provider cannot be combined with --all", hint="leave it out")


def _find_due(runtime: Runtime, batch: str | None, *, wait: bool) -> tuple[list[Job], list[FluxError | None]]:
    """Look at every job, or every one of a ``batch`` file, that is not finished.

    Return all that have unsaved images, or will have if we ``wait``.

    The errors of the others are printed here, and returned. Finished jobs come first.
    """
    name = None if batch is None else options.batch_name(batch)
    unsettled = list_unsettled(runtime, batch=name)
    waited: list[Job] = []
    errors: list[FluxError | None] = []
    answers = refresh_jobs(runtime, unsettled)
    for job, answer in zip(unsettled, answers, strict=True):
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
            errors.append(error)
            runtime.output.error(error, now, where=f"job {job.id}")
    fresh = {job.id: job for job in answers if isinstance(job, Job)}  # with the bytes that came with an answer
    unsaved = [fresh.get(job.id, job) for job in runtime.ledger.unsaved(sandbox=runtime.sandbox, batch=name)]
    found = [*unsaved, *waited]
    if not found and not errors:
        if batch is not None and not runtime.ledger.count(sandbox=runtime.sandbox, batch=name):
            options.note_no_batch(runtime, batch)
        else:
            of_batch = "" if batch is None else f" of {printable(batch)}"
            options.note_nothing(runtime, f"no job{of_batch} has unsaved images")
    return found, errors


def _exit_code(errors: Sequence[FluxError | None]) -> int:
    """Return the exit code of ``--all``: that of pending jobs where nothing else is missing."""
    failed = [error for error in errors if error is not None]
    return exit_code_for(failed if all(isinstance(error, PendingError) for error in failed) else errors)


def _save_options(
    runtime: Runtime, jobs: list[Job], output: str | None, *, overwrite: bool, format_: str | None, embed: bool | None
) -> SaveOptions:
    from flux_cli.saving.saver import Destination, resolve_format  # noqa: PLC0415 - not for --url

    count = sum(max(len(job.images), job.count) for job in jobs)
    configured = runtime.settings.generate
    where = output if output is not None else configured.get("output") or runtime.settings.output
    suffix_fields = _find_suffix_fields(jobs)
    destination = Destination.parse(where, overwrite=overwrite, count=max(count, 1), suffix_fields=suffix_fields)
    if destination.kind == "stdout":
        options.check_stdout(runtime)
    save = SaveOptions(
        destination=destination,
        format=resolve_format(destination, format_),
        save_again=output is not None
        or format_ is not None
        or (embed is not None and _embedding_differs(jobs, embed=embed)),
        embed=embed if embed is not None else configured.get("embed", True),
    )
    destination.prepare()
    return save


def _find_suffix_fields(jobs: list[Job]) -> tuple[str, ...]:
    """Return the fields that are added to the names of images of a comparison, as `flux generate` does."""
    pairs: dict[tuple[Any, ...], list[tuple[str, str | None]]] = defaultdict(list)
    for job in jobs:
        pairs[job.run, job.row, job.prompt].append((job.provider, job.model))
    return max((find_suffix_fields(each) for each in pairs.values()), key=len, default=())


def _embedding_differs(jobs: list[Job], *, embed: bool) -> bool:
    """Whether a saved image has metadata although ``embed`` is off, or lacks it although it is on."""
    from flux_cli.images.embed import read  # noqa: PLC0415 - only here

    paths = [Path(image.path) for job in jobs for image in job.images if image.path is not None]
    with suppress(OSError):  # what cannot be read is left as it is
        return any((read(path) is not None) != embed for path in paths if path.is_file())
    return False


def _print_links(runtime: Runtime, jobs: list[Job]) -> list[FluxError | None]:
    """Print the link of each image, from the newest answer there is. Return the error of each job."""
    errors: list[FluxError | None] = []
    for known, answer in zip(jobs, refresh_jobs(runtime, jobs), strict=True):
        try:
            if isinstance(answer, FluxError):
                raise answer
            job = answer
            require_status(job, "succeeded")
        except FluxError as error:
            errors.append(error)
            runtime.output.error(error, known)
        else:
            errors.append(None)
            links = [image.url for image in job.images if image.url]
            runtime.output.links(job, links)
    return errors
