"""Build the cards of a gallery: one for each image, and one for each row of which images are missing.

Everything in a card comes from outside, and is escaped.
"""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

from flux_cli.display.rendering import describe_cost
from flux_cli.errors import FluxError
from flux_cli.gallery.command_line import command_line
from flux_cli.jobs import Image, Job
from flux_cli.text import listed, printable

LONGEST = 150
"""Characters of a prompt as alternative text, or as a title."""
STATES: Mapping[str, str] = {
    "succeeded": "Succeeded",
    "moderated": "Moderated",
    "failed": "Failed",
    "pending": "Pending",
    "unknown": "Unknown",
    "unsaved": "Not saved",
    "usage": "Not sent",
}
"""The states that the filter offers, by error code; every other code counts as failed."""

_SCROLLS = 400
"""Characters of a prompt that may need scrolling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why images are missing."""

    error: FluxError
    jobs: Sequence[Job] = ()
    """The jobs that should have made them; empty if the ledger has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The outcome of one row of a batch, or of a run without rows."""

    where: str
    """The row's file and line, for people; empty without one."""
    prompt: str
    jobs: Sequence[Job]
    """Those that were submitted, in the order of their images."""
    failures: Sequence[Failure] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One saved image, its job and its row."""

    part: Entry
    job: Job
    image: Image


def to_html(text: str, *, limit: int = 0) -> str:
    """Return text from outside as HTML: one line, with control and bidirectional characters made visible."""
    return escape(printable(text, limit=limit))


def render_prompt(text: str, name: str = "", *, tag: str = "p") -> str:
    """Return a prompt, with ``name`` as its id; a long one can be scrolled by keyboard."""
    named = f' id="{name}"' if name else ""
    long = ' tabindex="0"' if len(text) > _SCROLLS else ""
    return f'<{tag} class="prompt" dir="auto"{named}{long}>{to_html(text)}</{tag}>\n'


def describe_provider(job: Job) -> str:
    """Return the provider of a job, as people read it."""
    return job.provider + (" (sandbox)" if job.sandbox else "")


def describe_pair(job: Job) -> str:
    """Return the model and the provider of a job, as people read them."""
    return " \u00b7 ".join(word for word in (job.model, describe_provider(job)) if word)


def list_states(part: Entry) -> list[str]:
    """Return the states of the images of a row that are missing, each once."""
    codes = (failure.error.code for failure in part.failures)
    return list(dict.fromkeys(code if code in STATES else "failed" for code in codes))


def render_image(number: int, shown: Shown, folder: Path, small: bytes | None, *, compared: bool) -> str:
    """Return an image with its thumbnail ``small`` and what is known of it.

    If it is ``compared`` to others, its model and provider are above it, and the prompt is not repeated.
    """
    job, image = shown.job, shown.image
    path = Path(image.path or "")
    name = to_html(path.name)
    facts = dict(_facts(shown))
    label = f"prompt-{number}"
    above, below = "", render_prompt(job.prompt, label)
    if compared:
        took = "" if job.duration is None else f"{job.duration:.1f} s"
        spent = to_html(" \u00b7 ".join(word for word in (took, facts.pop("cost")) if word))
        facts = {name: value for name, value in facts.items() if name not in {"model", "provider"}}
        pair = to_html(describe_pair(job))
        above, below = f'<div class="made"><h3 id="{label}">{pair}</h3><p>{spent}</p></div>\n', ""
    if small is None:
        picture = f'<p class="bad">{name} no longer exists, or cannot be shown</p>\n'
    else:
        data = b64encode(small).decode()
        size = f' width="{image.width}" height="{image.height}"' if image.width and image.height else ""
        picture = (
            f'<a class="picture" href="{_link(path, folder)}" data-name="{name}">'
            f'<img src="data:image/jpeg;base64,{data}" alt="{to_html(job.prompt, limit=LONGEST)}"{size}'
            ' loading="lazy" decoding="async"></a>\n'
        )
    listing = "".join(f"<div><dt>{name}</dt><dd>{to_html(value)}</dd></div>" for name, value in facts.items())
    command, omitted = command_line(job, image)
    note = f'<p class="quiet">also made with {to_html(listed(omitted))}, not shown here</p>' if omitted else ""
    return (
        f"<li{_tags([job], ['succeeded'])}>\n{above}{picture}{below}<dl>{listing}</dl>\n"
        f'<div class="again"><details><summary aria-describedby="{label}">Command</summary>'
        f"<pre><code>{escape(command)}</code></pre>{note}</details>\n"
        f'<button type="button" aria-describedby="{label}" hidden>Copy command</button></div>\n</li>\n'
    )


def render_missing(part: Entry, *, compared: bool, several: bool) -> str:
    """Return a row of which images are missing, and why; with their model and provider where there are ``several``.

    If it is ``compared``, the prompt is above it and not repeated.
    """
    where = f'<p class="quiet where">{to_html(part.where)}</p>\n' if part.where else ""
    lines: dict[str, None] = {}
    for failure in part.failures:
        error = failure.error
        pairs = listed(dict.fromkeys(describe_pair(job) for job in failure.jobs)) if several else ""
        lines[
            (f'<div class="made"><h3>{to_html(pairs)}</h3></div>\n' if pairs else "")
            + f'<p class="bad">{to_html(error.message)}</p>\n'
            + (f'<p class="quiet">{to_html(error.hint)}</p>\n' if error.hint else "")
            + f'<p class="quiet">charged: {error.charged}</p>\n'
        ] = None
    jobs = [job for failure in part.failures for job in failure.jobs]
    reasons = "".join(lines)
    text = reasons + where if compared else where + render_prompt(part.prompt) + reasons
    return f"<li{_tags(jobs, list_states(part))}>\n{text}</li>\n"


def _tags(jobs: Sequence[Job], ends: Iterable[str]) -> str:
    """Return the attributes that the filter reads: several values are on lines of their own."""
    values = {
        "model": (job.model or "" for job in jobs),
        "provider": (describe_provider(job) for job in jobs),
        "state": ends,
    }
    found = {name: "\n".join(dict.fromkeys(map(to_html, texts))) for name, texts in values.items()}
    return "".join(f' data-{name}="{value}"' for name, value in found.items())


def _link(path: Path, folder: Path) -> str:
    """Return the address of a file as seen from ``folder``, whatever characters its name has."""
    try:
        relative = os.path.relpath(path, folder)
    except ValueError:  # on another drive of Windows
        return escape(path.as_uri())
    return quote(os.fsencode(relative.replace(os.sep, "/")))


def _facts(shown: Shown) -> Iterator[tuple[str, str]]:
    """Yield what is known of an image, by name."""
    job, image = shown.job, shown.image
    seed = image.seed if image.seed is not None else job.seed
    cost = describe_cost(job) or "unknown"
    several = max(len(job.images), job.count)
    found = {
        "seed": "" if seed is None else str(seed),
        "cost": cost if several == 1 else f"{cost} for {several} images",
        "model": job.model or "",
        "provider": describe_provider(job),
        "size": f"{image.width}\u00d7{image.height}" if image.width and image.height else "",
        "row": shown.part.where,
        "job": job.id,
        "NSFW": "" if image.nsfw is None else "yes" if image.nsfw else "no",
    }
    yield from ((name, value) for name, value in found.items() if value)
