"""Apiframe's pages, as bodies: https://docs-v2.apiframe.ai and the OpenAPI file of the vendor's SDK."""

from __future__ import annotations

import pytest

from flux_cli.errors import (
    AuthError,
    ModeratedError,
    NotFoundError,
    PaymentError,
    ProtocolError,
    RefusedError,
    UnavailableError,
    UsageError,
)
from flux_cli.jobs import Cancelled, Cost, Image, Queued, RemoteJob, Running, Succeeded
from flux_cli.providers.apiframe import PROVIDER
from flux_cli.providers.base import Accepted, Account
from flux_cli.providers.conversation import Request, Upload

ID = "b2c3d4e5-f6a7-8901-bcde-f23456789012"
HANDLE = "17a2b204-94c7-4ae5-8c2d-369f6ed0eab6"
REMOTE = RemoteJob(id=ID)
ACCEPTED = {"jobId": ID, "status": "QUEUED"}
ONE, TWO = "https://cdn2.apiframe.ai/a.jpg", "https://cdn2.apiframe.ai/b.jpg"
UNKNOWN_FIELD = {"error": "Validation failed", "details": {"": ["Unrecognized key(s) in object: 'webhookUrl'"]}}


def job(status, **more):
    return {"id": ID, "status": status, "model": "flux-1.1-pro-ultra", "progress": None, "error": None, **more}


@pytest.mark.parametrize(("alias", "model"), [("ultra", "flux-1.1-pro-ultra"), ("pro", "flux-1.1-pro")])
def test_a_submit_nests_the_parameters_and_can_be_repeated(talk, order, reply, alias, model):
    wanted = order("apiframe", alias, aspect_ratio="4:3", webhook="https://you.example/h")

    said = talk(PROVIDER, PROVIDER.submit(wanted), reply(ACCEPTED, 202))

    body = {
        "model": model,
        "prompt": "a fox",
        "fluxParams": {"seed": 7, "aspect_ratio": "4:3"},
        "webhookUrl": "https://you.example/h",
    }
    headers = {"Idempotency-Key": HANDLE}
    assert said.requests == [
        Request("POST", "/v2/images/generate", json=body, headers=headers, paid=True, repeatable=True)
    ]
    assert said.result == Accepted(remote=REMOTE)


def test_a_local_image_is_uploaded_before_anything_is_paid_for(talk, order, reply):
    wanted = order("apiframe", image="/home/me/fox.png", image_strength=0.4)
    uploaded = {"id": "u", "url": "https://api.apiframe.ai/u/fox.png", "kind": "image", "byteSize": 10}

    said = talk(PROVIDER, PROVIDER.submit(wanted), reply(uploaded, 201), reply(ACCEPTED, 202))

    first, second = said.requests
    assert (first.method, first.path, first.upload) == (
        "POST",
        "/v2/uploads",
        Upload(field="file", path="/home/me/fox.png", file=wanted.files["/home/me/fox.png"]),
    )
    assert first.idempotent
    assert not first.paid
    assert second.json["fluxParams"] == {
        "seed": 7,
        "image_prompt": "https://api.apiframe.ai/u/fox.png",
        "image_prompt_strength": 0.4,
    }


def test_a_rehearsal_of_the_upload_leads_to_a_body_that_can_be_shown(talk, order):
    upload = next(PROVIDER.submit(order("apiframe", image="fox.png")))

    said = talk(PROVIDER, PROVIDER.submit(order("apiframe", image="fox.png")), upload.dry_run_answer, ACCEPTED)

    assert said.requests[1].json["fluxParams"]["image_prompt"].startswith("https://")


def test_an_image_with_an_address_is_not_uploaded(talk, order):
    said = talk(PROVIDER, PROVIDER.submit(order("apiframe", image="https://you.example/fox.png")), ACCEPTED)

    assert said.bodies[0]["fluxParams"]["image_prompt"] == "https://you.example/fox.png"


def test_an_upload_that_fails_buys_nothing(talk, order, reply):
    said = talk(PROVIDER, PROVIDER.submit(order("apiframe", image="fox.png")), reply({"error": "Bad gateway"}, 502))

    assert isinstance(said.error, UnavailableError)
    assert not any(request.paid for request in said.requests)


def test_a_webhook_field_that_is_refused_is_tried_under_its_other_name_and_a_new_key(talk, order, reply):
    wanted = order("apiframe", webhook="https://you.example/h")

    said = talk(PROVIDER, PROVIDER.submit(wanted), reply(UNKNOWN_FIELD, 400), reply(ACCEPTED, 202))

    first, second = said.requests
    assert second.json == {
        "model": "flux-1.1-pro-ultra",
        "prompt": "a fox",
        "fluxParams": {"seed": 7},
        "webhook_url": "https://you.example/h",
    }
    assert first.headers != second.headers
    assert len(second.headers["Idempotency-Key"]) <= 255
    assert second.paid
    assert second.idempotent
    assert said.result == Accepted(remote=REMOTE)


def test_if_the_other_name_is_refused_too_the_first_refusal_is_told(talk, order, reply):
    wanted = order("apiframe", webhook="https://you.example/h")
    other = {"error": "Validation failed", "details": {"": ["Unrecognized key(s) in object: 'webhook_url'"]}}

    said = talk(PROVIDER, PROVIDER.submit(wanted), reply(UNKNOWN_FIELD, 400), reply(other, 400))

    assert isinstance(said.error, UsageError)
    assert "webhookUrl" in said.error.message
    assert len(said.requests) == 2


@pytest.mark.parametrize(
    ("webhook", "status", "body"),
    [
        ({}, 400, UNKNOWN_FIELD),
        (
            {"webhook": "https://you.example/h"},
            400,
            {"error": "Validation failed", "details": {"prompt": ["too long"]}},
        ),
        ({"webhook": "https://you.example/h"}, 422, UNKNOWN_FIELD),
        ({"webhook": "https://you.example/h"}, 402, {"error": "Insufficient credits for webhookUrl"}),
    ],
)
def test_nothing_else_is_tried_twice(talk, order, reply, webhook, status, body):
    said = talk(PROVIDER, PROVIDER.submit(order("apiframe", **webhook)), reply(body, status))

    assert said.error is not None
    assert len(said.requests) == 1


@pytest.mark.parametrize(
    ("body", "state"),
    [
        (job("QUEUED"), Queued()),
        (job("PROCESSING"), Running()),
        (job("PROCESSING", progress=40), Running(progress=40)),
        (job("PROCESSING", progress=140), Running(progress=100)),
        (job("PROCESSING", progress=-3), Running(progress=0)),
        (job("CANCELLED"), Cancelled()),
        (job("CANCELED"), Cancelled()),
        (job("CANCELLED", creditCost=0), Cancelled(cost=Cost(amount=0, currency="credits"))),
        (job("CANCELLED", creditCost=12), Cancelled(cost=Cost(amount=12, currency="credits"))),
        (job("PAUSED"), Running(detail="PAUSED")),
    ],
)
def test_every_status_that_is_not_an_end_with_words(talk, body, state):
    said = talk(PROVIDER, PROVIDER.poll(REMOTE), body)

    assert said.requests == [Request("GET", f"/v2/jobs/{ID}")]
    assert said.result == state


@pytest.mark.parametrize(
    ("result", "links"),
    [
        ({"images": [ONE, TWO]}, (ONE, TWO)),
        ({"images": [{"url": ONE}, {"url": TWO}]}, (ONE, TWO)),
        ({"image": ONE}, (ONE,)),
        ({"url": ONE}, (ONE,)),
        ([ONE, TWO], (ONE, TWO)),
        (ONE, (ONE,)),
    ],
)
def test_every_shape_of_a_result_has_the_images(talk, result, links):
    said = talk(PROVIDER, PROVIDER.poll(REMOTE), job("COMPLETED", result=result, creditCost=12))

    assert said.result == Succeeded(
        images=tuple(Image(url=link) for link in links), cost=Cost(amount=12, currency="credits")
    )


def test_links_that_have_expired_are_called_so(talk):
    said = talk(PROVIDER, PROVIDER.poll(REMOTE), job("COMPLETED", result={"images": [ONE]}, expired=True))

    assert said.result.detail == "the provider says that the links have expired"
    assert said.result.cost is None


@pytest.mark.parametrize("result", [None, {}, [], {"images": []}, {"images": [None]}, 5, "not a link"])
def test_a_success_without_an_image_makes_no_sense(talk, result):
    said = talk(PROVIDER, PROVIDER.poll(REMOTE), job("COMPLETED", result=result))

    assert isinstance(said.error, ProtocolError)


@pytest.mark.parametrize(
    ("told", "kind", "message"),
    [
        ("upstream died.", RefusedError, "apiframe: upstream died"),
        (None, RefusedError, "apiframe: the job failed, no reason given"),
        (
            "Blocked by the provider's content policy",
            ModeratedError,
            "apiframe: Blocked by the provider's content policy",
        ),
        ("Request Moderated", ModeratedError, "apiframe: Request Moderated"),
        ("Prompt contains prohibited words.", ModeratedError, "apiframe: Prompt contains prohibited words"),
        ("The output was flagged as sensitive. (E005)", ModeratedError, None),
        ("Your prompt violates our community guidelines", ModeratedError, None),
        ("NSFW_DETECTED", ModeratedError, None),
    ],
)
def test_a_failed_job_gives_its_credits_back(talk, told, kind, message):
    said = talk(PROVIDER, PROVIDER.poll(REMOTE), job("FAILED", error=told))

    error = said.result.error
    assert (type(error), error.message, error.charged) == (kind, message or f"apiframe: {told}", "no")


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (
            400,
            {"error": "Validation failed", "details": {"fluxParams.seed": ["Expected integer", "Too big"], "x": "odd"}},
            UsageError,
            "Validation failed: fluxParams.seed: Expected integer Too big; x: odd",
        ),
        (400, {"error": "Prompt flagged by moderation"}, ModeratedError, "Prompt flagged by moderation"),
        (401, {"error": "Invalid API key"}, AuthError, "Invalid API key"),
        (
            402,
            {"error": "Insufficient credits", "creditsRequired": 12, "creditsAvailable": 3},
            PaymentError,
            "Insufficient credits (12 needed, 3 left)",
        ),
        (
            402,
            {"error": "Insufficient credits", "creditsRequired": 12},
            PaymentError,
            "Insufficient credits (12 needed, unknown left)",
        ),
        (403, {"error": "Key is inactive"}, AuthError, "Key is inactive"),
        (404, {"error": "Job not found"}, NotFoundError, "Job not found"),
        (409, {"error": "Idempotency key reused"}, RefusedError, "Idempotency key reused"),
        (429, {"message": "Too many requests."}, UnavailableError, "Too many requests"),
        (503, {"error": "Temporarily unavailable"}, UnavailableError, "Temporarily unavailable"),
        (400, {"error": {"odd": 1}}, UsageError, "{'odd': 1}"),
    ],
)
def test_every_documented_refusal(talk, order, reply, status, body, kind, message):
    said = talk(PROVIDER, PROVIDER.submit(order("apiframe")), reply(body, status))

    assert type(said.error) is kind
    assert said.error.message == f"apiframe: {message}"


def test_a_502_may_have_arrived(reply):
    assert PROVIDER.refusal(reply({"error": "Bad gateway"}, 502)) is None


@pytest.mark.parametrize(
    ("body", "account"),
    [
        (
            {"user": {"id": "u"}, "team": {"name": "Fox\x1b Ltd", "credits": 340}},
            Account(balance=Cost(amount=340, currency="credits"), name="Fox\\x1b Ltd"),
        ),
        ({"user": {"id": "u"}, "team": None, "apiKey": None}, Account()),
        ({"user": {"id": "u"}, "team": {"credits": None}}, Account()),
    ],
)
def test_a_key_check_tells_the_teams_credits(talk, body, account):
    said = talk(PROVIDER, PROVIDER.check(), body, {"models": []})

    assert said.requests == [Request("GET", "/v2/me"), Request("GET", "/v2/models")]
    assert said.result == account


def test_a_key_that_works_is_not_called_bad_because_the_catalogue_is_silent(talk):
    said = talk(PROVIDER, PROVIDER.check(), {"team": None}, UnavailableError("down"))

    assert said.result == Account()


def test_a_model_that_left_the_catalogue_is_told(talk):
    left = [{"id": model} for model in PROVIDER.models if model != "flux-1.1-pro-ultra"]

    said = talk(PROVIDER, PROVIDER.check(), {"team": None}, {"models": left})

    assert said.result.differences == ("flux-1.1-pro-ultra is no longer in the catalogue",)


def entry(model, low, high, **more):
    return {"id": model, "label": model, "modality": "image", "costMin": low, "costMax": high, **more}


@pytest.mark.parametrize(
    ("published", "prices"),
    [
        (
            [entry("flux-1.1-pro", 8, 8), entry("flux-1.1-pro-ultra", 12, 12, pricingMode="flat"), entry("x", 1, 1)],
            {"flux-1.1-pro": 8, "flux-1.1-pro-ultra": 12},
        ),
        ([entry("flux-1.1-pro-ultra", 12, 12, pricingMode="per-output")], {"flux-1.1-pro-ultra": 12}),
        ([entry("flux-1.1-pro-ultra", 12, 12, pricingMode="per-second")], {}),
        ([entry("flux-1.1-pro-ultra", 8, 12, pricingMode="flat")], {}),
        ([entry("flux-1.1-pro-ultra", 0, 0)], {}),
        ([entry("flux-1.1-pro-ultra", None, None)], {}),
        ([entry("flux-1.1-pro-ultra", "x", "x"), None, 5], {}),
        ({"flux-1.1-pro-ultra": 12}, {}),
        (None, {}),
    ],
)
def test_a_key_check_tells_what_an_image_costs_in_credits(talk, published, prices):
    """Where it has one price. It is not told as a sum of money: what a credit costs depends on the plan."""
    said = talk(PROVIDER, PROVIDER.check(), {"team": None}, {"models": published})

    assert said.result.credit_prices == prices
    assert said.result.prices == {}


def test_a_job_cannot_be_cancelled():
    assert PROVIDER.cancel is None


@pytest.mark.parametrize(
    ("entry", "price"),
    [
        ({}, None),
        ({"costMin": 4, "costMax": 4}, "4 credits"),
        ({"costMin": 4, "costMax": 9.5, "pricingMode": "per-mp"}, "4 to 9.5 credits (per-mp)"),
    ],
)
def test_a_model_is_described_by_its_entry_in_the_catalogue(talk, entry, price):
    said = talk(PROVIDER, PROVIDER.describe("flux-9"), {"models": [{"id": "flux-9", "label": "FLUX 9", **entry}]})

    assert dict(said.result.facts) == {"title": "FLUX 9"} | ({} if price is None else {"price": price})


def test_a_model_that_the_catalogue_does_not_list_is_not_described(talk):
    assert "does not list flux-9" in talk(PROVIDER, PROVIDER.describe("flux-9"), []).error.message
