from __future__ import annotations

import io

import pytest
from PIL import Image

from flux_cli.sandbox.wire import LostReply

ROOT = "https://api.apiframe.ai/v2"
GENERATE = f"{ROOT}/images/generate"
BODY = {"prompt": "a fox", "model": "flux-1.1-pro"}
PNG = b"\x89PNG\r\n\x1a\n"


def link(result):
    """The one link of a result, which comes as an object, a list or a text."""
    held = result["images"] if isinstance(result, dict) else result
    return held if isinstance(held, str) else held[0]


def multipart(held, field=b"file"):
    head = b'--b\r\nContent-Disposition: form-data; name="%s"; filename="x"\r\n\r\n' % field
    return head + held + b"\r\n--b--\r\n"


@pytest.fixture
def upload(ask):
    headers = {"content-type": "multipart/form-data; boundary=b"}
    return lambda held: ask("POST", f"{ROOT}/uploads", body=multipart(held), headers=headers)


def test_submit(ask, told):
    """A submit is 202 with the job's id."""
    answer = ask("POST", GENERATE, json_body=BODY)

    assert answer.status == 202
    assert set(told(answer)) == {"jobId", "status"}
    assert told(answer)["status"] == "QUEUED"
    assert answer.headers["x-request-id"]


def test_life(ask, told, clock, generate):
    """A job is queued, in progress with a percentage, completed."""
    name, seen = generate(), []

    for _ in range(4):
        job = told(ask("GET", f"{ROOT}/jobs/{name.upper()}"))
        seen.append((job["status"], job["progress"], job["result"] is None, job["completedAt"] is None))
        clock.forward(3.5)

    assert seen == [
        ("QUEUED", None, True, True),
        ("PROCESSING", 7, True, True),
        ("PROCESSING", 57, True, True),
        ("COMPLETED", 100, False, False),
    ]


@pytest.mark.parametrize(
    ("model", "fields", "kind", "size"),
    [
        ("flux-1.1-pro", {}, "JPEG", (1344, 768)),
        ("flux-1.1-pro", {"output_format": "webp", "aspect_ratio": "1:1"}, "WEBP", (1024, 1024)),
        ("flux-1.1-pro", {"output_format": "png", "width": 256, "height": 300}, "PNG", (256, 300)),
        ("flux-1.1-pro-ultra", {"aspect_ratio": "9:16", "output_quality": 0}, "JPEG", (1536, 2752)),
    ],
)
def test_image(ask, told, clock, generate, model, fields, kind, size):
    """The link leads to an image of the asked format and shape."""
    name = generate(model=model, fluxParams=fields)
    clock.forward(10)
    url = link(told(ask("GET", f"{ROOT}/jobs/{name}"))["result"])

    image = Image.open(io.BytesIO(ask("GET", url).body))

    assert url.startswith(f"https://cdn2.apiframe.ai/images/{name}/")
    assert (image.format, image.size) == (kind, size)


@pytest.mark.parametrize("path", ["/images/{}/0.png", "/images/{}/1.jpg", "/images/nobody/0.jpg", "/other"])
def test_other_links(ask, clock, generate, path):
    """Another format, number or name leads nowhere."""
    name = generate()
    clock.forward(10)

    assert ask("GET", "https://cdn2.apiframe.ai" + path.format(name)).status == 404


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ([], ""),
        ({"model": "flux-1.1-pro"}, "prompt"),
        ({"prompt": "x"}, "model"),
        ({**BODY, "prompt": ""}, "prompt"),
        ({**BODY, "prompt": "x" * 2001}, "prompt"),
        ({**BODY, "model": "flux-2"}, "model"),
        ({**BODY, "webhook_url": "https://x.y"}, "webhook_url"),
        ({**BODY, "webhookUrl": "x"}, "webhookUrl"),
        ({**BODY, "webhookEvents": []}, "webhookEvents"),
        ({**BODY, "webhookEvents": ["done"]}, "webhookEvents.0"),
        ({**BODY, "seed": 1}, "seed"),
        ({**BODY, "fluxParams": []}, "fluxParams"),
        ({**BODY, "fluxParams": {"safety_tolerance": 2}}, "fluxParams.safety_tolerance"),
        ({**BODY, "fluxParams": {"aspect_ratio": "custom"}}, "fluxParams.aspect_ratio"),
        ({**BODY, "fluxParams": {"width": 255}}, "fluxParams.width"),
        ({**BODY, "fluxParams": {"height": 2049}}, "fluxParams.height"),
        ({**BODY, "fluxParams": {"image_prompt": "fox.png"}}, "fluxParams.image_prompt"),
        (
            {**BODY, "model": "flux-1.1-pro-ultra", "fluxParams": {"image_prompt_strength": 1.1}},
            "fluxParams.image_prompt_strength",
        ),
        ({**BODY, "fluxParams": {"output_format": "jpeg"}}, "fluxParams.output_format"),
        ({**BODY, "fluxParams": {"output_quality": 101}}, "fluxParams.output_quality"),
        ({**BODY, "fluxParams": {"output_quality": 9.5}}, "fluxParams.output_quality"),
        ({**BODY, "fluxParams": {"seed": 1.5}}, "fluxParams.seed"),
        ({**BODY, "model": "flux-1.1-pro-ultra", "fluxParams": {"raw": "true"}}, "fluxParams.raw"),
        ({**BODY, "fluxParams": {"raw": True}}, "fluxParams.raw"),
        ({**BODY, "fluxParams": {"image_prompt_strength": 0.5}}, "fluxParams.image_prompt_strength"),
        (
            {**BODY, "model": "flux-1.1-pro-ultra", "fluxParams": {"prompt_upsampling": True}},
            "fluxParams.prompt_upsampling",
        ),
        ({**BODY, "fluxParams": {"guidance": 1}}, "fluxParams.guidance"),
        ({**BODY, "fluxParams": {"steps": 51}}, "fluxParams.steps"),
    ],
)
def test_strictness(ask, told, world, body, path):
    """Whatever the schema does not allow is 400 with messages by path, and no job is made."""
    answer = ask("POST", GENERATE, json_body=body)

    assert answer.status == 400
    assert list(told(answer)["details"]) == [path]
    assert all(isinstance(text, str) for text in told(answer)["details"][path])
    assert world.jobs("apiframe") == []


def test_not_json(ask):
    """A body that is no JSON, or does not say that it is, is refused."""
    assert ask("POST", GENERATE, body=b"{", headers={"content-type": "application/json"}).status == 400
    assert ask("POST", GENERATE, body=b"{}").status == 415


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/jobs/12", 400),
        ("GET", "/jobs/00000000-0000-0000-0000-000000000000", 404),
        ("POST", "/jobs/00000000-0000-0000-0000-000000000000/cancel", 404),
        ("DELETE", "/jobs/00000000-0000-0000-0000-000000000000", 405),
    ],
)
def test_refusals(ask, told, method, path, status):
    """An id must be a UUID, and a job's; nothing can be cancelled."""
    answer = ask(method, ROOT + path)

    assert answer.status == status
    assert isinstance(told(answer)["error"], str)


@pytest.mark.parametrize(("method", "path"), [("POST", "/images/generate"), ("GET", "/me"), ("GET", "/jobs")])
@pytest.mark.parametrize("headers", [{"x-api-key": ""}, {"x-api-key": "", "authorization": "Bearer x"}])
def test_key(ask, method, path, headers):
    """Only X-API-Key is a key; the catalogue alone is open."""
    assert ask(method, ROOT + path, headers=headers).status == 401
    assert ask("GET", f"{ROOT}/models", headers=headers).status == 200


def test_account(ask, told):
    """Who we are, with the team's credits."""
    me = told(ask("GET", f"{ROOT}/me"))

    assert (me["team"]["credits"], set(me)) == (1000, {"user", "team", "apiKey"})


def test_list(ask, told, clock, generate):
    """Jobs are listed newest first, a page at a time; the query picks some."""
    names = []
    for _ in range(3):
        names.insert(0, generate())
        clock.forward(4)
    first = told(ask("GET", f"{ROOT}/jobs?limit=2"))
    second = told(ask("GET", f"{ROOT}/jobs?limit=2&cursor={first['nextCursor']}"))
    done = told(ask("GET", f"{ROOT}/jobs?status=COMPLETED"))
    none = told(ask("GET", f"{ROOT}/jobs?model=flux-1.1-pro-ultra"))
    one = told(ask("GET", f"{ROOT}/jobs?search={names[1]}"))

    assert ([job["id"] for job in first["jobs"]], first["hasMore"]) == (names[:2], True)
    assert ([job["id"] for job in second["jobs"]], second["hasMore"], second["nextCursor"]) == (names[2:], False, None)
    assert [job["id"] for job in done["jobs"]] == names[2:]
    assert none["jobs"] == []
    assert [job["id"] for job in one["jobs"]] == names[1:2]


def test_list_items(ask, told, clock, generate):
    """An item of the list says nothing of what was asked for; the job itself does, and each says if it has expired."""
    name = generate(webhookUrl="https://you.example/h")
    (item,) = told(ask("GET", f"{ROOT}/jobs"))["jobs"]
    job = told(ask("GET", f"{ROOT}/jobs/{name}"))

    assert "input" not in item
    assert job == {**item, "input": {**BODY, "webhookUrl": "https://you.example/h"}}
    assert (item["expired"], item["webhookStatus"]) == (False, "pending")


def test_expiry(ask, told, clock, generate):
    """After a day the links do not work any more, and the job says so."""
    name = generate(fluxParams={"seed": 3})
    clock.forward(10)
    before = told(ask("GET", f"{ROOT}/jobs/{name}"))
    clock.forward(24 * 3600)
    after = told(ask("GET", f"{ROOT}/jobs/{name}"))

    assert (before["expired"], after["expired"]) == (False, True)
    assert ask("GET", link(after["result"])).status == 404


def test_results(ask, told, clock, generate):
    """A result is an object, a list or a text, by its seed; only what was made costs credits."""
    names = [generate(fluxParams={"seed": seed}) for seed in range(3)]
    failed = generate(prompt="sandbox:fail")
    clock.forward(10)
    jobs = [told(ask("GET", f"{ROOT}/jobs/{name}")) for name in names]

    assert [type(job["result"]) for job in jobs] == [dict, list, str]
    assert all(ask("GET", link(job["result"])).status == 200 for job in jobs)
    assert [job["creditCost"] for job in jobs] == [8, 8, 8]
    assert told(ask("GET", f"{ROOT}/jobs/{failed}"))["creditCost"] == 0


def test_catalogue(ask, told):
    """Each model with its label and its price in credits."""
    models = told(ask("GET", f"{ROOT}/models"))["models"]

    assert [(one["id"], one["costMin"], one["costMax"], one["pricingMode"]) for one in models][:2] == [
        ("flux-1.1-pro", 8, 8, "flat"),
        ("flux-1.1-pro-ultra", 12, 12, "flat"),
    ]
    assert all(one["label"] and one["modality"] == "image" for one in models)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/models"), ("GET", "/me"), ("GET", "/jobs"), ("GET", "/no"), ("PUT", "/me")]
)
def test_every_answer_has_an_id(ask, method, path):
    """Whatever it says."""
    assert ask(method, ROOT + path).headers["x-request-id"]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=x",
        "cursor=x",
        "page=2",
        "status=done",
        "status=completed",
        "scope=all",
        "search=fox",
        "include_models=some",
    ],
)
def test_list_strictness(ask, query):
    """A query that is not documented, or out of range, is 400."""
    assert ask("GET", f"{ROOT}/jobs?{query}").status == 400


def test_upload(told, upload, generate):
    """An image is taken, described, and may then be a prompt."""
    answer = upload(PNG)

    file = told(answer)
    assert answer.status == 201
    assert set(file) == {"id", "url", "kind", "contentType", "byteSize", "expiresAt"}
    assert (file["contentType"], file["byteSize"]) == ("image/png", len(PNG))
    assert generate(fluxParams={"image_prompt": file["url"]})


def test_the_link_of_an_upload_leads_to_the_file(ask, told, upload):
    """As it was sent; of another format, or of another name, there is none."""
    url = told(upload(PNG))["url"]

    answer = ask("GET", url)

    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "image/png", PNG)
    assert ask("GET", url.replace("/uploads/", "/uploads/0")).status == 404
    assert ask("GET", "https://cdn2.apiframe.ai/uploads/no name.png").status == 404


def test_an_upload_that_was_never_made(ask):
    """A link into the uploads behind which there is nothing is refused."""
    link = "https://cdn2.apiframe.ai/uploads/nothing.png"

    assert ask("POST", GENERATE, json_body={**BODY, "fluxParams": {"image_prompt": link}}).status == 400


@pytest.mark.parametrize("held", [b"<svg>", b"", PNG + bytes(25 * 1024 * 1024 - 7)])
def test_upload_strictness(upload, held):
    """What is no image, empty or too large is refused."""
    assert upload(held).status == 400


@pytest.mark.parametrize(("word", "status"), [("unauthorized", 401), ("credits", 402), ("rate-limit", 429)])
def test_refusing_rehearsals(ask, told, world, word, status):
    """The words for a refusal make no job; a 429 says when to come again."""
    answer = ask("POST", GENERATE, json_body={**BODY, "prompt": f"sandbox:{word}"})

    assert answer.status == status
    assert ("creditsRequired" in told(answer)) == (word == "credits")
    assert answer.headers.get("retry-after") == ("1" if word == "rate-limit" else None)
    assert world.jobs("apiframe") == []


@pytest.mark.parametrize(("word", "text"), [("moderated", "content policy"), ("fail", "could not")])
def test_failing_rehearsals(ask, told, clock, generate, word, text):
    """The words for a failure end in a failed job that says why."""
    name = generate(prompt=f"sandbox:{word}", fluxParams={"seed": 4})
    clock.forward(10)

    job = told(ask("GET", f"{ROOT}/jobs/{name}"))

    assert (job["status"], job["result"], text in job["error"]) == ("FAILED", None, True)


def test_lost_reply(ask, told, world):
    """The job of a lost reply is found again under its key."""
    body = {**BODY, "prompt": "sandbox:lost-reply"}
    with pytest.raises(LostReply):
        ask("POST", GENERATE, json_body=body, headers={"idempotency-key": "k"})

    again = ask("POST", GENERATE, json_body=body, headers={"idempotency-key": "k"})

    assert [job.id for job in world.jobs("apiframe")] == [told(again)["jobId"]]
