"""Describe the options that set the size of an image: ratios and pixels, and what is sent for them."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flux_cli.providers.options import NO_OPTIONS, Choice, InvalidValue, Option, nearest_ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratios(Option):
    """Aspect ratios that are sent as a width and a height from a table, which may depend on ``--resolution``."""

    field: str = "width, height"
    sizes: Mapping[str, tuple[int, int]]
    tiers: Mapping[str, Mapping[str, tuple[int, int]]] = dataclasses.field(
        default_factory=dict[str, Mapping[str, tuple[int, int]]]
    )
    """Other tables, by resolution."""
    as_object: bool = False
    """Whether the field is an object with ``width`` and ``height``."""

    def check(self, value: Any) -> Any:
        """Return the ratio. Raises `InvalidValue` with the nearest one."""
        return Choice(values=self.sizes).check(value)

    def nearest_to(self, width: int, height: int) -> str | None:
        """Return the ratio that is nearest to that of a size in pixels."""
        return nearest_ratio(f"{width}:{height}", self.sizes)

    def size(self, value: Any, others: Mapping[str, Any]) -> tuple[int, int]:
        """Return width and height in pixels."""
        return self.tiers.get(others.get("resolution", ""), self.sizes)[value]

    def wire(self, value: Any, others: Mapping[str, Any] = NO_OPTIONS) -> dict[str, Any]:
        """Return width and height in pixels."""
        return _place_size(self, self.size(value, others))

    def pixels(self, value: Any, others: Mapping[str, Any]) -> int | None:
        """Return the pixels of a ratio."""
        width, height = self.size(value, others)
        return width * height

    @property
    def accepts(self) -> str:
        """The ratios, each with its pixels."""
        return " ".join(f"{ratio}={width}x{height}" for ratio, (width, height) in self.sizes.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixels(Option):
    """A width and a height, from a table or on a grid."""

    field: str = "width, height"
    table: tuple[tuple[int, int], ...] = ()
    low: int = 0
    high: int = 0
    step: int = 1
    most: int | None = None
    """Pixels of the largest image, if its sides alone do not limit it."""
    also: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    """Further fields that are sent with a size, by dotted path."""
    as_object: bool = False
    """Whether the field is an object with ``width`` and ``height``."""

    def check(self, value: Any) -> Any:
        """Return ``WxH``. Raises `InvalidValue` with the nearest size."""
        found = re.fullmatch(r"(\d{1,6})x(\d{1,6})", str(value).lower())
        if not found:
            message = f"takes WIDTHxHEIGHT in pixels, such as 1024x1024, not {value}"
            raise InvalidValue(message)
        size = int(found[1]), int(found[2])
        near = self.nearest(size)
        if near != size:
            message = f"takes {self.accepts}, not {value}; the nearest is {near[0]}x{near[1]}"
            raise InvalidValue(message)
        return f"{size[0]}x{size[1]}"

    def nearest(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the valid size that is nearest to ``size``; one that is too large keeps its shape."""
        if self.table:
            return min(self.table, key=lambda known: abs(known[0] - size[0]) + abs(known[1] - size[1]))
        scale = min(1.0, self.high / max(*size, 1))
        if self.most is not None:
            scale = min(scale, math.sqrt(self.most / max(size[0] * size[1], 1)))
        up = 0.5 if scale == 1 else 0.0  # a smaller one is rounded down, so that it stays within the limits
        width, height = (min(max(int(side * scale / self.step + up) * self.step, self.low), self.high) for side in size)
        while self.most is not None and width * height > self.most:
            width, height = (width - self.step, height) if width >= height else (width, height - self.step)
        return width, height

    def wire(self, value: Any, others: Mapping[str, Any] = NO_OPTIONS) -> dict[str, Any]:  # noqa: ARG002 - for some
        """Return width and height in pixels."""
        return {**self.also, **_place_size(self, _parse_size(value))}

    def pixels(self, value: Any, others: Mapping[str, Any]) -> int | None:  # noqa: ARG002 - for some
        """Return the pixels of a size."""
        width, height = _parse_size(value)
        return width * height

    @property
    def accepts(self) -> str:
        """The sizes."""
        if self.table:
            return " ".join(f"{width}x{height}" for width, height in self.table)
        open_ended = self.most is not None and self.high * self.low >= self.most
        sides = f"{self.low} or more a side" if open_ended else f"{self.low} to {self.high} a side"
        sides += "" if self.step == 1 else f", in multiples of {self.step}"
        return sides if self.most is None else f"{sides}, up to {self.most / 2**20:g} megapixels"


def _parse_size(value: Any) -> tuple[int, int]:
    width, height = str(value).split("x")
    return int(width), int(height)


def _place_size(option: Ratios | Pixels, size: tuple[int, int]) -> dict[str, Any]:
    """Return the fields of a size."""
    if option.as_object:
        return {option.field: {"width": size[0], "height": size[1]}}
    return dict(zip(option.field.split(", "), size, strict=True))


def sizes_of_area(ratios: Iterable[str], *, area: int, step: int) -> dict[str, tuple[int, int]]:
    """Return the sizes in multiples of ``step`` that come closest to each ratio, of at most ``area`` pixels."""
    found: dict[str, tuple[int, int]] = {}
    for ratio in ratios:
        wide, high = map(int, ratio.split(":"))
        side = math.sqrt(area * wide / high)
        width = round(side / step) * step
        height = round(width * high / wide / step) * step
        while width * height > area:
            width, height = (width - step, height) if width >= height else (width, height - step)
        found[ratio] = width, height
    return found
