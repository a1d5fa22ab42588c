"""The page of a run: what stands on it, and that nothing from outside becomes a part of it."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flux_cli.errors import (
    ModeratedError,
    PartialError,
    PaymentError,
    PendingError,
    RefusedError,
    UnknownOutcomeError,
    UnsavedError,
    UsageError,
)
from flux_cli.gallery.card import Entry, Failure
from flux_cli.gallery.page import START, build_page
from flux_cli.jobs import Cost, Image, Job

JOB = Job(
    id="k3f9q2mx",
    run="w8t2c5ra",
    provider="runware",
    model="flux-1.1-pro-ultra",
    prompt="a red fox",
    created_at=1_795_000_000.0,
    status="succeeded",
    seed=7,
    cost=Cost(amount=0.06),
    images=(Image(path="/made/out/fox.jpg", seed=7, width=1600, height=900),),
)
EMPTY = {"br", "img", "input", "link", "meta"}
"""Elements that have no end."""


class Read(HTMLParser):
    """A page as a strict reader sees it: elements with their attributes, and the text that a person sees."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.open: list[str] = []
        self.code: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs), (tag, attrs)
        self.elements.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self.open.append(tag)
        if tag == "code":
            self.code.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "code":
            self.code[-1] += data
        if not {"script", "style"} & set(self.open):
            self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def made(*parts: Entry, title: str = "prompts.txt", folder: str = "/made", small: bytes | None = b"small") -> str:
    return "".join(build_page(parts, title=title, folder=Path(folder), thumbnails=lambda paths: (small for _ in paths)))


def part(*jobs: Job, where: str = "", prompt: str = "a red fox", errors=()) -> Entry:
    failures = [Failure(error=error) for error in errors]
    return Entry(where=where, prompt=prompt, jobs=jobs, failures=failures)


def test_an_image_has_its_prompt_seed_cost_and_model_below_it():
    read = Read(made(part(JOB, where="prompts.txt:3")))

    for text in ("a red fox", "seed7", "cost$0.06", "modelflux-1.1-pro-ultra", "1600\u00d7900", "prompts.txt:3"):
        assert text in read.text
    assert read.code == ["flux generate -p runware -m flux-1.1-pro-ultra -s 7 'a red fox'"]
    (image,) = read.all("img")
    assert (image["alt"], image["src"]) == ("a red fox", "data:image/jpeg;base64,c21hbGw=")


@pytest.mark.parametrize(
    ("folder", "link"),
    [("/made", "out/fox.jpg"), ("/made/out", "fox.jpg"), ("/made/pages/x", "../../out/fox.jpg")],
)
def test_the_image_is_linked_from_where_the_page_stands(folder, link):
    (first, *_) = Read(made(part(JOB), folder=folder)).all("a")

    assert first["href"] == link


@pytest.mark.parametrize(
    "name", ["50% off?.jpg", "a#b&c;\"d'.jpg", "javascript:x.jpg", "\u7ea2 \u202e.jpg", "\udcff.jpg"]
)
def test_any_name_is_linked_and_no_link_leads_elsewhere(name):
    job = replace(JOB, images=(Image(path=f"/made/{name}"),))

    (link, *_) = Read(made(part(job))).all("a")

    assert unquote(link["href"], errors="surrogateescape") == name
    assert re.fullmatch(r"[A-Za-z0-9%._/~-]+", link["href"])


def test_the_summary_adds_up_what_is_known():
    other = replace(JOB, id="other", provider="runflow", created_at=JOB.created_at + 86_400 * 2)
    lost = replace(JOB, id="lost", status="unknown", cost=None, images=())

    told = Read(made(part(JOB), part(other), part(lost))).text

    assert (
        "2 images \u00b7 $0.12 and 1 of unknown cost \u00b7 runware and runflow \u00b7 2026-11-18 to 2026-11-20" in told
    )


def test_a_cost_that_is_expected_is_not_told_as_a_fact():
    told = Read(made(part(replace(JOB, cost=None, estimate=0.055)))).text

    assert "1 image \u00b7 about $0.055" in told
    assert "costabout $0.055 (estimate)" in told


def test_a_job_of_several_images_says_that_its_cost_is_for_all():
    images = tuple(Image(path=f"/made/{number}.jpg", seed=number) for number in range(4))

    read = Read(made(part(replace(JOB, images=images, count=4))))

    assert read.text.count("cost$0.06 for 4 images") == 4
    assert [code.split()[7] for code in read.code] == ["0", "1", "2", "3"]


def test_what_is_lacking_says_why_and_whether_it_was_charged():
    error = ModeratedError("runware blocked the prompt", hint="say it otherwise", charged="no")
    later = PendingError("job k3f9q2mx is not finished", hint="`flux result --wait k3f9q2mx` fetches it")

    read = Read(made(part(JOB, where="p.txt:1", errors=[later, later]), part(where="p.txt:2", errors=[error])))

    assert "2 rows not made, or only in part" in read.text
    assert all(text in read.text for text in ("p.txt:2", error.message, error.hint, "charged: no", later.hint))
    assert read.text.count(later.message) == 1
    assert {"href": "#not-made"} in read.all("a")
    assert {"id": "not-made"} in read.all("h2")


def test_a_row_of_which_several_models_failed_counts_once():
    error = ModeratedError("blocked", charged="no")

    rows = [part(replace(one, images=()), where="p.txt:2", errors=[error]) for one in (JOB, PRO)]

    assert "1 row not made, or only in part" in Read(made(part(JOB, where="p.txt:1"), *rows)).text


def test_an_image_that_is_gone_is_named():
    read = Read(made(part(JOB), small=None))

    assert "fox.jpg no longer exists" in read.text
    assert read.all("img") == []
    assert read.code


def test_a_page_without_images_is_a_page():
    read = Read(made())

    assert "0 images" in read.text
    assert read.open == []


def test_the_page_asks_nobody_for_anything():
    """No address of any kind in it but those of its own images, and a policy that lets nothing else be."""
    html = made(part(JOB))

    read = Read(html)
    style, script = (re.search(f"<{tag}>(.*?)</{tag}>", html, re.DOTALL)[1] for tag in ("style", "script"))
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    policy = next(one["content"] for one in read.all("meta") if one.get("http-equiv") == "Content-Security-Policy")
    assert html.startswith(START)
    assert "://" not in html
    assert "url(" not in html
    assert not [one for _, one in read.elements if "style" in one or any(name.startswith("on") for name in one)]
    assert policy == (
        f"default-src 'none'; img-src data: 'self' file:; style-src 'sha256-{hashes[0]}'; "
        f"script-src 'sha256-{hashes[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )


PRO = replace(JOB, id="pro", model="flux-2-pro", provider="bfl", ready_between=(6.0, 6.5))
"""Of the same prompt and seed as `JOB`, by another model at another provider."""


def links(html: str) -> list[str]:
    return [link["href"] for link in Read(html).all("a") if link.get("class") == "picture"]


def sections(html: str) -> list[str]:
    return [Read(part).text for part in re.findall(r"<section[^>]*>.*?</section>", html, re.DOTALL)]


@pytest.mark.parametrize(
    "rows",
    [
        [part(JOB, PRO)],
        [part(JOB, where="p.txt:1"), part(replace(JOB, prompt="an owl")), part(PRO, where="p.txt:3")],
    ],
    ids=["in one row", "in several rows"],
)
def test_images_of_one_prompt_by_several_variants_stand_side_by_side(rows):
    """Below their prompt, which is shown once; model, provider, time and cost are above each image."""
    html = made(*rows)

    (group,) = sections(html)
    assert group.count("a red fox") == 1 + 2  # and in the commands
    assert re.search(r"flux-1\.1-pro-ultra \u00b7 runware\s*\$0\.06", group)
    assert re.search(r"flux-2-pro \u00b7 bfl\s*6\.2 s \u00b7 \$0\.06", group)
    assert "modelflux" not in group
    assert {"class": "of-2"} in Read(html).all("ul")


def test_the_images_of_several_variants_alternate():
    """So that those with the same seed are neighbours; the pairs keep their order."""
    jobs = [
        replace(one, id=f"{one.id}{seed}", seed=seed, images=(Image(path=f"/made/{one.provider}-{seed}.jpg"),))
        for one in (JOB, PRO)
        for seed in (7, 8)
    ]

    html = made(part(*jobs))

    assert links(html) == ["runware-7.jpg", "bfl-7.jpg", "runware-8.jpg", "bfl-8.jpg"]


def test_a_variant_that_failed_is_shown_next_to_the_others():
    error = ModeratedError("bfl blocked the prompt", charged="no")
    lost = Entry(
        where="", prompt=JOB.prompt, jobs=[JOB], failures=[Failure(error=error, jobs=[replace(PRO, images=())])]
    )

    html = made(lost)

    (group,) = sections(html)
    assert re.search(r"flux-2-pro \u00b7 bfl\s*bfl blocked the prompt", group)
    assert "Not made, or only in part" not in Read(html).text
    assert {"href": "#not-made"} in Read(html).all("a")
    assert [one["id"] for one in Read(html).all("section")] == ["not-made"]


def test_one_variant_makes_no_groups():
    """Nor do several that have no prompt in common, and the order of the rows stays."""
    other = replace(PRO, prompt="an owl", images=(Image(path="/made/owl.jpg"),))
    again = replace(JOB, id="again", images=(Image(path="/made/again.jpg"),))

    html = made(part(JOB), part(other), part(again))

    assert sections(html) == []
    assert links(html) == ["out/fox.jpg", "owl.jpg", "again.jpg"]


def test_a_provider_that_another_replaced_makes_no_group():
    """Neither if the other provider made the image, nor if all of them failed."""
    refused = replace(PRO, status="failed", images=())
    failed = Entry(
        where="",
        prompt="an owl",
        jobs=[replace(refused, prompt="an owl")],
        failures=[Failure(error=PaymentError("x"), jobs=[replace(JOB, images=(), prompt="an owl"), refused])],
    )

    assert sections(made(part(refused, JOB))) == []
    assert menus(made(part(refused, JOB))) == {}
    assert ["Not made, or only in part" in one for one in sections(made(failed))] == [True]


def menus(html: str) -> dict[str, list[str]]:
    found = re.findall(r'<select name="(\w+)".*?</select>', html, re.DOTALL)
    return {
        name: re.findall(
            r'<option value="([^"]+)"', html.partition(f'<select name="{name}"')[2].partition("</select>")[0]
        )
        for name in found
    }


def test_the_filter_offers_what_differs():
    blocked, busy = ModeratedError("blocked"), PendingError("not finished")

    assert menus(made(part(JOB), part(replace(JOB, id="b")))) == {}
    assert menus(made(part(JOB), part(PRO))) == {"model": [JOB.model, PRO.model], "provider": ["runware", "bfl"]}
    assert menus(made(part(JOB, errors=[busy]), part(errors=[blocked]))) == {
        "state": ["succeeded", "moderated", "pending"]
    }


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (ModeratedError("x"), "moderated"),
        (PendingError("x"), "pending"),
        (UnknownOutcomeError("x"), "unknown"),
        (UnsavedError("x"), "unsaved"),
        (UsageError("x"), "usage"),
        (RefusedError("x"), "failed"),
        (PaymentError("x"), "failed"),
        (PartialError("x"), "failed"),
    ],
)
def test_a_row_that_is_missing_has_the_state_of_its_error(error, state):
    lost = Entry(where="", prompt="a fox", jobs=[], failures=[Failure(error=error, jobs=[JOB])])

    (card,) = Read(made(lost)).all("li")

    assert card == {"data-model": JOB.model, "data-provider": "runware", "data-state": state}


def test_without_the_script_all_of_it_is_there():
    """What needs the script is hidden until it runs, and an image leads to its file."""
    read = Read(made(part(JOB), part(PRO)))

    assert [(one["id"], one["role"]) for one in read.all("div") if "id" in one] == [("filter", "search")]
    assert all("hidden" in one for one in read.all("div") if one.get("id") == "filter")
    assert all("hidden" in one for one in read.all("button") if "data-do" not in one)
    assert not any("hidden" in one for one in read.all("li"))
    assert all("open" not in one for one in read.all("dialog"))
    assert {(one["loading"], one["decoding"]) for one in read.all("img")} == {("lazy", "async")}


def test_nothing_moves_on_its_own():
    """There is nothing to turn off for people who prefer less motion."""
    html = made(part(JOB))

    assert not re.search(r"transition|animation|smooth", html)


ATTACKS = (
    "</title><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</code></pre><script>alert(1)</script>",
    "<!-- --!> ]]> &lt;script&gt; &#x3c;",
    "{0} %s $style \\1",
)


def shape(html: str) -> list[tuple[str, list[str]]]:
    return [(tag, sorted(attributes)) for tag, attributes in Read(html).elements]


def told(text: str) -> str:
    """Return a page on which ``text`` stands wherever text from outside can stand."""
    error = ModeratedError(f"blocked {text}", hint=f"not {text}")
    image = Image(path=f"/made/{text.replace('/', '_') or '_'}.jpg", seed=7)
    job = replace(JOB, prompt=text, model=text, provider=f"p{text}", parameters={"size": text}, images=(image,))
    other = replace(job, id="other", model=f"m{text}", provider=f"q{text}")
    lost = Entry(where=f"v{text}", prompt=f"l{text}", jobs=[], failures=[Failure(error=error, jobs=[other])])
    return made(part(job, other, where=f"w{text}", prompt=text, errors=[error]), lost, title=text)


@pytest.mark.parametrize("attack", ATTACKS)
def test_text_stays_text_wherever_it_stands(attack):
    assert shape(told(attack)) == shape(told("plain"))
    assert Read(told(attack)).text.count(attack) >= 5


@settings(max_examples=40)
@given(st.text(min_size=1, max_size=40))
def test_any_text_at_all_leaves_the_page_as_it_is(text):
    """Also control characters, which are shown and not obeyed."""
    html = told(text)

    assert shape(html) == shape(told("plain"))
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", html)


def test_a_long_prompt_can_be_scrolled_by_keyboard():
    long, short = (Read(made(part(replace(JOB, prompt="fox " * words)))).all("p") for words in (300, 3))

    assert [one for one in long if one.get("tabindex") == "0"]
    assert not [one for one in short if "tabindex" in one]
