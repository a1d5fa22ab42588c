"""``flux generate``: make images, wait, save them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flux_cli import orders, providers
from flux_cli.commands import options
from flux_cli.errors import AuthError, UsageError
from flux_cli.providers.checks import spelled
from flux_cli.runtime import Place, Runtime
from flux_cli.text import listed

if TYPE_CHECKING:
    from flux_cli.orders import Purchase
    from flux_cli.providers.base import Provider


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What was typed."""

    prompt: str
    provider: str | None
    model: str | None
    options: dict[str, Any]
    """Those that a provider may or may not honour, by long name."""
    extra: dict[str, Any]
    count: int | None
    output: str | None
    overwrite: bool
    no_wait: bool
    timeout: float | None


def generate(
    ctx: typer.Context,
    prompt: Annotated[
        str | None,
        typer.Argument(
            metavar="[PROMPT]",
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
    )
    demand = _demand(runtime, asked)
    return _rehearse(runtime, demand) if dry_run else _buy(runtime, demand)


def _prompt(runtime: Runtime, typed: str | None) -> str:
    if typed is None:
        raise UsageError("a prompt is needed", hint='`flux generate "a red fox in the snow"`; - reads it from stdin')
    if typed != "-":
        return typed
    try:
        return runtime.stdin.read().rstrip("\r\n")
    except UnicodeDecodeError:
        raise UsageError("the prompt on stdin is not valid UTF-8") from None


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What is left once everything was checked: jobs, and where their images go."""

    provider: Provider
    purchases: list[Purchase]
    place: Place | None
    """``None`` where nobody waits."""
    timeout: float


def _demand(runtime: Runtime, asked: Asked) -> Demand:
    """Join what was typed with the config, and check all of it. Raises `UsageError` or `AuthError`; nothing is sent."""
    from flux_cli.downloads import Destination, agree  # noqa: PLC0415 - not for --help

    configured = runtime.settings.generate
    if asked.no_wait and (asked.output is not None or asked.timeout is not None or asked.overwrite):
        hint = "give -o and --timeout to `flux result --wait`"
        raise UsageError("--no-wait leaves before there is an image to save", hint=hint)
    saves = asked.output is not None or asked.timeout is not None or asked.overwrite
    no_wait = asked.no_wait or (bool(configured.get("no_wait")) and not saves)
    timeout = options.checked_timeout(asked.timeout, configured.get("timeout"))
    count = asked.count if asked.count is not None else configured.get("count", 1)
    where = asked.output or configured.get("output") or runtime.settings.output
    overwrite = asked.overwrite or bool(configured.get("overwrite"))
    destination = Destination.parse(where, overwrite=overwrite, count=count)
    if destination.kind == "stdout":
        options.check_stdout(runtime)
    typed = dict(asked.options)
    if (wanted := agree(destination, typed.get("format"))) is not None:
        typed["format"] = wanted
    provider = choose_provider(runtime, asked.provider)
    word = asked.model or configured.get("model") or providers.DEFAULT_MODEL
    model, left_out = orders.choose_model(provider, word, typed=asked.model is not None)
    wish = orders.Wish(
        prompt=asked.prompt,
        options={name: value for name, value in configured.items() if name in orders.IMAGE_OPTIONS} | typed,
        typed=frozenset(typed),
        extra={**configured.get("param", {}), **asked.extra},
        count=count,
        wait=not no_wait,
    )
    purchases, fit = orders.plan(wish, provider, model, runtime.origin())
    for note in fit.notes:
        runtime.output.note(note)
    if left_out:
        runtime.output.note(f"{left_out}, so the model of the config is left out: {model.name} is used")
    if fit.skipped:
        names = listed([spelled(name) for name in fit.skipped])
        runtime.output.note(f"left out, because {provider.name} cannot honour it: {names} of the config")
    place = None if no_wait else Place(destination=destination, format=fit.params.options.get("format"))
    return Demand(provider=provider, purchases=purchases, place=place, timeout=timeout)


def choose_provider(runtime: Runtime, typed: str | None) -> Provider:
    """Return the provider that was typed, or is configured, or is the only one with a key; in the sandbox else runware.

    Raises `UsageError` where several have a key, `AuthError` where none has.
    """
    name = typed or runtime.settings.default_provider
    if name is not None:
        return providers.load(name)
    if runtime.sandbox:
        return providers.load("runware")
    known = [providers.load(name) for name in providers.NAMES]
    ready = [provider for provider in known if runtime.settings.key_source(provider) is not None]
    if len(ready) == 1:
        return ready[0]
    if ready:
        names = listed([provider.name for provider in ready])
        raise UsageError(
            f"{names} have a key: say which one is meant",
            hint=f"`-p {ready[0].name}`, or for always `flux config set default_provider {ready[0].name}`",
        )
    raise AuthError(
        "no provider has a key yet",
        hint='`flux config init` sets one up; `flux generate --sandbox "a red fox"` works without',
    )


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

    for purchase in demand.purchases:
        rehearse(demand.provider, purchase.order)
    runtime.wire.channel(demand.provider, sandbox=runtime.sandbox)
    if demand.place is not None:
        demand.place.destination.prepare()
    return Errand(runtime, place=demand.place, timeout=demand.timeout).buy(demand.purchases)
