"""How smoothly a page of many images scrolls in Chromium, and how soon it is there and opens an image in full size."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image as Pillow

from flux_cli.gallery.card import Entry
from flux_cli.gallery.page import build_page
from flux_cli.gallery.thumbnails import thumbnails
from flux_cli.jobs import Cost, Image, Job
from tests.benchmarks.ground import MEGA, Row
from tests.e2e.browser import CHROMIUM, DRIVER, Browser

MANY, FEW = 500, 20
_KINDS = 25
"""Different images; the others are the same files by further names."""
_SIDE = 1024
_RATIO, _OPENS, _FILTERS = 1.5, 100.0, 100.0
_PIXELS = 40
"""Pixels down the page from frame to frame: about 2400 a second."""
_FRAMES = 300

SCROLL = f"""
const done = arguments[0];
const times = [];
let before = 0;
let down = 1;
scrollTo(0, 0);
function frame(now) {{
  if (before) times.push(now - before);
  before = now;
  const end = document.documentElement.scrollHeight - innerHeight;
  if (scrollY >= end - 1) down = -1;
  if (scrollY <= 0) down = 1;
  scrollBy(0, down * {_PIXELS});
  if (times.length < {_FRAMES}) requestAnimationFrame(frame); else done(times);
}}
requestAnimationFrame(frame);
"""
"""Scroll frame by frame, up again from the end of a short page, and tell the milliseconds between the frames."""

PAINTED = """
const done = arguments[arguments.length - 1];
const start = performance.now();
const after = () => requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
"""
"""Tell the milliseconds until what is done here has been painted."""
OPEN = PAINTED + "document.querySelectorAll('a.picture')[arguments[0]].click(); after();"
STEP = PAINTED + "document.querySelector('[data-do=on]').click(); after();"
FILTER = (
    PAINTED
    + """
const words = document.querySelector("#filter input");
words.value = arguments[0];
words.dispatchEvent(new Event("input", {bubbles: true}));
after();
"""
)


@dataclass(frozen=True)
class Seen:
    """What a browser made of a page: megabytes, and milliseconds of everything else."""

    size: float
    load: float
    frames: Sequence[float]
    opening: float
    filtering: float

    @property
    def p95(self) -> float:
        return statistics.quantiles(self.frames, n=20)[-1]

    def above(self, limit: float) -> float:
        """Return the percentage of frames that took longer than ``limit`` milliseconds."""
        return 100 * sum(frame > limit for frame in self.frames) / len(self.frames)


def pictures(folder: Path, count: int, *, side: int = _SIDE) -> list[Path]:
    """Save ``count`` images, of which each has as much detail as a photograph."""
    paths = [folder / f"image-{number:04}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        if number >= _KINDS:
            path.hardlink_to(paths[number % _KINDS])
            continue
        light = Pillow.linear_gradient("L").rotate(14 * number).resize((side, side))
        rough = Pillow.effect_noise((side // 16, side // 16), 90).resize((side, side), Pillow.Resampling.BICUBIC)
        round_ = Pillow.radial_gradient("L").resize((side, side))
        bands = [(light, rough, round_)[(number + band) % 3] for band in range(3)]
        Pillow.merge("RGB", bands).save(path, quality=90)
    return paths


def make_page(folder: Path, count: int) -> Path:
    """Write the page of a run of ``count`` images, and return where it is."""
    (folder / "out").mkdir(parents=True)
    parts = [
        Entry(
            where=f"prompts.txt:{number}",
            prompt=(prompt := f"a lighthouse at dusk, number {number}, long exposure, {'soft light, ' * (number % 9)}"),
            jobs=[
                Job(
                    id=f"job{number}", run="r", provider="runware", prompt=prompt, seed=number, status="succeeded",
                    model=("flux-1.1-pro", "flux-2-pro")[number % 2], created_at=1_795_000_000.0,
                    cost=Cost(amount=0.04), images=(Image(path=str(path), seed=number, width=_SIDE, height=_SIDE),),
                )
            ],
        )
        for number, path in enumerate(pictures(folder / "out", count), 1)
    ]  # fmt: skip
    page = folder / "index.html"
    page.write_text("".join(build_page(parts, title="prompts.txt", folder=folder, thumbnails=thumbnails)), "utf-8")
    return page


def look(browser: Browser, page: Path, count: int) -> Seen:
    """Load a page, scroll it twice, and use it."""
    started = time.perf_counter()
    browser.open(page.as_uri())
    load = 1000 * (time.perf_counter() - started)
    frames = [frame for _ in range(2) for frame in browser.run_later(SCROLL)]
    opening = [browser.run_later(OPEN, count // 2), *(browser.run_later(STEP) for _ in range(4))]
    browser.run("document.getElementById('view').close()")
    filtering = [browser.run_later(FILTER, words) for words in ("light 7", "light", "")]
    return Seen(page.stat().st_size / MEGA, load, frames, max(opening), max(filtering))


def measure(many: int = MANY, few: int = FEW) -> tuple[Seen, Seen]:
    """Return what a browser makes of a page of ``many`` images, and of ``few``."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        pages = [make_page(Path(place) / str(count), count) for count in (few, many)]
        browser = Browser(Path(place))
        try:
            look(browser, pages[0], few)  # warms the browser up
            least, most = (look(browser, page, count) for page, count in zip(pages, (few, many), strict=True))
        finally:
            browser.close()
    return most, least


def rows() -> list[Row]:
    """Return the figures of both pages."""
    if not (CHROMIUM and DRIVER):
        return [Row("gallery", "no chromium, or no chromedriver")]
    most, least = measure()
    found = [
        Row(
            f"gallery of {count}",
            f"{seen.size:.1f} MB, there in {seen.load:.0f} ms; frames: median {statistics.median(seen.frames):.1f} ms, "
            f"p95 {seen.p95:.1f} ms, longest {max(seen.frames):.1f} ms, {seen.above(20):.1f} % above 20 ms, "
            f"{seen.above(50):.1f} % above 50 ms",
        )
        for count, seen in ((MANY, most), (FEW, least))
    ]
    ratio = most.p95 / least.p95
    return [
        *found,
        Row(f"scrolling {MANY} / {FEW} (p95)", f"{ratio:.2f} x", f"{_RATIO} x", met=ratio <= _RATIO),
        Row("full-size view", f"{most.opening:.0f} ms", f"{_OPENS:.0f} ms", met=most.opening <= _OPENS),
        Row("filtering", f"{most.filtering:.0f} ms", f"{_FILTERS:.0f} ms", met=most.filtering <= _FILTERS),
    ]


def profile() -> str:
    """Say that a browser has tools of its own for this."""
    return "  open the page in a browser, and record it with the developer tools"
