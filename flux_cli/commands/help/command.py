"""Define ``flux help``: show a topic of ``flux_cli/help``, or the help of a command."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from flux_cli.commands import examples, options
from flux_cli.commands.help.topics import find_by_heading, read_schema, read_topic, topics
from flux_cli.errors import UsageError
from flux_cli.runtime import Runtime
from flux_cli.text import listed, nearest


def help(  # noqa: A001 - the command's name
    ctx: typer.Context,
    topic: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TOPIC", help="A topic or a command. Without one, all topics are listed.", show_default=False
        ),
    ] = None,
    schema: Annotated[
        bool,
        typer.Option(
            "--schema", metavar="", help="With json: the JSON Schema of what --json prints.", show_default=False
        ),
    ] = False,
    install: Annotated[
        bool,
        typer.Option(
            "--install",
            metavar="",
            help="With agents: write the page as a skill, to [DIR]/flux/SKILL.md or where agents look.",
            show_default=False,
        ),
    ] = False,
    uninstall: Annotated[
        bool,
        typer.Option("--uninstall", metavar="", help="With agents: remove it from there.", show_default=False),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", metavar="", help="With --install: do not ask.", show_default=False)
    ] = False,
    json: options.AsJson = False,
) -> int:
    """Read about a topic, such as exit-codes or batches, or about a command."""
    runtime = options.runtime_of(ctx)
    words = topic or []
    if schema and (words != ["json"] or json or install or uninstall):
        raise UsageError("--schema only works as `flux help json --schema`", hint="`flux help json --schema`")
    if yes and not install:
        raise UsageError("--yes only works together with --install", hint="leave it out")
    if install or uninstall:
        _change_skill(runtime, words, remove=uninstall, both=install and uninstall, yes=yes)
        return 0
    match words:
        case []:
            _list_topics(runtime)
        case ["json"] if schema:
            runtime.streams.out(read_schema())
        case [name] if name in topics():
            _show_topic(runtime, name)
        case _:
            text = _command_help(ctx, words)
            if text:  # empty where Typer has printed it
                runtime.streams.out(text)
    return 0


def _change_skill(runtime: Runtime, words: list[str], *, remove: bool, both: bool, yes: bool) -> None:
    """Write or remove the page for agents as a skill. Raises `UsageError`."""
    from flux_cli.commands.help import install  # noqa: PLC0415 - not for reading

    called = f"flux help agents --{'un' if remove else ''}install"
    match words:
        case _ if both:
            raise UsageError("--install cannot be combined with --uninstall", hint="use only one of them")
        case ["agents", *rest] if len(rest) <= 1 and rest != [""]:
            folder = rest[0] if rest else None
            if remove:
                install.uninstall(runtime, folder)
            else:
                install.install(runtime, folder, yes=yes)
        case _:
            raise UsageError(f"--{'un' if remove else ''}install only works as `{called} [DIR]`", hint=f"`{called}`")


def _list_topics(runtime: Runtime) -> None:
    found = topics()
    runtime.output.table(
        ["topic", "about"], list(found.items()), [{"topic": name, "about": about} for name, about in found.items()]
    )
    if runtime.stdout.isatty() and not runtime.flags.json:
        runtime.streams.out("\n`flux help TOPIC` shows one of them, `flux help COMMAND` the help of a command.")


def _show_topic(runtime: Runtime, name: str) -> None:
    text = shown = read_topic(name)
    if runtime.stdout.isatty() and not runtime.flags.json:
        from flux_cli.display.markdown import render_markdown  # noqa: PLC0415 - only a terminal needs it

        shown = render_markdown(text, runtime.stdout)
    elif name == "agents":
        from flux_cli.commands.help.skill import read_skill  # noqa: PLC0415 - only for this topic

        text = shown = read_skill().rstrip("\n")
    runtime.output.lines([shown], {"topic": name, "about": topics()[name], "text": text})


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
            begun = next((name for name in sorted(known) if name.startswith(word)), None)
            near = begun or nearest(word, known or commands)
            kind = "command" if number else "topic or command"
            hint = f"did you mean `{called} {near}`?" if near else f"`{called}` lists them"
            if begun is None and not number and (found := find_by_heading(word)):
                pages = listed(f"`flux help {name}`" for name in found)
                hint = f"{pages} {'has' if len(found) == 1 else 'have'} a section on it"
            raise UsageError(f"there is no {kind} {' '.join(words[: number + 1])!r}", hint=hint)
        context, known = typer.Context(commands[word], info_name=word, parent=context), set()
    if options.runtime_of(ctx).flags.json:
        called = " ".join(["flux", *words])
        raise UsageError("--json shows topics, not the help of a command", hint=f"`{called} --help`")
    return context.get_help()
