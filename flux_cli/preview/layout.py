"""Lay out images for the terminal: one as large as fits, several side by side with their names below.

Scales with Pillow and counts in characters. `protocols` encodes the result, `terminal` finds out what is supported.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from flux_cli.images.convert import MAX_PIXELS, UNDECODABLE
from flux_cli.preview import protocols
from flux_cli.preview.terminal import Screen
from flux_cli.text import printable

if TYPE_CHECKING:
    from PIL.Image import Image

MOST = 40
"""The most images on one contact sheet."""

_WIDEST, _HIGHEST = 104, 32
"""The most columns and rows used, however large the window is; a sheet of many images is higher."""
_BELOW = 3
"""Lines of the window left free, for the path above the picture and the prompt of the shell."""
_GAP = 2
"""Columns between two pictures of a sheet."""
_TILE = (24, 6)
"""The fewest columns and rows of a picture on a sheet, if the window has them."""
_USUAL = 16 / 9
"""The aspect ratio a sheet is laid out for."""
_PIXELS = 1000
"""The most pixels of width that are sent: more only take longer."""
_PIECE = 4096
"""Bytes written at once."""


def render(
    paths: Sequence[str], screen: Screen, *, captions: Mapping[str, str] | None = None, abreast: int | None = None
) -> tuple[list[bytes], list[str]]:
    """Return the images at ``paths`` as lines for the terminal, and the paths of those that cannot be shown.

    One image is shown as large as the window allows, several as a contact sheet with the first `MOST` of them, each
    above its caption, by path, or its file name. ``abreast`` is how many stand side by side at most.
    """
    layout = _Layout.of(screen, len(paths), abreast)
    lines: list[bytes] = []
    tiles: list[tuple[str, _Tile]] = []
    bad: list[str] = []
    for path in paths[:MOST]:
        tile = layout.tile(path)
        if tile is None:
            bad.append(path)
        else:
            tiles.append((path, tile))
    for start in range(0, len(tiles), layout.abreast):
        row = tiles[start : start + layout.abreast]
        lines.append(layout.strip([tile for _, tile in row]))
        if len(paths) > 1:
            names = [(captions or {}).get(path) or Path(path).name for path, _ in row]
            lines.append(_render_names(names, layout.columns))
    if len(paths) > MOST:
        lines.append(b"and %d more" % (len(paths) - MOST))
    return lines, bad


def write(stream: BinaryIO, lines: Sequence[bytes]) -> None:
    """Print ``lines``. An interrupted picture is closed, so that the terminal reads what follows as text."""
    try:
        for piece in _split(lines):
            stream.write(piece)
            stream.flush()
    except BaseException:
        with suppress(OSError):
            stream.write(b"\x1b\\\x1b[0m\r\n")
            stream.flush()
        raise


def _split(lines: Sequence[bytes]) -> Iterator[bytes]:
    """Return lines in pieces, small enough that an interrupt takes effect soon."""
    for line in lines:
        data = line + b"\n"
        yield from (data[start : start + _PIECE] for start in range(0, len(data), _PIECE))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tile:
    """A scaled picture and its size in characters."""

    image: Image
    columns: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """The layout of pictures on a screen."""

    screen: Screen
    abreast: int
    """Pictures side by side."""
    columns: int
    rows: int
    """The most characters for each picture."""
    grain: tuple[float, float]
    """Pixels across and down for one character."""

    @classmethod
    def of(cls, screen: Screen, count: int, limit: int | None = None) -> _Layout:
        """Return the layout for ``count`` pictures, at most ``limit`` of them side by side."""
        width, height = screen.cell
        across = min(screen.columns, _WIDEST)
        if screen.protocol == "sixel":  # which terminals do not enlarge
            across = max(min(across, _PIXELS // width), 1)
        down = max(min(screen.rows - _BELOW, _HIGHEST), 1)

        def place(abreast: int) -> tuple[int, int]:
            if count == 1:
                return across, down
            lines = ceil(count / abreast)
            return max((across + _GAP) // abreast - _GAP, 1), max(down // lines - 1, _TILE[1])

        def usual(abreast: int) -> tuple[float, int]:
            columns, rows = place(abreast)
            return min(columns, rows * _USUAL * height / width), abreast

        most = max(min(count, limit or count, (across + _GAP) // (_TILE[0] + _GAP)), 1)
        abreast = max(range(1, most + 1), key=usual)
        columns, rows = place(abreast)
        fewer = 1.0 if screen.protocol == "sixel" else min(_PIXELS / (across * width), 1.0)
        grain = (1.0, 2.0) if screen.protocol == "blocks" else (width * fewer, height * fewer)
        return cls(screen=screen, abreast=abreast, columns=columns, rows=rows, grain=grain)

    def tile(self, path: str) -> _Tile | None:
        """Return the image at ``path``, scaled to its place; ``None`` if it cannot be read.

        `Image.thumbnail` would neither enlarge a small image nor follow the shape of half a character.
        """
        from PIL import Image  # noqa: PLC0415 - costs 30 ms, and most runs show nothing

        Image.MAX_IMAGE_PIXELS = MAX_PIXELS  # Pillow's own, lower limit would warn
        try:
            with Image.open(Path(path), formats=("JPEG", "PNG", "WEBP")) as opened:
                across, down = self._fit(opened.size)
                size = max(round(across * self.grain[0]), 1), max(round(down * self.grain[1]), 1)
                opened.draft("RGB", (2 * size[0], 2 * size[1]))  # decodes a JPEG no larger than needed
                image = opened.convert("RGBA").resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
        except (*UNDECODABLE, Image.DecompressionBombError):
            return None
        return _Tile(image=image, columns=min(ceil(across), self.columns), rows=min(ceil(down), self.rows))

    def _fit(self, size: tuple[int, int]) -> tuple[float, float]:
        """Return the columns and rows, in fractions, of an image of ``size`` pixels that fills its place."""
        width, height = size[0] / self.screen.cell[0], size[1] / self.screen.cell[1]
        scale = min(self.columns / width, self.rows / height)
        return width * scale, height * scale

    def strip(self, tiles: Sequence[_Tile]) -> bytes:
        """Return pictures side by side as one picture with a transparent background."""
        from PIL import Image  # noqa: PLC0415 - loaded by now

        pitch = self.columns + _GAP
        columns = (len(tiles) - 1) * pitch + tiles[-1].columns
        rows = max(tile.rows for tile in tiles)
        canvas = Image.new("RGBA", (max(round(columns * self.grain[0]), 1), max(round(rows * self.grain[1]), 1)))
        for number, tile in enumerate(tiles):
            canvas.paste(tile.image, (round(number * pitch * self.grain[0]), 0))
        match self.screen.protocol:
            case "blocks":
                return protocols.blocks(canvas.tobytes(), canvas.width)
            case "sixel":
                return _encode_sixels(canvas)
            case "iterm2":
                return protocols.iterm2(_encode_png(canvas), columns, rows)
            case _:
                return protocols.kitty(_encode_png(canvas), columns, rows)


def _encode_png(canvas: Image) -> bytes:
    held = io.BytesIO()
    canvas.save(held, "PNG", compress_level=1)
    return held.getvalue()


def _encode_sixels(canvas: Image) -> bytes:
    """Return a picture as sixels, in whole bands, so that it does not run into the line below."""
    from PIL import Image  # noqa: PLC0415 - loaded by now

    whole = canvas.crop((0, 0, canvas.width, max(canvas.height // protocols.BAND, 1) * protocols.BAND))
    indexed = whole.convert("RGB").quantize(protocols.CLEAR, Image.Quantize.FASTOCTREE)
    colours = indexed.getpalette() or []
    indexed.paste(protocols.CLEAR, mask=whole.getchannel("A").point([255, *[0] * 255]))
    palette = [(colours[at], colours[at + 1], colours[at + 2]) for at in range(0, len(colours) - 2, 3)]
    return protocols.sixels(indexed.tobytes(), indexed.width, palette[: protocols.CLEAR])


def _render_names(names: Sequence[str], columns: int) -> bytes:
    """Return a line with each name below its picture. Long names keep their ends, where they differ."""
    from rich.cells import cell_len, set_cell_size  # noqa: PLC0415 - only a terminal needs it

    def cut(name: str) -> str:
        if cell_len(name) <= columns:
            return name
        start = next(start for start in range(len(name) + 1) if cell_len(name[start:]) < columns)
        return f"\u2026{name[start:]}"

    shown = [cut(printable(name)) for name in names]
    return (" " * _GAP).join(set_cell_size(name, columns) for name in shown).rstrip().encode()
