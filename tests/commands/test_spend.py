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
    "typed", [["@1"], ["--active"], ["--limit", "5"], ["--exit-status"], ["--search", "a"]], ids=lambda typed: typed[0]
)
def test_what_does_not_go_with_spend_is_refused(flux, typed):
    done = flux("status", "--spend", *typed)

    assert done.code == 2
    assert "--spend covers all jobs" in done.err
    assert "hint: --provider, --model, --batch and --since narrow it down" in done.err


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--by", "day"], "--by only works together with --spend"),
        (["--spend", "--by", "modle"], "did you mean model?"),
        (["--spend", "--by", "labels"], "did you mean label?"),
        (["--spend", "--by", "label:"], "not 'label:'"),
        (["--spend", "--by", "fox"], "--by takes provider, model, day, label or label:KEY, not 'fox'"),
    ],
    ids=["alone", "misspelt", "plural", "no key", "unknown"],
)
def test_by_takes_a_word_that_it_knows(flux, typed, said):
    done = flux("status", *typed)

    assert done.code == 2
    assert said in done.err


@pytest.fixture
def labelled(book):
    """Write down jobs with labels: with one, with two, with none, of another world, and one without images."""
    labels = {"project": "atlas", "team": "maps"}
    book(
        job("aaaa1111", 0.06, parameters={"metadata": {"project": "atlas"}}),
        job("aaaa2222", 0.12, parameters={"metadata": labels}, provider="runcomfy", model="flux-1.1-pro"),
        job("aaaa3333", 0.25, created_at=1_795_000_000.0 - 9 * DAY),
        job("aaaa4444", estimate=0.06, parameters={"metadata": {"project": "globe"}}, status="queued", images=()),
        job("aaaa5555", 7.0, parameters={"metadata": labels}, sandbox=True),
    )


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        (
            "label",
            [("-", 1, "$0.25"), ("project=atlas", 2, "$0.18"), ("project=globe", 1, "-"), ("team=maps", 1, "$0.12")],
        ),
        ("label:project", [("-", 1, "$0.25"), ("atlas", 2, "$0.18"), ("globe", 1, "-")]),
        ("label:team", [("-", 3, "$0.31"), ("maps", 1, "$0.12")]),
    ],
)  # fmt: skip
def test_by_label_a_job_counts_in_each_of_its_groups_and_in_the_total_once(flux, labelled, by, groups):
    done = flux("status", "--spend", "--by", by)
    scripts = flux("status", "--spend", "--by", by, "--json").objects

    rows = [line.split("\t") for line in done.lines]
    assert [(name, int(jobs), usd) for name, jobs, _, usd, *_ in rows] == [*groups, ("total", 4, "$0.43")]
    assert (done.code, done.err) == (0, "")
    assert [one["name"] for one in scripts] == [None, *(name for name, _, _ in groups[1:]), "total"]
    assert [one["by"] for one in scripts] == [by] * len(groups) + ["total"]
    assert scripts[-1]["estimated_usd"] == 0.06


def test_a_label_that_no_job_has_is_said(flux, labelled):
    done = flux("status", "--spend", "--by", "label:proj")

    assert done.lines[0].startswith("-\t4\t")
    assert done.err == "flux: note: no job has a label proj\n"


def test_labels_are_what_was_typed(flux):
    bought = flux("generate", "a fox", "-p", "runflow", "--sandbox", "-q", "--metadata", "n=1", "--metadata", "t=a=b")

    named = [line.split("\t")[0] for line in flux("status", "--spend", "--by", "label", "--sandbox").lines]

    assert (bought.code, named) == (0, ["n=1", "t=a=b", "total"])


def test_forgotten_jobs_count_and_keep_no_label(flux, labelled):
    assert flux("status", "--forget", "aaaa1111").code == 0

    done = flux("status", "--spend", "--by", "label:project")

    assert [line.split("\t")[:4] for line in done.lines] == [
        ["-", "2", "2", "$0.31"],
        ["atlas", "1", "1", "$0.12"],
        ["globe", "1", "0", "-"],
        ["total", "4", "3", "$0.43"],
    ]


@pytest.mark.parametrize(
    ("options", "total"),
    [
        (["--since", "7d"], ("3", "$0.18")),
        (["--since", "10d"], ("4", "$0.43")),
        (["-m", "ultra"], ("3", "$0.31")),
        (["-m", "ultra", "--since", "7d"], ("2", "$0.06")),
        (["-m", "ultra", "--since", "7d", "-p", "runcomfy"], ("0", "$0.00")),
        (["--since", "7d", "--by", "label"], ("3", "$0.18")),
    ],
)
def test_spending_is_narrowed_to_a_time_and_a_model(flux, labelled, options, total):
    done = flux("status", "--spend", *options)

    assert (done.lines[-1].split("\t")[1], done.lines[-1].split("\t")[3]) == total
    assert done.err == ("" if total[0] != "0" else "flux: note: no job matches -p runcomfy -m ultra --since 7d\n")
