"""Check lines of ``--json`` against the schema that ``flux help json --schema`` prints.

The published schema leaves objects open, as readers have to expect new keys. Here it is closed: a key that the schema
does not list fails the test that printed it.
"""

from __future__ import annotations

import json
from collections.abc import Hashable
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from flux_cli.commands.help.topics import read_schema

_LONGEST_WORD = 12
"""Characters of the longest word that the schema lists, such as a status."""


@cache
def schema() -> dict[str, Any]:
    """Return the published schema."""
    return json.loads(read_schema())


def printed() -> list[str]:
    """Return the names of the objects that are whole lines."""
    return [one["$ref"].rpartition("/")[2] for one in schema()["anyOf"]]


@cache
def _validators() -> dict[str, Draft202012Validator]:
    """Return a validator for each object that is a whole line, in which no other keys are allowed."""
    definitions = {
        name: {**one, "additionalProperties": False} if "properties" in one else one
        for name, one in schema()["$defs"].items()
    }
    return {name: Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": definitions}) for name in printed()}


@cache
def _candidates(keys: frozenset[str]) -> tuple[str, ...]:
    """Return the objects that may have exactly these keys; if there are none, those that share the most."""
    kinds = {name: schema()["$defs"][name] for name in printed()}
    fitting = [name for name, one in kinds.items() if set(one["required"]) <= keys <= set(one["properties"])]
    return tuple(fitting) or (max(kinds, key=lambda name: len(keys & set(kinds[name]["required"]))),)


_valid: set[Hashable] = set()
"""The shapes of lines that are valid: most lines have the shape of an earlier one, and validating takes longer."""


def _shape(value: Any) -> Hashable:
    """Return the shape of a value: its type, a word as it is, and the shapes of what it contains."""
    match value:
        case dict():
            return tuple((name, _shape(one)) for name, one in value.items())
        case list():
            return frozenset(_shape(one) for one in value)
        case str():
            return value if len(value) <= _LONGEST_WORD else str
        case int() if not isinstance(value, bool):
            return int, min(value, 2)
        case _:
            return type(value), value is True


def check_line(line: str) -> None:
    """Fail if a line matches no object of the schema."""
    found = json.loads(line)
    assert isinstance(found, dict), line
    shape = _shape(found)
    if shape in _valid:
        return
    wrong: dict[str, str] = {}
    for name in _candidates(frozenset(found)):
        error = next(_validators()[name].iter_errors(found), None)
        if error is None:
            _valid.add(shape)
            return
        wrong[name] = f"{error.json_path}: {error.message}"
    raise AssertionError(f"not in flux_cli/help/json.schema.json: {wrong}\n{line}")


def check_output(text: str, *, json_only: bool = False) -> None:
    """Fail if a line that begins like an object of ``--json`` (with ``json_only``, any line) matches no object."""
    for line in text.splitlines():
        if json_only or line.startswith('{"version": '):
            check_line(line)
