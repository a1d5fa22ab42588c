"""``--gallery`` in whole commands: what stands on the page, when it is written, and what it never replaces."""

from __future__ import annotations

import html
import json
import os
import re
import shlex
import threading
from pathlib import Path

import pytest

from flux_cli.sandbox.wire import reply

PAGE = Path("index.html")
RUNWARE = ("-p", "runware")
TO_PAGE = ("--gallery", "index.html", "-q")


def links() -> list[str]:
    """Return the images that the page links to, in order."""
    return re.findall(r'class="picture" href="([^"]*)"', PAGE.read_text("utf-8"))


def commands() -> list[str]:
    return [html.unescape(code) for code in re.findall(r"<code>(.*?)</code>", PAGE.read_text("utf-8"), re.DOTALL)]


def seen() -> str:
    """Return the text of the page."""
    return html.unescape(re.sub(r"<[^>]*>", " ", PAGE.read_text("utf-8").partition("<body>")[2]))


def batch(*rows: str | dict, name: str = "p.jsonl") -> str:
    found = [row if isinstance(row, dict) else {"prompt": row} for row in rows]
    Path(name).write_text("".join(f"{json.dumps(row)}\n" for row in found), "utf-8")
    return name


def parts() -> list[str]:
    return [path.name for path in Path().iterdir() if path.name.endswith(".part")]


def test_several_images_of_a_prompt_are_one_page(flux):
    """In the order of their seeds; stdout has the paths alone, and a note says where the page is."""
    done = flux("generate", "a fox", "--sandbox", "-s", "7", "-n", "3", "-o", "out/", "--gallery", "index.html")

    assert (done.code, sorted(done.lines)) == (0, ["out/a-fox-7.jpg", "out/a-fox-8.jpg", "out/a-fox-9.jpg"])
    assert links() == sorted(done.lines)
    assert '<h1 dir="auto">a fox</h1>' in PAGE.read_text("utf-8")
    assert "flux: note: wrote the gallery index.html" in done.err
    assert parts() == []


def test_rows_of_one_prompt_for_several_models_stand_side_by_side(flux):
    """In the order of the file, whichever was ready first."""
    rows = [{"prompt": "a fox", "model": model, "seed": 7} for model in ("flux-1.1-pro", "flux-dev")]
    file = batch(*rows, {"prompt": "an owl", "seed": 7})

    done = flux("generate", "-b", file, "--sandbox", *RUNWARE, "-j", "3", *TO_PAGE)

    page = PAGE.read_text("utf-8")
    assert done.code == 0
    (group,) = re.findall(r"<section>.*?</section>", page, re.DOTALL)
    assert re.search('<h2 class="prompt" dir="auto">a fox</h2>', group)
    assert re.findall(r"<h3[^>]*>(.*?) \u00b7", group) == ["flux-1.1-pro", "flux-dev"]
    assert len(links()) == 3


def test_a_batch_has_its_rows_in_order_and_says_what_failed(flux):
    """Whichever row was ready first."""
    file = batch("an owl", "hen sandbox:fail", "fox sandbox:moderated", {"prompt": "a cat", "count": 2, "seed": 3})

    done = flux("generate", "-b", file, "--sandbox", *RUNWARE, "-s", "7", "-j", "4", *TO_PAGE)

    told = seen()
    assert done.code == 9
    assert links() == ["an-owl-7.jpg", "a-cat-3.jpg", "a-cat-4.jpg"]
    assert "2 rows not made" in told
    assert re.search(r"p\.jsonl:2\s+hen sandbox:fail\s+runware: the provider could not make the image", told)
    assert re.search(r"p\.jsonl:3\s+fox sandbox:moderated\s+\S", told)


def test_resumed_rows_stand_beside_those_made_before(flux):
    """All of them in the order of the file, with the page in place of the earlier one; nothing is bought for it."""
    file = batch("an owl", "a fox")
    flux("generate", "-b", file, "--sandbox", *RUNWARE, "-s", "7", *TO_PAGE)
    before = links()
    batch("a hen", "an owl", "a fox")

    grown = flux("generate", "-b", file, "--sandbox", *RUNWARE, "-s", "7", "--resume", *TO_PAGE)
    after = links()
    again = flux("generate", "-b", file, "--sandbox", *RUNWARE, "-s", "7", "--resume", *TO_PAGE)

    assert (before, after) == (["an-owl-7.jpg", "a-fox-7.jpg"], ["a-hen-7.jpg", "an-owl-7.jpg", "a-fox-7.jpg"])
    assert grown.lines == ["a-hen-7.jpg"]
    assert (again.code, again.out, links()) == (0, "", after)


def test_a_row_that_is_refused_for_good_is_told_of_again(flux):
    file = batch("an owl", "fox sandbox:moderated")
    flux("generate", "-b", file, "--sandbox", *RUNWARE, *TO_PAGE)
    first = seen()

    flux("generate", "-b", file, "--sandbox", *RUNWARE, "--resume", *TO_PAGE)

    assert "1 row not made" in first
    assert seen() == first


@pytest.mark.parametrize("many", [False, True], ids=["prompt", "batch"])
def test_an_interrupted_run_shows_what_it_has(flux, host, clock, many):
    """And how to come back for what is under way, and what was never sent."""
    came = threading.Lock()
    numbers = iter(range(1, 99))

    def script(call):
        if call.method == "POST" and call.path.startswith("/v1/models/"):
            with came:
                number = next(numbers)
            if number == 2:
                clock.stop(2)

    host.script = script
    what = ["-b", batch("an owl", "a fox", "a hen")] if many else ["a fox", "-n", "3"]

    done = flux("generate", *what, "-p", "runcomfy", "-s", "7", "-j", "1", *TO_PAGE)

    told = seen()
    assert done.code == 130
    assert links() == done.lines
    assert len(links()) == 1
    assert re.search(r"job \w+: \w+.*, and not saved\s+`flux result --wait \w+` fetches it", told)
    assert re.search(r"interrupted before everything was sent\s+run the command again\s+charged: no", told)


def test_where_the_next_provider_stepped_in_its_image_is_shown_and_the_refusal_is_not(flux, host):
    host.script = lambda call: (
        reply(402, {"errors": [{"code": "insufficientCredits", "message": "empty"}]})
        if b"imageInference" in call.body
        else None
    )

    done = flux("generate", "a fox", *RUNWARE, "--fallback", "runcomfy", "-s", "7", *TO_PAGE)

    assert (done.code, links()) == (0, ["a-fox-7.png"])
    assert "runcomfy" in seen()
    assert "not made" not in seen()


def test_what_nobody_sent_says_why(flux, host):
    """Once the credits are gone, the rest of a batch is not sent, and the page says so of each row."""
    host.script = lambda call: (
        reply(402, {"errors": [{"code": "insufficientCredits", "message": "empty"}]})
        if b"imageInference" in call.body
        else None
    )

    flux("generate", "-b", batch("an owl", "a fox"), *RUNWARE, "-j", "1", *TO_PAGE)

    assert links() == []
    assert "2 rows not made" in seen()
    assert seen().count("charged: no") == 2


def test_a_purchase_that_is_made_once_has_its_page_every_time(flux, host):
    first, second = (flux("generate", "a fox", *RUNWARE, "--once", "cover", *TO_PAGE) for _ in "ab")

    assert first.lines == second.lines == links()
    assert host.paid["runware"] == 1


@pytest.mark.parametrize(
    ("provider", "wish"),
    [
        ("runware", ["a 'fox'", "-a", "16:9", "-P", "outputQuality=90"]),
        ("runware", ["a fox", "-m", "pro", "--size", "1024x768", "-f", "png"]),
        ("runcomfy", ["-a", "9:16", "--raw", "--", "-v is no option"]),
        ("apiframe", ["a fox", "--raw", "--quality", "80"]),
        ("runflow", ["a fox", "-f", "webp"]),
    ],
)
def test_the_command_asks_for_the_same_again(flux, host, provider, wish):
    """Word for word the same request."""
    flux("generate", "-p", provider, "-s", "7", *TO_PAGE, *wish)
    wanted = flux("generate", "-p", provider, "-s", "7", "--dry-run", *wish)
    (command,) = commands()

    again = flux("generate", "--dry-run", *shlex.split(command)[2:])

    ids = r"[0-9a-f]{8}-[0-9a-f-]{27}|(?<=ref\": \")\w{8}"
    assert again.code == 0, again.err
    assert re.sub(ids, "", again.out) == re.sub(ids, "", wanted.out)


def test_only_a_page_of_ours_is_replaced(flux, host):
    PAGE.write_text("<!DOCTYPE html>\n<p>my own", "utf-8")

    refused = flux("generate", "a fox", *RUNWARE, *TO_PAGE)
    sent = len(host.requests)
    kept = PAGE.read_text("utf-8")
    replaced = flux("generate", "a fox", *RUNWARE, *TO_PAGE, "--overwrite")

    assert (refused.code, sent, kept) == (2, 0, "<!DOCTYPE html>\n<p>my own")
    assert "index.html already exists, and is not a gallery that flux made" in refused.err
    assert "hint: choose another name with --gallery, or add --overwrite" in refused.err
    assert (replaced.code, len(links())) == (0, 1)


def test_what_came_to_stand_there_meanwhile_is_left_alone(flux, host):
    """The images are there all the same, so the exit code is that of the run."""
    host.script = lambda _call: PAGE.write_text("my own", "utf-8") and None

    done = flux("generate", "a fox", *RUNWARE, "-s", "7", *TO_PAGE)

    assert (done.code, done.lines) == (0, ["a-fox-7.jpg"])
    assert "flux: warning: cannot write the gallery index.html: another file has appeared there" in done.err
    assert PAGE.read_text("utf-8") == "my own"
    assert parts() == []


@pytest.mark.parametrize(
    ("typed", "said", "hint"),
    [
        (["--gallery", "page.pdf"], "--gallery writes an HTML page, not page.pdf", "--gallery index.html"),
        (["--gallery", "-"], "--gallery writes an HTML page, not -", "--gallery index.html"),
        (["--gallery", "no/where.html"], "there is no folder no", "mkdir -p no"),
        (["--gallery", "folder.html"], "folder.html already exists", "choose another name"),
        (["--gallery", "folder.html", "--overwrite"], "folder.html already exists", "choose another name"),
        (["--gallery", "i.html", "--no-wait"], "--gallery needs saved images", "leave one of them out"),
        (["--gallery", "i.html", "-o", "-"], "--gallery needs saved images", "leave one of them out"),
        (["--gallery", "x" * 300 + ".html"], "cannot write", "choose another path"),
    ],
)
def test_what_can_be_no_page_is_refused_before_anything_is_sent(flux, host, typed, said, hint):
    Path("folder.html").mkdir()

    done = flux("generate", "a fox", *RUNWARE, *typed)

    assert done.code == 2
    assert said in done.err
    assert hint in done.err
    assert host.requests == []
    assert parts() == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_to_is_refused_first(flux, host):
    Path("shut").mkdir(mode=0o500)

    done = flux("generate", "a fox", *RUNWARE, "--gallery", "shut/index.html")

    assert done.code == 2
    assert host.requests == []


@pytest.mark.parametrize(
    ("output", "page"),
    [
        ("gal/", "gal/index.html"),
        ("gal/big/", "gal/index.html"),
        ("gal/../gal/", "./gal/index.html"),
        ("gal/{slug}/{seed}.{ext}", "gal/index.html"),
    ],
)
@pytest.mark.parametrize("more", [(), ("-b", "p.jsonl"), ("--once", "cover")], ids=["prompt", "batch", "once"])
def test_a_folder_that_the_run_creates_takes_the_page(flux, host, output, page, more):
    """Nothing has to be made by hand first, and a dry run makes nothing either."""
    wish = ["a fox"] if more[:1] != ("-b",) else []
    batch("a fox")

    rehearsed = flux("generate", *wish, *more, *RUNWARE, "-o", output, "--gallery", page, "--dry-run", "-q")
    before = Path("gal").exists()
    done = flux("generate", *wish, *more, *RUNWARE, "-o", output, "--gallery", page, "-q")

    assert (rehearsed.code, before) == (0, False)
    assert done.code == 0
    assert len(done.lines) == 1
    assert Path(page).is_file()
    assert not [*Path().rglob("*.part")]


def test_a_page_comes_also_where_no_image_made_its_folder(flux):
    done = flux(
        "generate", "a fox sandbox:moderated", "--sandbox", *RUNWARE, "-o", "gal/{seed}.jpg", "--gallery", "gal/i.html"
    )

    assert done.code == 5
    assert Path("gal/i.html").is_file()


@pytest.mark.parametrize(
    "more",
    [
        ("-o", "gal/", "--gallery", "gal/page/index.html"),
        ("-o", "gal/", "--gallery", "other/index.html"),
        ("-o", "gal.jpg", "--gallery", "gal.jpg/index.html"),
        ("--gallery", "gal/index.html"),
    ],
)
def test_a_folder_that_nothing_creates_is_refused(flux, host, more):
    done = flux("generate", "a fox", *RUNWARE, *more)

    assert (done.code, host.requests) == (2, [])
    assert "there is no folder" in done.err
    assert list(Path().iterdir()) == []


def test_the_folder_of_one_row_takes_the_page_of_all(flux):
    file = batch({"prompt": "a fox", "seed": 7, "output": "gal/"}, {"prompt": "a hen", "seed": 7})

    done = flux("generate", "-b", file, "--sandbox", *RUNWARE, "--gallery", "gal/index.html", "-q")

    assert (done.code, Path("gal/index.html").is_file()) == (0, True)


def test_a_rehearsal_writes_no_page(flux, host):
    done = flux("generate", "a fox", *RUNWARE, "--gallery", "index.html", "--dry-run")

    assert done.code == 0
    assert list(Path().iterdir()) == []


def test_a_page_is_waited_for_where_the_config_would_not(flux, config):
    config("[generate]\nno_wait = true\n")

    done = flux("generate", "a fox", "--sandbox", "-s", "7", *TO_PAGE)

    assert done.lines == links() == ["a-fox-7.jpg"]
