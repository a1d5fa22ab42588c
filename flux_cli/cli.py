"""Run the program: parse the arguments, run one command, and turn every error into a message and an exit code.

Typer and the commands are imported once the signals are in order, so that Ctrl-C during start-up shows no traceback
either.
"""

from __future__ import annotations

import errno
import gc
import os
import signal
import sys
from collections.abc import Collection, MutableMapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import PurePath
from types import FrameType
from typing import TYPE_CHECKING, Any

from flux_cli.errors import FluxError, Interrupted, OutputError, UsageError

if TYPE_CHECKING:
    import typer

    from flux_cli.runtime import Runtime

_MODULES = {
    name: f"flux_cli.commands.{name}.command"
    for name in ("generate", "status", "providers", "models", "config", "help")
}
"""Where the commands that have a folder are defined."""
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
_UNWRITABLE = frozenset({errno.EBADF, errno.EIO, errno.EFBIG, errno.ENOSPC, errno.EDQUOT})
"""Error numbers of a stdout that is closed or full."""


def main(arguments: Sequence[str] | None = None, runtime: Runtime | None = None) -> int:
    """Run one command and return its exit code.

    Without a ``runtime`` this is the installed program: it takes the process's arguments and streams, and where a
    signal ends it, it dies of that signal, so that a shell loop stops too.
    """
    if runtime is not None:
        return _run_guarded(list(arguments or []), runtime, "flux")
    _install_signal_handlers()
    drop_absurd_sizes(os.environ)
    drop_empty_home(os.environ)
    _repair_streams_and_locale()
    try:
        if shell := os.environ.get("_FLUX_COMPLETE"):
            from flux_cli.completion.answer import answer  # noqa: PLC0415 - only for a shell that asks

            return answer(shell, sys.argv[1:])
        from flux_cli.runtime import Runtime  # noqa: PLC0415 - see above

        words = sys.argv[1:] if arguments is None else list(arguments)
        _build(_select_commands(words))
        gc.freeze()  # what is loaded now stays until the end: no collection has to walk it
        code = _run_guarded(words, Runtime(), _program(sys.argv[0] if sys.argv else ""))
    except Interrupted as stop:
        code = 128 + stop.signum
    if code in {128 + number for number in _signal_numbers((*_SIGNALS, "SIGPIPE"))}:
        _die_of_signal(code - 128)
    _discard_unwritten()
    return code


def _program(path: str) -> str:
    """Return how the program was called, for the hints in its errors: ``flux``, or ``python -m flux_cli``."""
    name = PurePath(path).stem
    return f"python -m {__package__}" if name == "__main__" else name or "flux"


def _run_guarded(arguments: list[str], runtime: Runtime, program: str) -> int:
    """Run one command. Turn every exception into one message and an exit code."""
    import typer  # noqa: PLC0415 - see above

    try:
        code = _build(_select_commands(arguments)).main(
            args=arguments, prog_name=program, obj=runtime, standalone_mode=False
        )
    except FluxError as error:
        _report(error, runtime, arguments)
        code = error.exit_code
    except typer.TyperException as error:
        runtime.flags.json = runtime.flags.json or "--json" in arguments[: (*arguments, "--").index("--")]
        _report(_usage_error(error, arguments, program), runtime, arguments)
        code = UsageError.exit_code
    except typer.Abort:
        runtime.streams.err("")
        code = 128 + signal.SIGINT
    except Interrupted as stop:
        code = 128 + stop.signum
    except SystemExit as end:  # how Typer ends completion; and what it makes of a reader that went away
        gone = isinstance(end.__context__, BrokenPipeError)
        code = 128 + getattr(signal, "SIGPIPE", 13) if gone else end.code
    except Exception as error:
        if runtime.environ.get("FLUX_DEBUG"):
            raise
        hint = "FLUX_DEBUG=1 shows where; this is a bug in flux, please report it"
        defect = FluxError(f"unexpected {type(error).__name__}: {error}", hint=hint)
        _report(_unwritable(error) or defect, runtime, arguments)
        code = FluxError.exit_code
    finally:
        runtime.close()
    return code if isinstance(code, int) else 0


def _report(error: FluxError, runtime: Runtime, arguments: Sequence[str]) -> None:
    if runtime.environ.get("FLUX_DEBUG"):
        import traceback  # noqa: PLC0415 - for debugging only

        traceback.print_exception(error, file=runtime.stderr)
    try:
        runtime.output.error(error, whole=arguments[:1] == ["generate"])
    except (FluxError, Interrupted):
        return  # stderr is gone; the exit code still says it


def _unwritable(error: Exception) -> OutputError | None:
    """Return the error of a help text that could not be written: Typer prints it without our streams."""
    if not isinstance(error, OSError) or error.filename is not None or error.errno not in _UNWRITABLE:
        return None
    return OutputError(f"cannot write the output: {error.strerror}")


def _usage_error(error: typer.TyperException, arguments: Sequence[str], program: str) -> UsageError:
    """Return a usage error that Typer found as one of ours."""
    from flux_cli.commands.usage_errors import explain  # noqa: PLC0415 - only for a usage error

    return explain(error.format_message(), arguments, program=program, commands=COMMANDS)


COMMANDS = {
    "generate": "Make images and save them.",
    "status": "Show recent jobs, or the jobs you name.",
    "result": "Save the images of finished jobs.",
    "cancel": "Cancel queued jobs.",
    "providers": "Show what each provider offers, and check your keys.",
    "models": "Show which model is hosted where, what it takes and costs.",
    "config": "Show and change the config file.",
    "help": "Read about a topic or a command.",
}
"""What each command does, in the order of the help."""


def _select_commands(arguments: list[str]) -> tuple[str, ...]:
    """Return the commands that running ``arguments`` needs: as few as possible, since each costs time to build."""
    match arguments:
        case [] | ["--version" | "--help" | "-h", *_]:
            return ()
        case ["help", *_]:
            return tuple(name for name in COMMANDS if name in arguments)
        case [name, *_] if name in COMMANDS:
            return (name,)
        case _:
            return tuple(COMMANDS)


@cache
def _build(names: tuple[str, ...]) -> Any:
    """Return what Typer makes of `app`."""
    from typer.main import get_command  # noqa: PLC0415 - see above

    return get_command(app(names))


def app(names: Collection[str] = tuple(COMMANDS)) -> typer.Typer:
    """Return the Typer app with these commands. Without ``names``, it has only their summaries."""
    import typer  # noqa: PLC0415 - see above

    from flux_cli.commands import examples  # noqa: PLC0415
    from flux_cli.commands.help_layout import Command, Group  # noqa: PLC0415
    from flux_cli.commands.root import program  # noqa: PLC0415

    flux = typer.Typer(
        name="flux",
        cls=Group,
        add_completion=False,  # ours knows more, and is quicker
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["--help", "-h"]},
    )
    flux.callback(invoke_without_command=True, epilog=examples.PROGRAM)(program)
    for name, summary in COMMANDS.items():
        if not names:
            flux.command(name, help=summary)(lambda: None)
        if name not in names:
            continue
        found = getattr(import_module(_MODULES.get(name, f"flux_cli.commands.{name}")), name)
        if isinstance(found, typer.Typer):
            flux.add_typer(found, name=name, short_help=summary)
        else:
            flux.command(name, cls=Command, short_help=summary, epilog=examples.COMMANDS[name])(found)
    return flux


def _signal_numbers(names: Sequence[str]) -> list[int]:
    """Return the numbers of those signals that this system has."""
    return [int(getattr(signal, name)) for name in names if hasattr(signal, name)]


def _install_signal_handlers() -> None:
    """Turn the first signal into `Interrupted` in the main thread; let the second one end the process at once."""
    received: list[int] = []

    def handle(signum: int, _frame: FrameType | None) -> None:
        if received:
            if sys.stderr.isatty():
                os.write(sys.stderr.fileno(), b"\x1b[?25h\n")  # the cursor, which a live display hides
            _die_of_signal(signum)
        received.append(signum)
        raise Interrupted(signum)

    for number in _signal_numbers(_SIGNALS):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup, or in the background of a script
            signal.signal(number, handle)


def _repair_streams_and_locale() -> None:
    """Repair closed standard streams and an ASCII locale.

    The next file to be opened would take the number of a closed stream, and receive its output; so the null device
    takes it. Writing to a closed stdout still fails: the paths of images do not vanish silently. In the C locale,
    Python uses UTF-8 unless ``PYTHONUTF8=0`` forbids it; then the program restarts itself with UTF-8, because prompts
    and file names are not ASCII.
    """
    for name, mode, flags in (("stdin", "r", os.O_RDONLY), ("stdout", "w", os.O_RDONLY), ("stderr", "w", os.O_WRONLY)):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, flags), mode, encoding="utf-8"))
    if os.name == "posix" and sys.getfilesystemencoding() == "ascii" and not hasattr(sys, "frozen"):
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606 - ourselves


_SIZES = {"COLUMNS": 20, "TERMINAL_WIDTH": 20, "LINES": 1}
"""Variables that hold the window size, each with the smallest size that leaves room for text."""
_LARGEST = 1000


def drop_absurd_sizes(environ: MutableMapping[str, str]) -> None:
    """Drop window sizes that are too small or too large to be true, so that the terminal itself is queried.

    A serial line or a container reports 0. Rich and Typer trust these variables, and would print nothing.
    """
    for name, least in _SIZES.items():
        text = environ.get(name, "").strip()
        sensible = text.isascii() and text.isdigit() and len(text) <= len(str(_LARGEST))
        if name in environ and not (sensible and least <= int(text) <= _LARGEST):
            del environ[name]


def drop_empty_home(environ: MutableMapping[str, str]) -> None:
    """Drop a HOME that is empty, so that the system's entry for the user counts: ``~/x`` would be ``/x``."""
    if environ.get("HOME") == "":
        del environ["HOME"]


def _discard_unwritten() -> None:
    """Discard output that could not be written. The error is reported already; the interpreter would exit with 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _die_of_signal(signum: int) -> None:
    """End the process by the signal itself, so that its parent can see why it ended."""
    signal.signal(signum, signal.SIG_DFL)
    os.kill(os.getpid(), signum)
