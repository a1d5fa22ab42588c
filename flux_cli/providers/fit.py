"""Check options against what a provider and model support, before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flux_cli import providers
from flux_cli.errors import UsageError
from flux_cli.providers.options import Choice, InvalidValue, Option, Range, same_values
from flux_cli.text import listed

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from flux_cli.providers.base import Model, Provider

CONVERTED: dict[str, Option] = {
    "format": Choice(values=same_values("jpg", "png", "webp")),
    "quality": Range(low=1, high=100),
}
"""Options that flux applies itself if the provider cannot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedOptions:
    """The options to send, the options that are ignored, and notes to show."""

    options: Mapping[str, Any]
    """By long name with underscores, without the seed."""
    skipped: tuple[str, ...]
    notes: tuple[str, ...]


def flag_name(name: str) -> str:
    """Return the command-line flag of an option."""
    return f"--{name.replace('_', '-')}"


def _do(names: list[str]) -> str:
    """Return names with the verb "do"; empty if there are none."""
    return f"{listed(names)} {'does' if len(names) == 1 else 'do'}" if names else ""


def find_model(provider: Provider, name: str) -> Model:
    """Return the provider's model with this full name. Raises `UsageError`, which names the providers that host it."""
    if name in provider.models:
        return provider.models[name]
    hosts = [other for other in providers.NAMES if name in providers.load(other).models]
    message = f"{provider.name} does not host {name}"
    raise UsageError(
        message,
        hint=f"{_do(hosts) or 'no provider does'}; {provider.name} has {listed(provider.models)}",
    )


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
    skipped = _choose_shape_to_skip(model, options, typed)
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
                    else UsageError(f"{provider.name}: {flag_name(name)} {error}")
                ) from None
            skipped.append(name)
    for name in _check_extra(provider, model, extra, kept, typed):
        del kept[name]
        skipped.append(name)
    kept = {**_add_always_sent(model, extra, kept), **kept}
    notes += [f"--param {path}: {provider.param_notes[path]}" for path in extra if path in provider.param_notes]
    return ResolvedOptions(options=kept, skipped=tuple(skipped), notes=tuple(notes))


def _choose_shape_to_skip(model: Model, options: Mapping[str, Any], typed: Collection[str]) -> list[str]:
    """Return which of the two options that set the shape to skip. Raises `UsageError` if both were typed."""
    if not {"aspect_ratio", "size"} <= options.keys():
        return []
    if {"aspect_ratio", "size"} <= set(typed):
        raise UsageError("--aspect-ratio and --size both set the shape: use only one of them")
    wins = "size" in typed or ("aspect_ratio" not in typed and "size" in model.options)
    return ["aspect_ratio" if wins else "size"]


def _add_always_sent(model: Model, extra: Mapping[str, Any], kept: dict[str, Any]) -> dict[str, Any]:
    """Return the options that are always sent and have no other value yet."""
    fields = {path for name, value in model.always_sent.items() for path in model.options[name].wire(value)}
    if "size" in kept or fields & set(extra):
        return {}
    return {name: value for name, value in model.always_sent.items() if name not in kept}


def check_prompt(provider: Provider, model: Model, prompt: str) -> None:
    """Check the text and the length of a prompt. Raises `UsageError`."""
    low, high = model.prompt_length
    if not prompt.strip():
        raise UsageError("the prompt is empty", hint='`flux generate "a red fox in the snow"`')
    if len(prompt) < low or (high is not None and len(prompt) > high):
        message = f"{provider.name} takes a prompt of {low} to {high} characters, not {len(prompt)}"
        raise UsageError(message)


def check_seed(provider: Provider, model: Model, seed: int) -> None:
    """Check that the model takes a seed. Raises `UsageError`."""
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
        if any(_overlap(path, field) for field in provider.reserved_fields):
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


def _overlap(one: str, other: str) -> bool:
    """Whether two dotted paths are equal or one contains the other."""
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


def _refuse(provider: Provider, model: Model, name: str) -> None:
    """Raise `UsageError` for an option that the model does not have, naming the providers that have it."""
    others = [
        found
        for found in providers.NAMES
        if found != provider.name and any(name in one.options for one in providers.load(found).models.values())
    ]
    elsewhere = [one.name for one in provider.models.values() if name in one.options]
    can = [f"{provider.name} with {one}" for one in elsewhere] + others
    message = (
        f"{provider.name} has no {flag_name(name)} for {model.name}"
        if elsewhere
        else f"{provider.name} has no {flag_name(name)}"
    )
    raise UsageError(message, hint=_do(can) or "no provider has it")
