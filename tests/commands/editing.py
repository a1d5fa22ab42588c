"""A host with models of every kind of input, for tests of commands: Runware's conversation with a made-up table."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from flux_cli.providers import runware
from flux_cli.providers.base import Model, Price
from flux_cli.providers.image_input import ImageInput
from flux_cli.providers.options import Link, Range
from flux_cli.providers.sizes import Pixels
from flux_cli.sandbox.wire import Answer, Call, reply

FOX = (Path(__file__).parents[1] / "pictures" / "fox.png").read_bytes()
MASK = (Path(__file__).parents[1] / "pictures" / "mask.png").read_bytes()

DIGEST = hashlib.sha256(FOX).hexdigest()
EDIT, FILL = ("-p", "runware", "-m", "flux-2-pro"), ("-p", "runware", "-m", "flux-fill-pro")
"""The words that choose a model."""

_SEED = Range(field="seed", low=0, high=2**31 - 1)
_IMAGES = ImageInput(field="images", most=3, as_array=True, travels="data-uri", max_bytes=2**20)
_RULE = Price(amount=0.03, further=0.015, inputs=0.015, source="a page", date="2026-11-01")

_EDIT = Model(
    name="flux-2-pro",
    slug="up:text@1",
    options={"seed": _SEED, "size": Pixels(low=64, high=4096)},
    largest=4 * 2**20,
    price=_RULE,
    variants=(
        Model(
            name="flux-2-pro",
            slug="up:edit@1",
            options={"seed": _SEED, "image": _IMAGES},
            largest=4 * 2**20,
            price=_RULE,
        ),
    ),
)
"""Text under one id, one to three images under another."""
_FILL = Model(
    name="flux-fill-pro",
    slug="up:fill@1",
    options={
        "seed": _SEED,
        "image": replace(_IMAGES, field="seedImage", least=1, most=1, as_array=False),
        "mask": replace(_IMAGES, field="maskImage", most=1, as_array=False, travels="base64"),
        "strength": Range(field="strength", low=0, high=1, fractions=True),
    },
)
"""One image and a mask."""
_SEEDLESS = Model(name="flux-3-image", slug="up:three@1", options={})
_PLAIN = runware.PROVIDER.models["flux-1.1-pro-ultra"]
HOST = replace(
    runware.PROVIDER,
    models={model.name: model for model in (_EDIT, _FILL, _SEEDLESS, _PLAIN)},
    other_model=Model(
        name="",
        slug="",
        prompt_field="positivePrompt",
        options={"webhook": Link(field="webhookURL")},
        max_images=20,
        count_field="numberResults",
    ),
    model_pattern=r"[\w-]+:[\w-]+@[\w.-]+",
)


class Studio:
    """A script for `LoopbackServer`: takes every task, and makes each image at once."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.tasks: list[dict[str, Any]] = []
        """The submits, in order."""
        self.image = FOX
        """The bytes of every image."""
        self.more: dict[str, Any] = {}
        """Further fields of every answer."""

    def __call__(self, call: Call) -> Answer | None:
        if call.method == "GET":
            return Answer(status=200, headers={"content-type": "image/png"}, body=self.image)
        (task,) = json.loads(call.body)
        found = {"taskType": task["taskType"], "taskUUID": task["taskUUID"]}
        if task["taskType"] == "imageInference":
            self.tasks.append(task)
            return reply(200, {"data": [found]})
        count = next(one.get("numberResults", 1) for one in self.tasks if one["taskUUID"] == task["taskUUID"])
        made = [{**found, "imageUUID": f"i{n}", "imageURL": f"{self.root}/files/runware/{n}"} for n in range(count)]
        return reply(200, {"data": [{**one, **self.more, "status": "success", "cost": 0.05} for one in made]})


def prepare(monkeypatch) -> None:
    """Put two images and a mask into the current folder, and the made-up table into the provider."""
    monkeypatch.setattr(runware, "PROVIDER", HOST)
    Path("fox.png").write_bytes(FOX)
    Path("mask.png").write_bytes(MASK)
    Image.new("RGB", (64, 32), "navy").save("navy.png")


def data_uri(content: bytes) -> str:
    """Return an image as it stands in a body."""
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def stdin(content: bytes) -> str:
    """Return bytes as the fixture ``flux`` takes them for stdin."""
    return content.decode("utf-8", "surrogateescape")
