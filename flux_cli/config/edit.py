"""Change the config file without losing a comment, a setting or the file itself.

tomlkit edits the text. The standard library reads the result back, and it has to equal the intended document: a
mistake of tomlkit ends in an error message, never in a lost setting. The new file replaces the old one in one step.
"""

from __future__ import annotations

import os
import tempfile
import tomllib
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from flux_cli.config import schema
from flux_cli.config.schema import Names
from flux_cli.config.validate import check, join_key, parse, parse_text, read, split_key
from flux_cli.errors import ConfigError, UsageError
from flux_cli.text import printable

_ELSEWHERE = "make its folder writable, or name another file with --config"


def is_secret(key: str) -> bool:
    """Whether a dotted key holds a secret. Raises `UsageError` for an unknown key."""
    return schema.is_secret(split_key(key))


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
    """Change dotted keys of the file at ``path``; ``None`` removes one. Missing folders and the file are created.

    A symbolic link stays, and the file behind it is changed. The file ends up readable by its owner only. Raises
    `ConfigError` if the result is invalid or cannot be written (the file is then unchanged), `UsageError` for an
    unknown key.
    """
    where = f"config file {printable(str(path))}"
    text = read(path) or ""
    intended = parse(text, path)
    given = [(_names(key, intended, value), _bare(value)) for key, value in changes.items()]
    try:
        for names, value in given:
            _put(intended, names, value, lambda _: {})
    except TypeError:
        pass  # a value where a table belongs: the check names it
    check(intended, path)
    try:
        data = _edit(text, given, intended).encode()
    except _HarmError:
        raise ConfigError(f"{where} cannot be changed safely", hint="edit it by hand") from None
    try:
        _replace(path, data)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise ConfigError(f"{where} cannot be written: {printable(reason).lower()}", hint=_ELSEWHERE) from None


class _HarmError(Exception):
    """No edit of the text gives the intended document."""


def _edit(text: str, given: list[tuple[Names, Any]], intended: Mapping[str, Any]) -> str:
    """Return the text with the values changed. Raises `_HarmError`.

    New tables get a header, or else are written inline: tomlkit may put a header between dotted keys, which then
    belong to another table.
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
            if _prune(tomllib.loads(made)) == _prune(intended):
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
    """Return a document without its empty tables, which may or may not remain when their last key is removed."""
    kept = {name: _prune(value) if isinstance(value, dict) else value for name, value in document.items()}
    return {name: value for name, value in kept.items() if value != {}}


def _names(key: str, document: Mapping[str, Any], value: Any) -> Names:
    """Return the parts of a key: as the document has them, else as the schema has them.

    An unknown key that the document has can be removed: that is how a file becomes valid again.
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
    """Replace the file by ``data``, completely or not at all. Raises `OSError`."""
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
    """Create a folder and its parents, readable by the owner only."""
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
