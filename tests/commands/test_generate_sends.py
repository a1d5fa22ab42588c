"""What travels beside the cells of the table: uploads, keys, several images, seeds, and bytes inside answers."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest

from flux_cli.providers import NAMES
from tests.bare import bare
from tests.hosts import KEYS

PRO, ULTRA = "pro", "ultra"


def _submits(host):
    """Return path and body of every paid request that arrived, Runware's as the one task in it."""
    bodies = [seen for seen in host.requests if seen.method == "POST" and seen.path != "/v2/uploads"]
    for seen in bodies:
        body = seen.body
        if isinstance(body, list):
            (body,) = body
            if body["taskType"] != "imageInference":
                continue
        yield seen.path, body


@pytest.mark.parametrize("kind", ["base64Data", "dataURI"])
def test_bytes_inside_the_answer_are_saved_as_they_are(flux, host, kind):
    """Image bytes that come in the answer itself are saved unchanged, and no JSON or ledger holds them."""
    plain = flux("generate", "a red fox", "-p", "runware", "-s", "7", "-o", "linked.jpg")

    done = flux("generate", "a red fox", "-p", "runware", "-s", "7", "-P", f"outputType={kind}", "--json")

    (image,) = done.object["images"]
    assert bare(Path(image["path"]).read_bytes()) == bare(Path("linked.jpg").read_bytes())
    assert plain.code == 0
    assert image["url"] is None
    assert len(done.out) < 3000


@pytest.mark.parametrize("model", [PRO, ULTRA])
def test_a_local_image_is_uploaded_first(flux, host, model, tmp_path):
    """Apiframe is sent the file, then the job with the link that the upload was given."""
    flux("generate", "a red fox", "-p", "apiframe", "-o", "first.png", "-f", "png")
    host.requests.clear()

    done = flux("generate", "a red fox", "-p", "apiframe", "-m", model, "-i", "first.png")

    assert done.code == 0, done
    upload, submit = [seen for seen in host.requests if seen.method == "POST"]
    assert Path("first.png").read_bytes() in upload.body
    assert upload.path == "/v2/uploads"
    assert submit.body["fluxParams"]["image_prompt"].startswith(f"{host.root}/files/apiframe/uploads/")


PNG = (Path(__file__).parents[1] / "pictures" / "fox.png").read_bytes()


def large_png() -> bytes:
    """Return a whole PNG of 26 MB, most of it in a chunk that no decoder reads."""
    filler = bytes(26 * 2**20)
    chunk = struct.pack(">I", len(filler)) + b"flLr" + filler + struct.pack(">I", zlib.crc32(b"flLr" + filler))
    return PNG[:33] + chunk + PNG[33:]


@pytest.mark.parametrize(
    ("name", "held", "said"),
    [
        ("large.png", large_png(), "large.png must be at most 25 MB, not 26.0 MB"),
        ("empty.png", b"", "empty.png as an input image: it is not an image: it is empty"),
        (
            "notes.png",
            b"Dear diary, ...",
            "it is not an image that flux knows: it looks like text",
        ),
    ],
)
@pytest.mark.parametrize("more", [[], ["--dry-run"], ["-n", "3"]])
def test_a_local_image_that_apiframe_would_not_take_is_not_uploaded(flux, host, name, held, said, more):
    """Exit 2 before anything is sent, also for a dry run."""
    Path(name).write_bytes(held)

    done = flux("generate", "a red fox", "-p", "apiframe", "-i", name, *more)

    assert done.code == 2
    assert said in done.err
    assert "charged: no" in done.err
    assert host.requests == []


@pytest.mark.parametrize("seed", [-1, 2**31, 2**63 - 1])
@pytest.mark.parametrize("provider", ["runcomfy", "apiframe"])
def test_a_seed_of_any_size_arrives_where_no_page_limits_it(flux, host, provider, seed):
    """And is told and named as it was sent."""
    done = flux("generate", "a red fox", "-p", provider, "-m", "pro", "-s", str(seed), "--json")

    body = next(seen.body for seen in host.requests if seen.method == "POST")
    assert (body.get("seed") or body["fluxParams"]["seed"]) == seed
    assert done.object["seed"] == seed
    assert str(seed) in done.object["images"][0]["path"]


def test_keys_go_to_their_own_provider_and_never_to_a_download(flux, host):
    """Each provider sees its key in its documented header; the host of the images sees none."""
    for provider in NAMES:
        assert flux("generate", "a red fox", "-p", provider).code == 0

    headers = {"apiframe": "x-api-key", "bfl": "x-key"}
    prefixes = {"apiframe": "", "bfl": "", "fal": "Key "}
    for seen in host.requests:
        found = {name: value for name, value in seen.headers.items() if "made-up" in value}
        key = prefixes.get(seen.provider, "Bearer ") + KEYS[seen.provider][1]
        assert found == ({} if seen.file else {headers.get(seen.provider, "authorization"): key})


def test_a_custom_size_at_runcomfy_comes_with_a_note(flux, host):
    """``image_size=Custom`` is passed on, and a note says that the host documents no names for the size."""
    done = flux("generate", "a red fox", "-p", "runcomfy", "-m", "pro", "-P", "image_size=Custom", "--no-wait")

    assert done.code == 0
    assert host.requests[0].body["image_size"] == "Custom"
    assert "does not document the fields for the sides" in done.err


def test_synchronous_delivery_cannot_be_left(flux, host):
    """``deliveryMethod=sync`` finishes with the submit; together with --no-wait it is refused, nothing sent."""
    refused = flux("generate", "a red fox", "-p", "runware", "-P", "deliveryMethod=sync", "--no-wait")

    assert refused.code == 2
    assert "hint: " in refused.err
    assert host.requests == []

    done = flux("generate", "a red fox", "-p", "runware", "-P", "deliveryMethod=sync")

    assert done.code == 0
    assert [seen.body[0]["taskType"] for seen in host.requests if not seen.file] == ["imageInference"]


@pytest.mark.parametrize("provider", ["runcomfy", "runflow", "apiframe"])
def test_several_images_are_several_jobs_whose_seeds_count_up(flux, host, provider):
    """Where a job makes one image, -n makes that many jobs of one run."""
    done = flux("generate", "a red fox", "-p", provider, "-n", "3", "-s", "40", "--json")

    assert done.code == 0
    assert sorted(job["seed"] for job in done.objects) == [40, 41, 42]
    assert len({job["run"] for job in done.objects}) == 1
    assert host.paid[provider] == 3
    assert sorted(_seed(body) for _, body in _submits(host)) == [40, 41, 42]


def _seed(body):
    return body.get("seed") or (body.get("input") or body.get("fluxParams"))["seed"]


def test_runware_makes_several_images_in_one_job(flux, host):
    """One job with numberResults, one path a line, a seed an image."""
    done = flux("generate", "a red fox", "-p", "runware", "-n", "3", "-s", "40", "--json")

    assert done.code == 0
    assert [image["seed"] for image in done.object["images"]] == [40, 41, 42]
    ((_, task),) = _submits(host)
    assert (task["numberResults"], task["seed"]) == (3, 40)
    assert len(host.images) == 3


def test_a_seed_that_flux_draws_is_sent_and_told(flux, host):
    """Without -s a seed from 1 to 2^31-1 is drawn, sent, and told."""
    done = flux("generate", "a red fox", "-p", "runcomfy", "--no-wait", "--json")

    assert 1 <= done.object["seed"] < 2**31
    assert host.requests[0].body["seed"] == done.object["seed"]


def test_the_webhook_field_of_the_page_is_tried_where_the_schemas_is_refused(flux, host):
    """A 400 that names ``webhookUrl`` leads to ``webhook_url``; one job is made."""
    from flux_cli.sandbox.wire import reply

    def script(call):
        if call.path == "/v2/images/generate" and b"webhookUrl" in call.body:
            return reply(400, {"error": "Validation failed", "details": {"webhookUrl": ["Unrecognized key"]}})
        if call.path == "/v2/images/generate":
            return reply(202, {"jobId": "11111111-1111-4111-8111-111111111111", "status": "QUEUED"})
        return None

    host.script = script

    done = flux("generate", "a red fox", "-p", "apiframe", "--webhook", "https://example.com/h", "--no-wait")

    assert done.code == 0
    assert [sorted(seen.body) for seen in host.requests] == [
        ["fluxParams", "model", "prompt", "webhookUrl"],
        ["fluxParams", "model", "prompt", "webhook_url"],
    ]
