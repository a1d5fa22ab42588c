from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from PIL import Image

from flux_cli.sandbox import files
from flux_cli.sandbox.life import Job
from flux_cli.sandbox.store import Scene
from flux_cli.sandbox.wire import Call

JOB = Job(id="a", model="m", prompt="a fox", seed=1, created=0, hold=0, width=64, height=48, format="png", count=2)
SCENE = Scene(provider="runware", folder=Path("/nonexistent"), now=float, hold=1.0, links="")
WHOLE = files.content(JOB, 0, SCENE)


def call(method="GET", **headers):
    return Call(method=method, host="x", path="/", headers=headers)


def test_a_whole_image():
    """An image comes with its type, its length, and the offer of ranges."""
    answer = files.serve(call(), JOB, 0, SCENE)

    assert answer.status == 200
    assert answer.body == WHOLE
    assert answer.headers == {
        "content-type": "image/png",
        "accept-ranges": "bytes",
        "etag": answer.headers["etag"],
        "content-length": str(len(WHOLE)),
    }


def test_the_mark_is_that_of_the_bytes():
    """The same for the same image, another for another; a range under a mark of other bytes gets the whole."""
    first, other = (files.serve(call(), JOB, index, SCENE).headers["etag"] for index in (0, 1))

    assert re.fullmatch(r'"[0-9a-f]+"', first)
    assert files.serve(call(), JOB, 0, SCENE).headers["etag"] == first != other
    assert files.serve(call(range="bytes=1-", **{"if-range": first}), JOB, 0, SCENE).status == 206
    assert files.serve(call(range="bytes=1-", **{"if-range": other}), JOB, 0, SCENE).status == 200


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-9", 0, 9),
        ("bytes=10-", 10, len(WHOLE) - 1),
        ("bytes=-5", len(WHOLE) - 5, len(WHOLE) - 1),
        (f"bytes=5-{10 * len(WHOLE)}", 5, len(WHOLE) - 1),
        (f"bytes=-{10 * len(WHOLE)}", 0, len(WHOLE) - 1),
    ],
)
def test_a_range(asked, first, last):
    """One range is served as 206 with its place in the whole."""
    answer = files.serve(call(range=asked), JOB, 0, SCENE)

    assert answer.status == 206
    assert answer.body == WHOLE[first : last + 1]
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(WHOLE)}"
    assert answer.headers["content-length"] == str(len(answer.body))


@pytest.mark.parametrize("asked", [f"bytes={len(WHOLE)}-", "bytes=9-3", "bytes=-0"])
def test_a_range_that_cannot_be(asked):
    """A range outside the image is 416 with the image's length."""
    answer = files.serve(call(range=asked), JOB, 0, SCENE)

    assert (answer.status, answer.headers["content-range"]) == (416, f"bytes */{len(WHOLE)}")


@pytest.mark.parametrize("asked", ["bytes=0-1,4-5", "bytes=-", "pages=1-2", "nonsense"])
def test_other_ranges_are_ignored(asked):
    """What is not one range of bytes gets the whole image, as HTTP allows."""
    assert files.serve(call(range=asked), JOB, 0, SCENE).body == WHOLE


def test_images_of_a_job_differ():
    """Each image of a job has its own seed."""
    assert files.content(JOB, 1, SCENE) != WHOLE


def test_bad_image():
    """The rehearsal of a bad image serves its first half, and a length that agrees."""
    job = Job(**{**{name: getattr(JOB, name) for name in JOB.__slots__}, "prompt": "sandbox:bad-image"})

    answer = files.serve(call(), job, 0, SCENE)

    assert answer.headers["content-length"] == str(len(answer.body))
    with pytest.raises(OSError, match="truncated"):
        Image.open(io.BytesIO(answer.body)).load()


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (call(authorization="Bearer k"), 400),
        (call(**{"x-api-key": "k"}), 400),
        (call("POST"), 405),
        (call("DELETE"), 405),
    ],
)
def test_refusals(asked, status):
    """A key must not travel to a host of images, and nothing but reading is done there."""
    assert files.refusal(asked).status == status


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reading_is_fine(method):
    """A read without a key is not refused."""
    assert files.refusal(call(method)) is None
