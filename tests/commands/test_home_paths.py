"""``~/`` in every option that takes a path: where the shell leaves it as it is, it still means the home folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

RUN = ("generate", "a fox", "--sandbox", "-p", "runware", "-s", "7", "-q")
PICTURE = "a-fox-7.jpg"


@pytest.mark.parametrize(
    ("typed", "saved"),
    [
        ("--output=~/out/", f"out/{PICTURE}"),
        ("--output=~", PICTURE),
        ("--output=~/fox.jpg", "fox.jpg"),
        ("--output=~/{provider}/{slug}.{ext}", "runware/a-fox.jpg"),
    ],
)
def test_images_are_saved_at_home(flux, home, typed, saved):
    done = flux(*RUN, typed)

    assert (done.code, done.lines) == (0, [str(home / saved)])
    assert list(Path().iterdir()) == []


def test_a_folder_named_like_home_is_reached_as_everywhere(flux):
    """``./~/`` is what a shell offers for it, too."""
    assert flux(*RUN, "-o", "./~/").lines == [f"~/{PICTURE}"]


def test_result_saves_at_home(flux, home, queued):
    queued(prompt="a fox")

    done = flux("result", "@1", "--wait", "--sandbox", "--output=~/fox.jpg")

    assert (done.code, done.lines) == (0, [str(home / "fox.jpg")])


def test_what_is_read_is_read_at_home(flux, home):
    """The batch file, an output and an image in its rows, the image prompt, the gallery, --like and --config."""
    flux(*RUN, "-o", "input.jpg")
    shutil.move("input.jpg", home / "input.jpg")
    rows = [
        {"prompt": "a hen", "output": "~/rows/", "seed": 7},
        {"prompt": "an owl", "image": "~/input.jpg", "seed": 7},
    ]
    (home / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    (home / "flux.toml").write_text('default_provider = "apiframe"\n[generate]\noutput = "~/usual/"\n', "utf-8")
    there = ("--sandbox", "-q", "--config=~/flux.toml")

    batch = flux("generate", "--batch=~/rows.jsonl", "--gallery=~/rows/index.html", *there)
    listed = flux("status", "--batch=~/rows.jsonl", *there)
    image = flux("generate", "a cat", "--image=~/input.jpg", "-s", "7", *there)
    like = flux("generate", "--like=~/input.jpg", "-s", "8", "-p", "runware", *there)

    assert (batch.code, sorted(batch.lines)) == (
        0,
        [str(home / "rows" / "a-hen-7.jpg"), str(home / "usual" / "an-owl-7.jpg")],
    )
    assert (home / "rows" / "index.html").is_file()
    assert len(listed.lines) == 2
    assert image.lines == [str(home / "usual" / "a-cat-7.jpg")]
    assert like.lines == [str(home / "usual" / "a-fox-8.jpg")]
    assert list(Path().iterdir()) == []


def test_a_web_address_stays_what_it_is(flux):
    done = flux("generate", "a fox", "-p", "apiframe", "--image=https://example.com/~ann/fox.png", "--dry-run")

    assert "https://example.com/~ann/fox.png" in done.out
