from __future__ import annotations

import base64
import io
from uuid import UUID, uuid4

import pytest
from PIL import Image

from flux_cli.sandbox.runware import image_uuid
from flux_cli.sandbox.wire import LostReply

URL = "https://api.runware.ai/v1"
TASK = "17a2b204-94c7-4ae5-8c2d-369f6ed0eab6"
PRO = {
    "taskType": "imageInference",
    "taskUUID": TASK,
    "model": "bfl:2@1",
    "positivePrompt": "a fox",
    "width": 256,
    "height": 288,
    "seed": 7,
    "deliveryMethod": "async",
}


@pytest.fixture
def poll(post):
    return lambda task=TASK: post({"taskType": "getResponse", "taskUUID": task})


def test_submit(post):
    """An asynchronous submit is acknowledged, with nothing else."""
    assert post(PRO) == (200, {"data": [{"taskType": "imageInference", "taskUUID": TASK}]})


def test_life(poll, post, clock):
    """A task reads like an unknown one while it is queued, then shows its progress, then its result."""
    post(PRO)
    seen = []

    for _ in range(4):
        status, body = poll()
        seen.append([(item["status"], item.get("progress"), "imageURL" in item) for item in body["data"]])
        assert (status, list(body)) == (200, ["data"])
        clock.forward(3.5)

    assert seen == [[], [("processing", 7, False)], [("processing", 57, False)], [("success", None, True)]]


def test_many_results(poll, post, clock):
    """Results come one after the other, every poll repeats the earlier ones, and each has its seed and its UUID."""
    post({**PRO, "numberResults": 4})
    counts, first = [], []

    for _ in range(8):
        _, body = poll()
        done = [item for item in body["data"] if item["status"] == "success"]
        counts.append((len(done), len(body["data"]) - len(done)))
        assert all(item in done for item in first)
        first = done
        clock.forward(1.75)

    assert counts == [(0, 0), (0, 0), (0, 1), (1, 1), (2, 1), (3, 1), (4, 0), (4, 0)]
    assert sorted(item["seed"] for item in first) == [7, 8, 9, 10]
    assert [item["seed"] for item in first] != [7, 8, 9, 10]
    assert len({item["imageUUID"] for item in first}) == 4


def test_image_uuid():
    """Images have UUIDs of version 4, as documented, all different, and the way back is the same."""
    tasks = [str(uuid4()) for _ in range(20)]

    names = {image_uuid(task, index) for task in tasks for index in range(20)}

    assert len(names) == 400
    assert {(UUID(name).version, UUID(name).variant) for name in names} == {(4, UUID(TASK).variant)}
    assert image_uuid(image_uuid(TASK, 3), 3) == TASK


@pytest.mark.parametrize(
    ("fields", "kind", "end"),
    [({}, "JPEG", ".jpg"), ({"outputFormat": "PNG"}, "PNG", ".png"), ({"outputFormat": "WEBP"}, "WEBP", ".webp")],
)
def test_image(ask, poll, post, clock, fields, kind, end):
    """The link of each result leads to its image, of the asked format and size."""
    post({**PRO, **fields, "numberResults": 2})
    clock.forward(10)
    _, body = poll()

    answers = [ask("GET", item["imageURL"]) for item in body["data"]]

    images = [Image.open(io.BytesIO(answer.body)) for answer in answers]
    assert [(image.format, image.size) for image in images] == [(kind, (256, 288))] * 2
    assert answers[0].body != answers[1].body
    name = body["data"][1]["imageUUID"]
    assert body["data"][1]["imageURL"] == f"https://im.runware.ai/image/ws/2/ii/{name}{end}"


def test_other_links(ask, post, clock):
    """Another number, format or name leads nowhere."""
    post(PRO)
    clock.forward(10)
    root = "https://im.runware.ai"
    paths = [image_uuid(TASK, 1) + ".jpg", image_uuid(TASK, 0) + ".png", f"{uuid4()}.jpg", "x.jpg"]

    assert [ask("GET", f"{root}/image/ws/2/ii/{path}").status for path in paths] == [404] * 4
    assert ask("GET", f"{root}/image/ws/2/ii/{image_uuid(TASK, 0)}.jpg").status == 200


@pytest.mark.parametrize("kind", ["base64Data", "dataURI"])
def test_bytes_in_the_answer(post, kind):
    """The image may come in the answer itself."""
    _, body = post({**PRO, "deliveryMethod": "sync", "outputType": kind})

    (item,) = body["data"]
    text = item["imageBase64Data"] if kind == "base64Data" else item["imageDataURI"]
    prefix, _, encoded = text.rpartition(",")
    assert "imageURL" not in item
    assert prefix == ("" if kind == "base64Data" else "data:image/jpeg;base64")
    assert Image.open(io.BytesIO(base64.b64decode(encoded, validate=True))).size == (256, 288)


def test_synchronous_is_the_default(post, poll):
    """Without a word about delivery the results are in the answer; later polls have them too."""
    status, body = post(
        {**{name: value for name, value in PRO.items() if name != "deliveryMethod"}, "numberResults": 2}
    )

    assert status == 200
    assert {item["seed"] for item in body["data"]} == {7, 8}
    assert all("imageURL" in item and "status" not in item for item in body["data"])
    assert [item["imageUUID"] for item in poll()[1]["data"]] == [item["imageUUID"] for item in body["data"]]


@pytest.mark.parametrize(
    ("fields", "flag", "cost"),
    [
        ({}, None, None),
        ({"includeCost": True}, None, 0.04),
        ({"safety": {"checkContent": True}}, False, None),
        ({"safety": {"mode": "fast"}}, False, None),
        ({"safety": {"checkContent": True}, "positivePrompt": "sandbox:nsfw"}, True, None),
        ({"positivePrompt": "sandbox:nsfw"}, None, None),
    ],
)
def test_what_was_asked_for(post, fields, flag, cost):
    """The flag and the cost are there where they were asked for; it is the price of the model's page."""
    _, body = post({**PRO, "deliveryMethod": "sync", **fields})

    assert (body["data"][0].get("NSFWContent"), body["data"][0].get("cost")) == (flag, cost)


def test_conflict(post, clock, world):
    """A taskUUID is good for one task, also in capitals and also when that one is long done."""
    post(PRO)

    early, (status, body) = post(PRO), post({**PRO, "taskUUID": TASK.upper()})
    clock.forward(100)

    assert (status, body["errors"][0]["code"], body["errors"][0]["parameter"]) == (400, "conflictTaskUUID", "taskUUID")
    assert early[0] == post(PRO)[0] == 400
    assert len(world.jobs("runware")) == 1


@pytest.mark.parametrize(("method", "url", "status"), [("GET", URL, 405), ("POST", URL + "/", 404)])
def test_paths(ask, method, url, status):
    """There is one address, and POST only."""
    assert ask(method, url).status == status


@pytest.mark.parametrize(
    ("header", "tasks", "status"),
    [
        ("", [], 401),
        ("made-up", [], 401),
        ("", [{"taskType": "authentication", "apiKey": "k"}], 200),
        ("", [{"taskType": "authentication", "apiKey": ""}], 401),
        ("", [{"taskType": "authentication"}], 401),
    ],
)
def test_key(ask, told, header, tasks, status):
    """The key comes as a bearer, or as the first task."""
    body = [*tasks, {"taskType": "ping", "ping": True}]

    answer = ask("POST", URL, json_body=body, headers={"authorization": header})

    assert answer.status == status
    assert told(answer) == (
        {"data": [{"taskType": "ping", "pong": True}]} if status == 200 else {"errors": told(answer)["errors"]}
    )


def test_results_and_errors_side_by_side(post):
    """One bad task does not spoil the others."""
    status, body = post({"taskType": "ping", "ping": True}, {**PRO, "seed": -1})

    assert (status, len(body["data"]), body["errors"][0]["taskUUID"]) == (200, 1, TASK)


def test_unknown_task(poll):
    """Asking about a task that nobody sent is no error."""
    assert poll(str(uuid4())) == (200, {"data": []})


def test_account(post):
    """The account tells its balance, under a UUID that is good for one task."""
    task = {"taskType": "accountManagement", "operation": "getDetails", "taskUUID": TASK}
    status, body = post(task)

    again = [post(task), post({**task, "taskUUID": TASK.upper()}), post(PRO)]

    assert status == 200
    assert body["data"][0]["operation"] == "getDetails"
    assert body["data"][0]["balance"] == {"amount": 100.0, "currency": "USD"}
    assert [(refused, told["errors"][0]["code"]) for refused, told in again] == [(400, "conflictTaskUUID")] * 3
    assert post({**task, "taskUUID": str(uuid4())})[0] == 200


def test_the_account_of_a_known_task(post):
    """The UUID of an image's task is taken as well."""
    post(PRO)

    status, body = post({"taskType": "accountManagement", "operation": "getDetails", "taskUUID": TASK})

    assert (status, body["errors"][0]["code"]) == (400, "conflictTaskUUID")


def test_dry_run(ask, told, world):
    """The header has a task checked and priced, and nothing made."""
    dry = {"x-runware-dry-run": "1"}
    good = ask("POST", URL, json_body=[{**PRO, "numberResults": 3}], headers=dry)
    bad = ask("POST", URL, json_body=[{**PRO, "seed": -1}], headers=dry)

    assert (good.status, told(good)["data"][0]["cost"]) == (200, 0.12)
    assert bad.status == 400
    assert world.jobs("runware") == []


def test_details(post, clock):
    """A past task tells its request and its last response."""
    ask = {"taskType": "getTaskDetails", "taskUUID": TASK}
    before = post(ask)
    post({**PRO, "positivePrompt": "sandbox:moderated"})
    clock.forward(10)

    status, body = post(ask)

    assert (before[0], before[1]["errors"][0]["code"]) == (404, "taskFailedOrNotFound")
    assert status == 200
    assert body["data"][0]["request"] == [{**PRO, "positivePrompt": "sandbox:moderated"}]
    assert body["data"][0]["response"]["errors"]


@pytest.mark.parametrize(
    ("word", "status", "code"),
    [
        ("unauthorized", 401, "invalidApiKey"),
        ("credits", 402, "insufficientCredits"),
        ("rate-limit", 429, "rateLimitExceeded"),
    ],
)
def test_refusing_rehearsals(post, world, word, status, code):
    """The words for a refusal make no task."""
    told, body = post({**PRO, "positivePrompt": f"sandbox:{word}"})

    assert (told, body["errors"][0]["code"]) == (status, code)
    assert world.jobs("runware") == []


def test_moderated(post, poll, clock):
    """A blocked task ends in an error of its own, told by every later poll."""
    post({**PRO, "positivePrompt": "sandbox:moderated"})
    clock.forward(10)

    status, body = poll()

    (error,) = body["errors"]
    assert (status, body["data"]) == (200, [])
    assert (error["code"], error["status"], error["taskUUID"]) == ("providerContentPolicyViolation", "error", TASK)


def test_fail(post, poll, clock):
    """A failed task ends in an item that is an error."""
    post({**PRO, "positivePrompt": "sandbox:fail"})
    clock.forward(10)

    _, body = poll()

    assert [(item["status"], item["error"]["code"]) for item in body["data"]] == [("error", "inferenceError")]


@pytest.mark.parametrize(
    ("seed", "code"),
    [
        (0, "invalidProviderContent"),
        (1, "providerContentPolicyViolation"),
        (2, "providerError"),
        (3, "invalidProviderContent"),
    ],
)
def test_ways_to_be_blocked(post, poll, clock, seed, code):
    """By its seed: as an error or as an item, under a code that says so or one that does not."""
    post({**PRO, "positivePrompt": "sandbox:moderated", "seed": seed})
    clock.forward(10)

    _, body = poll()

    told = body["errors"][0] if seed % 2 else body["data"][0]["error"]
    assert (told["code"], bool(body["data"])) == (code, not seed % 2)


@pytest.mark.parametrize(
    ("word", "code"), [("moderated", "providerContentPolicyViolation"), ("fail", "inferenceError")]
)
def test_failing_at_once(post, word, code):
    """A synchronous task that fails is refused in its answer."""
    status, body = post({**PRO, "deliveryMethod": "sync", "positivePrompt": f"sandbox:{word}"})

    assert (status, body["errors"][0]["code"]) == (400, code)


@pytest.mark.parametrize("fields", [{"positivePrompt": "sandbox:lost-reply"}, {"deliveryMethod": "sync"}])
def test_lost_reply(post, poll, clock, fields):
    """A task whose reply is lost exists, and a repeat is told so; a synchronous one that never ends is lost too."""
    task = {"positivePrompt": "sandbox:never", **fields}
    with pytest.raises(LostReply):
        post({**PRO, **task})
    clock.forward(10)

    status, body = post({**PRO, **task})

    assert (status, body["errors"][0]["code"]) == (400, "conflictTaskUUID")
    assert poll()[1]["data"]
