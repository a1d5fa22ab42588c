"""Describe the options of a model: the values they take, and the provider's fields they are sent in.

Checking, sending, listing and completing options all use these descriptions.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flux_cli.text import listed, nearest


class InvalidValue(ValueError):  # noqa: N818 - reads as what it says of a value
    """An option does not take this value. The message completes the sentence "runware: --quality …"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option of one model. Subclasses define its values."""

    field: str = ""
    """Dotted path in the request body; several fields are separated by commas."""
    default: str = ""
    """The provider's default, in its own words."""
    note: str = ""
    """What is special about the option at this provider."""

    def check(self, value: Any) -> Any:
        """Return the checked ``value``. Raises `InvalidValue`."""
        return value

    def wire(self, value: Any) -> dict[str, Any]:
        """Return the fields to send for a checked ``value``, by dotted path."""
        return {self.field: value}

    @property
    def accepts(self) -> str:
        """The values, for people."""
        return "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(Option):
    """One of several words, each sent as the value it maps to."""

    values: Mapping[str, Any]
    unoffered: tuple[str, ...] = ()
    """The provider's words that are only available with ``--param``."""

    def check(self, value: Any) -> Any:
        """Return the word. Raises `InvalidValue` with the nearest one."""
        if not isinstance(value, str) or value not in self.values:
            near = _nearest_ratio(str(value), self.values) or nearest(str(value), self.values)
            message = f"takes {listed(self.values, last='or')}, not {value}" + (
                f"; did you mean {near}?" if near else ""
            )
            raise InvalidValue(message)
        return value

    def wire(self, value: Any) -> dict[str, Any]:
        """Return the provider's own word."""
        return {self.field: self.values[value]}

    @property
    def accepts(self) -> str:
        """The words."""
        return " ".join(self.values)


def _ratio(word: str) -> float | None:
    found = re.fullmatch(r"([1-9]\d{0,4}):([1-9]\d{0,4})", word)
    return int(found[1]) / int(found[2]) if found else None


def _nearest_ratio(word: str, known: Iterable[str]) -> str | None:
    """Return the ratio in ``known`` that is closest to ``word``; ``None`` if ``word`` is not a ratio."""
    wanted = _ratio(word)
    shapes = {name: ratio for name in known if (ratio := _ratio(name))}
    if wanted is None or not shapes:
        return None
    return min(shapes, key=lambda name: abs(math.log(shapes[name] / wanted)))


def same_values(*values: str) -> dict[str, str]:
    """Return the values of a `Choice` whose words are sent unchanged."""
    return {value: value for value in values}


@dataclass(frozen=True, slots=True, kw_only=True)
class Range(Option):
    """A number from ``low`` to ``high``, inclusive; without ``high`` there is no upper limit."""

    low: int
    high: int | None = None
    fractions: bool = False
    """Whether fractions are allowed."""

    def check(self, value: Any) -> Any:
        """Return the number. Raises `InvalidValue`."""
        fits = isinstance(value, int | float if self.fractions else int) and not isinstance(value, bool)
        if not fits or not self.low <= value <= (math.inf if self.high is None else self.high):
            message = f"takes {self.accepts}, not {value}"
            raise InvalidValue(message)
        return value

    @property
    def accepts(self) -> str:
        """The range."""
        return f"{self.low} or more" if self.high is None else f"{self.low} to {self.high}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch(Option):
    """On or off."""

    def check(self, value: Any) -> Any:
        """Return the boolean. Raises `InvalidValue`."""
        if not isinstance(value, bool):
            message = f"is on or off, not {value}"
            raise InvalidValue(message)
        return value

    @property
    def accepts(self) -> str:
        """The two words."""
        return "on off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link(Option):
    """A web address, of at most ``limit`` characters if there is a limit."""

    limit: int | None = None

    def check(self, value: Any) -> Any:
        """Return the address. Raises `InvalidValue`."""
        if not isinstance(value, str) or not re.fullmatch(r"https?://[^\s/]+\S*", value):
            message = f"takes a web address (https://…), not {value}"
            raise InvalidValue(message)
        if self.limit is not None and len(value) > self.limit:
            message = f"takes an address of at most {self.limit} characters, not {len(value)}"
            raise InvalidValue(message)
        return value

    @property
    def accepts(self) -> str:
        """The kind of address."""
        return "web address" + (f", up to {self.limit} characters" if self.limit else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture(Option):
    """An image: a web address, or a local file of at most ``limit`` bytes that is uploaded first."""

    limit: int

    def check(self, value: Any) -> Any:
        """Return the address or the path. Raises `InvalidValue` for an address of another kind."""
        return Link().check(value) if not isinstance(value, str) or "://" in value else value

    def check_file(self, head: bytes, size: int) -> None:
        """Check a local file by its first 16 bytes and its size. Raises `InvalidValue`."""
        if not size:
            raise InvalidValue("takes an image, but the file is empty")
        if not re.match(_PICTURE, head, re.DOTALL):
            raise InvalidValue("takes an image, such as PNG, JPEG, WebP or GIF, but the file is not one")
        if size > self.limit:
            message = f"takes a file of at most {self.limit // 2**20} MB, not {size / 2**20:.1f} MB"
            raise InvalidValue(message)

    @property
    def accepts(self) -> str:
        """What it accepts."""
        return f"web address or local file, up to {self.limit // 2**20} MB"


_PICTURE = (
    rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|GIF8[79]a|RIFF....WEBP|BM|II\*\x00|MM\x00\*"
    rb"|....ftyp(avif|avis|heic|heix|mif1|msf1)"
)
"""How image files begin, including formats that the provider does not document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels(Option):
    """Key-value pairs that the provider stores with the job."""

    def check(self, value: Any) -> Any:
        """Return the pairs. Raises `InvalidValue`."""
        if not isinstance(value, Mapping):
            message = f"takes {self.accepts}, not {value}"
            raise InvalidValue(message)
        return dict(value)

    @property
    def accepts(self) -> str:
        """The form."""
        return "KEY=VALUE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratios(Option):
    """Aspect ratios that are sent as a width and a height from a table."""

    sizes: Mapping[str, tuple[int, int]]

    def check(self, value: Any) -> Any:
        """Return the ratio. Raises `InvalidValue` with the nearest one."""
        return Choice(values=self.sizes).check(value)

    def wire(self, value: Any) -> dict[str, Any]:
        """Return width and height in pixels."""
        width, height = self.sizes[value]
        return {"width": width, "height": height}

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
        """Return the valid size that is nearest to ``size``."""
        if self.table:
            return min(self.table, key=lambda known: abs(known[0] - size[0]) + abs(known[1] - size[1]))
        width, height = (min(max(round(side / self.step) * self.step, self.low), self.high) for side in size)
        return width, height

    def wire(self, value: Any) -> dict[str, Any]:
        """Return width and height in pixels."""
        return {path: int(side) for path, side in zip(self.field.split(", "), value.split("x"), strict=True)}

    @property
    def accepts(self) -> str:
        """The sizes."""
        if self.table:
            return " ".join(f"{width}x{height}" for width, height in self.table)
        sides = f"{self.low} to {self.high} a side"
        return sides if self.step == 1 else f"{sides}, in multiples of {self.step}"
