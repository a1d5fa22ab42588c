"""Choose the makers of a run: the pairs of provider and model, where ``-p`` or ``-m`` is given more than once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from flux_cli import providers
from flux_cli.commands.generate.request import TypedOptions, choose_provider
from flux_cli.commands.show import show_images
from flux_cli.errors import UsageError
from flux_cli.providers.fit import find_model
from flux_cli.runs.outcome import Outcome
from flux_cli.runs.rows import Maker, Row
from flux_cli.runs.save import find_distinct
from flux_cli.runtime import Runtime
from flux_cli.text import listed


def choose_makers(runtime: Runtime, line: TypedOptions, names: Sequence[str], words: Sequence[str]) -> list[Maker]:
    """Return every pair of the providers ``names`` and the models ``words`` that exists, model by model.

    Notes which pairs do not. Raises `UsageError` for a provider or a model that is in no pair.
    """
    _refuse_repeats("-p", names, [providers.check_name(name) for name in names])
    _refuse_repeats("-m", words, [providers.canonical_name(word) or word for word in words])
    if len(names) <= 1 and len(words) <= 1:
        return [Maker(*names or (None,), *words or (None,))]
    if line.fallback is not None:
        raise UsageError("--fallback takes one provider and one model", hint="give -p and -m once, or leave it out")
    if not words:
        return [Maker(name, None) for name in names]
    earlier = line.like.job.provider if line.like is not None else None
    hosts = names or [choose_provider(runtime, runtime.settings.preset(line.preset).get("provider") or earlier).name]
    every = [Maker(name, word) for word in words for name in hosts]
    missing = {maker: error for maker in every if (error := _find_error(runtime, maker)) is not None}
    _require_each(hosts, words, missing)
    if missing:
        pairs = listed(f"{maker.model} at {maker.provider}" for maker in missing)
        runtime.output.note(f"left out of the comparison, because the provider does not host it: {pairs}")
    typed = frozenset(names)
    return [one if one.provider in typed else Maker(None, one.model) for one in every if one not in missing]


def _find_error(runtime: Runtime, maker: Maker) -> UsageError | None:
    """Return why the provider does not have the model, or ``None`` if it has it."""
    try:
        find_model(providers.load(maker.provider or ""), maker.model or "", runtime.settings.models)
    except UsageError as error:
        return error
    return None


def _require_each(hosts: Sequence[str], words: Sequence[str], missing: Mapping[Maker, UsageError]) -> None:
    """Raise `UsageError` for a model that none of the ``hosts`` has, and for one of them that has none of ``words``."""
    for word in words:
        errors = [missing[maker] for name in hosts if (maker := Maker(name, word)) in missing]
        if len(errors) == len(hosts):
            known = providers.canonical_name(word) is not None and len(hosts) > 1
            raise UsageError(f"none of {listed(hosts)} hosts {word}", hint=errors[0].hint) if known else errors[0]
    for name in hosts:
        if all(Maker(name, word) in missing for word in words):
            hint = f"`flux models -p {name}` lists its models"
            raise UsageError(f"{name} hosts none of {listed(words)}", hint=hint)


def _refuse_repeats(flag: str, typed: Sequence[str], names: Sequence[str]) -> None:
    """Raise `UsageError` where one of ``names`` comes twice; ``typed`` is how each was typed."""
    for place, name in enumerate(names):
        if name in names[:place]:
            raise UsageError(f"{flag} {typed[place]} is given twice", hint="name each once")


def split_line(line: TypedOptions, makers: Sequence[Maker]) -> list[TypedOptions]:
    """Return the command line for each of the ``makers``, in whose images' names they are told apart."""
    distinct = find_distinct(makers)
    return [
        replace(line, provider=one.provider, model=one.model, makers=len(makers), distinct=distinct) for one in makers
    ]


def split_rows(rows: Sequence[Row], makers: Sequence[Maker]) -> list[Row]:
    """Return the ``rows`` of a batch for each of the ``makers``; a row's own provider and model stay."""
    compared = len(makers) > 1
    names = [Maker(one.provider, one.model and (providers.canonical_name(one.model) or one.model)) for one in makers]
    found: list[Row] = []
    for row in rows:
        own = dict.fromkeys(row.fields.keys() & {*Maker._fields})
        for maker in dict.fromkeys(one._replace(**own) for one in names):
            added = {name: value for name, value in maker._asdict().items() if value is not None} if compared else {}
            found.append(replace(row, fields={**row.fields, **added}, maker=maker, added=frozenset(added)))
    return found


def compare_images(runtime: Runtime, outcomes: Sequence[Outcome], *, abreast: int) -> None:
    """Show the images of a comparison: side by side those of one row and one seed, with model and provider below."""
    found: list[tuple[tuple[int, int, int], str]] = []
    captions: dict[str, str] = {}
    made = Counter[tuple[int, str, str]]()
    for place, outcome in enumerate(outcomes):
        job = outcome.job
        if job is None:
            continue
        row, maker = job.row or 0, (job.provider, job.model or "")
        for path in outcome.paths:
            captions[path] = f"{providers.alias(maker[1])} {job.provider}"
            found.append(((row, made[row, *maker], place), path))
            made[row, *maker] += 1
    show_images(runtime, [path for _, path in sorted(found)], captions=captions, abreast=abreast)
