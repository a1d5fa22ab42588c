"""Show the welcome text of ``flux`` without a command: what is set up, and what to type next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flux_cli import providers
from flux_cli.errors import FluxError
from flux_cli.text import listed, printable

if TYPE_CHECKING:
    from flux_cli.runtime import Runtime

_FOX = 'flux generate "a red fox in the snow"'
_TRY = (f"{_FOX} --sandbox", "a placeholder, for free")
_SET_UP = ("flux config init", "choose provider and key")
_MAKE = (_FOX, "an image in this folder")
_CHECK = ("flux providers --check", "does the key work, what is left")
_RECENT = ("flux status", "your recent jobs")
_FIX = (("flux config path", "where the config file is"), ("flux config unset KEY", "remove a setting"))


def show_welcome(runtime: Runtime) -> str:
    """Return the welcome text. It calls no provider and opens no ledger."""
    summary, steps = _describe_setup(runtime)
    width = max(len(command) for command, _ in steps)
    lines = [f"  {command:<{width}}   {what}" for command, what in steps]
    return "\n".join(
        [
            "flux makes images with FLUX.2, FLUX 3, Kontext and FLUX 1.1.",
            "",
            summary,
            "",
            *lines,
            "",
            "More: flux --help, flux help",
        ]
    )


def _describe_setup(runtime: Runtime) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return how far the setup is, in one sentence, and the commands to type next."""
    try:
        settings = runtime.settings
        chosen = settings.default_provider
        sources = {provider.name: settings.key_source(provider) for provider in providers.load_all()}
        sandbox = runtime.sandbox
    except FluxError as error:
        problem = "; ".join(printable(part) for part in (error.message, error.hint) if part)
        return f"Fix this first: {problem}", _FIX
    ready = [name for name, source in sources.items() if source]
    if sandbox:
        return "In the sandbox, everything is free and stays on this machine.", (_MAKE, _RECENT, _SET_UP)
    if chosen is not None and chosen not in ready:
        return f"{chosen} is selected but has no key yet.", (_TRY, _SET_UP, _MAKE)
    if not ready:
        return "No provider has a key yet. Try flux without one, or set one up:", (_TRY, _SET_UP, _MAKE)
    if chosen is None and len(ready) > 1:
        use = (f"flux config set default_provider {ready[0]}", "or -p NAME with each command")
        return f"{listed(ready)} have a key: choose one.", (use, _CHECK, _MAKE)
    name = chosen or ready[0]
    return f"{name} is ready (key: {sources[name]}).", (_MAKE, _CHECK, _RECENT)
