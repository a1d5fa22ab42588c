"""``--preview`` and ``--open``: what was saved is seen, once all of it is there."""

from __future__ import annotations

from collections.abc import Sequence

from flux_cli.errors import UsageError
from flux_cli.runtime import Runtime


def check_preview(runtime: Runtime, preview: bool | None, *, output: str | None, no_wait: bool = False) -> None:
    """Take in whether saved images are to be shown. Raises `UsageError` where there will be none on disk."""
    runtime.flags.preview = preview
    if preview and output == "-":
        raise UsageError(
            "--preview shows images that are saved, and -o - saves none", hint="name a file with -o, or leave one out"
        )
    if preview and no_wait:
        raise UsageError(
            "--no-wait leaves before there is an image to show", hint="give --preview to `flux result --wait`"
        )


def show_images(runtime: Runtime, paths: Sequence[str]) -> None:
    """Show the saved images at ``paths`` on stderr, where that was asked for and both streams are a terminal.

    What was typed and cannot be is told in a note; what only the config wants is left out in silence.
    """
    wanted = runtime.flags.preview
    if wanted is None:
        wanted = not runtime.flags.quiet and runtime.settings.get("preview") == "auto"
    if not wanted or not paths:
        return
    if not (runtime.stdout.isatty() and runtime.stderr.isatty()):
        _note(runtime, "--preview shows images in a terminal, and never in a pipe or a file")
        return
    from flux_cli.preview.terminal import detect  # noqa: PLC0415 - only who wants to see

    screen = detect(runtime.stderr, runtime.environ, runtime.clock.monotonic)
    plain = screen.protocol == "blocks" and runtime.environ.get("NO_COLOR") and not runtime.flags.preview
    if screen.protocol is None or plain:
        _note(runtime, "this terminal shows no pictures; `flux result --open @1` shows them elsewhere")
        return
    from flux_cli.preview.layout import render, write  # noqa: PLC0415 - only who can

    lines, bad = render(paths, screen)
    with runtime.streams.watch_reader():
        write(runtime.stderr.buffer, lines)
    for path in bad:
        runtime.output.note(f"{path} cannot be shown")


def _note(runtime: Runtime, note: str) -> None:
    """Tell whoever typed ``--preview``."""
    if runtime.flags.preview:
        runtime.output.note(note)


def find_viewer(runtime: Runtime, output: str | None) -> list[str]:
    """Return the command that opens images, before anything is fetched. Raises `UsageError` where there is none."""
    from flux_cli.preview import viewer  # noqa: PLC0415 - only for --open

    if output == "-":
        raise UsageError(
            "--open opens images that are saved, and -o - saves none", hint="name a file with -o, or leave one out"
        )
    return viewer.find_viewer(runtime.environ)


def open_images(runtime: Runtime, command: list[str], paths: Sequence[str]) -> None:
    """Open the saved images at ``paths`` with the system's viewer. Raises `FluxError`."""
    from flux_cli.preview import viewer  # noqa: PLC0415 - only for --open

    if len(paths) > viewer.MOST:
        runtime.output.note(f"{viewer.MOST} of {len(paths)} images are opened")
    viewer.open_images(paths[: viewer.MOST], command)
