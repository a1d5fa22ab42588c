"""Declare the options that several commands share, and find the jobs that their arguments name."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flux_cli import providers
from flux_cli.errors import UsageError
from flux_cli.image_options import IMAGE_OPTIONS, ImageOption
from flux_cli.jobs import Job
from flux_cli.runtime import Runtime
from flux_cli.text import listed, nearest, printable

PROVIDER_HELP = f"{listed(providers.NAMES, last='or')}."
"""The help of an option or argument that takes the name of a provider."""

if TYPE_CHECKING:
    from flux_cli.jobs import Job


def _set(ctx: typer.Context, param: typer.CallbackParam, value: Any) -> Any:
    """Store a common option in the flags of the runtime."""
    if value and isinstance(ctx.obj, Runtime):
        setattr(ctx.obj.flags, str(param.name), value)
    return value


def _common(*names: str, help: str, metavar: str | None = None) -> Any:  # noqa: A002 - Typer's word
    return typer.Option(
        *names,
        help=help,
        metavar=metavar,
        callback=_set,
        is_eager=True,
        show_default=False,
        rich_help_panel="Every command",
    )


def typer_option(option: ImageOption) -> Any:
    """Return an image option of the table as Typer declares it."""
    return typer.Option(
        *option.flags, help=option.help, metavar=option.metavar, show_default=False, rich_help_panel=option.panel
    )


Config = Annotated[str | None, _common("--config", help="Use this config file.", metavar="FILE")]
AsJson = Annotated[bool, _common("--json", metavar="", help="One JSON object per line, errors included.")]
Quiet = Annotated[bool, _common("--quiet", "-q", metavar="", help="No progress, no notes.")]
Verbose = Annotated[bool, _common("--verbose", "-v", metavar="", help="The HTTP conversation on stderr, without keys.")]
Sandbox = Annotated[bool, _common("--sandbox", metavar="", help="Offline stand-ins for the providers: no key, free.")]

ProviderOption = Annotated[
    str | None,
    typer.Option(
        "--provider",
        "-p",
        metavar="NAME",
        help=PROVIDER_HELP,
        show_default=False,
    ),
]
Jobs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="JOB",
        show_default=False,
        help="An id, the beginning or end of one, provider:id, @1 for the latest run, or a saved image.",
    ),
]
OutputOption = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="PATH",
        show_default=False,
        help="File, folder/, template or - (stdout).",
    ),
]
_KEEPING = "Saving, showing, waiting"
"""The panel of what few people set each time."""
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite", metavar="", help="Replace a file that exists.", show_default=False, rich_help_panel=_KEEPING
    ),
]
Format = Annotated[str | None, typer_option(IMAGE_OPTIONS["format"])]
Embed = Annotated[
    bool | None,
    typer.Option(
        "--embed/--no-embed",
        metavar="",
        show_default=False,
        help="Write prompt, seed, model, provider and job id into the image file, losslessly (on).",
        rich_help_panel=_KEEPING,
    ),
]
Preview = Annotated[
    bool | None,
    typer.Option(
        "--preview/--no-preview",
        rich_help_panel=_KEEPING,
        metavar="",
        show_default=False,
        help="Show the images in the terminal, if it can (off).",
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        show_default=False,
        help="How long to wait (600). The job itself continues.",
        rich_help_panel=_KEEPING,
    ),
]
Print0 = Annotated[
    bool,
    typer.Option(
        "--print0",
        "-0",
        metavar="",
        callback=_set,
        show_default=False,
        help="End each path with NUL, not a newline, for `xargs -0`.",
        rich_help_panel=_KEEPING,
    ),
]

DEFAULT_TIMEOUT = 600.0


def runtime_of(ctx: typer.Context) -> Runtime:
    """Return what the program was started with."""
    runtime: Runtime = ctx.obj
    return runtime


def check_format(word: str | None) -> str | None:
    """Return a format's own name. Raises `UsageError`."""
    return None if word is None else check_choice(IMAGE_OPTIONS["format"], word)


def check_choice(option: ImageOption, word: str) -> str:
    """Return the one of an option's choices that ``word`` stands for. Raises `UsageError` with the nearest one."""
    name = {"jpeg": "jpg"}.get(word.lower(), word.lower())
    if name not in option.choices:
        near = nearest(word, option.choices)
        hint = f"did you mean {near}?" if near else f"such as `{option.flags[-1]} {option.choices[1]}`"
        message = f"{option.flag} takes {listed(option.choices, last='or')}, not {printable(word)}"
        raise UsageError(message, hint=hint)
    return name


def check_timeout(seconds: float | None, fallback: float | None = None) -> float:
    """Return how long to wait, in seconds. Raises `UsageError`."""
    chosen = seconds if seconds is not None else fallback if fallback is not None else DEFAULT_TIMEOUT
    if not 0 < chosen < 1e7:  # noqa: PLR2004 - a few months; also false for NaN
        hint = "`--timeout 600` is ten minutes; `flux generate --no-wait` does not wait at all"
        raise UsageError(f"--timeout takes a number of seconds above 0, not {chosen:g}", hint=hint)
    return chosen


def batch_name(file: str) -> str:
    """Return the ledger's name of a batch file; ``-`` is standard input."""
    from flux_cli.runs import rows  # noqa: PLC0415 - not for --help
    from flux_cli.saving.home import expand_home  # noqa: PLC0415 - the same

    return file if file == "-" else rows.batch_name(str(Path(expand_home(file)).resolve()))


def find_jobs(
    runtime: Runtime,
    references: Sequence[str],
    provider: str | None,
    *,
    elsewhere: Callable[[str], Job | None] = lambda _reference: None,
) -> list[Job]:
    """Return the jobs that ``references`` stand for, each once, in their order.

    What the ledger does not know is looked for ``elsewhere``; then a provider's id is taken in, if it comes with its
    provider. Raises `UsageError` or `NotFoundError`.
    """
    if provider is not None:
        providers.load(provider)
    found: dict[str, Job] = {}
    for reference in references:
        jobs = runtime.ledger.find(reference, sandbox=runtime.sandbox, provider=provider)
        for job in jobs or [elsewhere(reference) or _adopt(runtime, reference, provider)]:
            found[job.id] = job
    return list(found.values())


def _adopt(runtime: Runtime, reference: str, provider: str | None) -> Job:
    from flux_cli.jobs import Job  # noqa: PLC0415 - not for --help

    name, remote_id = provider, reference
    owner, colon, rest = reference.partition(":")
    if colon and owner in providers.names() and provider in {None, owner}:
        name, remote_id = owner, rest
    if name is None or _in_sandbox_only(runtime, reference):
        hint = "`flux status` lists them; for a job started elsewhere, give provider:id"
        raise unknown_reference(runtime, reference, hint)
    if not re.fullmatch(providers.load(name).id_pattern, remote_id):
        raise UsageError(
            f"{printable(remote_id)} does not look like an id of {name}",
            hint="`flux status` lists the jobs that were started here",
        )
    return runtime.engine.adopt(
        Job(
            id=runtime.new_id(),
            run=runtime.new_id(),
            provider=name,
            model=None,
            prompt="",
            created_at=runtime.clock.now(),
            status="unknown",
            count=0,
            sandbox=runtime.sandbox,
            remote_id=remote_id,
        )
    )


def unknown_reference(runtime: Runtime, reference: str, hint: str, *, what: str = "job") -> UsageError:
    """Return the error of a reference that stands for no job, with ``hint`` unless the sandbox knows it."""
    shown = printable(reference)
    if not _in_sandbox_only(runtime, reference):
        return UsageError(f"there is no {what} {shown}", hint=hint)
    return UsageError(
        f"there is no {what} {shown} outside the sandbox",
        hint=f"add --sandbox for the sandbox's {shown}; {count_sandbox_jobs(runtime.ledger.count(sandbox=True))}",
    )


def _in_sandbox_only(runtime: Runtime, reference: str) -> bool:
    """Whether a reference that stands for nothing out here stands for jobs in the sandbox.

    Only runs (``@1``) are counted in each world for itself; anything else that is known is found from both.
    """
    return not runtime.sandbox and reference[:1] == "@" and bool(runtime.ledger.find(reference, sandbox=True))


def count_sandbox_jobs(count: int, narrowed: str = "") -> str:
    """Return how many jobs the sandbox has, and the command that lists them, ``narrowed`` by options."""
    return f"the sandbox has {'1 job' if count == 1 else f'{count} jobs'}: `flux status --sandbox{narrowed}`"


def note_nothing(runtime: Runtime, words: str, *, active: bool = False, provider: str | None = None) -> None:
    """Say in ``words`` that there is no job to deal with, and how many of the kind the sandbox has."""
    count = 0 if runtime.sandbox else runtime.ledger.count(sandbox=True, active=active, provider=provider)
    narrowed = ("" if provider is None else f" -p {provider}") + (" --active" if active else "")
    runtime.output.note(f"{words}; {count_sandbox_jobs(count, narrowed)}" if count else words)


def note_no_batch(runtime: Runtime, file: str) -> None:
    """Print a note that no job was made from a batch file. Raises `UsageError` if there is no such file either."""
    from flux_cli.saving.home import expand_home  # noqa: PLC0415 - not for --help

    words = f"no job was made from {printable(file)}"
    elsewhere = 0 if runtime.sandbox else runtime.ledger.count(sandbox=True, batch=batch_name(file))
    if not elsewhere and file != "-" and not Path(expand_home(file)).exists():
        raise UsageError(f"{words}, and the file does not exist", hint="`flux status`")
    there = count_sandbox_jobs(elsewhere, f" --batch {shlex.quote(file)}")
    runtime.output.note(f"{words}; {there}" if elsewhere else f"{words} yet")


def check_print0(runtime: Runtime, *, dry_run: bool = False) -> None:
    """Refuse ``--print0`` where no path is printed. Raises `UsageError`."""
    if runtime.flags.print0 and runtime.flags.json:
        raise UsageError("--print0 cannot be combined with --json", hint="leave out one of them")
    if runtime.flags.print0 and dry_run:
        raise UsageError("--print0 cannot be combined with --dry-run", hint="leave out one of them")


def check_stdout(runtime: Runtime) -> None:
    """Refuse to write image bytes where they would do harm. Raises `UsageError`."""
    if runtime.flags.json:
        raise UsageError("-o - and --json both write to stdout", hint="use only one of them")
    if runtime.flags.print0:
        raise UsageError(
            "--print0 cannot be combined with -o -", hint="-o - writes the image's bytes and prints no path"
        )
    if runtime.stdout.isatty():
        raise UsageError("-o - writes the image's bytes, which no terminal can show", hint="`-o - > fox.jpg`")
