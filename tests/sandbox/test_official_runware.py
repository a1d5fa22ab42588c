"""The vendor's own Python client: its requests against the stand-in, and ours against the types that it ships."""

from __future__ import annotations

import asyncio
import base64
from typing import Literal, get_args, get_origin

import pytest
import runware
from runware.types import task_map

from flux_cli import providers
from flux_cli.providers.image_input import ImageInput
from flux_cli.providers.options import Choice, Range
from flux_cli.providers.sizes import Pixels, Ratios
from tests.loopback import LoopbackServer
from tests.sandbox.talk import PICTURES, order

FOX = f"data:image/png;base64,{base64.b64encode((PICTURES / 'fox.png').read_bytes()).decode()}"
RUNWARE = providers.load("runware")


@pytest.fixture
def server(tmp_path):
    with LoopbackServer(tmp_path / "host") as server:
        yield server


def run(server, task, **options):
    """Run one task with the client, over HTTP, and return its results."""

    async def ask():
        client = runware.Runware(
            api_key="made-up", transport="rest", http_base_url=server.base_url("runware"), max_retries=0, **options
        )
        try:
            return await client.run(task)
        finally:
            await client.close()

    return asyncio.run(ask())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("bfl:5@1", {"width": 1024, "height": 768, "seed": 7}),
        ("bfl:5@1", {"width": 1024, "height": 1024, "inputs": {"referenceImages": [FOX, FOX]}}),
        ("bfl:3@1", {"width": 1392, "height": 752, "inputs": {"referenceImages": [FOX]}}),
        ("bfl:flux@3-image", {"width": 1360, "height": 768}),
        ("bfl:flux@3-image", {"resolution": "2K", "inputs": {"referenceImages": [FOX]}}),
        ("runware:400@2", {"width": 1024, "height": 1024, "steps": 4, "negativePrompt": "blur"}),
        ("runware:101@1", {"width": 1024, "height": 1024, "inputs": {"seedImage": FOX}, "strength": 0.5}),
    ],
)
@pytest.mark.parametrize("delivery", ["async", "sync"])
def test_a_task_of_the_client_is_carried_out(server, model, fields, delivery):
    task = {
        "taskType": "imageInference",
        "model": model,
        "positivePrompt": "a fox",
        "deliveryMethod": delivery,
        **fields,
    }

    (result,) = run(server, {**task, "includeCost": True})

    assert result["imageURL"].startswith(f"{server.root}/files/runware/")
    assert ("seed" in result) is (model != "bfl:flux@3-image")
    assert result["cost"] > 0
    assert (server.paid["runware"], server.accepted("runware")) == (1, 1)


@pytest.mark.slow
def test_the_client_understands_a_refusal(server):
    task = {
        "taskType": "imageInference",
        "model": "bfl:flux@3-image",
        "positivePrompt": "a fox",
        "width": 1000,
        "height": 999,
    }

    with pytest.raises(Exception, match="width and height must be one of"):
        run(server, task)


def list_types():
    """Return the parameters of each curated model by its AIR, as the client types them."""
    found = {}
    for value in vars(task_map).values():
        model = getattr(value, "__annotations__", {}).get("model")
        name = getattr(model, "__forward_arg__", model)
        if isinstance(name, str) and name.startswith("Literal["):
            found[name.removeprefix("Literal[").strip("'\"]")] = value
        elif get_origin(model) is Literal:
            found[get_args(model)[0]] = value
    return found


TYPES = list_types()
MODELS = [one for model in RUNWARE.models.values() for one in (model, *model.variants) if one.slug in TYPES]


def test_the_client_types_every_model_but_the_newest():
    ours = {one.slug for model in RUNWARE.models.values() for one in (model, *model.variants)}

    assert ours - set(TYPES) == {"bfl:flux@3-image-klein"}


def values(option):
    match option:
        case ImageInput():
            return [str(PICTURES / "fox.png")]
        case Choice():
            return [next(iter(option.values))]
        case Ratios():
            return ["1:1", "16:9"]
        case Range():
            return [option.high]
        case Pixels():
            width, height = option.nearest((1024, 1024))
            return [f"{width}x{height}"]
        case _:
            return []


@pytest.mark.parametrize("model", MODELS, ids=[f"{number}-{model.slug}" for number, model in enumerate(MODELS)])
def test_every_request_of_ours_has_the_fields_that_the_client_types(subtests, model):
    typed = TYPES[model.slug]
    cells = [(name, value) for name, option in model.options.items() for value in values(option)]
    for name, value in cells:
        with subtests.test(option=name, value=value):
            options = {} if name == "seed" else {name: value}
            options |= {"image": str(PICTURES / "fox.png")} if name in {"strength", "mask"} or has_image(model) else {}

            (task,) = next(RUNWARE.submit(order("runware", model.name, **options))).json

            assert set(task) <= set(typed.__annotations__)
            assert {field for field in typed.__required_keys__ if field != "taskUUID"} <= set(task)
    assert cells


def has_image(model):
    return model.image_input is not None and bool(model.image_input.least)
