"""``flux generate``: make images, wait, save them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import typer

from flux_cli import orders, providers
from flux_cli.commands import options, wishes
from flux_cli.commands.demand import Asked, Demand, demanded
from flux_cli.errors import UsageError
from flux_cli.orders import Purchase
from flux_cli.runtime import Runtime


def generate(
    ctx: typer.Context,
    prompt: wishes.Prompt = None,
    provider: options.ProviderOption = None,
    model: wishes.Model = None,
    output: options.OutputOption = None,
    aspect_ratio: wishes.AspectRatio = None,
    count: wishes.Count = None,
    seed: wishes.Seed = None,
    size: wishes.Size = None,
    raw: wishes.Raw = None,
    image: wishes.Picture = None,
    image_strength: wishes.ImageStrength = None,
    format: options.Format = None,  # noqa: A002 - the option's name
    quality: wishes.Quality = None,
    upsample_prompt: wishes.UpsamplePrompt = None,
    safety_tolerance: wishes.SafetyTolerance = None,
    check_content: wishes.CheckContent = None,
    overwrite: options.Overwrite = False,
    no_wait: wishes.NoWait = False,
    timeout: options.Timeout = None,
    dry_run: wishes.DryRun = False,
    once: wishes.Once = None,
    fallback: wishes.Fallback = None,
    webhook: wishes.Webhook = None,
    metadata: wishes.Metadata = None,
    param: wishes.Param = None,
    config: options.Config = None,
    json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    sandbox: options.Sandbox = False,
) -> int:
    """Make images, wait for them, save them.

    Prints the path of each saved image on stdout, and nothing else there.
    """
    runtime = options.runtime_of(ctx)
    typed = {
        "aspect_ratio": aspect_ratio,
        "size": size,
        "seed": seed,
        "raw": raw,
        "image": image,
        "image_strength": image_strength,
        "format": options.checked_format(format),
        "quality": quality,
        "upsample_prompt": upsample_prompt,
        "safety_tolerance": safety_tolerance,
        "check_content": check_content,
        "webhook": webhook,
        "metadata": orders.pairs(metadata, "--metadata") if metadata else None,
    }
    asked = Asked(
        prompt=_prompt(runtime, prompt),
        provider=provider,
        model=model,
        options={name: value for name, value in typed.items() if value is not None},
        extra=orders.params(param) if param else {},
        count=count,
        output=output,
        overwrite=overwrite,
        no_wait=no_wait,
        timeout=timeout,
        fallback=fallback,
        once=once,
    )
    demand = demanded(runtime, asked)
    return _rehearse(runtime, demand) if dry_run else _buy(runtime, demand)


def _prompt(runtime: Runtime, typed: str | None) -> str:
    if typed is None:
        raise UsageError("a prompt is needed", hint='`flux generate "a red fox in the snow"`; - reads it from stdin')
    if typed != "-":
        return typed
    try:
        return runtime.stdin.read().rstrip("\r\n")
    except UnicodeDecodeError:
        raise UsageError("the prompt on stdin is not valid UTF-8", hint=orders.NOT_UTF8) from None


def _rehearse(runtime: Runtime, demand: Demand) -> int:
    """Print what would be sent, as curl. Return the exit code."""
    from flux_cli import curl  # noqa: PLC0415 - only here
    from flux_cli.engine import rehearse  # noqa: PLC0415

    configured = None if runtime.sandbox else runtime.settings.base_url(demand.provider.name)
    base_url = configured or demand.provider.base_url
    requests = [request for purchase in demand.purchases for request in rehearse(demand.provider, purchase.order)]
    lines = [curl.line(demand.provider, request, base_url=base_url) for request in requests]
    told = [curl.data(demand.provider, request, base_url=base_url) for request in requests]
    runtime.output.lines(lines, {"requests": told})
    return 0


def _buy(runtime: Runtime, demand: Demand) -> int:
    """Submit, wait and save. Return the exit code."""
    from flux_cli.commands.errand import Errand  # noqa: PLC0415 - only where something is sent
    from flux_cli.engine import rehearse  # noqa: PLC0415

    errand = Errand(runtime, place=demand.place, timeout=demand.timeout)
    for purchase in _all(demand.purchases):
        rehearse(providers.load(purchase.job.provider), purchase.order)
    for provider in (demand.provider, *demand.others):
        runtime.wire.channel(provider, sandbox=runtime.sandbox)
    if demand.once is not None:
        from flux_cli.commands.once import earlier  # noqa: PLC0415 - only here

        jobs = earlier(runtime, demand.once, demand.purchases, timeout=demand.timeout)
        if jobs is not None:
            return errand.fetch(jobs, wait=True)
    if demand.place is not None:
        demand.place.destination.prepare()
    return errand.buy(demand.purchases)


def _all(purchases: Iterable[Purchase]) -> Iterator[Purchase]:
    """Yield every job that may come to be submitted."""
    for purchase in purchases:
        yield purchase
        yield from _all(purchase.instead)
