"""Define ``flux config``: show and change the config file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flux_cli.commands import examples, options
from flux_cli.commands.help_layout import Command, Group
from flux_cli.errors import AuthError, ConfigError, UsageError
from flux_cli.text import printable

if TYPE_CHECKING:
    from pydantic import SecretStr

    from flux_cli.providers.base import Account, Provider

Key = Annotated[
    str,
    typer.Argument(metavar="KEY", help="A dotted key, such as default_provider or generate.model.", show_default=False),
]

config = typer.Typer(cls=Group, help="Show and change the config file.", epilog=examples.COMMANDS["config"])


@config.callback(invoke_without_command=True)
def overview(ctx: typer.Context) -> int:
    """Show and change the config file."""
    if ctx.invoked_subcommand is None and (text := ctx.get_help()):  # empty where Typer has printed it
        options.runtime_of(ctx).streams.out(text)
    return 0


@config.command(cls=Command, epilog=examples.CONFIG["init"])
def init(
    ctx: typer.Context,
    config: options.Config = None,
    json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    sandbox: options.Sandbox = False,
) -> int:
    """Set up a provider: choose one, enter its key and a folder for images."""
    from flux_cli.commands.config.init import Terminal, interview  # noqa: PLC0415
    from flux_cli.config import edit as config_file  # noqa: PLC0415 - only where something is written
    from flux_cli.config.paths import config_path  # noqa: PLC0415
    from flux_cli.config.settings import Settings  # noqa: PLC0415

    runtime = options.runtime_of(ctx)
    if not (runtime.stdin.isatty() and runtime.stderr.isatty()):
        raise UsageError(
            "`flux config init` asks questions, but standard input is not a terminal",
            hint="without a terminal, `flux config set providers.runware.api_key` reads the key from stdin",
        )
    path = config_path(runtime.flags.config)
    runtime.settings = Settings.load(
        runtime.flags.config, must_exist=False
    )  # a file that cannot be read is not overwritten

    def attempt(provider: Provider, key: SecretStr | None) -> Account:
        if key is not None:
            runtime.router.use(provider, key)
        return runtime.engine.check(provider, sandbox=False)

    answers = interview(Terminal(runtime), runtime.settings, None if runtime.sandbox else attempt)
    config_file.write(path, answers.changes())
    if not runtime.flags.quiet:
        runtime.streams.err(f"Written: {printable(str(path))}")
    if answers.verdict == "refused" and answers.problem is not None:
        raise AuthError(
            f"the key is saved, but {answers.problem.message}",
            hint=f"`flux config set providers.{answers.provider.name}.api_key` asks for another",
        )
    result = {"provider": answers.provider.name, "key": answers.verdict, "output": answers.output, "path": str(path)}
    runtime.output.lines([], result)
    if not runtime.flags.quiet:
        runtime.streams.err('Try it: flux generate "a red fox in the snow"')
    return 0


@config.command(cls=Command, epilog=examples.CONFIG["show"])
def show(
    ctx: typer.Context,
    config: options.Config = None,
    json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    sandbox: options.Sandbox = False,
) -> int:
    """Show every value that is set and where it comes from. Secrets are masked."""
    runtime = options.runtime_of(ctx)
    rows = runtime.settings.rows()
    data = [{"key": key, "value": value, "source": source} for key, value, source in rows]
    runtime.output.table(("KEY", "VALUE", "FROM"), rows, data)
    if all(source == "default" for _, _, source in rows):
        runtime.output.note(f"nothing is set ({printable(str(runtime.settings.file))})")
    return 0


@config.command(cls=Command, epilog=examples.CONFIG["get"])
def get(
    ctx: typer.Context,
    key: Key,
    config: options.Config = None,
    json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    sandbox: options.Sandbox = False,
) -> int:
    """Print one value; of a secret, only whether it is set. Exits with 1 if there is no value."""
    runtime = options.runtime_of(ctx)
    value = runtime.settings.get(key)
    runtime.output.lines([] if value is None else [_text(value)], {"key": key, "value": value})
    return 1 if value is None else 0


@config.command("set", cls=Command, epilog=examples.CONFIG["set"])
def set_value(
    ctx: typer.Context,
    key: Key,
    value: Annotated[
        str | None,
        typer.Argument(metavar="VALUE", help="The new value; leave it out for a secret.", show_default=False),
    ] = None,
    config: options.Config = None,
    json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    sandbox: options.Sandbox = False,
) -> int:
    """Set one value. A secret is read from a hidden prompt, or from stdin."""
    from flux_cli.config import edit as config_file  # noqa: PLC0415 - only where something is written
    from flux_cli.config.paths import config_path  # noqa: PLC0415

    runtime = options.runtime_of(ctx)
    if config_file.is_secret(key):
        if value is not None:
            raise UsageError(
                "a secret on the command line ends up in the shell history and in `ps`; it was not saved",
                hint=f"`flux config set {key}` asks for it, or reads it from stdin",
            )
        text = (
            typer.prompt("Key (not shown)", hide_input=True, err=True)
            if runtime.stdin.isatty()
            else runtime.stdin.read()
        )
        if not text.strip():
            raise UsageError("stdin has no key; nothing was saved", hint=f"`flux config set {key} < FILE`")
        changes = {key: text.strip()}
    elif value is None:
        raise UsageError(f"{key} needs a value", hint=f"`flux config set {key} VALUE`")
    else:
        try:
            changes = {key: config_file.parse_value(key, value)}
        except UsageError as error:
            error.hint = error.hint or "`flux config show` lists what is set"
            raise
    path = config_path(runtime.flags.config)
    config_file.write(path, changes)
    runtime.output.note(f"{key} is set in {printable(str(path))}")
    return 0


@config.command(cls=Command, epilog=examples.CONFIG["unset"])
def unset(
    ctx: typer.Context,
    key: Key,
    config: options.Config = None,
    json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    sandbox: options.Sandbox = False,
) -> int:
    """Remove one value from the config file."""
    from flux_cli.config import edit as config_file  # noqa: PLC0415 - only where something is written
    from flux_cli.config.paths import config_path  # noqa: PLC0415

    runtime = options.runtime_of(ctx)
    path = config_path(runtime.flags.config)
    if not path.exists():
        raise ConfigError(
            f"there is no config file {printable(str(path))}", hint="`flux config set KEY VALUE` creates one"
        )
    config_file.write(path, {key: None})
    return 0


@config.command(cls=Command, epilog=examples.CONFIG["path"])
def path(
    ctx: typer.Context,
    config: options.Config = None,
    json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    sandbox: options.Sandbox = False,
) -> int:
    """Print the path of the config file, whether or not it exists."""
    from flux_cli.config.paths import config_path  # noqa: PLC0415 - not for --help

    runtime = options.runtime_of(ctx)
    found = config_path(runtime.flags.config)
    runtime.output.lines([str(found)], {"path": str(found), "exists": found.exists()})
    return 0


def _text(value: Any) -> str:
    import json as standard  # noqa: PLC0415 - the option of that name hides it

    return value if isinstance(value, str) else standard.dumps(value)
