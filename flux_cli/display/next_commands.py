"""Find the commands in a hint that a script can run as they are.

They ask nothing, and buy, remove and set nothing: they read, fetch what is paid for, or cancel. So none of them can
make an image a second time, whatever the error is and whatever text from outside the hint quotes.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

_READING = {"status", "models", "providers", "help"}
_WITH_JOBS = {"result", "cancel"}
"""Commands that need a job."""
_OF_CONFIG = {"get", "show", "path"}
"""What reads the config file."""
_CHANGING = {"--forget", "--forget-older-than", "--accept-loss", "--install", "--uninstall"}
_PROGRAM = re.compile(r"(?:flux|flux-cli|python -m flux_cli) ")
_PLACEHOLDER = re.compile(r"[A-Z][A-Z0-9_-]*(=.*)?|.*(…|\.\.\.).*")


def next_commands(hint: str, *, options: Sequence[str] = ()) -> list[str]:
    """Return the commands between backticks in ``hint`` that can be run as they are, in its order.

    ``options`` are those that flux was called with and that the commands need, too, such as ``--sandbox``.
    """
    found = (_complete(quoted, options) for quoted in re.findall(r"`([^`]+)`", hint))
    return list(dict.fromkeys(command for command in found if command))


def _complete(quoted: str, options: Sequence[str]) -> str:
    """Return a command with the ``options`` that it lacks, or an empty text if it cannot be run as it is."""
    if (program := _PROGRAM.match(quoted)) is None:
        return ""
    try:
        words = shlex.split(quoted[program.end() :])
    except ValueError:  # a quote that is not closed
        return ""
    if not _is_ready(words) or shlex.join(words) != quoted[program.end() :]:  # the shell would read it differently
        return ""
    if words[0] != "help" and "--help" not in words:
        words += [one for one in options if one not in words]
    return program[0] + shlex.join(words)


def _is_ready(words: Sequence[str]) -> bool:
    """Whether the words after the program are a whole command of a kind that is always safe."""
    if not words or any(_PLACEHOLDER.fullmatch(word) for word in words) or _CHANGING & set(words):
        return False
    command, *more = words
    if words[-1] == "--help" or command in _READING:
        return True
    if command == "config":
        return more[:1] != [] and more[0] in _OF_CONFIG
    return command in _WITH_JOBS and any(word == "--all" or not word.startswith("-") for word in more)
