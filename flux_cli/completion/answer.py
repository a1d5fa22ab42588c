"""Answer a shell's request for completions, in the format of that shell.

The scripts of `flux_cli.completion.scripts` start the program with ``_FLUX_COMPLETE`` set to the shell's name. The
first line of the answer is ``words``, followed by one word a line, or ``files``, which the shell lists itself. If the
config, the ledger or the command line is faulty, the answer is empty, and there is no error message.

Jobs are described by their prompts, which may come from anywhere: each becomes one harmless line, and no script
evaluates it.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

from flux_cli.completion import parse as cursor
from flux_cli.completion.candidates import Candidates, find_candidates

_INSERTING = {"37", "42"}
"""Values of bash's ``COMP_TYPE`` for completions that insert the words into the line one after the other."""


def answer(shell: str, arguments: Sequence[str]) -> int:
    """Print the completions in the format of ``shell``; ``arguments`` come from its script. Return 0."""
    formatter = {"bash": _bash, "zsh": _zsh, "fish": _fish, "powershell": _powershell, "pwsh": _powershell}.get(shell)
    lines = formatter(list(arguments)) if formatter is not None else []
    with suppress(OSError):  # the shell no longer waits
        sys.stdout.buffer.write("".join(f"{line}\n" for line in lines).encode("utf-8", "replace"))
        sys.stdout.flush()
    return 0


def _find(words: Sequence[str]) -> Candidates:
    return find_candidates(cursor.parse(words))


def _format_for(offered: Candidates, line: Callable[[str, str], str]) -> list[str]:
    """Return the lines of an answer."""
    return ["files"] if offered.files else ["words", *(line(word, said) for word, said in offered.words)]


def split(line: str, escape: str = "\\") -> tuple[list[str], str]:
    """Return the words of a command line without their quotes, the last one as far as it goes, and that one as typed.

    ``escape`` is the shell's character that takes the meaning from the next one.
    """
    words, raw, plain, quote, started = [""], "", False, "", False
    for character in line:
        if plain:
            words[-1] += character
            plain = False
        elif character == escape and quote != "'":
            plain = True
        elif quote:
            quote = "" if character == quote else quote
            words[-1] += character if quote else ""
        elif character in "'\"":
            quote = character
        elif character in " \t":
            if started:
                words.append("")
            raw, started = "", False
            continue
        else:
            words[-1] += character
        raw, started = raw + character, True
    return words, raw


def _bash(arguments: list[str]) -> list[str]:
    """Answer bash, which hands over the line, the part that it will replace, how it completes, and the window's width.

    It breaks words at ``:``, ``=`` and ``@``, so the text before the part that it replaces is left out. It inserts
    words without quoting them. It has no descriptions: where there is more than one word, the words are only shown, so
    a description follows each.
    """
    line, part, kind, width = arguments
    words, raw = split(line)
    kept = raw.removesuffix(part) if raw.endswith(part) else ""
    quoted = kept.startswith(("'", '"'))
    offered = _find(words[1:])
    skip = len(split(kept)[0][-1])
    shown = [(word[skip:], said) for word, said in offered.words]
    inserted = [word if quoted else re.sub(r"([^\w@%+=:,./~{}-])", r"\\\1", word) for word, _ in shown]
    if len(shown) > 1 and kind not in _INSERTING:
        longest = max(len(word) for word in inserted)
        room = max((int(width) if width.isdecimal() else 80) - longest - 3, 1)
        sides = [said if len(said) <= room else f"{said[: room - 1]}\u2026" for _, said in shown]
        inserted = [f"{word:{longest}}  {side}".rstrip() for word, side in zip(inserted, sides, strict=True)]
    return ["files"] if offered.files else ["words", *inserted]


def _zsh(words: list[str]) -> list[str]:
    """Answer zsh, which hands over the words, and reads a description after a colon."""

    def line(word: str, said: str) -> str:
        word, said = word.replace("\\", "\\\\").replace(":", "\\:"), said.replace("\\", "\\\\")
        return f"{word}:{said}" if said else word

    return _format_for(_find(words), line)


def _fish(words: list[str]) -> list[str]:
    """Answer fish, which hands over the words, the last one as typed, and reads a description after a tab."""
    last = split(words[-1])[0][-1] if words else ""
    return _format_for(_find([*words[:-1], last]), lambda word, said: f"{word}\t{said}" if said else word)


def _powershell(_none: list[str]) -> list[str]:
    """Answer PowerShell, which loses empty arguments: line and word come in the environment.

    Each line is the text to insert, the text to show, and what is said of it, parted by tabs.
    """
    typed, word = os.environ.get("_FLUX_LINE", ""), os.environ.get("_FLUX_WORD", "")
    words, _ = split(typed, escape="`")
    words = [*words, ""] if not word and words[-1] else words

    def line(word: str, said: str) -> str:
        text = word if re.fullmatch(r"[\w./:=+-]+", word) else "'" + word.replace("'", "''") + "'"
        return f"{text}\t{word}\t{said or word}"

    return _format_for(_find(words[1:]), line)
