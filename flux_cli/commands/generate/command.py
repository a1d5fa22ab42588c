"""``flux generate``: make images, wait, save them."""

from __future__ import annotations

from typing import Any

import typer

from flux_cli.commands import options
from flux_cli.commands.generate import options as flags


@flags.add_image_options
def generate(
    ctx: typer.Context,
    prompt: flags.Prompt = None,
    provider: flags.Providers = None,
    model: flags.Models = None,
    output: options.OutputOption = None,
    count: flags.Count = None,
    like: flags.Like = None,
    preset: flags.Preset = None,
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
    from flux_cli.commands.generate.request import TypedOptions  # noqa: PLC0415 - not for --help
    from flux_cli.commands.generate.run import run_generate  # noqa: PLC0415 - as above

    line = TypedOptions(
        prompt=prompt,
        options=flags.parse_image_options(typed),
        extra=flags.parse_params(param or []),
        count=count,
        output=output,
        overwrite=overwrite,
        no_wait=no_wait,
        timeout=timeout,
        fallback=fallback,
        once=once,
        embed=embed,
        preset=preset,
    )
    return run_generate(
        options.runtime_of(ctx),
        line,
        provider_names=provider or [],
        model_names=model or [],
        like=like,
        preview=preview,
        print0=print0,
        dry_run=dry_run,
        batch=batch,
        jobs=jobs,
        resume=resume,
        again=again,
        gallery=gallery,
        max_cost=max_cost,
    )
