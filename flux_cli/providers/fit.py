"""Check options against what a provider and model support, before anything is sent."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from flux_cli import providers
from flux_cli.errors import UsageError
from flux_cli.providers.image_input import ImageInput, list_images
from flux_cli.providers.options import Choice, InvalidValue, Option, Range, same_values
from flux_cli.text import listed, nearest, shell_word

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from flux_cli.providers.base import Model, OwnModel, Provider

CONVERTED: dict[str, Option] = {
    "format": Choice(values=same_values("jpg", "png", "webp")),
    "quality": Range(low=1, high=100),
}
"""Options that flux applies itself if the provider cannot."""

_ABOUT_IMAGE = frozenset({"mask", "strength"})
"""Options that mean nothing without an input image at any provider; a model's id for text does not list them."""

_CONFIDENCE: dict[str, str] = {
    "third-party": "third parties report it",
    "inferred": "it is inferred from other models and providers",
}
_NAMED = 4
"""The most models that a hint lists."""


class ResolvedOptions(NamedTuple):
    """The options to send, the options that are ignored, and notes to show."""

    options: Mapping[str, Any]
    """By long name with underscores, without the seed."""
    skipped: tuple[str, ...]
    notes: tuple[str, ...]


def flag_name(name: str) -> str:
    """Return the command-line flag of an option."""
    return f"--{name.replace('_', '-')}"


def _describe(provider: Provider, model: Model) -> str:
    return f"`flux models {shell_word(model.name)} -p {provider.name}` shows what it takes"


def _do(names: Sequence[str]) -> str:
    """Return names with the verb "do", of many only the first; empty if there are none."""
    if len(names) > _NAMED + 1:
        return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} others do"
    return f"{listed(names)} {'does' if len(names) == 1 else 'do'}" if names else ""


def find_model(provider: Provider, word: str, own: Mapping[str, OwnModel]) -> Model:
    """Return the provider's model for ``word``: a name of the user's ``own``, a name or alias, or the provider's id.

    ``provider:ID`` is always an id, even if it looks like a misspelled name. Raises `UsageError`, which names the
    providers that host it, or a similar name.
    """
    if word in own:
        return own[word].at(provider, find_model(provider, own[word].base, {}))
    name = providers.canonical_name(word)
    if name is not None and name in provider.models:
        return provider.models[name]
    if name is not None:
        hosts = [other.name for other in providers.load_all() if name in other.models]
        raise UsageError(
            f"{provider.name} does not host {name}",
            hint=f"{_do(hosts) or 'no provider does'}; `flux models` lists what each provider hosts",
        )
    if word in provider.other_ids and provider.other_model is not None:
        return replace(provider.other_model, name=word, slug=word)
    near = nearest(word, [*own, *providers.MODELS, *providers.ALIASES])
    template = provider.other_model
    if template is not None and re.fullmatch(provider.model_pattern, word) and (not near or re.search("[:/]", word)):
        return replace(template, name=word, slug=word)
    identity = word.removeprefix(f"{provider.name}:")
    if template is not None and identity != word and re.fullmatch(provider.model_pattern, identity):
        return replace(template, name=word, slug=identity)
    similar = [near] if near else [one for one in providers.MODELS if word.lower() in one.split("-")]
    hint = f"did you mean {listed(similar, last='or')}?" if similar else "`flux models` lists the models"
    if template is not None and re.fullmatch(provider.model_pattern, word):
        hint += f" `-m {provider.name}:{word}` sends it as an id of {provider.name}'s own"
    raise UsageError(f"there is no model {word!r}", hint=hint)


def fit_images(
    provider: Provider, model: Model, options: Mapping[str, Any], *, typed: Collection[str]
) -> tuple[Model, Mapping[str, Any], tuple[str, ...]]:
    """Return the variant of the model for the number of input images, the options, and the names of those left out.

    Raises `UsageError` for too many or too few images, or for a typed one where the model takes none.
    """
    images = len(list_images(options.get("image")))
    try:
        if images and not _has(model, "image"):
            _refuse(provider, model, "image")
        return model.choose_variant(images), options, ()
    except (InvalidValue, UsageError) as error:
        if images and "image" not in typed:
            others = {name: value for name, value in options.items() if name != "image"}
            fitting, kept, _ = fit_images(provider, model, others, typed=typed)
            return fitting, kept, ("image",)
        if isinstance(error, UsageError):
            raise
        hint = "`-i FILE` gives one: a path, a web address, or a job such as @1"
        if images:
            hint = _name_able(provider, model, lambda one: _takes_images(one, images)) or "no model takes as many"
        message = f"{provider.name}: {error}"
        raise UsageError(message, hint=hint) from None


def check_image_params(provider: Provider, model: Model, extra: Mapping[str, Any]) -> None:
    """Refuse a ``--param`` that gives an input image: it would be checked by no limit and counted in no estimate.

    That holds for each variant of the model. Raises `UsageError`, which names the option for it.
    """
    for name, option in (pair for one in (model, *model.variants) for pair in one.options.items()):
        if not isinstance(option, ImageInput):
            continue
        for path in extra:
            if any(_overlap(path, field) for field in option.field.split(", ")):
                message = f"{provider.name}: --param {path} sets the field of {flag_name(name)}"
                raise UsageError(message, hint=f"use {'-i' if name == 'image' else flag_name(name)} instead")


def resolve(
    provider: Provider,
    model: Model,
    options: Mapping[str, Any],
    *,
    typed: Collection[str],
    extra: Mapping[str, Any] | None = None,
) -> ResolvedOptions:
    """Check every option but the seed, and the ``--param`` values ``extra``, against the model.

    If an option in ``typed``, from the command line, is not supported, raise `UsageError`. Any other, from the config,
    is skipped and named.
    """
    extra = extra or {}
    kept: dict[str, Any] = {}
    skipped = [*_choose_shape_to_skip(model, options, typed), *_skip_without_image(model, options, typed)]
    notes: list[str] = []
    for name, value in options.items():
        if name in skipped:
            continue
        option = model.options.get(name)
        try:
            if option is None and name in CONVERTED:
                kept[name] = CONVERTED[name].check(value)
            elif option is None:
                _refuse(provider, model, name)
            else:
                kept[name] = option.check(value)
        except (InvalidValue, UsageError) as error:
            if name in typed:
                raise (
                    error
                    if isinstance(error, UsageError)
                    else UsageError(f"{provider.name}: {flag_name(name)} {error}", hint=_describe(provider, model))
                ) from None
            skipped.append(name)
    for name in _check_extra(provider, model, extra, kept, typed):
        del kept[name]
        skipped.append(name)
    kept = {**_add_always_sent(model, extra, kept), **kept}
    _require_options(provider, model, kept)
    notes += note_confidence(provider, model, kept)
    notes += [f"{model.name} at {provider.name}: {model.note}"] if model.note else []
    if model.confidence:
        notes.append(f"{provider.name} does not document its id of {model.name}: {_CONFIDENCE[model.confidence]}")
    notes += [f"--param {path}: {provider.param_notes[path]}" for path in extra if path in provider.param_notes]
    return ResolvedOptions(options=kept, skipped=tuple(skipped), notes=tuple(notes))


def _require_options(provider: Provider, model: Model, kept: Mapping[str, Any]) -> None:
    """Raise `UsageError` if an option is missing that the model cannot do without."""
    for name, option in model.options.items():
        if option.required and name not in kept:
            message = f"{provider.name}: {model.name} needs {flag_name(name)}"
            raise UsageError(message, hint=_describe(provider, model))


def note_confidence(provider: Provider, model: Model, names: Iterable[str]) -> list[str]:
    """Return a note for each of the options that the provider does not document."""
    return [
        f"{provider.name} does not document {flag_name(name)} for {model.name}: {_CONFIDENCE[option.confidence]}"
        for name in names
        if (option := model.options.get(name)) is not None and option.confidence
    ]


def _choose_shape_to_skip(model: Model, options: Mapping[str, Any], typed: Collection[str]) -> list[str]:
    """Return which of the options that set the shape to skip. Raises `UsageError` if two that conflict were typed."""
    found: list[str] = []
    for other in ("aspect_ratio", "resolution"):
        if not {other, "size"} <= options.keys():
            continue
        if {other, "size"} <= set(typed):
            raise UsageError(f"{flag_name(other)} and --size both set the shape: use only one of them")
        wins = "size" in typed or (other not in typed and "size" in model.options)
        found.append(other if wins else "size")
    return list(dict.fromkeys(found))


def _skip_without_image(model: Model, options: Mapping[str, Any], typed: Collection[str]) -> list[str]:
    """Return the options that are about an input image, if there is none. Raises `UsageError` if one was typed."""
    if options.get("image"):
        return []
    found: list[str] = []
    for name, value in options.items():
        option = model.options.get(name)
        if name not in _ABOUT_IMAGE and (option is None or not option.needs_image(value)):
            continue
        if name in typed:
            word = f" {value}" if isinstance(option, Choice) else ""
            raise UsageError(f"{flag_name(name)}{word} needs an input image", hint="add -i FILE")
        found.append(name)
    return found


def _add_always_sent(model: Model, extra: Mapping[str, Any], kept: dict[str, Any]) -> dict[str, Any]:
    """Return the options that are always sent and have no other value yet."""
    fields = {path for name, value in model.always_sent.items() for path in model.options[name].wire(value)}
    if "size" in kept or fields & set(extra):
        return {}
    return {name: value for name, value in model.always_sent.items() if name not in kept}


def check_prompt(provider: Provider, model: Model, prompt: str) -> None:
    """Check the text and the length of a prompt. Raises `UsageError`."""
    low, high = model.prompt_length
    if not prompt.strip() and low > 0:
        raise UsageError("the prompt is empty", hint='`flux generate "a red fox in the snow"`')
    if len(prompt) < low or (high is not None and len(prompt) > high):
        message = f"{provider.name} takes a prompt of {low} to {high} characters, not {len(prompt)}"
        raise UsageError(message)


def check_seed(provider: Provider, model: Model, seed: int) -> None:
    """Check that the model takes a seed. Raises `UsageError`."""
    if not model.takes_seed:
        _refuse(provider, model, "seed")
    try:
        model.options["seed"].check(seed)
    except InvalidValue as error:
        message = f"{provider.name}: --seed {error}"
        raise UsageError(message) from None


def _check_extra(
    provider: Provider, model: Model, extra: Mapping[str, Any], kept: dict[str, Any], typed: Collection[str]
) -> list[str]:
    """Return the options from the config that a ``--param`` replaces.

    Raises `UsageError` for a ``--param`` that sets a field of flux or of an option that was typed too.
    """
    replaced: list[str] = []
    for path in extra:
        if not all(path.split(".")):
            message = f"--param {path}: a path consists of names joined by dots"
            raise UsageError(message)
        if any(_overlap(path, field) for field in reserved_fields(provider, model)):
            message = f"--param {path}: flux fills in this field itself"
            raise UsageError(message, hint="use the prompt, --seed, --model or --count")
        for name, value in kept.items():
            option = model.options.get(name)
            if option is None or name in replaced or not any(_overlap(path, field) for field in option.wire(value)):
                continue
            if name in typed:
                message = f"--param {path} and {flag_name(name)} set the same field: use only one of them"
                raise UsageError(message)
            replaced.append(name)
    return replaced


def reserved_fields(provider: Provider, model: Model) -> tuple[str, ...]:
    """Return the fields of the request that flux fills in itself."""
    seed = model.options["seed"].field if model.takes_seed else ""
    own = (model.prompt_field, model.count_field, seed, *model.fixed)
    return tuple(dict.fromkeys([*provider.reserved_fields, *filter(None, own)]))


def _overlap(one: str, other: str) -> bool:
    """Whether two dotted paths are equal or one contains the other."""
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


def _refuse(provider: Provider, model: Model, name: str) -> None:
    """Raise `UsageError` for an option that the model does not have, naming the models and providers that have it."""
    if providers.canonical_name(model.name) is None and model.name not in provider.models:
        message = f"{model.name} is not a model that flux knows, so it takes no {flag_name(name)}"
        raise UsageError(message, hint="`--param FIELD=VALUE` sets any field of its request")
    elsewhere = any(_has(one, name) for one in provider.models.values())
    message = f"{provider.name} has no {flag_name(name)}" + (f" for {model.name}" if elsewhere else "")
    raise UsageError(message, hint=_name_able(provider, model, lambda one: _has(one, name)) or "no provider has it")


def _name_able(provider: Provider, model: Model, able: Callable[[Model], bool]) -> str:
    """Return who can instead: other providers of the model and other models of the provider, or else any provider."""
    here = [one.name for one in provider.models.values() if able(one)]
    others = [other for other in providers.load_all() if other.name != provider.name]
    same = [one.name for one in others if model.name in one.models and able(one.models[model.name])]
    hints = [f"{_do(same)} for {model.name}"] if same else []
    hints += [f"at {provider.name}, {_do(here)}"] if here else []
    able_hosts = [one.name for one in others if any(able(found) for found in one.models.values())]
    return "; ".join(hints) or (f"{_do(able_hosts)} for other models" if able_hosts else "")


def _takes_images(model: Model, images: int) -> bool:
    return any(one.image_input is not None and one.image_input.most >= images for one in (model, *model.variants))


def _has(model: Model, name: str) -> bool:
    return any(name in one.options for one in (model, *model.variants))
