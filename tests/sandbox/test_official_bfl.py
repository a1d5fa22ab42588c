"""The vendor's own Python client against the stand-in on loopback.

The package pins an old Pillow, so it is installed without its dependencies, and skipped where it is missing.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.loopback import LoopbackServer

blackforest = pytest.importorskip("blackforest")
pytestmark = pytest.mark.slow

FOX = Path(__file__).parents[1] / "pictures" / "fox.png"


@pytest.fixture
def server(tmp_path):
    with LoopbackServer(tmp_path / "host") as server:
        yield server


@pytest.fixture
def client(server):
    client = blackforest.BFLClient(api_key="made-up", base_url=server.root)
    client.base_url = f"{server.root}/bfl/"  # it joins addresses, and this one has a path
    client._request = _below(client, client._request)
    yield client
    client.session.close()


def _below(client, send):
    """Return the client's own request function, with addresses below the stand-in's path."""

    def request(method, endpoint, **more):
        if endpoint.startswith("/"):
            endpoint = client.base_url + endpoint.removeprefix("/")
        return send(method, endpoint, **more)

    return request


@pytest.mark.parametrize(
    ("model", "inputs"),
    [
        ("flux-pro-1.1", {"prompt": "a fox", "width": 1024, "height": 768, "seed": 7}),
        ("flux-pro-1.1-ultra", {"prompt": "a fox", "aspect_ratio": "16:9"}),
        ("flux-dev", {"prompt": "a fox", "steps": 20, "guidance": 3.0}),
        ("flux-kontext-pro", {"prompt": "make it winter", "input_image": str(FOX)}),
    ],
)
def test_a_whole_job(server, client, model, inputs):
    """Submit, the polling address as it was returned, and an image."""
    done = client.generate(model, inputs, blackforest_config())

    assert done.result["sample"].startswith(f"{server.root}/files/bfl/")
    assert (server.paid["bfl"], server.accepted("bfl")) == (1, 1)
    assert {seen.headers["x-key"] for seen in server.requests} == {"made-up"}


def blackforest_config():
    from blackforest.types.general.client_config import ClientConfig

    return ClientConfig(sync=True, timeout=10)
