"""The page of a run in a real browser: on a phone and on a desk, by day and by night, by keyboard alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow

from flux_cli.errors import ModeratedError
from flux_cli.gallery.card import Entry, Failure
from flux_cli.gallery.page import build_page
from flux_cli.gallery.thumbnails import thumbnails
from flux_cli.jobs import Cost, Image, Job
from tests.e2e.browser import CHROMIUM, DRIVER, Browser
from tests.e2e.process import DEADLINE

pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium, or no chromedriver")

TAB, ENTER, ESCAPE = "\ue004", "\ue007", "\ue00c"
LEFT, RIGHT, HOME, END = "\ue012", "\ue014", "\ue011", "\ue010"
ATTACK = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\"> it's \"a\" fox"
LONG = "W" * 200 + " " + "a lighthouse at dusk, " * 60

CONTRASTS = r"""
const parse = (text) => (text.match(/[\d.]+/g) || []).map(Number);
const light = ([r, g, b]) => [r, g, b].map((part) => part / 255)
  .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
  .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const colour = parse(getComputedStyle(at).backgroundColor);
    if (colour.length === 3 || colour[3] === 1) return colour;
  }
  return [255, 255, 255];
};
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const found = {};
while (texts.nextNode()) {
  const element = texts.currentNode.parentElement;
  if (!texts.currentNode.data.trim() || element.closest("script, .unseen")) continue;
  const [one, other] = [light(parse(getComputedStyle(element).color)), light(behind(element))].sort((a, b) => b - a);
  const name = element.tagName + "." + element.className;
  found[name] = Math.min(found[name] ?? 99, (one + 0.05) / (other + 0.05));
}
return found;
"""
"""The contrast of every text with what is behind it, see https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio ."""

TOO_SMALL = """
return [...document.querySelectorAll("button, input, select, summary, a.picture")]
  .filter((one) => one.checkVisibility())
  .filter((one) => one.getBoundingClientRect().height < 44 || one.getBoundingClientRect().width < 44).length;
"""


def job(number: int, prompt: str, size: tuple[int, int], path: Path | None, **changes: Any) -> Job:
    images = (Image(path=str(path), seed=number, width=size[0], height=size[1]),) if path else ()
    known: dict[str, Any] = {
        "id": f"job{number}", "run": "r", "provider": "runware", "model": "flux-1.1-pro-ultra", "seed": 7,
        "created_at": 1_795_000_000.0, "status": "succeeded", "cost": Cost(amount=0.06),
    }  # fmt: skip
    return Job(prompt=prompt, images=images, **(known | changes))


def write_page(folder: Path, parts: Sequence[Entry]) -> Path:
    page = folder / "index.html"
    page.write_text("".join(build_page(parts, title="prompts.txt", folder=folder, thumbnails=thumbnails)), "utf-8")
    return page


def save(path: Path, size: tuple[int, int]) -> Path:
    path.parent.mkdir(exist_ok=True)
    Pillow.new("RGB", size, (200, 90, 20)).save(path)
    return path


FOCUSED = """
const one = document.activeElement;
return one.ariaLabel || one.textContent || one.className;
"""

CARDS = """
return [...document.querySelectorAll("li")].filter((one) => one.checkVisibility())
  .map((one) => one.querySelector("a.picture")?.dataset.name ?? one.querySelector(".bad").textContent);
"""
"""The file, or the failure, of each card that can be seen."""
TOLD = "return document.querySelector('#filter [role=status]').textContent"

VIEW = """
const view = document.getElementById("view");
const image = view.querySelector("img");
return {
  size: image && [image.naturalWidth, image.naturalHeight],
  file: view.querySelector("a").textContent,
  count: view.querySelector("[role=status]").textContent,
  made: view.querySelector(".made").textContent,
  prompt: view.querySelector(".caption p[dir]").textContent,
  facts: view.querySelector("dl").textContent,
  lost: !view.querySelector(".bad").hidden,
};
"""
"""What the full-size view shows."""
CLICKS = (
    "document.querySelector('[data-do=on]').click()",
    "document.querySelector('[data-do=back]').click()",
    "document.querySelector('.stage img').dispatchEvent(new MouseEvent('click', {bubbles: true, clientX: innerWidth}))",
    "document.querySelector('.stage img').dispatchEvent(new MouseEvent('click', {bubbles: true, clientX: 1}))",
)
SWIPE = """
const touch = {bubbles: true, pointerType: "touch", isPrimary: true, clientX: 200, clientY: 200};
const image = document.querySelector(".stage img");
image.dispatchEvent(new PointerEvent("pointerdown", touch));
image.dispatchEvent(new PointerEvent("pointerup", {...touch, clientX: 200 + %d, clientY: 200 + %d}));
"""
SWIPE_LEFT, SWIPE_RIGHT, SWIPE_DOWN = SWIPE % (-90, 20), SWIPE % (90, 20), SWIPE % (50, 90)


def wait_for(browser: Browser, script: str, wanted: Callable[[Any], bool]) -> Any:
    """Return what a script returns as soon as that is as wanted."""
    end = time.monotonic() + DEADLINE
    while not wanted(seen := browser.run(script)):
        assert time.monotonic() < end, seen
    return seen


@pytest.fixture
def gallery(tmp_path) -> Path:
    """Return a page of three images and a row that failed, with the images beside it."""
    jobs = [
        job(number, prompt, size, save(tmp_path / "made" / f"50% #{number}.jpg", size))
        for number, (prompt, size) in enumerate([("a red fox", (1600, 900)), (ATTACK, (900, 1600)), (LONG, (640, 640))])
    ]
    error = ModeratedError("runware blocked the prompt: " + "x" * 150, hint="say it otherwise", charged="no")
    parts = [Entry(where=f"prompts.txt:{number}", prompt=job.prompt, jobs=[job]) for number, job in enumerate(jobs, 1)]
    parts.append(Entry(where="prompts.txt:4", prompt=LONG, jobs=[], failures=[Failure(error=error)]))
    return write_page(tmp_path, parts)


@pytest.fixture
def comparison(tmp_path) -> Path:
    """Return a page of two prompts by two models, of which one blocked one, and of a third prompt by one of them."""
    variants = [{}, {"model": "flux-2-pro", "provider": "bfl"}]
    sizes = [(800, 800), (640, 480)]
    parts = []
    for row, prompt in enumerate([f"a fox {ATTACK}", "an owl"]):
        made = [
            job(
                number := 10 * row + turn,
                prompt,
                sizes[turn],
                save(tmp_path / "out" / f"{number}.png", sizes[turn]),
                **variant,
            )
            for turn, variant in enumerate(variants)
        ]
        lost = replace(made.pop(), images=()) if row else None
        error = ModeratedError("bfl blocked the prompt")
        failures = [Failure(error=error, jobs=[lost])] if lost else []
        parts.append(Entry(where=f"p.txt:{row + 1}", prompt=prompt, jobs=made, failures=failures))
    last = job(72, "two herons", sizes[0], save(tmp_path / "out" / "72.png", sizes[0]))
    return write_page(tmp_path, [*parts, Entry(where="p.txt:3", prompt=last.prompt, jobs=[last])])


@pytest.fixture(scope="module")
def started(tmp_path_factory) -> Iterator[Browser]:
    """Start one browser for all tests, because starting takes long."""
    found = Browser(tmp_path_factory.mktemp("browser"))
    yield found
    found.close()


@pytest.fixture
def browser(started) -> Browser:
    started.open("about:blank")
    started.tell("Emulation.clearDeviceMetricsOverride")
    started.complaints()
    return started


def test_the_gallery_works_in_a_browser(browser, gallery):
    """It fits every window, is readable in light and dark, works by keyboard, and runs only its own script."""
    browser.open(gallery.as_uri())
    browser.tell("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])

    for width, height, mobile in ((390, 844, True), (1280, 800, False), (320, 480, True)):
        for theme in ("light", "dark"):
            browser.tell(
                "Emulation.setDeviceMetricsOverride", width=width, height=height, mobile=mobile, deviceScaleFactor=1
            )
            browser.tell("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
            window = (width, theme)
            seen = browser.run("return [innerWidth, document.documentElement.scrollWidth]")
            contrasts = browser.run(CONTRASTS)
            paper = browser.run("return getComputedStyle(document.body).backgroundColor")
            assert seen[1] <= seen[0] == width, window
            assert len(contrasts) > 10, window
            assert {name: ratio for name, ratio in contrasts.items() if ratio < 4.5} == {}, window
            assert (paper == "rgb(20, 20, 22)") == (theme == "dark"), window
            assert browser.run(TOO_SMALL) == 0, window

    assert browser.run("return [...document.images].every((one) => one.complete && one.naturalWidth > 0)")
    assert browser.run("return [document.title, document.scripts.length]") == ["prompts.txt", 1]
    assert browser.run("return performance.getEntriesByType('resource').map((one) => one.name)") == []

    order = []
    browser.run("document.body.focus()")
    for _ in range(9):
        browser.press(TAB)
        order.append(browser.run(FOCUSED))
        assert browser.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid", order
    card = ["picture", "Command", "Copy command"]
    assert order == ["1 row not made, or only in part", "Filter by words or seed", "State", *card, *card]

    browser.press(ENTER)
    browser.run("return new Promise((done) => setTimeout(done, 0))")
    copied = browser.run("return navigator.clipboard.readText()")
    wanted = browser.run("return document.querySelectorAll('code')[1].textContent")
    assert copied == wanted
    assert copied.startswith("flux generate -p runware -m flux-1.1-pro-ultra -s 1 '<script>document.title=")
    assert browser.run("return document.activeElement.textContent") == "Copied"
    assert browser.run("return document.getElementById('told').textContent") == "The command is copied"

    browser.run("delete Navigator.prototype.clipboard; document.querySelector('.again button').focus()")
    browser.press(ENTER)
    assert browser.run("return getSelection().toString()") == browser.run(
        "return document.querySelector('code').textContent"
    )

    browser.run("document.querySelectorAll('.picture')[1].focus()")
    browser.press(ENTER)
    assert wait_for(browser, VIEW, lambda seen: seen["size"] == [900, 1600])["prompt"] == ATTACK
    browser.run("document.querySelector('#view a').click()")
    there = (gallery.parent / "made" / "50% #1.jpg").as_uri()
    assert wait_for(browser, "return location.href", lambda seen: seen == there)
    assert browser.run("return document.contentType") == "image/jpeg"
    assert browser.complaints() == []


def test_the_filter_is_worked_by_keyboard_and_kept_in_the_address(browser, comparison):
    browser.open(comparison.as_uri())
    assert browser.run(CARDS) == ["0.png", "1.png", "10.png", "bfl blocked the prompt", "72.png"]

    browser.press("/", *"FOX")
    typed = (browser.run(CARDS), browser.run(TOLD), browser.run("return location.hash"))
    assert typed == (["0.png", "1.png"], "2 of 5 shown", "#q=FOX")
    assert browser.run("return [...document.querySelectorAll('section')].map((one) => one.hidden)") == [False, True]
    browser.press(ESCAPE)
    assert (len(browser.run(CARDS)), browser.run(TOLD), browser.run("return location.hash")) == (5, "", "")

    for name, value, expected in (
        ("provider", "bfl", ["1.png", "bfl blocked the prompt"]),
        ("model", "flux-2-pro", ["1.png", "bfl blocked the prompt"]),
        ("state", "moderated", ["bfl blocked the prompt"]),
        ("q", "72", ["72.png"]),
        ("q", "herons%20p.txt", ["72.png"]),
        ("q", "2.png", []),
        ("model", "nothing-of-the-kind", ["0.png", "1.png", "10.png", "bfl blocked the prompt", "72.png"]),
    ):
        browser.run("location.hash = arguments[0]; dispatchEvent(new HashChangeEvent('hashchange'))", f"{name}={value}")
        assert browser.run(CARDS) == expected, (name, value)

    browser.open("about:blank")
    browser.open(f"{comparison.as_uri()}#q=fox&provider=bfl")
    assert browser.run(CARDS) == ["1.png"]
    assert browser.run("return document.querySelector('#filter input').value") == "fox"
    browser.run("document.querySelector('#filter button').click()")
    assert browser.run(FOCUSED) == "Filter by words or seed"
    assert len(browser.run(CARDS)) == 5
    assert browser.complaints() == []


def test_the_full_size_view_steps_through_what_the_filter_shows(browser, comparison):
    """With keys, buttons, clicks and swipes; within the images of a prompt and on to the next."""
    browser.open(comparison.as_uri())
    browser.run("document.querySelector('.picture').click()")
    first = wait_for(browser, VIEW, lambda seen: seen["size"] == [800, 800])
    assert (first["file"], first["count"], first["prompt"]) == ("0.png", "1 of 4", f"a fox {ATTACK}")
    assert first["made"].startswith("flux-1.1-pro-ultra \u00b7 runware")
    assert "$0.06" in first["made"]
    assert first["facts"].startswith("seed0")

    files = []
    for key in (RIGHT, RIGHT, RIGHT, RIGHT, LEFT, HOME, END):
        browser.press(key)
        files.append(browser.run(VIEW)["file"])
    assert files == ["1.png", "10.png", "72.png", "0.png", "72.png", "0.png", "72.png"]
    assert wait_for(browser, VIEW, lambda seen: seen["size"] == [800, 800])["facts"].startswith("seed72cost$0.06model")

    browser.press(ESCAPE)
    assert wait_for(browser, "return document.activeElement.dataset.name", lambda seen: seen == "72.png")
    assert not browser.run("return document.getElementById('view').open")

    browser.run("location.hash = 'q=fox'; dispatchEvent(new HashChangeEvent('hashchange'))")
    browser.run("document.querySelector('.picture').click()")
    files = []
    for step in (*CLICKS, SWIPE_LEFT, SWIPE_RIGHT, SWIPE_DOWN):
        browser.run(step)
        files.append(browser.run(VIEW)["file"])
    assert files == ["1.png", "0.png", "1.png", "0.png", "1.png", "0.png", "0.png"]
    browser.run("document.querySelector('[data-do=close]').click()")
    assert not browser.run("return document.getElementById('view').open")
    assert browser.complaints() == []


def test_a_page_that_was_moved_without_its_images_shows_the_thumbnails(browser, comparison, tmp_path):
    away = tmp_path / "away" / "index.html"
    away.parent.mkdir()
    comparison.rename(away)
    browser.open(away.as_uri())

    browser.run("document.querySelector('.picture').click()")

    seen = wait_for(browser, VIEW, lambda seen: seen["lost"])
    assert (seen["size"], seen["file"]) == ([384, 384], "0.png")
    browser.press(RIGHT)
    assert wait_for(browser, VIEW, lambda seen: seen["lost"])["file"] == "1.png"
    assert browser.run(VIEW)["size"] == [384, 288]


def test_without_scripts_all_images_are_there(browser, comparison):
    browser.tell("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(comparison.as_uri())

        assert len(browser.run(CARDS)) == 5
        assert browser.run("return document.getElementById('filter').checkVisibility()") is False
        assert browser.run("return document.getElementById('view').checkVisibility()") is False
        assert browser.run("return [...document.images].every((one) => one.complete && one.naturalWidth > 0)")
    finally:
        browser.tell("Emulation.setScriptExecutionDisabled", value=False)
