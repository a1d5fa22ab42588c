"""List the providers and models, and load a provider by name. Importing this module imports none of them."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

from flux_cli.errors import UsageError
from flux_cli.text import listed, nearest

if TYPE_CHECKING:
    from flux_cli.providers.base import Provider

NAMES = ("runcomfy", "runflow", "apiframe", "runware", "bfl", "fal", "replicate")
"""Every provider, in display order."""

MODELS = {
    "flux-1.1-pro": "FLUX1.1 [pro]",
    "flux-1.1-pro-ultra": "FLUX1.1 [pro] Ultra",
    "flux-kontext-pro": "FLUX.1 Kontext [pro]",
    "flux-kontext-max": "FLUX.1 Kontext [max]",
    "flux-kontext-dev": "FLUX.1 Kontext [dev]",
    "flux-2-pro": "FLUX.2 [pro]",
    "flux-2-flex": "FLUX.2 [flex]",
    "flux-2-max": "FLUX.2 [max]",
    "flux-2-dev": "FLUX.2 [dev]",
    "flux-2-klein-4b": "FLUX.2 [klein] 4B",
    "flux-2-klein-4b-base": "FLUX.2 [klein] 4B Base",
    "flux-2-klein-9b": "FLUX.2 [klein] 9B",
    "flux-2-klein-9b-base": "FLUX.2 [klein] 9B Base",
    "flux-3-image": "FLUX 3 Image",
    "flux-3-image-klein": "FLUX 3 Image Klein",
    "flux-dev": "FLUX.1 [dev]",
    "flux-schnell": "FLUX.1 [schnell]",
    "flux-fill-pro": "FLUX.1 Fill [pro]",
}
"""Every model by the name that its maker gives it, with its title."""

ALIASES = {
    "pro": "flux-1.1-pro",
    "ultra": "flux-1.1-pro-ultra",
    "kontext": "flux-kontext-pro",
    "flux-3": "flux-3-image",
    "flux-pro-1.1": "flux-1.1-pro",
    "flux-pro-1.1-ultra": "flux-1.1-pro-ultra",
    "flux-pro-1.0-fill": "flux-fill-pro",
}
"""Other names of models: short ones, and the names of its maker's routes."""

DEFAULT_PROVIDER = "runware"
"""The provider of the sandbox, and the one that `flux config init` suggests."""

DEFAULT_MODEL = "flux-1.1-pro-ultra"
"""The model that every provider hosts."""


def names() -> tuple[str, ...]:
    """Return every name: those of flux, then those of plug-ins, which may turn out not to work."""
    from flux_cli.providers.plugins import list_entry_points  # noqa: PLC0415 - not for --help

    return (*NAMES, *(name for name in list_entry_points() if name not in NAMES))


def check_name(name: str) -> str:
    """Return ``name`` if it is the name of a provider. Raises `UsageError` with the nearest name."""
    if name not in NAMES and name not in names():
        near = nearest(name, names())
        message = f"there is no provider {name!r}"
        raise UsageError(message, hint=f"did you mean {near}?" if near else f"the providers are {listed(names())}")
    return name


def load(name: str) -> Provider:
    """Return the provider called ``name``. Raises `UsageError` with the nearest name, or for a broken plug-in."""
    if check_name(name) not in NAMES:
        from flux_cli.providers.plugins import load_plugin  # noqa: PLC0415 - not for --help

        return load_plugin(name)
    provider: Provider = import_module(f"flux_cli.providers.{name}").PROVIDER
    return provider


def load_all() -> list[Provider]:
    """Return every provider that works."""
    found: list[Provider] = []
    for name in names():
        with suppress(UsageError):
            found.append(load(name))
    return found


def canonical_name(word: str) -> str | None:
    """Return the full name of a model, given its name or an alias, or ``None`` if it is neither."""
    name = word.lower()
    name = ALIASES.get(name, name)
    return name if name in MODELS else None


def alias(name: str) -> str:
    """Return a model's shortest alias, or its name if it has none."""
    return next((short for short, full in ALIASES.items() if full == name and len(short) < len(name) - 1), name)
