"""Build the gallery: one self-contained HTML page of everything a run made.

Prompts, names and messages come from outside: all of them are escaped, and a policy in the page lets nothing run or
load that is not part of it. Images are linked by paths relative to the page, so that both can be moved together, and
no path of this machine is shown.
"""

from __future__ import annotations

import hashlib
import os
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

from flux_cli import __version__
from flux_cli.display.rendering import describe_cost, format_time
from flux_cli.errors import FluxError
from flux_cli.gallery.command_line import command_line
from flux_cli.jobs import Image, Job
from flux_cli.money.limits import counted_cost, final_cost
from flux_cli.money.totals import format_total
from flux_cli.text import listed, printable

START = '<!DOCTYPE html>\n<html lang="en" data-made-by="flux gallery">\n'
"""The beginning by which such a page is recognized."""

_SCROLLS = 400
"""Characters of a prompt that may need scrolling."""
_LONGEST = 150
"""Characters of a prompt as alternative text, or as a title."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The outcome of one row of a batch, or of a run without rows."""

    where: str
    """The row's file and line, for people; empty without one."""
    prompt: str
    jobs: Sequence[Job]
    """Those that were submitted, in the order of their images."""
    errors: Sequence[FluxError] = ()
    """Why images are missing."""


def build_page(
    parts: Sequence[Entry], *, title: str, folder: Path, thumbnails: Callable[[Iterable[Path]], Iterable[bytes | None]]
) -> Iterator[str]:
    """Yield the page piece by piece, one image at a time.

    ``folder`` is where it will be; ``thumbnails`` returns images as small JPEGs, and ``None`` for one that is gone.
    """
    style, script = (_read_asset(name) for name in ("gallery.css", "gallery.js"))
    policy = (
        f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    name = _text(title, limit=_LONGEST)
    yield (
        f'{START}<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n<link rel="icon" href="data:,">\n'
        f"<title>{name}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f'<header>\n<h1 dir="auto">{name}</h1>\n{_summary(parts)}</header>\n<main>\n'
    )
    made = [(part, job, image) for part in parts for job in part.jobs for image in job.images if image.path]
    if made:
        yield '<ul aria-label="Images">\n'
        small_images = thumbnails(Path(image.path or "") for _, _, image in made)
        for number, ((part, job, image), small) in enumerate(zip(made, small_images, strict=True), 1):
            yield _card(number, part, job, image, folder, small)
        yield "</ul>\n"
    missing = [part for part in parts if part.errors]
    if missing:
        yield '<h2 id="not-made">Not made, or only in part</h2>\n<ul>\n'
        yield from (_missing(part) for part in missing)
        yield "</ul>\n"
    yield (
        f"</main>\n<footer><p>Made with flux {__version__}</p></footer>\n"
        f'<p role="status" class="unseen"></p>\n<script>{script}</script>\n</body>\n</html>\n'
    )


def _read_asset(name: str) -> str:
    """Return the content of a file beside this one."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """Return what names ``text`` in a policy. See https://www.w3.org/TR/CSP3/ , section 2.3.1."""
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _text(text: str, *, limit: int = 0) -> str:
    """Return text from outside as HTML: one line, with control and bidirectional characters made visible."""
    return escape(printable(text, limit=limit))


def _prompt(text: str, number: int = 0) -> str:
    """Return a prompt, that of an image with the ``number`` of the image; a long one can be scrolled by keyboard."""
    name = f' id="prompt-{number}"' if number else ""
    long = ' tabindex="0"' if len(text) > _SCROLLS else ""
    return f'<p class="prompt" dir="auto"{name}{long}>{_text(text)}</p>\n'


def _plural(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _summary(parts: Sequence[Entry]) -> str:
    """Return one line about the whole run."""
    jobs = [job for part in parts for job in part.jobs]
    images = sum(image.path is not None for job in jobs for image in job.images)
    costs = [counted_cost(job) for job in jobs]
    money = format_total(sum(cost for cost in costs if cost is not None), costs.count(None))
    guessed = any(final_cost(job) is None and job.estimate is not None for job in jobs)
    words = [_plural(images, "image"), *([f"{'about ' if guessed else ''}{money}"] if jobs else [])]
    words += [listed(dict.fromkeys(job.provider for job in jobs)), _days(jobs)]
    line = _text(" \u00b7 ".join(word for word in words if word))
    missing = sum(bool(part.errors) for part in parts)
    if not missing:
        return f"<p>{line}</p>\n"
    rows = _plural(missing, "row") if any(part.where for part in parts) else "some"
    return f'<p>{line} \u00b7 <a href="#not-made">{rows} not made, or only in part</a></p>\n'


def _days(jobs: Sequence[Job]) -> str:
    """Return the days on which jobs were made, in UTC."""
    days = sorted({(format_time(job.created_at) or "")[:10] for job in jobs})
    return " to ".join(dict.fromkeys((days[0], days[-1]))) if days else ""


def _card(
    number: int,
    part: Entry,
    job: Job,
    image: Image,
    folder: Path,
    small: bytes | None,
) -> str:
    """Return one image with its thumbnail ``small`` and what is known of it."""
    path = Path(image.path or "")
    shown = _text(path.name)
    if small is None:
        picture = f'<p class="bad">{shown} no longer exists, or cannot be shown</p>\n'
    else:
        data = b64encode(small).decode()
        size = f' width="{image.width}" height="{image.height}"' if image.width and image.height else ""
        picture = (
            f'<a class="picture" href="{_link(path, folder)}">'
            f'<img src="data:image/jpeg;base64,{data}" alt="{_text(job.prompt, limit=_LONGEST)}"{size}></a>\n'
        )
    facts = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in _facts(part, job, image))
    command, omitted = command_line(job, image)
    note = f'<p class="quiet">also made with {_text(listed(omitted))}, not shown here</p>' if omitted else ""
    return (
        f"<li>\n{picture}{_prompt(job.prompt, number)}<dl>{facts}</dl>\n"
        f'<div class="again"><details><summary aria-describedby="prompt-{number}">Command</summary>'
        f"<pre><code>{escape(command)}</code></pre>{note}</details>\n"
        f'<button type="button" aria-describedby="prompt-{number}" hidden>Copy command</button></div>\n</li>\n'
    )


def _link(path: Path, folder: Path) -> str:
    """Return the address of a file as seen from ``folder``, whatever characters its name has."""
    try:
        relative = os.path.relpath(path, folder)
    except ValueError:  # on another drive of Windows
        return escape(path.as_uri())
    return quote(os.fsencode(relative.replace(os.sep, "/")))


def _facts(part: Entry, job: Job, image: Image) -> Iterator[tuple[str, str]]:
    """Yield what is known of an image, by name, as HTML."""
    seed = image.seed if image.seed is not None else job.seed
    cost = describe_cost(job) or "unknown"
    several = max(len(job.images), job.count)
    found = {
        "seed": "" if seed is None else str(seed),
        "cost": cost if several == 1 else f"{cost} for {several} images",
        "model": job.model or "",
        "provider": job.provider + (" (sandbox)" if job.sandbox else ""),
        "size": f"{image.width}\u00d7{image.height}" if image.width and image.height else "",
        "row": part.where,
        "job": job.id,
        "NSFW": "" if image.nsfw is None else "yes" if image.nsfw else "no",
    }
    for name, value in found.items():
        if value:
            yield name, _text(value)


def _missing(part: Entry) -> str:
    """Return a row of which images are missing, and why."""
    where = f'<p class="quiet">{_text(part.where)}</p>\n' if part.where else ""
    lines = "".join(
        f'<p class="bad">{_text(error.message)}</p>\n'
        + (f'<p class="quiet">{_text(error.hint)}</p>\n' if error.hint else "")
        + f'<p class="quiet">charged: {error.charged}</p>\n'
        for error in {(error.message, error.hint): error for error in part.errors}.values()
    )
    return f"<li>\n{where}{_prompt(part.prompt)}{lines}</li>\n"
