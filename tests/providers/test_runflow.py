"""Runflow's pages, as bodies: https://docs.runflow.io (concepts/runs, concepts/errors, the model's own page)."""

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
from flux_cli.jobs import Cancelled, Cost, Failed, Image, Queued, RemoteJob, Running, Succeeded
from flux_cli.providers.base import Accepted, Account
from flux_cli.providers.conversation import Request
from flux_cli.providers.runflow import PROVIDER

ID = "01934f5e-7c1a-7d3e-9b1a-2f4c6d8e0a1b"
REMOTE = RemoteJob(id=ID)
PICTURE = "https://runflow-outputs.s3.amazonaws.com/a.jpg?X-Amz-Expires=259200&X-Amz-Signature=abc"


def run(status, **more):
    return {"id": ID, "status_code": status, "model_id": "m", "target_type": "model", "output": None, **more}


def test_a_submit_wraps_the_input_and_labels_the_run(talk, order, reply):
    wanted = order("runflow", webhook="https://you.example/hook", metadata={"shelf": "3"})

    said = talk(PROVIDER, PROVIDER.submit(wanted), reply(run("queued"), 201))

    body = {
        "client_ref": "k3f9q2mx",
        "input": {"prompt": "a fox", "seed": 7},
        "callback_url": "https://you.example/hook",
        "metadata": {"shelf": "3"},
    }
    path = "/v1/models/black-forest-labs/flux-1-1-pro-ultra/runs"
    assert said.requests == [Request("POST", path, json=body, paid=True)]
    assert said.result == Accepted(remote=RemoteJob(id=ID))
    assert not said.requests[0].idempotent


def test_the_pro_model_takes_width_and_height(talk, order, reply):
    said = talk(PROVIDER, PROVIDER.submit(order("runflow", "pro", size="1440x1024")), reply(run("queued"), 201))

    body = {"client_ref": "k3f9q2mx", "input": {"prompt": "a fox", "seed": 7, "width": 1440, "height": 1024}}
    assert said.requests == [
        Request("POST", "/v1/models/black-forest-labs/flux-1-1-pro/runs", json=body, paid=True),
    ]


@pytest.mark.parametrize("code", [{}, {"status_code": None}])
@pytest.mark.parametrize("status", ["queued", "running", "canceled", "failed", "odd"])
def test_a_run_without_a_status_code_is_read_by_its_status(talk, code, status):
    told = {**run(status), "status": status}
    del told["status_code"]

    by_code = talk(PROVIDER, PROVIDER.poll(REMOTE), run(status)).result
    by_status = talk(PROVIDER, PROVIDER.poll(REMOTE), {**told, **code}).result

    assert (type(by_status), str(by_status)) == (type(by_code), str(by_code))


def test_the_status_code_wins_over_the_status(talk):
    assert talk(PROVIDER, PROVIDER.poll(REMOTE), {**run("running"), "status": "queued"}).result == Running()


@pytest.mark.parametrize("status", ["canceled", "cancelled"])
@pytest.mark.parametrize(("cost", "kept"), [("0.0600", Cost(amount=0.06)), ("0.00", Cost(amount=0.0)), (None, None)])
def test_a_run_that_somebody_cancelled_keeps_its_cost(talk, status, cost, kept):
    """An administrator's cancel stops nothing and refunds nothing."""
    assert talk(PROVIDER, PROVIDER.poll(REMOTE), run(status, cost=cost)).result == Cancelled(cost=kept)


@pytest.mark.parametrize(
    ("body", "state"),
    [
        (run("queued"), Queued()),
        (run("dispatching"), Queued()),
        (run("running"), Running()),
        (run("running", nodes_completed=1, nodes_total=4), Running(progress=25)),
        (run("running", nodes_completed=9, nodes_total=4), Running(progress=100)),
        (run("running", nodes_completed=-9, nodes_total=4), Running(progress=0)),
        (run("running", nodes_completed=1, nodes_total=0), Running()),
        (run("running", nodes_completed=True, nodes_total="4"), Running()),
        (run("canceled"), Cancelled()),
        (run("cancelled"), Cancelled()),
        (run("hibernating"), Running(detail="hibernating")),
    ],
)
def test_every_status_of_a_run_that_made_nothing(talk, body, state):
    said = talk(PROVIDER, PROVIDER.poll(REMOTE), body)

    assert said.requests == [Request("GET", f"/v1/runs/{ID}")]
    assert said.result == state


def test_a_run_that_succeeded_tells_size_seed_cost_and_time(talk):
    output = {
        "outputs": [{"url": PICTURE, "type": "image", "width": 2752, "height": 1536, "content_type": "image/jpeg"}],
        "seed": 33403,
        "timing": {"inference_ms": 9100, "note": "fast"},
        "nsfw_detected": False,
    }

    said = talk(PROVIDER, PROVIDER.poll(REMOTE), run("succeeded", output=output, cost="0.0600", duration_ms=9800))

    image = Image(url=PICTURE, seed=33403, nsfw=False, width=2752, height=1536, content_type="image/jpeg")
    assert said.result == Succeeded(
        images=(image,),
        seed=33403,
        cost=Cost(amount=0.06),
        timing={"provider_ms": 9800.0, "inference_ms": 9100.0},
    )


@pytest.mark.parametrize(
    "output",
    [
        {"outputs": [{"url": PICTURE}], "seed": None, "timing": None, "nsfw_detected": None},
        {"outputs": [{"url": PICTURE, "type": None, "width": "wide"}]},
        {"outputs": [{"url": "https://h/a.mp4", "type": "video"}, {"url": PICTURE, "type": "image"}]},
        {"image_urls": [PICTURE]},
        {"outputs": [], "image_urls": [PICTURE]},
    ],
)
def test_every_shape_of_an_output_has_the_image(talk, output):
    said = talk(PROVIDER, PROVIDER.poll(REMOTE), run("succeeded", output=output))

    assert said.result == Succeeded(images=(Image(url=PICTURE),))


def test_a_flagged_image_says_so(talk):
    said = talk(
        PROVIDER, PROVIDER.poll(REMOTE), run("succeeded", output={"image_urls": [PICTURE], "nsfw_detected": True})
    )

    assert [image.nsfw for image in said.result.images] == [True]


@pytest.mark.parametrize("output", [None, {}, {"outputs": []}, {"image_urls": []}, {"outputs": [{"url": None}]}, [1]])
def test_a_success_without_an_image_makes_no_sense(talk, output):
    said = talk(PROVIDER, PROVIDER.poll(REMOTE), run("succeeded", output=output))

    assert isinstance(said.error, ProtocolError)


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ({}, "the run succeeded only in part, no reason given"),
        ({"failure_message": "1 of 2."}, "1 of 2"),
    ],
)
def test_a_run_that_succeeded_in_part_keeps_its_images_and_says_so(talk, reason, message):
    said = talk(PROVIDER, PROVIDER.poll(REMOTE), run("partial_succeeded", output={"image_urls": [PICTURE]}, **reason))

    assert said.result.images == (Image(url=PICTURE),)
    assert (said.result.error, said.result.detail) == (None, message)


@pytest.mark.parametrize(
    ("told", "kind", "message", "code"),
    [
        (
            {
                "failure_code": "INPUT_VALIDATION_FAILED",
                "failure_message": "prompt too long.",
                "failure_stage_code": "dispatch",
            },
            RefusedError,
            "runflow: prompt too long",
            "INPUT_VALIDATION_FAILED",
        ),
        ({"failure_code": "TIMED_OUT"}, RefusedError, "runflow: TIMED_OUT", "TIMED_OUT"),
        ({}, RefusedError, "runflow: the job failed, no reason given", ""),
        ({"failure_message": "request moderated"}, ModeratedError, "runflow: request moderated", ""),
        (
            {"failure_code": "CONTENT_MODERATED", "failure_message": "try something else"},
            ModeratedError,
            "runflow: try something else",
            "CONTENT_MODERATED",
        ),
        ({"failure_code": "CONTENT_MODERATED"}, ModeratedError, "runflow: CONTENT_MODERATED", "CONTENT_MODERATED"),
        (
            {"error": {"code": "PROMPT_BLOCKED", "message": "no"}, "finished_at": "2026-11-01T10:00:00Z"},
            ModeratedError,
            "runflow: no",
            "PROMPT_BLOCKED",
        ),
        ({"error": {"code": "X", "message": "no GPU"}}, RefusedError, "runflow: no GPU", "X"),
        ({"error": "no GPU"}, RefusedError, "runflow: no GPU", ""),
        ({"error": ["odd"]}, RefusedError, "runflow: ['odd']", ""),
        (
            {"failure_code": "A", "failure_message": "this", "error": {"code": "B", "message": "that"}},
            RefusedError,
            "runflow: this",
            "A",
        ),
    ],
)
def test_a_failed_run_says_why(talk, told, kind, message, code):
    said = talk(PROVIDER, PROVIDER.poll(REMOTE), run("failed", cost="0.01", **told))

    error = said.result.error
    assert isinstance(said.result, Failed)
    assert (type(error), error.message, error.vendor_code) == (kind, message, code)
    assert said.result.cost == Cost(amount=0.01)


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (401, {"code": "UNAUTHORIZED", "message": "Invalid API key.", "errors": None}, AuthError, "Invalid API key"),
        (402, {"code": "INSUFFICIENT_CREDIT", "message": "top up"}, PaymentError, "top up"),
        (403, {"code": "PERMISSION_DENIED", "message": "not yours"}, AuthError, "not yours"),
        (403, {"code": "EMAIL_NOT_VERIFIED", "message": "verify"}, AuthError, "verify"),
        (403, {"code": "ORGANIZATION_MEMBERSHIP_REQUIRED", "message": "join"}, AuthError, "join"),
        (403, {"code": "ROLE_UNRESOLVED", "message": "role"}, AuthError, "role"),
        (404, {"code": "RUN_NOT_FOUND", "message": "no run"}, NotFoundError, "no run"),
        (400, {"code": "RUN_NOT_FOUND", "message": "no run"}, NotFoundError, "no run"),
        (404, {"detail": "Not Found"}, NotFoundError, "Not Found"),
        (409, {"code": "CONFLICT", "message": "twice"}, RefusedError, "twice"),
        (
            422,
            {"code": "V", "message": "invalid", "errors": [{"loc": "seed"}]},
            UsageError,
            "invalid [{'loc': 'seed'}]",
        ),
        (422, {"detail": [{"msg": "field required"}]}, UsageError, "[{'msg': 'field required'}]"),
        (422, {"code": "V", "message": "violates content policy"}, ModeratedError, "violates content policy"),
        (400, {"error": {"code": "X", "message": "older shape"}}, UsageError, "older shape"),
        (400, {"error": "oldest shape"}, UsageError, "oldest shape"),
        (429, {"code": "RATE_LIMITED", "message": "slow"}, UnavailableError, "slow"),
        (503, {"code": "MODEL_UNAVAILABLE", "message": "later"}, UnavailableError, "later"),
        (413, b"", UsageError, "HTTP 413"),
    ],
)
def test_every_documented_refusal(talk, order, reply, status, body, kind, message):
    said = talk(PROVIDER, PROVIDER.submit(order("runflow")), reply(body, status))

    assert type(said.error) is kind
    assert said.error.message == f"runflow: {message}"


def test_only_the_documented_503_says_that_nothing_was_accepted(reply):
    assert PROVIDER.refusal(reply({"code": "DEPLOYING", "message": "x"}, 503)) is None
    assert PROVIDER.refusal(reply(b"<html>", 503)) is None


@pytest.mark.parametrize(
    ("balance", "account"),
    [
        ({"balance": "12.3400", "org_id": "o"}, Account(balance=Cost(amount=12.34))),
        ({"org_id": "o"}, Account()),
        (RefusedError("not for this key"), Account()),
    ],
)
def test_a_key_check_tells_the_balance_where_it_can(talk, balance, account):
    said = talk(PROVIDER, PROVIDER.check(), {"id": "me"}, balance)

    assert said.requests == [Request("GET", "/v1/auth/me"), Request("GET", "/v1/billing/balance")]
    assert said.result == account


def test_a_run_cannot_be_cancelled():
    assert PROVIDER.cancel is None


def test_what_a_stranger_writes_into_an_output_is_shown_not_obeyed(talk):
    output = {"outputs": [{"url": PICTURE, "content_type": "image/\x1b[2J"}], "timing": {"\x07": 1}}

    said = talk(PROVIDER, PROVIDER.poll(REMOTE), run("succeeded", output=output))

    assert said.result.images[0].content_type == "image/\\x1b[2J"
    assert said.result.timing == {"\\x07": 1.0}


def test_what_a_stranger_writes_into_a_code_is_shown_not_obeyed(talk, reply):
    refused = PROVIDER.refusal(reply({"code": "\x1b[2J", "message": "x"}, 400))
    failed = talk(PROVIDER, PROVIDER.poll(REMOTE), run("failed", failure_code="\x1b[2J")).result

    assert refused.vendor_code == failed.error.vendor_code == "\\x1b[2J"
