"""Compare models and providers: ``-m`` or ``-p`` given more than once makes one job for each pair that exists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from flux_cli import providers
from flux_cli.commands.generate.request import TypedOptions, choose_provider
from flux_cli.commands.show import show_images
from flux_cli.errors import UsageError
from flux_cli.providers.fit import find_model
from flux_cli.runs.plan import Pair
from flux_cli.runs.save import find_suffix_fields
from flux_cli.runtime import Runtime
from flux_cli.text import listed

if TYPE_CHECKING:
    from flux_cli.runs.outcome import Outcome
    from flux_cli.runs.rows import Row


def choose_pairs(
    runtime: Runtime, line: TypedOptions, provider_names: Sequence[str], model_names: Sequence[str]
) -> list[Pair]:
    """Return each pair of a provider and a model that exists, model by model; one pair where nothing is compared.

    Prints a note about the pairs that do not exist. Raises `UsageError` for a provider or a model that is in no pair.
    """
    _refuse_commas("-p", provider_names, providers.NAMES)
    _refuse_commas("-m", model_names, [*providers.MODELS, *providers.ALIASES])
    _refuse_repeats("-p", provider_names, [providers.check_name(name) for name in provider_names])
    _refuse_repeats("-m", model_names, [providers.canonical_name(word) or word for word in model_names])
    if len(provider_names) <= 1 and len(model_names) <= 1:
        return [Pair(*provider_names or (None,), *model_names or (None,))]
    if line.fallback is not None:
        raise UsageError("--fallback takes one provider and one model", hint="give -p and -m once, or leave it out")
    if not model_names:
        return [Pair(name, None) for name in provider_names]
    earlier = line.like.job.provider if line.like is not None else None
    usual = runtime.settings.preset(line.preset).get("provider") or earlier
    hosts = provider_names or [choose_provider(runtime, usual).name]
    every = [Pair(name, word) for word in model_names for name in hosts]
    missing = {pair: error for pair in every if (error := _find_error(runtime, pair)) is not None}
    _require_each(hosts, model_names, missing)
    if missing:
        left_out = listed(f"{pair.model} at {pair.provider}" for pair in missing)
        runtime.output.note(f"left out of the comparison, because the provider does not host it: {left_out}")
    typed = frozenset(provider_names)
    return [one if one.provider in typed else Pair(None, one.model) for one in every if one not in missing]


def _find_error(runtime: Runtime, pair: Pair) -> UsageError | None:
    """Return why the provider does not have the model, or ``None`` if it has it."""
    provider, own_models = providers.load(pair.provider or ""), runtime.settings.models
    try:
        find_model(provider, pair.model or "", own_models)
    except UsageError as error:
        return error
    return None


def _require_each(hosts: Sequence[str], model_names: Sequence[str], missing: Mapping[Pair, UsageError]) -> None:
    """Raise `UsageError` for a model that none of the ``hosts`` has, and for a host that has none of the models."""
    for word in model_names:
        errors = [missing[pair] for name in hosts if (pair := Pair(name, word)) in missing]
        if len(errors) == len(hosts):
            known = providers.canonical_name(word) is not None and len(hosts) > 1
            raise UsageError(f"none of {listed(hosts)} hosts {word}", hint=errors[0].hint) if known else errors[0]
    for name in hosts:
        if all(Pair(name, word) in missing for word in model_names):
            hint = f"`flux models -p {name}` lists its models"
            raise UsageError(f"{name} hosts none of {listed(model_names)}", hint=hint)


def _refuse_commas(flag: str, typed: Sequence[str], known: Collection[str]) -> None:
    """Raise `UsageError` for several ``known`` names in one, which are given one by one."""
    for text in typed:
        names = [name.strip() for name in text.split(",")]
        if len(names) > 1 and all(name.lower() in known for name in names):
            hint = f"`{' '.join(f'{flag} {name}' for name in names)}` compares them"
            raise UsageError(f"{flag} takes one name, not {text}", hint=hint)


def _refuse_repeats(flag: str, typed: Sequence[str], names: Sequence[str]) -> None:
    """Raise `UsageError` where one of ``names`` comes twice; ``typed`` is how each was typed."""
    for place, name in enumerate(names):
        if name in names[:place]:
            raise UsageError(f"{flag} {typed[place]} is given twice", hint="name each once")


def split_line(line: TypedOptions, pairs: Sequence[Pair]) -> list[TypedOptions]:
    """Return the command line of each of the ``pairs``; what differs is added to the names of their images."""
    suffix_fields = find_suffix_fields(pairs)
    return [
        replace(line, provider=one.provider, model=one.model, pairs=len(pairs), suffix_fields=suffix_fields)
        for one in pairs
    ]


def split_rows(rows: Sequence[Row], pairs: Sequence[Pair]) -> list[Row]:
    """Return each of the ``rows`` of a batch once for each of the ``pairs``; a row's own provider and model stay."""
    compared = len(pairs) > 1
    names = [Pair(one.provider, one.model and (providers.canonical_name(one.model) or one.model)) for one in pairs]
    found: list[Row] = []
    for row in rows:
        own = dict.fromkeys(row.fields.keys() & {*Pair._fields})
        for pair in dict.fromkeys(one._replace(**own) for one in names):
            added = {name: value for name, value in pair._asdict().items() if value is not None} if compared else {}
            found.append(replace(row, fields={**row.fields, **added}, pair=pair, added=frozenset(added)))
    return found


def show_comparison(runtime: Runtime, outcomes: Sequence[Outcome], *, abreast: int) -> None:
    """Show the images of a comparison, those of one row and one seed side by side, above their model and provider."""
    found: list[tuple[tuple[int, int, int], str]] = []
    captions: dict[str, str] = {}
    made = Counter[tuple[int, str, str]]()
    for place, outcome in enumerate(outcomes):
        job = outcome.job
        if job is None:
            continue
        row, pair = job.row or 0, (job.provider, job.model or "")
        for path in outcome.paths:
            captions[path] = f"{providers.alias(pair[1])} {job.provider}"
            found.append(((row, made[row, *pair], place), path))
            made[row, *pair] += 1
    show_images(runtime, [path for _, path in sorted(found)], captions=captions, abreast=abreast)
