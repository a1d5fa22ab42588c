"""Build the gallery: one self-contained HTML page of everything a run made.

Prompts, names and messages come from outside: all of them are escaped, and a policy in the page lets nothing run or
load that is not part of it, other than the images themselves. These are linked by paths relative to the page, so that
both can be moved together, and no path of this machine is shown.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from flux_cli import __version__
from flux_cli.display.rendering import format_time
from flux_cli.gallery.card import (
    LONGEST,
    STATES,
    Entry,
    Shown,
    describe_pair,
    describe_provider,
    list_states,
    render_image,
    render_missing,
    render_prompt,
    to_html,
)
from flux_cli.jobs import Job
from flux_cli.money.limits import counted_cost, final_cost
from flux_cli.money.totals import format_total
from flux_cli.text import listed

START = '<!DOCTYPE html>\n<html lang="en" data-made-by="flux gallery">\n'
"""The beginning by which such a page is recognized."""

_VIEW = """<dialog id="view" aria-label="Image">
<div class="bar"><p role="status"></p><a></a>
<button type="button" data-do="close" aria-label="Close">\u2715</button></div>
<div class="stage"></div>
<div class="bar"><button type="button" data-do="back" aria-label="Previous image">\u2190</button>
<button type="button" data-do="on" aria-label="Next image" autofocus>\u2192</button></div>
<div class="caption" tabindex="0"><p class="bad" hidden>The image file was not found: \
this is its thumbnail.</p><div class="made"></div><p dir="auto"></p><dl></dl></div>
</dialog>
"""
"""The full-size view, which the script fills."""


@dataclass(frozen=True, slots=True)
class _Block:
    """A part of the page: the rows of one comparison, or rows in a sequence that compare nothing."""

    parts: Sequence[Entry]
    compared: bool

    @property
    def images(self) -> list[Shown]:
        """The saved images; where they are compared, the first of each pair, then the second of each."""
        made = [
            Shown(part=part, job=job, image=image)
            for part in self.parts
            for job in part.jobs
            for image in job.images
            if image.path
        ]
        if not self.compared:
            return made
        pairs: dict[str, list[Shown]] = {}
        for one in made:
            pairs.setdefault(describe_pair(one.job), []).append(one)
        turns = [(turn, one) for several in pairs.values() for turn, one in enumerate(several)]
        return [one for _, one in sorted(turns, key=lambda pair: pair[0])]

    @property
    def missing(self) -> list[Entry]:
        return [part for part in self.parts if part.failures]


def build_page(
    parts: Sequence[Entry], *, title: str, folder: Path, thumbnails: Callable[[Iterable[Path]], Iterable[bytes | None]]
) -> Iterator[str]:
    """Yield the page piece by piece, one image at a time.

    ``folder`` is where it will be; ``thumbnails`` returns images as small JPEGs, and ``None`` for one that is gone.
    """
    style, script = (_read_asset(name) for name in ("gallery.css", "gallery.js"))
    policy = (
        f"default-src 'none'; img-src data: 'self' file:; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    blocks = _arrange(parts)
    alone = [part for block in blocks if not block.compared for part in block.missing]
    several = len({describe_pair(job) for job in _jobs(parts)}) > 1
    name = to_html(title, limit=LONGEST)
    yield (
        f'{START}<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n<link rel="icon" href="data:,">\n'
        f"<title>{name}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f'<header>\n<h1 dir="auto">{name}</h1>\n{_summary(parts)}</header>\n{_filter(parts)}<main>\n'
    )
    images = [block.images for block in blocks]
    made = (one for block in images for one in block)
    small_images = iter(thumbnails(Path(one.image.path or "") for one in made))
    number = 0
    target = None if alone else next((block for block in blocks if block.missing), None)
    for block, shown in zip(blocks, images, strict=True):
        if block.compared:
            anchor = ' id="not-made"' if block is target else ""
            pairs = min(len({describe_pair(job) for job in _jobs(block.parts)}), 4)
            prompt = _prompt_of(block.parts[0])
            yield f'<section{anchor}>\n{render_prompt(prompt, tag="h2")}<ul class="of-{pairs}">\n'
        elif shown:
            yield '<ul aria-label="Images">\n'
        for one in shown:
            number += 1
            yield render_image(number, one, folder, next(small_images), compared=block.compared)
        if block.compared:
            yield from (render_missing(part, compared=True, several=True) for part in block.missing)
            yield "</ul>\n</section>\n"
        elif shown:
            yield "</ul>\n"
    if alone:
        yield '<section>\n<h2 id="not-made">Not made, or only in part</h2>\n<ul>\n'
        yield from (render_missing(part, compared=False, several=several) for part in alone)
        yield "</ul>\n</section>\n"
    yield (
        f"</main>\n<footer><p>Made with flux {__version__}</p></footer>\n"
        f'<p role="status" id="told" class="unseen"></p>\n{_VIEW}<script>{script}</script>\n</body>\n</html>\n'
    )


def _jobs(parts: Iterable[Entry]) -> list[Job]:
    """Return every job that has a card; a job that a fallback replaced has none."""
    return [
        job
        for part in parts
        for job in (*filter(_is_saved, part.jobs), *(job for failure in part.failures for job in failure.jobs))
    ]


def _is_saved(job: Job) -> bool:
    """Whether a job has an image on the page."""
    return any(image.path for image in job.images)


def _prompt_of(part: Entry) -> str:
    """Return the prompt that was sent, or that of the row."""
    return part.jobs[0].prompt if part.jobs else part.prompt


def _arrange(parts: Sequence[Entry]) -> list[_Block]:
    """Put rows together that have the same prompt but several models or providers; the others keep their order."""
    prompts: dict[str, list[Entry]] = {}
    for part in parts:
        prompts.setdefault(_prompt_of(part), []).append(part)
    several = {
        prompt
        for prompt, same in prompts.items()
        if len({describe_pair(job) for job in _jobs(same)}) > 1
        and any(_is_saved(job) for part in same for job in part.jobs)
    }
    blocks: list[_Block] = []
    for compared, stretch in groupby(parts, lambda part: _prompt_of(part) in several):
        rows = list(stretch)
        if compared:
            new = [prompts.pop(prompt) for prompt in dict.fromkeys(map(_prompt_of, rows)) if prompt in prompts]
            blocks += [_Block(same, compared=True) for same in new]
        else:
            blocks.append(_Block(rows, compared=False))
    return blocks


def _read_asset(name: str) -> str:
    """Return the content of a file beside this one."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """Return what names ``text`` in a policy. See https://www.w3.org/TR/CSP3/ , section 2.3.1."""
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


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
    line = to_html(" \u00b7 ".join(word for word in words if word))
    missing = [part.where for part in parts if part.failures]
    if not missing:
        return f"<p>{line}</p>\n"
    rows = _plural(len(set(missing)), "row") if any(part.where for part in parts) else "some"
    return f'<p>{line} \u00b7 <a href="#not-made">{rows} not made, or only in part</a></p>\n'


def _days(jobs: Sequence[Job]) -> str:
    """Return the days on which jobs were made, in UTC."""
    days = sorted({(format_time(job.created_at) or "")[:10] for job in jobs})
    return " to ".join(dict.fromkeys((days[0], days[-1]))) if days else ""


def _filter(parts: Sequence[Entry]) -> str:
    """Return the filter, which the script shows; it offers what differs."""
    jobs = _jobs(parts)
    found = {state for part in parts for state in list_states(part)}
    found |= {"succeeded" for part in parts for job in part.jobs if _is_saved(job)}
    choices = {
        "model": {to_html(job.model): to_html(job.model) for job in jobs if job.model},
        "provider": {to_html(name): to_html(name) for name in map(describe_provider, jobs)},
        "state": {state: label for state, label in STATES.items() if state in found},
    }
    menus = "".join(
        f'<select name="{name}" aria-label="{name.capitalize()}"><option value="">Any {name}</option>'
        + "".join(f'<option value="{value}">{label}</option>' for value, label in options.items())
        + "</select>\n"
        for name, options in choices.items()
        if len(options) > 1
    )
    return (
        '<div id="filter" role="search" hidden>\n'
        '<input type="search" aria-label="Filter by words or seed" aria-keyshortcuts="/" autocomplete="off" '
        f'spellcheck="false" placeholder="Filter by words or seed ( / )">\n{menus}'
        '<button type="button" hidden>Clear</button>\n<p role="status"></p>\n</div>\n'
    )
