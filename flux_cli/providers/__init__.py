"""The registry: which providers there are, and how to get one. Importing this imports none of them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from flux_cli.errors import UsageError
from flux_cli.text import listed, nearest

if TYPE_CHECKING:
    from flux_cli.providers.base import Provider

NAMES = ("runcomfy", "runflow", "apiframe", "runware")
"""Every provider, in the order in which people are shown them."""

MODELS = {"pro": "flux-1.1-pro", "ultra": "flux-1.1-pro-ultra"}
"""Every model by its alias."""

DEFAULT_MODEL = "flux-1.1-pro-ultra"
"""The one that every provider hosts."""


def check_name(name: str) -> str:
    """Return the ``name`` of a provider as it is. Raises `UsageError` with the nearest one where there is none."""
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
    """Return the full name of the model that ``word``, a name or an alias, stands for. Raises `UsageError`."""
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
    """Return a model's short name, or the name itself where it has none."""
    return next((short for short, full in MODELS.items() if full == name), name)
