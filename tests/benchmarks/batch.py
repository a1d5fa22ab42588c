"""Batches: how near the makespan comes to what is possible, and what a long one costs in memory and CPU time."""

from __future__ import annotations

from math import ceil
from pathlib import Path

from tests.benchmarks.ground import MEGA, Cost, Host, Row, User, folder
from tests.benchmarks.spent import computing

JOBS, SECONDS, AT_ONCE = 200, 3.0, 16
"""The batch whose makespan is measured."""
ROWS, SHORT, WIDE = 2000, 1.0, 32
"""The long one: rows, seconds that a job takes, and how many are under way."""
PROFILED = 600
"""Rows of it that are enough to see where the time goes."""
SIZE = 1024, 1024
"""Of its images, in pixels."""
MOST_MAKESPAN, MOST_LONG, MOST_MEMORY, MOST_CPU = 1.08, 1.05, 100 * MEGA, 0.007
"""Of the ideal, also for the long one; bytes; seconds a job."""


def words(place: Path, jobs: int, at_once: int) -> list[str]:
    """Write a batch of ``jobs`` prompts, and return the arguments that make it."""
    prompts = place / "prompts.txt"
    prompts.write_text("".join(f"a red fox, number {number}\n" for number in range(jobs)))
    return ["generate", "--batch", str(prompts), "-j", str(at_once), "-o", "made/", "-q"]


def run(place: Path, host: Host, jobs: int, at_once: int) -> Cost:
    """Make a batch, and return what it took. Raises `RuntimeError` where an image is missing."""
    user = User(place, host.base_url)
    cost = user.cost(*words(place, jobs, at_once))
    saved = len(list((user.images / "made").glob("*.jpg")))
    if saved != jobs:
        raise RuntimeError(f"{saved} of {jobs} images were saved")
    return cost


def makespan(place: Path, jobs: int = JOBS, seconds: float = SECONDS, at_once: int = AT_ONCE) -> list[Row]:
    """Measure the wall time of the process, from its start to its end, beside waves of ``at_once`` jobs."""
    ideal = ceil(jobs / at_once) * seconds
    with Host(seconds) as host:
        cost = run(place, host, jobs, at_once)
        polls = [record["polls"] for record in host.records().values()]
    what = f"batch: {jobs} jobs of {seconds:g} s, -j {at_once}"
    shown = f"{cost.wall:.1f} s, {cost.wall / ideal:.3f} x {ideal:g} s (waves), "
    shown += f"{cost.wall / (jobs * seconds / at_once):.3f} x {jobs * seconds / at_once:g} s (work / {at_once}); "
    shown += f"{sum(polls) / jobs:.1f} polls a job"
    return [Row(what, shown, f"{MOST_MAKESPAN:g} x waves", cost.wall <= MOST_MAKESPAN * ideal)]


def long(place: Path, jobs: int = ROWS, seconds: float = SHORT, at_once: int = WIDE) -> list[Row]:
    """Measure memory and CPU time of a long batch."""
    with Host(seconds, size=SIZE) as host:
        cost = run(place, host, jobs, at_once)
    what = f"batch: {jobs} rows of 1 MP, -j {at_once}"
    times = cost.wall / (ceil(jobs / at_once) * seconds)
    return [
        Row(f"{what}: memory", f"{cost.memory / MEGA:.0f} MB", "100 MB", cost.memory < MOST_MEMORY),
        Row(f"{what}: CPU time", f"{cost.cpu / jobs * 1000:.1f} ms a job", "7 ms", cost.cpu / jobs <= MOST_CPU),
        Row(
            f"{what}: makespan", f"{cost.wall:.1f} s, {times:.3f} x waves", f"{MOST_LONG:g} x waves", times <= MOST_LONG
        ),
    ]


def rows() -> list[Row]:
    """Measure everything, and return the lines of the table."""
    with folder() as place:
        return [*makespan(place / "short"), *long(place / "long")]


def profile() -> str:
    """Return what the threads of the long batch are at."""
    with folder() as place, Host(SHORT, size=SIZE) as host:
        user = User(place, host.base_url)
        spent = computing(words(place, PROFILED, WIDE), user.env, user.images)
        return f"flux generate --batch, {PROFILED} rows\n{spent}"
