"""``flux config``: the config file, without having to know where it is."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from flux_cli import providers
from flux_cli.commands import options
from flux_cli.errors import AuthError, ConfigError, FluxError, UsageError
from flux_cli.runtime import Runtime
from flux_cli.text import printable

Key = Annotated[
    str,
    typer.Argument(metavar="KEY", help="A dotted key, such as default_provider or generate.model.", show_default=False),
]

config = typer.Typer(help="Show and change the config file.")


@config.callback(invoke_without_command=True)
def overview(ctx: typer.Context) -> int:
    """Show and change the config file."""
    if ctx.invoked_subcommand is None and (text := ctx.get_help()):  # empty where Typer has printed it
        options.runtime_of(ctx).streams.out(text)
    return 0


@config.command()
def init(
    ctx: typer.Context,
    config: options.Config = None,
    json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    sandbox: options.Sandbox = False,
) -> int:
    """Set up a provider: asks for its name, its key and a folder, checks the key, writes the file."""
    from flux_cli import config_file  # noqa: PLC0415 - only where something is written
    from flux_cli.settings import config_path  # noqa: PLC0415

    runtime = options.runtime_of(ctx)
    if not runtime.stdin.isatty():
        raise UsageError(
            "`flux config init` asks questions, and there is nobody to ask", hint="use `flux config set KEY VALUE`"
        )
    path = config_path(runtime.flags.config)
    if path.exists():
        runtime.settings  # noqa: B018 - a file that cannot be read is not written over
    name = typer.prompt(f"Provider ({', '.join(providers.NAMES)})", default=providers.NAMES[-1], err=True)
    provider = providers.load(name.strip().lower())
    runtime.streams.err(f"Keys are made in {provider.key_page}")
    secret = typer.prompt(f"{provider.title} key (not shown)", hide_input=True, err=True).strip()
    folder = typer.prompt("Folder for images", default=".", err=True).strip()
    changes: dict[str, Any] = {"default_provider": provider.name, f"providers.{provider.name}.api_key": secret}
    if folder not in {"", "."}:
        changes["output"] = folder if folder.endswith("/") else f"{folder}/"
    config_file.write(path, changes)
    runtime.streams.err(f"Written: {printable(str(path))}")
    fresh = Runtime(
        stdin=runtime.stdin, stdout=runtime.stdout, stderr=runtime.stderr, flags=runtime.flags, connect=runtime.connect
    )
    try:
        fresh.engine.check(provider, sandbox=fresh.sandbox)
    except FluxError as error:
        if isinstance(error, AuthError):
            raise AuthError(
                f"the key is saved, but {error.message}", hint=f"`flux config set providers.{provider.name}.api_key`"
            ) from error
        runtime.output.warning(f"the key is saved but could not be checked: {error.message}")
    else:
        runtime.streams.err('The key works. Now: flux generate "a red fox in the snow"')
    return 0


@config.command()
def show(
    ctx: typer.Context,
    config: options.Config = None,
    json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    sandbox: options.Sandbox = False,
) -> int:
    """Show every value that is set, and where it comes from. Secrets are masked."""
    runtime = options.runtime_of(ctx)
    rows = runtime.settings.rows()
    data = [{"key": key, "value": value, "source": source} for key, value, source in rows]
    runtime.output.table(("KEY", "VALUE", "FROM"), rows, data)
    if all(source == "default" for _, _, source in rows):
        runtime.output.note(f"nothing is set ({printable(str(runtime.settings.file))})")
    return 0


@config.command()
def get(
    ctx: typer.Context,
    key: Key,
    config: options.Config = None,
    json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    sandbox: options.Sandbox = False,
) -> int:
    """Print one value. Of a secret, only whether it is set. Exits with 1 where nothing is set."""
    runtime = options.runtime_of(ctx)
    value = runtime.settings.get(key)
    runtime.output.lines([] if value is None else [_text(value)], {"key": key, "value": value})
    return 1 if value is None else 0


@config.command("set")
def set_value(
    ctx: typer.Context,
    key: Key,
    value: Annotated[
        str | None,
        typer.Argument(
            metavar="VALUE", help="Not for secrets: those are asked for, or read from stdin.", show_default=False
        ),
    ] = None,
    config: options.Config = None,
    json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    sandbox: options.Sandbox = False,
) -> int:
    """Set one value. A key is asked for without showing it, or read from stdin."""
    from flux_cli import config_file  # noqa: PLC0415 - only where something is written
    from flux_cli.settings import config_path  # noqa: PLC0415

    runtime = options.runtime_of(ctx)
    if config_file.secret(key):
        if value is not None:
            raise UsageError(
                "a secret on the command line ends up in the shell's history and in `ps`: it was not saved",
                hint=f"`flux config set {key}` asks for it, or reads it from stdin",
            )
        text = (
            typer.prompt("Key (not shown)", hide_input=True, err=True)
            if runtime.stdin.isatty()
            else runtime.stdin.read()
        )
        if not text.strip():
            raise UsageError("there is no key on stdin: nothing was saved")
        changes = {key: text.strip()}
    elif value is None:
        raise UsageError(f"{key} needs a value", hint=f"`flux config set {key} VALUE`")
    else:
        try:
            changes = {key: config_file.parse_value(key, value)}
        except UsageError as error:
            error.hint = error.hint or "`flux config show` lists what is set, and how it is written"
            raise
    path = config_path(runtime.flags.config)
    config_file.write(path, changes)
    runtime.output.note(f"{key} is set in {printable(str(path))}")
    return 0


@config.command()
def unset(
    ctx: typer.Context,
    key: Key,
    config: options.Config = None,
    json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    sandbox: options.Sandbox = False,
) -> int:
    """Remove one value from the file."""
    from flux_cli import config_file  # noqa: PLC0415 - only where something is written
    from flux_cli.settings import config_path  # noqa: PLC0415

    runtime = options.runtime_of(ctx)
    path = config_path(runtime.flags.config)
    if not path.exists():
        raise ConfigError(
            f"there is no config file {printable(str(path))}", hint="`flux config set KEY VALUE` makes one"
        )
    config_file.write(path, {key: None})
    return 0


@config.command()
def path(
    ctx: typer.Context,
    config: options.Config = None,
    json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    sandbox: options.Sandbox = False,
) -> int:
    """Print where the config file is, whether or not it exists."""
    from flux_cli.settings import config_path  # noqa: PLC0415 - not for --help

    runtime = options.runtime_of(ctx)
    found = config_path(runtime.flags.config)
    runtime.output.lines([str(found)], {"path": str(found), "exists": found.exists()})
    return 0


def _text(value: Any) -> str:
    import json as standard  # noqa: PLC0415 - the option of that name hides it

    return value if isinstance(value, str) else standard.dumps(value)
