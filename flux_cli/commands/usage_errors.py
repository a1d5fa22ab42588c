"""Explain a command line that Typer cannot parse: one line in lower case, and what to type instead."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Sequence

from flux_cli.errors import UsageError
from flux_cli.text import nearest, printable

_KINDS = {"integer": "a whole number", "number": "a number"}
"""What an option takes, by the word in Typer's message."""


def explain(words: str, arguments: Sequence[str], *, program: str, commands: Collection[str]) -> UsageError:
    """Return Typer's message ``words`` about ``arguments`` as an error of ``program``, which has these ``commands``."""
    message, _, options = words.strip().split("\n")[0].partition(" (Possible options: ")
    message, _, near = message.partition(" Did you mean ")
    command = next((word for word in arguments if word in commands), "")
    called = f"{program} {command}".rstrip()
    if found := re.match(r"Invalid value for '(-[^']*)'.*: Input should be a valid (integer|number)", message):
        message = f"{found[1]} takes {_KINDS[found[2]]}{_instead(found[0], arguments)}"
    hint = f"`{called} --help`"
    if command and arguments.index(command) > 0 and arguments[0] in message:
        hint = f"options come after the command: `{program} {command} {arguments[0]} …`"
    elif found := re.match(r"No such option: (\S+)", message):
        known = sorted(re.findall(r"-[\w-]+", options or near))
        hint = f"did you mean {nearest(found[1], known) or ' or '.join(known)}?" if known else hint
    elif message.startswith("No such command"):
        hint = _command(near, called, arguments) or hint
    elif message.startswith("Got unexpected extra argument") and command == "generate":
        hint = f'put a prompt of several words in quotes: `{called} "a red fox"`'
    return UsageError(message[:1].lower() + message[1:].rstrip("."), hint=hint)


def _command(near: str, called: str, arguments: Sequence[str]) -> str:
    """Return the hint for an unknown command, or nothing if no guess is likely."""
    if near:
        return f"did you mean `{called} {near.rstrip('?').split(' or ')[0].strip(chr(39))}`?"
    if arguments and " " in arguments[0]:
        return f"a prompt comes after a command: `{called} generate {printable(shlex.quote(arguments[0]), limit=60)}`"
    return ""


def _instead(complaint: str, arguments: Sequence[str]) -> str:
    """Return the value that was typed for the option in ``complaint``, as the end of our message, or nothing."""
    for name in re.findall(r"'(-[^']*)'", complaint):
        for word, following in zip(arguments, (*arguments[1:], ""), strict=True):
            if word == name and following:
                return f", not {printable(following, limit=40)}"
            if word.startswith(f"{name}="):
                return f", not {printable(word.removeprefix(f'{name}='), limit=40)}"
    return ""
