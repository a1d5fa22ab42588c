"""Replicate's pages, as bodies: https://replicate.com/docs and the OpenAPI document of https://api.replicate.com."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flux_cli.errors import (
    AuthError,
    ModeratedError,
    NotFoundError,
    PaymentError,
    ProtocolError,
    RefusedError,
    UnavailableError,
    UnsavedError,
    UsageError,
)
from flux_cli.jobs import Cancelled, Failed, Image, Queued, RemoteJob, Running, Succeeded
from flux_cli.providers.base import Accepted, Account, LostSubmit
from flux_cli.providers.conversation import Request
from flux_cli.providers.replicate import PROVIDER
from tests.providers.cells import Validators, group_rows, list_cells, list_needed

ID = "rrr4z55ocneqzikepnug6xezpe"
REMOTE = RemoteJob(id=ID)
LINK = "https://replicate.delivery/xezq/abc/out-0.webp"
SCHEMAS = json.loads((Path(__file__).parent / "schemas" / "replicate.json").read_text())
VALIDATORS = Validators(SCHEMAS)


def prediction(status, **more):
    return {"id": ID, "status": status, "output": None, "error": None, "started_at": None, **more}


def test_a_submit_wraps_the_input_and_is_not_held_open(talk, order, reply):
    said = talk(PROVIDER, PROVIDER.submit(order("replicate")), reply(prediction("starting"), 201))

    path = "/models/black-forest-labs/flux-1.1-pro-ultra/predictions"
    body = {"input": {"prompt": "a fox", "seed": 7}}
    assert said.requests == [Request("POST", path, json=body, paid=True)]
    assert said.result == Accepted(remote=REMOTE, state=Queued())
    assert not said.requests[0].idempotent


def test_webhook_and_deadline_are_no_inputs(talk, order, reply):
    wanted = order("replicate", webhook="https://you.example/hook", cancel_after=90)

    said = talk(PROVIDER, PROVIDER.submit(wanted), reply(prediction("starting"), 202))

    assert said.bodies[0] == {"input": {"prompt": "a fox", "seed": 7}, "webhook": "https://you.example/hook"}
    assert said.requests[0].headers == {"Cancel-After": "90s"}


def test_a_large_local_image_is_uploaded_first_and_a_small_one_travels_inside(talk, order, reply, monkeypatch):
    wanted = order("replicate", "flux-2-pro", image=["/small.png", "https://example.com/b.png"])
    small = talk(PROVIDER, PROVIDER.submit(wanted), reply(prediction("starting"), 201))

    large = {name: replace_size(file, 190_001) for name, file in wanted.files.items()}
    uploaded = {"id": "f", "urls": {"get": "https://api.replicate.com/v1/files/f"}}
    said = talk(PROVIDER, PROVIDER.submit(with_files(wanted, large)), reply(uploaded, 201), prediction("starting"))

    assert small.bodies[0]["input"]["input_images"][0].path == "/small.png"
    assert (said.requests[0].path, said.requests[0].upload.field) == ("/files", "content")
    assert said.bodies[1]["input"]["input_images"] == [uploaded["urls"]["get"], "https://example.com/b.png"]
    assert [request.paid for request in said.requests] == [False, True]


def replace_size(file, size):
    from dataclasses import replace

    return replace(file, size=size)


def with_files(planned, files):
    from dataclasses import replace

    return replace(planned, files=files)


@pytest.mark.parametrize(
    ("body", "state"),
    [
        (prediction("starting"), Queued()),
        (prediction("processing"), Running()),
        (prediction("something new"), Running(detail="something new")),
        (prediction("succeeded", output=LINK), Succeeded(images=(Image(url=LINK),))),
        (
            prediction("succeeded", output=[LINK, LINK], metrics={"predict_time": 2.5}),
            Succeeded(images=(Image(url=LINK), Image(url=LINK)), timing={"provider_ms": 2500}),
        ),
        (prediction("aborted"), Cancelled()),
        (prediction("canceled"), Cancelled()),
    ],
)
def test_the_states_of_a_prediction(talk, body, state):
    said = talk(PROVIDER, PROVIDER.poll(REMOTE), body)

    assert said.result == state
    assert said.requests == [Request("GET", f"/predictions/{ID}")]


def test_what_was_cancelled_while_it_ran_may_be_charged(talk):
    body = prediction("canceled", started_at="2026-11-26T10:00:00Z")

    error = talk(PROVIDER, PROVIDER.poll(REMOTE), body).result.error

    assert (error.charged, error.retry) == ("unknown", "never")


def test_output_that_was_deleted_is_lost_and_was_paid_for(talk):
    state = talk(PROVIDER, PROVIDER.poll(REMOTE), prediction("succeeded", data_removed=True)).result

    assert isinstance(state, Failed)
    assert isinstance(state.error, UnsavedError)
    assert "deleted" in state.error.message


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (
            "The input or output was flagged as sensitive. Please try again with different inputs. (E005)",
            ModeratedError,
        ),
        ("Something else (E005)", ModeratedError),
        ("NSFW content detected", ModeratedError),
        ("CUDA out of memory (E9243)", RefusedError),
        ("Prediction failed (E003)", RefusedError),
        ("", RefusedError),
    ],
)
def test_a_failed_prediction_is_a_block_or_not_by_its_words_and_code(talk, text, kind):
    state = talk(PROVIDER, PROVIDER.poll(REMOTE), prediction("failed", error=text)).result

    assert type(state.error) is kind


def test_a_cancel_says_how_the_prediction_is(talk):
    queued = talk(PROVIDER, PROVIDER.cancel(REMOTE), prediction("canceled"), prediction("canceled"))
    done = talk(PROVIDER, PROVIDER.cancel(REMOTE), b"", prediction("succeeded", output=LINK))

    assert queued.requests[0] == Request("POST", f"/predictions/{ID}/cancel", repeatable=True, mutates=True)
    assert queued.requests[1:] == talk(PROVIDER, PROVIDER.poll(REMOTE), prediction("canceled")).requests
    assert queued.result == Cancelled()
    assert isinstance(done.result, Succeeded)


def lost(**fields):
    body = {"input": {"prompt": "a fox", "seed": 7, **fields}}
    return LostSubmit(job_id="k", idempotency_key="h", body=body, sent_at=1_795_000_000.0)


def listed(*inputs, following=None):
    return {"results": [{"id": f"p{number}", "input": one} for number, one in enumerate(inputs)], "next": following}


def test_a_lost_prediction_is_found_by_its_input(talk):
    page = listed({"prompt": "a fox", "seed": 8}, {"prompt": "a fox", "seed": 7, "aspect_ratio": "1:1"}, None)

    said = talk(PROVIDER, PROVIDER.find(lost()), page)

    assert said.result == RemoteJob(id="p1")
    assert said.requests[0].query["created_after"] < said.requests[0].query["created_before"]


def test_local_files_are_left_out_of_the_comparison(talk):
    wanted = lost(
        input_images=["(data-uri of /fox.png: 10 bytes, sha256 0)"], image="https://api.replicate.com/v1/files/f"
    )

    said = talk(PROVIDER, PROVIDER.find(wanted), listed({"prompt": "a fox", "seed": 7, "input_images": ["data:x"]}))

    assert said.result == RemoteJob(id="p0")


def test_two_predictions_that_fit_prove_nothing(talk):
    page = listed({"prompt": "a fox", "seed": 7}, {"prompt": "a fox", "seed": 7})

    assert talk(PROVIDER, PROVIDER.find(lost()), page).result is None


def test_a_list_is_searched_page_by_page_and_not_without_end(talk):
    link = "https://api.replicate.com/v1/predictions?cursor=abc"

    said = talk(PROVIDER, PROVIDER.find(lost()), listed(following=link), listed({"prompt": "a fox", "seed": 7}))
    endless = talk(PROVIDER, PROVIDER.find(lost()), *[listed(following=link)] * 10)

    assert (said.result, said.requests[1].url) == (RemoteJob(id="p0"), link)
    assert (endless.result, len(endless.requests)) == (None, 10)


def test_the_key_check_names_the_account(talk):
    assert talk(PROVIDER, PROVIDER.check(), {"username": "fox", "type": "user"}).result == Account(name="fox")


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (401, {"title": "Unauthenticated", "detail": "no token"}, AuthError, "replicate: no token"),
        (402, {"title": "Insufficient credit"}, PaymentError, "replicate: Insufficient credit"),
        (404, {"detail": "not found"}, NotFoundError, "replicate: not found"),
        (422, {"title": "Input validation failed", "detail": "seed"}, UsageError, "replicate: seed"),
        (429, {"detail": "Request was throttled."}, UnavailableError, "replicate: Request was throttled"),
    ],
)
def test_refusals(reply, status, body, kind, message):
    error = PROVIDER.refusal(reply(body, status))

    assert type(error) is kind
    assert error.message == message


def test_the_words_of_a_throttled_request_say_how_long_to_wait(reply):
    text = "Request was throttled. Your rate limit resets in ~30s."

    assert PROVIDER.refusal(reply({"detail": text}, 429)).retry_after == 30


@pytest.mark.parametrize("status", [200, 500, 503])
def test_what_may_have_been_accepted_is_no_refusal(reply, status):
    assert PROVIDER.refusal(reply(b"<html>", status)) is None


@pytest.mark.parametrize(
    "body", [[], {}, {"status": "succeeded", "output": 5}, {"status": "succeeded", "output": ["x"]}]
)
def test_nonsense_is_an_ordinary_error(talk, body):
    assert isinstance(talk(PROVIDER, PROVIDER.poll(REMOTE), body).error, ProtocolError)


@pytest.mark.parametrize(("model", "cells"), group_rows(list_cells(PROVIDER)))
def test_every_option_of_every_model_fits_the_versions_schema(subtests, order, model, cells):
    slug = model.slug.removeprefix("black-forest-labs/")
    for name, value in cells:
        with subtests.test(option=name, value=value):
            request = next(PROVIDER.submit(order("replicate", model.name, **{**list_needed(model), name: value})))

            VALIDATORS[slug].validate(request.json["input"])
            assert set(request.json["input"]) <= set(SCHEMAS[slug]["properties"])
            assert set(request.json) <= {"input", "webhook"}


@pytest.mark.parametrize(
    ("model", "pixels", "inputs", "price"),
    [
        ("flux-1.1-pro", 2**20, [], 0.04),
        ("flux-1.1-pro-ultra", 2**22, [], 0.06),
        ("flux-2-pro", 2**20, [], 0.03),
        ("flux-2-pro", 2**20, [int(2.25 * 2**20)], 0.075),
        ("flux-2-pro", 2**22, [], 0.075),
        ("flux-dev", 2**20, [], 0.025),
    ],
)
def test_prices_are_those_that_are_known(model, pixels, inputs, price):
    assert PROVIDER.models[model].price.estimate(pixels, inputs) == pytest.approx(price)
