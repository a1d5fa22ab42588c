"""Lines at the end of a terminal that are drawn over in place: nothing above them is ever touched.

Each drawing is written at once. Where the window has become narrower, most terminals break the lines that stand there
already in two, and an older xterm cuts them: to take away a line too few is a blemish, one too many would be a line of
somebody else's. So broken lines are counted only on terminals that are known to break them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.control import Control
from rich.segment import ControlCode, ControlType
from rich.text import Text

_BREAKING = (
    "TMUX",
    "VTE_VERSION",
    "KITTY_WINDOW_ID",
    "WEZTERM_PANE",
    "WT_SESSION",
    "ALACRITTY_WINDOW_ID",
    "KONSOLE_VERSION",
)
"""Variables that a terminal sets which breaks lines anew when its window changes."""
_BREAKING_PROGRAMS = ("iTerm.app", "ghostty", "vscode", "Apple_Terminal")
"""The same, as values of TERM_PROGRAM."""


class Canvas:
    """A few lines. One thread at a time."""

    def __init__(self, stream: TextIO, environ: Mapping[str, str]) -> None:
        """Draw on the terminal's ``stream``."""
        self._console = Console(file=stream, markup=False, highlight=False, emoji=False)
        self._breaks = any(name in environ for name in _BREAKING) or environ.get("TERM_PROGRAM") in _BREAKING_PROGRAMS
        self._drawn: list[Text] = []
        self._width = 0
        self.unicode = (stream.encoding or "utf-8").lower().startswith("utf")
        """Whether the terminal shows more than ASCII for certain."""

    @property
    def size(self) -> tuple[int, int]:
        """Columns that a line may take, and rows of the window."""
        return max(self._console.width - 1, 1), self._console.height

    def draw(self, lines: Sequence[Text]) -> None:
        """Show these lines in the place of those before, cut to the window."""
        width = self.size[0]
        cut = [line.copy() for line in lines]
        for line in cut:
            line.truncate(width, overflow="ellipsis" if self.unicode else "crop")
        if cut == self._drawn and width == self._width:
            return
        with suppress(OSError), self._console:  # a terminal that has gone away needs no progress
            self._erase()
            if bool(cut) != bool(self._drawn):
                self._console.show_cursor(not cut)
            self._console.print(Text("\n").join(cut), end="", no_wrap=True, overflow="ignore", crop=False)
        self._drawn, self._width = cut, width

    def clear(self) -> None:
        """Take all lines away, and give the cursor back."""
        if self._drawn:
            self.draw([])

    def forget(self) -> None:
        """Leave what is drawn where it is, and give the cursor back: whatever stands below may not be ours."""
        if self._drawn:
            self._drawn = []
            with suppress(OSError):
                self._console.show_cursor()
                self._console.print()

    def _erase(self) -> None:
        """Go back to where our first line begins, and leave nothing from there on."""
        if not self._drawn:
            return
        room = max(self._console.width, 1)
        rows = sum(max(-(-cell_len(line.plain) // room), 1) if self._breaks else 1 for line in self._drawn)
        codes: list[ControlCode] = [(ControlType.CARRIAGE_RETURN,), (ControlType.ERASE_IN_LINE, 2)]
        for _ in range(min(rows, self._console.height) - 1):
            codes += [(ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2)]
        self._console.control(Control(*codes))
