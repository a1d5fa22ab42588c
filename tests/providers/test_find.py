"""Jobs whose answer was lost are looked for by reads alone, and only what is beyond doubt is taken for found."""

from __future__ import annotations

import pytest

from flux_cli import providers
from flux_cli.errors import ProtocolError, RefusedError, UnavailableError
from flux_cli.jobs import Remote
from flux_cli.providers.base import Lost

RUNFLOW, APIFRAME, RUNWARE = (providers.load(name) for name in ("runflow", "apiframe", "runware"))
SENT = 1_795_000_000.0  # 2026-11-18T11:06:40Z
UUID = "17a2b204-94c7-4ae5-8c2d-369f6ed0eab6"
LOST = Lost(
    job="k3f9q2mx",
    handle=UUID,
    body={"prompt": "a fox", "model": "flux-1.1-pro-ultra", "fluxParams": {"seed": 7}},
    sent_at=SENT,
)


def test_runcomfy_cannot_be_asked():
    assert providers.load("runcomfy").find is None


def test_runflow_is_searched_for_our_label_the_newest_first(talk, reply):
    said = talk(
        RUNFLOW,
        RUNFLOW.find(LOST),
        reply({"items": [{"id": "r-1", "client_ref": "other"}, {"id": "r-2"}], "next_pq": "p2"}),
        reply({"items": [{"id": "r-3", "client_ref": "k3f9q2mx"}], "next_pq": "p3"}),
    )

    assert said.result == Remote(id="r-3")
    assert [(request.method, request.path) for request in said.requests] == [("GET", "/v1/runs")] * 2
    assert said.requests[0].query == {"limit": "500", "sort_by": "created_at:desc"}
    assert said.requests[1].query == {"limit": "500", "sort_by": "created_at:desc", "pq": "p2"}


@pytest.mark.parametrize("following", [{}, {"next_pq": None}, {"next_pq": ""}, {"next_pq": 5}])
def test_runflow_without_our_label_proves_nothing(talk, reply, following):
    assert talk(RUNFLOW, RUNFLOW.find(LOST), reply({"items": [], **following})).result is None


def test_runflow_is_not_searched_for_ever(talk, reply):
    page = reply({"items": [{"id": "r", "client_ref": "x"}], "next_pq": "again"})

    said = talk(RUNFLOW, RUNFLOW.find(LOST), *[page] * 10)

    assert (said.result, len(said.requests)) == (None, 10)


def job(identity="b2c3", made="2026-11-18T11:06:50Z", **told):
    return {"id": identity, "createdAt": made, "input": {"prompt": "a fox", "fluxParams": {"seed": 7}}, **told}


@pytest.mark.parametrize(
    ("jobs", "found"),
    [
        ([job()], "b2c3"),
        ([job(), job("c4d5", input={"prompt": "a fox", "fluxParams": {"seed": 8}})], "b2c3"),
        ([job(input={"prompt": "a fox", "seed": 7})], "b2c3"),
        ([job(made="2026-11-18T11:06:50")], "b2c3"),
        ([job(made=None)], "b2c3"),
        ([job(), job("c4d5")], None),
        ([job(made="2026-11-18T11:00:00Z")], None),
        ([job(made="2026-11-18T12:00:00Z")], None),
        ([job(input=None)], None),
        ([job(input={"prompt": "a cat", "fluxParams": {"seed": 7}})], None),
        ([], None),
    ],
)
def test_apiframe_is_searched_for_our_input_at_our_time(talk, reply, jobs, found):
    """Two jobs that fit prove nothing: taking one could take somebody else's."""
    said = talk(APIFRAME, APIFRAME.find(LOST), reply({"jobs": jobs, "nextCursor": None, "hasMore": False}))

    assert said.result == (None if found is None else Remote(id=found))
    assert said.requests[0].query == {"limit": "100", "model": "flux-1.1-pro-ultra"}


def test_apiframe_with_a_time_that_is_none_is_an_answer_that_makes_no_sense(talk, reply):
    said = talk(APIFRAME, APIFRAME.find(LOST), reply({"jobs": [job(made="yesterday")]}))

    assert isinstance(said.error, ProtocolError)


def test_runware_is_asked_for_the_task_itself(talk, reply):
    told = {"taskType": "getTaskDetails", "taskUUID": UUID, "request": [{}], "response": {}}

    said = talk(RUNWARE, RUNWARE.find(LOST), reply({"data": [told]}))

    assert said.result == Remote(id=UUID)
    assert said.requests[0].json == [{"taskType": "getTaskDetails", "taskUUID": UUID}]
    assert said.requests[0].safe


@pytest.mark.parametrize(
    "data", [[], [{"taskUUID": UUID, "request": []}], [{"taskUUID": "another", "request": [{}]}], None]
)
def test_runware_that_does_not_tell_the_task_proves_nothing(talk, reply, data):
    assert talk(RUNWARE, RUNWARE.find(LOST), reply({"data": data})).result is None


def test_runware_that_refuses_to_tell_proves_nothing(talk):
    assert talk(RUNWARE, RUNWARE.find(LOST), RefusedError("no such task")).result is None


def test_a_provider_that_cannot_be_reached_is_not_a_no(talk):
    for provider in (RUNFLOW, APIFRAME, RUNWARE):
        assert isinstance(talk(provider, provider.find(LOST), UnavailableError("down")).error, UnavailableError)
