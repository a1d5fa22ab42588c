"""The models of the stand-in for Runware: what it refuses, how large its images are, and what they cost."""

from __future__ import annotations

import base64
import io
from uuid import uuid4

import pytest
from PIL import Image

from tests.sandbox.talk import PICTURES

LINK = "https://you.example/fox.png"
SQUARE = {"width": 1024, "height": 1024}


def uri(width, height, color="red"):
    held = io.BytesIO()
    Image.new("RGB", (width, height), color).save(held, "PNG")
    return f"data:image/png;base64,{base64.b64encode(held.getvalue()).decode()}"


def held(name):
    return f"data:image/png;base64,{base64.b64encode((PICTURES / name).read_bytes()).decode()}"


def references(*images):
    return {"referenceImages": list(images)}


@pytest.fixture
def send(post):
    """Send a task for a model, and return the status, the answer and the task's UUID."""

    def run(model, **fields):
        task = {"taskType": "imageInference", "taskUUID": str(uuid4()), "model": model, "deliveryMethod": "async"}
        prompt = {"positivePrompt": "a hat"} if model not in {"bfl:flux@erase", "bfl:flux@outpainting"} else {}
        return *post({**task, **prompt, "includeCost": True, **fields}), task["taskUUID"]

    return run


@pytest.fixture
def made(send, post, ask, clock):
    """Return the image of an accepted task, and its result."""

    def run(model, **fields):
        status, answer, uuid = send(model, **fields)
        assert status == 200, answer
        clock.forward(20)
        (result,) = post({"taskType": "getResponse", "taskUUID": uuid})[1]["data"]
        return Image.open(io.BytesIO(ask("GET", result["imageURL"]).body)), result

    return run


THREE, KLEIN, DEV, SCHNELL, FILL = "bfl:flux@3-image", "runware:400@2", "runware:101@1", "runware:100@1", "bfl:1@2"
TAKING = ("bfl:3@1", "bfl:5@1", "bfl:6@1", "bfl:7@1", KLEIN, THREE)
REFERENCES, SMALL = "inputs.referenceImages", uri(256, 512)
BOX = {"id": "hat", "targetBox": [0, 0, 500, 500]}


@pytest.mark.parametrize(
    ("model", "fields", "code", "parameter"),
    [
        *[
            (model, SQUARE | {"inputs": references(*[LINK] * count)}, "invalidReferenceImages", REFERENCES)
            for model, count in zip(TAKING, (3, 9, 11, 9, 5, 11), strict=True)
        ],
        (THREE, {"inputs": references()}, "invalidReferenceImages", REFERENCES),
        (THREE, {"inputs": references(uri(127, 400))}, "invalidReferenceImages", REFERENCES),
        (KLEIN, SQUARE | {"inputs": references()}, "invalidReferenceImages", REFERENCES),
        (THREE, {"seed": 7}, "unsupportedParameter", "seed"),
        (THREE, {"providerSettings": {"bfl": {}}}, "unsupportedParameter", "providerSettings"),
        (THREE, {"safety": {"mode": "fast"}}, "unsupportedParameter", "safety.mode"),
        (THREE, {"settings": {"safetyTolerance": 5}}, "invalidSafetyTolerance", "settings.safetyTolerance"),
        (THREE, {"resolution": "1K"}, "incompatibleParameters", "resolution"),
        (THREE, {**SQUARE, "resolution": "1K", "inputs": references(LINK)}, "incompatibleParameters", "resolution"),
        (THREE, {"width": 1024}, "missingHeight", "height"),
        (THREE, {"width": 1024, "height": 768}, "invalidDimensions", "width"),
        (THREE, {"settings": {"boundingBoxes": [{}]}}, "missingId", "settings.boundingBoxes.0.id"),
        (THREE, {"settings": {"boundingBoxes": [{"id": "a"}]}}, "invalidBoundingBoxes", "settings.boundingBoxes"),
        (THREE, {"settings": {"boundingBoxes": [BOX, BOX]}}, "invalidBoundingBoxes", "settings.boundingBoxes"),
        (
            THREE,
            {"settings": {"boundingBoxes": [{**BOX, "referenceIndex": 0}]}},
            "invalidBoundingBoxes",
            "settings.boundingBoxes",
        ),
        (
            THREE,
            {"inputs": references(LINK), "settings": {"boundingBoxes": [{**BOX, "sourceBox": [0, 0, 9, 9]}]}},
            "invalidBoundingBoxes",
            "settings.boundingBoxes",
        ),
        ("bfl:5@1", {}, "missingWidth", "width"),
        ("bfl:5@1", {**SQUARE, "steps": 20}, "unsupportedParameter", "steps"),
        ("bfl:5@1", {"width": 240, "height": 256}, "invalidWidth", "width"),
        ("bfl:7@1", {"width": 1024}, "missingHeight", "height"),
        ("bfl:3@1", SQUARE | {"width": 1344}, "invalidDimensions", "width"),
        ("bfl:2@2", {"width": 2048, "height": 2048, "inputs": references(LINK)}, "unsupportedParameter", "inputs"),
        (KLEIN, SQUARE | {"steps": 51}, "invalidSteps", "steps"),
        (KLEIN, SQUARE | {"CFGScale": 0.5}, "invalidCFGScale", "CFGScale"),
        (KLEIN, SQUARE | {"negativePrompt": ""}, "invalidNegativePrompt", "negativePrompt"),
        (KLEIN, SQUARE | {"acceleration": "most"}, "invalidAcceleration", "acceleration"),
        (KLEIN, SQUARE | {"acceleration": "low", "acceleratorOptions": {}}, "incompatibleParameters", "acceleration"),
        (DEV, {"width": 1040, "height": 1024}, "invalidWidth", "width"),
        (DEV, SQUARE | {"strength": 1.5}, "invalidStrength", "strength"),
        (DEV, SQUARE | {"inputs": references(LINK)}, "unsupportedParameter", "inputs.referenceImages"),
        (SCHNELL, SQUARE | {"pulid": {}}, "unsupportedParameter", "pulid"),
        (FILL, {}, "missingInputs", "inputs"),
        (FILL, {"inputs": {"seedImage": LINK}}, "missingMaskImage", "inputs.maskImage"),
        (FILL, {"inputs": {"seedImage": LINK, "maskImage": LINK}, "width": 64}, "unsupportedParameter", "width"),
        (FILL, {"inputs": {"seedImage": held("fox.png"), "maskImage": SMALL}}, "invalidMaskImage", "inputs.maskImage"),
        ("bfl:5@1", SQUARE | {"inputs": references("fox.png")}, "invalidInputs", "inputs"),
        ("bfl:flux@erase", {"positivePrompt": "a hat"}, "unsupportedParameter", "positivePrompt"),
        ("bfl:9@9", SQUARE, "invalidModel", "model"),
    ],
)  # fmt: skip
def test_what_a_models_schema_does_not_allow_is_refused(send, world, model, fields, code, parameter):
    status, answer, _ = send(model, **fields)

    assert (status, answer["errors"][0]["code"], answer["errors"][0]["parameter"]) == (400, code, parameter)
    assert world.jobs("runware") == []


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (DEV, {**SQUARE, "pulid": {}, "controlNet": [], "ipAdapters": [], "trueCFGScale": 2, "lora": []}),
        (SCHNELL, {**SQUARE, "promptWeighting": "sdEmbeds", "ultralytics": {}}),
        (KLEIN, {**SQUARE, "acceleratorOptions": {}, "scheduler": "Euler"}),
        ("runware:106@1", {"trueCFGScale": 2.0}),
        (THREE, {"settings": {"boundingBoxes": [BOX]}}),
        (THREE, {"inputs": references(LINK), "settings": {"boundingBoxes": [{"id": "hat", "targetBox": None}]}}),
        ("bfl:flux@erase", {"inputs": {"image": LINK, "mask": LINK}}),
        ("bfl:flux@vto", {"inputs": references(LINK)}),
        ("bfl:1@3", {"inputs": {"seedImage": LINK}, "outpaint": {"left": 256}}),
    ],
)
def test_documented_fields_that_flux_has_no_option_for_are_accepted(send, model, fields):
    assert send(model, **fields)[0] == 200


@pytest.mark.parametrize(
    ("model", "fields", "size", "cost"),
    [
        (THREE, {}, (1024, 1024), 0.048),
        (THREE, {"width": 1168, "height": 496}, (1168, 496), 0.041),
        (THREE, {"inputs": references(uri(700, 300))}, (1568, 672), 0.048),
        (THREE, {"inputs": references(uri(300, 400)), "resolution": "0.75K"}, (672, 880), 0.041),
        (THREE, {"inputs": references(uri(600, 400), LINK), "resolution": "2K"}, (2512, 1664), 0.10),
        ("bfl:5@1", SQUARE, (1024, 1024), 0.03),
        ("bfl:5@1", {"width": 2048, "height": 1024}, (2048, 1024), 0.045),
        ("bfl:5@1", SQUARE | {"inputs": references(uri(64, 64), uri(64, 64))}, (1024, 1024), 0.06),
        ("bfl:7@1", SQUARE | {"inputs": references(uri(1024, 1024))}, (1024, 1024), 0.10),
        ("bfl:7@1", {"inputs": references(uri(400, 200))}, (1456, 736), 0.13),
        ("bfl:6@1", {"width": 512, "height": 512}, (512, 512), 0.06),
        ("bfl:4@1", {"width": 1392, "height": 752, "inputs": references(LINK)}, (1392, 752), 0.08),
        (KLEIN, SQUARE, (1024, 1024), 0.00078),
        ("runware:400@3", SQUARE, (1024, 1024), 0.00416),
        (DEV, {"width": 512, "height": 512}, (512, 512), 0.0019),
        (DEV, SQUARE, (1024, 1024), 0.0038),
        (FILL, {"inputs": {"seedImage": held("fox.png"), "maskImage": held("mask.png")}}, (512, 512), 0.05),
    ],
)
def test_an_image_has_the_size_and_the_price_that_was_asked_for(made, model, fields, size, cost):
    image, result = made(model, **fields)

    assert image.size == size
    assert result["cost"] == pytest.approx(cost)


@pytest.mark.parametrize(("model", "fields"), [(THREE, {}), ("bfl:flux@3-image-klein", {})])
def test_a_model_without_a_seed_tells_none(made, model, fields):
    assert "seed" not in made(model, **fields)[1]


@pytest.mark.parametrize(("model", "seed"), [("bfl:5@1", 7), (KLEIN, 2**63 - 1)])
def test_a_model_with_a_seed_tells_it(made, model, seed):
    assert made(model, **SQUARE, seed=seed)[1]["seed"] == seed


@pytest.mark.parametrize(
    ("model", "inputs"),
    [
        ("bfl:5@1", references(uri(256, 256), uri(256, 256, "blue"))),
        (DEV, {"seedImage": uri(256, 256)}),
    ],
)
def test_an_edit_shows_its_first_image(made, model, inputs):
    """It is mostly red, as the first image is."""
    red, green, blue = made(model, **SQUARE, inputs=inputs)[0].convert("RGB").getpixel((20, 20))

    assert red > 2 * max(green, blue)
