"""Ask the questions of ``flux config init`` and return the answers. Nothing is written before the last one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import typer
from pydantic import SecretStr

from flux_cli import providers
from flux_cli.commands.providers.check import money
from flux_cli.config.schema import check_header_value
from flux_cli.errors import AuthError, FluxError, UsageError
from flux_cli.text import printable

if TYPE_CHECKING:
    from flux_cli.config.settings import Settings
    from flux_cli.providers.base import Account, Provider
    from flux_cli.runtime import Runtime

Attempt = Callable[["Provider", SecretStr | None], "Account"]
"""Asks a provider whether a key works; ``None`` is the key that is set. Raises `FluxError`."""
Verdict = Literal["works", "refused", "unchecked"]


class Talk(Protocol):
    """Asks questions and shows text."""

    def say(self, line: str) -> None:
        """Show a line."""
        ...

    def ask(self, question: str, default: str) -> str:
        """Return the answer, or the default if it is empty."""
        ...

    def ask_secretly(self, question: str) -> str:
        """Return an answer that is not shown while it is typed; it may be empty."""
        ...


class Terminal:
    """A person at a terminal, on stderr. Ctrl-C and the end of the input leave through an exception."""

    def __init__(self, runtime: Runtime) -> None:
        """Use the runtime's stderr."""
        self._runtime = runtime

    def say(self, line: str) -> None:
        """Print a line."""
        self._runtime.streams.err(line)

    def ask(self, question: str, default: str) -> str:
        """Ask with the default in brackets."""
        answer: str = typer.prompt(question, default=default, err=True)
        return answer.strip()

    def ask_secretly(self, question: str) -> str:
        """Ask without an echo."""
        answer: str = typer.prompt(question, default="", show_default=False, hide_input=True, err=True)
        return answer.strip()


@dataclass(frozen=True, kw_only=True)
class Answers:
    """The answers: what to configure."""

    provider: Provider
    key: SecretStr | None
    """``None`` leaves the one that is set."""
    verdict: Verdict
    problem: FluxError | None
    """What was wrong with the key, or with asking about it."""
    output: str | None
    """The folder as it was typed; ``None`` is the current one."""

    def changes(self) -> dict[str, Any]:
        """Return what is written into the config file, by dotted key."""
        key = {} if self.key is None else {f"providers.{self.provider.name}.api_key": self.key}
        return {"default_provider": self.provider.name, **key, "output": self.output}


def interview(talk: Talk, settings: Settings, attempt: Attempt | None) -> Answers:
    """Ask for a provider, its key and a folder, each again until the answer can be used.

    The key is tried before anything is kept; without an ``attempt`` (in the sandbox, which takes any key) it is not.
    """
    talk.say("Press Enter for the value in brackets. Ctrl-C quits and changes nothing.")
    provider = _provider(talk, settings)
    key, verdict, problem = _key(talk, settings, provider, attempt)
    return Answers(
        provider=provider, key=key, verdict=verdict, problem=problem, output=_folder(talk, settings.get("output"))
    )


def _provider(talk: Talk, settings: Settings) -> Provider:
    """Return the chosen provider, by number or by name."""
    choices = providers.load_all()
    sources = [settings.key_source(one) for one in choices]
    for number, (one, source) in enumerate(zip(choices, sources, strict=True), 1):
        models = ", ".join(providers.alias(name) for name in one.models)
        talk.say(f"  {number}  {one.name:<9}  {models:<11}{f'  key set ({source})' if source else ''}".rstrip())
    ready = [one.name for one, source in zip(choices, sources, strict=True) if source]
    usual = settings.default_provider or next(iter(ready), providers.DEFAULT_PROVIDER)
    while True:
        word = talk.ask(f"Provider (1 to {len(choices)}, or a name)", usual).strip().lower()
        if word.isdecimal() and 1 <= int(word) <= len(choices):
            return choices[int(word) - 1]
        try:
            return providers.load(word)
        except UsageError as error:
            talk.say(f"{printable(error.message).capitalize()}: {error.hint}")


def _key(
    talk: Talk, settings: Settings, provider: Provider, attempt: Attempt | None
) -> tuple[SecretStr | None, Verdict, FluxError | None]:
    """Return a key with the result of checking it; ``None`` for the one that is set."""
    source = settings.key_source(provider)
    talk.say(f"Create keys in {provider.key_page}")
    question = f"{provider.title} key (not shown)"
    if source is not None:
        talk.say(f"A key is already set ({source}).")
        question += ", or Enter to keep it"
    key: SecretStr | None = None
    problem: FluxError | None = None
    while True:
        typed = _pasted(talk, question, optional=source is not None or problem is not None)
        if typed is None and problem is not None:
            return key, "refused", problem
        key = typed
        if key is not None and source in provider.key_variables:
            talk.say(f"{source} is set too and takes precedence: unset it to use this key.")
        if attempt is None:
            return key, "unchecked", None
        talk.say(f"Checking the key with {provider.name} ...")
        try:
            account = attempt(provider, key)
        except AuthError as error:
            problem = error
            talk.say(f"This key does not work: {printable(error.message)}")
            question = "Another key (not shown), or Enter to keep this one"
        except FluxError as error:
            talk.say(f"The key could not be checked: {printable(error.message)}")
            return key, "unchecked", error
        else:
            left = "" if account.balance is None else f", {money(account.balance)} left"
            talk.say(f"The key works{left}.")
            return key, "works", None


def _pasted(talk: Talk, question: str, *, optional: bool) -> SecretStr | None:
    """Return what can be a key; ``None`` for Enter alone, where that is an answer."""
    while True:
        text = talk.ask_secretly(question)
        if not text and optional:
            return None
        try:
            key = check_header_value(SecretStr(text))
        except ValueError as error:
            talk.say(f"That is not a key: {error}")
            continue
        if key.get_secret_value():
            return key
        talk.say("No key was entered. Paste the key and press Enter; it is not shown.")


def _folder(talk: Talk, configured: str | None) -> str | None:
    """Return the folder for images as typed; ``None`` is the current folder."""
    while True:
        folder = talk.ask("Folder for images, created when needed", configured or ".").strip()
        if folder == configured or folder in {"", "."}:
            return configured if folder == configured else None
        if "{" in folder:  # a template says by itself what is a folder
            return folder
        if _is_file(folder):
            talk.say(f"{printable(folder)} is a file. Name a folder.")
            continue
        return folder if folder.endswith("/") else f"{folder}/"


def _is_file(folder: str) -> bool:
    """Whether something other than a folder has this name. False for a path that cannot be resolved."""
    try:
        path = Path(folder).expanduser()
        return path.exists() and not path.is_dir()
    except (OSError, RuntimeError, ValueError):
        return False
