from __future__ import annotations

import pytest

from flux_cli.sandbox.schema import Field, problems

SCHEMA = Field(
    kind="object",
    fields={
        "name": Field(kind="text", required=True, low=2, high=4),
        "kind": Field(kind="text", choices=("a", "b")),
        "ratio": Field(kind="text", pattern=r"\d+:\d+"),
        "size": Field(kind="integer", low=1, high=3),
        "share": Field(kind="number", low=0, high=1),
        "on": Field(kind="boolean"),
        "link": Field(kind="link", nullable=True),
        "some": Field(kind="array", high=2, items=Field(kind="integer")),
        "inner": Field(kind="object", fields={"deep": Field(kind="integer", required=True)}),
        "any": Field(kind="object"),
    },
)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"kind": "b", "ratio": "3:2", "size": 3, "share": 0.5, "on": False, "link": "https://x.y/z", "some": [1, 2]},
        {"link": None, "share": 1, "inner": {"deep": 0}, "any": {"whatever": [None]}},
    ],
)
def test_what_fits(more):
    """A body that keeps to the schema has no problems."""
    assert problems({"name": "abc", **more}, SCHEMA) == []


@pytest.mark.parametrize(
    ("value", "path", "why"),
    [
        ([], "", "invalid"),
        ({}, "name", "missing"),
        ({"name": 3}, "name", "invalid"),
        ({"name": "a"}, "name", "invalid"),
        ({"name": "abcde"}, "name", "invalid"),
        ({"name": None}, "name", "invalid"),
        ({"name": "abc", "kind": "c"}, "kind", "invalid"),
        ({"name": "abc", "ratio": "3x2"}, "ratio", "invalid"),
        ({"name": "abc", "size": 4}, "size", "invalid"),
        ({"name": "abc", "size": 0}, "size", "invalid"),
        ({"name": "abc", "size": 1.0}, "size", "invalid"),
        ({"name": "abc", "size": True}, "size", "invalid"),
        ({"name": "abc", "share": "1"}, "share", "invalid"),
        ({"name": "abc", "on": 1}, "on", "invalid"),
        ({"name": "abc", "link": "x"}, "link", "invalid"),
        ({"name": "abc", "some": {}}, "some", "invalid"),
        ({"name": "abc", "some": [1, 2, 3]}, "some", "invalid"),
        ({"name": "abc", "some": [1, "2"]}, "some.1", "invalid"),
        ({"name": "abc", "inner": {}}, "inner.deep", "missing"),
        ({"name": "abc", "inner": {"deep": 1, "more": 2}}, "inner.more", "unknown"),
        ({"name": "abc", "any": []}, "any", "invalid"),
        ({"name": "abc", "other": 1}, "other", "unknown"),
    ],
)
def test_what_does_not(value, path, why):
    """Each fault is told once, by its dotted path and its kind, in words."""
    found = problems(value, SCHEMA)

    assert [(one.path, one.why) for one in found] == [(path, why)]
    assert found[0].message


def test_all_faults_are_told():
    """One fault does not hide another."""
    found = problems({"kind": "c", "inner": {"more": 1}, "x": 1}, SCHEMA)

    assert [one.path for one in found] == ["name", "kind", "inner.deep", "inner.more", "x"]
