"""What the terminal on the other side can show: by the environment where that is sure, else asked, and not for long.

A terminal is asked on its own device, so that neither a pipe on stdin nor one on stdout is in the way; its mode is put
back whatever happens, and what was typed ahead is left to whom it was meant for.
"""

from __future__ import annotations

import os
import re
import select
import struct
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal, TextIO

from flux_cli.foreground import in_background

Way = Literal["kitty", "iterm2", "sixel", "blocks"]
"""The ways to show a picture, best first."""

PATIENCE = 0.5
"""Seconds that a terminal has for its answer."""

_USUAL_CELL = (10, 20)
"""Pixels of a character, where nobody tells: those of a VT340, which most terminals with sixels pretend to be."""
_USUAL_SIZE = (80, 24)
_KITTY = b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"
"""Asks for kitty's protocol, with a picture of one pixel that is not kept."""
_COLOUR = b"\x1b[48;2;1;2;3m\x1bP$qm\x1b\\\x1b[0m"
"""Sets a colour of 24 bits and asks which one was understood."""
_CELL = b"\x1b[16t"
"""Asks for the size of a character."""
_ATTRIBUTES = b"\x1b[c"
"""Asks what kind of terminal it is: all of them answer that, so nobody waits for the other answers any longer."""
_LAST = re.compile(rb"\x1b\[\?([\d;]*)c")
_SIXEL = b"4"
_KITTYS = {"xterm-kitty", "kitty", "xterm-ghostty", "ghostty"}
_ITERM2S = {"iterm.app", "iterm2", "wezterm"}
_SILENT = {"", "dumb", "linux", "unknown"}
"""Values of TERM that show no pictures, and are not asked: a console would print the question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """What a terminal shows: ``way`` is ``None`` where it shows no pictures. A cell is the place of one character."""

    protocol: Way | None
    columns: int = _USUAL_SIZE[0]
    rows: int = _USUAL_SIZE[1]
    cell: tuple[int, int] = _USUAL_CELL
    """Width and height of a character in pixels."""


def detect(stream: TextIO, environ: Mapping[str, str], now: Callable[[], float]) -> Screen:
    """Return what the terminal behind ``stream`` shows; ``now`` is the time in seconds. Takes `PATIENCE` at most."""
    term = environ.get("TERM", "")
    if not stream.isatty() or (term in _SILENT and not (sys.platform == "win32" and term == "")):
        return Screen(protocol=None)
    screen = _measured(stream)
    way = _known(environ)
    within = bool(environ.keys() & {"TMUX", "STY", "ZELLIJ"}) or term.startswith(("screen", "tmux"))
    if way is not None and not within:
        return replace(screen, protocol=way)
    reply = b"" if environ.get("TERM_PROGRAM") == "Apple_Terminal" else _asked(stream, now, within=within)
    cell = re.search(rb"\x1b\[6;(\d{1,3});(\d{1,3})t", reply)
    if cell is not None and screen.cell == _USUAL_CELL and int(cell[1]) and int(cell[2]):
        screen = replace(screen, cell=(int(cell[2]), int(cell[1])))
    return replace(screen, protocol=_understood(reply, environ, stream))


def _known(environ: Mapping[str, str]) -> Way | None:
    """Return the way of a terminal that names itself."""
    program = environ.get("TERM_PROGRAM") or environ.get("LC_TERMINAL", "")
    if environ.get("TERM") in _KITTYS or program.lower() in _KITTYS:
        return "kitty"
    return "iterm2" if program.lower() in _ITERM2S else None


def _understood(reply: bytes, environ: Mapping[str, str], stream: TextIO) -> Way | None:
    """Return the best way that an answer speaks of."""
    kind = _LAST.search(reply)
    if b"\x1b_Gi=31;OK" in reply:
        return "kitty"
    if kind is not None and _SIXEL in kind[1].split(b";"):
        return "sixel"
    told = environ.get("COLORTERM", "").lower() in {"truecolor", "24bit"} or "WT_SESSION" in environ
    true_colour = told or environ.get("TERM", "").endswith("-direct") or _repeated(reply)
    unicode = (stream.encoding or "").lower().replace("-", "").startswith("utf")
    return "blocks" if true_colour and unicode else None


def _repeated(reply: bytes) -> bool:
    """Whether the colour that was set is the one that the terminal speaks of."""
    return re.search(rb"\x1bP1\$r[\d;:]*48[:;]2[:;]+1[:;]2[:;]3m", reply) is not None


def _measured(stream: TextIO) -> Screen:
    """Return the size of the window, and of a character in it where the system knows."""
    try:
        columns, rows = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return Screen(protocol=None)
    columns, rows = columns or _USUAL_SIZE[0], rows or _USUAL_SIZE[1]
    cell = _USUAL_CELL
    if sys.platform != "win32":
        import fcntl  # noqa: PLC0415 - not everywhere
        import termios  # noqa: PLC0415

        packed = fcntl.ioctl(stream.fileno(), termios.TIOCGWINSZ, bytes(8))
        lines, across, width, height = struct.unpack("HHHH", packed)
        if width >= across > 0 and height >= lines > 0:
            cell = (width // across, height // lines)
    return Screen(protocol=None, columns=columns, rows=rows, cell=cell)


def _asked(stream: TextIO, now: Callable[[], float], *, within: bool) -> bytes:
    """Return what the terminal answers, nothing where it cannot be asked.

    ``within`` another program such as tmux only that one is asked, and not in words that it takes for a new title.
    """
    if sys.platform == "win32":
        return b""
    question = _ATTRIBUTES if within else _KITTY + _COLOUR + _CELL + _ATTRIBUTES
    reply = b""
    try:
        with _opened(stream) as device, _listening(device) as free:
            if not free:
                return b""
            os.write(device, question)
            end = now() + PATIENCE
            while _LAST.search(reply) is None and select.select([device], [], [], max(end - now(), 0))[0]:
                more = os.read(device, 1024)
                if not more:
                    break
                reply += more
    except (OSError, ValueError):
        return reply
    return reply


@contextmanager
def _opened(stream: TextIO) -> Generator[int]:
    """Open the terminal behind ``stream`` such that nothing waits for it. Raises ``OSError``."""
    device = os.open(os.ttyname(stream.fileno()), os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        yield device
    finally:
        os.close(device)


@contextmanager
def _listening(device: int) -> Generator[bool]:
    """Let answers through at once and unseen, and put all back. Raises ``OSError``.

    Yields whether there is anything to hear: in the background asking would stop us, and what somebody has typed ahead
    is not ours to read.
    """
    import termios  # noqa: PLC0415 - not everywhere
    import tty  # noqa: PLC0415

    if in_background(device):
        yield False
        return
    try:
        before = termios.tcgetattr(device)
        try:
            tty.setcbreak(device, termios.TCSANOW)
            yield not select.select([device], [], [], 0)[0]
        finally:
            termios.tcsetattr(device, termios.TCSANOW, before)
    except termios.error as error:
        raise OSError(*error.args) from error
