"""Read a config document and check it against the known keys, with messages that name file, line and key.

No message repeats a value, because any value may hold a secret.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from flux_cli.config.schema import (
    ENTRIES,
    KEYS,
    MODEL_NAMES,
    OWN_MODEL,
    OWN_MODEL_KEYS,
    Names,
    Tree,
    is_section,
    is_table,
    list_names,
)
from flux_cli.errors import ConfigError, UsageError
from flux_cli.text import listed, nearest, printable

LARGEST = 2**20
"""Bytes of a config file that are read at most."""
_FIX = "fix it, or name another file with --config"
_LISTED = 8
"""Keys that a hint lists at most."""


def join_key(names: Names) -> str:
    """Return a key in its dotted form, safe to print."""
    return printable(".".join(names))


def split_key(key: str) -> Names:
    """Return the parts of a dotted key, or of an entry of a table. Raises `UsageError` with the nearest key."""
    parts = tuple(key.split("."))
    for length in range(1, len(parts)):
        if is_table(parts[:length]):
            parts = (*parts[:length], ".".join(parts[length:]).strip('"'))
            break
    if not is_known(parts):
        problem = (
            f"{key} is a table, not a key" if is_section(parts) else f"there is no key {join_key(parts)} in the config"
        )
        raise UsageError(problem, hint=suggest_key(parts))
    return parts


def is_known(names: Names) -> bool:
    """Whether this is a key, or an entry of a table."""
    in_table = is_table(names[:-1]) and (names[-2] != "price" or _could_be_model(names[-1]))
    return names in KEYS or in_table


def _could_be_model(word: str, own: Collection[str] = ()) -> bool:
    """Whether ``word`` may be a model: one that flux knows, one of the user's ``own``, or a provider's id."""
    is_id = re.search("[:/]", word) or (word.startswith("flux") and not nearest(word, MODEL_NAMES))
    return word.lower() in MODEL_NAMES or word in own or bool(is_id)


def suggest_key(names: Names) -> str:
    """Return the hint for an unknown key: the nearest key, or a list of the keys in the same table."""
    known = (n for n in range(len(names)) if not (is_known(names[: n + 1]) or is_section(names[: n + 1])))
    depth = next(known, len(names))
    parent = names[:depth]
    if names == ("presets",):
        return "name a key of a preset, such as presets.cover.model"
    if parent == ("presets",):
        return "the name of a preset consists of letters, digits, dashes and underscores"
    here = list_names(parent) or MODEL_NAMES
    near = nearest(names[depth], here) if depth < len(names) else None
    whole = (*parent, near, *names[depth + 1 :]) if near else ()
    elsewhere = [key for key in KEYS if key[-1] == names[-1]]
    if len(elsewhere) == 1 and not (len(names) > depth + 1 and is_known(whole)):
        return f"did you mean {join_key(elsewhere[0])}?"
    if near:
        return f"did you mean {join_key(whole if is_known(whole) else whole[: depth + 1])}?"
    keys = [join_key((*parent, name)) for name in here]
    if len(keys) > _LISTED:
        return f"the keys here are {', '.join(keys[:_LISTED])} …; `flux help config` lists all of them"
    return f"the keys here are {listed(keys)}"


def read(path: Path) -> str | None:
    """Return the file's text, or ``None`` if there is no such file. Raises `ConfigError`."""
    try:
        with path.open("rb") as handle:
            raw = handle.read(LARGEST + 1)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "no such path"
        raise ConfigError(f"config file {printable(str(path))} cannot be read: {reason.lower()}", hint=_FIX) from None
    if len(raw) > LARGEST:
        raise ConfigError(f"config file {printable(str(path))} is larger than {LARGEST // 2**20} MiB", hint=_FIX)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"config file {printable(str(path))}, line {line}: not valid UTF-8", hint=_FIX) from None


def parse(text: str, path: Path) -> dict[str, Any]:
    """Parse ``text``, the content of the file at ``path``, as TOML. Raises `ConfigError` naming the line."""
    where = f"config file {printable(str(path))}"
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigError(f"{where} is nested too deeply", hint=_FIX) from None
    except ValueError as error:
        line = re.search(r"\(at line (\d+)", str(error))
        number = int(line[1]) if line else text.count("\n") + 1
        reason = (
            re.sub(r" \(at [^()]*\)$", "", str(error)) if isinstance(error, tomllib.TOMLDecodeError) else "a number"
        )
        raise ConfigError(f"{where}, line {number}: not valid TOML", hint=printable(reason).lower()) from None


def check(document: Mapping[str, Any], path: Path) -> None:
    """Check the document in the file at ``path``. Raises `ConfigError` naming file and key."""
    where = f"config file {printable(str(path))}: "
    _refuse_unknown(document, (), where)
    try:
        tree = Tree.model_validate(document, strict=True)
    except ValidationError as error:
        names, takes, hint = _explain_error(error)
        raise ConfigError(f"{where}{join_key(names)} {takes}", hint=hint) from None
    tables = {"generate": tree.generate, **{f"presets.{name}": preset for name, preset in tree.presets.items()}}
    for name, table in tables.items():
        if table.model is not None and not _could_be_model(table.model, tree.models):
            near = nearest(table.model, MODEL_NAMES)
            hint = f"did you mean {near}?" if near else "`flux models` lists the models"
            raise ConfigError(f"{where}{name}.model takes the name of a model", hint=hint)


def _refuse_unknown(document: Mapping[str, Any], parent: Names, where: str) -> None:
    """Raise `ConfigError` for the first unknown key, and for a value in place of a table."""
    for name, value in document.items():
        names = (*parent, name)
        holds_keys = is_section(names) or is_table(names)
        if not holds_keys and not is_known(names):
            raise ConfigError(f"{where}there is no key {join_key(names)}", hint=suggest_key(names))
        if holds_keys and not isinstance(value, dict):
            raise ConfigError(
                f"{where}{join_key(names)} takes {KEYS.get(names, 'a table')}",
                hint=f"it begins with [{join_key(names)}]",
            )
        if is_section(names) or name == "price":
            _refuse_unknown(value, names, where)


def _explain_error(error: ValidationError) -> tuple[Names, str, str]:
    """Return the first invalid key, what it takes, and a hint; never the value, which may be a secret."""
    found = error.errors(include_url=False, include_input=False)[0]
    names = tuple(str(part) for part in found["loc"])
    length = next(length for length in range(1, len(names) + 1) if names[:length] in KEYS)
    takes = KEYS[names[:length]]
    if not is_table(names[:length]):
        names = names[:length]  # what follows is which of several types it is not
    elif len(names) > length:
        takes = ENTRIES.get(names[length - 1], takes)
    reason = str(found.get("ctx", {}).get("error", "")) if found["type"] == "value_error" else ""
    match names:
        case "models", _, "base" if found["type"] == "missing":
            return names[:2], 'needs a base, the name of a model, such as base = "flux-2-pro"', OWN_MODEL_KEYS
        case "models", _, key:
            return names, f"takes {OWN_MODEL.get(key, 'an id of this provider')}", reason
        case "models", _:
            return names, f"takes {takes}", reason or OWN_MODEL_KEYS
        case _:
            pass
    return names, f"takes {takes}", reason


def nest(values: Mapping[Names, Any]) -> dict[str, Any]:
    """Return values by key as nested tables."""
    whole: dict[str, Any] = {}
    for (*parents, last), value in values.items():
        table = whole
        for name in parents:
            table = table.setdefault(name, {})
        table[last] = value
    return whole


def flatten(document: Mapping[str, Any], parent: Names = ()) -> Iterator[tuple[Names, Any]]:
    """Yield every key of a valid document with its value."""
    for name, value in document.items():
        names = (*parent, name)
        if names in KEYS:
            yield names, value
        else:
            yield from flatten(value, names)


def parse_text(names: Names, text: str, where: str) -> Any:
    """Return ``text`` as a value of the key ``names``. Raises `ConfigError` that begins with ``where``, its source."""
    value: Any = text
    is_json = is_table(names[:-1]) and names[-2] in {"param", "models"}
    is_list = names[-1] == "image" and text.startswith("[")
    if is_table(names) or is_json or is_list:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            if is_table(names):
                raise ConfigError(f"{where} takes {KEYS[names]}, as JSON", hint='such as {"name": 1}') from None
            if names[0] == "models":
                raise ConfigError(f"{where} takes a table, as JSON", hint='such as {"base": "flux-2-pro"}') from None
    document = nest({names: value})
    _refuse_unknown(document, (), f"{where}: ")
    try:
        found: Any = Tree.model_validate(document).model_dump(exclude_unset=True)
    except ValidationError as error:
        wrong, takes, hint = _explain_error(error)
        inside = "".join(f".{name}" for name in wrong[len(names) :]) if names[0] == "models" else ""
        raise ConfigError(f"{where}{inside} {takes}", hint=hint) from None
    for name in names:
        found = found[name]
    return found
