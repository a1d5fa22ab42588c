"""Compare a provider's published schema or catalogue with the tables in flux."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from flux_cli.providers.options import Choice
from flux_cli.text import listed, sentence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flux_cli.providers.base import Model


def from_schema(model: Model, published: Any) -> tuple[str, ...]:
    """Return how the published JSON schema of a model's input differs from its table; empty without a schema."""
    fields = next(_properties(published), None)
    if fields is None:
        return ()
    paths = [path for option in model.options.values() for path in option.field.split(", ") if path]
    ours = {path.split(".")[0] for path in paths} | {model.prompt_field}
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


def _properties(value: Any, depth: int = 6) -> Iterator[dict[str, Any]]:
    """Yield each ``properties`` object of a schema that includes a prompt."""
    if depth and isinstance(value, dict):
        inner = value.get("properties")
        if isinstance(inner, dict) and "prompt" in inner:
            yield inner
        for one in value.values():
            yield from _properties(one, depth - 1)


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
