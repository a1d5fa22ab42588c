"""What a run with several jobs counts for its progress display."""

from __future__ import annotations

import pytest

from flux_cli.cli import main
from flux_cli.runtime import Runtime
from tests.conftest import Stream


class CountingRuntime(Runtime):
    """A runtime that keeps the totals given to its progress display."""

    totals = None

    def progress(self, totals=None, *, batch=False):
        self.totals = totals
        return super().progress(totals, batch=batch)


@pytest.fixture
def run(clock):
    """Return a function that runs a command in the sandbox, and returns the totals it showed."""

    def run(*arguments: str):
        runtime = CountingRuntime(stdin=Stream(), stdout=Stream(), stderr=Stream(), clock=clock)
        main([*arguments, "--sandbox"], runtime)
        return runtime.totals

    return run


@pytest.mark.parametrize(
    ("prompt", "done", "failed", "spent"),
    [("a fox", 3, 0, 0.18), ("a fox sandbox:credits", 0, 3, 0.0)],
)
def test_several_jobs_of_one_command_are_counted_as_they_end(run, prompt, done, failed, spent):
    count = run("generate", prompt, "-p", "runcomfy", "-n", "3").count()

    assert (count.total, count.done, count.failed, count.spent) == (3, done, failed, pytest.approx(spent))


def test_jobs_that_were_bought_before_are_counted_without_their_cost(run):
    run("generate", "a fox", "-p", "runcomfy", "-n", "2", "--no-wait")

    count = run("result", "@1", "--wait").count()

    assert (count.total, count.done, count.spent) == (2, 2, 0.0)


def test_a_single_job_has_no_totals(run):
    assert run("generate", "a fox", "-p", "runcomfy") is None
