"""Find the position of the cursor in a command line: the command, the options before it, and the word.

A table of all commands and options comes with the package, because asking Typer takes ten times as long. A test keeps
the table equal to the program.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

Parameter = Mapping[str, Any]
"""An option or an argument: ``name``, ``names`` as typed, ``takes`` (its value, for people; empty for a switch), ..."""


@cache
def load_table() -> dict[str, Any]:
    """Return what the program offers: its commands, its config keys, its providers."""
    found: dict[str, Any] = json.loads(Path(__file__).with_name("table.json").read_text(encoding="utf-8"))
    return found


@dataclass(kw_only=True)
class CompletionContext:
    """What is being typed, and what comes before it."""

    path: tuple[str, ...] = ()
    """The command, and the command within it."""
    given: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """Values by the name of the option or argument; of a switch, as often as it was typed."""
    parameter: Parameter | None = None
    """The option or argument whose value the word is; ``None`` for the name of a command or an option."""
    word: str = ""
    """The part of the value, or of the name, that is there already."""
    before: str = ""
    """What comes before the value in the same word, such as ``--provider=``."""
    names: tuple[str, ...] = ()
    """The commands that can be typed here."""
    options: tuple[Parameter, ...] = ()
    """The options that can be typed here."""


def parse(words: Sequence[str], root: Mapping[str, Any] | None = None) -> CompletionContext | None:
    """Return where the last of ``words``, which follow the program's name, is being typed; ``None`` if nowhere.

    ``root`` is the table of commands, the program's own unless another is given.
    """
    *before, word = words or ("",)
    reader = _Reader(root or load_table()["program"])
    for one in before:
        if not reader.read(one):
            return None
    return reader.stop(word)


class _Reader:
    """Reads a command line word by word, as the program would."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._command = root
        self._cursor = CompletionContext()
        self._pending: Parameter | None = None
        self._plain = False
        self._count = 0

    def read(self, word: str) -> bool:
        """Read a complete word. Return whether the line is still valid."""
        if self._pending is not None:
            self._give(self._pending, word)
            self._pending = None
        elif not self._plain and word == "--":
            self._plain = True
        elif not self._plain and len(word) > 1 and word[0] == "-":
            option, _, value = self._option(word)
            if option is not None and value is None and option["takes"]:
                self._pending = option
            elif option is not None:
                self._give(option, value or "")
        elif self._command.get("commands"):
            if word not in self._command["commands"]:
                return False
            self._command = self._command["commands"][word]
            self._cursor.path += (word,)
        else:
            self._give(self._argument(), word)
            self._count += 1
        return True

    def _give(self, parameter: Parameter | None, value: str) -> None:
        if parameter is not None:
            self._cursor.given.setdefault(parameter["name"], []).append(value)

    def _argument(self) -> Parameter | None:
        """Return the argument that comes next."""
        arguments = self._command.get("arguments", [])
        if self._count < len(arguments):
            found: Parameter = arguments[self._count]
            return found
        return arguments[-1] if arguments and arguments[-1]["repeats"] else None

    def _option(self, word: str) -> tuple[Parameter | None, str, str | None]:
        """Return the option that a word begins with, what of the word names it, and the value that follows in it.

        Of short switches in one word, all but the last count as typed.
        """
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            return self._named(name), name + equals, value if equals else None
        for end, letter in enumerate(word[1:], start=2):
            option = self._named(f"-{letter}")
            if option is None or end == len(word) or option["takes"]:
                return option, word[:end], word[end:] or None
            self._give(option, "")
        return None, word, None

    def _named(self, name: str) -> Parameter | None:
        return next((option for option in self._command["options"] if name in option["names"]), None)

    def stop(self, word: str) -> CompletionContext:
        """Return where we are, with ``word`` under the cursor."""
        cursor = self._cursor
        cursor.word = word
        if self._pending is not None:
            cursor.parameter = self._pending
            return cursor
        option, before, value = (None, "", None) if self._plain or word[:1] != "-" else self._option(word)
        if option is not None and value is not None:
            cursor.parameter, cursor.before, cursor.word = option, before, value
            return cursor
        argument = self._argument()
        if not self._plain and (word[:1] == "-" or (argument is None and not self._command.get("commands"))):
            cursor.options = tuple(
                one for one in self._command["options"] if one["repeats"] or one["name"] not in cursor.given
            )
        elif self._command.get("commands"):
            cursor.names = tuple(self._command["commands"])
        else:
            cursor.parameter = argument
        return cursor
