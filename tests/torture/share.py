"""How much of the torture a run of the suite takes: something of every kind or, with TORTURE=all, all of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

ALL = os.environ.get("TORTURE") == "all"
"""Whether everything is wanted."""


def one_of_each(items: Iterable[T], kind: Callable[[T], Hashable]) -> Iterator[T]:
    """Yield one of the items of each ``kind``, by turns the first, the second, … of them; or all, if all are wanted."""
    groups: dict[Hashable, list[T]] = {}
    for item in items:
        groups.setdefault(kind(item), []).append(item)
    for turn, group in enumerate(groups.values()):
        yield from group if ALL else [group[turn % len(group)]]


def every(count: int, turn: int, of: int) -> set[int]:
    """Return the numbers from 1 to ``count`` that belong to one of ``of`` turns, the first and the last always."""
    return set(range(1, count + 1)) if ALL else {1, count, *range(1 + turn % of, count + 1, of)}
