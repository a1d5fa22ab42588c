"""Define ``flux`` itself: its own options, and the welcome text without a command."""

from __future__ import annotations

from typing import Annotated

import typer

from flux_cli import __version__, providers
from flux_cli.commands import completion as completing
from flux_cli.commands import options
from flux_cli.text import listed


def _version(ctx: typer.Context, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        options.runtime_of(ctx).streams.out(f"flux {__version__}")
        raise typer.Exit


def program(
    ctx: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            metavar="",
            help="Print the version and exit.",
            callback=_version,
            is_eager=True,
            show_default=False,
        ),
    ] = False,
    install_completion: completing.InstallCompletion = False,
    show_completion: completing.ShowCompletion = False,
) -> int:
    """Run without a command."""
    if ctx.invoked_subcommand is None:
        from flux_cli.commands.welcome import show_welcome  # noqa: PLC0415 - only without a command

        runtime = options.runtime_of(ctx)
        runtime.streams.out(show_welcome(runtime))
    return 0


# what `flux --help` begins with
program.__doc__ = (
    f"Make images with FLUX.2, FLUX 3, Kontext and FLUX 1.1, through {listed(providers.NAMES, last='or')}."
)
