"""``--preview`` and ``--open``: what was saved is seen, once all of it is there."""

from __future__ import annotations

from flux_cli.errors import UsageError
from flux_cli.runtime import Runtime


def check_preview(runtime: Runtime, preview: bool | None, *, output: str | None, no_wait: bool = False) -> None:
    """Take in whether saved images are to be shown. Raises `UsageError` where there will be none on disk."""
    runtime.flags.preview = preview
    if preview and output == "-":
        raise UsageError(
            "--preview needs saved images, but -o - saves none", hint="name a file with -o, or leave one out"
        )
    if preview and no_wait:
        raise UsageError(
            "--no-wait exits before there is an image to show", hint="use --preview with `flux result --wait`"
        )


def show_images(runtime: Runtime) -> None:
    """Show the images that were saved, on stderr, where that was asked for and both streams are a terminal.

    What was typed and cannot be is told in a note; what only the config wants is left out in silence.
    """
    wanted = runtime.flags.preview
    if wanted is None:
        wanted = not runtime.flags.quiet and runtime.settings.get("preview") == "auto"
    if not wanted or not runtime.saved:
        return
    if not (runtime.stdout.isatty() and runtime.stderr.isatty()):
        _note(runtime, "--preview only works in a terminal, not in a pipe or a file")
        return
    from flux_cli.preview.terminal import detect  # noqa: PLC0415 - only who wants to see

    screen = detect(runtime.stderr, runtime.environ, runtime.clock.monotonic)
    plain = screen.protocol == "blocks" and runtime.environ.get("NO_COLOR") and not runtime.flags.preview
    if screen.protocol is None or plain:
        _note(runtime, "this terminal cannot show images; `flux result --open @1` opens them in a viewer")
        return
    from flux_cli.preview.layout import render, write  # noqa: PLC0415 - only who can

    lines, bad = render(_saved(runtime), screen)
    with runtime.streams.watch_reader():
        write(runtime.stderr.buffer, lines)
    for path in bad:
        runtime.output.note(f"{path} cannot be shown")


def _note(runtime: Runtime, note: str) -> None:
    """Tell whoever typed ``--preview``."""
    if runtime.flags.preview:
        runtime.output.note(note)


def _saved(runtime: Runtime) -> list[str]:
    """Return the paths of the images, in the order in which they were asked for."""
    return [path for _, _, paths in sorted(runtime.saved) for path in paths]


def find_viewer(runtime: Runtime, output: str | None) -> list[str]:
    """Return the command that opens images, before anything is fetched. Raises `UsageError` where there is none."""
    from flux_cli.preview import viewer  # noqa: PLC0415 - only for --open

    if output == "-":
        raise UsageError("--open needs saved images, but -o - saves none", hint="name a file with -o, or leave one out")
    return viewer.find_viewer(runtime.environ)


def open_images(runtime: Runtime, command: list[str]) -> None:
    """Open the images that were saved with the system's viewer. Raises `FluxError`."""
    from flux_cli.preview import viewer  # noqa: PLC0415 - only for --open

    paths = _saved(runtime)
    if len(paths) > viewer.MOST:
        runtime.output.note(f"opening only {viewer.MOST} of {len(paths)} images")
    viewer.open_images(paths[: viewer.MOST], command)
