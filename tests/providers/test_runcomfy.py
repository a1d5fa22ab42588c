"""RunComfy's pages, as bodies: https://docs.runcomfy.com/model-apis/async-queue-endpoints and …/error-codes."""

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
from flux_cli.providers.runcomfy import PROVIDER

ID = "5b6f1d6a-0c0e-4a36-8d5f-0f3f4f2d8a11"
REMOTE = RemoteJob(id=ID)
STATUS = Request("GET", f"/v1/requests/{ID}/status")
RESULT = Request("GET", f"/v1/requests/{ID}/result", query={"include_cost": "true"})
SUBMITTED = {
    "request_id": ID,
    "status_url": f"https://model-api.runcomfy.net/v1/requests/{ID}/status",
    "result_url": f"https://model-api.runcomfy.net/v1/requests/{ID}/result",
    "cancel_url": f"https://model-api.runcomfy.net/v1/requests/{ID}/cancel",
}
PICTURE = "https://playgrounds-storage-public.runcomfy.net/tools/7055/media-files/a.png"


def queue(status, **more):
    return {"request_id": ID, "status": status, **more}


def result(status, **more):
    return {"request_id": ID, "status": status, "created_at": "2026-11-01T10:00:00Z", **more}


@pytest.mark.parametrize(
    ("alias", "path"),
    [
        ("ultra", "/v1/models/blackforestlabs/flux-1-1-pro/ultra/text-to-image"),
        ("pro", "/v1/models/blackforestlabs/flux-1-1-pro/text-to-image"),
    ],
)
def test_a_submit_is_the_flat_body_at_the_models_own_address(talk, order, alias, path):
    said = talk(PROVIDER, PROVIDER.submit(order("runcomfy", alias)), SUBMITTED)

    assert said.requests == [Request("POST", path, json={"prompt": "a fox", "seed": 7}, paid=True)]
    assert said.result == Accepted(remote=RemoteJob(id=ID))


def test_a_submit_is_not_safe_to_repeat(order):
    assert not next(PROVIDER.submit(order("runcomfy"))).idempotent


@pytest.mark.parametrize("bad", ["../../v1/models", "a/b", "", "x" * 129, 17, None, "a?b"])
def test_an_id_that_could_bend_an_address_is_not_taken(talk, order, bad):
    said = talk(PROVIDER, PROVIDER.submit(order("runcomfy")), {"request_id": bad})

    assert isinstance(said.error, ProtocolError)


@pytest.mark.parametrize(
    ("body", "state"),
    [
        (queue("in_queue", queue_position=3), Queued(position=3)),
        (queue("in_queue"), Queued()),
        (queue("pending"), Queued()),
        (queue("waiting"), Queued()),
        (queue("starting"), Queued()),
        (queue("in_progress"), Running()),
        (queue("processing"), Running()),
        (queue("running"), Running()),
        (queue("cancelled"), Cancelled()),
        (queue("canceled"), Cancelled()),
        (queue("dreaming"), Running(detail="dreaming")),
        (queue("\x1b[2J"), Running(detail="\\x1b[2J")),
        (queue(None), Running(detail="None")),
    ],
)
def test_every_state_of_the_queue_that_is_not_its_end(talk, body, state):
    said = talk(PROVIDER, PROVIDER.poll(REMOTE), body)

    assert said.requests == [STATUS]
    assert said.result == state


@pytest.mark.parametrize("ended", ["completed", "succeeded", "failed"])
@pytest.mark.parametrize(
    ("body", "state"),
    [
        (result("succeeded", output={"image": PICTURE}), Succeeded(images=(Image(url=PICTURE),))),
        (result("completed", output={"image": PICTURE}), Succeeded(images=(Image(url=PICTURE),))),
        (
            result("succeeded", output={"images": [PICTURE, PICTURE + "?2"]}, cost=0.06),
            Succeeded(images=(Image(url=PICTURE), Image(url=PICTURE + "?2")), cost=Cost(amount=0.06)),
        ),
        (result("in_queue"), Queued()),
        (result("in_progress"), Running()),
        (result("cancelled"), Cancelled()),
        (result("mending"), Running(detail="mending")),
    ],
)
def test_the_end_of_the_queue_is_no_result_yet(talk, ended, body, state):
    said = talk(PROVIDER, PROVIDER.poll(REMOTE), queue(ended), body)

    assert said.requests == [STATUS, RESULT]
    assert said.result == state


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (result("failed", error="out of memory."), RefusedError, "runcomfy: out of memory"),
        (result("failed", error={"message": "bad\x07 node", "x": 1}), RefusedError, "runcomfy: bad\\x07 node"),
        (result("failed", error={"x": 1}), RefusedError, "runcomfy: {'x': 1}"),
        (result("failed", error=["a", 2]), RefusedError, "runcomfy: ['a', 2]"),
        (result("failed"), RefusedError, "runcomfy: the job failed, no reason given"),
        (result("failed", error="blocked by content policy"), ModeratedError, "runcomfy: blocked by content policy"),
        (
            result("failed", error={"code": "CONTENT_MODERATED", "message": "try again"}),
            ModeratedError,
            "runcomfy: try again",
        ),
        (result("completed", error="no GPU", output=None), RefusedError, "runcomfy: no GPU"),
    ],
)
def test_a_completed_job_may_have_failed(talk, body, kind, message):
    said = talk(PROVIDER, PROVIDER.poll(REMOTE), queue("completed"), body)

    assert isinstance(said.result, Failed)
    assert (type(said.result.error), said.result.error.message) == (kind, message)


def test_what_a_failed_job_cost_is_kept(talk):
    said = talk(PROVIDER, PROVIDER.poll(REMOTE), queue("completed"), result("failed", error="x", cost=0.02))

    assert said.result.cost == Cost(amount=0.02)


@pytest.mark.parametrize(
    "output",
    [
        None,
        {},
        {"images": "https://h/a.png"},
        {"image": "ftp://h/a.png"},
        {"image": "javascript:alert(1)"},
        {"image": "https://h/a\ud800"},
        {"image": "https://h/a b"},
        {"image": 5},
        [],
        "https://h/a.png",
    ],
)
def test_a_result_without_a_usable_link_makes_no_sense(talk, output):
    said = talk(PROVIDER, PROVIDER.poll(REMOTE), queue("completed"), result("succeeded", output=output))

    assert isinstance(said.error, ProtocolError)
    assert str(RESULT) in said.error.message


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (200, {"error_code": 400002, "error_message": "Balance too low."}, PaymentError, "Balance too low (400002)"),
        (200, {"error_code": 400004, "message": "bad token"}, AuthError, "bad token (400004)"),
        (200, {"error_code": 500001, "message": "worker lost"}, RefusedError, "worker lost (500001)"),
        (200, {"error_code": 429001, "message": "slow down"}, UnavailableError, "slow down (429001)"),
        (200, {"error_code": 400001, "message": "no such id"}, UsageError, "no such id (400001)"),
        (200, {"error_code": "x", "detail": "odd"}, RefusedError, "odd"),
        (200, {"error_code": 0}, RefusedError, "HTTP 200"),
        (200, {"error_code": 422000, "message": "nsfw prompt"}, ModeratedError, "nsfw prompt (422000)"),
        (400, {"code": 400001, "error": "InvalidResourceIdentifier"}, UsageError, "InvalidResourceIdentifier (400001)"),
        (400, {"code": 400002, "error": "InsufficientResources"}, PaymentError, "InsufficientResources (400002)"),
        (400, {"code": 400004, "error": "UserAccountError"}, AuthError, "UserAccountError (400004)"),
        (400, {"code": "400004", "error": "UserAccountError"}, AuthError, "UserAccountError (400004)"),
        (403, {"code": 403001, "error": "PermissionDeniedError"}, AuthError, "PermissionDeniedError (403001)"),
        (404, {"code": 404001, "error": "ResourceNotFound"}, NotFoundError, "ResourceNotFound (404001)"),
        (404, {}, NotFoundError, "HTTP 404"),
        (401, {"detail": "no"}, AuthError, "no"),
        (402, {"message": "top up"}, PaymentError, "top up"),
        (
            400,
            {"code": 400009, "error": "PromptBlockedError", "message": "try another"},
            ModeratedError,
            "try another (PromptBlockedError) (400009)",
        ),
        (422, {"detail": [{"msg": "bad", "loc": ["raw"]}]}, UsageError, "[{'msg': 'bad', 'loc': ['raw']}]"),
        (400, {"message": "Content Policy violated."}, ModeratedError, "Content Policy violated"),
        (429, {"message": "too many"}, UnavailableError, "too many"),
        (409, {"message": "twice"}, RefusedError, "twice"),
        (400, b"<html>", UsageError, "HTTP 400"),
    ],
)
def test_every_documented_refusal(talk, order, reply, status, body, kind, message):
    said = talk(PROVIDER, PROVIDER.submit(order("runcomfy")), reply(body, status))

    assert type(said.error) is kind
    assert said.error.message == f"runcomfy: {message}"


def test_a_refusal_under_200_keeps_its_code(talk, order):
    said = talk(PROVIDER, PROVIDER.submit(order("runcomfy")), {"error_code": 400002, "error": "InsufficientResources"})

    assert said.error.vendor_code == "400002"
    assert said.error.charged == "no"


def test_a_null_error_code_is_no_error(talk, order):
    said = talk(PROVIDER, PROVIDER.submit(order("runcomfy")), {**SUBMITTED, "error_code": None})

    assert said.error is None


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_what_a_5xx_means_is_not_for_the_provider_to_say(reply, status):
    assert PROVIDER.refusal(reply({"message": "oops"}, status)) is None


def test_a_result_refused_in_the_providers_own_words_ends_the_job(talk):
    refused = {"error_code": 400001, "message": "the graph has no output"}

    said = talk(PROVIDER, PROVIDER.poll(REMOTE), queue("completed"), refused)

    assert isinstance(said.result, Failed)
    assert type(said.result.error) is RefusedError
    assert said.result.error.message == "runcomfy: the graph has no output (400001)"


def test_a_result_refused_by_a_stranger_does_not_end_the_job(talk, reply):
    said = talk(PROVIDER, PROVIDER.poll(REMOTE), queue("completed"), reply(b"<html>proxy</html>", 418))

    assert isinstance(said.error, RefusedError)


def test_a_request_that_has_expired_is_not_found(talk, reply):
    said = talk(PROVIDER, PROVIDER.poll(REMOTE), reply({"code": 404001, "error": "ResourceNotFound"}, 404))

    assert isinstance(said.error, NotFoundError)


@pytest.mark.parametrize(
    ("outcome", "then", "state"),
    [
        ("cancelled", [], Cancelled()),
        ("not_cancellable", [queue("in_progress")], Running()),
        ("not_cancellable", [queue("cancelled")], Cancelled()),
        (
            "not_cancellable",
            [queue("completed"), result("succeeded", output={"image": PICTURE})],
            Succeeded(images=(Image(url=PICTURE),)),
        ),
        ("never heard of", [queue("in_queue")], Queued()),
    ],
)
def test_a_cancel_is_believed_by_its_outcome_only(talk, reply, outcome, then, state):
    answer = reply({"request_id": ID, "status": "in_progress", "outcome": outcome}, 202)

    said = talk(PROVIDER, PROVIDER.cancel(REMOTE), answer, *then)

    assert said.requests[0] == Request("POST", f"/v1/requests/{ID}/cancel", repeatable=True, mutates=True)
    assert said.result == state


@pytest.mark.parametrize(
    ("balance", "account"),
    [
        ({"balance_usd": 12.5, "currency": "usd"}, Account(balance=Cost(amount=12.5))),
        ({"balance_usd": "3"}, Account(balance=Cost(amount=3.0))),
        ({"currency": "USD"}, Account()),
        (b"<html>", Account()),
        (UnavailableError("cannot reach it"), Account()),
        (AuthError("another realm"), Account()),
    ],
)
def test_a_key_that_works_is_not_called_bad_because_the_balance_is_silent(talk, reply, balance, account):
    answer = reply(balance) if isinstance(balance, bytes) else balance

    said = talk(PROVIDER, PROVIDER.check(), {"models": whole_catalogue(), "total": len(whole_catalogue())}, answer)

    assert said.requests == [
        Request("GET", "/v1/models", query=PAGE),
        Request("GET", "/prod/v2/balance", origin="https://api.runcomfy.net"),
    ]
    assert said.result == account


PAGE = {"search": "flux", "include_schema": "true", "limit": "100", "offset": "0"}


def whole_catalogue(**more):
    """Return an entry for each id, without a schema."""
    variants = [one for model in PROVIDER.models.values() for one in (model, *model.variants)]
    return [{"model_id": one.slug, **more} for one in variants]


def test_a_catalogue_of_several_pages_is_read_to_the_end(talk):
    entries = whole_catalogue()
    pages = [{"models": entries[:5], "total": len(entries)}, {"models": entries[5:], "total": len(entries)}]

    said = talk(PROVIDER, PROVIDER.check(), *pages, {"balance_usd": 1})

    assert [request.query.get("offset") for request in said.requests] == ["0", "5", None]
    assert said.result.differences == ()


def test_a_catalogue_that_repeats_a_page_ends_there(talk):
    page = {"models": whole_catalogue()[:1], "total": 9}

    said = talk(PROVIDER, PROVIDER.check(), page, page, {"balance_usd": 1})

    assert len(said.requests) == 3
    assert "flux-1.1-pro-ultra: blackforestlabs/flux-1-1-pro/ultra/text-to-image is not in the catalogue" in (
        said.result.differences
    )


def test_the_dearest_variant_is_the_price_of_a_model(talk):
    entries = whole_catalogue(base_price_usd=0.03, price_unit="output")
    dear = [one | {"base_price_usd": 0.045} if one["model_id"].endswith("pro/edit") else one for one in entries]

    said = talk(PROVIDER, PROVIDER.check(), {"models": dear, "total": len(dear)}, {"balance_usd": 1})

    assert said.result.prices["flux-2-pro"] == 0.045
    assert said.result.prices["flux-2-max"] == 0.03


@pytest.mark.parametrize(
    ("told", "prices"),
    [
        ({"base_price_usd": 0.05, "price_unit": "output"}, {"flux-1.1-pro": 0.05}),
        ({"base_price_usd": "0.05", "price_unit": "output"}, {"flux-1.1-pro": 0.05}),
        ({"base_price_usd": 0.05, "price_unit": "second"}, {}),
        ({"base_price_usd": 0.05}, {}),
        ({"base_price_usd": None, "price_unit": "output"}, {}),
        ({"price_unit": "output"}, {}),
    ],
)
@pytest.mark.parametrize("balance", [{"balance_usd": 1}, UnavailableError("cannot reach it")])
def test_a_check_learns_the_price_of_an_image(talk, told, prices, balance):
    """Of an image, not of a second; also where the balance cannot be had."""
    entry = {"model_id": "blackforestlabs/flux-1-1-pro/text-to-image", **told}

    said = talk(PROVIDER, PROVIDER.check(), {"models": [entry], "total": 1}, balance)

    assert said.result.prices == prices


def test_a_bad_key_is_seen_at_the_first_request(talk, reply):
    said = talk(PROVIDER, PROVIDER.check(), reply({"code": 400004, "error": "UserAccountError"}, 400))

    assert isinstance(said.error, AuthError)


def test_a_model_is_described_without_a_price_where_none_is_published(talk):
    said = talk(PROVIDER, PROVIDER.describe("a/b"), {"display_name": "B"})

    assert dict(said.result.facts) == {"title": "B"}
