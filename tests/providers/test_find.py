"""Jobs whose answer was lost are looked for by reads alone, and only what is beyond doubt is taken for found."""

from __future__ import annotations

import pytest

from flux_cli import providers
from flux_cli.errors import ProtocolError, RefusedError, UnavailableError
from flux_cli.jobs import RemoteJob
from flux_cli.providers.base import LostSubmit

RUNFLOW, APIFRAME, RUNWARE = (providers.load(name) for name in ("runflow", "apiframe", "runware"))
SENT = 1_795_000_000.0  # 2026-11-18T11:06:40Z
UUID = "17a2b204-94c7-4ae5-8c2d-369f6ed0eab6"
LOST = LostSubmit(
    job_id="k3f9q2mx",
    idempotency_key=UUID,
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

    assert said.result == RemoteJob(id="r-3")
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
    """A job as its own address tells it."""
    return {"id": identity, "createdAt": made, "input": {"prompt": "a fox", "fluxParams": {"seed": 7}}, **told}


def page(*jobs, following=None):
    """A page of the list, whose items have no input."""
    items = [{name: told for name, told in one.items() if name != "input"} for one in jobs]
    return {"jobs": items, "nextCursor": following, "hasMore": following is not None}


@pytest.mark.parametrize(
    ("jobs", "found"),
    [
        ([job()], "b2c3"),
        ([job(), job("c4d5", input={"prompt": "a fox", "fluxParams": {"seed": 8}})], "b2c3"),
        ([job(input={"prompt": "a fox", "seed": 7})], "b2c3"),
        ([job(made="2026-11-18T11:06:50")], "b2c3"),
        ([job(made=None)], "b2c3"),
        ([job(), job("c4d5", input=None)], "b2c3"),
        ([job(), job("c4d5")], None),
        ([job(), job("c4d5"), job("d6e7")], None),
        ([job(input=None)], None),
        ([job(input={"prompt": "a cat", "fluxParams": {"seed": 7}})], None),
        ([], None),
    ],
)
def test_apiframe_is_searched_for_our_input_at_our_time(talk, jobs, found):
    """The list says when; only each job itself says what was asked for. Two that fit prove nothing."""
    said = talk(APIFRAME, APIFRAME.find(LOST), page(*jobs), *jobs)

    assert said.error is None
    assert said.result == (None if found is None else RemoteJob(id=found))
    assert said.requests[0].query == {"limit": "100", "model": "flux-1.1-pro-ultra"}
    assert {request.path for request in said.requests[1:]} <= {f"/v2/jobs/{one['id']}" for one in jobs}
    assert all(request.method == "GET" for request in said.requests)


def test_apiframe_is_asked_only_for_the_jobs_of_our_time_the_nearest_first(talk):
    others = [job("a", made="2026-11-18T12:00:00Z"), job("z", made="2026-11-18T11:00:00Z")]
    far, near = job("far", made="2026-11-18T11:12:00Z", input=None), job("near", made="2026-11-18T11:06:41Z")

    said = talk(APIFRAME, APIFRAME.find(LOST), page(others[0], far, near, others[1]), near, far)

    assert [request.path for request in said.requests[1:]] == ["/v2/jobs/near", "/v2/jobs/far"]
    assert said.result == RemoteJob(id="near")


def test_apiframe_is_searched_page_by_page_until_jobs_are_older_than_ours(talk):
    younger, older = job("y", made="2026-11-18T13:00:00Z"), job("o", made="2026-11-18T10:00:00Z")

    said = talk(
        APIFRAME,
        APIFRAME.find(LOST),
        page(younger, following="c1"),
        page(younger, job(), following="c2"),
        page(older, following="c3"),
        job(),
    )

    assert [request.query.get("cursor") for request in said.requests[:3]] == [None, "c1", "c2"]
    assert said.result == RemoteJob(id="b2c3")


def test_apiframe_is_not_searched_for_ever(talk):
    young = page(job("y", made="2026-11-18T13:00:00Z"), following="again")

    said = talk(APIFRAME, APIFRAME.find(LOST), *[young] * 10)

    assert (said.result, len(said.requests)) == (None, 10)


def test_a_job_of_apiframes_list_that_is_gone_when_it_is_read_is_passed_over(talk, reply):
    said = talk(APIFRAME, APIFRAME.find(LOST), page(job(), job("gone")), job(), reply({"error": "Job not found"}, 404))

    assert said.result == RemoteJob(id="b2c3")


def test_apiframe_with_a_time_that_is_none_is_an_answer_that_makes_no_sense(talk, reply):
    said = talk(APIFRAME, APIFRAME.find(LOST), reply({"jobs": [job(made="yesterday")]}))

    assert isinstance(said.error, ProtocolError)


def test_runware_is_asked_for_the_task_itself(talk, reply):
    told = {"taskType": "getTaskDetails", "taskUUID": UUID, "request": [{}], "response": {}}

    said = talk(RUNWARE, RUNWARE.find(LOST), reply({"data": [told]}))

    assert said.result == RemoteJob(id=UUID)
    assert said.requests[0].json == [{"taskType": "getTaskDetails", "taskUUID": UUID}]
    assert said.requests[0].idempotent


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
