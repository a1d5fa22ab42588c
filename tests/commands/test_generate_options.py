"""The arguments of ``flux generate`` that hold names and values."""

from __future__ import annotations

import pytest

from flux_cli.commands.generate import options
from flux_cli.errors import UsageError


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("a=1", {"a": 1}),
        ("a=true", {"a": True}),
        ('a={"b": [null]}', {"a": {"b": [None]}}),
        ("a=1:1", {"a": "1:1"}),
        ("a=", {"a": ""}),
        ("a=b=c", {"a": "b=c"}),
        ("a=NaN", {"a": "NaN"}),
        ("a=Infinity", {"a": "Infinity"}),
        ("a=" + "[" * 100_000, {"a": "[" * 100_000}),
        ('a="1"', {"a": "1"}),
    ],
    ids=lambda value: value[:12] if isinstance(value, str) else "",
)
def test_a_param_is_json_or_text(value, found):
    """What JSON can say is taken as such, everything else as text."""
    assert options.parse_params([value]) == found


@pytest.mark.parametrize("values", [["a"], ["=1"], ["a=1", "a=2"]])
def test_pairs_that_are_none(values):
    """Each is an error that names the option and says what to do."""
    with pytest.raises(UsageError, match="--metadata") as error:
        options.parse_key_values(values, "--metadata")

    assert error.value.hint
