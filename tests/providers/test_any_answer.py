"""Whatever a host answers, a conversation ends in the right kind of result or in an error that flux understands."""

from __future__ import annotations

import copy
import json
import unicodedata
from itertools import cycle, islice

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from flux_cli import providers
from flux_cli.jobs import Cancelled, Failed, Queued, RemoteJob, Running, State, Succeeded
from flux_cli.providers.base import Accepted, Account, LostSubmit
from flux_cli.providers.conversation import Response

PROVIDERS = [providers.load(name) for name in providers.NAMES]
TASK = "17a2b204-94c7-4ae5-8c2d-369f6ed0eab6"
PICTURE = "https://h/a.png"
SOUND = [
    {"request_id": TASK, "id": TASK, "jobId": TASK, "data": [{"taskUUID": TASK}], "error_code": None},
    {"status": "completed", "outcome": "cancelled", "queue_position": 3},
    {"status": "succeeded", "output": {"images": [PICTURE], "image": PICTURE}, "cost": 0.06},
    {"status": "failed", "error": {"message": "out of memory"}, "cost": 0.06},
    {"error_code": 400002, "error_message": "no balance"},
    {"code": "RUN_NOT_FOUND", "message": "no such run", "errors": [{"loc": "seed"}]},
    {"status_code": "running", "nodes_completed": 1, "nodes_total": 4},
    {"status_code": "failed", "failure_code": "X", "failure_message": "no", "cost": "0.06"},
    {
        "status_code": "partial_succeeded",
        "output": {
            "outputs": [{"url": PICTURE, "type": "image", "width": 8, "height": 8, "content_type": "image/png"}],
            "image_urls": [PICTURE],
            "seed": 5,
            "timing": {"inference_ms": 9},
            "nsfw_detected": False,
        },
        "duration_ms": 9,
    },
    {"status": "PROCESSING", "progress": 40},
    {
        "status": "COMPLETED",
        "result": {"images": [PICTURE], "image": {"url": PICTURE}},
        "creditCost": 3,
        "expired": True,
    },
    {"status": "FAILED", "error": "content policy"},
    {"error": "Validation failed", "details": {"webhookUrl": ["unknown"]}, "creditsRequired": 3, "creditsAvailable": 1},
    {"team": {"name": "Foxes", "credits": 3}, "url": PICTURE},
    {"balance": "12.5", "balance_usd": 12.5, "currency": "usd"},
    {"data": [{"balance": {"amount": 3}, "organizationName": "Foxes"}]},
    {
        "data": [
            {"taskUUID": TASK, "imageUUID": "a", "imageURL": PICTURE, "seed": 5, "NSFWContent": False, "cost": 0.06},
            {"taskUUID": TASK, "imageBase64Data": "AA==", "resultIndex": 1},
            {"taskUUID": TASK, "imageDataURI": "data:image/png;base64,AA=="},
            {"taskUUID": TASK, "status": "processing", "progress": 40},
            {"taskUUID": TASK, "status": "error", "error": {"code": "x", "message": "y"}},
        ],
        "errors": [{"taskUUID": TASK, "code": "contentPolicyViolation", "message": "no"}],
    },
]
"""Answers that make sense to one provider or another, for something to go wrong with."""

leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(
        ["\x1b[31m", "\u202e", "\ud800", "x" * 400, PICTURE, "nsfw", "AA==", TASK, 404001, 429001, 10**400]
    ),
)
anything = leaves | st.lists(leaves, max_size=3) | st.dictionaries(st.text(max_size=5), leaves, max_size=3)


def places(value, here=()):
    """Every path into a JSON value, the root first."""
    yield here
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, below in inner:
        yield from places(below, (*here, step))


@st.composite
def spoiled(draw):
    """A sound answer in which up to two places hold something else, or nothing."""
    found = [copy.deepcopy(draw(st.sampled_from(SOUND)))]
    for _ in range(draw(st.integers(0, 2))):
        *way, last = (0, *draw(st.sampled_from(list(places(found[0])))))
        spot = found
        for step in way:
            spot = spot[step]
        if isinstance(spot, dict) and draw(st.booleans()):
            del spot[last]
        else:
            spot[last] = draw(anything)
    return found[0]


bodies = st.one_of(
    spoiled().map(lambda value: json.dumps(value).encode()), st.binary(max_size=40), st.just(b"[" * 100_000)
)
answers = st.builds(Response, status=st.sampled_from([200, 400]) | st.integers(100, 599), body=bodies)
quick = hypothesis_settings(max_examples=60, deadline=None)


def harmless(text):
    return not any(
        unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} and character not in "\u200c\u200d"
        for character in text or ""
    )


def shown(state):
    """Every text of a state that comes from the provider and may be shown to a person."""
    match state:
        case Queued(detail=detail) | Running(detail=detail):
            return [detail]
        case Failed(error=error):
            return [error.message, error.vendor_code]
        case Succeeded():
            images = [text for image in state.images for text in (image.url, image.key, image.content_type)]
            error = [state.error.message, state.error.vendor_code] if state.error else []
            return [state.detail, *state.timing, *images, *error]
        case Cancelled():
            return []


CONVERSATIONS = [
    (provider, kind)
    for provider in PROVIDERS
    for kind in ("submit", "poll", "cancel", "check", "find")
    if getattr(provider, kind)
]


@pytest.mark.parametrize(("provider", "kind"), CONVERSATIONS, ids=lambda value: getattr(value, "name", value))
def test_no_answer_whatsoever_ends_in_a_surprise(provider, kind, order, talk):
    """Any bytes under any status end in the right kind of result or in a `FluxError`, in harmless words."""
    remote = RemoteJob(id=TASK, poll_state={"count": 2})
    body = {"prompt": "a fox", "model": "flux-1.1-pro-ultra", "fluxParams": {"seed": 7}}
    lost = LostSubmit(job_id="k3f9q2mx", idempotency_key=TASK, body=body, sent_at=1_795_000_000.0)

    @quick
    @given(st.lists(answers, min_size=1, max_size=3))
    def holds(script):
        conversation = {
            "submit": lambda: provider.submit(order(provider.name)),
            "poll": lambda: provider.poll(remote),
            "cancel": lambda: provider.cancel(remote),
            "check": provider.check,
            "find": lambda: provider.find(lost),
        }[kind]()
        said = talk(provider, conversation, *islice(cycle(script), 9))
        texts = [said.error.message, said.error.vendor_code] if said.error else []
        if said.error is None and kind == "submit":
            assert isinstance(said.result, Accepted)
            texts = [said.result.remote.id, *shown(said.result.state)]
        elif said.error is None and kind == "check":
            assert isinstance(said.result, Account)
            texts = [said.result.name, said.result.balance.currency if said.result.balance else ""]
        elif said.error is None and kind == "find":
            assert said.result is None or isinstance(said.result, RemoteJob)
            texts = [said.result.id] if said.result else []
        elif said.error is None:
            assert isinstance(said.result, State)
            texts = shown(said.result)
        assert all(harmless(text) for text in texts), texts

    holds()
