"""Limits that hold across processes, and sums: what the ledger says about money."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flux_cli.errors import LimitError, RefusedError, UsageError
from flux_cli.jobs import Cost, Image, Job
from flux_cli.ledger.ledger import Ledger
from flux_cli.ledger.records import Spend
from flux_cli.money.limits import Limit, counted_cost

ULTRA = "flux-1.1-pro-ultra"


def make(job_id="k3f9q2mx", **changes) -> Job:
    fields = {"id": job_id, "run": "r", "provider": "runware", "model": ULTRA, "prompt": "a fox"}
    return Job(**{**fields, "created_at": 1000.0, "estimate": 0.06, **changes})


def done(job_id, cost=None, images=1, **changes) -> Job:
    told = None if cost is None else Cost(amount=cost)
    return make(job_id, **{"status": "succeeded", "cost": told, "images": (Image(),) * images, **changes})


def budget(amount, since=0.0) -> Limit:
    return Limit(name="budget.daily", amount=amount, since=since)


@pytest.fixture
def ledger(tmp_path):
    found = Ledger(tmp_path / "ledger.sqlite3")
    yield found
    found.close()


def ids(ledger, *, sandbox=False):
    return [job.id for job in ledger.recent(sandbox=sandbox, limit=-1)][::-1]


def test_a_job_that_would_pass_a_limit_is_not_written_down(ledger):
    ledger.add(make("aaaa1111"), [budget(0.1)])

    with pytest.raises(LimitError):
        ledger.add(make("bbbb2222"), [budget(0.1)])

    assert ids(ledger) == ["aaaa1111"]


def test_the_smallest_limit_decides(ledger):
    with pytest.raises(LimitError, match=r"exceed budget\.daily"):
        ledger.add(make(), [Limit(name="--max-cost 9", amount=9.0, run="r"), budget(0.05), budget(9.0)])

    assert ids(ledger) == []


def test_a_job_of_unknown_price_is_not_submitted_under_a_limit(ledger):
    with pytest.raises(UsageError, match="cannot be enforced"):
        ledger.add(make(estimate=None), [budget(100.0)])

    assert ids(ledger) == []


def test_what_was_reserved_is_settled_with_what_it_did_cost(ledger):
    """A job that came cheaper, was refused or was cancelled makes room; one that was dearer takes it."""
    ledger.add(make("aaaa1111"), [budget(0.1)])
    refused = RefusedError("no", charged="no")

    def spent(**changes):
        ledger.change("aaaa1111", lambda job: replace(job, **changes))
        return ledger.spent_since(budget(0.1), sandbox=False)

    assert ledger.spent_since(budget(0.1), sandbox=False) == (0.06, 0)
    assert spent(status="cancelled") == (0.0, 0)
    assert spent(status="failed", error=refused) == (0.0, 0)
    assert spent(status="unknown", error=None) == (0.06, 0)
    assert spent(status="succeeded", cost=Cost(amount=0.03)) == (0.03, 0)
    ledger.add(make("bbbb2222"), [budget(0.1)])
    assert spent(cost=Cost(amount=0.5)) == (0.56, 0)


def test_a_job_of_unknown_cost_is_counted_as_such(ledger):
    ledger.add(make("aaaa1111", estimate=None))
    ledger.add(make("bbbb2222"))

    assert ledger.spent_since(budget(1.0), sandbox=False) == (0.06, 1)


def test_a_limit_of_a_run_is_about_that_run(ledger):
    ledger.add(make("aaaa1111", run="other"))
    ledger.add(make("bbbb2222", run="r"))

    assert ledger.spent_since(Limit(name="--max-cost 1", amount=1.0, run="r"), sandbox=False) == (0.06, 0)


def test_a_budget_is_about_its_own_time_and_world(ledger):
    ledger.add(make("aaaa1111", created_at=999.0))
    ledger.add(make("bbbb2222", created_at=1000.0))
    ledger.add(make("cccc3333", created_at=1001.0, sandbox=True))

    assert ledger.spent_since(budget(1.0, since=1000.0), sandbox=False) == (0.06, 0)
    assert ledger.spent_since(budget(1.0, since=1000.0), sandbox=True) == (0.06, 0)


def test_a_job_that_was_planned_yesterday_and_is_bought_today_counts_today(ledger):
    """Else a long batch would have a new budget at midnight, and use none of it."""
    today = budget(0.1, since=2000.0)

    ledger.add(make("aaaa1111", created_at=1990.0), [today])

    with pytest.raises(LimitError):
        ledger.add(make("bbbb2222", created_at=1990.0), [today])
    assert ledger.find("aaaa1111", sandbox=False)[0].created_at == 2000.0


PRICES = st.sampled_from([0.0, 0.01, 0.06, 0.5])


@pytest.fixture(scope="module")
def unwritten(tmp_path_factory):
    """Return a function that makes a ledger in memory: quick enough to make many."""
    path = tmp_path_factory.mktemp("ledger") / "ledger.sqlite3"
    path.write_text("stands for a file that is there", "utf-8")
    return lambda: Ledger(path, connect=lambda _, **options: sqlite3.connect(":memory:", **options))


@settings(max_examples=50)
@given(st.lists(st.tuples(PRICES, st.one_of(st.none(), PRICES)), max_size=12))
def test_reservations_and_costs_never_pass_a_budget_by_more_than_the_estimates_were_off(unwritten, orders):
    """Whatever is bought in whatever order, the sum is that of the rows, and a new job fits when it is added."""
    ledger = unwritten()
    limit = budget(0.6)
    bought: dict[str, Job] = {}

    for number, (estimate, cost) in enumerate(orders):
        before = ledger.spent_since(limit, sandbox=False)[0]
        job = make(f"job{number}", estimate=estimate)
        try:
            ledger.add(job, [limit])
        except LimitError:
            assert before + estimate > 0.6
            continue
        assert before + estimate <= 0.6 + 1e-6
        told = None if cost is None else Cost(amount=cost)
        bought[job.id] = ledger.change(job.id, lambda known, told=told: replace(known, status="succeeded", cost=told))

    assert ledger.spent_since(limit, sandbox=False)[0] == pytest.approx(
        sum(counted_cost(job) for job in bought.values())
    )
    ledger.close()


@pytest.mark.slow
def test_many_processes_keep_one_budget(tmp_path):
    """Eight processes that buy at once, each as much as it gets, come to the budget exactly."""
    program = (
        "import sys; from pathlib import Path; from flux_cli.ledger.ledger import Ledger\n"
        "from flux_cli.jobs import Job\n"
        "from flux_cli.errors import LimitError; from flux_cli.money.limits import Limit\n"
        "ledger = Ledger(Path(sys.argv[1])); bought = 0\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "for n in range(5):\n"
        "    job = Job(id=f'p{sys.argv[2]}n{n}', run='r', provider='runware', model='m', prompt='x', created_at=5.0,"
        " estimate=0.06)\n"
        "    try: ledger.add(job, [Limit(name='budget.daily', amount=0.6, since=1.0)])\n"
        "    except LimitError: pass\n"
        "    else: bought += 1\n"
        "print(bought)\n"
    )
    path = tmp_path / "ledger.sqlite3"
    command = [sys.executable, "-c", program, str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    running = [subprocess.Popen([*command, str(number)], **pipes) for number in range(8)]
    ready = [process.stdout.readline() for process in running]

    for process in running:
        process.stdin.write("go\n")
        process.stdin.flush()
    bought = [int(process.communicate(timeout=60)[0]) for process in running]

    assert ready == ["ready\n"] * 8
    assert sum(bought) == 10
    ledger = Ledger(path)
    assert len(ids(ledger)) == 10
    assert ledger.spent_since(budget(0.6), sandbox=False) == (pytest.approx(0.6), 0)
    ledger.close()


def test_sums_by_provider(ledger):
    """Reported costs, estimates of the others, credits, and jobs of unknown cost: each apart."""
    ledger.add(done("aaaa1111", 0.06))
    ledger.add(done("aaaa2222", 0.12, images=2))
    ledger.add(make("aaaa3333"))
    ledger.add(make("aaaa4444", status="cancelled"))
    ledger.add(done("bbbb1111", provider="runcomfy", estimate=None))
    ledger.add(make("bbbb2222", provider="runcomfy", estimate=None))
    six = Cost(amount=6, currency="credits")
    ledger.add(replace(done("cccc1111", provider="apiframe", estimate=None), cost=six))
    ledger.add(done("dddd1111", 9.0, sandbox=True))

    apiframe, runcomfy, runware = found = ledger.spend("provider", sandbox=False)

    nothing = {"reported": None, "estimated": None, "credits": None, "unknown": 0}
    assert apiframe == Spend(**{**nothing, "name": "apiframe", "jobs": 1, "images": 1, "credits": 6.0})
    assert runcomfy == Spend(**{**nothing, "name": "runcomfy", "jobs": 2, "images": 1, "unknown": 2})
    assert runware == Spend(
        name="runware", jobs=4, images=3, reported=pytest.approx(0.18), estimated=0.06, credits=None, unknown=0
    )
    assert Spend.total(found) == Spend(
        name="total", jobs=7, images=5, reported=pytest.approx(0.18), estimated=0.06, credits=6.0, unknown=2
    )
    assert ledger.spend("provider", sandbox=False, provider="runcomfy") == [runcomfy]


def test_sums_by_model_keep_jobs_without_a_model(ledger):
    ledger.add(done("aaaa1111", 0.06))
    ledger.add(done("bbbb1111", 0.04, model="flux-1.1-pro", provider="runcomfy"))
    ledger.add(done("cccc1111", 0.01, model=None))

    assert [(group.name, group.reported) for group in ledger.spend("model", sandbox=False)] == [
        (None, 0.01),
        ("flux-1.1-pro", 0.04),
        (ULTRA, 0.06),
    ]


def test_sums_by_day_are_by_local_days(ledger, monkeypatch):
    """23:30 in London is the next day in Kyiv."""
    ledger.add(done("aaaa1111", 0.01, created_at=1_795_000_000.0))  # 2026-11-18, 11:06:40 UTC
    ledger.add(done("bbbb2222", 0.02, created_at=1_795_044_600.0))  # 23:30:00

    def days(zone):
        with monkeypatch.context() as patch:
            patch.setenv("TZ", zone)
            time.tzset()
            return [(group.name, group.reported) for group in ledger.spend("day", sandbox=False)]

    found = {zone: days(zone) for zone in ("UTC0", "EET-2")}
    time.tzset()

    assert found["UTC0"] == [("2026-11-18", 0.03)]
    assert found["EET-2"] == [("2026-11-18", 0.01), ("2026-11-19", 0.02)]


def test_the_sum_of_no_jobs_is_nothing(ledger):
    assert ledger.spend("provider", sandbox=False) == []
    assert Spend.total([]).reported == 0.0


def test_the_price_of_an_image_is_that_of_the_job_shared_among_its_images(ledger):
    """The newest first, no more than were asked for, and only what tells a price of this very thing."""
    ledger.add(done("aaaa1111", 0.06, created_at=1.0))
    ledger.add(done("aaaa2222", 0.20, images=4, created_at=2.0))
    ledger.add(done("aaaa3333", 0.07, images=0, created_at=3.0))
    ledger.add(done("bbbb1111", 0.0))
    ledger.add(done("bbbb2222"))
    ledger.add(done("bbbb3333", 0.9, model="flux-1.1-pro"))
    ledger.add(done("bbbb4444", 0.9, provider="runflow"))
    ledger.add(done("bbbb5555", 0.9, sandbox=True))
    ledger.add(done("bbbb6666", 0.9, status="failed"))

    assert ledger.paid_prices("runware", ULTRA, sandbox=False) == [(0.07, 3.0), (0.05, 2.0), (0.06, 1.0)]
    assert ledger.paid_prices("runware", ULTRA, sandbox=False, limit=1) == [(0.07, 3.0)]
