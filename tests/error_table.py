"""Every failure that the program can tell, read out of its source: ``python -m tests.error_table`` prints the table."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import flux_cli
from flux_cli.errors import FluxError, tree

SOURCES = Path(flux_cli.__file__).parent
BLANK = "…"
"""Stands for what differs from one failure to the next."""


@dataclass(frozen=True)
class Row:
    """One place that makes an error."""

    where: str
    """Module and line."""
    kind: type[FluxError]
    message: str | None
    """The text with `BLANK` in its gaps; ``None`` where it is put together elsewhere."""
    hint: str | None
    """The same; empty where the place gives none."""
    charged: str
    retry: str


def _texts(node: ast.expr | None, names: dict[str, list[ast.expr]]) -> list[str] | None:
    """Return what an expression may read, one text for each way through it; ``None`` where that cannot be seen."""
    match node:
        case None:
            return [""]
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr(values=parts):
            found = [""]
            for part in parts:
                inner = _texts(part.value, names) if isinstance(part, ast.FormattedValue) else _texts(part, names)
                short = inner if inner is not None and len(inner) <= 4 else [BLANK]
                found = [begun + more for begun in found for more in short]
            return found
        case ast.IfExp(body=one, orelse=other):
            both = _texts(one, names), _texts(other, names)
            return None if None in both else [*(both[0] or []), *(both[1] or [])]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            ends = _texts(left, names) or [BLANK], _texts(right, names) or [BLANK]
            return [begun + more for begun in ends[0] for more in ends[1]]
        case ast.BoolOp(op=ast.Or(), values=values):
            return [text for value in values for text in _texts(value, names) or [BLANK]]
        case ast.Name(id=name) if name in names:
            rest = {key: value for key, value in names.items() if key != name}
            return [text for value in names[name] for text in _texts(value, rest) or [BLANK]]
        case _:
            return None


def _assigned(body: ast.AST) -> dict[str, list[ast.expr]]:
    """Return what is assigned to each name somewhere in a function, or at the top of a module."""
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(body):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            found.setdefault(node.targets[0].id, []).append(node.value)
    return found


def _rows(path: Path) -> Iterator[Row]:
    module = ast.parse(path.read_text(encoding="utf-8"))
    kinds = tree()
    functions = [node for node in ast.walk(module) if isinstance(node, ast.FunctionDef)]
    top = _assigned(ast.Module(body=[node for node in module.body if isinstance(node, ast.Assign)], type_ignores=[]))
    seen: set[ast.Call] = set()
    for function in sorted(functions, key=lambda one: -one.lineno):  # the inner ones first
        names = {**top, **_assigned(function)}
        for call in ast.walk(function):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call in seen:
                continue
            if (kind := kinds.get(call.func.id)) is None:
                continue
            seen.add(call)
            given = {word.arg: word.value for word in call.keywords if word.arg}
            before = [value for value in names.get("message", []) if value.lineno < call.lineno]
            here = {**names, "message": before[-1:]}  # said once, just before it is raised
            said = {name: _texts(given[name], names) for name in ("charged", "retry") if name in given}
            for message in _texts(call.args[0] if call.args else None, here) or [None]:
                for hint in _texts(given.get("hint"), names) or [None]:
                    yield Row(
                        where=f"{path.relative_to(SOURCES).as_posix()}:{call.lineno}",
                        kind=kind,
                        message=message,
                        hint=hint,
                        charged=" or ".join(said.get("charged", [kind.default_charged]) or [BLANK]),
                        retry=" or ".join(said.get("retry", [kind.default_retry]) or [BLANK]),
                    )


@cache
def table() -> tuple[Row, ...]:
    """Return a row for each text of each error that the source makes, in the order of the files."""
    paths = sorted(path for path in SOURCES.rglob("*.py") if "sandbox" not in path.parts)
    return tuple(dict.fromkeys(row for path in paths for row in sorted(_rows(path), key=lambda row: row.where)))


def main() -> int:
    """Print the table, as Markdown."""
    lines = ["| exit | charged | again | message | hint | where |", "|---|---|---|---|---|---|"]
    for row in sorted(table(), key=lambda row: row.kind.exit_code):
        texts = [BLANK if text is None else text.replace("|", "\\|") for text in (row.message, row.hint)]
        cells = (f"{row.kind.exit_code} {row.kind.code}", row.charged, row.retry, *texts, row.where)
        lines.append(f"| {' | '.join(cells)} |")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
