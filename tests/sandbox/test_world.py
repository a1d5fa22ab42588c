from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import pytest

from flux_cli.providers import NAMES, load
from flux_cli.providers.conversation import drive
from flux_cli.sandbox.wire import Call
from flux_cli.sandbox.world import World
from tests.sandbox.talk import Line, order

RUNCOMFY = "/v1/models/blackforestlabs/flux-1-1-pro/text-to-image"
HEADERS = {"authorization": "Bearer k", "x-api-key": "k", "content-type": "application/json"}


def submit(provider):
    task = {
        "taskType": "imageInference",
        "taskUUID": "17a2b204-94c7-4ae5-8c2d-369f6ed0eab6",
        "model": "bfl:2@1",
        "positivePrompt": "a fox",
        "width": 256,
        "height": 256,
        "deliveryMethod": "async",
    }
    path, body = {
        "runcomfy": (RUNCOMFY, {"prompt": "a fox", "image_size": "1:1"}),
        "runflow": ("/v1/models/black-forest-labs/flux-1-1-pro-ultra/runs", {"input": {"prompt": "a fox"}}),
        "apiframe": ("/v2/images/generate", {"prompt": "a fox", "model": "flux-1.1-pro", "fluxParams": {"seed": 0}}),
        "runware": ("/v1", [task]),
    }[provider]
    return Call(method="POST", host="127.0.0.1", path=path, headers=HEADERS, body=json.dumps(body).encode())


class As:
    """A world that answers every call as one provider, whatever its host."""

    def __init__(self, world, provider):
        self.answer = lambda call: world.answer_as(provider, replace(call, host="127.0.0.1"))


@pytest.mark.parametrize("provider", NAMES)
def test_two_worlds_on_one_folder(tmp_path, clock, provider):
    """What is sent to one world is known to another; links lead where the world was told that they should."""
    base = "http://127.0.0.1:9/files/"
    one, other = (World(tmp_path / "w", clock, 5.0, providers=NAMES, link_base=base) for _ in range(2))
    host = load(provider)
    accepted = drive(host.submit(order(provider, next(iter(host.models)))), Line(As(one, provider), host))
    clock.forward(5)

    end = drive(host.poll(accepted.remote), Line(As(other, provider), host))

    url = end.images[0].url
    root = f"http://127.0.0.1:9/files/{provider}/"
    path, _, query = url.removeprefix(root[:-1]).partition("?")
    pairs = dict(pair.split("=", 1) for pair in query.split("&") if pair)
    call = Call(method="GET", host="127.0.0.1", path=path, query=pairs)
    assert url.startswith(root)
    assert one.file_as(provider, call).headers["content-type"].startswith("image/")
    assert one.file_as(provider, call).body == other.file_as(provider, call).body


def test_hosts_are_apart(world, ask, told):
    """A job of one provider is none of another's."""
    world.answer_as("apiframe", submit("apiframe"))

    assert [len(world.jobs(name)) for name in NAMES] == [int(name == "apiframe") for name in NAMES]
    assert told(ask("GET", "https://api.runflow.io/v1/runs"))["items"] == []


@pytest.mark.parametrize("host", ["example.com", "127.0.0.1", "api.runflow.io.evil.test", ""])
def test_unknown_host(world, host):
    """A host that is none of the four providers' is not answered for."""
    with pytest.raises(ValueError, match="stands in for no host"):
        world.answer(Call(method="GET", host=host, path="/v1"))


@pytest.mark.parametrize(
    "host",
    [
        "playgrounds-storage-public.runcomfy.net",
        "runflow-outputs.s3.amazonaws.com",
        "cdn2.apiframe.ai",
        "im.runware.ai",
    ],
)
def test_keys_stay_away_from_images(world, host):
    """A key that is sent to a host of images is told so, whatever is asked for."""
    statuses = [
        world.answer(Call(method="GET", host=host, path="/x", headers=headers)).status
        for headers in ({}, {"authorization": "Bearer k"}, {"x-api-key": "k"})
    ]

    assert statuses == [404, 400, 400]


def test_nothing_is_written_before_the_first_job(tmp_path, clock):
    """Making a world, and reading in it, leaves no trace."""
    world = World(tmp_path / "w", clock, providers=NAMES)

    world.answer_as("runflow", Call(method="GET", host="", path="/v1/runs", headers=HEADERS))

    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize(
    ("provider", "path", "file"),
    [
        ("runcomfy", "/v1/requests/x/status", False),
        ("runflow", "/v1/runs", False),
        ("apiframe", "/v2/nothing", False),
        ("runware", "/v1", False),
        ("runcomfy", "/sandbox/{job}/0.png", True),
        ("runcomfy", "/sandbox/none/0.png", True),
    ],
)
def test_no_answer_to_head_has_a_body(tmp_path, clock, provider, path, file):
    """Whatever the answer is; its length is that of the body that a GET would have had, where there is one."""
    world = World(tmp_path / "w", clock, 5.0, providers=NAMES)
    world.answer_as("runcomfy", submit("runcomfy"))
    clock.forward(5)
    (job,) = world.jobs("runcomfy")
    answer = world.file_as if file else world.answer_as
    call = partial(Call, host="x", path=path.format(job=job.id))

    head, whole = answer(provider, call(method="HEAD")), answer(provider, call(method="GET"))

    assert head.body == b""
    if head.status == whole.status:
        assert head.headers["content-length"] == str(len(whole.body))
