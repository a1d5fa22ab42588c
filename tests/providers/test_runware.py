"""Runware's pages, as bodies: https://runware.ai/docs/models/bfl-flux-1-1-pro-ultra and …/platform/task-polling."""

from __future__ import annotations

import base64
from uuid import UUID

import pytest

from flux_cli.errors import (
    AuthError,
    ModeratedError,
    PartialError,
    ProtocolError,
    RefusedError,
    UsageError,
)
from flux_cli.jobs import Cancelled, Cost, Failed, Image, Queued, RemoteJob, Running, Succeeded
from flux_cli.providers.base import Account
from flux_cli.providers.conversation import Request
from flux_cli.providers.runware import PROVIDER

TASK = "17a2b204-94c7-4ae5-8c2d-369f6ed0eab6"
OTHER = "dd08ddc3-a4ff-464a-b8b9-58f1e83733a3"
PICTURE = "https://im.runware.ai/image/os/a19d05/ws/3/ii/2337f8e5-5950-4428-99a0-746875c9c043.jpg"
ACK = {"data": [{"taskType": "imageInference", "taskUUID": TASK}]}
BYTES = b"\xff\xd8\xff\xe0 not a picture"
BASE64 = base64.b64encode(BYTES).decode()


def item(key=None, **more):
    """One element of ``data``; with a key it is a finished image."""
    finished = {"imageUUID": key, "imageURL": f"https://im.runware.ai/{key}.jpg"} if key else {}
    return {"taskType": "imageInference", "taskUUID": TASK, **finished, **more}


def problem(code, message="why not", **more):
    return {"code": code, "message": message, "taskType": "imageInference", "taskUUID": TASK, **more}


def remote(count=1):
    return RemoteJob(id=TASK, poll_state={"count": count})


def picture(key, **more):
    return Image(key=key, url=f"https://im.runware.ai/{key}.jpg", **more)


@pytest.mark.parametrize(
    ("count", "body", "state"),
    [
        (1, {"data": []}, Queued(seen=False)),
        (1, {"data": [item("x", taskUUID=OTHER)], "errors": [problem("boom", taskUUID=OTHER)]}, Queued(seen=False)),
        (1, ACK, Queued()),
        (1, {"data": [item(status="processing")]}, Running()),
        (1, {"data": [item(status="pending")]}, Running()),
        (1, {"data": [item(status="processing", progress=30)]}, Running(progress=30)),
        (1, {"data": [item(status="processing", progress=1e9)]}, Running(progress=100)),
        (1, {"data": [item(status="warming\x07")]}, Running(detail="warming\\x07")),
        (1, {"data": [item(status="success")]}, Running()),
        (2, {"data": [item("a", status="success")]}, Running()),
        (2, {"data": [item("a"), item("a")]}, Running()),
        (2, {"data": [item("a"), item(status="processing")]}, Running()),
        (2, {"data": [item(status="processing")], "errors": [problem("inferenceError")]}, Running()),
        (None, {"data": [item("a"), item(status="processing")]}, Running()),
    ],
)
def test_every_answer_that_is_not_the_end(talk, count, body, state):
    said = talk(PROVIDER, PROVIDER.poll(remote(count)), body)

    assert said.requests == [Request("POST", "", json=[{"taskType": "getResponse", "taskUUID": TASK}], repeatable=True)]
    assert said.result == state


def test_polls_are_cumulative_and_an_image_counts_once(talk):
    """The same image told twice is one image; the last word on it holds."""
    body = {"data": [item("a"), item("b", cost=0.01), item("a", cost=0.02), item("b", cost=0.03)]}

    said = talk(PROVIDER, PROVIDER.poll(remote(2)), body)

    assert said.result == Succeeded(images=(picture("a"), picture("b")), cost=Cost(amount=0.05))


def test_images_without_an_id_are_told_apart_by_index_or_place(talk):
    one, two = item(imageURL=PICTURE + "?1", resultIndex=1), item(imageURL=PICTURE + "?0", resultIndex=0)

    by_index = talk(PROVIDER, PROVIDER.poll(remote(2)), {"data": [one, two]}).result
    by_place = talk(
        PROVIDER, PROVIDER.poll(remote(2)), {"data": [item(imageURL=PICTURE), item(imageURL=PICTURE)]}
    ).result

    assert [image.key for image in by_index.images] == ["1", "0"]
    assert [image.key for image in by_place.images] == ["0", "1"]


def test_a_task_whose_count_nobody_told_is_done_when_nothing_is_waited_for(talk):
    said = talk(PROVIDER, PROVIDER.poll(RemoteJob(id=TASK.upper())), {"data": [item("a"), item("b")]})

    assert len(said.result.images) == 2


def test_three_images_and_an_error_of_four_are_a_success_in_part(talk):
    body = {
        "data": [item(key, cost=0.06, seed=seed) for seed, key in enumerate("abc")],
        "errors": [problem("providerError", "ran hot."), problem("boom", taskUUID=OTHER)],
    }

    said = talk(PROVIDER, PROVIDER.poll(remote(4)), body)

    assert said.result.images == (picture("a", seed=0), picture("b", seed=1), picture("c", seed=2))
    assert said.result.cost == Cost(amount=0.18)
    assert type(said.result.error) is PartialError
    assert said.result.error.message == "1 of 4 images were not made: runware: ran hot"


def test_an_item_may_be_the_error(talk):
    body = {"data": [item("a"), item(status="error", error={"code": "providerError", "message": "ran hot"})]}

    said = talk(PROVIDER, PROVIDER.poll(remote(2)), body)

    assert said.result.error.message == "1 of 2 images were not made: runware: ran hot"


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        ({"errors": [problem("contentPolicyViolation", "not that")]}, ModeratedError, "runware: not that"),
        ({"error": problem("inferenceError", "older shape")}, RefusedError, "runware: older shape"),
        ({"errors": [{"code": "providerError"}]}, RefusedError, "runware: providerError"),
        ({"errors": [{"message": "nameless"}]}, RefusedError, "runware: nameless"),
        ({"errors": [{"x": 1}]}, RefusedError, "runware: no reason given"),
        ({"data": [item(status="error", error={"code": "promptBlocked"})]}, ModeratedError, "runware: promptBlocked"),
        ({"data": [item(status="error", code="providerError")]}, RefusedError, "runware: providerError"),
        ({"errors": [problem("invalidSeed", "late")]}, RefusedError, "runware: late"),
    ],
)
def test_a_task_that_failed_has_failed_whole(talk, body, kind, message):
    """One error speaks for all four images if nothing else is waited for; the job failed, not the command line."""
    said = talk(PROVIDER, PROVIDER.poll(remote(4)), body)

    assert isinstance(said.result, Failed)
    assert (type(said.result.error), said.result.error.message) == (kind, message)


@pytest.mark.parametrize(
    ("code", "kind"), [("contentPolicyViolation", ModeratedError), ("invalidSeed", RefusedError), ("odd", RefusedError)]
)
def test_what_is_said_of_the_task_under_400_is_its_end_too(talk, reply, code, kind):
    said = talk(PROVIDER, PROVIDER.poll(remote()), reply({"errors": [problem(code)]}, 400))

    assert isinstance(said.result, Failed)
    assert type(said.result.error) is kind


BLOCKED, RAN_HOT = problem("invalidProviderContent", "not that"), problem("providerError", "ran hot")


@pytest.mark.parametrize(
    "body",
    [
        {"errors": [BLOCKED]},
        {"errors": [RAN_HOT, BLOCKED]},
        {"errors": [RAN_HOT], "data": [item(status="error", error=BLOCKED)]},
        {"errors": [problem("providerError", "blocked by the content policy")]},
    ],
)
def test_a_block_is_the_reason_whatever_else_went_wrong(talk, body):
    """It would be met again, so it is never safe to repeat."""
    said = talk(PROVIDER, PROVIDER.poll(remote(2)), body)

    assert type(said.result.error) is ModeratedError
    assert said.result.error.retry == "never"


CANCELLED = problem("taskCancelled", "the task was cancelled")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"errors": [CANCELLED]}, 200),
        ({"data": [item(status="error", error={"code": "taskCancelled", "message": "x"})]}, 200),
        ({"errors": [CANCELLED]}, 400),
        ({"errors": [CANCELLED]}, 404),
    ],
)
def test_a_task_that_was_cancelled_has_not_failed(talk, reply, body, status):
    said = talk(PROVIDER, PROVIDER.poll(remote(2)), reply(body, status))

    assert isinstance(said.result, Cancelled)
    assert said.result.error.charged == "unknown"  # no page says that an aborted task is free


def test_a_task_of_which_a_part_was_cancelled_has_its_images(talk):
    said = talk(PROVIDER, PROVIDER.poll(remote(2)), {"data": [item("a")], "errors": [CANCELLED]})

    assert said.result.images == (picture("a"),)
    assert said.result.error.message == "1 of 2 images were not made: runware: the task was cancelled"


def test_a_task_that_was_cancelled_and_blocked_is_blocked(talk):
    said = talk(PROVIDER, PROVIDER.poll(remote(2)), {"errors": [CANCELLED, BLOCKED]})

    assert type(said.result.error) is ModeratedError


def test_items_in_any_order_are_images_in_the_order_of_their_seeds(talk):
    """The first has the seed that was asked for, so that ``--like`` makes the same images again."""
    told = [item(key, seed=seed) for key, seed in (("c", 9), ("a", 7), ("d", 10), ("b", 8))]

    said = talk(PROVIDER, PROVIDER.poll(remote(4)), {"data": told})

    assert [image.key for image in said.result.images] == ["a", "b", "c", "d"]
    assert said.result.seed == 7


@pytest.mark.parametrize(("status", "body"), [(400, b"<html>"), (418, {}), (302, b""), (400, {"errors": "text"})])
def test_a_stranger_cannot_end_a_task(talk, reply, status, body):
    said = talk(PROVIDER, PROVIDER.poll(remote()), reply(body, status))

    assert said.result is None
    assert isinstance(said.error, RefusedError | UsageError)


@pytest.mark.parametrize("code", ["invalidApiKey", "rateLimitExceeded", "taskNotFound"])
def test_what_is_said_of_us_is_not_the_end_of_the_task(talk, reply, code):
    said = talk(PROVIDER, PROVIDER.poll(remote()), reply({"errors": [problem(code)]}, 400))

    assert said.error.vendor_code == code


@pytest.mark.parametrize(
    ("told", "image"),
    [
        ({"imageURL": PICTURE}, Image(key="k", url=PICTURE)),
        ({"imageBase64Data": BASE64}, Image(key="k", data=BYTES)),
        ({"imageDataURI": f"data:image/jpeg;base64,{BASE64}"}, Image(key="k", data=BYTES)),
        (
            {"imageURL": PICTURE, "seed": 5, "NSFWContent": True, "status": "success"},
            Image(key="k", url=PICTURE, seed=5, nsfw=True),
        ),
        ({"imageURL": PICTURE, "seed": "5", "NSFWContent": 1}, Image(key="k", url=PICTURE)),
    ],
)
def test_an_image_comes_as_a_link_or_as_bytes(talk, told, image):
    said = talk(PROVIDER, PROVIDER.poll(remote()), {"data": [item(imageUUID="k", **told)]})

    assert said.result.images == (image,)


@pytest.mark.parametrize(
    "told",
    [{"imageBase64Data": "%%%"}, {"imageDataURI": "data:,x"}, {"imageURL": "file:///etc/passwd"}, {"imageURL": 3}],
)
def test_an_image_that_cannot_be_read_makes_no_sense(talk, told):
    said = talk(PROVIDER, PROVIDER.poll(remote()), {"data": [item(imageUUID="k", **told)]})

    assert isinstance(said.error, ProtocolError)


@pytest.mark.parametrize(
    ("details", "account"),
    [
        ({"balance": 12.5, "organizationName": "Foxes"}, Account(balance=Cost(amount=12.5), name="Foxes")),
        ({"balance": {"currency": "USD", "amount": 3}}, Account(balance=Cost(amount=3))),
        ({"balance": {}}, Account()),
        ({"balance": None}, Account()),
    ],
)
def test_a_key_check_reads_the_balance_in_both_shapes(talk, details, account):
    said = talk(PROVIDER, PROVIDER.check(), {"data": [{"taskType": "accountManagement", **details}]})

    assert said.bodies[0][0]["operation"] == "getDetails"
    assert said.result == account


def test_every_key_check_has_a_uuid_of_its_own(talk):
    """A taskUUID is good for one task, also for one that only reads: a second check under the same is refused."""
    tasks = [talk(PROVIDER, PROVIDER.check(), {"data": []}).bodies[0][0]["taskUUID"] for _ in range(2)]

    assert tasks[0] != tasks[1]
    assert [UUID(task).version for task in tasks] == [4, 4]


@pytest.mark.parametrize("status", [200, 400])
def test_a_key_check_whose_repeat_met_itself_is_made_anew(talk, reply, status):
    """The transport repeats a lost read as it was, and the host knows its UUID by then."""
    met = reply({"errors": [problem("conflictTaskUUID")]}, status)

    said = talk(PROVIDER, PROVIDER.check(), met, {"data": [{"balance": 3}]})
    twice = talk(PROVIDER, PROVIDER.check(), met, met)

    assert said.result == Account(balance=Cost(amount=3))
    assert len({body[0]["taskUUID"] for body in said.bodies}) == 2
    assert (twice.error.vendor_code, len(twice.requests)) == ("conflictTaskUUID", 2)


def test_a_key_check_that_fails_otherwise_is_not_made_anew(talk, reply):
    said = talk(PROVIDER, PROVIDER.check(), reply({"errors": [problem("standardError")]}, 400))

    assert (said.error.vendor_code, len(said.requests)) == ("standardError", 1)


def test_a_key_check_without_details_knows_nothing(talk):
    assert talk(PROVIDER, PROVIDER.check(), {"data": []}).result == Account()


def test_a_bad_key_is_a_bad_key_under_200_too(talk):
    said = talk(PROVIDER, PROVIDER.check(), {"errors": [{"code": "invalidApiKey", "message": "no such key"}]})

    assert type(said.error) is AuthError


def test_a_task_cannot_be_cancelled_and_its_id_is_ours():
    assert PROVIDER.cancel is None
    assert PROVIDER.idempotency_key_is_id
