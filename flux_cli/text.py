"""Make text from outside (prompts, file names, server messages) safe for a terminal, a file name and a shell."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
_JOINERS = {"\u200c", "\u200d"}
"""Zero-width joiners: part of many emoji and of several scripts, and harmless."""

_RESERVED = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{port}{n}" for port in ("com", "lpt") for n in "123456789\u00b9\u00b2\u00b3"),
}
"""Names that Windows keeps for devices, with any extension."""


def printable(text: str, *, limit: int = 0) -> str:
    r"""Return ``text`` on one line, with control and bidirectional characters and lone surrogates written as ``\x1b``.

    White space of any kind becomes one blank. ``limit`` (in characters, 0 for none) cuts the end and marks the cut.
    """
    shown: list[str] = []
    for character in re.sub(r"[ \t\r\n]+", " ", text):
        if unicodedata.category(character) in _INVISIBLE and character not in _JOINERS:
            code = ord(character)
            shown.append(f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")  # noqa: PLR2004 - the three escape widths
        else:
            shown.append(character)
    line = "".join(shown).strip()
    return line if not limit or len(line) <= limit else line[: limit - 1].rstrip() + "\u2026"


def find_repeat(names: Iterable[str]) -> str | None:
    """Return the first of ``names`` that comes twice, or ``None``."""
    counts = Counter(names)
    return next((name for name, count in counts.items() if count > 1), None)


def sentence(text: str, *, limit: int = 300) -> str:
    """Return a server's text as the tail of one of our messages: one line of ``limit`` characters, no full stop."""
    line = printable(text, limit=limit)
    return line[:-1] if line.endswith(".") and not line.endswith("..") else line


def cut_bytes(text: str, limit: int) -> str:
    """Return the longest beginning of ``text`` that takes at most ``limit`` bytes as UTF-8 and splits no character."""
    if len(text.encode()) <= limit:
        return text
    return text.encode()[:limit].decode(errors="ignore")


def slug(text: str, *, limit: int = 60) -> str:
    """Return ``text`` as lower-case words joined by dashes, at most ``limit`` bytes, ``image`` if no word is left."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFKC", text).lower())
    kept = "".join(
        c if unicodedata.category(c)[0] in "LN" or unicodedata.category(c) in {"Mn", "Mc"} else "-" for c in folded
    )
    joined = re.sub(r"-+", "-", kept).strip("-")
    short = cut_bytes(joined, limit)
    if len(short) < len(joined) and "-" in short and joined[len(short)] != "-":
        short = short.rsplit("-", 1)[0]
    return safe_name(short.strip("-"), fallback="image")


def safe_name(text: str, *, fallback: str = "_", limit: int = 180) -> str:
    """Return ``text`` as one component of a path: no separator, no control, no leading dot or dash, no device name."""
    kept = "".join("_" if c in '/\\:*?"<>|' or unicodedata.category(c) in _INVISIBLE else c for c in text)
    name = cut_bytes(kept.lstrip(" .-"), limit).rstrip(" .")
    if not name:
        return fallback
    return f"_{name}" if name.split(".", 1)[0].rstrip().lower() in _RESERVED else name


def shell_word(text: str) -> str:
    """Return ``text`` as one word of shell, with control characters escaped."""
    if text.isprintable():
        from shlex import quote  # noqa: PLC0415 - not for --help

        return quote(text)
    return "$'" + "".join(_escaped(letter) for letter in text) + "'"


def _escaped(letter: str) -> str:
    if letter in "\\'":
        return f"\\{letter}"
    return letter if letter.isprintable() else "".join(f"\\x{b:02x}" for b in letter.encode("utf-8", "surrogateescape"))


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the name in ``known`` that is most like ``word``, or ``None``."""
    names = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    return names[found[0]] if found else None


def listed(words: Iterable[str], *, last: str = "and") -> str:
    """Return ``a``, ``a and b`` or ``a, b and c``."""
    items = list(words)
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}" if items else ""
