"""Show saved images in the terminal (``--preview``) or in the system's viewer (``--open``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flux_cli.errors import UsageError
from flux_cli.runtime import Runtime


def check_preview(runtime: Runtime, preview: bool | None, *, output: str | None, no_wait: bool = False) -> None:
    """Store whether to show saved images. Raises `UsageError` if none will be on disk."""
    runtime.flags.preview = preview
    if preview and output == "-":
        raise UsageError(
            "--preview needs saved images, but -o - saves none", hint="name a file with -o, or leave one out"
        )
    if preview and no_wait:
        raise UsageError(
            "--no-wait exits before there is an image to show", hint="use --preview with `flux result --wait`"
        )


def show_images(
    runtime: Runtime, paths: Sequence[str], *, captions: Mapping[str, str] | None = None, abreast: int | None = None
) -> None:
    """Show the images at ``paths`` on stderr if the command line or config says so and both streams are a terminal.

    Several images have their file names below them, or ``captions`` by path; at most ``abreast`` stand side by side.
    A note says why ``--preview`` shows nothing; the config's ``preview = "auto"`` is skipped silently.
    """
    preview = runtime.flags.preview
    if preview is None:
        preview = not runtime.flags.quiet and runtime.settings.get("preview") == "auto"
    if not preview or not paths:
        return
    if not (runtime.stdout.isatty() and runtime.stderr.isatty()):
        _note(runtime, "--preview only works in a terminal, not in a pipe or a file")
        return
    from flux_cli.preview.terminal import detect  # noqa: PLC0415 - only for --preview

    screen = detect(runtime.stderr, runtime.environ, runtime.clock.monotonic)
    plain = screen.protocol == "blocks" and runtime.environ.get("NO_COLOR") and not runtime.flags.preview
    if screen.protocol is None or plain:
        _note(runtime, "this terminal cannot show images; `flux result --open @1` opens them in a viewer")
        return
    from flux_cli.preview.layout import render, write  # noqa: PLC0415 - only for --preview

    lines, bad = render(paths, screen, captions=captions, abreast=abreast)
    with runtime.streams.watch_reader():
        write(runtime.stderr.buffer, lines)
    for path in bad:
        runtime.output.note(f"{path} cannot be shown")


def _note(runtime: Runtime, note: str) -> None:
    """Print a note if ``--preview`` was given on the command line."""
    if runtime.flags.preview:
        runtime.output.note(note)


def find_viewer(runtime: Runtime, output: str | None) -> list[str]:
    """Return the command that opens images. Raises `UsageError` if there is none."""
    from flux_cli.preview import viewer  # noqa: PLC0415 - only for --open

    if output == "-":
        raise UsageError("--open needs saved images, but -o - saves none", hint="name a file with -o, or leave one out")
    return viewer.find_viewer(runtime.environ)


def open_images(runtime: Runtime, command: list[str], paths: Sequence[str]) -> None:
    """Open the saved images at ``paths`` in the system's viewer. Raises `FluxError`."""
    from flux_cli.preview import viewer  # noqa: PLC0415 - only for --open

    if len(paths) > viewer.MOST:
        runtime.output.note(f"opening only {viewer.MOST} of {len(paths)} images")
    viewer.open_images(paths[: viewer.MOST], command)
