"""Make parts of a help page from the program's own tables: commands, options, exit codes and providers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from flux_cli import providers
from flux_cli.completion.parse import load_table
from flux_cli.errors import exit_codes

_OPTIONS = (
    *("provider", "model", "output", "aspect_ratio", "count", "seed", "image", "like", "batch"),
    *("once", "max_cost", "no_wait", "timeout"),
)
"""The options of ``flux generate`` that an agent needs most."""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" if line[0] != "---" else f"|{'|'.join(line)}|" for line in lines)


def _commands() -> str:
    program: dict[str, Any] = load_table()["program"]
    return _table(
        ("command", "what it does"), ((f"`flux {name}`", one["help"]) for name, one in program["commands"].items())
    )


def _options() -> str:
    known = {one["name"]: one for one in load_table()["program"]["commands"]["generate"]["options"]}
    chosen = [known[name] for name in _OPTIONS]
    return _table(
        ("option", "what it does"),
        ((f"`{' '.join(filter(None, (one['names'][0], one['takes'])))}`", one["help"]) for one in chosen),
    )


def _exit_codes() -> str:
    return _table(
        ("code", "name", "when", "what to do"),
        [
            ("0", "ok", "everything worked", "use the paths in `images`"),
            *((str(code), one.code, one.meaning, one.advice) for code, one in exit_codes().items()),
        ],
    )


def _providers() -> str:
    loaded = [providers.load(name) for name in providers.NAMES]
    return f"{', '.join(f'`{one.name}` ({len(one.models)} models, `{one.key_variables[0]}`)' for one in loaded)}."


PARTS: dict[str, Callable[[], str]] = {
    "commands": _commands,
    "options": _options,
    "exit-codes": _exit_codes,
    "providers": _providers,
}
"""The function that makes each part, by the NAME in a page: ``<!-- from the program: NAME -->``."""
