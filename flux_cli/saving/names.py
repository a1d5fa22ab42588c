"""Name files: templates with fields, names that fit, and formats by extension.

A template is the user's own text and may lead anywhere; the values of its fields come from outside (a prompt, a
provider's id) and never add a folder, climb out of one or hide a file.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING

from flux_cli.errors import UsageError
from flux_cli.text import listed, nearest, printable, safe_name, slug

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from flux_cli.jobs import Image, Job

EXTENSIONS: dict[str, str] = {".jpg": "jpg", ".jpeg": "jpg", ".png": "png", ".webp": "webp"}
"""The format that each extension promises."""

FOREIGN = frozenset(
    {".avif", ".bmp", ".gif", ".heic", ".heif", ".ico", ".jp2", ".jxl", ".pdf", ".svg", ".tif", ".tiff"}
)
"""Extensions that promise something flux cannot write."""

MAX_COMPONENT = 255
"""Bytes in one part of a path, on every common file system."""

NUMBERS = frozenset({"seed", "index", "row"})
FIELDS = ("slug", "prompt", "provider", "model", "seed", "id", "index", "row", "date", "time", "ext")
"""What a template may name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """What is known of an image when its file is named."""

    prompt: str
    provider: str
    model: str
    seed: int | None
    id: str
    """The job's."""
    index: int = 1
    """Which image of the run, from 1."""
    row: int | None = None
    """Which row of the batch; shown as 0 outside of one."""
    created_at: float = 0.0
    """Seconds since 1970; a template shows it in local time."""

    @classmethod
    def of(cls, job: Job, image: Image, index: int) -> Fields:
        """Return what is known of one ``image`` of ``job``, which is number ``index`` of its run."""
        return cls(
            prompt=job.prompt,
            provider=job.provider,
            model=job.model or "",
            seed=image.seed if image.seed is not None else job.seed,
            id=job.id,
            index=index,
            row=job.row,
            created_at=job.created_at,
        )

    def text(self, name: str, ext: str) -> str:
        """Return the field ``name`` as it may stand in a file name: never empty, no dot or dash to begin with."""
        match name:
            case "slug":
                return slug(self.prompt)
            case "date":
                return time.strftime("%Y-%m-%d", time.localtime(self.created_at))
            case "time":
                return time.strftime("%H-%M-%S", time.localtime(self.created_at))
            case "ext":
                return ext
            case "seed" if self.seed is None:
                return _sanitize(self.id)
            case "row":
                return str(self.row or 0)
            case _:
                return _sanitize(str(getattr(self, name)))


def _sanitize(text: str) -> str:
    return safe_name(text).lstrip(".- ") or "_"


def default_name(fields: Fields, ext: str, suffix_fields: Sequence[str] = ()) -> str:
    """Return the name that flux chooses by default: ``<slug>-<seed>.<ext>``, the ``suffix_fields`` after the seed."""
    ends = [fields.text(name, ext) for name in ("seed", *suffix_fields)]
    return f"{'-'.join([slug(fields.prompt), *ends])}.{ext}"


@dataclass(frozen=True, slots=True)
class Template:
    """A path with fields in it: pairs of literal text and the field (with its zero-padding) that follows, if any."""

    pieces: tuple[tuple[str, str, int], ...]

    @classmethod
    def parse(cls, text: str) -> Template | str:
        """Return the template in ``text``, or the plain path it is if it names no field. Raises `UsageError`."""
        try:
            parsed = list(Formatter().parse(text))
        except ValueError as error:
            raise _refusal(text, "a brace is not matched", "write {{ and }} for literal braces") from error
        pieces: list[tuple[str, str, int]] = []
        for literal, name, spec, conversion in parsed:
            padding = re.fullmatch(r"0(\d{1,2})d?", spec or "00")
            if name is not None and name not in FIELDS:
                guess = nearest(name, FIELDS)
                known = f"did you mean {{{guess}}}?" if guess else f"there are {listed(f'{{{f}}}' for f in FIELDS)}"
                raise _refusal(text, f"there is no {{{printable(name)}}}", known)
            if conversion or padding is None or (spec and name not in NUMBERS):
                raise _refusal(
                    text, f"{{{name}}} cannot be formatted like that", "zero-padding of a number works: {index:03}"
                )
            pieces.append((literal, name or "", int(padding[1])))
        if not any(name for _, name, _ in pieces):
            return "".join(literal for literal, _, _ in pieces)
        if any("/" in literal or os.sep in literal for literal in cls._after_ext(pieces)):
            raise _refusal(text, "{ext} must be in the file's name", "take it out of the folder's name")
        return cls(tuple(pieces))

    @staticmethod
    def _after_ext(pieces: list[tuple[str, str, int]]) -> list[str]:
        """Return the literal texts that come after an ``{ext}``."""
        first = next((place for place, (_, name, _) in enumerate(pieces) if name == "ext"), len(pieces))
        return [literal for literal, _, _ in pieces[first + 1 :]]

    @property
    def folder(self) -> str:
        """The folder that its literal beginning names: empty for the current one."""
        return os.path.split(self.pieces[0][0])[0]

    @property
    def ending(self) -> str:
        """The literal text after its last field, as the end of some name."""
        literal, name, _ = self.pieces[-1]
        return "_" if name else f"_{literal}"

    def render(self, fields: Fields, ext: str) -> Path:
        """Return the path for an image whose bytes are ``ext``; its extension says so, and every part of it fits."""
        text = ""
        for literal, name, width in self.pieces:
            value = fields.text(name, ext) if name else ""
            text += literal + (value.zfill(width) if value.isdecimal() else value)
        if text.endswith(("/", os.sep)):
            text += default_name(fields, ext)
        if EXTENSIONS.get(Path(text).suffix.lower()) != ext:
            text += f".{ext}"
        path = Path(text)
        *folders, name = (part if part == path.anchor else fit_length(part) for part in path.parts)
        return Path(*folders, name)


def _refusal(text: str, why: str, hint: str) -> UsageError:
    return UsageError(f"cannot use -o {printable(text)}: {why}", hint=hint)


def format_of_extension(name: str) -> str | None:
    """Return the format that the extension of ``name`` promises, if any. Raises `UsageError` for a foreign one."""
    extension = Path(name).suffix.lower()
    if extension in FOREIGN:
        raise UsageError(f"flux writes jpg, png and webp, not {extension[1:]}", hint="choose another extension for -o")
    return EXTENSIONS.get(extension)


def fit_length(name: str, suffix: str = "") -> str:
    """Return ``name`` with ``suffix`` before its extension, cut where a file system would refuse it."""
    extension = Path(name).suffix
    if len(os.fsencode(extension)) > MAX_COMPONENT // 4:  # a long word after a dot is part of the name
        extension = ""
    room = MAX_COMPONENT - len(os.fsencode(suffix + extension))
    stem = name.removesuffix(extension)[:room]
    while len(os.fsencode(stem)) > room:
        stem = stem[:-1]
    return f"{stem}{suffix}{extension}"


def alternatives(path: Path) -> Iterator[Path]:
    """Yield ``path``, then the same with ``-2``, ``-3``, … before its extension, without end."""
    yield path
    yield from (path.with_name(fit_length(path.name, f"-{number}")) for number in count(2))
