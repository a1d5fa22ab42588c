"""The pages of fal, as bodies: https://fal.ai/docs, the vendor's clients and the OpenAPI document of its platform."""

from __future__ import annotations

import json
from dataclasses import replace
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
from flux_cli.http.endpoint import Endpoint
from flux_cli.jobs import Cancelled, Cost, Failed, Image, LocalFile, Queued, RemoteJob, Running, Succeeded
from flux_cli.providers.base import Accepted, LostSubmit
from flux_cli.providers.conversation import Response, drive
from flux_cli.providers.fal import PROVIDER
from tests.providers.cells import Validators, group_rows, list_cells, list_needed

ID = "764cabcf-b745-4b3e-ae38-1200304cf45b"
ENDPOINT = "fal-ai/flux-2-pro/edit"
BELOW = f"https://queue.fal.run/fal-ai/flux-2-pro/requests/{ID}"
URLS = {"status_url": f"{BELOW}/status", "response_url": BELOW, "cancel_url": f"{BELOW}/cancel"}
REMOTE = RemoteJob(id=ID, poll_state={"endpoint": ENDPOINT, **URLS})
LINK = "https://v3b.fal.media/files/b/x/0.jpg"
DONE = {"status": "COMPLETED", "request_id": ID, "metrics": {"inference_time": 3.2}}
BLOCK = {"loc": ["body", "prompt"], "msg": "flagged by a content checker", "type": "content_policy_violation"}
SCHEMAS = json.loads((Path(__file__).parent / "schemas" / "fal.json").read_text())
VALIDATORS = Validators(SCHEMAS)
SENT = 1_795_000_000.0  # 2026-11-18T11:06:40Z


@pytest.fixture
def hold(reply):
    """Hold a conversation as the real transport does: an answer about a request is one, whatever its HTTP status."""

    def hold(conversation, *answers):
        requests, script = [], iter(answers)

        def send(request):
            requests.append(request)
            answer = next(script)
            if isinstance(answer, Exception):
                raise answer
            answer = answer if isinstance(answer, Response) else reply(answer)
            if PROVIDER.is_answer(answer):
                return answer
            refusal = PROVIDER.refusal(answer)
            if refusal is not None:
                raise refusal
            if answer.status >= 500:
                raise UnavailableError(f"fal answered HTTP {answer.status}")
            return answer

        return drive(conversation, send), requests

    return hold


def images(*links, **more):
    return {"images": [{"url": link, "width": 1024, "height": 768} for link in links], **more}


def test_a_submit_keeps_the_endpoint_and_the_addresses(talk, order):
    wanted = order("fal", "flux-2-pro", image="https://example.com/a.png", webhook="https://you.example/hook")

    said = talk(
        PROVIDER, PROVIDER.submit(wanted), {"request_id": ID, **URLS, "status": "IN_QUEUE", "queue_position": 2}
    )

    (request,) = said.requests
    assert said.result == Accepted(remote=REMOTE, state=Queued(position=2))
    assert (request.method, request.path) == ("POST", f"/{ENDPOINT}")
    assert request.json == {"prompt": "a fox", "seed": 7, "image_urls": ["https://example.com/a.png"]}
    assert request.query == {"fal_webhook": "https://you.example/hook"}
    assert request.headers == {"x-fal-no-retry": "1"}
    assert request.paid
    assert not request.idempotent


def test_without_addresses_only_the_endpoint_is_kept(talk, order):
    said = talk(PROVIDER, PROVIDER.submit(order("fal")), {"request_id": ID, "status_url": 5})

    assert said.result.remote.poll_state == {"endpoint": "fal-ai/flux-pro/v1.1-ultra"}
    assert said.requests[0].query == {}


def large(order, name="/fox.png"):
    planned = order("fal", "kontext", image=name)
    file = replace(planned.files[name], size=3_000_000, media_type="image/png")
    return replace(planned, files={name: file})


def test_a_large_image_goes_to_the_storage_without_the_key(talk, order):
    said = talk(
        PROVIDER,
        PROVIDER.submit(large(order)),
        {"token": "t0ken", "token_type": "Bearer", "base_url": "https://v3b.fal.media"},
        {"access_url": "https://v3.fal.media/files/b/x.png"},
        {"request_id": ID},
    )

    token, upload, submit = said.requests
    assert (token.origin, token.path, token.json) == ("https://rest.fal.ai", "/storage/auth/token", {})
    assert token.secret_answer
    assert (upload.origin, upload.path, upload.keyless) == ("https://v3.fal.media", "/files/upload", True)
    assert upload.headers == {"Authorization": "Bearer t0ken", "X-Fal-File-Name": "image.png"}
    assert (upload.upload.field, upload.upload.path, upload.upload.media_type) == ("", "/fox.png", "image/png")
    assert submit.json["image_url"] == "https://v3.fal.media/files/b/x.png"
    assert [request.paid for request in said.requests] == [False, False, True]


@pytest.mark.parametrize("answer", [{"token": "a\r\nX: y", "token_type": "Bearer"}, {"token": "a"}, {"token_type": ""}])
def test_a_token_that_is_not_one_is_not_sent(talk, order, answer):
    said = talk(PROVIDER, PROVIDER.submit(large(order)), answer)

    assert isinstance(said.error, ProtocolError)
    assert len(said.requests) == 1


def test_a_small_image_travels_inside_the_request(order):
    (body,) = [next(PROVIDER.submit(order("fal", "kontext", image="/fox.png"))).json]

    assert isinstance(body["image_url"], LocalFile)
    assert body["image_url"].prefix == "data:image/png;base64,"


@pytest.mark.parametrize(
    ("images", "slug"),
    [
        ([], "fal-ai/flux-pro/kontext/text-to-image"),
        (["https://e.example/1"], "fal-ai/flux-pro/kontext"),
        (["https://e.example/1", "https://e.example/2"], "fal-ai/flux-pro/kontext/multi"),
    ],
)
def test_kontext_has_an_endpoint_for_each_number_of_images(order, images, slug):
    assert next(PROVIDER.submit(order("fal", "kontext", image=images))).path == f"/{slug}"


@pytest.mark.parametrize(
    ("body", "state"),
    [
        ({"status": "IN_QUEUE", "queue_position": 3}, Queued(position=3)),
        ({"status": "IN_PROGRESS", "logs": None}, Running()),
        ({"status": "SOMETHING_NEW"}, Running(detail="SOMETHING_NEW")),
    ],
)
@pytest.mark.parametrize("status", [200, 202])
def test_the_states_of_a_request(hold, reply, body, state, status):
    found, (request,) = hold(PROVIDER.poll(REMOTE), reply(body, status))

    assert found == state
    assert (request.method, request.url) == ("GET", URLS["status_url"])


@pytest.mark.parametrize(
    ("endpoint", "path"),
    [
        ("fal-ai/flux-2-pro/edit", "/fal-ai/flux-2-pro"),
        ("fal-ai/flux/dev", "/fal-ai/flux"),
        ("blackforestlabs/flux-3/edit-image", "/blackforestlabs/flux-3"),
        ("workflows/me/mine", "/workflows/me/mine"),
        ("comfy/me/mine/more", "/comfy/me/mine"),
    ],
)
def test_addresses_are_built_without_the_sub_path(hold, endpoint, path):
    remote = RemoteJob(id=ID, poll_state={"endpoint": endpoint, "status_url": 5})

    _, (first, second) = hold(PROVIDER.poll(remote), DONE, images(LINK))

    assert (first.url, first.path) == (None, f"{path}/requests/{ID}/status")
    assert second.path == f"{path}/requests/{ID}"


def test_a_finished_request_has_images_its_seed_and_its_cost(hold, reply):
    result = reply(images(LINK, LINK, seed=42, has_nsfw_concepts=[True, False]), 200, x_fal_billable_units="2.5")
    prices = {"prices": [{"endpoint_id": ENDPOINT, "unit_price": 0.03, "unit": "megapixels", "currency": "USD"}]}

    state, requests = hold(PROVIDER.poll(REMOTE), DONE, result, prices)

    first, second = (Image(url=LINK, width=1024, height=768, nsfw=flag) for flag in (True, False))
    assert state == Succeeded(images=(replace(first, seed=42), second), seed=42, cost=Cost(amount=0.075))
    assert requests[1].url == URLS["response_url"]
    assert (requests[2].origin, requests[2].path) == ("https://api.fal.ai", "/v1/models/pricing")
    assert requests[2].query == {"endpoint_id": ENDPOINT}


@pytest.mark.parametrize(
    "prices",
    [
        UnavailableError("down"),
        {"prices": []},
        {"prices": [{"endpoint_id": ENDPOINT, "unit_price": 0.03, "unit": "images", "currency": "EUR"}]},
        {"prices": [{"endpoint_id": ENDPOINT, "unit_price": None, "currency": "USD"}]},
    ],
)
def test_without_a_price_the_cost_is_not_known(hold, reply, prices):
    result = reply(images(LINK, has_nsfw_concepts=[]), 200, x_fal_billable_units="1")

    state, _ = hold(PROVIDER.poll(REMOTE), DONE, result, prices)

    assert state == Succeeded(images=(Image(url=LINK, width=1024, height=768),))


def test_without_units_no_price_is_read(hold):
    state, requests = hold(PROVIDER.poll(REMOTE), DONE, images(LINK, has_nsfw_concepts=None))

    assert state.cost is None
    assert len(requests) == 2


@pytest.mark.parametrize(
    ("status", "body", "headers", "kind", "message", "charged"),
    [
        (422, {"detail": [BLOCK]}, {}, ModeratedError, "prompt: flagged by a content checker", "unknown"),
        (422, [BLOCK], {}, ModeratedError, "prompt: flagged by a content checker", "unknown"),
        (
            422,
            {"detail": "Sorry", "error_type": "content_policy_violation"},
            {},
            ModeratedError,
            "Sorry",
            "unknown",
        ),
        (
            422,
            {"detail": [{"loc": ["body", "seed"], "msg": "odd", "type": "value_error"}, BLOCK]},
            {},
            ModeratedError,
            "seed: odd; prompt: flagged by a content checker",
            "unknown",
        ),
        (
            422,
            {"detail": [{"type": "face_detection_error"}, 5]},
            {},
            RefusedError,
            "face_detection_error; 5",
            "unknown",
        ),
        (500, {"detail": [{"msg": "crash", "type": "internal_server_error"}]}, {}, RefusedError, "crash", "no"),
        (504, {"detail": "late", "error_type": "generation_timeout"}, {}, RefusedError, "late", "no"),
        (503, b"gone", {"x_fal_error_type": "runner_disconnected"}, RefusedError, "runner_disconnected", "no"),
    ],
)
def test_a_completed_request_may_have_failed(hold, reply, status, body, headers, kind, message, charged):
    state, _ = hold(PROVIDER.poll(REMOTE), DONE, reply(body, status, **headers))

    assert isinstance(state, Failed)
    assert type(state.error) is kind
    assert (state.error.message, state.error.charged) == (f"fal: {message}", charged)


@pytest.mark.parametrize("body", [b"<html>", {"status": "COMPLETED"}])
def test_a_gateway_that_fails_says_nothing_about_the_model(hold, reply, body):
    for answers in ([reply(body, 502)], [DONE, reply(body, 502)]):
        with pytest.raises(UnavailableError):
            hold(PROVIDER.poll(REMOTE), *answers)


def test_a_status_that_fails_says_nothing_about_the_model(hold, reply):
    with pytest.raises(UnavailableError, match="the queue answered HTTP 503"):
        hold(PROVIDER.poll(REMOTE), reply({"detail": "x", "error_type": "y"}, 503))


@pytest.mark.parametrize(("status", "body"), [(413, b"<html>"), (400, {"detail": "Request is still in progress"})])
def test_a_refusal_without_a_type_is_no_failure_of_the_model(hold, reply, status, body):
    with pytest.raises(UsageError):
        hold(PROVIDER.poll(REMOTE), DONE, reply(body, status))


@pytest.mark.parametrize("told", [{"error": "the partner failed"}, {"error_type": "downstream_service_error"}])
def test_a_refusal_without_a_type_is_a_failure_where_the_status_says_so(hold, reply, told):
    state, _ = hold(PROVIDER.poll(REMOTE), {**DONE, **told}, reply({"detail": "the partner failed"}, 400))

    assert isinstance(state, Failed)
    assert state.error.message == "fal: the partner failed"


@pytest.mark.parametrize(("metrics", "charged"), [({"inference_time": 2.0}, "unknown"), ({}, None), (None, None)])
def test_a_request_that_was_cancelled(hold, reply, metrics, charged):
    answer = reply({"detail": "Cancelled", "error_type": "client_cancelled"}, 499)

    state, _ = hold(PROVIDER.poll(REMOTE), {**DONE, "metrics": metrics}, answer)

    assert isinstance(state, Cancelled)
    assert (state.error.charged if state.error else None) == charged


CANCELLED = [({"status": "CANCELLATION_REQUESTED"}, 202), ({"success": True}, 200)]
TOO_LATE = [({"status": "ALREADY_COMPLETED"}, 400), ({"success": False}, 200)]


@pytest.mark.parametrize(("body", "status"), CANCELLED)
@pytest.mark.parametrize(
    ("after", "kind"),
    [
        (({"status": "IN_QUEUE"}, 200), Cancelled),
        (({"status": "IN_PROGRESS"}, 200), Running),
        (({"detail": "not found"}, 404), Cancelled),
    ],
)
def test_a_cancel(hold, reply, body, status, after, kind):
    state, (put, _) = hold(PROVIDER.cancel(REMOTE), reply(body, status), reply(*after))

    assert type(state) is kind
    assert (put.method, put.url) == ("PUT", URLS["cancel_url"])
    assert put.mutates
    assert put.repeatable


@pytest.mark.parametrize(("body", "status"), TOO_LATE)
def test_a_cancel_that_comes_too_late(hold, reply, body, status):
    state, _ = hold(PROVIDER.cancel(REMOTE), reply(body, status), DONE, images(LINK))

    assert isinstance(state, Succeeded)


def test_a_cancel_of_a_request_that_is_not_known(hold, reply):
    with pytest.raises(NotFoundError):
        hold(PROVIDER.cancel(REMOTE), reply({"status": "NOT_FOUND"}, 404), reply({"detail": "no"}, 404))


def test_a_request_that_flux_did_not_submit_is_tried_under_each_model(hold, reply):
    missing = reply({"detail": "Request not found"}, 404)

    state, requests = hold(PROVIDER.poll(RemoteJob(id=ID)), missing, missing, {"status": "IN_QUEUE"})
    cancelled, _ = hold(
        PROVIDER.cancel(RemoteJob(id=ID)), {"status": "IN_QUEUE"}, {"success": True}, {"status": "IN_QUEUE"}
    )

    assert isinstance(state, Queued)
    assert isinstance(cancelled, Cancelled)
    assert [request.path.split("/requests/")[0] for request in requests] == [
        "/fal-ai/flux-pro",
        "/fal-ai/flux-kontext",
        "/fal-ai/flux-2-pro",
    ]


def test_the_cost_of_a_request_that_flux_did_not_submit_is_not_known(hold, reply):
    state, _ = hold(PROVIDER.poll(RemoteJob(id=ID)), DONE, reply(images(LINK), 200, x_fal_billable_units="1"))

    assert state.cost is None


LOST = LostSubmit(
    job_id="k3f9q2mx",
    idempotency_key="",
    body={"prompt": "a fox", "seed": 7, "image_urls": ["(data-uri of /fox.png: 10 bytes, sha256 0)"]},
    path=f"/{ENDPOINT}",
    sent_at=SENT,
)


def row(name=ID, at="2026-11-18T11:06:50.000Z", **fields):
    return {"request_id": name, "sent_at": at, "json_input": {"prompt": "a fox", "seed": 7, "image_urls": [], **fields}}


def test_a_lost_request_is_found_by_its_input(hold):
    pages = (
        {"items": [row("r-1", seed=8), {"request_id": "r-2", "sent_at": "2026-11-18T11:06:50Z"}], "next_cursor": "c2"},
        {"items": [row()], "next_cursor": None},
    )

    found, requests = hold(PROVIDER.find(LOST), *pages)

    assert found == RemoteJob(id=ID, poll_state={"endpoint": ENDPOINT})
    assert requests[0].origin == "https://api.fal.ai"
    assert requests[0].query == {
        "endpoint_id": ENDPOINT,
        "start": "2026-11-18T11:04:40Z",
        "expand": "payloads",
        "limit": "100",
    }
    assert requests[1].query["cursor"] == "c2"


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [row("r-1"), row("r-2")],
        [row(at="2026-11-18T11:00:00Z")],
        [row(at="2026-11-18T12:00:00Z")],
        [row(prompt="an owl")],
    ],
)
def test_what_is_in_doubt_is_not_found(hold, rows):
    assert hold(PROVIDER.find(LOST), {"items": rows})[0] is None


def test_a_lost_request_is_not_searched_for_ever(hold):
    found, requests = hold(PROVIDER.find(LOST), *[{"items": [row("r", seed=8)], "next_cursor": "again"}] * 10)

    assert (found, len(requests)) == (None, 10)


def test_with_another_base_url_the_list_is_not_asked(hold):
    assert hold(PROVIDER.find(LOST), UsageError("is not asked"))[0] is None


def priced(name, amount, unit):
    return {"endpoint_id": PROVIDER.models[name].slug, "unit_price": amount, "unit": unit, "currency": "USD"}


def test_the_key_check_reads_the_prices(hold):
    """Where the unit is an image, or each megapixel costs the same."""
    prices = [
        priced("flux-1.1-pro-ultra", 0.07, "image"),
        priced("flux-1.1-pro", 0.05, "megapixels"),
        priced("flux-2-pro", 0.015, "megapixels"),
        priced("flux-2-dev", 0.001, "compute seconds"),
    ]

    account, (request,) = hold(PROVIDER.check(), {"prices": prices})

    asked = request.query["endpoint_id"].split(",")
    assert account.prices == {"flux-1.1-pro-ultra": 0.07, "flux-1.1-pro": 0.05}
    assert 1 <= len(asked) <= 50
    assert PROVIDER.models["flux-2-klein-4b"].slug not in asked  # an id that only third parties name


def published(*endpoints, **fields):
    """Return what the platform says of endpoints; the schema of what one makes comes first."""
    made = {"properties": {"images": {}, "prompt": {}}}
    taken = {"properties": {"prompt": {"type": "string"}, **fields}, "required": ["prompt"]}
    schemas = {"components": {"schemas": {"AMade": made, "Input": taken, "Other": 5}}}
    about = {"display_name": "FLUX.2 [pro]"}
    return {"models": [{"endpoint_id": one, "metadata": about, "openapi": schemas} for one in endpoints]}


def test_an_endpoint_is_described_by_its_public_schema(hold):
    found, (request,) = hold(PROVIDER.describe(ENDPOINT), published(ENDPOINT, seed={"type": "integer"}))

    assert found.facts == {"title": "FLUX.2 [pro]"}
    assert [(field.name, field.required) for field in found.fields] == [("prompt", True), ("seed", False)]
    assert (request.origin, request.path, request.keyless) == ("https://api.fal.ai", "/v1/models", True)
    assert request.query == {"endpoint_id": ENDPOINT, "expand": "openapi-3.0"}


@pytest.mark.parametrize("told", [{}, {"metadata": 5, "openapi": None}, {"openapi": {"components": None}}])
def test_an_endpoint_of_which_little_is_published(hold, told):
    found, _ = hold(PROVIDER.describe(ENDPOINT), {"models": [{"endpoint_id": ENDPOINT, **told}]})

    assert (found.facts, found.fields) == ({}, ())


def test_an_endpoint_that_is_not_there_is_not_described(hold, reply):
    unknown = reply({"error": {"type": "not_found", "message": "no such id"}}, 404)

    for answer in ({"models": []}, unknown):
        with pytest.raises(NotFoundError, match="fal has no endpoint fal-ai/x"):
            hold(PROVIDER.describe("fal-ai/x"), answer)


def test_a_published_schema_is_compared_with_the_table(hold):
    model = PROVIDER.models["flux-3-image"]
    every = [one.slug for one in (model, *model.variants)]
    fields = {name: words for name, words in SCHEMAS[every[1]]["properties"].items() if name != "resolution"}

    found, (request,) = hold(PROVIDER.compare(model), published(*every, **fields, seed={"type": "integer"}))

    assert request.query["endpoint_id"] == ",".join(every)
    assert set(found) == {
        "flux-3-image no longer has a field resolution",
        "flux-3-image has a field seed that flux does not know",
        "flux-3-image has a field image_urls that flux does not know",
    }
    assert hold(PROVIDER.compare(model), {"models": []})[0] == ()


@pytest.mark.parametrize("answer", [({"detail": "Request not found"}, 404), ({"status": "IN_QUEUE"}, 200)])
def test_with_another_base_url_the_queue_checks_the_key(hold, reply, answer):
    account, requests = hold(PROVIDER.check(), UsageError("is not asked"), reply(*answer))

    assert account.prices == {}
    assert requests[1].origin is None
    with pytest.raises(AuthError):
        hold(PROVIDER.check(), UsageError("is not asked"), reply({"detail": "no key"}, 401))


@pytest.mark.parametrize(
    ("status", "body", "kind", "text"),
    [
        (401, {"detail": "Authentication is required"}, AuthError, "Authentication is required"),
        (403, {"detail": "User is locked. Reason: Exhausted balance. Top up."}, PaymentError, "User is locked"),
        (403, {"detail": "Access denied"}, AuthError, "Access denied"),
        (404, {"detail": "Path /x not found"}, NotFoundError, "Path /x not found"),
        (429, {"detail": "Too many requests"}, UnavailableError, "Too many requests"),
        (401, {"error": {"type": "authorization_error", "message": "Invalid key"}}, AuthError, "Invalid key"),
        (422, {"detail": [{"loc": ["body", "seed"], "msg": "not an integer"}]}, UsageError, "seed: not an integer"),
        (422, {"detail": [BLOCK]}, ModeratedError, "prompt: flagged"),
        (418, {}, RefusedError, "HTTP 418"),
    ],
)
def test_refusals(reply, status, body, kind, text):
    error = PROVIDER.refusal(reply(body, status))

    assert type(error) is kind
    assert error.message.startswith(f"fal: {text}")
    assert not PROVIDER.is_answer(reply(body, status))


@pytest.mark.parametrize("status", [200, 202, 500, 502, 503])
def test_what_may_have_been_accepted_is_no_refusal(reply, status):
    assert PROVIDER.refusal(reply(b"<html>", status)) is None


def test_a_submit_that_a_runner_failed_may_have_been_accepted(hold, reply, order):
    """It is neither a refusal nor repeated."""
    with pytest.raises(LostReplyError, match="fal answered HTTP 504"):
        hold(PROVIDER.submit(order("fal")), reply({"detail": "x", "error_type": "request_timeout"}, 504))


@pytest.mark.parametrize(("model", "cells"), group_rows(list_cells(PROVIDER)))
def test_every_option_of_every_endpoint_fits_the_vendors_schema(subtests, order, model, cells):
    schema = SCHEMAS[model.slug]
    for name, value in cells:
        with subtests.test(option=name, value=value):
            request = next(PROVIDER.submit(order("fal", model.name, **{**list_needed(model), name: value})))

            assert request.path == f"/{model.slug}" or name == "image"
            VALIDATORS[request.path[1:]].validate(request.json)
            assert set(request.json) <= set(SCHEMAS[request.path[1:]]["properties"])
            field = model.options[name].field
            assert field in schema["properties"] if field else request.query == {"fal_webhook": value}


def test_several_images_are_one_field_of_the_open_models(order):
    assert next(PROVIDER.submit(order("fal", "flux-dev", _count=3))).json["num_images"] == 3
    assert PROVIDER.models["flux-2-pro"].max_images == PROVIDER.models["flux-3-image"].max_images == 1


@pytest.mark.parametrize(
    ("model", "name", "value", "sent"),
    [
        ("flux-2-pro", "aspect_ratio", "16:9", {"image_size": {"width": 1360, "height": 768}}),
        ("flux-2-pro", "aspect_ratio", "21:9", {"image_size": {"width": 1552, "height": 672}}),
        ("flux-1.1-pro", "aspect_ratio", "21:9", {"image_size": {"width": 1344, "height": 576}}),
        ("flux-2-pro", "size", "2048x2048", {"image_size": {"width": 2048, "height": 2048}}),
        ("flux-2-pro", "safety_tolerance", 5, {"safety_tolerance": "5"}),
        ("flux-3-image", "safety_tolerance", 4, {"safety_tolerance": 4}),
        ("flux-3-image", "resolution", "768", {"resolution": "768sq"}),
        ("flux-3-image", "aspect_ratio", "7:5", {"aspect_ratio": "7:5"}),
        ("flux-1.1-pro", "format", "webp", {"output_format": "png"}),
        ("flux-2-dev", "format", "webp", {"output_format": "webp"}),
        ("flux-2-dev", "upsample_prompt", True, {"enable_prompt_expansion": True}),
        ("flux-1.1-pro", "upsample_prompt", True, {"enhance_prompt": True}),
        ("flux-2-klein-4b-base", "negative", "blur", {"negative_prompt": "blur"}),
    ],
)
def test_what_is_sent_for_an_option(order, model, name, value, sent):
    body = next(PROVIDER.submit(order("fal", model, **{name: value}))).json

    assert {field: body[field] for field in sent} == sent


@pytest.mark.parametrize(
    ("model", "pixels", "inputs", "price"),
    [
        ("flux-1.1-pro", 2**20, [], 0.04),
        ("flux-1.1-pro", 2**20 + 1, [], 0.08),
        ("flux-1.1-pro-ultra", 4 * 2**20, [], 0.06),
        ("flux-kontext-pro", 2**20, [2**20], 0.04),
        ("flux-kontext-max", 2**20, [2**20], 0.08),
        ("flux-2-pro", 1920 * 1080, [2**20], 0.06),
        ("flux-2-flex", 1024 * 1024, [2**20], 0.10),
        ("flux-2-max", 1920 * 1080, [2**20], 0.13),
        ("flux-dev", 1024 * 1024, [], 0.025),
        ("flux-schnell", 1024 * 1024, [], 0.003),
        ("flux-2-klein-4b-base", 2048 * 1024, [], 0.018),
        ("flux-3-image", 512 * 512, [], 0.041),
        ("flux-3-image", 1024 * 1024, [], 0.048),
        ("flux-3-image-klein", 2048 * 2048, [], 0.014),
    ],
)
def test_prices_are_those_of_the_pages(model, pixels, inputs, price):
    assert PROVIDER.models[model].price.estimate(pixels, inputs) == pytest.approx(price)


@pytest.mark.parametrize(
    "url",
    [
        f"{BELOW}/status",
        f"https://queue.falrun.com/fal-ai/flux-2-pro/requests/{ID}/status",
        f"https://fal.run/fal-ai/flux-2-pro/requests/{ID}",
    ],
)
def test_the_key_goes_to_the_vendors_own_addresses(url):
    endpoint = Endpoint(provider=PROVIDER, base_url=PROVIDER.base_url, key="k")
    request = next(PROVIDER.poll(RemoteJob(id=ID, poll_state={"endpoint": ENDPOINT, "status_url": url})))

    assert endpoint.url(request) == url


@pytest.mark.parametrize(
    "url",
    [
        f"https://evil.example/fal-ai/flux-2-pro/requests/{ID}/status",
        f"https://fal.run.evil.example/fal-ai/flux-2-pro/requests/{ID}/status",
        f"https://evilfal.run/fal-ai/flux-2-pro/requests/{ID}/status",
        f"http://queue.falrun.com/fal-ai/flux-2-pro/requests/{ID}/status",
        f"https://user@queue.falrun.com/fal-ai/flux-2-pro/requests/{ID}/status",
        "https://v3.fal.media/files/b/x.png",
    ],
)
def test_the_key_goes_to_no_other_address(url):
    endpoint = Endpoint(provider=PROVIDER, base_url=PROVIDER.base_url, key="k")
    request = next(PROVIDER.poll(RemoteJob(id=ID, poll_state={"endpoint": ENDPOINT, "status_url": url})))

    assert endpoint.url(request) == f"{BELOW}/status"


def test_nonsense_is_an_ordinary_error(talk):
    for body in ([], {}, {"status": "COMPLETED"}, Response(status=200, body=b"<html>")):
        assert isinstance(talk(PROVIDER, PROVIDER.poll(REMOTE), body, {}).error, ProtocolError)
