from __future__ import annotations

from dataclasses import replace

import pytest

from flux_cli.sandbox.life import Job, rehearsals

JOB = Job(id="a", model="m", prompt="a fox", seed=1, created=100.0, hold=10.0, width=8, height=8, format="png", count=4)


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a fox", set()),
        ("sandbox:moderated", {"moderated"}),
        ("a fox sandbox:rate-limit, sandbox:slow.", {"rate-limit", "slow"}),
        ("sandbox:unheard-of sandbox:", set()),
        ("sandbox:failure", set()),
    ],
)
def test_rehearsals(prompt, expected):
    """Only the known words count, whole, wherever they stand."""
    assert rehearsals(prompt) == expected


@pytest.mark.parametrize(
    ("now", "phase", "progress", "ready"),
    [
        (100.0, "queued", 0, 0),
        (102.9, "queued", 0, 0),
        (103.0, "running", 0, 0),
        (106.5, "running", 50, 2),
        (109.99, "running", 99, 3),
        (110.0, "done", 100, 4),
        (9999.0, "done", 100, 4),
    ],
)
def test_the_clock_alone_moves_a_job(now, phase, progress, ready):
    """Thirty parts of a hundred in the queue, then running, then done; images come one after the other."""
    for _ in range(3):
        assert (JOB.phase(now), JOB.progress(now), JOB.ready(now)) == (phase, progress, ready)


def test_position_counts_down():
    """The place in the queue falls from three to one."""
    assert [JOB.position(100.0 + step / 10) for step in (0, 5, 15, 29)] == [3, 3, 2, 1]


def test_never():
    """A job that never ends goes on running, and shows no image."""
    job = replace(JOB, prompt="sandbox:never")

    assert [job.phase(now) for now in (101.0, 105.0, 1e9)] == ["queued", "running", "running"]
    assert (job.ready(1e9), job.progress(1e9)) == (0, 99)


def test_cancelled():
    """A cancelled job stays cancelled."""
    job = replace(JOB, cancelled=True)

    assert (job.phase(1e9), job.ready(1e9), job.progress(1e9)) == ("cancelled", 0, 0)


@pytest.mark.parametrize("word", ["moderated", "fail", "cancelled"])
def test_a_failed_job_has_no_image(word):
    """What ends badly never shows an image."""
    job = replace(JOB, prompt=f"sandbox:{word}")

    assert (job.phase(110.0), job.ready(109.0), job.ready(110.0)) == ("done", 0, 0)
    assert (job.blocked, job.broken, job.stopped) == (word == "moderated", word == "fail", word == "cancelled")


def test_no_hold():
    """A job that takes no time is done at once."""
    job = replace(JOB, hold=0.0)

    assert (job.phase(100.0), job.ready(100.0)) == ("done", 4)


def test_no_hold_and_never():
    """A job that takes no time and never ends is running at once."""
    job = replace(JOB, hold=0.0, prompt="sandbox:never")

    assert (job.phase(100.0), job.progress(100.0)) == ("running", 99)
