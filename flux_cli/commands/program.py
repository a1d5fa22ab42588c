"""``flux`` itself: what it says when it is called without a command."""

from __future__ import annotations

from typing import Annotated

import typer

from flux_cli import __version__
from flux_cli.commands import options


def _version(ctx: typer.Context, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        options.runtime_of(ctx).streams.out(f"flux {__version__}")
        raise typer.Exit


def program(
    ctx: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", metavar="", help="Show the version.", callback=_version, is_eager=True, show_default=False
        ),
    ] = False,
) -> int:
    r"""Make images with FLUX 1.1 \[pro] and Ultra, through RunComfy, Runflow, Apiframe or Runware."""
    if ctx.invoked_subcommand is None and (text := ctx.get_help()):  # empty where Typer has printed it
        options.runtime_of(ctx).streams.out(text)
    return 0
