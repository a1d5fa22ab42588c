from __future__ import annotations

import httpx
import pytest

from flux_cli.sandbox.wire import Answer, LostReply
from tests.loopback import LoopbackServer

KEY = {"Authorization": "Bearer made-up"}
PRO = "/v1/models/blackforestlabs/flux-1-1-pro/text-to-image"


@pytest.fixture
def server(tmp_path):
    with LoopbackServer(tmp_path / "w") as server:
        yield server


@pytest.fixture
def client():
    with httpx.Client(trust_env=False) as client:
        yield client


def test_a_job_over_a_socket(server, client):
    """A whole job goes over one connection, and everything about it was recorded."""
    base = server.base_url("runcomfy")
    name = client.post(base + PRO, json={"prompt": "a fox"}, headers=KEY).json()["request_id"]
    url = client.get(f"{base}/v1/requests/{name}/result", headers=KEY).json()["output"]["image"]
    image = client.get(url)

    first, _, last = server.requests
    assert url.startswith(f"{server.root}/files/runcomfy/")
    assert server.images == {url: image.content}
    assert (first.provider, first.method, first.path, first.body) == ("runcomfy", "POST", PRO, {"prompt": "a fox"})
    assert first.headers["authorization"] == "Bearer made-up"
    assert (last.file, last.body) == (True, b"")
    assert (server.paid["runcomfy"], server.accepted("runcomfy")) == (1, 1)


def test_signed_links_and_the_base_of_runware(server, client):
    """A query goes through as it was sent, and Runware's base ends in its one path."""
    base = server.base_url("runflow")
    run = {"input": {"prompt": "a fox"}}
    told = client.post(f"{base}/v1/models/black-forest-labs/flux-1-1-pro-ultra/runs", json=run, headers=KEY).json()
    pong = client.post(server.base_url("runware"), json=[{"taskType": "ping", "ping": True}], headers=KEY)

    assert client.get(told["output"]["outputs"][0]["url"]).status_code == 200
    assert pong.json()["data"][0]["pong"] is True
    assert (server.paid["runflow"], server.paid["runware"]) == (1, 0)


def test_lost_reply(server, client):
    """A lost reply closes the connection without a word, after the job was made."""
    with pytest.raises(httpx.RemoteProtocolError):
        client.post(server.base_url("runcomfy") + PRO, json={"prompt": "sandbox:lost-reply"}, headers=KEY)

    assert (server.paid["runcomfy"], server.accepted("runcomfy")) == (1, 1)


def test_script(server, client):
    """A script goes before the world: it may answer, keep the answer to itself, or let the call pass."""
    base = server.base_url("runflow")

    def script(call):
        if call.path == "/v1/auth/me":
            return Answer(status=503, headers={"content-length": "10"}, body=b"half")
        if call.path == "/v1/runs":
            raise LostReply
        return None

    server.script = script
    with pytest.raises(httpx.RemoteProtocolError):
        client.get(f"{base}/v1/auth/me")
    with pytest.raises(httpx.RemoteProtocolError):
        client.get(f"{base}/v1/runs")

    assert client.get(f"{base}/v1/billing/balance", headers=KEY).status_code == 200
    assert client.get(f"{server.root}/nobody/v1").status_code == 404
