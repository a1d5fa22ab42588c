"""The vendor's own Python client against the stand-in on loopback.

Its addresses are those of the module, looked up at each call. What it cannot reach here: its second domain, which it
turns to for the documented hosts only, uploads above 100 MB, and the synchronous and the streaming routes.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import fal_client
import pytest
from fal_client import client as module

from tests.loopback import LoopbackServer

pytestmark = pytest.mark.slow

FOX = Path(__file__).parents[1] / "pictures" / "fox.png"


@pytest.fixture
def server(tmp_path):
    with LoopbackServer(tmp_path / "host") as server:
        yield server


@pytest.fixture
def client(server, monkeypatch):
    base = f"{server.root}/fal"
    for name, url in {"QUEUE_URL_FORMAT": f"{base}/", "REST_URL": base, "CDN_URL": base}.items():
        monkeypatch.setattr(module, name, url)
    monkeypatch.setattr(module, "MAX_DELAY", 0)
    opened, connect = [], fal_client.SyncClient._get_cdn_client

    def open_storage(self):
        opened.append(connect(self))
        return opened[-1]

    monkeypatch.setattr(fal_client.SyncClient, "_get_cdn_client", open_storage)  # it leaves them open
    client = fal_client.SyncClient(key="made-up")
    yield client
    for one in (client._client, *opened):
        one.close()


@pytest.mark.parametrize(
    ("endpoint", "fields", "images"),
    [
        ("fal-ai/flux-pro/v1.1", {"image_size": "landscape_16_9", "seed": 7}, 1),
        ("fal-ai/flux-2-pro", {"image_size": {"width": 1024, "height": 1024}, "safety_tolerance": "5"}, 1),
        ("fal-ai/flux/dev", {"num_images": 2}, 2),
        ("blackforestlabs/flux-3/text-to-image", {"resolution": "768sq", "safety_tolerance": 4}, 1),
    ],
)
def test_a_whole_request(server, client, endpoint, fields, images):
    """Submit, status, logs and result, at the addresses that the answer names."""
    handle = client.submit(endpoint, {"prompt": "a fox", **fields}, webhook_url="https://you.example/hook")
    events = [type(one) for one in handle.iter_events(with_logs=True)]
    result = handle.get()

    assert events[-1] is fal_client.Completed
    assert urlsplit(handle.status_url).path.startswith(f"/fal/{'/'.join(endpoint.split('/')[:2])}/requests/")
    assert len(result["images"]) == images
    assert result["images"][0]["url"].startswith(f"{server.root}/files/fal/")
    assert (server.paid["fal"], server.accepted("fal")) == (1, 1)
    assert {seen.headers["authorization"] for seen in server.requests} == {"Key made-up"}


def test_addresses_that_the_client_builds_itself(client):
    """From the endpoint and the id, without the sub-path."""
    made = client.submit("fal-ai/flux-2-pro", {"prompt": "a fox"})

    assert isinstance(client.status("fal-ai/flux-2-pro/edit", made.request_id), fal_client.Completed)
    assert client.result("fal-ai/flux-2-pro/edit", made.request_id)["images"]


def test_a_file_is_uploaded_and_edited(server, client):
    url = client.upload_file(FOX)
    result = client.subscribe("fal-ai/flux-pro/kontext", {"prompt": "winter", "image_url": url})

    upload = next(seen for seen in server.requests if seen.path == "/files/upload")
    assert upload.headers["authorization"].startswith("Bearer ")
    assert upload.body == FOX.read_bytes()
    assert result["images"]
    assert len(server.world.jobs("fal")[0].inputs[0]) == 64


def test_a_request_is_cancelled(tmp_path, client, server):
    server.world = type(server.world)(
        tmp_path / "slow", server.world._now, 60.0, providers=("fal",), link_base=f"{server.root}/files"
    )
    made = client.submit("fal-ai/flux-2-pro", {"prompt": "a fox"})
    queued = made.status()
    made.cancel()

    assert isinstance(queued, fal_client.Queued)
    assert made.status().error_type == "client_cancelled"
    with pytest.raises(fal_client.FalClientHTTPError) as caught:
        made.get()
    assert caught.value.status_code == 499
    with pytest.raises(fal_client.FalClientHTTPError) as caught:
        made.cancel()
    assert caught.value.response.json() == {"status": "ALREADY_COMPLETED"}


@pytest.mark.parametrize(
    ("prompt", "fields", "status", "text"),
    [
        ("a fox", {"seed": "x"}, 422, "must be an integer"),
        ("sandbox:credits", {}, 403, "Exhausted balance"),
        ("sandbox:unauthorized", {}, 401, "Invalid key"),
    ],
)
def test_refusals_are_understood(client, prompt, fields, status, text):
    with pytest.raises(fal_client.FalClientHTTPError, match=text) as caught:
        client.submit("fal-ai/flux-2-pro", {"prompt": prompt, **fields})

    assert caught.value.status_code == status


@pytest.mark.parametrize(("word", "statuses"), [("moderated", {422}), ("fail", {422, 500, 503})])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_request_that_failed_is_told_by_its_result(client, word, statuses, seed):
    handle = client.submit("fal-ai/flux-2-pro", {"prompt": f"sandbox:{word}", "seed": seed})

    assert handle.status().error
    with pytest.raises(fal_client.FalClientHTTPError) as caught:
        handle.get()
    assert caught.value.status_code in statuses


def test_every_repeat_of_a_paid_submit_is_a_request_of_its_own(server, client):
    """The client sends a submit again whose answer was lost, nine times; the host has no handle to know it by."""
    with pytest.raises(Exception, match="disconnected"):
        client.submit("fal-ai/flux-2-pro", {"prompt": "sandbox:lost-reply"})

    assert (server.paid["fal"], server.accepted("fal")) == (10, 10)


def test_a_submit_that_is_turned_away_is_repeated_and_makes_no_job(server, client):
    with pytest.raises(fal_client.FalClientHTTPError):
        client.submit("fal-ai/flux-2-pro", {"prompt": "sandbox:rate-limit"})

    assert (server.paid["fal"], server.accepted("fal")) == (10, 0)
