"""An option says which values it takes and how they are sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from flux_cli.errors import UsageError
from flux_cli.providers.base import put_at_path
from flux_cli.providers.options import (
    Choice,
    InvalidValue,
    Labels,
    Link,
    Option,
    Picture,
    Pixels,
    Range,
    Ratios,
    Switch,
    same_values,
)

TABLE = ((3136, 1344), (2752, 1536), (2048, 2048))


def test_a_plain_option_takes_and_sends_anything():
    option = Option(field="a.b")

    assert option.wire(option.check({"x": 1})) == {"a.b": {"x": 1}}


@pytest.mark.parametrize(
    ("option", "accepts"),
    [
        (Option(), "any"),
        (Choice(values=same_values("a", "b")), "a b"),
        (Range(low=1), "1 or more"),
        (Range(low=0, high=6), "0 to 6"),
        (Switch(), "on off"),
        (Link(limit=10), "web address, up to 10 characters"),
        (Link(), "web address"),
        (Picture(limit=25 * 2**20), "web address or local file, up to 25 MB"),
        (Labels(), "KEY=VALUE"),
        (Ratios(sizes={"1:1": (8, 8)}), "1:1=8x8"),
        (Pixels(low=256, high=1440, step=32), "256 to 1440 a side, in multiples of 32"),
        (Pixels(low=1, high=1440), "1 to 1440 a side"),
        (Pixels(table=TABLE), "3136x1344 2752x1536 2048x2048"),
    ],
)
def test_what_an_option_takes_is_said_in_a_few_words(option, accepts):
    assert option.accepts == accepts


def test_an_open_range_has_no_upper_end():
    assert Range(low=1).check(10**30) == 10**30


@pytest.mark.parametrize("value", [True, 0.5, "1", None])
def test_a_range_of_whole_numbers_takes_nothing_else(value):
    with pytest.raises(InvalidValue):
        Range(low=0, high=1).check(value)


def test_words_far_from_all_others_have_no_nearest():
    with pytest.raises(InvalidValue, match=r"^takes jpg or png, not zzzzzz$"):
        Choice(values=same_values("jpg", "png")).check("zzzzzz")


@pytest.mark.parametrize("pixels", [Pixels(low=256, high=1440, step=32), Pixels(table=TABLE)])
def test_the_nearest_size_is_always_one_that_is_taken(pixels):
    @hypothesis_settings(max_examples=100, deadline=None)
    @given(st.tuples(st.integers(0, 999_999), st.integers(0, 999_999)))
    def holds(size):
        width, height = pixels.nearest(size)
        assert pixels.check(f"{width}x{height}") == f"{width}x{height}"
        assert pixels.nearest((width, height)) == (width, height)

    holds()


@pytest.mark.parametrize("value", ["", "x", "1024", "1024x", "-1x5", "1024x1024x3", "1e3x1e3", "9999999x1", 5, None])
def test_what_is_no_size_is_refused(value):
    with pytest.raises(InvalidValue, match="WIDTHxHEIGHT"):
        Pixels(low=256, high=1440, step=32).check(value)


def test_a_path_makes_the_objects_on_its_way_and_keeps_those_that_are_there():
    body = {"a": {"x": 1}}

    put_at_path(body, "a.b.c", 2)

    assert body == {"a": {"x": 1, "b": {"c": 2}}}


def test_a_path_through_something_that_is_no_object_is_refused():
    with pytest.raises(UsageError, match=r"^--param a\.b\.c: b is not an object$"):
        put_at_path({"a": {"b": 1}}, "a.b.c", 2)


@pytest.mark.parametrize(
    ("typed", "meant"), [("16:10", "3:2"), ("2:1", "16:9"), ("3:1", "21:9"), ("10:16", "2:3"), ("100:99", "1:1")]
)
def test_a_ratio_that_is_not_taken_is_answered_with_the_one_of_the_nearest_shape(typed, meant):
    ratios = same_values("21:9", "16:9", "3:2", "1:1", "1:1 (hd)", "2:3")

    with pytest.raises(InvalidValue, match=f"did you mean {meant}[?]$"):
        Choice(values=ratios).check(typed)


HEADS = {
    "png": b"\x89PNG\r\n\x1a\n" + bytes(8),
    "jpeg": b"\xff\xd8\xff\xe0" + bytes(12),
    "gif": b"GIF89a" + bytes(10),
    "webp": b"RIFF\n\x00\x00\nWEBPVP8 ",
    "avif": b"\x00\x00\x00\x1cftypavif" + bytes(4),
    "bmp": b"BM" + bytes(14),
    "tiff": b"II*\x00" + bytes(12),
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
@pytest.mark.parametrize("size", [16, 25 * 2**20])
def test_a_file_of_an_image_is_taken_up_to_its_limit(head, size):
    Picture(limit=25 * 2**20).check_file(head, size)


@pytest.mark.parametrize(
    ("head", "size", "message"),
    [
        (HEADS["png"], 25 * 2**20 + 1, "takes a file of at most 25 MB, not 25.0 MB"),
        (HEADS["png"], 40 * 2**20, "takes a file of at most 25 MB, not 40.0 MB"),
        (b"", 0, "takes an image, but the file is empty"),
        (b"<svg xmlns='http", 99, "takes an image, such as PNG, JPEG, WebP or GIF, but the file is not one"),
        (b"RIFF....WAVEfmt ", 99, "takes an image, such as PNG, JPEG, WebP or GIF, but the file is not one"),
        (
            b"\x00\x00\x00\x1cftypisom....",
            99,
            "takes an image, such as PNG, JPEG, WebP or GIF, but the file is not one",
        ),
        (b"\x89PN", 3, "takes an image, such as PNG, JPEG, WebP or GIF, but the file is not one"),
    ],
)
def test_any_other_file_is_refused_with_the_reason(head, size, message):
    with pytest.raises(InvalidValue) as caught:
        Picture(limit=25 * 2**20).check_file(head, size)

    assert str(caught.value) == message
