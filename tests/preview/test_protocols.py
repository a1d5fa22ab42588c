"""Pictures as terminals take them: what is sent is what was to be seen, read back as a terminal would."""

from __future__ import annotations

import re
from base64 import b64decode

import pyte
from hypothesis import given
from hypothesis import strategies as st

from flux_cli.preview import protocols as graphics

PALETTE = [(0, 0, 0), (255, 255, 255), (255, 51, 0), (0, 102, 204)]
"""Colours whose parts are whole percentages, which is how sixels tell them."""


def decoded(data: bytes) -> tuple[int, int, dict[tuple[int, int], tuple[int, int, int]]]:
    """Return width, height and the pixels that were drawn, of a picture in sixels."""
    found = re.fullmatch(rb'\x1bP0;1q"1;1;(\d+);(\d+)(.*)\x1b\\', data, re.DOTALL)
    assert found is not None
    colours: dict[int, tuple[int, ...]] = {}
    pixels: dict[tuple[int, int], tuple[int, ...]] = {}
    x = y = colour = 0
    for token in re.finditer(rb"#(\d+);2;(\d+);(\d+);(\d+)|#(\d+)|!(\d+)([?-~])|([?-~])|(\$)|(-)", found[3]):
        if token[1]:
            colours[int(token[1])] = tuple(int(part) * 255 // 100 for part in token.group(2, 3, 4))
        elif token[5]:
            colour = int(token[5])
        elif token[9]:
            x = 0
        elif token[10]:
            x, y = 0, y + graphics.BAND
        else:
            bits, count = (token[7] or token[8])[0] - 63, int(token[6] or 1)
            run = range(x, x + count)
            pixels.update({(at, y + bit): colours[colour] for at in run for bit in range(6) if bits >> bit & 1})
            x += count
    return int(found[1]), int(found[2]), pixels


@given(st.binary(min_size=1, max_size=300), st.integers(1, 40))
def test_sixels_draw_every_pixel_and_no_clear_one(noise, width):
    indices = bytes(byte % 4 if byte < 200 else graphics.CLEAR for byte in noise.ljust(width, b"\xff"))
    height = len(indices) // width
    indices = indices[: width * height]

    found = decoded(graphics.sixels(indices, width, PALETTE))

    expected = {
        (at % width, at // width): PALETTE[index] for at, index in enumerate(indices) if index != graphics.CLEAR
    }
    assert found == (width, height, expected)


def test_sixels_of_one_colour_are_short():
    flat = graphics.sixels(bytes(1000 * 60), 1000, PALETTE)

    assert len(decoded(flat)[2]) == 60_000
    assert len(flat) < 200


@given(st.binary(min_size=1, max_size=20_000))
def test_kitty_gets_the_whole_file_in_parts_that_it_takes(png):
    """Only the first part says what it is, only the last one that it is the last."""
    sent = graphics.kitty(png, 40, 12)

    parts = re.findall(rb"\x1b_G([^;]*);([^\x1b]*)\x1b\\", sent)
    assert b"".join(b"\x1b_G%b;%b\x1b\\" % part for part in parts) == sent
    assert b64decode(b"".join(data for _, data in parts), validate=True) == png
    assert all(len(data) <= 4096 for _, data in parts)
    assert [keys[-3:] for keys, _ in parts] == [b"m=1"] * (len(parts) - 1) + [b"m=0"]
    assert [b"a=T,f=100,q=2,c=40,r=12" in keys for keys, _ in parts] == [True] + [False] * (len(parts) - 1)


def test_iterm2_gets_the_whole_file():
    sent = graphics.iterm2(b"\x89PNG and so on", 40, 12)

    found = re.fullmatch(rb"\x1b\]1337;File=inline=1;size=14;width=40;height=12;preserveAspectRatio=1:(.*)\x07", sent)
    assert found is not None
    assert b64decode(found[1], validate=True) == b"\x89PNG and so on"


def test_half_blocks_show_two_pixels_each_and_leave_the_clear_ones():
    """Read off a terminal's screen; what is transparent has the terminal's own ground."""
    red, blue, clear = b"\xff\x00\x00\xff", b"\x00\x00\xff\xff", bytes(4)
    screen = pyte.Screen(6, 2)
    stream = pyte.ByteStream(screen)

    stream.feed(graphics.blocks(red + red + red + clear + clear + blue + red + clear + blue + clear, 5))

    cells = [(cell.data, cell.fg, cell.bg) for cell in (screen.buffer[0][x] for x in range(6))]
    assert cells == [
        ("\u2580", "ff0000", "0000ff"),
        ("\u2580", "ff0000", "ff0000"),
        ("\u2580", "ff0000", "default"),
        ("\u2584", "0000ff", "default"),
        (" ", "default", "default"),
        (" ", "default", "default"),
    ]


def test_half_blocks_say_each_colour_once():
    """A run of the same takes one byte triple a cell, not a colour each."""
    assert len(graphics.blocks(b"\x01\x02\x03\xff" * 200, 100)) < 400
