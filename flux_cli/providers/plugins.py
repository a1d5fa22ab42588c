"""Find and check the providers that other packages add, through the entry points ``flux_image.providers``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from flux_cli import providers
from flux_cli.errors import UsageError
from flux_cli.image_options import IMAGE_OPTIONS
from flux_cli.text import listed, sentence

if TYPE_CHECKING:
    from flux_cli.providers.base import Model, Provider

GROUP = "flux_image.providers"
_NAME = r"[a-z][a-z0-9-]{1,31}"
_ORIGIN = r"https://[a-z0-9.-]+(:\d+)?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """A provider of another package: the value itself, or what is wrong with it."""

    name: str
    package: str
    """The package it comes from, with its version."""
    provider: Provider | None = None
    problem: str = ""


@cache
def list_entry_points() -> dict[str, EntryPoint]:
    """Return the entry points by name, without loading any; of two with one name, the first."""
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=GROUP):
        found.setdefault(entry.name, entry)
    return found


@cache
def find_plugin(name: str) -> Plugin:
    """Load the plug-in ``name``, which is among the entry points."""
    entry = list_entry_points()[name]
    package = f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else entry.value
    problem = f"the name {name} belongs to flux" if name in providers.NAMES else ""
    provider: Provider | None = None
    if not problem:
        try:
            provider = entry.load()
            problem = next(iter(list_problems(name, provider)), "")
        except Exception as error:  # noqa: BLE001 - whatever it raises, it is the package's fault
            problem = f"it cannot be imported ({sentence(f'{type(error).__name__}: {error}', limit=200)})"
    return Plugin(name=name, package=package, provider=None if problem else provider, problem=problem)


def load_plugin(name: str) -> Provider:
    """Return the provider of a plug-in. Raises `UsageError` for one that is broken."""
    plugin = find_plugin(name)
    if plugin.provider is None:
        raise UsageError(
            f"the plug-in {name} of {plugin.package} does not work: {plugin.problem}",
            hint=f"update or remove {plugin.package.split()[0]}; `python -m flux_cli.conformance {name}` tests it",
        )
    return plugin.provider


def list_problems(name: str, provider: object) -> list[str]:
    """Return what is wrong with a provider of another package, each as a clause; empty if it can be used."""
    from flux_cli.providers.base import INTERFACE, Provider  # noqa: PLC0415 - every start asks for the names alone

    if not isinstance(provider, Provider):
        return [f"its entry point is a {type(provider).__name__}, not a Provider"]
    if provider.interface != INTERFACE:
        return [f"it is made for version {provider.interface} of the interface, and this flux has {INTERFACE}"]
    found: list[str] = []
    if provider.name != name or not re.fullmatch(_NAME, name):
        found.append(f"its name is {provider.name!r}, and the entry point's is {name!r}: both must be the same word")
    if not re.fullmatch(rf"{_ORIGIN}(/[\w./-]*)?", provider.base_url) or provider.base_url.endswith("/"):
        found.append(f"its address {provider.base_url} is not https, or ends in a slash")
    found += [f"its origin {one} is not https" for one in provider.origins if not re.fullmatch(_ORIGIN, one)]
    if provider.trusted_urls and not provider.trusted_urls.startswith("https://"):
        found.append("its pattern of trusted addresses does not begin with https://")
    if not provider.key_variables or not all(
        re.fullmatch(r"[A-Z][A-Z0-9_]+", one) and not one.startswith("FLUX_") for one in provider.key_variables
    ):
        found.append("it names no environment variable for its key")
    ours = {one: name for name in providers.NAMES for one in providers.load(name).key_variables}
    found += [f"it reads {one}, the key of {ours[one]}" for one in provider.key_variables if one in ours]
    if not provider.models:
        found.append("it has no models")
    for model in provider.models.values():
        found += _list_model_problems(model)
    return found


def _list_model_problems(model: Model) -> list[str]:
    unknown = [option for one in (model, *model.variants) for option in one.options if option not in IMAGE_OPTIONS]
    return [f"{model.name} has options that flux does not know: {listed(unknown)}"] if unknown else []
