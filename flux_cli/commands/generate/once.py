"""``--once NAME``: the first process to use a name submits its jobs, any other waits for them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from flux_cli.errors import FluxError, PartialError, PendingError, UsageError
from flux_cli.jobs import Job
from flux_cli.ledger.records import FORGOTTEN, Claim
from flux_cli.providers.base import PlannedJob
from flux_cli.runs.plan import Once
from flux_cli.runs.resume import image_indexes
from flux_cli.runtime import Runtime
from flux_cli.text import listed

_LOOK = 0.3
"""Seconds between two looks at what another process is doing."""


class Bought(NamedTuple):
    """What was bought under a name."""

    jobs: list[Job]
    error: FluxError | None
    """Why it is not all that was requested."""


def join_requests(each: Sequence[Once]) -> Once:
    """Return the `Once` of several requests that are bought together under one name."""
    if len(each) == 1:
        return each[0]
    return Once(name=each[0].name, key=hashlib.sha256("".join(one.key for one in each).encode()).hexdigest())


def claim_name(
    runtime: Runtime, once: Once, planned: Sequence[PlannedJob], *, timeout: float, wait: bool
) -> Bought | None:
    """Return what was bought under the name, or ``None`` where this process now holds it and is to buy.

    A name is free if it is new, or if the process that held it died before anything was sent, or its provider accepted
    nothing. Waits for another process that holds it: until it has saved its images or, without ``wait``, only until it
    has submitted its jobs. Raises `UsageError` where the name stands for another request, `PendingError` after
    ``timeout`` seconds.
    """
    first = planned[0].job
    claim = Claim(
        name=once.name, sandbox=first.sandbox, run=first.run, jobs=len(planned), key=once.key, owner=first.owner
    )
    deadline = runtime.clock.monotonic() + timeout
    while True:
        held, jobs = runtime.ledger.claim(claim, free=lambda known, jobs: _is_free(runtime, known, jobs))
        if held == claim:
            return None
        if held.key != claim.key:
            raise UsageError(
                f"--once {once.name} was used with another prompt or other options",
                hint="choose another name, or repeat the same prompt and options",
            )
        if held.owner == FORGOTTEN:
            raise UsageError(
                f"--once {once.name} was used before, and its job was forgotten", hint="use another name to buy again"
            )
        bought = [job for job in jobs if not _was_not_accepted(job)]
        missing = _find_missing(planned, bought)
        if not runtime.has_ended(held.owner) and _is_in_progress(bought, missing, wait=wait):
            if runtime.clock.monotonic() >= deadline:
                raise PendingError(
                    f"another process is still running --once {once.name}", hint="`flux status` shows its jobs"
                )
            runtime.clock.sleep(_LOOK)
            continue
        return Bought(bought, _explain_missing(once, planned, missing) if missing else None)


def _is_free(runtime: Runtime, claim: Claim, jobs: Sequence[Job]) -> bool:
    """Whether a name may be taken over: nothing was bought under it, and no running process is about to."""
    return all(_was_not_accepted(job) for job in jobs) and runtime.has_ended(claim.owner)


def _was_not_accepted(job: Job) -> bool:
    """Whether the provider said that it accepted nothing."""
    return job.status == "failed" and job.error is not None and job.error.charged == "no"


def _find_missing(planned: Sequence[PlannedJob], jobs: Sequence[Job]) -> list[Job]:
    """Return those of the ``planned`` jobs whose images are in none of the ``jobs``."""
    numbers = {number for job in jobs for number in image_indexes(job)}
    return [one.job for one in planned if numbers.isdisjoint(image_indexes(one.job))]


def _explain_missing(once: Once, planned: Sequence[PlannedJob], missing: Sequence[Job]) -> PartialError:
    images, every = (sum(job.count for job in jobs) for jobs in (missing, [one.job for one in planned]))
    pairs = dict.fromkeys(f"{job.model} at {job.provider}" for job in missing)
    return PartialError(
        f"{images} of {every} images of --once {once.name} were not bought: the process that used it first was stopped,"
        f" or the provider did not accept them: {listed(pairs)}",
        hint="use another name to buy them",
        charged="no",
    )


def _is_in_progress(jobs: Sequence[Job], missing: Sequence[Job], *, wait: bool) -> bool:
    """Whether the process that holds a name, if it still runs, has more to do: images too, if we ``wait``."""
    if missing:
        return True
    return any(job.active or job.has_unsaved_images if wait else job.status == "submitting" for job in jobs)
