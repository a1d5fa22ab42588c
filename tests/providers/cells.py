"""What the tables of tests are made of: values for every option of every model, and how a local image is sent."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from jsonschema.validators import validator_for

from flux_cli.providers.image_input import ImageInput
from flux_cli.providers.options import Choice, Range, Switch, Words
from flux_cli.providers.sizes import Pixels, Ratios

PICTURE, MASK = "https://example.com/a.png", "https://example.com/m.png"
ANY = {
    "aspect_ratio": "1:1",
    "size": "1024x1024",
    "resolution": "1k",
    "image": PICTURE,
    "image_strength": 0.5,
    "mask": MASK,
    "strength": 0.5,
    "raw": True,
    "steps": 20,
    "guidance": 3,
    "negative": "cats",
    "upsample_prompt": True,
    "safety_tolerance": 2,
    "check_content": True,
    "webhook": "https://you.example/h",
    "metadata": {"shelf": "3"},
}
"""An ordinary value of each option, for models that lack it."""


class Validators(dict):
    """A validator for each of a vendor's schemas; the schema itself is checked once, when it is first wanted."""

    def __init__(self, schemas):
        super().__init__()
        self.schemas = schemas

    def __missing__(self, name):
        schema = self.schemas[name]
        kind = validator_for(schema)
        kind.check_schema(schema)
        return self.setdefault(name, kind(schema))


def list_models(provider):
    """Return every model of a provider, and after it the variants that are chosen by the number of images."""
    return [one for model in provider.models.values() for one in (model, *model.variants)]


def list_cells(provider):
    """Return every option of every model, with each value at the ends of what it takes."""
    return [
        (model, name, value)
        for model in list_models(provider)
        for name, option in model.options.items()
        for value in list_ends(option)
    ]


def group_rows(rows):
    """Return rows as parameters of a test: each value of the first column, and the rest of each of its rows.

    The test takes these one by one, as subtests: to set up a test of its own would take longer than most rows.
    """
    found = {}
    for first, *rest in rows:
        name = getattr(first, "slug", first)
        found.setdefault(name, (first, []))[1].append(rest)
        assert found[name][0] == first
    return [pytest.param(first, rest, id=name) for name, (first, rest) in found.items()]


def list_ends(option):
    """Return values at the ends of what an option takes."""
    match option:
        case ImageInput():
            return [[PICTURE] * number for number in sorted({max(option.least, 1), option.most})]
        case Choice():
            return list(option.values)
        case Ratios():
            return list(option.sizes)
        case Range():
            return [option.low, option.high]
        case Switch():
            return [True, False]
        case Pixels():
            return list(dict.fromkeys([f"{option.low}x{option.low}", f"{option.low}x{option.high}", "1024x1024"]))
        case Words():
            return ["blur"]
        case _:
            return ["https://example.com/hook"]


def list_needed(model):
    """Return the options without which a model cannot do."""
    fewest = model.image_input.least if model.image_input else 0
    required = {name: MASK for name, option in model.options.items() if option.required}
    return {**({"image": [PICTURE] * fewest} if fewest else {}), **required}


def send_as(field, *values):
    """Return each value with the field in which it is sent as it is."""
    return [(value, {field: value}) for value in values]


def encode_file(path):
    """Return a file as base64."""
    return base64.b64encode(Path(path).read_bytes()).decode()


def write_uri(path):
    """Return a PNG as a data URI."""
    return f"data:image/png;base64,{encode_file(path)}"
