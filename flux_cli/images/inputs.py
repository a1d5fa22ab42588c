"""Check the local images that a job takes as input, once each."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from threading import RLock
from typing import BinaryIO

from flux_cli.errors import UsageError
from flux_cli.images.convert import MAX_PIXELS, UNDECODABLE
from flux_cli.images.inspect import FORMATS, inspect
from flux_cli.images.segments import ImageFile, InvalidImage
from flux_cli.jobs import LocalFile
from flux_cli.text import printable

_ORIENTATION = 0x0112
_UPRIGHT = 1
_QUALITY = 95


LARGEST = 2**28
"""Bytes that are read from a pipe, a device or stdin at most."""


class InputReader:
    """Reads local input images. One instance may serve many threads."""

    def __init__(self, folder: Callable[[], Path]) -> None:
        """Write upright copies, and images that are no regular files, to ``folder``, made when it is first needed."""
        self._folder = folder
        self._known: dict[str, LocalFile] = {}
        self._lock = RLock()

    def read(self, name: str) -> LocalFile:
        """Return the image at the path ``name``, walked to its end.

        If its EXIF data says that it is to be shown turned or mirrored, the file is an upright copy: what a provider
        makes of that field is not documented. Raises `UsageError`.
        """
        with self._lock:
            if name in self._known:  # such as stdin, which is no path
                return self._known[name]
            path = os.path.abspath(name)  # noqa: PTH100 - a Path raises where the name is too long
            if path not in self._known:
                self._known[path] = self._read(path, name)
            return self._known[path]

    def has(self, name: str) -> bool:
        """Whether an image was read under this name."""
        return name in self._known

    def add(self, name: str, content: bytes) -> LocalFile:
        """Return the image ``content``, such as that of stdin, under ``name``. Raises `UsageError`."""
        with self._lock:
            kind = next((name for name, known in FORMATS.items() if known.mark.match(content)), "image")
            path = self._folder() / f"{hashlib.sha256(content).hexdigest()}.{kind}"
            path.write_bytes(content)
            self._known[name] = self._check(path, name)
            return self._known[name]

    def digest(self, name: str) -> str | None:
        """Return the SHA-256 of the file at ``name``, or ``None`` if it is no local image that can be read."""
        try:
            return None if "://" in name else self.read(name).sha256
        except UsageError:
            return None

    def _read(self, path: str, name: str) -> LocalFile:
        try:
            if os.path.exists(path) and not os.path.isfile(path):  # noqa: PTH110, PTH113 - as above
                with open(path, "rb") as pipe:  # noqa: PTH123 - as above; a pipe, as of <(…), can be read only once
                    return self.add(path, read_bounded(pipe, name))
            return self._check(Path(path), path)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise UsageError(
                f"cannot read the image {printable(name)}: {reason}",
                hint="give a path, absolute or relative to the current folder, a web address, or a job such as @1",
            ) from error

    def _check(self, path: Path, name: str) -> LocalFile:
        try:
            found = inspect(path)
        except InvalidImage as error:
            raise _unusable(name, str(error)) from None
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        if found.has("exif"):
            path, found = self._turn_upright(path, found, name, sha256)
        return LocalFile(
            path=str(path),
            media_type=found.content_type,
            size=found.size,
            sha256=sha256,
            width=found.width,
            height=found.height,
            name=name if name != str(path) else "",
            modified=path.stat().st_mtime_ns,
        )

    def _turn_upright(self, path: Path, found: ImageFile, name: str, sha256: str) -> tuple[Path, ImageFile]:
        """Return a file whose pixels are the right way up: ``path`` itself, or a copy."""
        from PIL import Image, ImageOps  # noqa: PLC0415 - costs 30 ms, and most images have no EXIF data

        if found.width * found.height > MAX_PIXELS:
            return path, found
        try:
            with Image.open(path) as opened:
                if opened.getexif().get(_ORIENTATION, _UPRIGHT) == _UPRIGHT:
                    return path, found
                target = self._folder() / f"{sha256}-upright.{found.format}"
                if target.exists():  # of another file with the same content
                    return target, inspect(target)
                turned = ImageOps.exif_transpose(opened)
                turned.save(target, opened.format, quality=_QUALITY, icc_profile=opened.info.get("icc_profile"))
        except UNDECODABLE as error:
            raise _unusable(name, "damaged: it cannot be decoded") from error
        return target, inspect(target)


def read_bounded(stream: BinaryIO, name: str, most: int = LARGEST) -> bytes:
    """Return all of a ``stream`` that may have no end. Raises `UsageError` if it is longer than ``most`` bytes."""
    content = stream.read(most + 1)
    if len(content) > most:
        shown = "stdin" if name == "-" else printable(name)
        raise UsageError(f"{shown} is larger than {most // 2**20} MiB", hint="use a smaller image")
    return content


def _unusable(name: str, reason: str) -> UsageError:
    """Return the error of a file that is not a whole image; ``reason`` completes the sentence "it is …"."""
    hint = "flux sends JPEG, PNG and WebP; convert it first" if reason.startswith("not ") else "use an intact copy"
    shown = "stdin" if name == "-" else printable(name)
    return UsageError(f"cannot use {shown} as an input image: it is {reason}", hint=hint)
