"""``flux generate``: make images, wait, save them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated

import typer

from flux_cli import orders, providers
from flux_cli.commands import options
from flux_cli.commands.demand import Asked, Demand, demanded
from flux_cli.errors import UsageError
from flux_cli.orders import Purchase
from flux_cli.runtime import Runtime


def generate(
    ctx: typer.Context,
    prompt: Annotated[
        str | None,
        typer.Argument(
            metavar="PROMPT",
            show_default=False,
            help="The text; - reads it from stdin. After -- it may start with a dash.",
        ),
    ] = None,
    provider: options.ProviderOption = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            metavar="NAME",
            help="pro or ultra (the default).",
            show_default=False,
            autocompletion=lambda: [*providers.MODELS, *providers.MODELS.values()],
        ),
    ] = None,
    output: options.OutputOption = None,
    aspect_ratio: Annotated[
        str | None,
        typer.Option("--aspect-ratio", "-a", metavar="W:H", help="Such as 16:9, 1:1 or 9:16.", show_default=False),
    ] = None,
    count: Annotated[
        int | None, typer.Option("--count", "-n", metavar="N", help="Images, 1 to 20.", show_default=False)
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", "-s", metavar="INT", help="The same number, the same image.", show_default=False),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            "--size",
            metavar="WxH",
            help="Pixels, where the provider takes them.",
            show_default=False,
            rich_help_panel="Image",
        ),
    ] = None,
    raw: Annotated[
        bool | None,
        typer.Option("--raw/--no-raw", metavar="", help="Less processed.", show_default=False, rich_help_panel="Image"),
    ] = None,
    image: Annotated[
        str | None,
        typer.Option(
            "--image", "-i", metavar="PATH|URL", help="An image prompt.", show_default=False, rich_help_panel="Image"
        ),
    ] = None,
    image_strength: Annotated[
        float | None,
        typer.Option(
            "--image-strength",
            metavar="0..1",
            help="How much the image prompt counts.",
            show_default=False,
            rich_help_panel="Image",
        ),
    ] = None,
    format: options.Format = None,  # noqa: A002 - the option's name
    quality: Annotated[
        int | None,
        typer.Option(
            "--quality", metavar="INT", help="Of the compression.", show_default=False, rich_help_panel="Image"
        ),
    ] = None,
    upsample_prompt: Annotated[
        bool | None,
        typer.Option(
            "--upsample-prompt/--no-upsample-prompt",
            metavar="",
            help="Let the provider enrich the prompt.",
            show_default=False,
            rich_help_panel="Image",
        ),
    ] = None,
    safety_tolerance: Annotated[
        int | None,
        typer.Option(
            "--safety-tolerance", metavar="0..6", help="0 is strictest.", show_default=False, rich_help_panel="Image"
        ),
    ] = None,
    check_content: Annotated[
        bool | None,
        typer.Option(
            "--check-content",
            metavar="",
            help="Ask for the provider's NSFW check.",
            show_default=False,
            rich_help_panel="Image",
        ),
    ] = None,
    overwrite: options.Overwrite = False,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", metavar="", help="Submit, print the id, leave.", show_default=False)
    ] = False,
    timeout: options.Timeout = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", metavar="", help="Print the requests as curl; send nothing.", show_default=False),
    ] = False,
    once: Annotated[
        str | None,
        typer.Option(
            "--once",
            metavar="NAME",
            help="Buy at most once under this name; used again, print those images.",
            show_default=False,
        ),
    ] = None,
    fallback: Annotated[
        str | None,
        typer.Option(
            "--fallback",
            metavar="P1,P2",
            help="Where to go when the provider accepted nothing.",
            show_default=False,
            rich_help_panel="Provider",
        ),
    ] = None,
    webhook: Annotated[
        str | None,
        typer.Option(
            "--webhook",
            metavar="URL",
            help="Where the provider reports the end.",
            show_default=False,
            rich_help_panel="Provider",
        ),
    ] = None,
    metadata: Annotated[
        list[str] | None,
        typer.Option(
            "--metadata",
            metavar="KEY=VALUE",
            help="Labels kept with the job (repeat).",
            show_default=False,
            rich_help_panel="Provider",
        ),
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            "-P",
            metavar="PATH=VALUE",
            help="Any other field of the provider's request (repeat).",
            show_default=False,
            rich_help_panel="Provider",
        ),
    ] = None,
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
