"""Find out which pictures a terminal can show: from the environment if that is certain, else by a query.

The query goes to the terminal's own device, so stdin and stdout may be pipes. The terminal's mode is always restored,
and keys that were typed ahead are left for the shell.
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

Protocol = Literal["kitty", "iterm2", "sixel", "blocks"]
"""The protocols for pictures, best first."""

PATIENCE = 0.5
"""Seconds to wait for the answer of a terminal."""

_DEFAULT_CELL = (10, 20)
"""The default size of a character in pixels: that of a VT340, which most terminals with sixels emulate."""
_DEFAULT_SIZE = (80, 24)
_KITTY = b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"
"""Queries kitty's protocol with a picture of one pixel that is not stored."""
_COLOUR = b"\x1b[48;2;1;2;3m\x1bP$qm\x1b\\\x1b[0m"
"""Sets a 24-bit colour and queries the current one."""
_CELL = b"\x1b[16t"
"""Queries the size of a character."""
_ATTRIBUTES = b"\x1b[c"
"""Queries the kind of terminal. All terminals answer it, so its answer ends the wait for the others."""
_LAST = re.compile(rb"\x1b\[\?([\d;]*)c")
_SIXEL = b"4"
_KITTYS = {"xterm-kitty", "kitty", "xterm-ghostty", "ghostty"}
_ITERM2S = {"iterm.app", "iterm2", "wezterm"}
_SILENT = {"", "dumb", "linux", "unknown"}
"""Values of TERM without pictures. These are not queried: a console would print the query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """What a terminal can show: no pictures if ``protocol`` is ``None``. A cell is the place of one character."""

    protocol: Protocol | None
    columns: int = _DEFAULT_SIZE[0]
    rows: int = _DEFAULT_SIZE[1]
    cell: tuple[int, int] = _DEFAULT_CELL
    """Width and height of a character in pixels."""


def detect(stream: TextIO, environ: Mapping[str, str], now: Callable[[], float]) -> Screen:
    """Return what the terminal behind ``stream`` can show. ``now`` returns seconds. Takes at most `PATIENCE`."""
    term = environ.get("TERM", "")
    if not stream.isatty() or (term in _SILENT and not (sys.platform == "win32" and term == "")):
        return Screen(protocol=None)
    screen = _measure(stream)
    protocol = _identify(environ)
    within = bool(environ.keys() & {"TMUX", "STY", "ZELLIJ"}) or term.startswith(("screen", "tmux"))
    if protocol is not None and not within:
        return replace(screen, protocol=protocol)
    reply = b"" if environ.get("TERM_PROGRAM") == "Apple_Terminal" else _query(stream, now, within=within)
    cell = re.search(rb"\x1b\[6;(\d{1,3});(\d{1,3})t", reply)
    if cell is not None and screen.cell == _DEFAULT_CELL and int(cell[1]) and int(cell[2]):
        screen = replace(screen, cell=(int(cell[2]), int(cell[1])))
    return replace(screen, protocol=_choose_protocol(reply, environ, stream))


def _identify(environ: Mapping[str, str]) -> Protocol | None:
    """Return the protocol of a terminal that the environment names."""
    program = environ.get("TERM_PROGRAM") or environ.get("LC_TERMINAL", "")
    if environ.get("TERM") in _KITTYS or program.lower() in _KITTYS:
        return "kitty"
    return "iterm2" if program.lower() in _ITERM2S else None


def _choose_protocol(reply: bytes, environ: Mapping[str, str], stream: TextIO) -> Protocol | None:
    """Return the best protocol in the answer of a terminal."""
    kind = _LAST.search(reply)
    if b"\x1b_Gi=31;OK" in reply:
        return "kitty"
    if kind is not None and _SIXEL in kind[1].split(b";"):
        return "sixel"
    declared = environ.get("COLORTERM", "").lower() in {"truecolor", "24bit"} or "WT_SESSION" in environ
    true_colour = declared or environ.get("TERM", "").endswith("-direct") or _confirms_colour(reply)
    unicode = (stream.encoding or "").lower().replace("-", "").startswith("utf")
    return "blocks" if true_colour and unicode else None


def _confirms_colour(reply: bytes) -> bool:
    """Whether the terminal reports the 24-bit colour that was set."""
    return re.search(rb"\x1bP1\$r[\d;:]*48[:;]2[:;]+1[:;]2[:;]3m", reply) is not None


def _measure(stream: TextIO) -> Screen:
    """Return the size of the window, and of a character if the system knows it."""
    try:
        columns, rows = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return Screen(protocol=None)
    columns, rows = columns or _DEFAULT_SIZE[0], rows or _DEFAULT_SIZE[1]
    cell = _DEFAULT_CELL
    if sys.platform != "win32":
        import fcntl  # noqa: PLC0415 - not on Windows
        import termios  # noqa: PLC0415

        packed = fcntl.ioctl(stream.fileno(), termios.TIOCGWINSZ, bytes(8))
        lines, across, width, height = struct.unpack("HHHH", packed)
        if width >= across > 0 and height >= lines > 0:
            cell = (width // across, height // lines)
    return Screen(protocol=None, columns=columns, rows=rows, cell=cell)


def _query(stream: TextIO, now: Callable[[], float], *, within: bool) -> bytes:
    """Return the answer of the terminal, empty if it cannot be queried.

    ``within`` a multiplexer such as tmux only its attributes are queried: it takes the others for a new title.
    """
    if sys.platform == "win32":
        return b""
    query = _ATTRIBUTES if within else _KITTY + _COLOUR + _CELL + _ATTRIBUTES
    reply = b""
    try:
        with _open(stream) as device, _read_unechoed(device) as ready:
            if not ready:
                return b""
            os.write(device, query)
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
def _open(stream: TextIO) -> Generator[int]:
    """Open the terminal behind ``stream`` without blocking. Raises ``OSError``."""
    device = os.open(os.ttyname(stream.fileno()), os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        yield device
    finally:
        os.close(device)


@contextmanager
def _read_unechoed(device: int) -> Generator[bool]:
    """Read answers at once and without echo, then restore the mode. Raises ``OSError``.

    Yields whether to query: in the background that would stop the process, and keys typed ahead must not be read.
    """
    import termios  # noqa: PLC0415 - not on Windows
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
