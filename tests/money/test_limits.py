"""What jobs count for, and limits that are kept or said to be unkeepable."""

from __future__ import annotations

import time
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_cli.errors import LimitError, ModeratedError, RefusedError, UsageError
from flux_cli.jobs import Cost, Job
from flux_cli.money.limits import (
    Limit,
    check,
    check_estimates,
    counted_cost,
    final_cost,
    format_usd,
    in_credits,
    limits,
    remaining,
)

RUN = Limit(name="--max-cost 5", amount=5.0, run="r")
DAY = Limit(name="budget.daily", amount=5.0, since=1.0)


def make(**changes) -> Job:
    fields = {"id": "k3f9q2mx", "run": "r", "provider": "runware", "model": "flux-1.1-pro-ultra", "prompt": "a fox"}
    return Job(**{**fields, "created_at": 0.0, "estimate": 0.06, **changes})


REFUSED, BLOCKED = RefusedError("no", charged="no"), ModeratedError("blocked")
COUNTS = {
    "under way": ({}, None, 0.06),
    "told": ({"status": "succeeded", "cost": Cost(amount=0.05)}, 0.05, 0.05),
    "free": ({"status": "succeeded", "cost": Cost(amount=0.0)}, 0.0, 0.0),
    "not told": ({"status": "succeeded"}, None, 0.06),
    "in credits": ({"status": "succeeded", "cost": Cost(amount=6, currency="credits")}, None, 0.06),
    "refused": ({"status": "failed", "error": REFUSED}, 0.0, 0.0),
    "failed, and told": ({"status": "failed", "error": REFUSED, "cost": Cost(amount=0.01)}, 0.01, 0.01),
    "moderated": ({"status": "failed", "error": BLOCKED}, None, 0.06),
    "cancelled": ({"status": "cancelled"}, 0.0, 0.0),
    "of unknown outcome": ({"status": "unknown"}, None, 0.06),
    "nobody can tell": ({"estimate": None}, None, None),
}


@pytest.mark.parametrize(("changes", "cost", "counts"), COUNTS.values(), ids=COUNTS)
def test_a_job_counts_with_its_cost_else_with_its_estimate_and_never_with_zero_for_unknown(changes, cost, counts):
    job = make(**changes)

    assert (final_cost(job), counted_cost(job)) == (cost, counts)


def test_credits_are_no_dollars():
    job = make(cost=Cost(amount=6, currency="credits"), estimate=None)

    assert (in_credits(job), final_cost(job), counted_cost(job)) == (6, None, None)
    assert in_credits(make(cost=Cost(amount=0.06))) is None


def test_what_just_fits_a_limit_is_bought():
    check(RUN, make(), (4.94, 0))
    check(RUN, make(estimate=0.1), (sum([0.1] * 49), 0))  # which is a little more than 4.9

    with pytest.raises(LimitError):
        check(RUN, make(), (4.95, 0))


def test_a_limit_that_would_be_passed_says_by_what():
    with pytest.raises(LimitError) as caught:
        check(DAY, make(estimate=0.0625), (4.98, 2))

    assert caught.value.message == (
        "this would exceed budget.daily: $4.98 of $5.00 are spent or reserved, plus 2 jobs of unknown cost, "
        "and this job is expected to cost $0.0625"
    )
    assert caught.value.hint == "`flux status --spend --by day` shows what was spent"
    assert (caught.value.exit_code, caught.value.charged) == (6, "no")


def test_a_limit_of_nothing_buys_nothing_but_what_is_free():
    nothing = Limit(name="budget.daily", amount=0.0, since=1.0)

    check(nothing, make(estimate=0.0), (0.0, 0))
    with pytest.raises(LimitError):
        check(nothing, make(), (0.0, 0))


ASK = {
    "one job": lambda job: check(RUN, job, (0.0, 0)),
    "all jobs": lambda job: check_estimates([job], [RUN], lambda _: (0.0, 0)),
    "a job that may come instead": lambda job: check_estimates([make()], [RUN], lambda _: (0.0, 0), instead=[job]),
}


@pytest.mark.parametrize("ask", ASK.values(), ids=ASK)
def test_a_limit_that_cannot_be_kept_is_an_error_that_says_what_to_type(ask):
    """Nobody knows the price: unknown is not zero."""
    with pytest.raises(UsageError) as caught:
        ask(make(provider="apiframe", estimate=None))

    assert caught.value.message == (
        "no price is known for flux-1.1-pro-ultra at apiframe, so --max-cost 5 cannot be enforced"
    )
    assert "`flux config set providers.apiframe.price.flux-1.1-pro-ultra 0.06`" in caught.value.hint


def test_a_start_is_refused_where_all_jobs_together_would_pass_a_limit():
    """Each alone would fit; the message counts them."""
    jobs = [make()] * 50

    assert check_estimates(jobs, [RUN], lambda _: (2.0, 0)) == ()
    with pytest.raises(LimitError) as caught:
        check_estimates(jobs, [RUN], lambda _: (2.01, 0))

    assert "$2.01 of $5.00 are spent or reserved, and these 50 jobs are expected to cost $3.00" in caught.value.message
    assert caught.value.hint == "raise --max-cost"


def test_jobs_that_may_come_instead_of_others_are_not_added_to_them():
    assert check_estimates([make(estimate=4.0)], [RUN], lambda _: (0.0, 0), instead=[make(estimate=4.0)]) == ()


def test_every_limit_is_asked_about():
    with pytest.raises(LimitError, match=r"^this would exceed budget\.daily: \$4\.99 .* and this job is expected"):
        check_estimates([make()], [RUN, DAY], lambda limit: (4.99 if limit is DAY else 0.0, 0))


def test_jobs_of_unknown_cost_are_named_where_a_limit_is_set():
    assert check_estimates([make()], [RUN, DAY], lambda limit: (0.0, 1 if limit is DAY else 0)) == (
        "budget.daily does not count 1 job of unknown cost",
    )


def test_nothing_to_buy_and_nothing_limited_is_never_refused():
    assert check_estimates([], [DAY], lambda _: (9.0, 0)) == ()
    assert check_estimates([make(estimate=None)], [], lambda _: (0.0, 0)) == ()


@pytest.fixture
def zone(monkeypatch):
    """Put this machine where summer time begins and ends as in central Europe."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
        time.tzset()
        yield
    time.tzset()


BUDGET = {"daily": 5.0, "monthly": 60.0}
MOMENTS = {
    "an ordinary day": ("2026-11-21T10:00:00+01:00", "2026-11-21T00:00:00+01:00", "2026-11-01T00:00:00+01:00"),
    "just after midnight": ("2026-11-21T00:00:01+01:00", "2026-11-21T00:00:00+01:00", "2026-11-01T00:00:00+01:00"),
    "just before midnight": ("2026-11-20T23:59:59+01:00", "2026-11-20T00:00:00+01:00", "2026-11-01T00:00:00+01:00"),
    "the day of 23 hours": ("2026-03-29T12:00:00+02:00", "2026-03-29T00:00:00+01:00", "2026-03-01T00:00:00+01:00"),
    "the day of 25 hours": ("2026-10-25T12:00:00+01:00", "2026-10-25T00:00:00+02:00", "2026-10-01T00:00:00+02:00"),
}


@pytest.mark.parametrize(("now", "day", "month"), MOMENTS.values(), ids=MOMENTS)
def test_days_and_months_are_those_of_local_time(zone, now, day, month):
    daily, monthly = limits(BUDGET, run="r", max_cost=None, now=datetime.fromisoformat(now).timestamp())

    assert (daily.name, daily.amount, monthly.name, monthly.amount) == ("budget.daily", 5.0, "budget.monthly", 60.0)
    assert daily.since == datetime.fromisoformat(day).timestamp()
    assert monthly.since == datetime.fromisoformat(month).timestamp()


@given(st.floats(min_value=1e9, max_value=3e9))
def test_any_moment_lies_in_its_own_day_and_month(now):
    daily, monthly = limits(BUDGET, run="", max_cost=None, now=now)

    assert monthly.since <= daily.since <= now < daily.since + 25 * 3600
    assert now < monthly.since + 31 * 86_400 + 3600


def test_max_cost_holds_for_its_run_beside_the_budgets():
    assert limits({}, run="r", max_cost=None, now=1e9) == ()
    assert limits({}, run="r", max_cost=5.0, now=1e9) == (RUN,)
    assert [limit.name for limit in limits(BUDGET, run="r", max_cost=0.5, now=1e9)] == [
        "--max-cost 0.5",
        "budget.daily",
        "budget.monthly",
    ]


@pytest.mark.parametrize("amount", [-0.01, float("nan"), float("inf")])
def test_max_cost_is_an_amount(amount):
    with pytest.raises(UsageError, match="--max-cost takes an amount in USD, 0 or more"):
        limits({}, run="r", max_cost=amount, now=1e9)


def test_what_is_left_of_a_budget():
    """Never less than nothing, and unsure where costs are unknown."""
    month = Limit(name="budget.monthly", amount=60.0, since=1.0)

    assert remaining(DAY, (1.2, 0)) == "budget.daily: $3.80 of $5.00 left today"
    assert remaining(month, (70.0, 3)) == (
        "budget.monthly: $0.00 of $60.00 left this month, not counting 3 jobs of unknown cost"
    )


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (0, "$0.00"),
        (0.06, "$0.06"),
        (0.1 + 0.2, "$0.30"),
        (0.0625, "$0.0625"),
        (0.0049, "$0.0049"),
        (1234.5, "$1234.50"),
    ],
)
def test_an_amount_is_shown_to_the_cent_or_as_finely_as_it_takes(amount, shown):
    assert format_usd(amount) == shown
