"""The system's viewer: found before anything is fetched, started with the image, and left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from flux_cli.errors import FluxError, UsageError
from flux_cli.preview.viewer import find_viewer, open_images


@pytest.fixture
def programs(tmp_path):
    """Return a function that puts a program on a PATH of its own, and returns that PATH."""

    def install(name: str, script: str = "exit 0") -> str:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(f"#!/bin/sh\n{script}\n", "utf-8")
        (folder / name).chmod(0o755)
        return str(folder)

    return install


@pytest.mark.parametrize(
    ("name", "environ", "command"),
    [
        ("xdg-open", {"DISPLAY": ":0"}, ["xdg-open"]),
        ("xdg-open", {"WAYLAND_DISPLAY": "wayland-0"}, ["xdg-open"]),
        ("gio", {"DISPLAY": ":0"}, ["gio", "open"]),
        ("wslview", {}, ["wslview"]),
    ],
)
def test_what_opens_images_is_found(programs, name, environ, command):
    assert find_viewer({"PATH": programs(name), **environ}) == command


@pytest.mark.parametrize(("environ", "said"), [({}, "no display"), ({"DISPLAY": ":0"}, "xdg-open is not installed")])
def test_where_nothing_can_be_opened_that_is_said_at_once(tmp_path, environ, said):
    with pytest.raises(UsageError, match=said) as caught:
        find_viewer({"PATH": str(tmp_path), **environ})

    assert "--preview" in caught.value.hint


def test_without_a_display_no_viewer_is_started(programs):
    """It would take the terminal for a text browser."""
    with pytest.raises(UsageError, match="no display"):
        find_viewer({"PATH": programs("xdg-open")})


def test_each_image_is_opened_by_its_full_path(programs, tmp_path):
    """A name that begins with a dash is no option."""
    opener = Path(programs("xdg-open", f'echo "$@" >> {tmp_path}/opened')) / "xdg-open"

    open_images(["-fox.png", "out/an owl.png"], [str(opener)])

    here = Path.cwd()
    assert (tmp_path / "opened").read_text("utf-8") == f"{here}/-fox.png\n{here}/out/an owl.png\n"


def test_a_viewer_that_gives_up_is_told_of(programs):
    opener = str(Path(programs("xdg-open", "exit 3")) / "xdg-open")

    with pytest.raises(FluxError, match="exit code 3"):
        open_images(["fox.png"], [opener])


def test_a_viewer_that_is_gone_is_told_of(tmp_path):
    with pytest.raises(FluxError, match=r"cannot open fox.png: No such file"):
        open_images(["fox.png"], [str(tmp_path / "missing")])
