"""The stand-in for fal: strict where the vendor's types are, and billed as its pages say."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import pytest
from PIL import Image

from flux_cli.providers import load
from flux_cli.providers.conversation import drive

PICTURES = Path(__file__).parents[1] / "pictures"
FOX, MASK = (
    f"data:image/png;base64,{base64.b64encode((PICTURES / name).read_bytes()).decode()}"
    for name in ("fox.png", "mask.png")
)
QUEUE, PLATFORM = "https://queue.fal.run", "https://api.fal.ai/v1/models"
PRO, FILL = "fal-ai/flux-2-pro", "fal-ai/flux-pro/v1/fill"


@pytest.fixture
def post(ask, told):
    def post(endpoint, **fields):
        answer = ask("POST", f"{QUEUE}/{endpoint}", json_body={"prompt": "a fox", **fields})
        return answer.status, told(answer)

    return post


@pytest.fixture
def finish(ask, told, clock):
    """Return the result of a request, once it is done, and its headers."""

    def finish(accepted):
        clock.forward(20)
        answer = ask("GET", accepted["response_url"])
        return told(answer), answer.headers

    return finish


@pytest.mark.parametrize(
    ("endpoint", "fields", "place"),
    [
        (PRO, {"prompt": 5}, ["body", "prompt"]),
        (PRO, {"safety_tolerance": 2}, ["body", "safety_tolerance"]),
        (PRO, {"safety_tolerance": "6"}, ["body", "safety_tolerance"]),
        (PRO, {"image_size": "auto"}, ["body", "image_size"]),
        (PRO, {"image_size": "huge"}, ["body", "image_size"]),
        (PRO, {"image_size": {"width": "1024"}}, ["body", "image_size", "width"]),
        (PRO, {"image_size": 5}, ["body", "image_size"]),
        (PRO, {"output_format": "webp"}, ["body", "output_format"]),
        (f"{PRO}/edit", {}, ["body", "image_urls"]),
        (f"{PRO}/edit", {"image_urls": []}, ["body", "image_urls"]),
        (f"{PRO}/edit", {"image_urls": ["no image"]}, ["body", "image_url"]),
        ("fal-ai/flux/dev", {"num_images": 5}, ["body", "num_images"]),
        ("fal-ai/flux-2/edit", {"image_urls": [FOX] * 5}, ["body", "image_urls"]),
        ("fal-ai/flux-pro/kontext", {"image_url": FOX, "aspect_ratio": "5:4"}, ["body", "aspect_ratio"]),
        ("blackforestlabs/flux-3/text-to-image", {"safety_tolerance": "2"}, ["body", "safety_tolerance"]),
        ("blackforestlabs/flux-3/text-to-image", {"resolution": "1.5k"}, ["body", "resolution"]),
        ("blackforestlabs/flux-3/text-to-image", {"aspect_ratio": "9:21"}, ["body", "aspect_ratio"]),
        (FILL, {"image_url": FOX}, ["body", "mask_url"]),
    ],
)
def test_what_the_types_refuse_is_refused(post, world, endpoint, fields, place):
    status, body = post(endpoint, **fields)

    assert (status, body["detail"][0]["loc"]) == (422, place)
    assert world.jobs("fal") == []


def test_a_mask_must_have_the_size_of_its_image(post, ask):
    small = io.BytesIO()
    Image.new("RGB", (64, 64)).save(small, "PNG")
    other = f"data:image/png;base64,{base64.b64encode(small.getvalue()).decode()}"

    assert post(FILL, image_url=FOX, mask_url=MASK)[0] == 200
    assert post(FILL, image_url=FOX, mask_url=other)[1]["detail"][0]["loc"] == ["body", "mask_url"]
    broken = ask("POST", f"{QUEUE}/{PRO}", body=b"{", headers={"content-type": "application/json"})
    assert broken.status == 422


@pytest.mark.parametrize(
    ("endpoint", "fields", "size", "cost"),
    [
        (PRO, {}, (1024, 768), 0.03),
        (PRO, {"image_size": "landscape_16_9"}, (1024, 576), 0.03),
        (PRO, {"image_size": {"width": 2048, "height": 2048}}, (2048, 2048), 0.075),
        (f"{PRO}/edit", {"image_urls": [FOX], "image_size": "auto"}, (1024, 1024), 0.045),
        ("fal-ai/flux-pro/v1.1-ultra", {"aspect_ratio": "1:1"}, (2048, 2048), 0.06),
        ("fal-ai/flux-kontext/dev", {"image_url": FOX, "resolution_mode": "match_input"}, (1024, 1024), 0.025),
        ("fal-ai/flux/dev", {"num_images": 2}, (1024, 768), 0.05),
        ("blackforestlabs/flux-3/text-to-image", {"resolution": "768sq"}, (768, 768), 0.041),
        (FILL, {"image_url": FOX, "mask_url": MASK}, (512, 512), 0.05),
    ],
)
def test_sizes_and_prices(ask, told, post, finish, endpoint, fields, size, cost):
    """The cost is what the header bills, times the price of the platform."""
    _, accepted = post(endpoint, **fields)
    body, headers = finish(accepted)
    prices = told(ask("GET", f"{PLATFORM}/pricing?endpoint_id={endpoint}"))["prices"]

    link = body["images"][0]
    drawn = Image.open(io.BytesIO(ask("GET", link["url"], headers={"authorization": ""}).body))
    assert drawn.size == (link["width"], link["height"]) == size
    assert float(headers["x-fal-billable-units"]) * prices[0]["unit_price"] == pytest.approx(cost, abs=1e-6)


def test_the_life_of_a_request(ask, told, post, clock):
    _, accepted = post(PRO, seed=1)
    early = ask("GET", accepted["response_url"])
    queued = ask("GET", accepted["status_url"])
    clock.forward(5)
    running = ask("GET", accepted["status_url"])
    clock.forward(5)
    done = ask("GET", accepted["status_url"])

    assert accepted["response_url"] == f"{QUEUE}/fal-ai/flux-2-pro/requests/{accepted['request_id']}"
    assert early.status == 400
    assert [(one.status, told(one)["status"]) for one in (queued, running, done)] == [
        (202, "IN_QUEUE"),
        (202, "IN_PROGRESS"),
        (200, "COMPLETED"),
    ]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(("seconds", "after"), [(0, 499), (5, 200)])
def test_a_cancel(ask, told, post, finish, clock, seed, seconds, after):
    """A queued request leaves the queue, a running one goes on; what has ended is told so."""
    _, accepted = post(PRO, seed=seed)
    clock.forward(seconds)
    cancelled = ask("PUT", accepted["cancel_url"])
    clock.forward(20)
    late = ask("PUT", accepted["cancel_url"])

    assert (cancelled.status, told(cancelled)) in [
        (200, {"success": True}),
        (202, {"status": "CANCELLATION_REQUESTED"}),
    ]
    assert ask("GET", accepted["response_url"]).status == after
    assert (late.status, told(late)) == (400, {"status": "ALREADY_COMPLETED"})


def test_what_is_not_there(ask, told):
    missing = f"{QUEUE}/{PRO}/requests/0"

    assert told(ask("PUT", f"{missing}/cancel")) == {"status": "NOT_FOUND"}
    assert ask("GET", f"{missing}/status").status == 404
    assert ask("POST", f"{QUEUE}/fal-ai/flux-9", json_body={"prompt": "a"}).status == 404
    assert ask("DELETE", f"{QUEUE}/{PRO}").status == 405
    assert ask("GET", f"{QUEUE}/x").status == 404
    assert ask("GET", "https://v3b.fal.media/files/b/0/0.jpg", headers={"authorization": ""}).status == 404
    assert ask("GET", f"{PLATFORM}/pricing?endpoint_id={PRO}", headers={"authorization": ""}).status == 401


def test_a_request_is_known_by_its_own_app_only(ask, post):
    _, accepted = post(PRO)

    assert ask("GET", f"{QUEUE}/fal-ai/flux/requests/{accepted['request_id']}/status").status == 404


def test_the_list_has_what_has_started(ask, told, post, clock):
    names = []
    for seed in range(3):
        names.append(post(PRO, seed=seed)[1]["request_id"])
        clock.forward(1)
    clock.forward(4)
    post("fal-ai/flux/dev")
    post(PRO)

    def listed(query):
        return told(ask("GET", f"{PLATFORM}/requests/by-endpoint?endpoint_id={PRO}&{query}"))

    first = listed("limit=2&expand=payloads")
    second = listed(f"limit=2&cursor={first['next_cursor']}")
    assert [one["request_id"] for one in first["items"] + second["items"]] == names[::-1]
    assert first["items"][0]["json_input"] == {"prompt": "a fox", "seed": 2}
    assert "json_input" not in second["items"][0]
    assert (first["has_more"], second["has_more"], second["next_cursor"]) == (True, False, None)
    assert [one["request_id"] for one in listed(f"request_id={names[0]}")["items"]] == [names[0]]
    clock.forward(20)
    assert listed("limit=5")["items"][-1]["status_code"] == 200


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "start=x", "cursor=x"])
def test_a_list_with_wrong_parameters(ask, query):
    assert ask("GET", f"{PLATFORM}/requests/by-endpoint?endpoint_id={PRO}&{query}").status == 400
    assert ask("GET", f"{PLATFORM}/requests/by-endpoint").status == 400


@pytest.mark.parametrize(("ids", "status"), [("", 400), (",".join([PRO] * 51), 400), ("fal-ai/x", 404), (PRO, 200)])
def test_prices_are_asked_by_id(ask, ids, status):
    assert ask("GET", f"{PLATFORM}/pricing?endpoint_id={ids}").status == status


@pytest.mark.parametrize("model", list(load("fal").models))
def test_what_it_publishes_is_our_table(line, model):
    talk = line("fal")

    assert drive(talk.provider.compare(talk.provider.models[model]), talk) == ()


def test_an_endpoint_that_is_not_there_is_not_described(ask):
    assert ask("GET", f"{PLATFORM}?endpoint_id=fal-ai/x", headers={"authorization": ""}).status == 404


def test_an_upload_needs_its_token_and_no_key(ask, told, post):
    rest, cdn = "https://rest.fal.ai/storage/auth/token", "https://v3.fal.media/files/upload"
    token = told(ask("POST", f"{rest}?storage_type=fal-cdn-v3", json_body={}))
    content = (PICTURES / "fox.png").read_bytes()

    allowed = ask("POST", cdn, body=content, headers={"authorization": f"Bearer {token['token']}"})
    refused = [ask("POST", cdn, body=content, headers=one) for one in ({}, {"authorization": "Bearer x"})]
    _, accepted = post(f"{PRO}/edit", image_urls=[told(allowed)["access_url"]])

    assert [answer.status for answer in refused] == [401, 401]
    assert ask("POST", f"{rest}?storage_type=gcs", json_body={}).status == 422
    assert "request_id" in accepted


def test_an_edit_shows_its_image(ask, post, finish, world):
    _, accepted = post("fal-ai/flux-pro/kontext", image_url=FOX)
    finish(accepted)

    (job,) = world.jobs("fal")
    assert len(job.inputs) == 1
    assert job.asked["image_url"].startswith("sha256:")


@pytest.mark.parametrize("seed", range(3))
def test_a_block_has_several_forms(ask, post, clock, seed):
    _, accepted = post(PRO, prompt="sandbox:moderated", seed=seed)
    clock.forward(20)
    answer = ask("GET", accepted["response_url"])

    assert answer.status == 422
    assert "content_policy_violation" in json.dumps(json.loads(answer.body))
    assert json.loads(ask("GET", accepted["status_url"]).body)["error_type"] == "content_policy_violation"
