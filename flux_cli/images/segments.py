"""Describe an image file as segments, and walk through its bytes: what the parsers of all formats share."""

from __future__ import annotations

import mmap
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NoReturn

Kind = Literal["head", "xmp", "exif", "description", "metadata", "signature", "picture", "other", "tail"]
"""``head`` comes first; ``metadata`` is ours as plain text; ``tail`` is what follows the image's end."""

CONTENT_TYPES = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}

MOST_SEGMENTS = 10_000
"""Segments that are told apart in one file; no real image has as many."""
LARGEST_BODY = 1 << 20
"""Bytes of metadata that are held in memory; larger content is passed over."""


class InvalidImage(ValueError):  # noqa: N818 - reads as what it says of a file
    """A file is not a whole image that flux knows. The message completes the sentence "the file is …"."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A span of a file: where it lies, and its content where that is metadata."""

    kind: Kind
    start: int
    end: int
    body: bytes = b""

    def __len__(self) -> int:
        return self.end - self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFile:
    """What is known of an image file: format by our name, width and height in pixels, size in bytes."""

    format: str
    width: int
    height: int
    size: int
    extra: int = 0
    """How many of these bytes follow the image's end; every decoder passes them over."""
    flags: int = field(default=0, compare=False)
    """Those of an extended WebP."""
    segments: tuple[Segment, ...] = field(default=(), compare=False, repr=False)
    """From the first byte to the last."""

    @property
    def content_type(self) -> str:
        """The media type."""
        return CONTENT_TYPES[self.format]

    @property
    def signed(self) -> bool:
        """Whether a C2PA manifest, in the file or elsewhere, vouches for these bytes."""
        return self.has("signature") or any(b"dcterms:provenance" in body for body in self.bodies("xmp"))

    def has(self, kind: Kind) -> bool:
        """Whether there is such a segment."""
        return any(segment.kind == kind for segment in self.segments)

    def bodies(self, kind: Kind) -> list[bytes]:
        """Return the content of every such segment."""
        return [segment.body for segment in self.segments if segment.kind == kind]


Parts = Sequence[Segment | bytes]
"""A file to be written: segments of another one, and new bytes between them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One file format: how it is recognized, parsed and given metadata."""

    name: str
    mark: re.Pattern[bytes]
    parse: Callable[[Cursor], None]
    """Walks to the image's end. Raises `InvalidImage` for a damaged file."""
    room: int
    """Bytes that one new piece of metadata may have."""
    encoders: Mapping[Kind, Callable[[bytes], bytes]]
    """What metadata the format has a place for, as bytes of the file."""
    assemble: Callable[[Parts, ImageFile], Parts] = lambda parts, _image: parts
    """Adapts sizes and flags at the beginning of the file to what follows."""


@contextmanager
def open_image(source: Path | bytes) -> Generator[mmap.mmap | bytes]:
    """Yield the bytes of an image in memory, or of a file as a memory map."""
    if isinstance(source, bytes):
        yield source
        return
    with source.open("rb") as file:
        if not file.read(1):
            yield b""  # which cannot be mapped
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield data


class Cursor:
    """A place in a file that moves forward and collects segments. Raises `InvalidImage` where the file ends."""

    def __init__(self, data: mmap.mmap | bytes, name: str, segments: list[Segment]) -> None:
        self.data = data
        self.at = 0
        self.end = len(data)
        self.width = self.height = self.flags = 0
        self.segments = segments
        self._name = name

    def add(self, kind: Kind, start: int, body: bytes = b"") -> None:
        """Add the segment from ``start`` to here; what holds no metadata is joined with its neighbour."""
        last = self.segments[-1] if self.segments else None
        if last and (len(self.segments) >= MOST_SEGMENTS or (last.kind == kind and kind in {"head", "other"})):
            self.segments[-1] = Segment(last.kind, last.start, self.at, last.body)
        else:
            self.segments.append(Segment(kind, start, self.at, body))

    def body(self, start: int, end: int) -> bytes:
        """Return metadata between two places, or nothing where it is too large."""
        return self.data[start:end] if end - start <= LARGEST_BODY else b""

    def take(self, count: int) -> bytes:
        """Return the next ``count`` bytes (few)."""
        start = self.at
        self.skip(count)
        return self.data[start : self.at]

    def skip(self, count: int) -> None:
        """Go forward, at most to the end of the file."""
        self.at += count
        if self.at > self.end:
            self.cut()

    def big(self, count: int) -> int:
        """Return the next ``count`` bytes as a big-endian number."""
        return int.from_bytes(self.take(count), "big")

    def little(self, count: int) -> int:
        """Return the next ``count`` bytes as a little-endian number."""
        return int.from_bytes(self.take(count), "little")

    def cut(self) -> NoReturn:
        """Raise: the file ends too soon."""
        raise InvalidImage(f"a {self._name} that is cut off after {self.end} bytes")

    def damaged(self, problem: str) -> NoReturn:
        """Raise: something does not belong into such a file."""
        raise InvalidImage(f"a damaged {self._name}: {problem}")
