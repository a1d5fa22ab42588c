"""How far a batch has come: jobs, money and time, told truly at any moment."""

from __future__ import annotations

import threading

from flux_cli.errors import ModeratedError, UnavailableError
from flux_cli.jobs import Cost, Job
from flux_cli.money.totals import BatchTotals, Count, format_total


def job(cost: float | None = None, estimate: float | None = None, **changes) -> Job:
    told = None if cost is None else Cost(amount=cost)
    fields = {"id": "x", "run": "r", "provider": "runware", "model": "m", "prompt": "a", "created_at": 0.0}
    return Job(**{**fields, "status": "succeeded", "cost": told, "estimate": estimate, **changes})


def test_jobs_and_money_are_counted():
    """What was told counts, else what was expected; what nobody knows is a number of its own, never nothing."""
    now = [100.0]
    totals = BatchTotals(9, lambda: now[0])

    totals.add([job(cost=0.04, estimate=0.06)], None)
    totals.add([job(estimate=0.06)], ModeratedError("blocked"))
    totals.add([job(), job(estimate=0.5)], None)
    totals.add([], UnavailableError("busy"))
    now[0] = 110.0

    count = totals.count()
    assert (count.total, count.done, count.failed, count.ended, count.unknown) == (9, 2, 2, 4, 1)
    assert round(count.spent, 6) == 0.6
    assert count.elapsed == 10.0
    assert totals.codes() == {"moderated": 1, "unavailable": 1}


def test_what_the_provider_refused_costs_nothing():
    totals = BatchTotals(1, lambda: 0.0)

    totals.add([job(estimate=0.06, status="failed", error=UnavailableError("busy"))], UnavailableError("busy"))

    assert (totals.count().spent, totals.count().unknown) == (0.0, 0)


def test_the_time_that_is_left_follows_from_what_it_took_so_far():
    """Nobody knows before the first job has ended; nothing is left once all have."""
    begun = Count(total=4, done=0, failed=0, spent=0.0, unknown=0, elapsed=5.0)
    half = Count(total=4, done=1, failed=1, spent=0.0, unknown=0, elapsed=5.0)
    over = Count(total=4, done=4, failed=0, spent=0.0, unknown=0, elapsed=5.0)

    assert (begun.left, half.left, over.left) == (None, 5.0, 0.0)


def test_a_listener_is_called_after_each_end_unless_it_is_silent():
    """What was never sent is counted, and not told one by one."""
    totals = BatchTotals(2, lambda: 0.0)
    heard: list[int] = []
    totals.on_change = lambda: heard.append(totals.count().ended)

    totals.add([], UnavailableError("busy"), notify=False)
    totals.add([job()], None)

    assert heard == [2]


def test_a_listener_hears_of_the_ends_in_their_order():
    """A job that ends while another one is being reported waits, so that counts are printed in order."""
    totals = BatchTotals(2, lambda: 0.0)
    heard: list[int] = []
    other = threading.Thread(target=lambda: totals.add([job()], None))

    def tell() -> None:
        if not heard and not other.ident:
            other.start()
            other.join(0.05)
        heard.append(totals.count().ended)

    totals.on_change = tell
    totals.add([job()], None)
    other.join()

    assert heard == [1, 2]


def test_any_thread_may_add():
    totals = BatchTotals(800, lambda: 0.0)
    threads = [
        threading.Thread(target=lambda: [totals.add([job(cost=1.0)], None) for _ in range(100)]) for _ in range(8)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (totals.count().done, totals.count().spent) == (800, 800.0)


def test_an_unknown_cost_is_never_shown_as_zero():
    assert format_total(1.5, 0) == "$1.50"
    assert format_total(1.5, 2) == "$1.50 and 2 of unknown cost"
    assert "$0" not in format_total(0.0, 2)
