"""Markdown on a terminal: in its sixteen colours, and folded to its window."""

from __future__ import annotations

from typing import TextIO

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import Markdown, TableElement
from rich.table import Table
from rich.theme import Theme

_LONGEST_LINE = 100
"""Cells that a line has at most, however wide the window is."""
_STYLES = {"markdown.h1": "bold underline", "markdown.h2": "bold", "markdown.code": "cyan"}
"""Styles that replace Rich's own, some of which set a background."""


class _FoldedTable(TableElement):
    """A table in which a long word continues on the next line. Rich would cut it off."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for table in super().__rich_console__(console, options):
            if isinstance(table, Table):
                for column in table.columns:
                    column.overflow = "fold"
            yield table


class _Markdown(Markdown):
    elements = {**Markdown.elements, "table_open": _FoldedTable}  # noqa: RUF012 - as Rich declares it


def render_markdown(text: str, stream: TextIO) -> str:
    """Return Markdown laid out for the terminal behind ``stream``."""
    encoding = stream.encoding or "utf-8"
    console = Console(file=stream, theme=Theme(_STYLES), markup=False, highlight=False, emoji=False)
    page = _Markdown(
        text.encode(encoding, "backslashreplace").decode(encoding), code_theme="ansi_dark", hyperlinks=False
    )
    with console.capture() as captured:
        console.print(page, width=min(console.width, _LONGEST_LINE))
    return "\n".join(line.rstrip() for line in captured.get().rstrip().split("\n"))
