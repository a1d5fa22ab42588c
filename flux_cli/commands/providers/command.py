"""Define ``flux providers``: show what each provider offers and costs, and check keys."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from flux_cli import providers as registry
from flux_cli.commands import options
from flux_cli.commands.providers import facts
from flux_cli.commands.providers.check import check_providers, key_source
from flux_cli.errors import UsageError
from flux_cli.providers.base import Provider
from flux_cli.providers.fit import find_model
from flux_cli.runtime import Runtime
from flux_cli.text import listed, shell_word


def providers(
    ctx: typer.Context,
    provider: Annotated[
        str | None,
        typer.Argument(
            metavar="PROVIDER",
            show_default=False,
            help=options.PROVIDER_HELP,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            metavar="NAME",
            help="Only this model: its price, options or schema.",
            show_default=False,
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", metavar="", help="Check the keys and this machine.", show_default=False),
    ] = False,
    config: options.Config = None,
    json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    sandbox: options.Sandbox = False,
) -> int:
    """Show what each provider offers, what it costs, and whether its key is set.

    With a PROVIDER, list its models; with a model too, its options.
    """
    runtime = options.runtime_of(ctx)
    chosen = [registry.load(provider)] if provider else registry.load_all()
    if model is not None:
        chosen = _hosts_of(runtime, chosen, model)
    if check:
        return check_providers(runtime, chosen, named=provider is not None, model=model)
    if provider:
        _describe(runtime, chosen[0], model)
        return 0
    _list(runtime, chosen, model or registry.DEFAULT_MODEL)
    return 0


def _hosts_of(runtime: Runtime, chosen: list[Provider], word: str) -> list[Provider]:
    """Return the providers that host a model. Raises `UsageError` if there are none."""
    own = runtime.settings.models
    base = registry.canonical_name(own[word].base if word in own else word)
    found = [one for one in chosen if base in one.models]
    if not found:
        find_model(chosen[0], word, own)  # raises, unless it is an id of the provider's own
        message = f"flux knows nothing about {word!r}"
        raise UsageError(
            message, hint=f"`flux models {shell_word(word)} -p {chosen[0].name}` shows what the provider publishes"
        )
    return found


def _list(runtime: Runtime, chosen: list[Provider], word: str) -> None:
    """Print a row for each provider, with the price of the model ``word``."""
    history = runtime.ledger.history(sandbox=runtime.sandbox)
    rows, data = [], []
    for one in chosen:
        seen = history.get(one.name)
        median = f"{seen.median:.0f} s" if seen and seen.median is not None else "-"
        failed = f"{100 * seen.failures / seen.jobs:.0f} %" if seen and seen.jobs else "-"
        key = key_source(runtime, one)
        prices = {name: facts.find_price(runtime, one, found) for name, found in one.models.items()}
        shown = _shown_price(runtime, one, word)
        cancel = (one.cancel_note or "yes") if one.cancel else "no"
        rows.append(
            (one.name, str(len(one.models)), f"set ({key})" if key else "missing", shown, cancel, median, failed)
        )
        data.append(
            {
                "provider": one.name,
                "models": list(one.models),
                "prices": {name: facts.amount(price) for name, price in prices.items()},
                "price_sources": {name: price.source if price else None for name, price in prices.items()},
                "cancel": one.cancel is not None,
                "key": key,
                "median_seconds": seen.median if seen else None,
                "failures": seen.failures if seen else 0,
                "jobs": seen.jobs if seen else 0,
            }
        )
    runtime.output.table(("PROVIDER", "MODELS", "KEY", "PRICE", "CANCEL", "MEDIAN", "FAILED"), rows, data)


def _shown_price(runtime: Runtime, provider: Provider, word: str) -> str:
    """Return the name and the price of a model, for people."""
    base = registry.canonical_name(word)
    if base is not None and base not in provider.models:
        return "-"
    found = find_model(provider, word, runtime.settings.models)
    return f"{registry.alias(found.name)} {facts.amount(facts.find_price(runtime, provider, found)) or 'unknown'}"


def _describe(runtime: Runtime, provider: Provider, word: str | None) -> None:
    """List the models of one provider, or show every option of one of them."""
    reserved = listed(provider.reserved_fields)
    about = [
        ("provider", f"{provider.title} ({provider.docs})"),
        ("address", (None if runtime.sandbox else runtime.settings.base_url(provider.name)) or provider.base_url),
        (
            "key",
            key_source(runtime, provider)
            or f"missing: set {provider.key_variables[0]}, created in {provider.key_page}",
        ),
        ("cancel", (provider.cancel_note or "yes") if provider.cancel else "not offered"),
        ("upload", provider.upload_note or "none: a local file goes with the request"),
        ("--param", "any other field of the request body" + (f" except {reserved}" if reserved else "")),
    ]
    about += [(f"--param {path}", note) for path, note in provider.param_notes.items()]
    chosen = [find_model(provider, word, runtime.settings.models)] if word else list(provider.models.values())
    sections: dict[str, list[tuple[str, ...]]] = {}
    listing: list[dict[str, Any]] = []
    for model in chosen:
        price = facts.find_price(runtime, provider, model)
        cost = (facts.amount(price) or "price unknown", *((price.source, price.date) if price else ()))
        about.append((model.name, ", ".join(part for part in (facts.slugs(model), *cost, model.note) if part)))
        rows = facts.table(model)
        if word:
            sections[model.name] = rows
        names = ("option", "accepts", "default", "field", "note")
        option_data = [dict(zip(names, row, strict=True)) for row in rows]
        listing.append(
            {
                "model": model.name,
                "slug": model.slug,
                "note": model.note,
                "price": facts.amount(price),
                "price_source": price.source if price else None,
                "price_date": (price.date or None) if price else None,
                "options": option_data,
            }
        )
    if any(facts.DOUBT in one for line in about for one in line[1].split()):
        about.append((facts.DOUBT, facts.LEGEND))
    head = ("OPTION", "ACCEPTS", "DEFAULT", "FIELD", "NOTE")
    runtime.output.listing(about, head, sections, {"provider": provider.name, "models": listing})
