"""Add a hint to errors that have none, so that every error says what to do next."""

from __future__ import annotations

from flux_cli.errors import FluxError, NotFoundError
from flux_cli.providers.base import Provider


def with_hint(error: FluxError, provider: Provider) -> FluxError:
    """Return ``error``, with a hint added if it has none."""
    missing = f"check the id; see {provider.docs}"
    error.hint = error.hint or (missing if isinstance(error, NotFoundError) else _hints(provider).get(error.code, ""))
    return error


def _hints(provider: Provider) -> dict[str, str]:
    """Return a hint for each error code."""
    name = provider.name
    return {
        "auth": f"`flux config set providers.{name}.api_key` sets another key; create keys in {provider.key_page}",
        "payment": f"add credits in {provider.key_page}; `flux providers {name} --check` shows what is left",
        "moderated": f"change the prompt: the same one would be blocked again; see {provider.docs}",
        "unavailable": "nothing was accepted: try again later, or another provider with `-p`",
        "usage": f"`flux models -p {name}` lists its models, and `flux models MODEL -p {name}` their options",
        "failed": f"{name} gives no further details; running it again starts a new paid job",
    }
