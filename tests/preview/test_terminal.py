"""Asking a terminal what it shows: a pseudo terminal whose other side the test is, so that it answers or does not."""

from __future__ import annotations

import os
import pty
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TextIO

import pytest

from flux_cli.preview.terminal import PATIENCE, Screen, detect
from tests.conftest import Stream

XTERM = {"TERM": "xterm-256color"}
KITTY = b"\x1b_Gi=31;OK\x1b\\"
COLOUR = b"\x1bP1$r0;48:2:1:2:3m\x1b\\"
PLAIN, SIXEL = b"\x1b[?62;22c", b"\x1b[?62;4;22c"


class Glass:
    """The side of a terminal that a person looks at."""

    def __init__(self) -> None:
        self.master, slave = pty.openpty()
        self.stream: TextIO = os.fdopen(slave, "w", encoding="utf-8")
        self.asked = b""
        self.threads: list[threading.Thread] = []

    def answer(self, reply: bytes) -> None:
        """Answer the next question."""
        self.threads.append(threading.Thread(target=self._answer, args=(reply,)))
        self.threads[-1].start()

    def _answer(self, reply: bytes) -> None:
        with suppress(OSError):
            while not self.asked.endswith(b"\x1b[c"):
                self.asked += os.read(self.master, 1024)
            os.write(self.master, reply)

    @property
    def mode(self) -> list:
        return termios.tcgetattr(self.stream.fileno())

    def close(self) -> None:
        self.stream.close()
        os.close(self.master)
        for thread in self.threads:
            thread.join(10)


@pytest.fixture
def glass() -> Iterator[Glass]:
    glass = Glass()
    termios.tcsetwinsize(glass.stream.fileno(), (24, 80))
    yield glass
    glass.close()


@pytest.fixture
def shown(glass) -> Callable[..., Screen]:
    """Return what a terminal shows that gives an answer."""

    def look_at(reply: bytes = b"", **environ: str) -> Screen:
        glass.answer(reply)
        return detect(glass.stream, {**XTERM, **environ}, lambda: 0.0)

    return look_at


@pytest.mark.parametrize(
    ("environ", "way"),
    [
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-ghostty"}, "kitty"),
        ({"TERM_PROGRAM": "ghostty"}, "kitty"),
        ({"TERM_PROGRAM": "iTerm.app"}, "iterm2"),
        ({"TERM_PROGRAM": "WezTerm"}, "iterm2"),
        ({"LC_TERMINAL": "iTerm2"}, "iterm2"),
    ],
)
def test_a_terminal_that_is_known_is_not_asked(glass, environ, way):
    screen = detect(glass.stream, XTERM | environ, lambda: 0.0)

    os.write(glass.stream.fileno(), b"!")
    assert os.read(glass.master, 100) == b"!"
    assert (screen.protocol, screen.columns, screen.rows) == (way, 80, 24)


@pytest.mark.parametrize(
    ("reply", "environ", "way"),
    [
        (KITTY + PLAIN, {}, "kitty"),
        (KITTY + SIXEL, {}, "kitty"),
        (b"\x1b_Gi=31;ENOTSUP\x1b\\" + SIXEL, {}, "sixel"),
        (SIXEL, {"COLORTERM": "truecolor"}, "sixel"),
        (PLAIN, {"COLORTERM": "truecolor"}, "blocks"),
        (PLAIN, {"COLORTERM": "24bit"}, "blocks"),
        (PLAIN, {"TERM": "xterm-direct"}, "blocks"),
        (COLOUR + PLAIN, {}, "blocks"),
        (b"\x1bP1$r48;2;1;2;3m\x1b\\" + PLAIN, {}, "blocks"),
        (b"\x1bP1$r48;5;16m\x1b\\" + PLAIN, {}, None),
        (b"\x1b[?64c", {}, None),
        (PLAIN, {}, None),
        (SIXEL, {"TERM": "tmux-256color", "TERM_PROGRAM": "ghostty"}, "sixel"),
        (PLAIN, {"TMUX": "/tmp/tmux", "TERM": "xterm-kitty", "COLORTERM": "truecolor"}, "blocks"),
    ],
)
def test_the_best_way_that_the_answer_speaks_of(glass, shown, reply, environ, way):
    """And the mode of the terminal is what it was before."""
    before = glass.mode

    screen = shown(reply, **environ)

    assert screen.protocol == way
    assert glass.mode == before


@pytest.mark.parametrize("environ", [{"TMUX": "1"}, {"STY": "1"}, {"ZELLIJ": "0"}, {"TERM": "screen"}])
def test_a_program_in_between_is_asked_in_plain_words_only(glass, shown, environ):
    """tmux would take kitty's question for a new title."""
    shown(PLAIN, **environ)

    assert glass.asked == b"\x1b[c"


def test_the_size_of_a_character_is_asked_for(shown):
    assert shown(b"\x1b[6;18;9t" + SIXEL).cell == (9, 18)
    assert shown(b"\x1b[6;0;0t" + SIXEL).cell == (10, 20)


def test_a_terminal_that_does_not_answer_costs_half_a_second(glass):
    """Then nothing more is waited for, and what is known otherwise counts."""
    before, readings = glass.mode, [0.0, PATIENCE]

    screen = detect(glass.stream, XTERM | {"COLORTERM": "truecolor"}, lambda: readings.pop(0))

    assert (screen.protocol, readings) == ("blocks", [])
    assert PATIENCE <= 0.5
    assert glass.mode == before


def test_a_terminal_that_goes_away_shows_nothing(glass):
    readings = [0.0, 0.1, 0.2]

    def hang_up() -> float:
        if len(readings) == 2:
            os.close(glass.master)
            glass.master = os.open(os.devnull, os.O_RDWR)
        return readings.pop(0)

    assert detect(glass.stream, XTERM, hang_up).protocol is None


def test_what_was_typed_ahead_is_not_taken(glass):
    """Whoever typed the next command while the image was made finds it in the shell: nothing is asked then."""
    os.write(glass.master, b"ls")

    screen = detect(glass.stream, XTERM | {"COLORTERM": "truecolor"}, lambda: 0.0)

    tty.setcbreak(glass.stream.fileno(), termios.TCSANOW)
    assert os.read(glass.stream.fileno(), 100) == b"ls"
    assert screen.protocol == "blocks"


class StopError(BaseException):
    """What a signal raises."""


def test_the_mode_is_put_back_whatever_happens(glass):
    before = glass.mode

    def interrupted() -> float:
        assert glass.mode != before
        raise StopError

    with pytest.raises(StopError):
        detect(glass.stream, XTERM, interrupted)

    assert glass.mode == before


@pytest.mark.parametrize("term", ["", "dumb", "linux"])
def test_a_terminal_without_pictures_is_not_asked(glass, term):
    assert detect(glass.stream, {"TERM": term, "COLORTERM": "truecolor"}, lambda: 0.0).protocol is None


def test_what_is_no_terminal_shows_nothing():
    assert detect(Stream(), XTERM | {"COLORTERM": "truecolor"}, lambda: 0.0).protocol is None


def test_letters_alone_show_no_half_blocks(glass):
    """A stream that cannot carry them gets none."""
    with os.fdopen(os.dup(glass.stream.fileno()), "w", encoding="ascii") as ascii_only:
        glass.answer(PLAIN)
        assert detect(ascii_only, XTERM | {"COLORTERM": "truecolor"}, lambda: 0.0).protocol is None
