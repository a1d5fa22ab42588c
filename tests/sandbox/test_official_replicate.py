"""The vendor's own Python client against the stand-in on loopback."""

from __future__ import annotations

from pathlib import Path

import pytest
import replicate
from replicate.exceptions import ReplicateError

from tests.loopback import LoopbackServer

pytestmark = pytest.mark.slow

FOX = Path(__file__).parents[1] / "pictures" / "fox.png"


@pytest.fixture
def server(tmp_path):
    with LoopbackServer(tmp_path / "host") as server:
        yield server


@pytest.fixture
def client(server):
    client = replicate.Client(api_token="made-up", base_url=f"{server.root}/replicate")
    yield client
    client._client.close()


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("flux-1.1-pro", {"aspect_ratio": "16:9"}),
        ("flux-2-pro", {"resolution": "2 MP"}),
        ("flux-3-image", {"resolution": "768sq"}),
        ("flux-dev", {"num_outputs": 2}),
    ],
)
def test_a_whole_prediction(server, client, model, fields):
    """Create, wait, and read the links of the output."""
    made = client.models.predictions.create(f"black-forest-labs/{model}", input={"prompt": "a fox", **fields})
    made.wait()

    links = made.output if isinstance(made.output, list) else [made.output]
    assert made.status == "succeeded"
    assert all(link.startswith(f"{server.root}/files/replicate/") for link in links)
    assert (server.paid["replicate"], server.accepted("replicate")) == (1, 1)


def test_a_file_is_uploaded_and_edited(server, client):
    with FOX.open("rb") as file:
        uploaded = client.files.create(file)
    made = client.models.predictions.create(
        "black-forest-labs/flux-kontext-pro", input={"prompt": "winter", "input_image": uploaded.urls["get"]}
    )
    made.wait()

    assert made.status == "succeeded"
    assert len(server.world.jobs("replicate")[0].inputs[0]) == 64


def test_list_get_and_cancel(client):
    made = client.models.predictions.create("black-forest-labs/flux-2-pro", input={"prompt": "sandbox:never"})
    made.cancel()

    assert [one.id for one in client.predictions.list()] == [made.id]
    assert client.predictions.get(made.id).status == "canceled"


def test_errors_are_understood(client):
    with pytest.raises(ReplicateError, match="Input validation failed"):
        client.models.predictions.create("black-forest-labs/flux-2-pro", input={"prompt": "x", "seed": "y"})
    with pytest.raises(ReplicateError, match="Insufficient credit"):
        client.models.predictions.create("black-forest-labs/flux-2-pro", input={"prompt": "sandbox:credits"})
