"""What a person sees of saved images: read back from what is sent to the terminal."""

from __future__ import annotations

import io
import re
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

import pyte
import pytest
from PIL import Image

from flux_cli.preview.layout import MOST, render, write
from flux_cli.preview.terminal import Screen

RED, BLUE = (200, 20, 20), (20, 20, 200)
WINDOW = {"columns": 80, "rows": 24}


@pytest.fixture
def image(tmp_path) -> Callable[..., str]:
    """Return a function that saves an image of one colour."""

    def save(name: str, size: tuple[int, int] = (320, 180), colour: tuple[int, ...] = RED) -> str:
        path = tmp_path / name
        Image.new("RGBA" if len(colour) == 4 else "RGB", size, colour).save(path)
        return str(path)

    return save


def screen_of(lines: list[bytes], *, columns: int = 80, rows: int = 200) -> pyte.Screen:
    """Return what a terminal shows that was sent these lines."""
    screen = pyte.Screen(columns, rows)
    stream = pyte.ByteStream(screen)
    for line in lines:
        stream.feed(line.replace(b"\n", b"\r\n") + b"\r\n")
    return screen


def extent(screen: pyte.Screen) -> tuple[int, int]:
    """Return how many columns and rows have a colour."""
    cells = [(x, y) for y in range(screen.lines) for x in range(screen.columns) if screen.buffer[y][x].fg != "default"]
    return max(x for x, _ in cells) + 1, max(y for _, y in cells) + 1


@pytest.mark.parametrize("name", ["fox.jpg", "fox.png", "fox.webp"])
def test_one_image_has_its_own_shape_and_colours(image, name):
    """A character is twice as high as wide: 16:9 fills 75 by 21 of them."""
    lines, bad = render([image(name, (1600, 900))], Screen(protocol="blocks", **WINDOW))

    screen = screen_of(lines)
    assert bad == []
    assert extent(screen) == (75, 21)
    assert all(
        abs(int(screen.buffer[5][5].fg[at : at + 2], 16) - part) < 8 for at, part in zip((0, 2, 4), RED, strict=True)
    )


@pytest.mark.parametrize(("size", "expected"), [((100, 1000), (4, 21)), ((1000, 10), (80, 1)), ((1, 1), (42, 21))])
def test_any_shape_fits_the_window(image, size, expected):
    lines, _ = render([image("fox.png", size)], Screen(protocol="blocks", **WINDOW))

    assert extent(screen_of(lines)) == expected


@pytest.mark.parametrize(("columns", "rows"), [(1, 1), (10, 3), (300, 100)])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_any_window_will_do(image, columns, rows, count):
    """Nothing is wider than the window, and a huge one is not filled."""
    paths = [image(f"{number}.png") for number in range(count)]

    lines, bad = render(paths, Screen(protocol="blocks", columns=columns, rows=rows))

    width, height = extent(screen_of(lines, columns=120, rows=120))
    assert bad == []
    assert width <= min(columns, 104)
    assert height <= max(rows, 8) * count


def test_four_images_are_a_sheet_of_two_by_two_with_their_names(image):
    """The names stand below, and differ where they are cut."""
    paths = [image(f"{'a-very-long-name-' * 4}{number}.jpg") for number in range(4)]

    lines, _ = render(paths, Screen(protocol="blocks", **WINDOW))

    shown = screen_of(lines)
    named = [line.split() for line in shown.display if ".jpg" in line]
    assert [[name[-6:] for name in row] for row in named] == [["-0.jpg", "-1.jpg"], ["-2.jpg", "-3.jpg"]]
    assert all(name.startswith("\u2026") and len(name) == 39 for row in named for name in row)
    assert len([line for line in shown.display if line.strip()]) == 20


def test_captions_take_the_place_of_names_and_no_more_than_asked_stand_side_by_side(image):
    paths = [image(f"{number}.jpg") for number in range(4)]
    captions = {path: f"model-{number}" for number, path in enumerate(paths)}

    lines, _ = render(paths, Screen(protocol="blocks", **{**WINDOW, "columns": 200}), captions=captions, abreast=2)

    named = [line.split() for line in screen_of(lines).display if "model-" in line]
    assert named == [["model-0", "model-1"], ["model-2", "model-3"]]


def test_the_name_below_is_text(image):
    """What a name holds is shown, not obeyed."""
    paths = [image("a\x1b[31mfox.png"), image("\u732b\u732b.png")]

    lines, _ = render(paths, Screen(protocol="blocks", **WINDOW))

    assert b"a\\x1b[31mfox.png" in lines[1]
    assert b"\xe7\x8c\xab\xe7\x8c\xab.png" in lines[1]


def test_a_sheet_of_many_has_an_end(image):
    path = image("fox.png")

    lines, _ = render([path] * (MOST + 60), Screen(protocol="blocks", **WINDOW))

    assert lines[-1] == b"and 60 more"
    assert b"".join(lines).count(b"fox.png") == MOST


def test_what_cannot_be_read_is_left_out_and_told(image, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(Path(image("whole.png")).read_bytes()[:60])
    missing = str(tmp_path / "missing.png")

    lines, bad = render([str(broken), image("fox.png"), missing], Screen(protocol="blocks", **WINDOW))
    alone, alone_bad = render([missing], Screen(protocol="blocks", **WINDOW))

    assert (bad, alone_bad) == ([str(broken), missing], [missing])
    assert [line for line in lines if b"fox.png" in line] != []
    assert alone == []


@pytest.mark.parametrize(("way", "pattern"), [("kitty", rb"\x1b_G[^;]*;([^\x1b]*)"), ("iterm2", rb"=1:([^\x07]*)")])
def test_what_a_terminal_scales_is_sent_as_a_png_of_the_same_shape(image, way, pattern):
    """Never more than a thousand pixels wide, however fine the terminal is."""
    (line,), _ = render([image("fox.jpg", (1600, 900))], Screen(protocol=way, cell=(20, 40), **WINDOW))

    sent = Image.open(io.BytesIO(b64decode(b"".join(re.findall(pattern, line)))))
    box = re.search(rb"c=(\d+),r=(\d+)|width=(\d+);height=(\d+)", line)
    columns, rows = (int(part) for part in box.groups() if part)
    assert (columns, rows) == (75, 21)
    assert sent.width <= 1000
    assert sent.width / sent.height == pytest.approx(columns * 20 / (rows * 40), rel=0.02)


def test_sixels_stay_within_the_characters_that_they_take(image):
    """Whole bands of six, in the pixels of the window, no more of them than can be sent quickly."""
    paths = [image("red.png"), image("blue.jpg", (90, 160), BLUE)]

    fine, _ = render(paths[:1], Screen(protocol="sixel", cell=(20, 41), **WINDOW))
    sheet, _ = render(paths, Screen(protocol="sixel", **WINDOW))

    sizes = [re.search(rb'"1;1;(\d+);(\d+)#', line) for line in (fine[0], sheet[0])]
    (width, height), (abreast, down) = ((int(size[1]), int(size[2])) for size in sizes)
    assert width <= 1000
    assert height % 6 == 0
    assert height <= 21 * 41
    assert abreast > 390
    assert down <= 20 * 20


def test_what_is_transparent_stays_so(image):
    lines, _ = render([image("clear.png", (80, 42), (0, 0, 0, 0))], Screen(protocol="blocks", **WINDOW))

    assert b"48;2" not in lines[0]
    assert b"38;2" not in lines[0]


class Torn(io.BytesIO):
    """A terminal on which somebody presses Ctrl-C in the middle of a picture."""

    def write(self, data: bytes) -> int:
        if self.tell() > 8000 and not data.startswith(b"\x1b\\"):
            raise KeyboardInterrupt
        return super().write(data)


def test_a_picture_that_is_cut_off_is_ended():
    """So that what comes next is text again, and not the rest of the picture."""
    stream = Torn()

    with pytest.raises(KeyboardInterrupt):
        write(stream, [b"\x1b_G" + b"x" * 20_000])

    assert stream.getvalue().endswith(b"xxx\x1b\\\x1b[0m\r\n")


def test_a_picture_that_is_whole_is_sent_as_it_is():
    stream = io.BytesIO()

    write(stream, [b"\x1b_G" + b"x" * 20_000, b"fox.png"])

    assert stream.getvalue() == b"\x1b_G" + b"x" * 20_000 + b"\nfox.png\n"
