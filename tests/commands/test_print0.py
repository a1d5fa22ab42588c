"""``--print0``: a name may hold a newline, so what a script reads ends in NUL."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

NAME = "two\nlines.jpg"


def on_disk() -> list[bytes]:
    return sorted(os.fsencode(path) for path in Path().iterdir())


@pytest.mark.parametrize("option", ["-0", "--print0"])
@pytest.mark.parametrize("tty", [False, True])
def test_paths_end_in_nul_and_are_as_on_the_disk(flux, option, tty):
    """Of new images and of those that were saved before; without it they end in a newline."""
    made = flux("generate", "a fox", "--sandbox", "-o", NAME, option, "-q", "-n", "2", "-p", "runflow", tty=tty)
    again = flux("result", "@1", "--sandbox", option, "-q", tty=tty)
    plain = flux("result", "@1", "--sandbox", "-q")

    assert made.code == again.code == plain.code == 0
    assert sorted(made.raw.removesuffix(b"\0").split(b"\0")) == on_disk() == [b"two\nlines-1.jpg", b"two\nlines-2.jpg"]
    assert sorted(again.raw.split(b"\0")) == [b"", *on_disk()]
    assert plain.raw.count(b"\0") == 0
    assert plain.raw.endswith(b"\n")


def test_rows_of_a_batch_end_in_nul(flux):
    Path("p.txt").write_text("a fox\nan owl\n")

    done = flux("generate", "-b", "p.txt", "--sandbox", "-p", "runware", "-0", "-q", "-o", "out/")

    assert sorted(map(os.fsdecode, done.raw.split(b"\0"))) == ["", *sorted(map(str, Path("out").iterdir()))]


def test_ids_and_links_end_in_nul_too(flux, queued, clock):
    """What stands in the place of a path is read in the same way."""
    submitted = flux("generate", "a fox", "--sandbox", "-p", "runware", "--no-wait", "-0", "-q")
    clock.sleep(5)
    links = flux("result", "@1", "--url", "--sandbox", "-0")

    assert len(submitted.raw) == 9
    assert submitted.raw.endswith(b"\0")
    assert links.raw.startswith(b"https://")
    assert (links.raw.count(b"\0"), links.raw.count(b"\n")) == (1, 0)


@pytest.mark.parametrize(
    "typed",
    [
        ["generate", "a fox", "--json"],
        ["generate", "a fox", "--dry-run"],
        ["generate", "a fox", "-o", "-"],
        ["result", "@1", "--json"],
        ["result", "@1", "-o", "-"],
    ],
    ids=" ".join,
)
def test_it_is_refused_where_no_path_is_printed(flux, queued, typed):
    """Nothing is sent: no option is accepted and ignored."""
    queued("runware")
    before = flux("status", "--sandbox", "--offline").lines

    done = flux(*typed, "--sandbox", "-0")

    assert (done.code, "--print0 cannot be combined with " in done.out + done.err) == (2, True)
    assert flux("status", "--sandbox", "--offline").lines == before
