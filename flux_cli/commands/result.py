"""``flux result``: save the images of finished jobs."""

from __future__ import annotations

from typing import Annotated

import typer

from flux_cli.commands import options
from flux_cli.errors import FluxError, UsageError
from flux_cli.jobs import Job
from flux_cli.runtime import Place, Runtime


def result(
    ctx: typer.Context,
    jobs: options.Jobs = None,
    output: options.OutputOption = None,
    wait: Annotated[
        bool, typer.Option("--wait", metavar="", help="Wait for jobs that are not finished.", show_default=False)
    ] = False,
    all_jobs: Annotated[
        bool,
        typer.Option(
            "--all", metavar="", help="Every succeeded job whose images were never saved.", show_default=False
        ),
    ] = False,
    url: Annotated[
        bool, typer.Option("--url", metavar="", help="Print the links; save nothing.", show_default=False)
    ] = False,
    provider: options.ProviderOption = None,
    overwrite: options.Overwrite = False,
    format: options.Format = None,  # noqa: A002 - the option's name
    timeout: options.Timeout = None,
    config: options.Config = None,
    json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    sandbox: options.Sandbox = False,
) -> int:
    """Save the images of finished jobs, and print their paths.

    What was saved before and is still there is not downloaded again.
    """
    runtime = options.runtime_of(ctx)
    if bool(jobs) == all_jobs:
        raise UsageError("say which jobs: JOB..., or --all", hint="`flux result @1` is the latest run")
    if timeout is not None and not wait:
        raise UsageError("--timeout says how long --wait waits: it does not go without", hint="add --wait")
    if all_jobs and provider is not None:
        raise UsageError("--provider says where an id belongs: it does not go with --all", hint="leave it out")
    wanted = options.checked_format(format)
    configured = runtime.settings.generate
    seconds = options.checked_timeout(timeout, configured.get("timeout"))
    found = options.find_jobs(runtime, jobs, provider) if jobs else runtime.ledger.uncollected(sandbox=runtime.sandbox)
    if url:
        return _print_links(runtime, found)
    place = _place(runtime, found, output, overwrite=overwrite, wanted=wanted)
    from flux_cli.commands.errand import Terms, fetch  # noqa: PLC0415 - not for --url

    return fetch(runtime, found, Terms(place=place, timeout=seconds), wait=wait)


def _place(runtime: Runtime, jobs: list[Job], output: str | None, *, overwrite: bool, wanted: str | None) -> Place:
    from flux_cli.downloads import Destination, agree  # noqa: PLC0415 - not for --url

    count = sum(max(len(job.images), job.count) for job in jobs)
    configured = runtime.settings.generate.get("output") or runtime.settings.output
    destination = Destination.parse(configured if output is None else output, overwrite=overwrite, count=max(count, 1))
    if destination.kind == "stdout":
        options.check_stdout(runtime)
    place = Place(
        destination=destination, format=agree(destination, wanted), anew=output is not None or wanted is not None
    )
    destination.prepare()
    return place


def _print_links(runtime: Runtime, jobs: list[Job]) -> int:
    """Print where each image can be had, from the newest answer that there is. Return the exit code."""
    outcomes: list[FluxError | None] = []
    for known in jobs:
        try:
            job = runtime.engine.refresh(known)
            options.require(job, "succeeded")
        except FluxError as error:
            outcomes.append(error)
            runtime.output.error(error, known)
        else:
            outcomes.append(None)
            links = [image.url for image in job.images if image.url]
            runtime.output.links(job, links)
    return options.verdict(outcomes)
