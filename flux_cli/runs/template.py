"""Fill a prompt with the columns of a batch row: ``flux generate "a {animal} in {place}" --batch rows.csv``.

A field is the name of a column in braces, and nothing else; ``{{`` and ``}}`` are braces. Columns that are options of
``flux generate`` set those options. Each other column has to be a field, so that no misspelled name goes unnoticed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Self

from flux_cli.errors import UsageError
from flux_cli.runs.plan import strip_prompt
from flux_cli.text import find_repeat, listed, nearest, printable

_PART = re.compile(r"(?P<brace>\{\{|\}\})|\{(?P<field>[^{}]*)\}|(?P<lone>[{}])|(?P<text>[^{}]+)")
_HINT = "a field is the name of a column, such as {animal}; write {{ and }} for braces"


def normalize(name: str) -> str:
    """Return the name of a column or option in small letters and with underscores, however it was written."""
    return name.strip().lower().removeprefix("--").replace("-", "_")


class WrittenNumber(float):
    """A number of a JSON line that keeps its text, so that 1.50 fills a prompt as 1.50."""

    __slots__ = ("text",)

    def __new__(cls, text: str) -> Self:
        """Return the number that ``text`` is."""
        found = super().__new__(cls, text)
        found.text = text
        return found

    text: str


@dataclass(frozen=True, slots=True)
class PromptTemplate:
    """A prompt with fields."""

    parts: tuple[tuple[str, bool], ...]
    """Literal text and names of columns, each with whether it is a name."""
    options: frozenset[str]
    """The names of columns that set an option."""

    @classmethod
    def parse(cls, text: str, options: Collection[str], others: Collection[str] = ()) -> PromptTemplate:
        """Return the template in ``text``, for rows with ``options``, and ``others`` where they are no field of it.

        Raises `UsageError`.
        """
        if not text.strip():
            raise UsageError(
                "the prompt is empty", hint="leave it out, or give a template such as `{prompt}, engraved`"
            )
        parts = tuple(map(_parse_part, _PART.finditer(text)))
        own = {name for name, is_field in parts if is_field}
        return cls(parts, (frozenset(options) | (frozenset(others) - own)) - {"prompt"})

    @property
    def fields(self) -> tuple[str, ...]:
        """The columns that it needs, in order."""
        return tuple(dict.fromkeys(name for name, is_field in self.parts if is_field))

    def check_columns(self, columns: Collection[str]) -> None:
        """Check that each field has its column, and each column that is no option its field. Raises `UsageError`."""
        names = [normalize(name) for name in columns]
        fields = self.fields
        if (twice := find_repeat(names)) is not None:
            raise UsageError(f"{printable(twice)} is given twice", hint="give it once")
        for field in fields:
            if field not in names:
                near = nearest(field, names)
                hint = f"did you mean {{{printable(near)}}}?" if near else _describe(names)
                raise UsageError(f"there is no column for {{{printable(field)}}} of the prompt", hint=hint)
        for written, name in zip(columns, names, strict=True):
            if name and name not in fields and name not in self.options:
                near = nearest(name, self.options)
                hint = f"add {{{printable(name)}}} to the prompt, or remove the column"
                hint = f"did you mean {near}? Otherwise {hint}" if near else hint
                raise UsageError(f"the prompt leaves out the column {printable(written)}", hint=hint)

    def fill(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row with the prompt filled in, and the columns that only fill it left out. Raises `UsageError`."""
        self.check_columns(row.keys())
        values = {normalize(name): value for name, value in row.items()}
        if "" in values:
            raise UsageError("there is a value in a column without a name", hint="name the column, or remove it")
        prompt = "".join(_as_text(name, values[name]) if is_field else name for name, is_field in self.parts)
        kept = {name: value for name, value in row.items() if normalize(name) in self.options}
        return {"prompt": strip_prompt(prompt), **kept}  # as it is sent, so that --resume knows the row by it


def _parse_part(found: re.Match[str]) -> tuple[str, bool]:
    """Return a part of a template, and whether it is a field. Raises `UsageError`."""
    field, lone = found["field"], found["lone"]
    if lone is not None:
        raise UsageError(f"there is a single {lone} in the prompt, which is a template here", hint=_HINT)
    if field is None:
        return (found["text"] or found["brace"][0]), False
    name = normalize(field)
    if not name or name.isdecimal():
        raise UsageError(f"{{{printable(field)}}} in the prompt names no column", hint=_HINT)
    if re.search(r"[!:.\[\]]", name):
        raise UsageError(f"{{{printable(field)}}} in the prompt is more than the name of a column", hint=_HINT)
    return name, True


def _as_text(name: str, value: Any) -> str:
    """Return what a column fills in: text as it is, a number as it is written. Raises `UsageError`."""
    if value is None or (isinstance(value, str) and not value.strip()):
        raise UsageError(
            f"the column {printable(name)} is empty, but the prompt needs it", hint="fill it in, or remove the row"
        )
    if isinstance(value, WrittenNumber):
        return value.text
    if isinstance(value, str | int) and not isinstance(value, bool):
        return str(value)
    raise UsageError(f"the column {printable(name)} takes text or a number", hint="it fills the prompt")


def _describe(names: Collection[str]) -> str:
    """Return which columns there are."""
    shown = [printable(name) for name in names if name]
    return (
        f"the only column is {shown[0]}" if len(shown) == 1 else f"the columns are {listed(shown) or 'without names'}"
    )
