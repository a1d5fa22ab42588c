"""An option says which values it takes and how they are sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from flux_cli.errors import UsageError
from flux_cli.jobs import LocalFile
from flux_cli.providers.base import put_at_path
from flux_cli.providers.image_input import ImageInput
from flux_cli.providers.options import Choice, InvalidValue, Labels, Link, Option, Range, Switch, Words, same_values
from flux_cli.providers.sizes import Pixels, Ratios, sizes_of_area

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
        (ImageInput(travels="upload", max_bytes=25 * 2**20), "web address or local file, up to 25 MB"),
        (ImageInput(most=3, travels="upload", max_bytes=2**20), "1 to 3 of: web address or local file, up to 1 MB"),
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


MB = 2**20


def image(**facts):
    known = {"path": "a.png", "media_type": "image/png", "size": 9, "sha256": "", "width": 640, "height": 480}
    return LocalFile(**{**known, **facts})


def image_input(**facts):
    return ImageInput(**{"field": "a", "travels": "upload", "max_bytes": 25 * MB, **facts})


@pytest.mark.parametrize("kind", ["image/png", "image/jpeg", "image/webp"])
def test_an_image_is_taken_up_to_every_limit(kind):
    limits = image_input(min_side=480, max_side=640, max_pixels=640 * 480)

    limits.check_file(image(media_type=kind, size=25 * MB))


@pytest.mark.parametrize(
    ("limits", "facts", "message"),
    [
        ({}, {"size": 25 * MB + 1}, "must be at most 25 MB, not 25.0 MB"),
        ({}, {"size": 40 * MB}, "must be at most 25 MB, not 40 MB"),
        ({"min_side": 481}, {}, "must have at least 481 pixels a side, not 640x480"),
        ({"max_side": 639}, {}, "must have at most 639 pixels a side, not 640x480"),
        ({"max_pixels": 300_000}, {}, "must have at most 0.3 megapixels, not 640x480"),
        ({"media_types": ("image/jpeg",)}, {}, "must be JPEG, not PNG"),
    ],
)
def test_an_image_beyond_a_limit_is_refused_with_the_reason(limits, facts, message):
    with pytest.raises(InvalidValue) as caught:
        image_input(**limits).check_file(image(**facts))

    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("facts", "value", "sent"),
    [
        ({}, "a.png", {"a": "a.png"}),
        ({"as_array": True, "most": 2}, ["x", "y"], {"a": ["x", "y"]}),
        ({"field": "a, a_2, a_3", "most": 3}, ["x", "y"], {"a": "x", "a_2": "y"}),
    ],
)
def test_images_go_into_their_fields_in_order(facts, value, sent):
    assert image_input(**facts).wire([value] if isinstance(value, str) else value) == sent


@pytest.mark.parametrize(
    ("facts", "value", "message"),
    [
        ({}, ["a", "b"], "takes one image, not 2"),
        ({"most": 2}, ["a", "b", "c"], "takes at most 2 images, not 3"),
        ({"links": False}, "https://a.example/b", "takes local files only, not https://a.example/b"),
        ({}, "ftp://a.example/b", "takes a web address (https://…), not ftp://a.example/b"),
    ],
)
def test_images_that_a_model_does_not_take_are_refused(facts, value, message):
    with pytest.raises(InvalidValue) as caught:
        image_input(**facts).check(value)

    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("size", "near"),
    [
        ((1001, 1001), (1008, 1008)),
        ((4000, 2000), (2048, 1024)),
        ((10, 5000), (256, 2048)),
        ((2048, 2048), (1440, 1440)),
    ],
)
def test_a_size_that_does_not_fit_is_answered_with_the_nearest(size, near):
    found = Pixels(low=256, high=2048, step=16, most=2 * MB).nearest(size)

    assert found == near
    assert found[0] * found[1] <= 2 * MB


def test_sizes_of_an_area_keep_the_ratio_and_the_grid():
    assert sizes_of_area(["1:1", "16:9", "9:16"], area=MB, step=16) == {
        "1:1": (1024, 1024),
        "16:9": (1360, 768),
        "9:16": (768, 1360),
    }


def test_a_ratio_follows_the_resolution():
    ratios = Ratios(sizes={"1:1": (8, 8)}, tiers={"2k": {"1:1": (16, 16)}})

    assert ratios.wire("1:1", {}) == {"width": 8, "height": 8}
    assert ratios.wire("1:1", {"resolution": "2k"}) == {"width": 16, "height": 16}
    assert ratios.pixels("1:1", {"resolution": "2k"}) == 256


@pytest.mark.parametrize("value", ["", "  ", 7, None, "x" * 11])
def test_words_are_a_text_of_limited_length(value):
    option = Words(field="negative", limit=10)

    assert option.check("a blur") == "a blur"
    with pytest.raises(InvalidValue):
        option.check(value)


@pytest.mark.parametrize("size", [(9999, 100), (100, 9999), (4000, 4000)])
def test_the_nearest_size_stays_below_the_most_pixels(size):
    option = Pixels(low=512, high=4096, step=16, most=2**20)

    width, height = option.nearest(size)

    assert width * height <= option.most
    assert (width >= height) is (size[0] >= size[1])
