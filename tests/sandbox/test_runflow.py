from __future__ import annotations

import io
from uuid import UUID

import pytest
from PIL import Image

from flux_cli.sandbox.runflow import LINK_LIFE
from flux_cli.sandbox.wire import LostReply

ROOT = "https://api.runflow.io/v1"
SUBMIT = f"{ROOT}/models/black-forest-labs/flux-1-1-pro-ultra/runs"
OTHER = f"{ROOT}/models/black-forest-labs/flux-1-1-pro/runs"

RUN = {
    *("id", "status_code", "model_id", "target_type", "org_id", "source_code", "input", "output", "context"),
    *("duration_ms", "cost", "cost_breakdown", "nodes_total", "nodes_completed", "batch_id", "client_ref"),
    *("request_id", "created_at", "started_at", "completed_at", "callback_url", "metadata", "has_logs"),
    *("has_node_runs", "links", "failure_code", "failure_message", "failure_stage_code", "node_runs", "logs"),
}


@pytest.fixture
def submit(ask, told):
    def run(prompt="a fox", seed=3, **more):
        return told(ask("POST", SUBMIT, json_body={"input": {"prompt": prompt, "seed": seed}, **more}))["id"]

    return run


def test_submit(ask, told, clock):
    """A submit is 201 with the whole run, whose id is a UUID of version 7 made now."""
    body = {"input": {"prompt": "a fox", "seed": 5}, "client_ref": "abc", "metadata": {"a": 1}, "callback_url": None}

    answer = ask("POST", SUBMIT, json_body=body)

    run = told(answer)
    name = UUID(run["id"])
    assert answer.status == 201
    assert set(run) == RUN
    assert (name.version, name.int >> 80) == (7, int(clock() * 1000))
    assert {key: run[key] for key in body} == body
    assert (run["status_code"], run["output"], run["cost"]) == ("queued", None, None)


def test_life(ask, told, clock, submit):
    """A run is queued, dispatching, running, succeeded."""
    name, seen = submit(), []

    for _ in range(5):
        seen.append(told(ask("GET", f"{ROOT}/runs/{name}"))["status_code"])
        clock.forward(2.5)

    assert seen == ["queued", "dispatching", "running", "running", "succeeded"]


def test_output(ask, told, clock):
    """The output holds one JPEG with its documented neighbours; nothing was checked; it costs what the page says."""
    run = told(ask("POST", SUBMIT, json_body={"input": {"prompt": "a fox", "seed": 5}}))
    clock.forward(10)
    run = told(ask("GET", f"{ROOT}/runs/{run['id']}"))

    (made,) = run["output"]["outputs"]
    image = Image.open(io.BytesIO(ask("GET", made["url"]).body))

    assert (image.format, image.size) == ("JPEG", (2752, 1536))
    assert (made["type"], made["width"], made["height"], made["content_type"]) == ("image", 2752, 1536, "image/jpeg")
    assert (run["output"]["seed"], run["output"]["nsfw_detected"]) == (5, None)
    assert (run["cost"], run["duration_ms"], run["nodes_completed"]) == ("0.0600", 10_000, 1)


@pytest.mark.parametrize(
    ("fields", "size"), [({}, (1024, 1024)), ({"width": 1440, "height": 1000}, (1440, 1000)), ({"width": 8}, (8, 1024))]
)
def test_the_other_model(ask, told, clock, fields, size):
    """FLUX 1.1 [pro] takes a width and a height, and costs less."""
    run = told(ask("POST", OTHER, json_body={"input": {"prompt": "a fox", **fields}}))
    clock.forward(10)
    run = told(ask("GET", f"{ROOT}/runs/{run['id']}"))

    (made,) = run["output"]["outputs"]
    assert (made["width"], made["height"]) == size
    assert (run["model_id"], run["cost"]) == ("black-forest-labs/flux-1-1-pro", "0.0400")
    assert ask("POST", OTHER, json_body={"input": {"prompt": "a fox", "width": 1441}}).status == 422
    assert ask("POST", SUBMIT, json_body={"input": {"prompt": "a fox", "width": 1440}}).status == 422


def test_cancelled_by_an_administrator(ask, told, clock, submit):
    """The run was neither refunded nor gave an image: it keeps its cost."""
    name = submit("sandbox:cancelled")
    clock.forward(10)

    run = told(ask("GET", f"{ROOT}/runs/{name}"))

    assert (run["status_code"], run["cost"], run["output"], run["failure_code"]) == ("canceled", "0.0600", None, None)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("logs", {"items": []}),
        ("node-runs", {"items": []}),
        ("callback", {"callback_url": "https://you.example/h", "attempts": []}),
    ],
)
def test_what_belongs_to_a_run(ask, told, submit, path, body):
    """Its logs, its steps and its callbacks can be read, under an id that exists."""
    name = submit(callback_url="https://you.example/h")

    assert told(ask("GET", f"{ROOT}/runs/{name}/{path}")) == body
    assert ask("GET", f"{ROOT}/runs/nobody/{path}").status == 404
    assert ask("GET", f"{ROOT}/readiness", headers={"authorization": ""}).status == 200


def test_links_are_signed_anew(ask, told, clock, submit):
    """Every read gives another link; a link lives three days; another signature, or none, is refused."""
    name = submit()
    clock.forward(10)
    first, second = (told(ask("GET", f"{ROOT}/runs/{name}"))["output"]["outputs"][0]["url"] for _ in range(2))

    statuses = [ask("GET", url).status for url in (first, second, first[:-1] + "x", first.partition("?")[0])]
    clock.forward(LINK_LIFE + 1)
    late = told(ask("GET", f"{ROOT}/runs/{name}"))["output"]["outputs"][0]["url"]

    assert first != second
    assert statuses == [200, 200, 403, 403]
    assert (ask("GET", first).status, ask("GET", late).status) == (403, 200)


def test_no_image_before_its_time(ask, submit):
    """Before the run is done, and for other names, the link leads nowhere."""
    name = submit()
    root = "https://runflow-outputs.s3.amazonaws.com"

    assert ask("GET", f"{root}/runs/{name}/0.jpg").status == 404
    assert ask("GET", f"{root}/other").status == 404


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "input"),
        ([], ""),
        ({"input": {}}, "input.prompt"),
        ({"input": {"prompt": "x", "aspect_ratio": "1:1"}}, "input.aspect_ratio"),
        ({"input": {"prompt": "x", "seed": 0}}, "input.seed"),
        ({"input": {"prompt": "x", "seed": "5"}}, "input.seed"),
        ({"input": {"prompt": "x"}, "prompt": "x"}, "prompt"),
        ({"input": {"prompt": "x"}, "callback_url": "x"}, "callback_url"),
        ({"input": {"prompt": "x"}, "callback_url": "https://x.y/" + "z" * 2048}, "callback_url"),
        ({"input": {"prompt": "x"}, "metadata": "x"}, "metadata"),
        ({"input": {"prompt": "x"}, "client_ref": "x" * 256}, "client_ref"),
    ],
)
def test_strictness(ask, told, world, body, path):
    """Whatever the schema does not allow is 422 with the field, and no run is made."""
    answer = ask("POST", SUBMIT, json_body=body)

    assert answer.status == 422
    assert set(told(answer)) == {"code", "message", "errors"}
    assert [one["field"] for one in told(answer)["errors"]] == [path]
    assert world.jobs("runflow") == []


def test_not_json(ask):
    """A body that is no JSON, or does not say that it is, is refused."""
    assert ask("POST", SUBMIT, body=b"{", headers={"content-type": "application/json"}).status == 422
    assert ask("POST", SUBMIT, body=b"{}").status == 415


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/runs/nobody", 404, "RUN_NOT_FOUND"),
        ("POST", "/models/other/runs", 404, "MODEL_NOT_FOUND"),
        ("POST", "/runs/x/cancel", 404, "NOT_FOUND"),
        ("DELETE", "/runs/x", 405, "METHOD_NOT_ALLOWED"),
        ("POST", "/admin/runs/x/cancellation", 401, "UNAUTHORIZED"),
    ],
)
def test_refusals(ask, told, method, path, status, code):
    """What is not there is told with a documented code; nothing can be cancelled with an ordinary key."""
    answer = ask(method, ROOT + path)

    assert (answer.status, told(answer)["code"]) == (status, code)


@pytest.mark.parametrize("path", ["/runs", "/auth/me", "/billing/balance", "/runs/x", "/runs/statuses"])
def test_key(ask, told, path):
    """Nothing but the health can be read without a key."""
    answer = ask("GET", ROOT + path, headers={"authorization": ""})

    assert (answer.status, told(answer)["code"]) == (401, "UNAUTHORIZED")
    assert ask("GET", f"{ROOT}/health", headers={"authorization": ""}).status == 200


def test_account(ask, told):
    """The account, its balance and the list of states can be read."""
    assert told(ask("GET", f"{ROOT}/auth/me"))["org_id"]
    assert told(ask("GET", f"{ROOT}/billing/balance"))["balance"] == "100.00"
    assert "canceled" in told(ask("GET", f"{ROOT}/runs/statuses"))["items"]


def test_list(ask, told, clock, submit):
    """Runs are listed newest first, a page at a time, each once."""
    names = []
    for number in range(5):
        names.append(submit(client_ref=f"job-{number}"))
        clock.forward(1)
    pages, cursor = [], ""

    while cursor is not None:
        page = told(ask("GET", f"{ROOT}/runs?limit=2" + (f"&pq={cursor}" if cursor else "")))
        pages.append([run["client_ref"] for run in page["items"]])
        cursor = page["next_pq"]

    assert pages == [["job-4", "job-3"], ["job-2", "job-1"], ["job-0"]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [3, 2, 1]),
        ("sort_by=created_at:asc", [1, 2, 3]),
        ("sort_by=cost:desc", [1, 2, 3]),
        ("q=status_code:succeeded", [1]),
        ("q=status_code:failed", [2]),
        ("q=cost>0", [1]),
        ("q=client_ref:job-3", [3]),
        ("q=status_code:succeeded AND cost<=0.06", [1]),
        ("q=created_at>=2026-09-21T14:13:21", [3, 2]),
        ("limit=1&pq=YWZ0ZXItMg==&from_prev=true", [3]),
    ],
)
def test_a_list_is_filtered_and_sorted(ask, told, clock, submit, query, found):
    """By fields of a run, as numbers, times and words; with a cursor also backwards."""
    submit(client_ref="job-1")
    clock.forward(1)
    submit("sandbox:fail", client_ref="job-2")
    clock.forward(10)
    submit(client_ref="job-3")

    items = told(ask("GET", f"{ROOT}/runs?fields=client_ref,id{'&' if query else ''}{query}"))["items"]

    assert [int(run["client_ref"][-1]) for run in items] == found
    assert all(run.keys() == {"client_ref", "id"} for run in items)


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=501", "limit=x", "pq=x", "pq=eA==", "sort_by=cost", "sort_by=input:asc", "page=2"),
        *("q=nonsense", "q=input:x", "from_prev=maybe"),
    ],
)
def test_list_strictness(ask, query):
    """A query that is not documented, or out of range, is 422."""
    assert ask("GET", f"{ROOT}/runs?{query}").status == 422


@pytest.mark.parametrize(
    ("word", "status", "code"),
    [
        ("unauthorized", 401, "UNAUTHORIZED"),
        ("credits", 402, "INSUFFICIENT_CREDIT"),
        ("rate-limit", 429, "RATE_LIMITED"),
    ],
)
def test_refusing_rehearsals(ask, told, world, word, status, code):
    """The words for a refusal make no run; a 429 says nothing about when to come again."""
    answer = ask("POST", SUBMIT, json_body={"input": {"prompt": f"sandbox:{word}"}})

    assert (answer.status, told(answer)["code"]) == (status, code)
    assert "retry-after" not in answer.headers
    assert world.jobs("runflow") == []


@pytest.mark.parametrize(
    ("word", "seed", "code", "text"),
    [
        ("moderated", 12, "INPUT_VALIDATION_FAILED", "the request was blocked by the content policy"),
        ("moderated", 3, "INPUT_VALIDATION_FAILED", "The output was flagged as sensitive. (E005)"),
        ("moderated", 1, "CONTENT_MODERATED", "the run could not be completed"),
        ("fail", 1, "INPUT_VALIDATION_FAILED", "the provider refused the input"),
        ("fail", 3, "INPUT_VALIDATION_FAILED", "the provider refused the input"),
    ],
)
def test_failing_rehearsals(ask, told, clock, submit, word, seed, code, text):
    """The words for a failure end in a failed run that costs nothing and says why, by code or by message."""
    name = submit(f"sandbox:{word}", seed)
    clock.forward(10)

    run = told(ask("GET", f"{ROOT}/runs/{name}"))

    assert (run["status_code"], run["output"], run["cost"]) == ("failed", None, "0.00")
    assert (run["failure_code"], run["failure_message"]) == (code, text)
    assert run["failure_stage_code"] == "preprocess"


@pytest.mark.parametrize(("word", "code"), [("moderated", "PROMPT_BLOCKED"), ("fail", "PROVIDER_ERROR")])
def test_the_other_shape_of_a_failure(ask, told, clock, submit, word, code):
    """``status`` and ``error`` stand in the place of ``status_code`` and ``failure_*``."""
    name = submit(f"sandbox:{word}", 2)
    clock.forward(10)

    run = told(ask("GET", f"{ROOT}/runs/{name}"))

    assert (run["status"], run["error"]["code"], bool(run["finished_at"])) == ("failed", code, True)
    assert not [field for field in run if field.startswith("failure_") or field == "status_code"]
    assert told(ask("GET", f"{ROOT}/runs?sort_by=status_code:asc&q=status_code:failed"))["items"] == []


def test_nsfw(ask, told, clock, submit):
    """The word for unsafe content succeeds, and is flagged."""
    name = submit("sandbox:nsfw")
    clock.forward(10)

    assert told(ask("GET", f"{ROOT}/runs/{name}"))["output"]["nsfw_detected"] is True


@pytest.mark.parametrize("word", ["lost-reply", "lost-replies"])
def test_lost_reply(ask, told, word):
    """The run whose reply was lost can be found in the list by its label."""
    with pytest.raises(LostReply):
        ask("POST", SUBMIT, json_body={"input": {"prompt": f"sandbox:{word}"}, "client_ref": "mine"})

    assert [run["client_ref"] for run in told(ask("GET", f"{ROOT}/runs"))["items"]] == ["mine"]
