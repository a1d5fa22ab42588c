"""The stand-in for Replicate: strict about inputs, and forgetful after an hour."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import pytest
from PIL import Image

PICTURES = Path(__file__).parents[1] / "pictures"


def as_uri(name):
    return f"data:image/png;base64,{base64.b64encode((PICTURES / name).read_bytes()).decode()}"


FOX, MASK = as_uri("fox.png"), as_uri("mask.png")
ROOT = "https://api.replicate.com/v1"


@pytest.fixture
def create(ask, told):
    def create(model, **fields):
        answer = ask(
            "POST",
            f"{ROOT}/models/black-forest-labs/{model}/predictions",
            json_body={"input": {"prompt": "a fox", **fields}},
        )
        return answer.status, told(answer)

    return create


@pytest.mark.parametrize(
    ("model", "fields", "said"),
    [
        ("flux-2-pro", {"nonsense": 1}, "input.nonsense is not a known field"),
        ("flux-2-pro", {"seed": "5"}, "input.seed"),
        ("flux-2-pro", {"safety_tolerance": 0}, "input.safety_tolerance"),
        ("flux-2-pro", {"resolution": "1MP"}, "input.resolution"),
        ("flux-2-pro", {"input_images": [FOX] * 9}, "input.input_images"),
        ("flux-2-pro", {"width": 4096}, "input.width"),
        ("flux-3-image", {"seed": 5}, "input.seed"),
        ("flux-dev", {"num_outputs": 5}, "input.num_outputs"),
        ("flux-kontext-pro", {"input_image": "nothing"}, "neither a link nor an image"),
        ("flux-fill-pro", {}, "input.image is required"),
    ],
)
def test_what_the_schema_refuses_is_refused(create, model, fields, said):
    status, body = create(model, **fields)

    assert (status, body["title"]) == (422, "Input validation failed")
    assert said in body["detail"]


def test_the_body_of_a_prediction_takes_no_other_field(ask, told):
    body = {"input": {"prompt": "x"}, "v": 1}
    answer = ask("POST", f"{ROOT}/models/black-forest-labs/flux-dev/predictions", json_body=body)

    assert answer.status == 422
    assert "v is not a known field" in told(answer)["detail"]


@pytest.mark.parametrize(
    ("model", "fields", "size", "count"),
    [
        ("flux-1.1-pro", {"aspect_ratio": "custom", "width": 1000, "height": 500}, (992, 512), 1),
        ("flux-2-pro", {"aspect_ratio": "1:1", "resolution": "4 MP"}, (2048, 2048), 1),
        ("flux-2-pro", {"input_images": [FOX]}, (1024, 1024), 1),
        ("flux-3-image", {"images": [FOX], "resolution": "768sq"}, (768, 768), 1),
        ("flux-dev", {"num_outputs": 2, "output_format": "png"}, (1024, 1024), 2),
        ("flux-fill-pro", {"image": FOX, "mask": MASK}, (512, 512), 1),
    ],
)
def test_sizes_and_numbers(create, ask, told, clock, model, fields, size, count):
    _, created = create(model, **fields)
    clock.forward(20)
    done = told(ask("GET", created["urls"]["get"]))

    links = done["output"] if isinstance(done["output"], list) else [done["output"]]
    assert (done["status"], len(links)) == ("succeeded", count)
    assert Image.open(io.BytesIO(ask("GET", links[-1]).body)).size == size


def test_a_prediction_is_deleted_after_an_hour(create, ask, told, clock):
    _, created = create("flux-2-pro")
    clock.forward(20)
    link = told(ask("GET", created["urls"]["get"]))["output"]
    clock.forward(3600)

    later = told(ask("GET", created["urls"]["get"]))

    assert (later["status"], later["output"], later["data_removed"], later["input"]) == ("succeeded", None, True, {})
    assert ask("GET", link).status == 404


def test_a_cancel_stops_what_is_not_finished(create, ask, told, clock):
    _, first = create("flux-2-pro")
    _, second = create("flux-2-pro")
    cancelled = told(ask("POST", first["urls"]["cancel"]))
    clock.forward(20)

    assert (cancelled["status"], cancelled["started_at"]) == ("canceled", None)
    assert told(ask("POST", second["urls"]["cancel"]))["status"] == "succeeded"


def test_the_list_is_cut_by_time_and_by_page(create, ask, told, clock):
    for number in range(3):
        create("flux-2-pro", seed=number)
    clock.forward(100)
    create("flux-2-pro", seed=99)
    start = told(ask("GET", f"{ROOT}/predictions"))["results"][0]["created_at"]

    late = told(ask("GET", f"{ROOT}/predictions?created_after={start.replace('+', '%2B')}"))

    assert [one["input"]["seed"] for one in late["results"]] == [99]
    assert ask("GET", f"{ROOT}/predictions?created_after=yesterday").status == 400


def test_a_file_is_kept_and_used_as_an_input(ask, told, create):
    body = b'--b\r\nContent-Disposition: form-data; name="content"; filename="a.png"\r\n\r\n'
    body += (PICTURES / "fox.png").read_bytes() + b"\r\n--b--\r\n"

    answer = ask("POST", f"{ROOT}/files", body=body, headers={"content-type": "multipart/form-data; boundary=b"})
    link = told(answer)["urls"]["get"]
    status, _ = create("flux-kontext-pro", input_image=link)

    assert (answer.status, status, ask("GET", link).status, ask("DELETE", link).status) == (201, 201, 200, 204)


def test_images_are_not_stored_in_the_record(world, create):
    create("flux-2-pro", input_images=[FOX])

    (job,) = world.jobs("replicate")
    assert len(json.dumps(job.asked)) < 1000
    assert len(job.inputs) == 1
