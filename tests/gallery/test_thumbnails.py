from __future__ import annotations

import io

import pytest
from PIL import Image

from flux_cli.gallery.thumbnails import SIDE, thumbnail, thumbnails


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1600, 900), (SIDE, 216)), ((900, 1600), (216, SIDE)), ((2000, 1), (SIDE, 1)), ((40, 30), (40, 30))],
)
@pytest.mark.parametrize("name", ["fox.jpg", "fox.png", "fox.webp"])
def test_any_image_fits_and_keeps_its_shape(tmp_path, name, size, expected):
    """Nothing is made larger than it is."""
    Image.new("RGB", size, (200, 20, 20)).save(tmp_path / name)

    small = Image.open(io.BytesIO(thumbnail(tmp_path / name)))

    assert (small.format, small.size) == ("JPEG", expected)
    assert all(abs(got - wanted) < 12 for got, wanted in zip(small.getpixel((0, 0)), (200, 20, 20), strict=True))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_white(tmp_path, mode):
    clear = Image.new("RGBA", (100, 100), (0, 0, 0, 0)).convert(mode)
    clear.save(tmp_path / "clear.png", **({"transparency": clear.getpixel((0, 0))} if mode == "P" else {}))

    small = Image.open(io.BytesIO(thumbnail(tmp_path / "clear.png")))

    assert min(small.getpixel((50, 50))) > 250


def test_what_is_no_image_has_none(tmp_path):
    (tmp_path / "text.jpg").write_text("not an image", "utf-8")
    Image.effect_noise((200, 200), 50).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:3000])

    assert thumbnail(tmp_path / "text.jpg") is None
    assert thumbnail(tmp_path / "cut.png") is None
    assert thumbnail(tmp_path / "nowhere.jpg") is None
    assert thumbnail(tmp_path) is None


def test_many_come_in_order(tmp_path):
    """Those that are missing among them."""
    paths = [tmp_path / f"{number}.png" for number in range(40)]
    for number, path in enumerate(paths[:-1]):
        Image.new("RGB", (8, 8), (number * 6, 0, 0)).save(path)

    *found, last = thumbnails(paths)

    reds = [Image.open(io.BytesIO(small)).getpixel((4, 4))[0] for small in found]
    assert last is None
    assert reds == sorted(reds)
    assert len(set(reds)) == 39


def test_whoever_takes_no_more_leaves_nothing_to_do(tmp_path):
    """And nothing is made far ahead of its being wanted."""
    asked = []
    smalls = thumbnails(asked.append(number) or tmp_path / str(number) for number in range(10_000))

    next(smalls)
    smalls.close()

    assert len(asked) < 1000
