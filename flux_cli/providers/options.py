"""Describe the options of a model: the values they take, and the provider's fields they are sent in.

Checking, sending, listing and completing options all use these descriptions. Sizes and input images have modules of
their own.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from flux_cli.text import listed, nearest

Confidence = Literal["", "third-party", "inferred"]
"""Where a fact comes from: the provider's documentation or clients, third parties, or other models and providers."""

NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})
"""No other options."""


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
    required: bool = False
    """Whether the model cannot do without it."""
    about_image: bool = False
    """Whether it means nothing without an input image."""
    confidence: Confidence = ""

    def check(self, value: Any) -> Any:
        """Return the checked ``value``. Raises `InvalidValue`."""
        return value

    def wire(self, value: Any, others: Mapping[str, Any] = NO_OPTIONS) -> dict[str, Any]:  # noqa: ARG002 - for some
        """Return the fields to send for a checked ``value``, by dotted path; ``others`` are all options by name."""
        return {self.field: value}

    def pixels(self, value: Any, others: Mapping[str, Any]) -> int | None:  # noqa: ARG002 - for some
        """Return the number of pixels that the image will have, if this option decides that."""
        return None

    def needs_image(self, value: Any) -> bool:  # noqa: ARG002 - for some
        """Whether this value means nothing without an input image."""
        return self.about_image

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
    sizes: Mapping[str, int] = dataclasses.field(default_factory=dict[str, int])
    """Pixels of the image by word, for words that decide it."""
    unless: tuple[str, ...] = ()
    """Options that are sent instead, if one of them is given."""
    like_image: tuple[str, ...] = ()
    """Words that mean "as the input image" and nothing else."""

    def check(self, value: Any) -> Any:
        """Return the word. Raises `InvalidValue` with the nearest one."""
        if not isinstance(value, str) or value not in self.values:
            near = nearest_ratio(str(value), self.values) or nearest(str(value), self.values)
            message = f"takes {listed(self.values, last='or')}, not {value}" + (
                f"; did you mean {near}?" if near else ""
            )
            raise InvalidValue(message)
        return value

    def wire(self, value: Any, others: Mapping[str, Any] = NO_OPTIONS) -> dict[str, Any]:
        """Return the provider's own word."""
        if not self.field or any(name in others for name in self.unless):
            return {}
        return {self.field: self.values[value]}

    def pixels(self, value: Any, others: Mapping[str, Any]) -> int | None:
        """Return the pixels of a word."""
        return None if any(name in others for name in self.unless) else self.sizes.get(value)

    def needs_image(self, value: Any) -> bool:
        """Whether the word means nothing without an input image."""
        return self.about_image or value in self.like_image

    @property
    def accepts(self) -> str:
        """The words."""
        return " ".join(self.values)


def _ratio(word: str) -> float | None:
    found = re.fullmatch(r"([1-9]\d{0,4}):([1-9]\d{0,4})", word)
    return int(found[1]) / int(found[2]) if found else None


def nearest_ratio(word: str, known: Iterable[str]) -> str | None:
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

    low: float
    high: float | None = None
    fractions: bool = False
    """Whether fractions are allowed."""
    as_text: bool = False
    """Whether the number is sent as a string."""

    def check(self, value: Any) -> Any:
        """Return the number. Raises `InvalidValue`."""
        fits = isinstance(value, int | float if self.fractions else int) and not isinstance(value, bool)
        if not fits or not self.low <= value <= (math.inf if self.high is None else self.high):
            message = f"takes {self.accepts}, not {value}"
            raise InvalidValue(message)
        return value

    def wire(self, value: Any, others: Mapping[str, Any] = NO_OPTIONS) -> dict[str, Any]:  # noqa: ARG002 - for some
        """Return the number."""
        return {self.field: str(value) if self.as_text else value}

    @property
    def accepts(self) -> str:
        """The range."""
        return f"{self.low} or more" if self.high is None else f"{self.low} to {self.high}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch(Option):
    """On or off."""

    inverted: bool = False
    """Whether the provider's field means the opposite."""

    def check(self, value: Any) -> Any:
        """Return the boolean. Raises `InvalidValue`."""
        if not isinstance(value, bool):
            message = f"is on or off, not {value}"
            raise InvalidValue(message)
        return value

    def wire(self, value: Any, others: Mapping[str, Any] = NO_OPTIONS) -> dict[str, Any]:  # noqa: ARG002 - for some
        """Return the boolean."""
        return {self.field: value is not self.inverted}

    @property
    def accepts(self) -> str:
        """The two words."""
        return "on off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Words(Option):
    """Text of at most ``limit`` characters."""

    limit: int | None = None

    def check(self, value: Any) -> Any:
        """Return the text. Raises `InvalidValue`."""
        if not isinstance(value, str) or not value.strip():
            raise InvalidValue("takes text")
        if self.limit is not None and len(value) > self.limit:
            message = f"takes at most {self.limit} characters, not {len(value)}"
            raise InvalidValue(message)
        return value

    @property
    def accepts(self) -> str:
        """The length."""
        return "text" + (f", up to {self.limit} characters" if self.limit else "")


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
