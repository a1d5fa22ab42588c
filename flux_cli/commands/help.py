"""Define ``flux help``: show a topic of ``flux_cli/help``, or the help of a command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from flux_cli.commands import examples, options
from flux_cli.errors import UsageError
from flux_cli.text import nearest

FOLDER = Path(__file__).parent.parent / "help"
"""One Markdown file for each topic: a heading, an empty line, a one-line summary, and the rest."""


def help(  # noqa: A001 - the command's name
    ctx: typer.Context,
    topic: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TOPIC", help="A topic or a command. Without one, all topics are listed.", show_default=False
        ),
    ] = None,
) -> int:
    """Read about a topic, such as exit-codes or batches, or about a command."""
    streams = options.runtime_of(ctx).streams
    match topic or []:
        case []:
            _list_topics(ctx)
        case [name] if name in topics():
            text = (FOLDER / f"{name}.md").read_text(encoding="utf-8").rstrip("\n")
            if streams.stdout.isatty():
                from flux_cli.display.markdown import render_markdown  # noqa: PLC0415 - only a terminal needs it

                text = render_markdown(text, streams.stdout)
            streams.out(text)
        case words:
            if text := _command_help(ctx, words):  # empty where Typer has printed it
                streams.out(text)
    return 0


def topics() -> dict[str, str]:
    """Return the summary of each topic, by name."""
    files = sorted(FOLDER.glob("*.md"))
    return {file.stem: file.read_text(encoding="utf-8").split("\n", 3)[2].rstrip(".") for file in files}


def _list_topics(ctx: typer.Context) -> None:
    runtime = options.runtime_of(ctx)
    found = topics()
    runtime.output.table(
        ["topic", "about"], list(found.items()), [{"topic": name, "about": about} for name, about in found.items()]
    )
    if runtime.stdout.isatty():
        runtime.streams.out("\n`flux help TOPIC` shows one of them, `flux help COMMAND` the help of a command.")


def _command_help(ctx: typer.Context, words: list[str]) -> str:
    """Return the help of the command that ``words`` name. Raises `UsageError` with the nearest name."""
    context, known = ctx.find_root(), {*topics(), *examples.COMMANDS}
    for number, word in enumerate(words):
        command: Any = context.command
        commands = getattr(command, "commands", {})
        if word not in commands:
            if word in known:
                raise UsageError("flux help shows one topic at a time", hint=f"`flux help {word}`")
            called = " ".join(["flux help", *words[:number]])
            near = nearest(word, known or commands)
            kind = "command" if number else "topic or command"
            raise UsageError(
                f"there is no {kind} {' '.join(words[: number + 1])!r}",
                hint=f"did you mean `{called} {near}`?" if near else f"`{called}` lists them",
            )
        context, known = typer.Context(commands[word], info_name=word, parent=context), set()
    return context.get_help()
