"""The installed program shows its image on a terminal, below the path, and leaves the terminal as it was."""

from __future__ import annotations

import re


def test_preview_draws_the_image_below_its_path_in_kitty(terminal):
    """The path comes first, the picture is whole, and nothing follows it but the end of the line."""
    shown = terminal("generate", "-q", "-s", "7", "--preview", "fox", TERM="xterm-kitty")

    code = shown.end()

    assert code == 0
    assert re.fullmatch(rb"fox-7\.jpg\r\n(\x1b_G[^\x1b]*\x1b\\)+\r\n", shown.raw)
    assert shown.echoes


def test_preview_gives_up_on_a_terminal_that_does_not_answer(terminal):
    """The question is all that it gets: half a second later there is a note, and what is typed is shown again."""
    shown = terminal("generate", "-s", "7", "--preview", "fox")

    code = shown.end()

    assert code == 0
    assert b"\x1b[c" in shown.raw
    assert b"flux: note: this terminal cannot show images" in shown.raw
    assert shown.echoes
