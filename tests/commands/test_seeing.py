"""``--preview`` and ``--open`` in whole commands: what is shown where, and what is refused before anything is sent."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CELL = "\u2580"


@pytest.fixture(autouse=True)
def coloured(monkeypatch, home):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("TMUX", raising=False)
    monkeypatch.delenv("TERM_PROGRAM", raising=False)


@pytest.fixture
def opener(tmp_path, monkeypatch) -> Path:
    """Return the file in which a stand-in for the desktop's opener writes what it was asked to open."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "xdg-open").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/opened\n', "utf-8")
    (folder / "xdg-open").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    monkeypatch.setenv("DISPLAY", ":0")
    return tmp_path / "opened"


def test_an_image_is_shown_on_stderr_and_its_path_is_all_on_stdout(flux):
    done = flux("generate", "a fox", "--sandbox", "-q", "-s", "7", "--preview", tty=True)

    assert (done.code, done.lines) == (0, ["a-fox-7.jpg"])
    assert done.err.count(CELL) > 500


def test_several_images_are_one_sheet(flux):
    """In the order of their seeds, whichever came first, with their names below them."""
    done = flux("generate", "a fox", "--sandbox", "-q", "-s", "7", "-n", "3", "--preview", tty=True)

    assert re.findall(r"a-fox-\d\.jpg", done.err) == ["a-fox-7.jpg", "a-fox-8.jpg", "a-fox-9.jpg"]


def test_a_comparison_is_shown_side_by_side_with_its_models_and_providers(flux):
    """One seed a line, the models in the order in which they were named."""
    models = ("-m", "ultra", "-m", "flux-2-pro", "-p", "bfl")

    done = flux("generate", "a fox", "--sandbox", "-q", "-n", "2", *models, "--preview", tty=True)

    lines = [line for line in done.err.splitlines() if "bfl" in line and CELL not in line]
    assert [line.split() for line in lines] == [["ultra", "bfl", "flux-2-pro", "bfl"]] * 2


def test_a_batch_is_one_sheet_at_its_end(flux):
    Path("prompts.txt").write_text("a fox\nan owl\n", "utf-8")

    done = flux("generate", "--batch", "prompts.txt", "--sandbox", "-q", "-s", "7", "--preview", tty=True)

    assert done.code == 0
    assert re.findall(r"[a-z-]+-7\.jpg", done.err) == ["a-fox-7.jpg", "an-owl-7.jpg"]


def test_what_was_saved_before_is_shown_again(flux):
    flux("generate", "a fox", "--sandbox", "-s", "7")

    done = flux("result", "@1", "--sandbox", "-q", "--preview", tty=True)

    assert done.lines == ["a-fox-7.jpg"]
    assert CELL in done.err


def test_in_a_pipe_there_is_a_note_and_no_picture(flux):
    done = flux("generate", "a fox", "--sandbox", "-s", "7", "--preview")

    assert (done.code, done.lines) == (0, ["a-fox-7.jpg"])
    assert "flux: note: --preview only works in a terminal" in done.err
    assert CELL not in done.err


def test_a_terminal_that_shows_none_is_told_of(flux, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")

    done = flux("generate", "a fox", "--sandbox", "-s", "7", "--preview", tty=True)

    assert done.code == 0
    assert "this terminal cannot show images; `flux result --open @1`" in done.err


@pytest.mark.parametrize(
    ("typed", "environ", "seen"),
    [
        ([], {}, True),
        (["--no-preview"], {}, False),
        (["-q"], {}, False),
        ([], {"NO_COLOR": "1"}, False),
        (["--preview"], {"NO_COLOR": "1"}, True),
        ([], {"FLUX_PREVIEW": "never"}, False),
        (["--preview", "-q"], {"FLUX_PREVIEW": "never"}, True),
    ],
)
def test_the_config_shows_every_image_unless_something_speaks_against_it(
    flux, config, monkeypatch, typed, environ, seen
):
    config('preview = "auto"\n')
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    shown = flux("generate", "a fox", "--sandbox", *typed, tty=True)

    assert (CELL in shown.err) == seen
    assert "flux: note" not in shown.err


def test_the_config_shows_nothing_in_a_pipe_and_says_nothing(flux, config):
    config('preview = "auto"\n')

    done = flux("generate", "a fox", "--sandbox")

    assert done.code == 0
    assert "flux: note" not in done.err
    assert CELL not in done.err


def test_a_preview_waits_where_the_config_would_not(flux, config):
    """What was typed counts, as with -o."""
    config("[generate]\nno_wait = true\n")

    done = flux("generate", "a fox", "--sandbox", "-q", "-s", "7", "--preview", tty=True)

    assert done.lines == ["a-fox-7.jpg"]
    assert CELL in done.err


@pytest.mark.parametrize(
    ("command", "typed", "said"),
    [
        ("generate", ["a fox", "--preview", "-o", "-"], "--preview needs saved images"),
        ("generate", ["a fox", "--preview", "--no-wait"], "--no-wait exits before"),
        ("result", ["@1", "--preview", "-o", "-"], "--preview needs saved images"),
        ("result", ["@1", "--open", "-o", "-"], "--open needs saved images"),
        ("result", ["@1", "--open", "--url"], "--url saves no image"),
        ("result", ["@1", "--preview", "--url"], "--url saves no image"),
    ],
)
def test_what_cannot_be_seen_is_refused_before_anything_is_sent(flux, host, opener, command, typed, said):
    done = flux(command, *typed)

    assert done.code == 2
    assert said in done.err
    assert "hint: " in done.err
    assert host.requests == []


def test_open_hands_each_image_to_the_viewer(flux, opener):
    """Also in a pipe, and also what was saved before."""
    flux("generate", "a fox", "--sandbox", "-s", "7", "-n", "2")

    done = flux("result", "@1", "--sandbox", "--open")

    here = Path.cwd()
    assert (done.code, sorted(done.lines)) == (0, ["a-fox-7.jpg", "a-fox-8.jpg"])
    assert opener.read_text("utf-8").splitlines() == [f"{here}/a-fox-7.jpg", f"{here}/a-fox-8.jpg"]


def test_not_every_image_of_many_is_opened(flux, opener):
    flux("generate", "a fox", "--sandbox", "-s", "7", "-n", "12")

    done = flux("result", "@1", "--sandbox", "--open")

    assert "opening only 10 of 12 images" in done.err
    assert len(opener.read_text("utf-8").splitlines()) == 10


def test_open_without_a_display_fetches_nothing(flux, host, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")

    done = flux("result", "runware:7d4e0a9b-0000-4000-8000-000000000000", "--open")

    assert done.code == 2
    assert "there is no display to open an image on" in done.err
    assert host.requests == []


def test_a_viewer_that_fails_is_one_line_and_the_image_is_there(flux, opener, tmp_path):
    (tmp_path / "bin" / "xdg-open").write_text("#!/bin/sh\nexit 4\n", "utf-8")
    flux("generate", "a fox", "--sandbox", "-s", "7")

    done = flux("result", "@1", "--sandbox", "--open")

    assert (done.code, done.lines) == (1, ["a-fox-7.jpg"])
    assert "flux: error: xdg-open could not open" in done.err
