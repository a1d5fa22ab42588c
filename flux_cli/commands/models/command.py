"""Define ``flux models``: show which model is hosted where, what it takes, and what it costs."""

from __future__ import annotations

import re
import shutil
from typing import Annotated, Any

import typer

from flux_cli import providers as registry
from flux_cli.commands import options
from flux_cli.commands.providers import facts
from flux_cli.errors import UsageError
from flux_cli.providers.base import USD, Model, Price, Provider
from flux_cli.providers.fit import find_model
from flux_cli.runtime import Runtime
from flux_cli.text import nearest

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@/+-]{0,199}")
"""What may be a provider's own id; nothing in it needs an escape in an address."""
_FIRST, _COLUMN = 20, 22
"""Cells for the names of options, and for each provider beside them."""


def models(
    ctx: typer.Context,
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL",
            show_default=False,
            help="A name, an alias, a model of your config, or a provider's own id with -p.",
        ),
    ] = None,
    provider: options.ProviderOption = None,
    config: options.Config = None,
    json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    sandbox: options.Sandbox = False,
) -> int:
    """Show which model is hosted where, and what it takes and costs.

    With a MODEL, show its options at each provider, with the provider's field names. For a provider's own id that
    flux does not know, show the fields that the provider publishes.
    """
    runtime = options.runtime_of(ctx)
    hosts = [registry.load(provider)] if provider else registry.load_all()
    if model is None:
        _list(runtime, hosts)
        return 0
    hosted = _find(runtime, hosts, model, named=provider is not None)
    if not hosted:
        _show_published(runtime, hosts[0], model)
    else:
        _compare(runtime, model, hosted)
    return 0


def _list(runtime: Runtime, hosts: list[Provider]) -> None:
    """Print a row for each model that is hosted anywhere, those of the config included."""
    rows: list[tuple[str, ...]] = []
    data: list[dict[str, Any]] = []
    for name in (*registry.MODELS, *runtime.settings.models):
        hosted = _hosting(runtime, hosts, name)
        if not hosted:
            continue
        found = [(one, facts.find_price(runtime, provider, one)) for provider, one in hosted]
        cheapest = min((price for _, price in found if price), key=_order, default=None)
        abilities = [kind for kind in facts.KINDS if any(kind in facts.kinds(one) for one, _ in found)]
        most = max(facts.most_inputs(one) for one, _ in found)
        seeds = {one.takes_seed for one, _ in found}
        seed = "yes" if seeds == {True} else "no" if seeds == {False} else "some"
        names = [provider.name for provider, _ in hosted]
        price = facts.amount(cheapest) or "unknown"
        rows.append((name, " ".join(names), price, " ".join(abilities), str(most), seed))
        data.append(
            {
                "model": name,
                "title": registry.MODELS.get(name),
                "aliases": _aliases(name),
                "providers": names,
                "price": facts.amount(cheapest),
                "kinds": abilities,
                "most_input_images": most,
                "seed": seed,
            }
        )
    runtime.output.table(("MODEL", "HOSTS", "PRICE", "KINDS", "IMAGES", "SEED"), rows, data)


def _order(price: Price) -> tuple[bool, float]:
    """Return what sorts prices: in USD first, then the lowest."""
    return price.currency != USD, facts.lowest(price)


def _aliases(name: str) -> list[str]:
    return [short for short, full in registry.ALIASES.items() if full == name]


def _hosting(runtime: Runtime, hosts: list[Provider], name: str) -> list[tuple[Provider, Model]]:
    """Return the providers that host a model of flux or of the config, with the model there."""
    own = runtime.settings.models.get(name)
    base = registry.canonical_name(own.base if own else name)
    found = [one for one in hosts if base in one.models]
    return [(one, find_model(one, name, runtime.settings.models)) for one in found]


def _find(runtime: Runtime, hosts: list[Provider], word: str, *, named: bool) -> list[tuple[Provider, Model]]:
    """Return the providers that host what ``word`` names; empty for an id that only the ``named`` one may know.

    Raises `UsageError` with a similar name, or with the providers that host it.
    """
    own = runtime.settings.models
    if word in own or registry.canonical_name(word):
        found = _hosting(runtime, hosts, word)
        if not found:
            find_model(hosts[0], word, own)  # raises
        return found
    found = [
        (host, one)
        for host in hosts
        for one in host.models.values()
        if word in {variant.slug for variant in facts.variants(one)}
    ]
    if found or (named and _ID.fullmatch(word) and ".." not in word):
        return found
    near = nearest(word, [*own, *registry.MODELS, *registry.ALIASES])
    hint = f"did you mean {near}?" if near else "`-p PROVIDER` shows what a provider publishes about an id of its own"
    message = f"there is no model {word!r}"
    raise UsageError(message, hint=hint)


def _show_published(runtime: Runtime, provider: Provider, word: str) -> None:
    """Print what a provider publishes about an id of its own. Raises `FluxError`."""
    if provider.describe is None:
        find_model(provider, word, runtime.settings.models)  # raises for anything but such an id
    found = runtime.engine.describe(provider, word, sandbox=runtime.sandbox)
    about = [("model", word), ("provider", provider.name), *found.facts.items()]
    about += [] if found.fields else [("fields", "the provider does not publish them")]
    rows = [
        (one.name, one.accepts, "yes" if one.required else "no", one.default or "-", one.note) for one in found.fields
    ]
    data = {
        "model": word,
        "provider": provider.name,
        "published": dict(found.facts),
        "fields": [
            {
                "field": one.name,
                "accepts": one.accepts,
                "required": one.required,
                "default": one.default or None,
                "note": one.note,
            }
            for one in found.fields
        ],
    }
    head = ("FIELD", "ACCEPTS", "REQUIRED", "DEFAULT", "NOTE")
    runtime.output.listing(about, head, {word: rows} if rows else {}, data)


def _compare(runtime: Runtime, word: str, hosted: list[tuple[Provider, Model]]) -> None:
    """Print a model at its providers: side by side where the terminal is wide enough, else one after the other."""
    model = hosted[0][1]
    prices = {provider.name: facts.find_price(runtime, provider, one) for provider, one in hosted}
    base = runtime.settings.models[word].base if word in runtime.settings.models else None
    data = {
        "model": model.name,
        "title": registry.MODELS.get(model.name),
        "aliases": _aliases(model.name),
        "base": base,
        "providers": [facts.describe(provider, one, prices[provider.name]) for provider, one in hosted],
    }
    title = registry.MODELS.get(model.name) or f"yours, a {base}"
    also = ", ".join(_aliases(model.name))
    heading = [("model", model.name), ("title", title), *([("also", also)] if also else [])]
    doubtful = any(one.confidence or option.confidence for _, one in hosted for _, option in facts.option_rows(one))
    head = ("OPTION", "ACCEPTS", "DEFAULT", "FIELD", "NOTE")
    if runtime.flags.json or not runtime.stdout.isatty():
        heading += [("?", facts.LEGEND)] if doubtful else []
        sections = {provider.name: _section(one, prices[provider.name]) for provider, one in hosted}
        runtime.output.listing(heading, head, sections, data)
        return
    runtime.output.listing(heading, head, {}, data)
    names = [provider.name for provider, _ in hosted]
    if _FIRST + _COLUMN * len(hosted) <= shutil.get_terminal_size().columns:
        runtime.streams.out("")
        runtime.output.table(("", *names), _beside(hosted, prices), [])
        runtime.streams.out("")
        runtime.output.table(("FIELDS", *names), _fields(hosted), [])
    else:
        for provider, one in hosted:
            runtime.streams.out("")
            runtime.output.listing([("provider", provider.name), *_summary(one, prices[provider.name])], head, {}, {})
            runtime.output.table(head, facts.table(one, brief=True), [])
    if doubtful:
        runtime.streams.out(f"\n{facts.DOUBT} {facts.LEGEND}")


def _summary(model: Model, price: Price | None) -> list[tuple[str, str]]:
    """Return what is not an option."""
    return [
        ("id", facts.slugs(model)),
        ("price", facts.price_words(price)),
        ("kinds", " ".join(facts.kinds(model))),
        ("seed", "yes" if model.takes_seed else "no seed"),
        *([("note", model.note)] if model.note else []),
    ]


def _section(model: Model, price: Price | None) -> list[tuple[str, ...]]:
    """Return the rows of one provider."""
    return [*((name, value, "-", "-", "") for name, value in _summary(model, price)), *facts.table(model)]


def _beside(hosted: list[tuple[Provider, Model]], prices: dict[str, Price | None]) -> list[tuple[str, ...]]:
    """Return a row for each fact and option, with a cell for each provider."""
    columns = [
        {
            **dict(_summary(model, prices[provider.name])),
            "PROMPT": facts.prompt_bounds(model),
            "--count": facts.count_bounds(model),
            **{flag: facts.values(option, brief=True) for flag, option in facts.option_rows(model)},
        }
        for provider, model in hosted
    ]
    return _rows(columns)


def _fields(hosted: list[tuple[Provider, Model]]) -> list[tuple[str, ...]]:
    """Return a row for each option, with the name of its field at each provider."""
    columns = [
        {
            "PROMPT": model.prompt_field,
            "--count": model.count_field,
            **{flag: option.field for flag, option in facts.option_rows(model)},
        }
        for _, model in hosted
    ]
    return _rows(columns)


def _rows(columns: list[dict[str, str]]) -> list[tuple[str, ...]]:
    names = dict.fromkeys(name for column in columns for name in column)
    return [(name, *(column.get(name) or "-" for column in columns)) for name in names]
