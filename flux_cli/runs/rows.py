"""Read the rows of a batch file, from lines, JSON lines or CSV, and check their names and types.

A row is a prompt with any option of ``flux generate`` beside it, by its long name; it is checked as the ``[generate]``
table of the config is. Whether a provider supports its options is checked later.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flux_cli.config.schema import KEYS, GenerateTable, is_table
from flux_cli.config.validate import parse_text
from flux_cli.errors import UsageError
from flux_cli.text import listed, nearest, printable

KINDS = ("txt", "jsonl", "csv")
"""The kinds of files, by extension."""

_WHOLE = frozenset({"no_wait", "jobs", "max_cost"})
"""Options of the config that apply to a batch as a whole."""
NAMES = ("prompt", "provider", *(names[1] for names in KEYS if names[0] == "generate" and names[1] not in _WHOLE))
"""What a row may hold."""

COPY = "copy"
"""A further field of a row: its number among equal rows, where not all of them are in the file."""
_DIGITS = 6
"""Of that number, at most."""

_FAILED = re.compile(r"\.failed(-[1-9]\d*)?\.jsonl$")
"""What the name of a file of rows that can be retried ends with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a batch."""

    number: int
    """From 1; blank lines and comments are no rows."""
    place: str
    """File and line, for people."""
    fields: Mapping[str, Any]
    """The prompt and the options, by long name with underscores."""
    digests: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """By option: what tells its local input images from those of other rows, whatever they are called."""
    copy: int | None = None
    """Its number among equal rows, from 1; ``None`` where the file has all of them, in order."""

    @property
    def key(self) -> str:
        """A digest of its content, whatever its line in the file."""
        text = json.dumps({**self.fields, **self.digests}, sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def detect_kind(name: str) -> str:
    """Return the kind of a batch file, by its name. Raises `UsageError`."""
    if name == "-":
        return "txt"
    kind = Path(name).suffix.lower().removeprefix(".")
    if kind not in KINDS:
        raise UsageError(
            f"cannot tell what kind of batch {printable(name)} is",
            hint="its name must end in .txt (one prompt per line), .jsonl or .csv (a prompt and any options per row)",
        )
    return kind


def batch_name(path: str) -> str:
    """Return the name under which a batch file's jobs are kept: that of the first file, for a file of failed rows."""
    while found := _FAILED.search(path):
        path = path[: found.start()]
    return path


def failed_name(name: str, number: int = 1) -> str:
    """Return the name of the file for the rows of ``name`` that can be retried; there may be further ones, from 2."""
    return f"{name}.failed.jsonl" if number == 1 else f"{name}.failed-{number}.jsonl"


def read(text: str, name: str, kind: str) -> tuple[list[Row], list[UsageError]]:
    """Return the rows in a file's ``text``, and what is wrong with those that cannot be read, by file and line."""
    shown = printable(name)
    rows: list[Row] = []
    errors: list[UsageError] = []
    found = {"txt": _read_lines, "jsonl": _read_objects, "csv": _read_records}[kind](text)
    for number, (line, fields) in enumerate(found, 1):
        place = f"{shown}:{line}"
        try:
            if isinstance(fields, UsageError):
                raise fields
            own = {name: value for name, value in fields.items() if _normalize(name) != COPY}
            copy = next((value for name, value in fields.items() if _normalize(name) == COPY), None)
            rows.append(Row(number=number, place=place, fields=_check_fields(own, place), copy=_copy(copy)))
        except UsageError as error:
            message = error.message if error.message.startswith(place) else f"{place}: {error.message}"
            errors.append(UsageError(message, hint=error.hint))
    return rows, errors


Found = Iterator[tuple[int, Mapping[str, Any] | UsageError]]
"""Rows of the file: the number of the line, and the fields or the error."""


def _read_lines(text: str) -> Found:
    for number, line in enumerate(text.split("\n"), 1):
        prompt = line.strip()
        if prompt and not prompt.startswith("#"):
            yield number, {"prompt": prompt}


def _read_objects(text: str) -> Found:
    decode = json.JSONDecoder(object_pairs_hook=_reject_duplicates).decode
    encode = json.JSONEncoder(allow_nan=False).encode
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            fields = decode(line)
            encode(fields)
        except UsageError as error:
            yield number, error
            continue
        except (ValueError, RecursionError) as error:
            yield number, _explain_json(line, error)
            continue
        if isinstance(fields, dict):
            yield number, fields
        else:
            yield number, UsageError("a row is a JSON object", hint='such as {"prompt": "a red fox", "seed": 7}')


def _explain_json(line: str, error: Exception) -> UsageError:
    """Return the error of a line; in JSON written by hand, that is mostly a trailing comma."""
    if isinstance(error, json.JSONDecodeError):
        before = line[: error.pos].rstrip()
        comma = len(before) - 1 if before.endswith(",") else error.pos  # Python 3.13 points at it, earlier ones behind
        if line[comma : comma + 1] == "," and line[comma + 1 :].lstrip()[:1] in {"", "}", "]"}:
            message = f"this line is not JSON: there is a trailing comma at column {comma + 1}"
            return UsageError(message, hint="remove the comma")
    return UsageError("this line is not JSON", hint='such as {"prompt": "a red fox", "seed": 7}')


def _reject_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object. Raises `UsageError` for a name that is given twice."""
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    names = [name for name, _ in pairs]
    twice = next(name for name in names if names.count(name) > 1)
    raise UsageError(f"{printable(twice)} is given twice", hint="give it once")


def _read_records(text: str) -> Found:
    separator = _detect_separator(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    head: list[str] = []
    line = 1
    try:
        for cells in reader:
            if not head:
                head = [cell.strip() for cell in cells]
                if cells and (wrong := _check_head(head)) is not None:
                    yield line, wrong
                    return
            elif len(cells) > len(head):
                shown = "a tab" if separator == "\t" else f"a {separator}"
                message = f"{len(cells)} cells, but {len(head)} column{'s' if len(head) > 1 else ''}"
                yield line, UsageError(message, hint=f"put text that contains {shown} in double quotes")
            elif any(cell.strip() for cell in cells):
                yield line, {name: cell for name, cell in zip(head, cells, strict=False) if cell.strip()}
            line = reader.line_num + 1
    except csv.Error as error:
        yield line, UsageError(f"this is not CSV: {error}", hint='double a quote inside a cell: "a ""b"" c"')


def _detect_separator(text: str) -> str:
    """Return the separator of cells: a spreadsheet writes commas, semicolons or tabs, depending on its language."""
    for separator in ",;\t":
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        with suppress(csv.Error):  # reported when the rows are read
            if "prompt" in map(_normalize, next((cells for cells in rows if cells), ())):
                return separator
    return ","


def _check_head(head: list[str]) -> UsageError | None:
    """Return what is wrong with the names in a CSV's first line, if anything."""
    names = [_normalize(name) for name in head]
    hint = f"the first line names the columns: {listed(NAMES[:4])} …"
    if "prompt" not in names:
        return UsageError("there is no column called prompt", hint=hint)
    twice = next((name for name in names if names.count(name) > 1), None)
    return None if twice is None else UsageError(f"there are two columns called {printable(twice)}", hint=hint)


def _normalize(name: str) -> str:
    """Return an option's name in small letters and with underscores, however it was written."""
    return name.strip().lower().removeprefix("--").replace("-", "_")


def _check_fields(fields: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return a row's fields by name, each of its type; what is empty or null is not given. Raises `UsageError`."""
    found: dict[str, Any] = {}
    for written, value in fields.items():
        name = _normalize(written)
        if name in _WHOLE:
            message = f"{place}: {printable(written)} applies to the whole batch, not to a row"
            raise UsageError(message, hint=f"give --{name.replace('_', '-')} on the command line")
        if name not in NAMES:
            near = nearest(name, NAMES)
            hint = f"did you mean {near}?" if near else f"a row takes {listed(NAMES)}"
            raise UsageError(f"{place}: there is no option {printable(written)!r}", hint=hint)
        if name in found:
            raise UsageError(f"{place}: {printable(name)} is given twice", hint="give it once")
        if value is not None:
            found[name] = value
    found = _parse_values(found, place)
    if not found.get("prompt", "").strip():
        raise UsageError(f"{place}: the row has no prompt", hint='such as {"prompt": "a red fox"}')
    return found


def _copy(value: Any) -> int | None:
    """Return the number of a row among equal ones. Raises `UsageError`."""
    if value is None:
        return None
    text = str(value)
    if text.isdecimal() and len(text) <= _DIGITS and int(text):
        return int(text)
    raise UsageError(f"{COPY} takes a whole number above 0", hint=f"{COPY} numbers rows that are otherwise identical")


def _parse_values(given: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return values of their types: all at once, or one by one to say which is wrong. Raises `UsageError`."""
    plain = {name: value for name, value in given.items() if name in _PLAIN}
    wrong = next((name for name, value in plain.items() if not isinstance(value, str)), None)
    if wrong is not None:
        raise UsageError(f"{place}: {wrong} takes text", hint='such as {"prompt": "a red fox"}')
    others = {name: value for name, value in given.items() if name not in _PLAIN}
    if not others:
        return plain
    try:
        table = GenerateTable.model_validate({name: _entry(name, value) for name, value in others.items()})
        found: dict[str, Any] = {name: getattr(table, name) for name in others}
    except (ValueError, RecursionError):
        found = {
            name: parse_text(("generate", name), _text(value), f"{place}: {name}") for name, value in others.items()
        }
    return {name: given[name] if name in plain else found[name] for name in given}


_PLAIN = frozenset({"prompt", "provider"})
"""Fields that are text, and not in the config's table."""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _entry(name: str, value: Any) -> Any:
    """Return a value as the config's check takes it: tables as such, anything else as it would be typed."""
    if is_table(("generate", name)):
        return json.loads(value) if isinstance(value, str) else value
    if isinstance(value, str) and name == "image" and value.startswith("["):
        return json.loads(value)
    return value if isinstance(value, list) else _text(value)
