"""Whatever flux may send, by its own description of the models, the documented schemas take."""

from __future__ import annotations

from pathlib import Path

import pytest

from flux_cli import providers
from flux_cli.errors import (
    UsageError,
)
from flux_cli.providers.conversation import drive
from flux_cli.providers.options import Choice, Range
from flux_cli.providers.sizes import Pixels, Ratios
from flux_cli.sandbox.world import World
from tests.sandbox.talk import EVERY, SMALL, Line, order

FOX, MASK = (str(Path(__file__).parents[1] / "pictures" / name) for name in ("fox.png", "mask.png"))

OTHERS = {
    "raw": [True, False],
    "upsample_prompt": [True],
    "check_content": [True],
    "webhook": ["https://example.com/hook"],
    "image": ["https://example.com/fox.png", FOX],
    "mask": [MASK],
    "negative": ["blur"],
    "metadata": [{"a": "b"}],
}


def values(option, described):
    """Return every value of a choice, the ends of a range, the sizes of a table, the corners of a grid."""
    match described:
        case Choice():
            return list(described.values)
        case Ratios():
            return list(described.sizes)
        case Range():
            return [end for end in (described.low, described.high) if end is not None]
        case Pixels(table=()):
            high = min(described.high, (described.most or described.high**2) // described.low)
            return [f"{described.low}x{high}", f"{high}x{described.low}"]
        case Pixels():
            return ["x".join(map(str, size)) for size in described.table]
        case _:
            return OTHERS[option]


@pytest.mark.parametrize(("name", "model"), EVERY)
def test_every_option(subtests, tmp_path, clock, name, model):
    """Whatever our description of a model allows, the documented schema takes."""
    provider = providers.load(name)
    cells = [(option, value) for option, one in provider.models[model].options.items() for value in values(option, one)]
    for number, (option, value) in enumerate(cells):
        with subtests.test(option=option, value=value):
            world = World(tmp_path / str(number), clock, 10.0, providers=providers.NAMES)
            needs_image = option in {"strength", "mask"} or provider.models[model].options[option].needs_image(value)
            more = {"image": FOX} if needs_image else {}
            chosen = {"seed": value} if option == "seed" else {**more, option: value}

            drive(provider.submit(order(name, model, **chosen)), Line(world, provider))

            assert len(world.jobs(name)) == 1


LENIENT = {"bfl", "fal"}


@pytest.mark.parametrize(("name", "model"), SMALL)
def test_unknown_fields(line, world, name, model):
    """A field that the pages do not know is refused as a usage error, before anything is charged."""
    if name in LENIENT:
        pytest.skip(f"{name} documents that it passes over unknown fields")
    talk = line(name)

    with pytest.raises(UsageError) as caught:
        drive(talk.provider.submit(order(name, model, extra={"nonsense": 1})), talk)

    assert "nonsense" in caught.value.message
    assert world.jobs(name) == []
