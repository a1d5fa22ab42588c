"""What a provider and model can honour of what was asked for: decided before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from flux_cli import providers
from flux_cli.errors import UsageError
from flux_cli.jobs import Params
from flux_cli.providers.base import AlwaysOn, Unfit
from flux_cli.text import listed

if TYPE_CHECKING:
    from collections.abc import Collection

    from flux_cli.providers.base import Model, Provider

CONVERTED = frozenset({"format", "quality"})
"""What flux does itself where the provider cannot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What is left of the wishes: what is sent, what is left out, what a person should know."""

    params: Params
    skipped: tuple[str, ...]
    notes: tuple[str, ...]


def spelled(name: str) -> str:
    """Return the option as it is typed."""
    return f"--{name.replace('_', '-')}"


def find_model(provider: Provider, name: str) -> Model:
    """Return the provider's model of that full name. Raises `UsageError` naming the providers that host it."""
    if name in provider.models:
        return provider.models[name]
    hosts = [other for other in providers.NAMES if name in providers.load(other).models]
    message = f"{provider.name} does not host {name}"
    raise UsageError(
        message,
        hint=f"{listed(hosts)} {'does' if len(hosts) == 1 else 'do'}; {provider.name} has {listed(provider.models)}",
    )


def fit(provider: Provider, model: Model, params: Params, *, typed: Collection[str]) -> Fit:
    """Check every wish against the model.

    ``typed`` are the options that somebody typed: one of those that cannot be honoured is an error, any other (from
    the config) is left out and named. Raises `UsageError`.
    """
    _check_prompt(provider, model, params.prompt)
    kept: dict[str, Any] = {}
    skipped: list[str] = []
    notes: list[str] = []
    wishes = dict(params.options)
    if "aspect_ratio" in wishes and "size" in wishes:
        if {"aspect_ratio", "size"} <= set(typed):
            message = "--aspect-ratio and --size both set the shape: give one of them"
            raise UsageError(message)
        del wishes["size" if "aspect_ratio" in typed else "aspect_ratio"]
    for name, value in wishes.items():
        option = model.options.get(name)
        try:
            if option is None and name in CONVERTED:
                kept[name] = _converted(name, value)
            elif option is None:
                _refuse(provider, model, name)
            else:
                kept[name] = option.check(value)
                if isinstance(option, AlwaysOn):
                    notes.append(f"{spelled(name)} is always on at {provider.name}")
        except (Unfit, UsageError) as error:
            if name in typed:
                raise (
                    error if isinstance(error, UsageError) else UsageError(f"{provider.name}: {spelled(name)} {error}")
                ) from None
            skipped.append(name)
    _check_extra(provider, model, params, kept)
    taken = {
        path
        for name, option in model.options.items()
        if name in model.implied
        for path in option.wire(model.implied[name])
    }
    if "size" not in kept and not taken & set(params.extra):
        kept = {**{name: value for name, value in model.implied.items() if name not in kept}, **kept}
    notes += [f"--param {path}: {provider.param_notes[path]}" for path in params.extra if path in provider.param_notes]
    _check_seed(provider, model, params)
    kept["seed"] = params.seed
    return Fit(params=replace(params, options=kept), skipped=tuple(skipped), notes=tuple(notes))


def _check_prompt(provider: Provider, model: Model, prompt: str) -> None:
    low, high = model.prompt
    if not prompt.strip():
        raise UsageError("the prompt is empty")
    if len(prompt) < low or (high is not None and len(prompt) > high):
        message = f"{provider.name} takes a prompt of {low} to {high} characters, not {len(prompt)}"
        raise UsageError(message)


def _check_seed(provider: Provider, model: Model, params: Params) -> None:
    try:
        model.options["seed"].check(params.seed)
    except Unfit as error:
        message = f"{provider.name}: --seed {error}"
        raise UsageError(message) from None


def _check_extra(provider: Provider, model: Model, params: Params, kept: dict[str, Any]) -> None:
    """Refuse a ``--param`` for a field that flux fills in, or that an option given at the same time sets."""
    for path in params.extra:
        if not all(path.split(".")):
            message = f"--param {path}: a path is names joined by dots"
            raise UsageError(message)
        if any(_overlap(path, field) for field in provider.owned):
            message = f"--param {path}: flux fills in this field itself"
            raise UsageError(message, hint="the prompt, --seed, --model and --count set what belongs to you")
        for name, value in kept.items():
            option = model.options.get(name)
            if option is not None and any(_overlap(path, field) for field in option.wire(value)):
                message = f"--param {path} and {spelled(name)} set the same field: give one of them"
                raise UsageError(message)


def _overlap(one: str, other: str) -> bool:
    """Whether one dotted path is the other, or lies inside it."""
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


def _converted(name: str, value: Any) -> Any:
    """Return a format or quality that flux itself will make. Raises `Unfit`."""
    if name == "quality" and not 1 <= value <= 100:  # noqa: PLR2004 - what the encoders take
        message = f"takes 1 to 100, not {value}"
        raise Unfit(message)
    return value


def _refuse(provider: Provider, model: Model, name: str) -> None:
    """Raise `UsageError` for an option that the model lacks, naming who has it."""
    others = [
        found
        for found in providers.NAMES
        if found != provider.name and any(name in one.options for one in providers.load(found).models.values())
    ]
    elsewhere = [one.name for one in provider.models.values() if name in one.options]
    can = [f"{provider.name} with {one}" for one in elsewhere] + others
    message = (
        f"{provider.name} has no {spelled(name)} for {model.name}"
        if elsewhere
        else f"{provider.name} has no {spelled(name)}"
    )
    raise UsageError(
        message, hint=f"{listed(can)} {'does' if len(can) == 1 else 'do'}" if can else "no provider has it"
    )
