"""Lay out ``--help``: a sentence for each argument, a row for each option, and no Python types."""

from __future__ import annotations

from typing import Any

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption


class Command(TyperCommand):
    """A command. Typer would show the Python type of each argument, whatever its ``metavar``."""

    def __init__(
        self,
        name: str | None,
        *,
        params: list[Any] | None = None,
        help: str | None = None,  # noqa: A002 - Typer's word
        **more: Any,
    ) -> None:
        """Describe each argument below the summary of the command."""
        for one in params or ():
            if isinstance(one, TyperArgument):
                one.hidden = True
                help = f"{help}\n\n{one.metavar}: {one.help}"  # noqa: A001 - the same
        super().__init__(name, params=params, help=help, **more)

    def get_help_option(self, ctx: Any) -> TyperOption | None:
        """Return ``--help``."""
        return _without_type(super().get_help_option(ctx))


class Group(TyperGroup):
    """A command with subcommands."""

    def get_help_option(self, ctx: Any) -> TyperOption | None:
        """Return ``--help``."""
        return _without_type(super().get_help_option(ctx))


def _without_type(option: TyperOption | None) -> TyperOption | None:
    if option is not None:
        option.metavar = ""
    return option
