"""What ``--help`` looks like: each argument in a sentence, each option in a row, and no types of Python anywhere."""

from __future__ import annotations

from typing import Any

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption


class Command(TyperCommand):
    """A command. Typer would show the type of an argument beside it, whatever its ``metavar``."""

    def __init__(
        self,
        name: str | None,
        *,
        params: list[Any] | None = None,
        help: str | None = None,  # noqa: A002 - Typer's word
        **more: Any,
    ) -> None:
        """Say of each argument what it is, below what the command does."""
        for one in params or ():
            if isinstance(one, TyperArgument):
                one.hidden = True
                help = f"{help}\n\n{one.metavar}: {one.help}"  # noqa: A001 - the same
        super().__init__(name, params=params, help=help, **more)

    def get_help_option(self, ctx: Any) -> TyperOption | None:
        """Return ``--help``."""
        return _without_type(super().get_help_option(ctx))


class Group(TyperGroup):
    """A command that has commands."""

    def get_help_option(self, ctx: Any) -> TyperOption | None:
        """Return ``--help``."""
        return _without_type(super().get_help_option(ctx))


def _without_type(option: TyperOption | None) -> TyperOption | None:
    if option is not None:
        option.metavar = ""
    return option
