"""A ledger of many jobs answers like one of twenty: counted in SQLite's own steps, so that no clock is needed."""

from __future__ import annotations

from contextlib import closing

import pytest

from flux_cli.jobs import Job
from flux_cli.ledger.ledger import Ledger
from flux_cli.money.limits import Limit

MANY = 600
LOOKS = {
    "the list": lambda ledger: ledger.recent(sandbox=False, limit=20),
    "by words of the prompt": lambda ledger: ledger.recent(sandbox=False, limit=20, search="FOX a"),
    "a model": lambda ledger: ledger.recent(sandbox=False, limit=20, model="m"),
    "a provider": lambda ledger: ledger.recent(sandbox=False, limit=20, provider="runware"),
    "since a time": lambda ledger: ledger.recent(sandbox=False, limit=10, since=15.0),
    "a model under way": lambda ledger: ledger.recent(sandbox=False, limit=20, active=True, model="m", search="fox"),
    "those of a model to be asked about": lambda ledger: ledger.unsettled(
        sandbox=False, unknown_since=0.0, model="m", since=1.0, search="fox"
    ),
    "those under way": lambda ledger: ledger.recent(sandbox=False, limit=20, active=True),
    "a batch": lambda ledger: ledger.recent(sandbox=False, limit=-1, batch="/b5"),
    "the other world": lambda ledger: ledger.recent(sandbox=True, limit=20),
    "by id": lambda ledger: ledger.find("j0000003", sandbox=False),
    "those to be asked about": lambda ledger: ledger.unsettled(sandbox=False, unknown_since=0.0),
    "the active ones, counted": lambda ledger: ledger.count(sandbox=False, active=True),
    "not saved yet": lambda ledger: ledger.unsaved(sandbox=False),
    "how long jobs take": lambda ledger: ledger.durations("runware", "m", sandbox=False),
    "what a run came to": lambda ledger: ledger.spent_since(Limit(name="x", amount=1, run="r3"), sandbox=False),
    "what today came to": lambda ledger: ledger.spent_since(Limit(name="x", amount=1, since=15.0), sandbox=False),
}


def fill(path, count: int) -> Ledger:
    """Return a ledger of so many finished jobs, 15 of them of this day."""
    ledger = Ledger(path)
    with ledger._database.transaction():
        for number in range(count):
            job = Job(
                id=f"j{number:07d}", run=f"r{number}", provider="runware", model="m", prompt="a fox", status="failed",
                created_at=float(number - count + 30), batch=f"/b{number // 3}", ready_between=(8.0, 9.0),
            )  # fmt: skip
            ledger._write(job)
    return ledger


@pytest.fixture(scope="module")
def ledgers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ledgers")
    with closing(fill(folder / "few", 20)) as few, closing(fill(folder / "many", MANY)) as many:
        yield few, many


def steps(ledger: Ledger, look) -> int:
    """Return how many steps SQLite's machine takes for an answer."""
    counted = [0]

    def count() -> None:
        counted[0] += 1

    ledger._database._database.set_progress_handler(count, 1)
    look(ledger)
    ledger._database._database.set_progress_handler(None, 1)
    return counted[0]


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_an_answer_takes_no_more_steps_where_there_are_many_jobs(ledgers, look):
    few, many = (steps(ledger, look) for ledger in ledgers)

    assert 0 < many <= 1.5 * few
