"""The page of a run in a real browser: on a phone and on a desk, by day and by night, by keyboard alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flux_cli.errors import ModeratedError
from flux_cli.gallery.page import Entry, build_page
from flux_cli.gallery.thumbnails import thumbnails
from flux_cli.jobs import Cost, Image, Job
from tests.e2e.browser import CHROMIUM, DRIVER, Browser

pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium, or no chromedriver")

TAB, ENTER = "\ue004", "\ue007"
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
return [...document.querySelectorAll("button, summary, a.picture")]
  .filter((one) => one.getBoundingClientRect().height < 44 || one.getBoundingClientRect().width < 44).length;
"""


@pytest.fixture
def gallery(tmp_path, monkeypatch) -> Path:
    """Return a page of three images and a row that failed, with the images beside it."""
    from PIL import Image as Pillow

    jobs: list[Job] = []
    for number, (prompt, size) in enumerate([("a red fox", (1600, 900)), (ATTACK, (900, 1600)), (LONG, (640, 640))]):
        path = tmp_path / "made" / f"50% #{number}.jpg"
        path.parent.mkdir(exist_ok=True)
        Pillow.new("RGB", size, (200, 90, 20)).save(path)
        image = Image(path=str(path), seed=7, width=size[0], height=size[1])
        jobs.append(
            Job(
                id=f"job{number}", run="r", provider="runware", model="flux-1.1-pro-ultra", prompt=prompt, seed=7,
                created_at=1_795_000_000.0, status="succeeded", cost=Cost(amount=0.06), images=(image,),
            )
        )  # fmt: skip
    error = ModeratedError("runware blocked the prompt: " + "x" * 150, hint="say it otherwise", charged="no")
    parts = [Entry(where=f"prompts.txt:{number}", prompt=job.prompt, jobs=[job]) for number, job in enumerate(jobs, 1)]
    parts.append(Entry(where="prompts.txt:4", prompt=LONG, jobs=[], errors=[error]))
    found = tmp_path / "index.html"
    found.write_text("".join(build_page(parts, title="prompts.txt", folder=tmp_path, thumbnails=thumbnails)), "utf-8")
    return found


@pytest.fixture
def browser(tmp_path) -> Iterator[Browser]:
    found = Browser(tmp_path)
    yield found
    found.close()


def test_the_gallery_works_in_a_browser(browser, gallery):
    """It fits every window and can be read in every light, is worked by keyboard alone, and runs nothing but its own.

    One test, because a browser takes its time to start.
    """
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
    for _ in range(7):
        browser.press(TAB)
        order.append(browser.run("return document.activeElement.textContent || document.activeElement.className"))
        assert browser.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid", order
    card = ["picture", "Command", "Copy command"]
    assert order == ["1 row not made, or only in part", *card, *card]

    browser.press(ENTER)
    browser.run("return new Promise((done) => setTimeout(done, 0))")
    copied = browser.run("return navigator.clipboard.readText()")
    wanted = browser.run("return document.querySelectorAll('code')[1].textContent")
    assert copied == wanted
    assert copied.startswith("flux generate -p runware -m flux-1.1-pro-ultra -s 7 '<script>document.title=")
    assert browser.run("return document.activeElement.textContent") == "Copied"
    assert browser.run("return document.querySelector('[role=status]').textContent") == "The command is copied"

    browser.run("delete Navigator.prototype.clipboard; document.querySelector('button').focus()")
    browser.press(ENTER)
    assert browser.run("return getSelection().toString()") == browser.run(
        "return document.querySelector('code').textContent"
    )

    browser.run("document.querySelectorAll('.picture')[1].focus()")
    browser.press(ENTER)
    assert browser.run("return location.href") == (gallery.parent / "made" / "50% #1.jpg").as_uri()
    assert browser.run("return document.contentType") == "image/jpeg"
    assert browser.complaints() == []
