"""Describe the options that take input images: how many, which files, and how they travel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from flux_cli.jobs import LocalFile
from flux_cli.providers.options import NO_OPTIONS, InvalidValue, Link, Option
from flux_cli.text import listed


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
