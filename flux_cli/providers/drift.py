"""Compare a provider's published schema or catalogue with the tables in flux."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from flux_cli.providers.base import PublishedField
from flux_cli.providers.options import Choice
from flux_cli.text import listed, sentence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from flux_cli.providers.base import Model


def from_schema(model: Model, published: Any, *, known: Iterable[str] = ()) -> tuple[str, ...]:
    """Return how the published JSON schema of a model's input differs from its table; empty without a schema.

    ``known`` are fields that need no option, such as those that flux fills in.
    """
    schema = next(_schemas(published, model.prompt_field), None)
    if schema is None:
        return ()
    fields = {name: words for name, words in schema["properties"].items() if name not in known}
    paths = [path for option in model.options.values() for path in option.field.split(", ") if path]
    ours = {path.split(".")[0] for path in paths} | {model.prompt_field}
    ours -= set(known)
    found = [f"no longer has a field {name}" for name in sorted(ours - fields.keys())]
    found += [f"has a field {name} that flux does not know" for name in sorted(map(str, fields.keys() - ours))]
    for option in model.options.values():
        words = fields.get(option.field)
        values = words.get("enum") if isinstance(words, dict) else None
        if isinstance(option, Choice) and isinstance(values, list):
            known = {str(value) for value in option.values.values()}
            theirs = {str(value) for value in values} - set(option.unoffered)
            found += [f"takes {listed(sorted(theirs - known))} for {option.field}"] if theirs - known else []
            found += [f"no longer takes {listed(sorted(known - theirs))} for {option.field}"] if known - theirs else []
    return tuple(sentence(f"{model.name} {one}") for one in found)


def from_catalogue(
    models: tuple[Model, ...], published: Any, *, pattern: str = "", known: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Return which models a published catalogue no longer lists; empty if it lists no names at all.

    With a ``pattern``, also return which of the ids that match it are neither in the tables nor ``known``.
    """
    names = set(_texts(published))
    gone = [f"{model.name} is no longer in the catalogue" for model in models if names and model.slug not in names]
    ids = {entry["id"] for entry in _objects(published) if isinstance(entry.get("id"), str)} if pattern else set[str]()
    new = sorted(name for name in ids - {model.slug for model in models} - set(known) if re.fullmatch(pattern, name))
    return (*gone, *(sentence(f"the catalogue lists {name}, which flux does not know") for name in new))


def read_fields(published: Any, prompt: str = "prompt") -> tuple[PublishedField, ...]:
    """Return the fields of a published JSON schema whose prompt has this name, the required ones first."""
    schema = next(_schemas(published, prompt), None)
    found = [] if schema is None else list(_fields(schema))
    return tuple(sorted(found, key=lambda field: not field.required))


def _fields(schema: dict[str, Any], before: str = "", depth: int = 4) -> Iterator[PublishedField]:
    """Yield the fields of an object, and instead of an object within it, those of that one."""
    required = schema.get("required")
    needed = set(map(str, required)) if isinstance(required, list) else set[str]()
    for name, words in schema["properties"].items():
        about: dict[str, Any] = words if isinstance(words, dict) else {}
        if depth and isinstance(about.get("properties"), dict):
            yield from _fields(about, f"{before}{name}.", depth - 1)
            continue
        yield PublishedField(
            name=f"{before}{name}",
            accepts=_accepts(about),
            required=name in needed,
            default=sentence(str(about["default"]), limit=60) if about.get("default") is not None else "",
            note=sentence(str(about.get("description") or about.get("title") or ""), limit=200),
        )


def _accepts(about: dict[str, Any]) -> str:
    """Return the values that a JSON schema allows, for people."""
    if isinstance(about.get("enum"), list):
        return " ".join(map(str, about["enum"]))
    if "const" in about:
        return str(about["const"])
    for name in ("anyOf", "oneOf"):
        if isinstance(about.get(name), list):
            parts = [_accepts(one) for one in about[name] if isinstance(one, dict)]
            return " or ".join(dict.fromkeys(parts))
    kind = about.get("type", "any")
    text = "/".join(map(str, kind)) if isinstance(kind, list) else str(kind)
    if isinstance(about.get("items"), dict):
        text += f" of {_accepts(about['items'])}"
    limits = [("minimum", "maximum", ""), ("minLength", "maxLength", " characters"), ("minItems", "maxItems", " items")]
    for least, most, unit in limits:
        low, high = about.get(least), about.get(most)
        if low is not None and high is not None:
            text += f", {low} to {high}{unit}"
        elif low is not None or high is not None:
            text += f", {low} or more{unit}" if high is None else f", up to {high}{unit}"
    step = about.get("multipleOf")
    return f"{text}, in multiples of {step}" if step not in (None, 1) else text


def _schemas(value: Any, prompt: str = "prompt", depth: int = 6) -> Iterator[dict[str, Any]]:
    """Yield each object schema that includes the prompt."""
    if depth and isinstance(value, dict):
        inner = value.get("properties")
        if isinstance(inner, dict) and prompt in inner:
            yield value
        for one in value.values():
            yield from _schemas(one, prompt, depth - 1)
        for one in value.get("allOf", []) if isinstance(value.get("allOf"), list) else []:
            yield from _schemas(one, prompt, depth - 1)


def _texts(value: Any, depth: int = 6) -> Iterator[str]:
    """Yield every string in a JSON value."""
    if isinstance(value, str):
        yield value
    elif depth and isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one, depth - 1)


def _objects(value: Any, depth: int = 6) -> Iterator[dict[str, Any]]:
    """Yield every object in a JSON value."""
    if isinstance(value, dict):
        yield value
    if depth and isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _objects(one, depth - 1)
