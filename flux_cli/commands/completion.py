"""Define ``flux --install-completion`` and ``--show-completion``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flux_cli.commands import options
from flux_cli.saving.home import expand_home
from flux_cli.text import printable


def _install(ctx: typer.Context, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from flux_cli.completion.scripts import current_shell, install  # noqa: PLC0415 - only here

        runtime = options.runtime_of(ctx)
        shell = current_shell(runtime.environ)
        path, changed = install(shell, _program(ctx), Path(expand_home("~")), runtime.environ)
        runtime.streams.out(printable(str(path)))
        if changed is not None:
            runtime.output.note(f"added a line to the end of {printable(str(changed))}")
        runtime.output.note(f"{shell} completes {_program(ctx)} from its next start: `exec {shell}` is one")
        raise typer.Exit


def _show(ctx: typer.Context, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from flux_cli.completion.scripts import current_shell, script  # noqa: PLC0415 - only here

        runtime = options.runtime_of(ctx)
        runtime.streams.out(script(current_shell(runtime.environ), _program(ctx)).rstrip("\n"))
        raise typer.Exit


def _program(ctx: typer.Context) -> str:
    """Return the name that the program was called by, ``flux`` or ``flux-cli``."""
    return "flux-cli" if ctx.find_root().info_name == "flux-cli" else "flux"


InstallCompletion = Annotated[
    bool,
    typer.Option(
        "--install-completion",
        metavar="",
        help="Install completion for the current shell.",
        callback=_install,
        is_eager=True,
        show_default=False,
    ),
]
ShowCompletion = Annotated[
    bool,
    typer.Option(
        "--show-completion",
        metavar="",
        help="Print the completion script of this shell.",
        callback=_show,
        is_eager=True,
        show_default=False,
    ),
]
