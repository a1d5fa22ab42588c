"""The pictures of the README are what the program shows today: run again here, on a real terminal, and compared.

``PICTURES=renew python -m pytest tests/e2e/test_pictures.py`` draws them anew.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from rich.text import Text

from flux_cli.errors import ModeratedError
from flux_cli.jobs import Cost, Image, Job
from flux_cli.ledger.ledger import Ledger
from tests.e2e import svg
from tests.e2e.process import COLUMNS

FOLDER = Path(__file__).parent.parent / "pictures"
README = FOLDER.parent.parent / "README.md"
NOON = 1_795_262_400.0
"""When the jobs of the pictures were made: seconds since 1970, UTC."""


PASSING = re.compile(r"[\u2801-\u28ff\u2501\u2578\u257a]|, \d+:\d\d left|\b\d+ [s%]| \(usually \d+ s\)")
"""What differs from run to run: the spinner, how long the bar is, and times."""


def steady(drawn: str) -> list[str]:
    """Return the text of a picture without what passes, in an order that no thread decides."""
    return sorted(" ".join(PASSING.sub("", line).split()) for line in svg.words(drawn))


@pytest.fixture
def shown() -> Callable[[str, Sequence[Text]], None]:
    """Return what compares a screen with the picture of that name."""

    def compare(name: str, rows: Sequence[Text]) -> None:
        drawn, path = svg.picture(rows, name=name, columns=COLUMNS), FOLDER / f"{name}.svg"
        if os.environ.get("PICTURES") == "renew":
            FOLDER.mkdir(exist_ok=True)
            path.write_text(drawn, encoding="utf-8")
        assert steady(path.read_text(encoding="utf-8")) == steady(drawn)

    return compare


PROMPTS = [
    "a red fox in the snow",
    "an owl, engraved",
    "a heron at dawn",
    "a lighthouse in a storm",
    "a cover, in gold",
    "an atlas of the sea",
]


def test_the_picture_of_a_batch_is_current(terminal, host, shown):
    """A bar for the whole, a line for each job in flight, and above them the images that are there."""
    Path("prompts.txt").write_text("\n".join(PROMPTS), encoding="utf-8")
    command = "flux generate --batch prompts.txt -p runware -o out/ -j 3 -s 7"
    screen = terminal(*command.split()[1:], TZ="UTC")
    screen.wait_for(lambda: sum("queued" in line for line in screen.screen) == 3)
    host.finish_jobs()
    screen.wait("3 of 6", "3 in flight")
    screen.wait_for(lambda: sum("queued" in line for line in screen.screen) == 3)
    host.ahead += 500.0
    screen.wait_for(lambda: sum("running" in line for line in screen.screen) == 3)

    rows = [svg.typed(command), *screen.rows()]

    shown("batch", rows)


def _known(count: int) -> list[Job]:
    """Return a few jobs of the last hours, as a ledger has them."""
    states = ("running", "succeeded", "succeeded", "failed", "succeeded", "cancelled")
    who = ("runware", "runware", "runcomfy", "apiframe", "runflow", "runcomfy")
    ids = ("k3f9q2mx", "w8t2c5ra", "p6n4d7hb", "z2v8j3ks", "c9r5m6ty", "f4g7x2wd")
    return [
        Job(
            id=ids[n],
            run=f"run{n}",
            provider=who[n],
            model="flux-1.1-pro" if n == 2 else "flux-1.1-pro-ultra",
            prompt=PROMPTS[n],
            created_at=NOON - 1700 * n,
            status=states[n],
            remote_id=f"remote-{n}",
            cost=Cost(amount=0.06) if states[n] == "succeeded" and n != 4 else None,
            images=(Image(path=f"/home/me/{n}.jpg"),) if states[n] == "succeeded" else (),
            error=ModeratedError("apiframe: blocked", charged="no") if states[n] == "failed" else None,
            finished_at=None if states[n] == "running" else NOON - 1700 * n + 11,
        )
        for n in range(count)
    ]


def test_the_picture_of_status_is_current(terminal, env, home, shown):
    """``flux status``, with a job in each state."""
    del env["FLUX_SANDBOX"]
    place = home / ".local" / "state" / "flux-cli" / "ledger.sqlite3"
    place.parent.mkdir(parents=True)
    ledger = Ledger(place)
    for job in reversed(_known(6)):
        ledger.add(job)
    ledger.close()
    screen = terminal("status", "--offline", TZ="UTC")

    screen.end()

    shown("status", [svg.typed("flux status --offline"), *screen.rows()])


ERRORS = (
    ("generate", "a red fox", "--modle", "ultra"),
    ("generate", "a red fox", "-p", "runflow", "--raw"),
    ("generate", "a red fox sandbox:credits"),
)


def test_the_picture_of_errors_is_current(terminal, shown):
    """What is wrong, what to type instead, and whether it was charged."""
    rows = []

    for words in ERRORS:
        screen = terminal(*words)
        screen.end()
        quoted = " ".join(f'"{word}"' if " " in word else word for word in words)
        rows += [*([Text("")] if rows else []), svg.typed(f"flux {quoted}"), *screen.rows()]

    shown("errors", rows)


def test_the_readme_shows_and_describes_every_picture():
    """The README shows every picture and says in words what is on it; none of them makes a browser fetch anything."""
    page = README.read_text(encoding="utf-8")

    shown = dict(re.findall(r"^!\[(.+)\]\(tests/pictures/(\w+\.svg)\)$", page, flags=re.MULTILINE))

    assert set(shown.values()) == {path.name for path in FOLDER.glob("*.svg")}
    assert all(len(words) > 20 for words in shown)
    for path in FOLDER.glob("*.svg"):
        drawn = path.read_text(encoding="utf-8")
        assert re.findall(r"@font-face|@import|href|<image|<script|url\((?!#)", drawn) == []
