"""Define ``flux providers``: show what each provider offers and costs, and check keys."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from flux_cli import providers as registry
from flux_cli.commands import options
from flux_cli.commands.providers.check import check_providers, key_source
from flux_cli.providers.base import USD, Model, Price, Provider
from flux_cli.providers.fit import flag_name
from flux_cli.runtime import Runtime
from flux_cli.text import listed


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

    With a PROVIDER, show its options with their ranges, defaults and field names.
    """
    runtime = options.runtime_of(ctx)
    chosen = [registry.load(provider)] if provider else [registry.load(name) for name in registry.NAMES]
    if check:
        return check_providers(runtime, chosen, named=provider is not None)
    if provider:
        _describe(runtime, chosen[0])
        return 0
    history = runtime.ledger.history(sandbox=runtime.sandbox)
    rows, data = [], []
    for one in chosen:
        seen = history.get(one.name)
        median = f"{seen.median:.0f} s" if seen and seen.median is not None else "-"
        failed = f"{100 * seen.failures / seen.jobs:.0f} %" if seen and seen.jobs else "-"
        key = key_source(runtime, one)
        models = [registry.alias(name) for name in one.models]
        prices = {name: _price(runtime, one, name) for name in one.models}
        known = [f"{registry.alias(name)} {_amount(price)}" for name, price in prices.items() if price]
        shown = ", ".join(known) or "unknown"
        cancel = (one.cancel_note or "yes") if one.cancel else "no"
        rows.append((one.name, " ".join(models), f"set ({key})" if key else "missing", shown, cancel, median, failed))
        data.append(
            {
                "provider": one.name,
                "models": list(one.models),
                "prices": {name: _amount(price) for name, price in prices.items()},
                "price_sources": {name: price.source if price else None for name, price in prices.items()},
                "cancel": one.cancel is not None,
                "key": key,
                "median_seconds": seen.median if seen else None,
                "failures": seen.failures if seen else 0,
                "jobs": seen.jobs if seen else 0,
            }
        )
    runtime.output.table(("PROVIDER", "MODELS", "KEY", "PRICE", "CANCEL", "MEDIAN", "FAILED"), rows, data)
    return 0


def _price(runtime: Runtime, provider: Provider, model: str) -> Price | None:
    """Return what an image costs, in USD where that is known, else in the host's credits if it told so."""
    return runtime.price(provider.name, model) or runtime.prices.reported.find(provider.name, model)


def _amount(price: Price | None) -> str | None:
    """Return what an image costs, for people, or ``None`` if it is unknown."""
    if price is None:
        return None
    return f"${price.amount:g}" if price.currency == USD else f"{price.amount:g} {price.currency}"


def _describe(runtime: Runtime, provider: Provider) -> None:
    """Show every option of one provider, model by model."""
    facts = [
        ("provider", f"{provider.title} ({provider.docs})"),
        ("address", (None if runtime.sandbox else runtime.settings.base_url(provider.name)) or provider.base_url),
        (
            "key",
            key_source(runtime, provider)
            or f"missing: set {provider.key_variables[0]}, created in {provider.key_page}",
        ),
        ("cancel", (provider.cancel_note or "yes") if provider.cancel else "not offered"),
        ("upload", provider.upload_note or "no local files"),
        ("--param", f"any other field of the request body; {listed(provider.reserved_fields)} are filled in by flux"),
    ]
    facts += [(f"--param {path}", note) for path, note in provider.param_notes.items()]
    sections: dict[str, list[tuple[str, ...]]] = {}
    listing: list[dict[str, Any]] = []
    for model in provider.models.values():
        price = _price(runtime, provider, model.name)
        cost = (_amount(price) or "price unknown", *((price.source, price.date) if price else ()))
        facts.append((model.name, ", ".join(word for word in (model.slug, *cost, model.note) if word)))
        rows = _options(model)
        sections[model.name] = rows
        names = ("option", "accepts", "default", "field", "note")
        option_data = [dict(zip(names, row, strict=True)) for row in rows]
        listing.append(
            {
                "model": model.name,
                "slug": model.slug,
                "note": model.note,
                "price": _amount(price),
                "price_source": price.source if price else None,
                "price_date": (price.date or None) if price else None,
                "options": option_data,
            }
        )
    head = ("OPTION", "ACCEPTS", "DEFAULT", "FIELD", "NOTE")
    runtime.output.listing(facts, head, sections, {"provider": provider.name, "models": listing})


def _options(model: Model) -> list[tuple[str, ...]]:
    """Return every option of a model: how it is typed, its values, the default, the provider's name, a note."""
    low, high = model.prompt_length
    length = f"{low} to {high} characters" if high else f"{low} or more characters"
    count = f"1 to {model.max_images} in one job" if model.max_images > 1 else "1 to 20, a job each"
    return [
        ("PROMPT", length, "-", model.prompt_field, ""),
        ("--count", count, "1", model.count_field or "-", ""),
        *(
            (flag_name(name), option.accepts, option.default or "-", option.field or "-", option.note)
            for name, option in model.options.items()
        ),
    ]
