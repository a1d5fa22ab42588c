"""Changing the config file without losing a comment, a setting or the file itself.

tomlkit edits the text; what it made is then read back by the standard library and compared with what was wanted, so
that a mistake of the editor costs an error message and never a setting. The new file replaces the old one in one step.
"""

from __future__ import annotations

import os
import tempfile
import tomllib
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from flux_cli.config.schema import SECRETS as _SECRET_NAMES
from flux_cli.config.schema import Names
from flux_cli.config.validate import check, join_key, parse, parse_text, read, split_key
from flux_cli.errors import ConfigError, UsageError
from flux_cli.text import printable

_ELSEWHERE = "make its folder writable, or name another file with --config"
SECRETS = frozenset(".".join(names) for names in _SECRET_NAMES)
"""The dotted keys that are secret."""


def is_secret(key: str) -> bool:
    """Whether a dotted key holds a secret. Raises `UsageError` for an unknown key."""
    return split_key(key) in _SECRET_NAMES


def parse_value(key: str, text: str) -> Any:
    """Return text typed on a command line as the key takes it; a secret as `SecretStr`.

    Tables are JSON objects. Raises `UsageError` for an unknown key or a value that it does not take.
    """
    names = split_key(key)
    try:
        value = parse_text(names, text, join_key(names))
    except ConfigError as error:
        raise UsageError(error.message, hint=error.hint) from None
    if _has_null(value):
        raise UsageError(
            f"{join_key(names)} cannot hold null", hint=f"`flux config unset {join_key(names)}` removes it"
        )
    return value


def _has_null(value: Any) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return value is None or any(_has_null(one) for one in inner)


def write(path: Path, changes: Mapping[str, Any]) -> None:
    """Change dotted keys of the file at ``path``; ``None`` removes one. What is missing of the path is made.

    A symbolic link stays, and the file behind it is changed. The file ends up readable by its owner only. Raises
    `ConfigError` where the outcome would not be valid or cannot be written (the file is then as it was), `UsageError`
    for an unknown key.
    """
    where = f"config file {printable(str(path))}"
    text = read(path) or ""
    wanted = parse(text, path)
    given = [(_names(key, wanted, value), _bare(value)) for key, value in changes.items()]
    try:
        for names, value in given:
            _put(wanted, names, value, lambda _: {})
    except TypeError:
        pass  # something else stands where a table should: the check says where
    check(wanted, path)
    try:
        data = _edit(text, given, wanted).encode()
    except _HarmError:
        raise ConfigError(f"{where} cannot be changed safely", hint="edit it by hand") from None
    try:
        _replace(path, data)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise ConfigError(f"{where} cannot be written: {printable(reason).lower()}", hint=_ELSEWHERE) from None


class _HarmError(Exception):
    """No way of editing the text leads to the document that was wanted."""


def _edit(text: str, given: list[tuple[Names, Any]], wanted: Mapping[str, Any]) -> str:
    """Return the text with the values changed. Raises `_HarmError`.

    New tables get a header first, and braces where that goes wrong: tomlkit puts a header between lines with dotted
    keys, which then belong to another table.
    """
    import tomlkit  # noqa: PLC0415 - only when writing
    from tomlkit.exceptions import TOMLKitError  # noqa: PLC0415 - the same

    makers: tuple[Callable[[bool], Any], ...] = (tomlkit.table, lambda _: tomlkit.inline_table())
    for table in makers:
        try:
            document = tomlkit.parse(text)
            for names, value in given:
                _put(document, names, _as_table(value, table), table)
            made = tomlkit.dumps(document)
            if _prune(tomllib.loads(made)) == _prune(wanted):
                return made
        except (TOMLKitError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
            continue
    raise _HarmError


def _as_table(value: Any, table: Callable[[bool], Any]) -> Any:
    if not isinstance(value, dict):
        return value
    made = table(False)  # noqa: FBT003 - tomlkit's own signature
    for name, inner in value.items():
        made[name] = _as_table(inner, table)
    return made


def _prune(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document without tables that hold nothing: removing their last key may leave them or not."""
    kept = {name: _prune(value) if isinstance(value, dict) else value for name, value in document.items()}
    return {name: value for name, value in kept.items() if value != {}}


def _names(key: str, document: Mapping[str, Any], value: Any) -> Names:
    """Return the parts of a key: as they stand in the document already, else as they ought to.

    An unknown key may be removed where it does stand there, because that is how a file becomes valid.
    """
    written = tuple(key.split("."))
    here: Any = document
    for name in written:
        here = here.get(name) if isinstance(here, Mapping) else None
    if here is not None and (value is None or written[:2] == ("generate", "param")):
        return written
    return split_key(key)


def _bare(value: Any) -> Any:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _put(document: MutableMapping[str, Any], names: Names, value: Any, table: Callable[[bool], Any]) -> None:
    """Set or remove a value inside tables. ``table`` makes a missing one; true asks for one without its own header."""
    here: Any = document
    for name in names[:-1]:
        if name not in here:
            if value is None:
                return
            here[name] = table(name == "providers")
        here = here[name]
    if value is not None:
        here[names[-1]] = value
    elif names[-1] in here:
        del here[names[-1]]


def _replace(path: Path, data: bytes) -> None:
    """Put ``data`` in the place of the file, whole or not at all. Raises `OSError`."""
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise OSError(0, "not an ordinary file")
    _make(target.parent)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:40]}.")  # mode 600 by itself
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _make(folder: Path) -> None:
    """Make a folder and those above it, each for the owner only."""
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
