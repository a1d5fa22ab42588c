"""Check a request body against a documented schema. A field that is not documented is unknown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Kind = Literal["text", "link", "integer", "number", "boolean", "object", "array"]

_NAMES: dict[Kind, str] = {"text": "a string", "link": "a URI", "integer": "an integer", "array": "an array"}
_LINK = r"[a-z][a-z0-9+.-]*://[^\s/]\S*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a documented schema."""

    kind: Kind
    required: bool = False
    nullable: bool = False
    low: float | None = None
    """Smallest number, or shortest length of a text or array."""
    high: float | None = None
    """Largest number, or longest length of a text or array."""
    choices: tuple[str, ...] = ()
    pattern: str = ""
    fields: Mapping[str, Field] | None = None
    """The fields of an object; ``None`` if any name is allowed."""
    items: Field | None = None
    """The items of an array."""


class Problem(NamedTuple):
    """One violation of a schema."""

    path: str
    """Dotted; empty for the body itself."""
    why: Literal["missing", "unknown", "invalid"]
    message: str
    field: Field | None = None


_BOUNDS: dict[Kind, tuple[str, str]] = {
    "text": ("minLength", "maxLength"),
    "integer": ("minimum", "maximum"),
    "number": ("minimum", "maximum"),
    "array": ("minItems", "maxItems"),
}


def as_json_schema(field: Field) -> dict[str, Any]:
    """Return a field as a JSON schema, as providers publish it."""
    found: dict[str, Any] = {"type": {"text": "string", "link": "string"}.get(field.kind, field.kind)}
    for name, limit in zip(_BOUNDS.get(field.kind, ()), (field.low, field.high), strict=False):
        found |= {} if limit is None else {name: limit}
    found |= {"enum": list(field.choices)} if field.choices else {}
    found |= {"items": as_json_schema(field.items)} if field.items else {}
    if field.fields is not None:
        found["properties"] = {name: as_json_schema(one) for name, one in field.fields.items()}
        found["required"] = [name for name, one in field.fields.items() if one.required]
    return found


def problems(value: Any, field: Field, path: str = "") -> list[Problem]:
    """Return every violation in ``value``, in the order of the schema, with unknown names last."""
    return list(_problems(value, field, path))


def _problems(value: Any, field: Field, path: str) -> Iterator[Problem]:
    if value is None and field.nullable:
        return
    if not _has_kind(value, field.kind):
        message = f"must be {_NAMES.get(field.kind, f'a {field.kind}' if field.kind != 'object' else 'an object')}"
        yield Problem(path=path, why="invalid", message=message, field=field)
        return
    message = _check_limits(value, field)
    if message:
        yield Problem(path=path, why="invalid", message=message, field=field)
    if isinstance(value, list) and field.items is not None:
        for index, item in enumerate(value):
            yield from _problems(item, field.items, f"{path}.{index}")
    if isinstance(value, dict) and field.fields is not None:
        yield from _check_fields(value, field.fields, f"{path}." if path else "")


def _check_fields(value: dict[str, Any], fields: Mapping[str, Field], prefix: str) -> Iterator[Problem]:
    for name, inner in fields.items():
        if name in value:
            yield from _problems(value[name], inner, prefix + name)
        elif inner.required:
            yield Problem(path=prefix + name, why="missing", message="is required", field=inner)
    for name in value:
        if name not in fields:
            yield Problem(path=prefix + name, why="unknown", message="is not a known field")


def _has_kind(value: Any, kind: Kind) -> bool:
    match kind:
        case "text":
            return isinstance(value, str)
        case "link":
            return isinstance(value, str) and re.fullmatch(_LINK, value, re.IGNORECASE) is not None
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "object":
            return isinstance(value, dict)
        case _:
            return isinstance(value, list)


def _check_limits(value: Any, field: Field) -> str:
    """Return what is wrong with a value of the right kind, or nothing."""
    if field.choices and value not in field.choices:
        return f"must be one of {', '.join(field.choices)}"
    if field.pattern and not re.fullmatch(field.pattern, value):
        return f"must match {field.pattern}"
    length = field.kind in {"text", "link", "array"}
    size, what = (len(value), "length must be") if length else (value, "must be")
    if field.low is not None and size < field.low:
        return f"{what} at least {field.low}"
    if field.high is not None and size > field.high:
        return f"{what} at most {field.high}"
    return ""
