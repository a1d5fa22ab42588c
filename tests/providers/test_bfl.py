"""The pages of Black Forest Labs, as bodies: https://docs.bfl.ai and the OpenAPI document of https://api.bfl.ai."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flux_cli.errors import (
    AuthError,
    LostReplyError,
    ModeratedError,
    NotFoundError,
    PaymentError,
    ProtocolError,
    RefusedError,
    UnavailableError,
    UsageError,
)
from flux_cli.jobs import Cost, Failed, Image, LocalFile, Queued, RemoteJob, Running, Succeeded
from flux_cli.providers.base import Accepted, Account
from flux_cli.providers.bfl import PROVIDER
from flux_cli.providers.conversation import Response
from tests.providers.cells import Validators, group_rows, list_cells, list_needed

ID = "0e2b5c4e-6f1b-4c0a-8f0e-1c2d3e4f5a6b"
POLLING = f"https://api.eu2.bfl.ai/v1/get_result?id={ID}"
REMOTE = RemoteJob(id=ID, poll_state={"polling_url": POLLING, "cost": 4.5})
SAMPLE = "https://delivery-eu.bfl.ai/results/ab/sample.jpeg?se=2026&sig=x"
SCHEMAS = json.loads((Path(__file__).parent / "schemas" / "bfl.json").read_text())
VALIDATORS = Validators(SCHEMAS)


def task(status, **more):
    return {"id": ID, "status": status, "result": None, "progress": None, "details": None, "preview": None, **more}


def test_a_submit_keeps_the_address_to_poll_and_the_cost(talk, order):
    said = talk(PROVIDER, PROVIDER.submit(order("bfl")), {"id": ID, "polling_url": POLLING, "cost": 6.0})

    assert said.result == Accepted(remote=RemoteJob(id=ID, poll_state={"polling_url": POLLING, "cost": 6.0}))
    assert (said.requests[0].path, said.requests[0].json) == ("/v1/flux-pro-1.1-ultra", {"prompt": "a fox", "seed": 7})
    assert not said.requests[0].idempotent


def test_with_a_webhook_there_is_no_address(talk, order):
    wanted = order("bfl", webhook="https://you.example/hook")

    said = talk(PROVIDER, PROVIDER.submit(wanted), {"id": ID, "status": "Pending", "webhook_url": "x", "cost": None})

    assert said.result == Accepted(remote=RemoteJob(id=ID, poll_state={}))
    assert said.bodies[0]["webhook_url"] == "https://you.example/hook"


def test_a_lost_submit_says_what_the_balance_is_now(talk, order):
    said = talk(PROVIDER, PROVIDER.submit(order("bfl")), LostReplyError("no answer from bfl"), {"credits": 1234.5})

    assert isinstance(said.error, LostReplyError)
    assert said.error.message == "no answer from bfl (the balance is now $12.35)"
    assert [request.paid for request in said.requests] == [True, False]


@pytest.mark.parametrize("answer", [UnavailableError("down"), {"credits": None}, []])
def test_a_lost_submit_stays_lost_where_the_balance_is_not_known(talk, order, answer):
    said = talk(PROVIDER, PROVIDER.submit(order("bfl")), LostReplyError("no answer"), answer)

    assert isinstance(said.error, LostReplyError)
    assert said.error.message == "no answer"


@pytest.mark.parametrize(
    ("body", "state"),
    [
        (task("Pending"), Queued()),
        (task("Pending", progress=0.25), Running(progress=25)),
        (task("Pending", progress=40), Running(progress=40)),
        (task("Reasoning"), Running(detail="Reasoning")),
        (task("Generating", progress=0.5), Running(progress=50, detail="Generating")),
        (task("Something new"), Running(detail="Something new")),
        (task("Task not found"), Queued(seen=False, detail="not known to the provider yet")),
    ],
)
def test_the_states_of_a_job(talk, body, state):
    said = talk(PROVIDER, PROVIDER.poll(REMOTE), body)

    assert said.result == state
    assert (said.requests[0].url, said.requests[0].query) == (POLLING, {"id": ID})


def test_a_job_without_an_address_is_read_by_its_id(talk):
    said = talk(PROVIDER, PROVIDER.poll(RemoteJob(id=ID, poll_state={"polling_url": 5})), task("Pending"))

    assert (said.requests[0].url, said.requests[0].path) == (None, "/v1/get_result")


def test_a_finished_job_has_an_image_its_seed_and_the_exact_cost(talk):
    result = {"sample": SAMPLE, "prompt": "a fox", "seed": 42, "end_time": 1795000003.5, "duration": 3.25}

    said = talk(PROVIDER, PROVIDER.poll(REMOTE), task("Ready", result=result))

    image, timing = Image(url=SAMPLE, seed=42), {"provider_ms": 3250}
    cost = Cost(amount=0.045)
    assert said.result == Succeeded(images=(image,), seed=42, cost=cost, timing=timing, ended_at=1795000003.5)


def test_flux_3_has_no_seed_and_tells_the_cost_at_the_end(talk):
    remote = RemoteJob(id=ID)

    said = talk(PROVIDER, PROVIDER.poll(remote), task("Ready", result={"sample": SAMPLE}, cost=4.8))
    other = talk(PROVIDER, PROVIDER.poll(remote), task("Ready", result={"sample": SAMPLE}))

    assert said.result == Succeeded(images=(Image(url=SAMPLE),), cost=Cost(amount=0.048))
    assert other.result.cost is None


@pytest.mark.parametrize(
    ("status", "details", "message"),
    [
        ("Request Moderated", {"Moderation Reasons": ["A", "B"]}, "the prompt or an input image was blocked (A and B)"),
        ("Content Moderated", None, "the image was blocked"),
        ("Content Moderated", {"Moderation Reasons": "x"}, "the image was blocked"),
    ],
)  # fmt: skip
def test_a_blocked_job_costs_nothing_and_is_not_tried_again(talk, status, details, message):
    said = talk(PROVIDER, PROVIDER.poll(REMOTE), task(status, details=details))

    assert isinstance(said.result, Failed)
    assert isinstance(said.result.error, ModeratedError)
    assert said.result.error.message == f"bfl: {message}"
    assert (said.result.error.charged, said.result.error.retry) == ("no", "never")


@pytest.mark.parametrize("status", [200, 422, 503])
@pytest.mark.parametrize("word", ["Error", "Failed"])
def test_the_body_counts_before_the_http_status(talk, reply, status, word):
    answer = reply(task(word, details={"error": "no GPU"}), status)

    assert PROVIDER.is_answer(answer)
    said = talk(PROVIDER, PROVIDER.poll(REMOTE), answer if status == 200 else task(word, details={"error": "no GPU"}))
    assert isinstance(said.result.error, RefusedError)
    assert said.result.error.message == "bfl: no GPU"


@pytest.mark.parametrize("body", [{"detail": "x"}, {"status": 5, "id": ID}, {"status": "Ready"}, []])
def test_a_refusal_is_no_answer_about_a_job(reply, body):
    assert not PROVIDER.is_answer(reply(body, 422))


@pytest.mark.parametrize(
    ("status", "body", "kind", "text"),
    [
        (402, {"detail": "Insufficient credits"}, PaymentError, "bfl: Insufficient credits"),
        (403, {"detail": "Not authenticated"}, AuthError, "bfl: Not authenticated"),
        (401, {"message": "no key"}, AuthError, "bfl: no key"),
        (404, {"detail": "Not Found"}, NotFoundError, "bfl: Not Found"),
        (429, {"error": "Too many active tasks"}, UnavailableError, "bfl: Too many active tasks"),
        (
            422,
            {"detail": [{"loc": ["body", "width"], "msg": "must be a multiple of 32", "type": "multiple_of"}, "and"]},
            UsageError,
            "bfl: width: must be a multiple of 32; and",
        ),
        (422, {"detail": [{"msg": "wrong"}]}, UsageError, "bfl: wrong"),
        (418, {}, RefusedError, "bfl: HTTP 418"),
    ],
)
def test_refusals(reply, status, body, kind, text):
    error = PROVIDER.refusal(reply(body, status))

    assert type(error) is kind
    assert error.message == text


@pytest.mark.parametrize("status", [200, 500, 502, 503])
def test_what_may_have_been_accepted_is_no_refusal(reply, status):
    assert PROVIDER.refusal(reply(b"<html>", status)) is None


def test_the_key_check_tells_the_balance(talk):
    assert talk(PROVIDER, PROVIDER.check(), {"credits": 250}).result == Account(balance=Cost(amount=2.5))


def test_an_answer_without_a_status_is_not_understood(talk):
    assert isinstance(talk(PROVIDER, PROVIDER.poll(REMOTE), {"id": ID}).error, ProtocolError)


@pytest.mark.parametrize(("model", "cells"), group_rows(list_cells(PROVIDER)))
def test_every_option_of_every_model_fits_the_vendors_schema(subtests, order, model, cells):
    schema = SCHEMAS[model.slug]
    for name, value in cells:
        with subtests.test(option=name, value=value):
            request = next(PROVIDER.submit(order("bfl", model.name, **{**list_needed(model), name: value})))

            VALIDATORS[model.slug].validate(request.json)
            assert set(request.json) <= set(schema["properties"])
            if name != "seed" or model.takes_seed:
                option = model.options[name]
                assert {path.split(".")[0] for path in option.field.split(", ")} & set(request.json)


def test_images_are_numbered_and_local_ones_are_plain_base64(order):
    images = ["/fox.png", "https://example.com/b.png", "/owl.png"]

    body = next(PROVIDER.submit(order("bfl", "flux-2-pro", image=images))).json

    first, second, third = (body[name] for name in ("input_image", "input_image_2", "input_image_3"))
    assert isinstance(first, LocalFile)
    assert (first.path, first.prefix, second, third.path) == ("/fox.png", "", "https://example.com/b.png", "/owl.png")
    assert "input_image_4" not in body


@pytest.mark.parametrize(
    ("model", "pixels", "inputs", "price"),
    [
        ("flux-1.1-pro", 2**20, [], 0.04),
        ("flux-1.1-pro-ultra", 4 * 2**20, [], 0.06),
        ("flux-kontext-pro", 2**20, [2**20], 0.04),
        ("flux-kontext-max", 2**20, [2**20], 0.08),
        ("flux-2-pro", 1024 * 1024, [], 0.03),
        ("flux-2-pro", 1920 * 1080, [], 0.045),
        ("flux-2-pro", 1024 * 1024, [2**20], 0.045),
        ("flux-2-pro", 1920 * 1080, [2**20], 0.06),
        ("flux-2-flex", 512 * 512, [], 0.05),
        ("flux-2-flex", 1024 * 1024, [2**20], 0.10),
        ("flux-2-max", 1024 * 1024, [2**20], 0.10),
        ("flux-2-klein-4b", 1024 * 1024, [], 0.014),
        ("flux-2-klein-9b", 2048 * 2048, [], 0.021),
        ("flux-3-image", 768 * 768, [], 0.041),
        ("flux-3-image", 1568 * 672, [], 0.048),
        ("flux-3-image", 2048 * 2048, [2**20], 0.10),
        ("flux-3-image", 4096 * 4096, [], 0.607),
        ("flux-fill-pro", 2**20, [2**20], 0.05),
    ],
)
def test_prices_are_those_of_the_page(model, pixels, inputs, price):
    assert PROVIDER.models[model].price.estimate(pixels, inputs) == pytest.approx(price)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.bfl.ai/v1/get_result?id=a",
        "https://api.us3.bfl.ai/v1/get_result?id=a-b",
        "https://bfl.ai/v1/get_result?id=a",
    ],
)
def test_the_key_goes_to_the_vendors_own_polling_addresses(url):
    from flux_cli.http.endpoint import Endpoint

    endpoint = Endpoint(provider=PROVIDER, base_url=PROVIDER.base_url, key="k")
    request = next(PROVIDER.poll(RemoteJob(id="a", poll_state={"polling_url": url})))

    assert endpoint.url(request) == url


@pytest.mark.parametrize(
    "url",
    [
        "https://delivery-eu.bfl.ai/results/x",
        "https://evil.example/v1/get_result?id=a",
        "https://bfl.ai.evil.example/v1/get_result?id=a",
        "http://api.eu2.bfl.ai/v1/get_result?id=a",
        "https://api.bfl.ml/v1/get_result?id=a",
    ],
)
def test_the_key_goes_to_no_other_address(url):
    from flux_cli.http.endpoint import Endpoint

    endpoint = Endpoint(provider=PROVIDER, base_url="https://api.us.bfl.ai", key="k")
    request = next(PROVIDER.poll(RemoteJob(id="a", poll_state={"polling_url": url})))

    assert endpoint.url(request) == "https://api.us.bfl.ai/v1/get_result"


def test_nonsense_is_an_ordinary_error(talk):
    for body in ([], {}, {"id": 5}, {"id": "../x"}, Response(status=200, body=b"<html>")):
        assert isinstance(talk(PROVIDER, PROVIDER.poll(REMOTE), body).error, ProtocolError)
