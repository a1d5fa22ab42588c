from __future__ import annotations

import io

import pytest
from PIL import Image

from flux_cli.sandbox.wire import LostReply

ROOT = "https://model-api.runcomfy.net/v1"
ULTRA = f"{ROOT}/models/blackforestlabs/flux-1-1-pro/ultra/text-to-image"
PRO = f"{ROOT}/models/blackforestlabs/flux-1-1-pro/text-to-image"


@pytest.fixture
def submit(ask, told):
    def run(prompt="a fox", url=PRO, **more):
        return told(ask("POST", url, json_body={"prompt": prompt, **more}))["request_id"]

    return run


def test_submit(ask, told):
    """A submit is answered at once with the id and three links."""
    answer = ask("POST", ULTRA, json_body={"prompt": "a fox", "aspect_ratio": "9:21", "seed": 4, "raw": True})

    body = told(answer)
    assert answer.status == 200
    assert set(body) == {"request_id", "status_url", "result_url", "cancel_url"}
    assert body["status_url"] == f"{ROOT}/requests/{body['request_id']}/status"


def test_life(ask, told, clock, submit):
    """Queue, progress, completion: the queue says completed, the result says succeeded."""
    name = submit()
    seen = []

    for _ in range(4):
        status = told(ask("GET", f"{ROOT}/requests/{name}/status"))
        result = told(ask("GET", f"{ROOT}/requests/{name}/result"))
        seen.append((status["status"], status.get("queue_position"), result["status"], "output" in result))
        clock.forward(3.5)

    assert seen == [
        ("in_queue", 3, "in_queue", False),
        ("in_progress", None, "in_progress", False),
        ("in_progress", None, "in_progress", False),
        ("completed", None, "succeeded", True),
    ]


@pytest.mark.parametrize(
    ("url", "fields", "size"),
    [
        (PRO, {}, (1344, 768)),
        (PRO, {"image_size": "1:1"}, (1024, 1024)),
        (PRO, {"image_size": "Custom"}, (1024, 1024)),
        (PRO, {"image_size": "1:1 (hd)"}, (1408, 1408)),
        (ULTRA, {"aspect_ratio": "9:21"}, (1344, 3136)),
    ],
)
def test_image(ask, told, clock, submit, url, fields, size):
    """The link of the result leads to a PNG of the asked shape."""
    name = submit(url=url, **fields)
    clock.forward(10)
    result = told(ask("GET", f"{ROOT}/requests/{name}/result"))

    link = result["output"]["image"] if url == PRO else result["output"]["images"][0]
    answer = ask("GET", link)

    image = Image.open(io.BytesIO(answer.body))
    assert (answer.status, image.format, image.size) == (200, "PNG", size)
    assert link == f"https://playgrounds-storage-public.runcomfy.net/sandbox/{name}/0.png"


@pytest.mark.parametrize(
    ("url", "prompt", "cost"), [(PRO, "a fox", 0.04), (ULTRA, "a fox", 0.06), (PRO, "sandbox:fail", 0.0)]
)
def test_cost_only_where_asked(ask, told, clock, submit, url, prompt, cost):
    """The cost is in the result where the query asks for it: that of the description, or nothing for a failure."""
    name = submit(prompt, url=url)
    clock.forward(10)

    plain = told(ask("GET", f"{ROOT}/requests/{name}/result"))
    costly = told(ask("GET", f"{ROOT}/requests/{name}/result?include_cost=true"))

    assert "cost" not in plain
    assert costly["cost"] == cost
    assert told(ask("GET", url))["base_price_usd"] in {cost, 0.04}


def test_no_image_before_its_time(ask, submit, clock):
    """Before the job is done, and for other names, the link leads nowhere."""
    name = submit()
    root = "https://playgrounds-storage-public.runcomfy.net"
    early = ask("GET", f"{root}/sandbox/{name}/0.png")
    clock.forward(10)

    others = [
        ask("GET", f"{root}{path}") for path in (f"/sandbox/{name}/1.png", f"/x/{name}/0.png", "/sandbox/a/0.png")
    ]

    assert [early.status, *(answer.status for answer in others)] == [404] * 4


def test_cancel_in_the_queue(ask, told, clock, submit):
    """A queued job can be taken off, for good."""
    name = submit()

    answer = ask("POST", f"{ROOT}/requests/{name}/cancel")
    clock.forward(99)

    assert answer.status == 202
    assert told(answer) == {"request_id": name, "status": "cancelled", "outcome": "cancelled"}
    assert told(ask("GET", f"{ROOT}/requests/{name}/status"))["status"] == "cancelled"
    assert told(ask("GET", f"{ROOT}/requests/{name}/result"))["status"] == "cancelled"


@pytest.mark.parametrize(("seconds", "status"), [(4, "in_progress"), (10, "completed")])
def test_cancel_too_late(ask, told, clock, submit, seconds, status):
    """A running or finished job goes on, and the answer is 202 all the same."""
    name = submit()
    clock.forward(seconds)

    answer = ask("POST", f"{ROOT}/requests/{name}/cancel")

    assert answer.status == 202
    assert told(answer) == {"request_id": name, "status": status, "outcome": "not_cancellable"}


@pytest.mark.parametrize(
    ("url", "body", "status", "text"),
    [
        (ULTRA, {}, 422, "prompt is required"),
        (ULTRA, [], 422, "body must be an object"),
        (ULTRA, {"prompt": 1}, 422, "prompt must be a string"),
        (ULTRA, {"prompt": "x", "aspect_ratio": "3:2"}, 422, "aspect_ratio must be one of"),
        (ULTRA, {"prompt": "x", "image_size": "1:1"}, 422, "image_size is not a known field"),
        (PRO, {"prompt": "x", "aspect_ratio": "1:1"}, 422, "aspect_ratio is not a known field"),
        (PRO, {"prompt": "x", "image_size": "21:9"}, 422, "image_size must be one of"),
        (PRO, {"prompt": "x", "seed": "1"}, 422, "seed must be an integer"),
        (PRO, {"prompt": "x", "raw": 1}, 422, "raw must be a boolean"),
        (f"{ROOT}/models/other", {"prompt": "x"}, 400, "400001"),
    ],
)
def test_strictness(ask, world, url, body, status, text):
    """Whatever the schema does not allow is refused, and no job is made."""
    answer = ask("POST", url, json_body=body)

    assert answer.status == status
    assert text in answer.body.decode()
    assert world.jobs("runcomfy") == []


def test_not_json(ask):
    """A body that is no JSON, or does not say that it is, is refused."""
    assert ask("POST", PRO, body=b"{", headers={"content-type": "application/json"}).status == 422
    assert ask("POST", PRO, body=b"{}").status == 415


@pytest.mark.parametrize("key", ["", "Bearer ", "Basic eA==", "made-up"])
def test_key(ask, told, key):
    """A missing or malformed key is refused as the pages document it: with 400 and a code."""
    answer = ask("POST", PRO, json_body={"prompt": "x"}, headers={"authorization": key})

    assert answer.status == 400
    assert told(answer) == {"code": 400004, "error": "UserAccountError"}


@pytest.mark.parametrize("what", ["status", "result", "cancel"])
def test_unknown_request(ask, told, what):
    """An id that was never given out is 404001."""
    answer = ask("POST" if what == "cancel" else "GET", f"{ROOT}/requests/nobody/{what}")

    assert (answer.status, told(answer)["code"]) == (404, 404001)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("DELETE", "/requests/x/cancel", 405), ("GET", "/requests/x", 404), ("GET", "/", 404)],
)
def test_paths(ask, method, path, status):
    """Only the documented paths exist, under their documented methods."""
    assert ask(method, ROOT + path).status == status


def test_model_and_balance(ask, told):
    """The description of a model and the balance can be read with a key."""
    model = told(ask("GET", ULTRA))
    balance = told(ask("GET", "https://api.runcomfy.net/prod/v2/balance"))

    assert {"model_id", "display_name", "base_price_usd", "price_unit", "categories"} <= set(model)
    assert model["input_schema"]["properties"]["aspect_ratio"]["enum"][:2] == ["21:9", "16:9"]
    assert (model["base_price_usd"], model["price_unit"]) == (0.06, "output")
    assert balance == {"balance_usd": 100.0, "currency": "USD"}
    other = ask("GET", f"{ROOT}/models/other")
    assert (other.status, told(other)["code"]) == (400, 400001)


@pytest.mark.parametrize(
    ("query", "titles", "total"),
    [
        ("?search=1.1", ["Flux 1.1 Pro Ultra", "FLUX 1.1 Pro"], 2),
        ("?search=ultra", ["Flux 1.1 Pro Ultra"], 1),
        ("?category=video", [], 0),
        ("?search=1.1&limit=1&offset=1", ["FLUX 1.1 Pro"], 2),
    ],
)
def test_catalogue(ask, told, query, titles, total):
    """The models are listed, with their schemas where they are asked for, and the categories too."""
    plain = told(ask("GET", f"{ROOT}/models{query}"))
    whole = told(ask("GET", f"{ROOT}/models{query}{'&' if query else '?'}include_schema=true"))

    assert ([one["display_name"] for one in plain["models"]], plain["total"]) == (titles, total)
    assert all("input_schema" not in one for one in plain["models"])
    assert all("input_schema" in one for one in whole["models"])
    assert told(ask("GET", f"{ROOT}/models/categories")) == {"categories": ["text-to-image"]}
    assert ask("GET", f"{ROOT}/models?limit=x").status == 422


@pytest.mark.parametrize(
    ("word", "seed", "status", "text"),
    [
        ("unauthorized", 0, 400, '"code":400004'),
        ("unauthorized", 1, 401, "UserAccountError"),
        ("unauthorized", 2, 200, '"error_code":400004'),
        ("credits", 0, 400, '"code":400002'),
        ("credits", 1, 402, "InsufficientResources"),
        ("credits", 2, 200, '"error_code":400002'),
        ("rate-limit", 5, 429, "Too Many Requests"),
    ],
)
def test_refusing_rehearsals(ask, world, word, seed, status, text):
    """The words for a refusal make no job; the seed chooses among the shapes in which one is known to come."""
    answer = ask("POST", PRO, json_body={"prompt": f"a fox sandbox:{word}", "seed": seed})

    assert (answer.status, text in answer.body.decode()) == (status, True)
    assert world.jobs("runcomfy") == []


@pytest.mark.parametrize(
    ("word", "seed", "queue", "text"),
    [
        ("moderated", 0, "completed", "content policy"),
        ("moderated", 1, "completed", "Request Moderated"),
        ("moderated", 2, "completed", "prohibited words"),
        ("moderated", 3, "completed", "flagged as sensitive"),
        ("fail", 0, "completed", "could not make"),
        ("fail", 1, "failed", "could not make"),
    ],
)
def test_failing_rehearsals(ask, told, clock, submit, word, seed, queue, text):
    """The words for a failure end in completed, or failed, and a result that failed, in words that vary."""
    name = submit(f"sandbox:{word}", seed=seed)
    clock.forward(10)

    status = told(ask("GET", f"{ROOT}/requests/{name}/status"))
    result = told(ask("GET", f"{ROOT}/requests/{name}/result"))

    assert (status["status"], result["status"]) == (queue, "failed")
    assert text in str(result["error"])
    assert "output" not in result


def test_cancelled_by_somebody_else(ask, told, clock, submit):
    """The word for it ends in cancelled, in the queue and in the result, without a cost."""
    name = submit("sandbox:cancelled")
    clock.forward(10)

    status = told(ask("GET", f"{ROOT}/requests/{name}/status"))
    result = told(ask("GET", f"{ROOT}/requests/{name}/result?include_cost=true"))

    assert (status["status"], result["status"]) == ("cancelled", "cancelled")
    assert not {"output", "cost", "error"} & result.keys()


@pytest.mark.parametrize("word", ["lost-reply", "lost-replies"])
def test_lost_reply(ask, world, word):
    """Every submit whose reply is lost makes a job: there is no handle here."""
    for _ in range(2):
        with pytest.raises(LostReply):
            ask("POST", PRO, json_body={"prompt": f"sandbox:{word}"})

    assert len(world.jobs("runcomfy")) == 2
