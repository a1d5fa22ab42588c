"""Submitting to Runware, as in https://runware.ai/docs/models/bfl-flux-1-1-pro-ultra."""

from __future__ import annotations

import pytest

from flux_cli.errors import LostReplyError, ModeratedError, RefusedError, UnknownOutcomeError, UsageError
from flux_cli.jobs import Cost, Image, Queued, RemoteJob, Running, Succeeded
from flux_cli.providers.base import Accepted
from flux_cli.providers.conversation import Request
from flux_cli.providers.runware import PROVIDER

TASK = "17a2b204-94c7-4ae5-8c2d-369f6ed0eab6"
OTHER = "dd08ddc3-a4ff-464a-b8b9-58f1e83733a3"
ACK = {"data": [{"taskType": "imageInference", "taskUUID": TASK}]}


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


def test_a_submit_is_the_documented_task_in_an_array(talk, order):
    wanted = order("runware", seed=33403, raw=True, upsample_prompt=True, safety_tolerance=2)

    said = talk(PROVIDER, PROVIDER.submit(wanted), ACK)

    task = {
        "taskType": "imageInference",
        "taskUUID": TASK,
        "model": "bfl:2@2",
        "positivePrompt": "a fox",
        "width": 2752,
        "height": 1536,
        "seed": 33403,
        "providerSettings": {"bfl": {"raw": True, "promptUpsampling": True, "safetyTolerance": 2}},
        "deliveryMethod": "async",
        "includeCost": True,
    }
    assert said.requests == [Request("POST", "", json=[task], paid=True, repeatable=True)]
    assert said.result == Accepted(remote=remote(), state=Queued())


@pytest.mark.parametrize("ack", [ACK, {"data": []}, {"data": [item(status="processing")]}, {"data": None}, {}])
def test_any_answer_without_an_error_takes_the_job(talk, order, ack):
    said = talk(PROVIDER, PROVIDER.submit(order("runware", _count=4)), ack)

    assert said.bodies[0][0]["numberResults"] == 4
    assert said.result.remote == remote(4)
    assert isinstance(said.result.state, Queued | Running)


def test_a_conflict_on_a_repeat_says_that_the_first_attempt_arrived(talk, order):
    """The transport reports a repeat that was refused after a lost reply as a `LostReplyError` with that refusal."""
    lost = LostReplyError("no answer", refusal=RefusedError("runware: exists", vendor_code="conflictTaskUUID"))

    said = talk(PROVIDER, PROVIDER.submit(order("runware")), lost)

    assert said.result == Accepted(remote=remote())


@pytest.mark.parametrize("refusal", [None, RefusedError("no", vendor_code="invalidModel")])
def test_any_other_lost_reply_stays_lost(talk, order, refusal):
    lost = LostReplyError("no answer", refusal=refusal)

    said = talk(PROVIDER, PROVIDER.submit(order("runware")), lost)

    assert said.error is lost


def test_a_conflict_on_the_first_attempt_leaves_open_whether_the_task_was_accepted(talk, order, reply):
    """The UUID is new, so it was sent twice by something on the way: there may be a task, and it may be paid for."""
    said = talk(PROVIDER, PROVIDER.submit(order("runware")), reply({"errors": [problem("conflictTaskUUID")]}, 400))

    assert type(said.error) is UnknownOutcomeError


def test_an_error_under_200_refuses_the_submit_as_what_it_is(talk, order):
    said = talk(PROVIDER, PROVIDER.submit(order("runware")), {"data": [], "errors": [problem("invalidPositivePrompt")]})

    assert type(said.error) is UsageError


def test_an_error_of_another_task_does_not_refuse_ours(talk, order):
    foreign = problem("invalidModel", taskUUID=OTHER)

    said = talk(PROVIDER, PROVIDER.submit(order("runware")), {**ACK, "errors": [foreign]})

    assert said.result.remote == remote()


def test_synchronous_delivery_finishes_with_the_submit(talk, order):
    wanted = order("runware", _extra={"deliveryMethod": "sync"})

    said = talk(PROVIDER, PROVIDER.submit(wanted), {"data": [item("a", seed=7, cost=0.06)]})

    assert said.bodies[0][0]["deliveryMethod"] == "sync"
    assert said.result.state == Succeeded(images=(picture("a", seed=7),), seed=7, cost=Cost(amount=0.06))


def test_synchronous_delivery_that_lacks_images_says_how_many(talk, order):
    wanted = order("runware", _count=3, _extra={"deliveryMethod": "sync"})

    said = talk(PROVIDER, PROVIDER.submit(wanted), {"data": [item("a"), item("b")]})

    assert said.result.state.error.message == "1 of 3 images were not made: runware gave no reason"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"errors": [problem("contentPolicyViolation")]}, ModeratedError),
        ({"data": []}, RefusedError),
        ({"data": [item(status="processing")]}, RefusedError),
    ],
)
def test_synchronous_delivery_without_an_image_has_failed(talk, order, answer, kind):
    said = talk(PROVIDER, PROVIDER.submit(order("runware", _extra={"deliveryMethod": "sync"})), answer)

    assert type(said.error) is kind


def test_a_synchronous_job_cannot_be_left_alone(talk, order):
    wanted = order("runware", _wait=False, _extra={"deliveryMethod": "sync"})

    said = talk(PROVIDER, PROVIDER.submit(wanted))

    assert type(said.error) is UsageError
    assert said.error.hint == "use --no-wait or --param deliveryMethod=sync, not both"
    assert said.requests == []


def test_an_asynchronous_job_can(talk, order):
    assert talk(PROVIDER, PROVIDER.submit(order("runware", _wait=False)), ACK).error is None
