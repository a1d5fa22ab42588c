"""The models of the stand-in for Apiframe: what it refuses, how large its images are, and what they cost."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

ROOT = "https://api.apiframe.ai/v2"
PICTURES = Path(__file__).parents[1] / "pictures"
LINK = "https://you.example/fox.png"
FILL = {"image": LINK, "prompt": "a hat", "mode": "inpaint", "mask": LINK}
LORA = {"loraId": "b2c3d4e5-f6a7-8901-bcde-f23456789012"}


def picture(width, height):
    held = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(held, "PNG")
    return held.getvalue()


@pytest.fixture
def upload(ask, told):
    """Upload an image, and return its link."""

    def run(held):
        head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
        headers = {"content-type": "multipart/form-data; boundary=b"}
        return told(ask("POST", f"{ROOT}/uploads", body=head + held + b"\r\n--b--\r\n", headers=headers))["url"]

    return run


@pytest.fixture
def submit(ask):
    """Submit to the endpoint for the model, with these parameters."""

    def run(model, *, path="", **sent):
        edit = model == "flux-fill-pro"
        group = {"flux-fill-pro": "fluxFillParams", "flux-lora": "fluxLoraParams"}.get(model, "fluxParams")
        body = {"model": model, group: sent} | ({} if edit else {"prompt": "a hat"})
        return ask("POST", f"{ROOT}/images/{path or ('edit' if edit else 'generate')}", json_body=body)

    return run


@pytest.fixture
def drawn(ask, told, clock):
    """Return the images of an accepted job, and what it cost."""

    def run(answer):
        assert answer.status == 202, answer.body
        clock.forward(10)
        job = told(ask("GET", f"{ROOT}/jobs/{told(answer)['jobId']}"))
        result = job["result"]["images"] if isinstance(job["result"], dict) else job["result"]
        links = [result] if isinstance(result, str) else result
        return [Image.open(io.BytesIO(ask("GET", link).body)) for link in links], job["creditCost"]

    return run


@pytest.mark.parametrize(
    ("model", "sent", "path"),
    [
        *[(model, {"input_images": [LINK] * 9}, "input_images") for model in ("flux-2-pro", "flux-2-max")],
        *[(model, {"input_images": [LINK] * 11}, "input_images") for model in ("flux-2-flex", "flux-2-dev")],
        ("flux-2-pro", {"input_images": LINK}, "input_images"),
        ("flux-2-pro", {"input_images": ["fox.png"]}, "input_images.0"),
        ("flux-2-pro", {"resolution": "1 MP"}, "resolution"),
        ("flux-2-pro", {"resolution": "1mp"}, "resolution"),
        ("flux-2-pro", {"steps": 20}, "steps"),
        ("flux-2-max", {"guidance": 3}, "guidance"),
        ("flux-2-pro", {"image_prompt": LINK}, "image_prompt"),
        ("flux-2-flex", {"guidance": 10.5}, "guidance"),
        ("flux-2-flex", {"width": 2049}, "width"),
        ("flux-2-dev", {"go_fast": "yes"}, "go_fast"),
        ("flux-1.1-pro", {"width": 2049}, "width"),
        ("flux-2-pro", {"input_images": ["https://cdn2.apiframe.ai/uploads/none.png"]}, "input_images.0"),
        ("flux-fill-pro", {**FILL, "mode": "fill"}, "mode"),
        ("flux-fill-pro", {**FILL, "guidance": 1.5}, "guidance"),
        ("flux-fill-pro", {**FILL, "safety_tolerance": 0}, "safety_tolerance"),
        ("flux-fill-pro", {**FILL, "output_format": "webp"}, "output_format"),
        ("flux-fill-pro", {**FILL, "width": 512}, "width"),
        ("flux-fill-pro", {name: FILL[name] for name in ("image", "prompt", "mode")}, "mask"),
        ("flux-fill-pro", {**FILL, "mode": "outpaint"}, "outpaint"),
        ("flux-lora", {}, "loraId"),
        ("flux-lora", {**LORA, "num_outputs": 5}, "num_outputs"),
    ],
)
def test_what_the_schema_or_the_page_does_not_allow_is_refused_by_its_path(submit, told, world, model, sent, path):
    answer = submit(model, **sent)

    group = {"flux-fill-pro": "fluxFillParams", "flux-lora": "fluxLoraParams"}.get(model, "fluxParams")
    assert answer.status == 400
    assert [*told(answer)["details"]] == [f"{group}.{path}"]
    assert world.jobs("apiframe") == []


@pytest.mark.parametrize(
    ("model", "path"), [("flux-fill-pro", "generate"), ("flux-2-pro", "edit"), ("flux-3-image", "generate")]
)
def test_a_model_that_an_endpoint_does_not_have_is_refused(submit, told, model, path):
    answer = submit(model, path=path)

    assert answer.status == 400
    assert "model" in told(answer)["details"]


@pytest.mark.parametrize(
    ("model", "sent", "size"),
    [
        ("flux-2-pro", {}, (1024, 1024)),
        ("flux-2-pro", {"resolution": "4MP"}, (2048, 2048)),
        ("flux-2-max", {"aspect_ratio": "16:9", "resolution": "2MP"}, (1936, 1088)),
        ("flux-2-flex", {"width": 512, "height": 768}, (512, 768)),
        ("flux-2-dev", {"aspect_ratio": "2:3"}, (832, 1248)),
        ("flux-fill-pro", FILL, (1024, 1024)),
        ("flux-fill-pro", {**FILL, "mode": "outpaint", "outpaint": "Zoom out 1.5x"}, (1536, 1536)),
    ],
)
def test_an_image_has_the_size_that_was_asked_for(submit, drawn, model, sent, size):
    (image,), _ = drawn(submit(model, **sent))

    assert image.size == size


@pytest.mark.parametrize(
    ("sent", "size"),
    [
        ({}, (1456, 736)),
        ({"resolution": "match_input_image"}, (400, 192)),
        ({"aspect_ratio": "1:1"}, (1024, 1024)),
        ({"resolution": "0.5MP"}, (1024, 512)),
    ],
)
def test_an_edit_has_the_shape_of_its_first_image(submit, upload, drawn, sent, size):
    (image,), _ = drawn(submit("flux-2-pro", input_images=[upload(picture(400, 200)), LINK], **sent))

    assert image.size == size


def test_an_edit_shows_its_first_image(submit, upload, drawn):
    """It is mostly red, as the image is; without an image, it is not."""
    (edit,), _ = drawn(submit("flux-2-dev", input_images=[upload(picture(256, 256))], seed=0))
    (plain,), _ = drawn(submit("flux-2-dev", seed=0))

    red, green, _blue = edit.convert("RGB").getpixel((20, 20))
    assert red > 2 * green
    assert plain.convert("RGB").getpixel((20, 20)) != edit.convert("RGB").getpixel((20, 20))


def test_a_fill_has_the_size_of_its_image_and_the_mask_must_have_it_too(submit, upload, told, drawn):
    fox = upload((PICTURES / "fox.png").read_bytes())
    mask, small = upload((PICTURES / "mask.png").read_bytes()), upload(picture(256, 512))

    refused = submit("flux-fill-pro", **{**FILL, "image": fox, "mask": small})
    (image,), cost = drawn(submit("flux-fill-pro", **{**FILL, "image": fox, "mask": mask}, output_format="png"))

    assert refused.status == 400
    assert [*told(refused)["details"]] == ["fluxFillParams.mask"]
    assert (image.format, image.size, cost) == ("PNG", (512, 512), 10)


def test_a_trained_style_makes_several_images(submit, drawn):
    images, cost = drawn(submit("flux-lora", **LORA, num_outputs=3, seed=2))

    assert (len(images), cost) == (3, 18)


def test_a_job_costs_what_the_catalogue_tells(ask, told, submit, drawn):
    listed = {one["id"]: one for one in told(ask("GET", f"{ROOT}/models"))["models"]}
    least = {"flux-fill-pro": FILL, "flux-lora": LORA}

    paid = {model: drawn(submit(model, **least.get(model, {})))[1] for model in listed}

    assert (
        paid
        == {model: one["costMin"] for model, one in listed.items()}
        == {model: one["costMax"] for model, one in listed.items()}
    )
    assert all(one["label"] and one["pricingMode"] == "flat" for one in listed.values())
