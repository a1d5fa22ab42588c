"""Open saved images in the system's viewer, without waiting for it to be closed.

`typer.launch` does not serve here: on Linux it reports success whatever happens and lets the viewer hold our stdout,
and on Windows it runs ``start``, which is not a program.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress

from flux_cli.errors import FluxError, UsageError

MOST = 10
"""Images that are opened at once."""

_SETTLED = 0.5
"""Seconds after which a viewer that has not failed counts as open."""
_COMMANDS = (["xdg-open"], ["gio", "open"], ["wslview"])
"""Commands that open a file on Linux and BSD, in order of preference."""


def find_viewer(environ: Mapping[str, str]) -> list[str]:
    """Return the command that opens a file, empty on Windows, which has a system call for it.

    Raises `UsageError` if there is no display, or no such command.
    """
    if sys.platform == "win32":
        return []
    path = environ.get("PATH", os.defpath)
    if sys.platform == "darwin":
        return ["open"]
    if not (environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY") or shutil.which("wslview", path=path)):
        raise UsageError("there is no display to open an image on", hint=_INSTEAD)
    found = [command for command in _COMMANDS if shutil.which(command[0], path=path)]
    if not found:
        raise UsageError("there is no image viewer: xdg-open is not installed", hint=_INSTEAD)
    return found[0]


def open_images(paths: Sequence[str], command: Sequence[str]) -> None:
    """Open each of the images at ``paths``. Raises `FluxError`."""
    for path in paths:
        full = os.path.abspath(path)  # noqa: PTH100 - keeps symbolic links, and never starts with a dash
        try:
            if sys.platform == "win32":
                os.startfile(full)  # noqa: S606 - an image, with what Windows opens it with
            else:
                _start([*command, full])
        except OSError as error:
            raise FluxError(
                f"cannot open {path}: {error.strerror}", hint=_INSTEAD, charged="no", retry="safe"
            ) from error


def _start(command: Sequence[str]) -> None:
    """Start a program that outlives flux. Raises `FluxError` if it fails at once, ``OSError`` if it is missing."""
    process = subprocess.Popen(  # noqa: S603 - a name from our own list, and a path
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    with suppress(subprocess.TimeoutExpired):
        if process.wait(_SETTLED):
            raise FluxError(
                f"{command[0]} could not open {command[-1]} (exit code {process.returncode})",
                hint="the image is saved; is a viewer for this kind of image installed?",
                charged="no",
            )
    process.returncode = process.returncode or 0  # it keeps running: Python need not wait for it


_INSTEAD = "--preview shows it in the terminal"
