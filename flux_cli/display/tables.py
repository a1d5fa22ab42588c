"""Lay out tables and facts for a terminal with Rich: aligned, and cut or folded to the window.

Colours are the sixteen that every theme defines, and only repeat what a word says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TextIO

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from flux_cli.text import printable

Sign = Callable[[Sequence[str]], str]
"""Return the style of a row's second cell, its status."""

_GAP = 2
"""Blanks between two columns."""
_LONGEST_WORD = 40
"""Cells of the longest word that a table keeps whole; a path or a link may be longer."""
_READABLE = 12
"""Cells in which a sentence can be read."""


def is_unicode(stream: TextIO) -> bool:
    """Whether a terminal shows more than ASCII for certain."""
    return (stream.encoding or "utf-8").lower().startswith("utf")


def make_text(stream: TextIO, text: str, style: str = "", *, limit: int = 0) -> Text:
    """Return text on one line that is cut where it does not fit; ``limit`` is as for `printable`.

    What the encoding of the terminal ``stream`` lacks is written as an escape.
    """
    encoding = stream.encoding or "utf-8"
    shown = printable(text, limit=limit).encode(encoding, "backslashreplace").decode(encoding)
    return Text(shown, style, no_wrap=True, overflow="ellipsis" if is_unicode(stream) else "crop")


class CutLines:
    """Lines laid out for at least ``least`` cells and then cut to the window, so that only their ends are lost."""

    def __init__(self, content: RenderableType, least: int = 0, *, margin: int = 0) -> None:
        """Lay out ``content``, and leave the last ``margin`` columns of the window free."""
        self._content = content
        self._least = least
        self._margin = margin
        self.widths: list[int] = []
        """The width of each line, once it is drawn."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        """Return the lines, without blanks at their ends."""
        self.widths.clear()
        room = max(options.max_width - self._margin, 1)
        wide = options.update_width(max(room, self._least))
        for line in console.render_lines(self._content, wide, pad=False):
            cut = Segment.adjust_line_length(line, room, pad=False)
            while cut and not cut[-1].text.strip():
                cut.pop()
            if cut:
                cut[-1] = cut[-1]._replace(text=cut[-1].text.rstrip(" "))
            self.widths.append(Segment.get_line_length(cut))
            yield from cut
            yield Segment.line()


class TableRenderer:
    """Tables and facts as text for one terminal."""

    def __init__(self, stream: TextIO) -> None:
        """Lay out for the terminal behind ``stream``."""
        self._stream = stream
        self._console = Console(file=stream, markup=False, highlight=False, emoji=False)

    def one_line_rows(self, head: Sequence[str], rows: Sequence[Sequence[str]], sign: Sign) -> str:
        """Return a table with a line for each row; a narrow window cuts the last column first."""
        table = _make_table()
        for name in head:
            table.add_column(name, no_wrap=name != head[-1])
        texts = [[make_text(self._stream, cell) for cell in row] for row in rows]
        for row, cells in zip(rows, texts, strict=True):
            cells[1].stylize(sign(row))
            table.add_row(*cells)
        widths = [max(text.cell_len for text in column) for column in zip(*texts, strict=True)][:-1]
        least = sum(_GAP + max(width, cell_len(name)) for width, name in zip(widths, head, strict=False))
        return self._render(CutLines(table, least))

    def wrapped_rows(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
        """Return a table that loses nothing: what does not fit continues on the next line of its column.

        Columns whose words do not fit beside the others follow in a table of their own, so that no word is broken.
        """
        texts = [[make_text(self._stream, cell).plain for cell in row] for row in (head, *rows)]
        columns = [_Column(cells) for cells in zip(*texts, strict=True)]
        columns[0].least = columns[0].width
        return "\n\n".join(self._render(CutLines(table)) for table in self._make_tables(columns))

    def _make_tables(self, columns: Sequence[_Column]) -> Iterator[Table]:
        """Yield tables for the window that together have all columns; each begins with the first."""
        first, *others = columns
        while True:
            shown = [first, *others[:1]]
            others = others[1:]
            while others and _sum_least([*shown, others[0]]) <= self._console.width:
                shown.append(others.pop(0))
            table = _make_table()
            for column, width in zip(shown, _fit_widths(shown, self._console.width), strict=True):
                table.add_column(column.cells[0], width=width, no_wrap=column is first, overflow="fold")
            for row in zip(*(column.cells[1:] for column in shown), strict=True):
                table.add_row(*map(Text, row))
            yield table
            if not others:
                return

    def pairs(self, rows: Sequence[tuple[str, str]]) -> str:
        """Return a name and a value on each line; a long value is wrapped at blanks.

        A link or a path is never broken, so that it can be copied.
        """
        width = max(cell_len(name) for name, _ in rows) + _GAP
        lines: list[str] = []
        for name, value in rows:
            parts = _wrap(make_text(self._stream, value).plain, max(self._console.width - width, 1))
            lines += [set_cell_size("" if at else name, width) + part for at, part in enumerate(parts)]
        return "\n".join(line.rstrip() for line in lines)

    def _render(self, lines: CutLines) -> str:
        with self._console.capture() as captured:
            self._console.print(lines)
        return captured.get().rstrip("\n")


class _Column:
    """The cells of a column, the head first, and how wide it is."""

    def __init__(self, cells: Sequence[str]) -> None:
        self.cells = cells
        self.width = max(map(cell_len, cells))
        """Cells of the longest text."""
        words = (cell_len(word) for cell in cells for word in cell.split(" "))
        longest = max((width for width in words if width <= _LONGEST_WORD), default=1)
        self.least = max(longest, min(self.width, _READABLE))
        """Cells that it needs beside others, so that no word is broken and sentences can be read."""


def _sum_least(columns: Sequence[_Column]) -> int:
    return sum(column.least + _GAP for column in columns) - _GAP


def _fit_widths(columns: Sequence[_Column], room: int) -> list[int]:
    """Return the widths of columns side by side: the widest become narrower first, and none breaks a word if it can."""
    widths = [column.width for column in columns]
    for least in ([column.least for column in columns], [columns[0].least, *(1 for _ in columns[1:])]):
        while sum(widths) + _GAP * (len(widths) - 1) > room:
            wide = [at for at, width in enumerate(widths) if width > least[at]]
            if not wide:
                break
            widths[max(wide, key=lambda at: widths[at])] -= 1
    return widths


def _make_table() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")


def _wrap(text: str, width: int) -> list[str]:
    """Return lines of at most ``width`` cells, except for single words that are longer; Rich would break those."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and cell_len(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
