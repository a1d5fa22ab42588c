from __future__ import annotations

import json
import subprocess
import sys

import httpx
import pytest

from flux_cli.sandbox.transport import SandboxTransport

PRO = "https://model-api.runcomfy.net/v1/models/blackforestlabs/flux-1-1-pro/text-to-image"


@pytest.fixture
def client(world):
    with httpx.Client(transport=SandboxTransport(world), headers={"Authorization": "Bearer made-up"}) as client:
        yield client


def test_a_job_through_httpx(client, clock):
    """A submit, a read with a query and a streamed download go through an ordinary client."""
    name = client.post(PRO, json={"prompt": "a fox"}).json()["request_id"]
    clock.forward(10)
    url = f"https://model-api.runcomfy.net/v1/requests/{name}/result"
    told = client.get(url, params={"include_cost": "true"}).json()

    with httpx.Client(transport=client._transport) as keyless, keyless.stream("GET", told["output"]["image"]) as answer:
        data = b"".join(answer.iter_bytes(1000))

    assert told["cost"] == 0.04
    assert answer.headers["content-length"] == str(len(data))
    assert data.startswith(b"\x89PNG")


def test_upload_through_httpx(client, tmp_path):
    """A file goes through as httpx sends it."""
    (tmp_path / "fox.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    with (tmp_path / "fox.png").open("rb") as file:
        answer = client.post(
            "https://api.apiframe.ai/v2/uploads", files={"file": file}, headers={"X-API-Key": "afk_made-up"}
        )

    assert (answer.status_code, answer.json()["byteSize"]) == (201, 264)


def test_a_broken_download_is_taken_up_again(client, clock):
    """The connection breaks half-way; a range under the ETag brings the rest, under another one the whole again."""
    name = client.post(PRO, json={"prompt": "sandbox:broken-download"}).json()["request_id"]
    clock.forward(10)
    url = f"https://playgrounds-storage-public.runcomfy.net/sandbox/{name}/0.png"
    with httpx.Client(transport=client._transport) as keyless:
        with keyless.stream("GET", url) as answer:
            chunks = answer.iter_bytes()
            begun = next(chunks)
            with pytest.raises(httpx.ReadError):
                next(chunks)
        mark = {"range": f"bytes={len(begun)}-", "if-range": answer.headers["etag"]}
        rest = keyless.get(url, headers=mark)
        with keyless.stream("GET", url, headers={**mark, "if-range": '"other"'}) as anew:
            status = anew.status_code

    assert (rest.status_code, status) == (206, 200)
    assert len(begun) + len(rest.content) == int(answer.headers["content-length"])
    assert (begun + rest.content).endswith(b"IEND\xaeB`\x82")


def test_lost_reply(client, world):
    """A reply that never comes looks like a connection that broke, after the job was made."""
    with pytest.raises(httpx.ReadError):
        client.post(PRO, json={"prompt": "sandbox:lost-reply"})

    assert len(world.jobs("runcomfy")) == 1


@pytest.mark.parametrize("url", ["https://example.com/v1", PRO.replace("https", "http")])
def test_nothing_else_is_reached(client, url):
    """Another host, or no TLS, cannot be connected to."""
    with pytest.raises(httpx.ConnectError):
        client.get(url)


@pytest.mark.slow
def test_only_the_transport_needs_httpx():
    """Nothing of the sandbox but its transport imports httpx, or Pillow before an image is wanted."""
    code = (
        "import json, sys, flux_cli.sandbox.world\n"
        "print(json.dumps([n for n in ('httpx', 'PIL', 'rich', 'typer', 'sqlite3', 'flux_cli.providers',"
        " 'flux_cli.providers.conversation', 'flux_cli.jobs', 'flux_cli.errors') if n in sys.modules]))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert json.loads(done.stdout) == []
