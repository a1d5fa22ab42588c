"""Describe the options of a model: the values they take, and the provider's fields they are sent in.

Checking, sending, listing and completing options all use these descriptions.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from flux_cli.jobs import LocalFile
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

    def check(self, value: Any) -> Any:
        """Return the word. Raises `InvalidValue` with the nearest one."""
        if not isinstance(value, str) or value not in self.values:
            near = _nearest_ratio(str(value), self.values) or nearest(str(value), self.values)
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
class ImageInput(Option):
    """Input images: web addresses or local files.

    With several fields, separated by commas, the first image goes into the first of them, and so on.
    """

    least: int = 0
    """How many images the model needs."""
    most: int = 1
    """How many it takes."""
    as_array: bool = False
    """Whether the field is an array."""
    travels: Literal["data-uri", "base64", "upload"]
    """How a local file is sent."""
    max_bytes: int
    """Largest local file, in bytes."""
    max_pixels: int | None = None
    """Largest local image, in pixels."""
    min_side: int = 1
    """Shortest side of a local image, in pixels."""
    max_side: int | None = None
    """Longest side of a local image, in pixels."""
    media_types: tuple[str, ...] = ("image/jpeg", "image/png", "image/webp")
    """Of local files."""
    links: bool = True
    """Whether the provider takes web addresses."""
    inline_up_to: int = 0
    """Bytes of a local file that is sent as a data URI even though larger ones are uploaded."""

    def check(self, value: Any) -> Any:
        """Return the images: one as text, several as a list. Raises `InvalidValue`."""
        images = list_images(value)
        if len(images) > self.most:
            message = "takes one image" if self.most == 1 else f"takes at most {self.most} images"
            raise InvalidValue(f"{message}, not {len(images)}")
        for image in images:
            if not isinstance(image, str) or "://" in image:
                Link().check(image)
                if not self.links:
                    message = f"takes local files only, not {image}"
                    raise InvalidValue(message)
        return images[0] if len(images) == 1 else images

    def check_file(self, file: LocalFile) -> None:
        """Check a local image. Raises `InvalidValue`, which completes the sentence "--image house.png …"."""
        if file.media_type not in self.media_types:
            kinds = listed([kind.removeprefix("image/").upper() for kind in self.media_types], last="or")
            message = f"must be {kinds}, not {file.media_type.removeprefix('image/').upper()}"
        elif file.size > self.max_bytes:
            message = f"must be at most {_megabytes(self.max_bytes)}, not {_megabytes(file.size)}"
        elif min(file.width, file.height) < self.min_side:
            message = f"must have at least {self.min_side} pixels a side, not {file.width}x{file.height}"
        elif self.max_side is not None and max(file.width, file.height) > self.max_side:
            message = f"must have at most {self.max_side} pixels a side, not {file.width}x{file.height}"
        elif self.max_pixels is not None and file.width * file.height > self.max_pixels:
            message = f"must have at most {self.max_pixels / 1e6:g} megapixels, not {file.width}x{file.height}"
        else:
            return
        raise InvalidValue(message)

    def wire(self, value: Any, others: Mapping[str, Any] = NO_OPTIONS) -> dict[str, Any]:  # noqa: ARG002 - for some
        """Return the images, in order."""
        images = list_images(value)
        if self.as_array:
            return {self.field: images}
        return dict(zip(self.field.split(", "), images, strict=False))

    @property
    def accepts(self) -> str:
        """How many, of what kind."""
        number = f"{max(self.least, 1)} to {self.most} of: " if self.most > 1 else ""
        kinds = "web address or local file" if self.links else "local file"
        return f"{number}{kinds}, up to {_megabytes(self.max_bytes)}"


def list_images(value: Any) -> list[Any]:
    """Return the images of an option's value as a list: none for ``None``, one for a text."""
    return [] if value is None else list(value) if isinstance(value, list | tuple) else [value]


def _megabytes(size: int) -> str:
    unit = 10**6 if size % 10**6 == 0 else 2**20
    return f"{size // unit} MB" if size % unit == 0 else f"{size / unit:.1f} MB"


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

    def nearest_to(self, width: int, height: int) -> str:
        """Return the ratio that is nearest to that of a size in pixels."""

        def distance(ratio: str) -> float:
            columns, rows = map(int, ratio.split(":"))
            return abs(math.log(columns * height / (rows * width)))

        return min(self.sizes, key=distance)

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
