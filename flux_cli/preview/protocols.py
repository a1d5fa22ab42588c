"""Encode pictures for terminals: kitty's and iTerm2's protocols, sixels, and half blocks of colour.

Pure functions from pixels to bytes. Each leaves the cursor in the last line of the picture: the caller ends the line.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator, Sequence

CLEAR = 255
"""The index of a transparent pixel in `sixels`."""
BAND = 6
"""The height in pixels of one row of sixels."""

_CHUNK = 4096
"""The most characters that kitty takes in one part."""
_RUN = re.compile(rb"(.)\1{3,}", re.DOTALL)
"""Four or more of a sixel, for which a count is shorter."""


def kitty(png: bytes, columns: int, rows: int) -> bytes:
    """Return a PNG for kitty, Ghostty and Konsole, over ``columns`` by ``rows`` cells.

    ``q=2`` keeps the terminal from answering. See https://sw.kovidgoyal.net/kitty/graphics-protocol/ .
    """
    data = b64encode(png)
    parts = [data[start : start + _CHUNK] for start in range(0, len(data), _CHUNK)]
    keys = [b"m=%d" % (number < len(parts)) for number in range(1, len(parts) + 1)]
    keys[0] = b"a=T,f=100,q=2,c=%d,r=%d,%b" % (columns, rows, keys[0])
    return b"".join(b"\x1b_G%b;%b\x1b\\" % (key, part) for key, part in zip(keys, parts, strict=True))


def iterm2(png: bytes, columns: int, rows: int) -> bytes:
    """Return an image file for iTerm2 and WezTerm, over ``columns`` by ``rows`` cells.

    See https://iterm2.com/documentation-images.html .
    """
    head = b"inline=1;size=%d;width=%d;height=%d;preserveAspectRatio=1" % (len(png), columns, rows)
    return b"\x1b]1337;File=%b:%b\x07" % (head, b64encode(png))


def sixels(indices: bytes, width: int, palette: Sequence[tuple[int, int, int]]) -> bytes:
    """Return a picture of ``width`` pixels a row as sixels; ``palette`` has the red, green and blue of each index.

    At most 255 colours, each from 0 to 255; an index of `CLEAR` is transparent. See
    https://vt100.net/docs/vt3xx-gp/chapter14.html .
    """
    height = len(indices) // width
    colours = b"".join(
        b"#%d;2;%d;%d;%d" % (number, *(round(part * 100 / 255) for part in colour))
        for number, colour in enumerate(palette)
    )
    bands = [
        b"$".join(
            _band([indices[at : at + width] for at in range(start, min(start + BAND * width, len(indices)), width)])
        )
        for start in range(0, len(indices), BAND * width)
    ]
    return b'\x1bP0;1q"1;1;%d;%d%b%b\x1b\\' % (width, height, colours, b"-".join(bands))


def _band(rows: Sequence[bytes]) -> Iterator[bytes]:
    """Return one line of sixels for each colour that at most six rows of pixels have."""
    width = len(rows[0])
    empty = int.from_bytes(b"?" * width)
    for colour in sorted({index for row in rows for index in set(row)} - {CLEAR}):
        bits = empty
        for number, row in enumerate(rows):
            if colour in row:
                bits += int.from_bytes(row.translate(_make_mask(colour, 1 << number)))
        line = bits.to_bytes(width).rstrip(b"?")
        yield b"#%d%b" % (colour, _RUN.sub(lambda run: b"!%d%b" % (len(run[0]), run[1]), line))


_ALL_CLEAR = bytes(256)


def _make_mask(colour: int, mark: int) -> bytes:
    """Return a translation table that maps one colour to ``mark`` and all others to zero."""
    return _ALL_CLEAR[:colour] + bytes((mark,)) + _ALL_CLEAR[colour + 1 :]


def blocks(rgba: bytes, width: int) -> bytes:
    """Return a picture as half blocks in 24-bit colour, two rows of pixels to a line.

    ``rgba`` has four bytes a pixel and an even number of rows; transparent pixels show the terminal's background.
    """
    step = 4 * width
    lines: list[str] = []
    for start in range(0, len(rgba), 2 * step):
        line, last = "", ""
        for at in range(start, start + step, 4):
            cell = _cell(rgba[at : at + 4], rgba[at + step : at + step + 4])
            style, block = cell[:-1], cell[-1]
            line += block if style == last else f"\x1b[{style}m{block}"
            last = style
        lines.append(f"{line}\x1b[0m")
    return "\n".join(lines).encode()


def _cell(upper: bytes, lower: bytes) -> str:
    """Return the style and the character of two pixels, one above the other."""
    top, bottom = (f"2;{pixel[0]};{pixel[1]};{pixel[2]}" if pixel[3] else "" for pixel in (upper, lower))
    if top and bottom:
        return f"38;{top};48;{bottom}\u2580"
    if top or bottom:
        return f"0;38;{top}\u2580" if top else f"0;38;{bottom}\u2584"
    return "0 "
