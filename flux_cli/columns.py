"""Tables and facts for a terminal: aligned, and cut or folded to its window.

Colours are the sixteen that every theme has its own for, beside bold and dim, and never say what no word says. Where
the terminal's encoding lacks a character, it is written as an escape before anything is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TextIO

from rich.cells import cell_len, set_cell_size
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from flux_cli.text import printable

Sign = Callable[[Sequence[str]], str]
"""Return the style of a row's second cell, which says how something stands."""

_GAP = 2
"""Blanks between two columns."""


class Page:
    """A terminal as something that text is laid out for."""

    def __init__(self, stream: TextIO) -> None:
        """Lay out for the terminal behind ``stream``."""
        self._console = Console(file=stream, markup=False, highlight=False, emoji=False)
        self._encoding = stream.encoding or "utf-8"
        self._more = "\u2026" if self._encoding.lower().startswith("utf") else "..."

    def cut(self, head: Sequence[str], rows: Sequence[Sequence[str]], sign: Sign) -> str:
        """Return a table with a line for each row; what does not fit the window is cut, at the end of the line first.

        The last column is the one that gives way, so it holds what can be recognised by its beginning.
        """
        shown = [[self._shown(cell) for cell in row] for row in rows]
        widths = [max(cell_len(cell) for cell in column) for column in zip(head, *shown, strict=True)][:-1]
        lines = [Text(self._line(head, widths), style="bold")]
        for row in shown:
            line = Text(self._line(row, widths))
            line.stylize(sign(row), widths[0] + _GAP, widths[0] + _GAP + len(row[1]))
            lines.append(line)
        return self._rendered(Text("\n").join(lines))

    def folded(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
        """Return a table that loses nothing: what does not fit goes on in the next line of its column."""
        table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
        for index, name in enumerate(head):
            table.add_column(name, no_wrap=index == 0, overflow="fold")
        for row in rows:
            table.add_row(*(Text(self._shown(cell)) for cell in row))
        return "\n".join(line.rstrip() for line in self._rendered(table).split("\n"))

    def facts(self, rows: Sequence[tuple[str, str]]) -> str:
        """Return a name and a value a line; a long value goes on below itself. What holds no blank is left whole.

        So a link or a path can be copied, however narrow the window is.
        """
        width = max(cell_len(name) for name, _ in rows) + _GAP
        indent = " " * width
        lines: list[str] = []
        for name, value in rows:
            parts = _wrapped(self._shown(value), max(self._console.width - width, 1))
            lines += [set_cell_size(name, width) + parts[0], *(indent + part for part in parts[1:])]
        return "\n".join(line.rstrip() for line in lines)

    def _shown(self, text: str) -> str:
        return printable(text).encode(self._encoding, "backslashreplace").decode(self._encoding)

    def _line(self, cells: Sequence[str], widths: Sequence[int]) -> str:
        padded = [set_cell_size(cell, width) for cell, width in zip(cells, widths, strict=False)]
        line = (" " * _GAP).join([*padded, cells[-1]]).rstrip()
        room = self._console.width
        return line if cell_len(line) <= room else set_cell_size(line, room - len(self._more)).rstrip() + self._more

    def _rendered(self, shown: RenderableType) -> str:
        with self._console.capture() as captured:
            self._console.print(shown, no_wrap=isinstance(shown, Text) or None, overflow="ignore", crop=False)
        return captured.get().rstrip("\n")


def _wrapped(text: str, width: int) -> list[str]:
    """Return ``text`` as lines of at most ``width`` cells, except where a single word is longer."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and cell_len(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
