"""Wait until all jobs are finished, for ``flux status --watch``. Sends only requests that read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from flux_cli.display.plain import Progress
from flux_cli.errors import FluxError, ProtocolError, UnavailableError
from flux_cli.jobs import Job
from flux_cli.runs.workers import MOST_AT_ONCE, WorkerPool
from flux_cli.runtime import Runtime

_POLL_SECONDS = 1.0
"""Seconds between two checks of a job that another process is submitting."""


def watch_jobs(runtime: Runtime, jobs: Sequence[Job]) -> list[Job | FluxError]:
    """Show progress until each job is finished. Return the jobs, or why one cannot be polled, in order.

    A job without an id at its provider is looked for once. Raises `Interrupted`.
    """
    with runtime.progress() as progress:
        for job in jobs:
            progress.show(job)
        tasks = [partial(_follow, runtime, progress, job) for job in jobs]
        return WorkerPool[Job](runtime.clock, at_once=MOST_AT_ONCE).run(tasks)


def _follow(runtime: Runtime, progress: Progress, job: Job) -> Job:
    """Poll one job until it is finished. Raises `FluxError` where polling again would not help."""
    engine = runtime.engine
    try:
        job = engine.refresh(job)
    except (UnavailableError, ProtocolError):
        if job.remote_id is None:
            raise
    while job.status == "submitting":
        runtime.clock.sleep(_POLL_SECONDS)
        job = engine.refresh(runtime.ledger.find(job.id, sandbox=job.sandbox)[0])
    progress.show(job)
    if job.active:
        for job in engine.watch(job, timeout=math.inf):  # noqa: B020 - the same job, later
            progress.show(job)
    return job
