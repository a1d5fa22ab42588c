"""``flux status --spend``: what the jobs came to, with what nobody told shown as that."""

from __future__ import annotations

import re

import pytest

from flux_cli.jobs import Cost, Image, Job
from flux_cli.ledger.ledger import Ledger

ULTRA = "flux-1.1-pro-ultra"
DAY = 86_400.0


def job(job_id, cost=None, **changes) -> Job:
    told = Cost(amount=cost) if isinstance(cost, float) else cost
    fields = {"id": job_id, "run": job_id, "provider": "runware", "model": ULTRA, "prompt": "a fox", "cost": told}
    fields |= {"created_at": 1_795_000_000.0, "status": "succeeded", "images": (Image(path="/a.jpg"),)}
    return Job(**{**fields, **changes})


@pytest.fixture
def book(home):
    """Return a function that writes jobs into this user's ledger."""
    ledger = Ledger(home / ".local" / "state" / "flux-cli" / "ledger.sqlite3")

    def write(*jobs: Job) -> None:
        for one in jobs:
            ledger.add(one)

    yield write
    ledger.close()


@pytest.fixture
def mixed(book):
    """Write down jobs of three providers: told, expected, in credits, and unknown."""
    book(
        job("aaaa1111", 0.06),
        job("aaaa2222", 0.12, created_at=1_795_000_000.0 + DAY),
        job("aaaa3333", estimate=0.06, status="queued", images=()),
        job("bbbb1111", provider="runcomfy", model="flux-1.1-pro"),
        job("bbbb2222", provider="runcomfy", status="running", images=()),
        job("cccc1111", Cost(amount=6, currency="credits"), provider="apiframe"),
        job("dddd1111", 7.0, sandbox=True),
    )


def test_a_row_a_provider_and_their_sum(flux, mixed):
    """Tab-separated: jobs, images, told, expected, credits, and how many jobs nobody knows the cost of."""
    done = flux("status", "--spend")

    assert (done.code, done.err) == (0, "")
    assert [line.split("\t") for line in done.lines] == [
        ["apiframe", "1", "1", "-", "-", "6", "-"],
        ["runcomfy", "2", "1", "-", "-", "-", "2 of unknown cost"],
        ["runware", "3", "2", "$0.18", "~$0.06", "-", "-"],
        ["total", "6", "4", "$0.18", "~$0.06", "6", "2 of unknown cost"],
    ]


def test_the_same_for_scripts(flux, mixed):
    """Numbers, and null where nobody told: never 0."""
    found = flux("status", "--spend", "--by", "provider", "--json").objects

    assert [one["name"] for one in found] == ["apiframe", "runcomfy", "runware", "total"]
    assert [one["by"] for one in found] == ["provider"] * 3 + ["total"]
    amounts = [(one["usd"], one["estimated_usd"], one["credits"], one["unknown"]) for one in found]
    assert amounts == [(None, None, 6.0, 0), (None, None, None, 2), (0.18, 0.06, None, 0), (0.18, 0.06, 6.0, 2)]
    assert [(one["jobs"], one["images"]) for one in found] == [(1, 1), (2, 1), (3, 2), (6, 4)]


def test_by_model_and_by_day(flux, mixed):
    def named(by):
        return [
            (one["name"], one["jobs"], one["usd"]) for one in flux("status", "--spend", "--by", by, "--json").objects
        ]

    assert named("model") == [("flux-1.1-pro", 1, None), (ULTRA, 5, 0.18), ("total", 6, 0.18)]
    (first, five, _), (second, one, _), _ = named("day")
    assert (five, one) == (5, 1)
    assert first < second


def test_one_provider(flux, mixed):
    done = flux("status", "--spend", "-p", "runware", "--by", "model")

    assert [line.split("\t")[:4] for line in done.lines] == [[ULTRA, "3", "2", "$0.18"], ["total", "3", "2", "$0.18"]]
    assert flux("status", "--spend", "-p", "runwear").code == 2


def test_the_worlds_are_apart(flux, mixed):
    """In the sandbox, its own jobs are summed up, and no others."""
    done = flux("status", "--spend", "--sandbox")

    assert done.lines == ["runware\t1\t1\t$7.00\t-\t-\t-", "total\t1\t1\t$7.00\t-\t-\t-"]


def test_nothing_was_bought_yet(flux):
    done = flux("status", "--spend")

    assert (done.code, done.out) == (0, "total\t0\t0\t$0.00\t-\t-\t-\n")


def test_a_model_that_nobody_named(flux, book):
    """It is a dash for people, and null for scripts."""
    book(job("aaaa1111", 0.06, model=None))

    assert flux("status", "--spend", "--by", "model").lines[0].startswith("-\t1\t")
    assert flux("status", "--spend", "--by", "model", "--json").objects[0]["name"] is None


def test_a_terminal_gets_a_table_that_fits(flux, mixed, monkeypatch):
    """A header, nothing cut, 80 columns at most."""
    monkeypatch.setenv("COLUMNS", "80")

    done = flux("status", "--spend", "--by", "model", tty=True)

    assert "MODEL" in done.lines[0]
    assert "UNKNOWN" in done.lines[0]
    assert any(line.strip().startswith("ultra") and "$0.18" in line for line in done.lines)
    assert done.out.count("of unknown cost") == 3
    assert max(len(re.sub(r"\x1b\[[01]m", "", line).rstrip()) for line in done.lines) <= 80


def test_nobody_is_asked(flux, host):
    """The sums are the ledger's: a job under way is not asked about."""
    bought = flux("generate", "a fox", "-p", "runware", "--no-wait")
    asked = []
    host.script = asked.append

    done = flux("status", "--spend")

    assert (bought.code, done.code, done.lines[0].split("\t")[1]) == (0, 0, "1")
    assert asked == []


BUDGETS = "[budget]\ndaily = 5\nmonthly = 60.5\n"


def test_what_is_left_of_the_budgets(flux, config, mixed):
    """A note a budget for people, an object for scripts; all providers count, whichever was asked for."""
    config(BUDGETS)

    people = flux("status", "--spend", "-p", "apiframe")
    scripts = flux("status", "--spend", "--json").objects
    quiet = flux("status", "--spend", "--quiet")

    assert people.err.splitlines() == [
        "flux: note: budget.daily: $4.76 of $5.00 left today, not counting 3 jobs of unknown cost",
        "flux: note: budget.monthly: $60.26 of $60.50 left this month, not counting 3 jobs of unknown cost",
    ]
    assert scripts[-2] == {
        "version": 1, "by": "budget", "name": "budget.daily", "amount": 5.0, "usd": 0.24, "left": 4.76, "unknown": 3,
    }  # fmt: skip
    assert scripts[-1]["name"] == "budget.monthly"
    assert quiet.err == ""


def test_yesterday_is_over(flux, config, book, clock):
    """A new day has its whole budget; the month goes on."""
    config(BUDGETS)
    book(job("aaaa1111", 2.0))
    clock.sleep(DAY)

    daily, monthly = flux("status", "--spend", "--json").objects[-2:]

    assert (daily["left"], monthly["left"]) == (5.0, 58.5)


@pytest.mark.parametrize(
    "typed", [["@1"], ["--active"], ["--limit", "5"], ["--exit-status"]], ids=lambda typed: typed[0]
)
def test_what_does_not_go_with_spend_is_refused(flux, typed):
    done = flux("status", "--spend", *typed)

    assert done.code == 2
    assert "--spend covers all jobs" in done.err
    assert "hint: --provider, --batch and --by narrow it down" in done.err


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--by", "day"], "--by only works together with --spend"),
        (["--spend", "--by", "modle"], "did you mean model?"),
        (["--spend", "--by", "fox"], "--by takes provider, model or day, not 'fox'"),
    ],
    ids=["alone", "misspelt", "unknown"],
)
def test_by_takes_a_word_that_it_knows(flux, typed, said):
    done = flux("status", *typed)

    assert done.code == 2
    assert said in done.err
