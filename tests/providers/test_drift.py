"""What a host publishes about its models is compared with our tables, and a difference is said in a sentence."""

from __future__ import annotations

import pytest

from flux_cli import providers
from flux_cli.providers.drift import from_catalogue, from_schema, read_fields

PRO, ULTRA = (providers.load("runcomfy").models[name] for name in ("flux-1.1-pro", "flux-1.1-pro-ultra"))
PRO_AT_APIFRAME, ULTRA_AT_APIFRAME = (
    providers.load("apiframe").models[name] for name in ("flux-1.1-pro", "flux-1.1-pro-ultra")
)
FIELDS = {
    "prompt": {"type": "string"},
    "aspect_ratio": {"type": "string", "enum": ["21:9", "16:9", "4:3", "1:1", "3:4", "9:16", "9:21"]},
    "seed": {"type": "integer"},
    "raw": {"type": "boolean"},
}


def published(**changes):
    fields = {name: told for name, told in {**FIELDS, **changes}.items() if told is not None}
    return {"model_id": "x", "input_schema": {"type": "object", "properties": fields}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ()),
        ({"raw": None}, ("flux-1.1-pro-ultra no longer has a field raw",)),
        ({"width": {}}, ("flux-1.1-pro-ultra has a field width that flux does not know",)),
        (
            {"aspect_ratio": {"enum": ["21:9", "16:9", "4:3", "1:1", "3:4", "9:16", "9:21", "5:4"]}},
            ("flux-1.1-pro-ultra takes 5:4 for aspect_ratio",),
        ),
        (
            {"aspect_ratio": {"enum": ["16:9", "4:3", "1:1", "3:4", "9:16"]}},
            ("flux-1.1-pro-ultra no longer takes 21:9 and 9:21 for aspect_ratio",),
        ),
        ({"aspect_ratio": {"enum": "any"}}, ()),
        ({"aspect_ratio": "text"}, ()),
    ],
)
def test_a_schema_that_changed_is_told(changes, said):
    assert from_schema(ULTRA, published(**changes)) == said


def test_a_word_that_is_left_to_param_is_no_news():
    """``image_size`` has ``Custom``, whose size fields nobody documents."""
    sizes = {"enum": ["16:9", "4:3", "1:1", "1:1 (hd)", "3:4", "9:16", "Custom"]}

    assert from_schema(PRO, published(aspect_ratio=None, image_size=sizes)) == ()


@pytest.mark.parametrize(
    "answer", [None, [], "x", {"properties": {"other": {}}}, {"a": {"b": {"c": {"d": {"e": {"f": {}}}}}}}]
)
def test_without_a_schema_nothing_is_said(answer):
    assert from_schema(ULTRA, answer) == ()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"models": [{"id": "flux-1.1-pro"}, {"id": "flux-1.1-pro-ultra"}, {"id": "flux-9"}]}, ()),
        (["flux-1.1-pro-ultra"], ("flux-1.1-pro is no longer in the catalogue",)),
        ([], ()),
        (None, ()),
    ],
)
def test_a_catalogue_that_lost_a_model_is_told(answer, said):
    assert from_catalogue((PRO_AT_APIFRAME, ULTRA_AT_APIFRAME), answer) == said


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"models": [{"id": "flux-1.1-pro"}]}, ()),
        (
            [{"id": "flux-1.1-pro"}, {"id": "flux-9"}, {"id": "flux-8\x1b"}, {"id": "flux-old"}, {"id": "other"}],
            (
                "the catalogue lists flux-8\\x1b, which flux does not know",
                "the catalogue lists flux-9, which flux does not know",
            ),
        ),
        ([{"id": "flux-1.1-pro", "label": "flux-9"}, {"id": 5}], ()),
        (None, ()),
    ],
)
def test_a_catalogue_with_a_model_that_has_no_table_is_told(answer, said):
    assert from_catalogue((PRO_AT_APIFRAME,), answer, pattern="flux-.+", known=("flux-old",)) == said


@pytest.mark.parametrize(
    ("about", "accepts"),
    [
        ({"type": "string"}, "string"),
        ({"enum": ["a", 2]}, "a 2"),
        ({"const": "bfl:9@1"}, "bfl:9@1"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}, "text"]}, "integer or null"),
        ({"oneOf": [{"type": "string"}, {"type": "string"}]}, "string"),
        ({"type": ["integer", "null"], "minimum": 1}, "integer/null, 1 or more"),
        ({"type": "array", "items": {"type": "string"}, "maxItems": 4}, "array of string, up to 4 items"),
        (
            {"type": "integer", "minimum": 64, "maximum": 2048, "multipleOf": 16},
            "integer, 64 to 2048, in multiples of 16",
        ),
        ({}, "any"),
    ],
)
def test_a_published_field_is_shown_with_what_it_accepts(about, accepts):
    (field,) = read_fields({"properties": {"prompt": about}})

    assert (field.name, field.accepts) == ("prompt", accepts)


def test_the_fields_of_objects_are_shown_in_their_place_and_required_ones_first():
    inner = {"properties": {"tolerance": {"type": "integer", "default": 2}}, "required": ["tolerance"]}
    schema = {"properties": {"seed": {"title": "Seed"}, "safety": inner, "prompt": "?"}, "required": "all"}

    found = read_fields({"allOf": [{"type": "object"}, schema]})

    assert [(one.name, one.required, one.default, one.note) for one in found] == [
        ("safety.tolerance", True, "2", ""),
        ("seed", False, "", "Seed"),
        ("prompt", False, "", ""),
    ]
