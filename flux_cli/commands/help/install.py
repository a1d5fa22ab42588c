"""Install the page for agents where they look for skills, and uninstall it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import typer

from flux_cli.commands.help.skill import NAME, is_unchanged, read_skill
from flux_cli.errors import UsageError
from flux_cli.runtime import Runtime
from flux_cli.saving.home import expand_home
from flux_cli.text import listed, printable

HOMES = ("~/.agents", "~/.claude")
"""Folders whose ``skills`` folder agents read. Most agents share the first one."""
_NAME_IT = "name another folder: `flux help agents --install DIR`"


def install(runtime: Runtime, folder: str | None, *, yes: bool) -> None:
    """Write the page below ``folder``, or below each folder of agents that there is, once the user agrees.

    A file that was changed, or that flux did not write, is replaced only if the user confirms it. Raises `UsageError`.
    """
    paths = [_path(folder)] if folder is not None else _choose(runtime, yes=yes)
    if not paths:
        raise UsageError("nothing was written", hint=_NAME_IT)
    text = read_skill()
    changes = {path: _plan(runtime, path, text) for path in paths}  # every question comes before the first write
    for path, change in changes.items():
        if change == "written":
            try:
                _write(path, text)
            except OSError as error:
                raise _failure("write", path, error) from None
        _print(runtime, path, change)


def uninstall(runtime: Runtime, folder: str | None) -> None:
    """Remove the page below ``folder``, or below each folder of agents; a page that was changed stays.

    Raises `UsageError`.
    """
    paths = [_path(folder)] if folder is not None else [_path(f"{home}/skills") for home in HOMES]
    found = [path for path in paths if os.path.lexists(path)]
    changed = [path for path in found if not is_unchanged(_read(path))]
    for path in found:
        if path in changed:
            continue
        try:
            path.unlink()
        except OSError as error:
            raise _failure("remove", path, error) from None
        if not any(path.parent.iterdir()):
            path.parent.rmdir()
        _print(runtime, path, "removed")
    if changed:
        shown = listed(printable(str(path)) for path in changed)
        raise UsageError(
            f"{shown} was changed, or flux did not write it, so it stays",
            hint="delete it yourself if you do not need it",
        )
    if not found:
        runtime.output.note("there is nothing to remove")


def _path(folder: str) -> Path:
    return Path(expand_home(folder)).absolute() / NAME / "SKILL.md"


def _choose(runtime: Runtime, *, yes: bool) -> list[Path]:
    """Return where to write: below the folders of agents that exist, else below the one that most agents share."""
    homes = [home for home in HOMES if Path(expand_home(home)).is_dir()] or [HOMES[0]]
    paths = [_path(f"{home}/skills") for home in homes]
    if yes:
        return paths
    if not _can_ask(runtime):
        shown = listed(printable(str(path)) for path in paths)
        raise UsageError(
            f"--install would write {shown}, but standard input is not a terminal",
            hint="add --yes, or name a folder after --install",
        )
    return [path for path in paths if typer.confirm(f"Write {printable(str(path))}?", err=True)]


def _plan(runtime: Runtime, path: Path, text: str) -> str:
    """Return what happens to a file: "written" or "unchanged". Raises `UsageError` for a file that has to stay."""
    if not os.path.lexists(path):
        return "written"
    there = _read(path)
    if there == text:
        return "unchanged"
    if is_unchanged(there):
        return "written"
    shown = printable(str(path))
    if _can_ask(runtime) and typer.confirm(f"{shown} was changed, or flux did not write it. Replace it?", err=True):
        return "written"
    raise UsageError(f"{shown} was changed, or flux did not write it, so it is not replaced", hint="move it away first")


def _can_ask(runtime: Runtime) -> bool:
    return runtime.stdin.isatty() and runtime.stderr.isatty()


def _read(path: Path) -> str:
    """Return the text of a file; empty if it is not an ordinary file or cannot be read."""
    try:
        return path.read_bytes().decode() if path.is_file() and not path.is_symlink() else ""
    except (OSError, UnicodeDecodeError):
        return ""


def _write(path: Path, text: str) -> None:
    """Write the file, completely or not at all. Raises `OSError`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(text.encode())
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o644)  # nothing in it is secret
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _failure(verb: str, path: Path, error: OSError) -> UsageError:
    reason = (error.strerror or str(error)).lower()
    return UsageError(f"cannot {verb} {printable(str(path))}: {printable(reason)}", hint="choose another folder")


def _print(runtime: Runtime, path: Path, change: str) -> None:
    runtime.output.lines([f"{printable(str(path))}\t{change}"], {"path": str(path), "change": change})
