"""A terminal's screen as a picture: drawn by Rich, without anything that would be fetched from elsewhere."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Sequence
from itertools import groupby

from pyte.screens import Char
from rich.console import Console
from rich.text import Text

_COLOURS = {"brown": "yellow", "default": "default"}
"""Where pyte has another name for a colour than Rich."""


def row(cells: Sequence[Char]) -> Text:
    """Return one line of a screen, as it looks."""
    drawn = Text()
    for style, alike in groupby(cells, _style):
        drawn.append("".join(cell.data for cell in alike), style)
    drawn.rstrip()
    return drawn


def _style(cell: Char) -> str:
    """Return how a character is drawn, in Rich's words."""
    bright = cell.fg.removeprefix("bright")
    colour = f"{'bright_' if bright != cell.fg else ''}{_COLOURS.get(bright, bright)}"
    colour = f"#{colour}" if re.fullmatch("[0-9a-f]{6}", colour) else colour
    return f"{'bold ' if cell.bold else ''}{'reverse ' if cell.reverse else ''}{colour}"


def typed(command: str) -> Text:
    """Return a line in which somebody has typed a command."""
    return Text.assemble(("$ ", "bold green"), (command, "bold"))


def picture(rows: Sequence[Text], *, name: str, columns: int) -> str:
    """Return the rows as SVG; the same rows and ``name`` make the same picture."""
    console = Console(file=io.StringIO(), record=True, width=columns, force_terminal=True, color_system="truecolor")
    for line in (*rows, Text("")):  # else the last line's descenders would be cut
        console.print(line, no_wrap=True, crop=False, highlight=False, soft_wrap=True)
    drawn = console.export_svg(title="flux", unique_id=name)
    return re.sub(r"\s*@font-face \{.*?\}", "", drawn, flags=re.DOTALL).replace("\r\n", "\n")


def words(drawn: str) -> list[str]:
    """Return the lines of text in a picture, each blank one space wide."""
    found: dict[float, str] = {}
    for x, y, text in re.findall(r'<text [^>]*?x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)</text>', drawn):
        found[float(y)] = f"{found.get(float(y), '')} {html.unescape(text)}" if float(x) else html.unescape(text)
    return [" ".join(text.split()) for _, text in sorted(found.items())]
