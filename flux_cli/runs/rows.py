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
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import product, zip_longest
from pathlib import Path
from typing import Any

from flux_cli.config.schema import KEYS, GenerateTable, is_table
from flux_cli.config.validate import parse_text
from flux_cli.errors import UsageError
from flux_cli.runs.job_lines import is_printed, list_planned, read_job, write_job
from flux_cli.runs.plan import Pair
from flux_cli.runs.template import PromptTemplate, WrittenNumber, normalize
from flux_cli.text import find_repeat, listed, nearest, printable

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
    pair: Pair = field(default_factory=Pair)
    """The provider and model that were typed for it, without those that it names itself."""
    added: frozenset[str] = frozenset()
    """The fields that are not in the file, but come from its ``pair``."""
    files: Mapping[str, str] | None = None
    """For the line of a job, the SHA-256 that each local input image had, by its path; ``None`` for any other row."""

    @property
    def complete(self) -> bool:
        """Whether it is the line of a job, so that the config adds no options of the image."""
        return self.files is not None

    def to_object(self) -> dict[str, Any]:
        """Return the row as it is written to a file."""
        return dict(self.fields) if self.files is None else write_job(self.fields, self.files)

    @property
    def key(self) -> str:
        """A digest of its content, whatever its line in the file."""
        return self._digest(self.fields)

    def other_keys(self, pairs: Iterable[Pair]) -> set[str]:
        """Return the keys that the row has where it is made by ``pairs``, or by one that is not among its fields."""
        own = {name: value for name, value in self.fields.items() if name not in self.added}
        every = {Pair(*pair) for one in pairs for pair in product({None, one.provider}, {None, one.model})}
        filled = ({name: value for name, value in one._asdict().items() if value is not None} for one in every)
        return {self._digest(fields | own) for fields in ({}, *filled)} - {self.key}

    def _digest(self, fields: Mapping[str, Any]) -> str:
        text = json.dumps({**fields, **self.digests}, sort_keys=True, ensure_ascii=True)
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


def detect_lines(text: str, *, template: bool) -> str:
    """Return the kind of a batch on stdin: JSON lines if the first line is one, else lines of prompts.

    That line is an object with a ``prompt``, an object that flux printed, or any object where a ``template`` makes the
    prompts; other objects are structured prompts. Raises `UsageError` for JSON that is not written line by line.
    """
    first = next((line for line in text.split("\n") if line.strip()), "")
    if first.lstrip()[:1] not in {"{", "["}:
        return "txt"
    try:
        found = json.loads(first)
    except (ValueError, RecursionError):
        with suppress(ValueError, RecursionError):
            json.JSONDecoder().raw_decode(text.lstrip())
            raise UsageError(
                "the JSON on stdin has objects of several lines", hint="`jq -c` writes each on one line"
            ) from None
        return "jsonl" if re.match(r'\s*\{.*"prompt"\s*:', first, re.IGNORECASE) else "txt"
    if isinstance(found, list):
        items: list[Any] = found
        if any(_is_row(one, template=template) for one in items):
            raise UsageError(
                "the JSON on stdin is a list", hint="`jq -c '.[]'` writes each object on a line of its own"
            )
        return "txt"
    return "jsonl" if _is_row(found, template=template) else "txt"


def _is_row(found: Any, *, template: bool) -> bool:
    return isinstance(found, dict) and (
        template or "version" in found or any(normalize(name) == "prompt" for name in found)
    )


def parse_template(prompt: str) -> PromptTemplate:
    """Return the template that makes the prompts of rows. Raises `UsageError`."""
    return PromptTemplate.parse(prompt, NAMES, (COPY, *_WHOLE))


def read(text: str, name: str, kind: str, template: PromptTemplate | None = None) -> tuple[list[Row], list[UsageError]]:
    """Return the rows in a file's ``text``, and what is wrong with those that cannot be read, by file and line.

    With a ``template``, it makes their prompts.
    """
    shown = printable(name)
    rows: list[Row] = []
    errors: list[UsageError] = []
    readers = {"txt": _read_lines, "jsonl": _read_objects, "csv": _read_records}
    found = _expand(readers[kind](text, template), shown)
    for number, (place, fields) in enumerate(found, 1):
        try:
            rows.append(_read_row(number, place, fields, template))
        except UsageError as error:
            message = error.message if error.message.startswith(place) else f"{place}: {error.message}"
            errors.append(UsageError(message, hint=error.hint))
    return rows, errors


def _expand(found: Found, name: str) -> Iterator[tuple[str, Mapping[str, Any] | UsageError]]:
    """Yield the place of each row and its fields, or the error: an object of ``--dry-run`` is several rows, or none."""
    for line, fields in found:
        place = f"{name}:{line}"
        planned = None if isinstance(fields, UsageError) or "version" not in fields else list_planned(fields)
        if planned is None:
            yield place, fields
            continue
        for number, one in enumerate(planned, 1):
            yield f"{place} (row {number})", one if isinstance(one, dict) else UsageError(_NO_OBJECT, hint=_SUCH_AS)


def _read_row(number: int, place: str, fields: Mapping[str, Any] | UsageError, template: PromptTemplate | None) -> Row:
    """Return a row, checked. Raises `UsageError`."""
    if isinstance(fields, UsageError):
        raise fields
    files: Mapping[str, str] | None = None
    if "version" in fields and is_printed(fields):
        fields, files = read_job(fields)
    elif template is None and "version" in fields and "prompt" not in map(normalize, fields):
        raise UsageError("this line of --json is not a job", hint="`flux status --json` prints jobs")
    if template is not None:
        fields = template.fill(fields)
    own: dict[str, Any] = {}
    copy = None
    for name, value in fields.items():
        if normalize(name) == COPY:
            copy = value
        else:
            own[name] = value
    return Row(number=number, place=place, fields=_check_fields(own, place), copy=_copy(copy), files=files)


Found = Iterator[tuple[int, Mapping[str, Any] | UsageError]]
"""Rows of the file: the number of the line, and the fields or the error."""
_NO_OBJECT = "a row is a JSON object"
_SUCH_AS = 'such as {"prompt": "a red fox", "seed": 7}'


def _read_lines(text: str, _template: PromptTemplate | None) -> Found:
    for number, line in enumerate(text.split("\n"), 1):
        prompt = line.strip()
        if prompt and not prompt.startswith("#"):
            yield number, {"prompt": prompt}


def _read_objects(text: str, template: PromptTemplate | None) -> Found:
    number_type = None if template is None else WrittenNumber
    decode = json.JSONDecoder(object_pairs_hook=_reject_duplicates, parse_float=number_type).decode
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
            yield number, UsageError(_NO_OBJECT, hint=_SUCH_AS)


def _explain_json(line: str, error: Exception) -> UsageError:
    """Return the error of a line; in JSON written by hand, that is mostly a trailing comma."""
    if isinstance(error, json.JSONDecodeError):
        before = line[: error.pos].rstrip()
        comma = len(before) - 1 if before.endswith(",") else error.pos  # Python 3.13 points at it, earlier ones behind
        if line[comma : comma + 1] == "," and line[comma + 1 :].lstrip()[:1] in {"", "}", "]"}:
            message = f"this line is not JSON: there is a trailing comma at column {comma + 1}"
            return UsageError(message, hint="remove the comma")
    return UsageError("this line is not JSON", hint=_SUCH_AS)


def _reject_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object. Raises `UsageError` for a name that is given twice."""
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    twice = find_repeat(name for name, _ in pairs) or ""
    raise UsageError(f"{printable(twice)} is given twice", hint="give it once")


def _read_records(text: str, template: PromptTemplate | None) -> Found:
    separator = _detect_separator(text, template)
    needed = () if template is None else template.fields
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    head: list[str] = []
    line = 1
    try:
        for cells in reader:
            if not head:
                head = [cell.strip() for cell in cells]
                if cells and (wrong := _check_head(head, template)) is not None:
                    yield line, wrong
                    return
            elif len(cells) > len(head):
                shown = "a tab" if separator == "\t" else f"a {separator}"
                message = f"{len(cells)} cells, but {len(head)} column{'s' if len(head) > 1 else ''}"
                yield line, UsageError(message, hint=f"put text that contains {shown} in double quotes")
            elif any(cell.strip() for cell in cells):
                row = zip_longest(head, cells, fillvalue="")
                yield line, {name: cell for name, cell in row if cell.strip() or normalize(name) in needed}
            line = reader.line_num + 1
    except csv.Error as error:
        yield line, UsageError(f"this is not CSV: {error}", hint='double a quote inside a cell: "a ""b"" c"')


def _detect_separator(text: str, template: PromptTemplate | None) -> str:
    """Return the separator of cells: a spreadsheet writes commas, semicolons or tabs, depending on its language.

    It is the one that splits the first line into the most known names, or into the most names if that is a tie.
    """
    known = {"prompt"} if template is None else {*template.fields, *NAMES}
    found: dict[str, tuple[int, int]] = {}
    for separator in ",;\t":
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        with suppress(csv.Error):  # reported when the rows are read
            head = next((cells for cells in rows if cells), ())
            names = len(known.intersection(map(normalize, head)))
            found[separator] = (names, len(head) if template is not None else 0)
    return max(found, key=found.__getitem__, default=",")


def _check_head(head: list[str], template: PromptTemplate | None) -> UsageError | None:
    """Return what is wrong with the names in a CSV's first line, if anything."""
    names = [normalize(name) for name in head]
    hint = f"the first line names the columns: {listed(NAMES[:4])} …"
    if template is None and "prompt" not in names:
        other = next((name for name in names if name.isidentifier() and name not in NAMES), None)
        template_hint = f'call one of them prompt, or type a template: `flux generate "a {{{other}}}" --batch …`'
        return UsageError("there is no column called prompt", hint=hint if other is None else printable(template_hint))
    twice = find_repeat(names)
    if twice is not None:
        return UsageError(f"there are two columns called {printable(twice)}", hint=hint)
    try:
        if template is not None:
            template.check_columns(head)
    except UsageError as error:
        return error
    return None


def _check_fields(fields: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return a row's fields by name, each of its type; what is empty or null is not given. Raises `UsageError`."""
    found: dict[str, Any] = {}
    for written, value in fields.items():
        name = normalize(written)
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
