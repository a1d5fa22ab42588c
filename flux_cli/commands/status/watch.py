"""``flux status --watch``: stay until all jobs are finished. It only ever reads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from flux_cli.display.plain import Progress
from flux_cli.errors import FluxError, ProtocolError, UnavailableError
from flux_cli.jobs import Job
from flux_cli.runs.workers import MOST_AT_ONCE, WorkerPool
from flux_cli.runtime import Runtime

_LOOK = 1.0
"""Seconds between two looks at a job that another process is just submitting."""


def watch_jobs(runtime: Runtime, jobs: Sequence[Job]) -> list[Job | FluxError]:
    """Return each job once it is finished, or why it cannot be asked about, in order; shown while that lasts.

    A job of which its provider knows nothing yet is looked for once. Raises `Interrupted`.
    """
    with runtime.progress() as progress:
        for job in jobs:
            progress.show(job)
        tasks = [partial(_follow, runtime, progress, job) for job in jobs]
        return WorkerPool[Job](runtime.clock, at_once=MOST_AT_ONCE).run(tasks)


def _follow(runtime: Runtime, progress: Progress, job: Job) -> Job:
    """Stay with one job. Raises `FluxError` for what no later look would mend."""
    engine = runtime.engine
    try:
        job = engine.refresh(job)
    except (UnavailableError, ProtocolError):
        if job.remote_id is None:
            raise
    while job.status == "submitting":
        runtime.clock.sleep(_LOOK)
        job = engine.refresh(runtime.ledger.find(job.id, sandbox=job.sandbox)[0])
    progress.show(job)
    if job.active:
        for job in engine.watch(job, timeout=math.inf):  # noqa: B020 - the same job, later
            progress.show(job)
    return job
