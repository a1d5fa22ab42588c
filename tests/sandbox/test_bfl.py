"""The stand-in for Black Forest Labs: strict where the schema is, and billed as the page says."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import pytest
from PIL import Image

PICTURES = Path(__file__).parents[1] / "pictures"
FOX = base64.b64encode((PICTURES / "fox.png").read_bytes()).decode()
MASK = base64.b64encode((PICTURES / "mask.png").read_bytes()).decode()


@pytest.fixture
def post(ask, told):
    def post(model, **fields):
        answer = ask("POST", f"https://api.bfl.ai/v1/{model}", json_body={"prompt": "a fox", **fields})
        return answer.status, told(answer)

    return post


@pytest.fixture
def finish(ask, told, clock):
    """Return the result of a job, once it is done."""

    def finish(accepted):
        clock.forward(20)
        return told(ask("GET", accepted["polling_url"]))

    return finish


@pytest.mark.parametrize(
    ("model", "fields", "place"),
    [
        ("flux-pro-1.1", {"width": 1000, "height": 768}, "body"),
        ("flux-pro-1.1", {"width": 1472}, "body.width"),
        ("flux-pro-1.1-ultra", {"safety_tolerance": 7}, "body.safety_tolerance"),
        ("flux-2-pro", {"width": 48, "height": 64}, "body.width"),
        ("flux-2-pro", {"width": 4096, "height": 4096}, "body"),
        ("flux-2-pro", {"safety_tolerance": 6}, "body.safety_tolerance"),
        ("flux-2-flex", {"steps": 51}, "body.steps"),
        ("flux-2-flex", {"guidance": 1.4}, "body.guidance"),
        ("flux-3-image", {"seed": 5}, "body.seed"),
        ("flux-3-image", {"prompt": ""}, "body.prompt"),
        ("flux-3-image", {"images": []}, "body.images"),
        ("flux-3-image", {"resolution": "8k"}, "body.resolution"),
        ("flux-kontext-pro", {"input_image": "no base64!"}, "body"),
        ("flux-kontext-pro", {"output_format": "gif"}, "body.output_format"),
        ("flux-pro-1.0-fill", {}, "body.image"),
    ],
)
def test_what_the_schema_refuses_is_refused(post, model, fields, place):
    status, body = post(model, **fields)

    assert status == 422
    assert place in {".".join(map(str, one["loc"])) for one in body["detail"]}


@pytest.mark.parametrize("model", ["flux-2-pro", "flux-pro-1.1", "flux-kontext-pro"])
def test_unknown_fields_are_passed_over_except_by_flux_3(post, model):
    assert post(model, nonsense=1)[0] == 200
    assert post("flux-3-image", nonsense=1)[0] == 422


def test_an_unknown_route_and_a_missing_key(ask, post):
    assert post("flux-9")[0] == 404
    assert ask("GET", "https://api.bfl.ai/v1/credits", headers={"x-key": ""}).status == 403
    assert ask("PUT", "https://api.bfl.ai/v1/credits").status == 405


@pytest.mark.parametrize(
    ("model", "fields", "size", "credits_"),
    [
        ("flux-pro-1.1", {}, (1184, 896), 4),
        ("flux-pro-1.1-ultra", {"aspect_ratio": "1:1"}, (2048, 2048), 6),
        ("flux-2-pro", {"width": 1920, "height": 1088}, (1920, 1088), 4.5),
        ("flux-2-pro", {"input_image": FOX, "input_image_2": FOX}, (1024, 1024), 6),
        ("flux-2-flex", {"width": 512, "height": 512}, (512, 512), 5),
        ("flux-2-klein-9b", {"width": 2048, "height": 2048}, (2048, 2048), 2.1),
        ("flux-3-image", {"resolution": "768sq", "images": [FOX]}, (768, 768), 4.1),
        ("flux-pro-1.0-fill", {"image": FOX, "mask": MASK}, (512, 512), 5),
    ],
)
def test_sizes_and_costs(post, finish, ask, model, fields, size, credits_):
    status, accepted = post(model, **fields)
    body = finish(accepted)

    image = Image.open(io.BytesIO(ask("GET", body["result"]["sample"]).body))
    assert status == 200
    assert body["status"] == "Ready"
    assert image.size == size
    assert (accepted["cost"] or body["cost"]) == pytest.approx(credits_)
    assert ("seed" in body["result"]) is (model != "flux-3-image")


def test_an_edit_shows_the_input_image(post, finish, ask):
    plain, edit = (
        finish(post("flux-2-pro", seed=1, **more)[1])["result"]["sample"] for more in ({}, {"input_image": FOX})
    )

    fox = Image.open(PICTURES / "fox.png").convert("RGB").getpixel((256, 300))
    drawn = Image.open(io.BytesIO(ask("GET", edit).body)).convert("RGB").getpixel((512, 600))
    assert ask("GET", plain).body != ask("GET", edit).body
    assert sum(abs(one - other) for one, other in zip(fox, drawn, strict=True)) < 120


def test_a_mask_must_have_the_size_of_the_image(post):
    held = io.BytesIO()
    Image.new("L", (64, 64)).save(held, "PNG")

    status, body = post("flux-pro-1.0-fill", image=FOX, mask=base64.b64encode(held.getvalue()).decode())

    assert status == 422
    assert "same size" in body["detail"][0]["msg"]


def test_a_link_works_for_ten_minutes(post, finish, ask, clock):
    sample = finish(post("flux-2-pro")[1])["result"]["sample"]

    before = ask("GET", sample).status
    clock.forward(600)

    assert (before, ask("GET", sample).status) == (200, 403)


def test_a_webhook_takes_the_place_of_the_polling_address(post, ask, told):
    _, accepted = post("flux-2-pro", webhook_url="https://you.example/hook")

    assert "polling_url" not in accepted
    assert told(ask("GET", f"https://api.bfl.ai/v1/get_result?id={accepted['id']}"))["status"] == "Pending"


def test_images_are_not_stored_in_the_record(world, post):
    post("flux-2-pro", input_image=FOX)

    (job,) = world.jobs("bfl")
    assert len(json.dumps(job.asked)) < 1000
    assert len(job.inputs) == 1
