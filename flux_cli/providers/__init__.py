"""List the providers and models, and load a provider by name. Importing this module imports none of them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from flux_cli.errors import UsageError
from flux_cli.text import listed, nearest

if TYPE_CHECKING:
    from flux_cli.providers.base import Provider

NAMES = ("runcomfy", "runflow", "apiframe", "runware")
"""Every provider, in display order."""

MODELS = {"pro": "flux-1.1-pro", "ultra": "flux-1.1-pro-ultra"}
"""Every model by its alias."""

DEFAULT_MODEL = "flux-1.1-pro-ultra"
"""The model that every provider hosts."""


def check_name(name: str) -> str:
    """Return ``name`` if it is the name of a provider. Raises `UsageError` with the nearest name."""
    if name not in NAMES:
        near = nearest(name, NAMES)
        message = f"there is no provider {name!r}"
        raise UsageError(message, hint=f"did you mean {near}?" if near else f"the providers are {listed(NAMES)}")
    return name


def load(name: str) -> Provider:
    """Return the provider called ``name``. Raises `UsageError` with the nearest name."""
    provider: Provider = import_module(f"flux_cli.providers.{check_name(name)}").PROVIDER
    return provider


def model_name(word: str) -> str:
    """Return the full name of a model, given its name or alias. Raises `UsageError`."""
    known = {**MODELS, **{name: name for name in MODELS.values()}}
    if word.lower() not in known:
        near = nearest(word, known)
        message = f"there is no model {word!r}"
        raise UsageError(
            message,
            hint=f"did you mean {near}?" if near else f"the models are {listed(MODELS.values())} (or pro and ultra)",
        )
    return known[word.lower()]


def alias(name: str) -> str:
    """Return a model's alias, or its name if it has none."""
    return next((short for short, full in MODELS.items() if full == name), name)
