"""What is shown while we wait where nothing can be drawn over: plain lines, on stderr only."""

from __future__ import annotations

from dataclasses import replace

from flux_cli.display.plain import NoProgress, PlainBatchProgress, PlainProgress
from flux_cli.errors import RefusedError
from flux_cli.jobs import Job
from flux_cli.money.totals import BatchTotals

JOB = Job(
    id="foxfoxfo",
    run="runrunru",
    provider="runcomfy",
    model="flux-1.1-pro-ultra",
    prompt="a [bold]red[/bold]\x1b[31m\nfox",
    created_at=0.0,
    status="queued",
    queue_position=3,
)


def test_lines_tell_each_change_once():
    """A state that stays the same is told once; another one again."""
    said: list[str] = []
    with PlainProgress(said.append) as progress:
        for job in (JOB, JOB, replace(JOB, queue_position=2), replace(JOB, status="running", queue_position=None)):
            progress.show(job)
        progress.show(JOB, activity="saving")

    assert said == [
        "flux: foxfoxfo runcomfy queued (position 3)",
        "flux: foxfoxfo runcomfy queued (position 2)",
        "flux: foxfoxfo runcomfy running",
        "flux: foxfoxfo runcomfy saving",
    ]


def test_lines_hold_no_control_characters():
    """A provider's own word for a state is made visible."""
    said: list[str] = []
    PlainProgress(said.append).show(replace(JOB, detail="dream\x1b[2Jing\nnow"))

    assert said == ["flux: foxfoxfo runcomfy queued (dream\\x1b[2Jing now)"]


def test_of_a_batch_only_ends_are_told():
    """A line for each job that is through, and none for its states."""
    said: list[str] = []
    tally = BatchTotals(2, lambda: 0.0)
    with PlainBatchProgress(said.append, tally) as progress:
        progress.show(JOB)
        tally.add([replace(JOB, status="succeeded", estimate=0.06)], None)
        tally.add([], RefusedError("no"))

    assert said == ["flux: 1 of 2 done, $0.06", "flux: 1 of 2 done, 1 failed, $0.06"]


def test_silence():
    """Nothing at all is said."""
    with NoProgress() as progress, progress.pause():
        progress.show(JOB)
        progress.remove(JOB.id)
