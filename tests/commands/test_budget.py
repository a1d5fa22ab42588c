"""Limits: what would pass one is never sent, what cannot be kept is refused, and the truth about both is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from flux_cli.jobs import Cost, Image, Job
from flux_cli.ledger.ledger import Ledger

ULTRA = "flux-1.1-pro-ultra"
FOX = ("generate", "a fox", "-p", "runware")


@pytest.fixture
def spent(home, clock):
    """Return a function that puts a job of another process into this user's ledger."""
    ledger = Ledger(home / ".local" / "state" / "flux-cli" / "ledger.sqlite3")

    def write(amount: float | None, job_id: str = "other111", **changes) -> None:
        told = None if amount is None else Cost(amount=amount)
        fields = {"id": job_id, "run": "other", "provider": "runware", "model": ULTRA, "prompt": "a hen", "cost": told}
        fields |= {"created_at": clock.now(), "status": "succeeded", "images": (Image(path="/hen.jpg"),)}
        ledger.add(Job(**{**fields, **changes}))

    yield write
    ledger.close()


def test_the_budget_is_a_setting_like_any_other(flux, monkeypatch):
    """It is set, shown with where it came from, beaten by the environment, and removed."""
    assert flux("config", "set", "budget.daily", "5").code == 0
    assert flux("config", "get", "budget.daily").out == "5.0\n"
    assert "budget.daily\t5.0\tconfig file" in flux("config", "show").lines
    monkeypatch.setenv("FLUX_BUDGET__DAILY", "2.5")
    shown = flux("config", "show").lines
    monkeypatch.delenv("FLUX_BUDGET__DAILY")

    assert "budget.daily\t2.5\tenvironment FLUX_BUDGET__DAILY" in shown
    assert flux("config", "unset", "budget.daily").code == 0
    assert flux("config", "get", "budget.daily").code == 1


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("budget.daily", "much", "budget.daily takes an amount in USD, 0 or more"),
        ("budget.monthly", "nan", "budget.monthly takes an amount in USD, 0 or more"),
        ("budget.daly", "5", "did you mean budget.daily?"),
        ("budget.weekly", "5", "there is no key budget.weekly"),
    ],
)
def test_a_budget_is_an_amount_for_a_time_that_there_is(flux, key, value, said):
    done = flux("config", "set", key, value)

    assert done.code == 2
    assert said in done.err


@pytest.mark.parametrize("budget", [False, True], ids=["--max-cost", "budget"])
def test_what_would_pass_a_limit_is_never_sent(flux, host, config, budget):
    """Exit 6 before anything is sent or written down; what just fits is bought."""
    limit = [] if budget else ["--max-cost", "0.17"]
    config("[budget]\nmonthly = 0.17\n" if budget else "")

    refused = flux(*FOX, "-n", "3", *limit, "--json")
    ledger = flux("status").out
    fits = flux(*FOX, "-n", "2", *limit)

    assert (refused.code, refused.object["error"]["code"], refused.object["error"]["charged"]) == (6, "payment", "no")
    assert "this would exceed" in refused.object["error"]["message"]
    assert ledger == ""
    assert (fits.code, host.paid["runware"]) == (0, 1)


def test_what_others_spent_counts_against_a_budget(flux, host, config, spent):
    """Of today for the day, of this month for the month; the other world's jobs count for nothing."""
    config("[budget]\ndaily = 1\n")
    spent(9.0, "sandbox1", sandbox=True)
    spent(9.0, "longago1", created_at=1_700_000_000.0)
    spent(0.94)

    first, second = flux(*FOX, "--no-wait"), flux(*FOX, "--no-wait")

    assert (first.code, second.code, host.paid["runware"]) == (0, 6, 1)
    assert "this would exceed budget.daily: $1.00 of $1.00 are spent or reserved" in second.err
    assert "hint: `flux status --spend --by day` shows what was spent" in second.err


def test_a_reservation_is_settled_with_what_the_job_did_cost(flux, host, config):
    """Here $0.06 where $0.10 was expected, so the next one fits again."""
    config("[budget]\ndaily = 0.25\n[providers.runware.price]\nultra = 0.10\n")

    codes = [flux(*FOX, *more).code for more in ([], ["--no-wait"], [])]

    assert codes == [0, 0, 6]
    assert flux("status").code == 0  # which hears that the second one is done, too
    assert flux(*FOX).code == 0
    assert host.paid["runware"] == 3


@pytest.mark.parametrize("limit", [["--max-cost", "9"], []], ids=["--max-cost", "budget"])
def test_a_limit_that_cannot_be_kept_is_refused(flux, host, config, limit):
    """Nobody tells what RunComfy charges: exit 2, nothing sent, and what to type; with a price of one's own it goes."""
    config("" if limit else "[budget]\ndaily = 9\n")

    refused = flux("generate", "a fox", "-p", "runcomfy", "--no-wait", *limit)
    told = flux("config", "set", f"providers.runcomfy.price.{ULTRA}", "0.06")
    bought = flux("generate", "a fox", "-p", "runcomfy", "--no-wait", *limit)

    assert (refused.code, told.code, bought.code) == (2, 0, 0)
    assert f"`flux config set providers.runcomfy.price.{ULTRA} 0.06`" in refused.err
    assert host.paid["runcomfy"] == 1


def test_a_price_that_was_learned_keeps_a_limit(flux, host, spent):
    spent(0.5, provider="runcomfy")

    refused = flux("generate", "a fox", "-p", "runcomfy", "--max-cost", "0.49")
    bought = flux("generate", "a fox", "-p", "runcomfy", "--max-cost", "0.50")

    assert (refused.code, bought.code, host.paid["runcomfy"]) == (6, 0, 1)


def test_jobs_of_unknown_cost_are_named_where_a_limit_is_set(flux, host, config, spent):
    """They are not taken for nothing, silently."""
    config("[budget]\ndaily = 5\n")
    spent(None)

    done = flux(*FOX, "-q")

    assert done.code == 0
    assert done.err == "flux: warning: budget.daily does not count 1 job of unknown cost\n"


def test_a_budget_of_nothing_buys_nothing_and_fetches_everything(flux, host, config):
    """What was bought before is waited for, fetched, and found again under its name."""
    once = flux(*FOX, "--once", "cover", "-o", "cover.jpg")
    left = flux(*FOX, "--no-wait").lines[0]
    config("[budget]\ndaily = 0\n")

    refused, again, fetched = flux(*FOX), flux(*FOX, "--once", "cover", "-o", "cover.jpg"), flux("result", left)

    assert (once.code, refused.code, again.code, fetched.code) == (0, 6, 0, 0)
    assert again.out == "cover.jpg\n"
    assert host.paid["runware"] == 2


@pytest.mark.parametrize("waits", [[], ["--no-wait"]], ids=["finished", "reserved"])
@pytest.mark.parametrize("provider", ["runware", "runflow", "runcomfy", "apiframe"])
def test_a_budget_can_be_rehearsed(flux, config, provider, waits):
    """In the sandbox it holds for the sandbox's own jobs, at the prices of the real ones, finished or not."""
    own = f'[providers.{provider}.price]\n"{ULTRA}" = 0.06\n' if provider in {"runcomfy", "apiframe"} else ""
    config(f"[budget]\ndaily = 0.10\n{own}")

    codes = [flux("generate", "a fox", "-p", provider, "--sandbox", *waits).code for _ in range(3)]
    last = flux("generate", "a fox", "-p", provider, "--sandbox")

    assert codes == [0, 6, 6]
    assert "this would exceed budget.daily: $0.06 of $0.10 are spent or reserved" in last.err


def test_what_is_rehearsed_is_kept_apart_from_what_is_paid(flux, host, config):
    """Each world has sums of its own, in limits and in what is told of them."""
    config("[budget]\ndaily = 0.10\n")

    rehearsed = flux(*FOX, "--sandbox")
    empty = flux("status", "--spend", "--json").objects
    shown = flux("status", "--spend", "--json", "--sandbox").objects
    bought, over = flux(*FOX, "--no-wait"), flux(*FOX, "--sandbox")

    assert (rehearsed.code, bought.code, over.code) == (0, 0, 6)
    assert [(one["name"], one["usd"]) for one in empty] == [("total", 0.0), ("budget.daily", 0.0)]
    assert [(one["name"], one["usd"]) for one in shown] == [("runware", 0.06), ("total", 0.06), ("budget.daily", 0.06)]
    assert shown[-1]["left"] == 0.04


def test_max_cost_can_be_rehearsed(flux):
    """A run stops where its sums pass the limit, with each job settled at the price that the table has."""
    refused = flux(*FOX, "--sandbox", "-n", "2", "--max-cost", "0.11")
    fits = flux(*FOX, "--sandbox", "-n", "2", "--max-cost", "0.12")

    assert (refused.code, fits.code) == (6, 0)


@pytest.mark.parametrize("amount", ["-1", "nan", "inf"])
def test_max_cost_is_an_amount(flux, amount):
    done = flux(*FOX, "--sandbox", "--max-cost", amount)

    assert done.code == 2
    assert "--max-cost takes an amount in USD" in done.err


def batch(prompts: int = 3) -> str:
    Path("prompts.txt").write_text("".join(f"fox {number}\n" for number in range(prompts)), "utf-8")
    return "prompts.txt"


def test_a_batch_is_refused_as_a_whole(flux, host):
    """No row is sent where all of them would pass the limit."""
    refused = flux("generate", "-b", batch(), "-p", "runware", "--max-cost", "0.17")
    bought = flux("generate", "-b", batch(), "-p", "runware", "--max-cost", "0.18")

    assert (refused.code, bought.code, host.paid["runware"]) == (6, 0, 3)
    assert "these 3 jobs are expected to cost $0.18" in refused.err


def test_a_batch_stops_submitting_when_another_process_spends_the_rest(flux, host, config, spent):
    """The rows that were bought are finished and saved; the others are never sent, and may be fed back."""
    config("[budget]\ndaily = 1\n")

    def spend(call):
        if host.paid["runware"] == 1 and not taken:
            taken.append(spent(0.99))

    taken = []
    host.script = spend

    done = flux("generate", "-b", batch(), "-p", "runware", "-j", "1")

    assert done.code == 9, done.err
    assert (len(done.lines), host.paid["runware"]) == (1, 1)
    assert "this would exceed budget.daily" in done.err
    assert Path("prompts.txt.failed.jsonl").read_text("utf-8").count("\n") == 2


def test_the_dry_run_of_a_batch_prints_the_estimate(flux, config):
    """The price of an image, where it comes from, and the sum; where nobody tells, that, and no sum."""
    known = flux("generate", "-b", batch(), "-p", "runware", "--dry-run", "--sandbox")
    unknown = flux("generate", "-b", batch(), "-p", "runcomfy", "--dry-run", "--sandbox", "--json").object["estimate"]

    assert known.code == 0
    assert "$0.06 an image (the model's page at runware.ai/docs, 2026-11)" in known.out
    assert "$0.18" in known.lines[-1]
    assert (unknown["amount"], unknown["unknown_jobs"]) == (None, 3)


def test_another_provider_is_no_way_around_a_limit(flux, host, config, spent):
    """What the limit forbids here is not bought there, whatever --fallback says."""
    config("[budget]\ndaily = 1\n")
    spent(1.0)

    done = flux(*FOX, "--fallback", "runflow")

    assert done.code == 6
    assert host.paid == {}
