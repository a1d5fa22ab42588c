"""What was made of a batch before, and what is left to do: decided row by row, from the ledger alone.

A row is known by what it asks for, not by where it stands, so that rows may be added, edited and moved between two
runs. Rows that ask for the same are counted: the second of them is another row than the first. Within a row, images
are known by their number, so that a row that was cut off in the middle is completed, and nothing in it bought twice.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count, groupby

from flux_cli.jobs import Job
from flux_cli.runs.plan import PlannedJob, RunContext
from flux_cli.runs.rows import Row


@dataclass(kw_only=True)
class RowHistory:
    """One row, and the jobs that were submitted for it by earlier runs."""

    row: Row
    row_key: str
    """The row's own, and which of the rows that ask for the same it is."""
    made: list[Job] = field(default_factory=list[Job])
    """Finished and saved."""
    pending: list[Job] = field(default_factory=list[Job])
    """Under way, of unknown outcome, or not saved: to be fetched, never to be bought again."""
    refused: list[Job] = field(default_factory=list[Job])
    """Failed such that the same would fail again."""

    @property
    def copy(self) -> int:
        """Which of the rows that ask for the same it is, from 1."""
        return int(self.row_key.rpartition(".")[2])

    @property
    def known(self) -> bool:
        """Whether anything of the row was made, or may have been."""
        return bool(self.made or self.pending or self.refused)

    @property
    def lacking(self) -> list[Job]:
        """The jobs that came to an end without all of their images, and would do so again."""
        return [*self.refused, *(job for job in self.made if job.error is not None)]

    @property
    def seed(self) -> int | None:
        """The seed of the row's first image, where a part of the row was made before."""
        jobs = [job for job in (*self.made, *self.pending) if job.seed is not None]
        return None if not jobs else (jobs[0].seed or 0) - (jobs[0].first_index - 1)

    def plan_missing(self, purchases: Iterable[PlannedJob], origin: RunContext) -> list[PlannedJob]:
        """Return what is left to buy of the row: every image that no earlier job made, makes or was refused.

        A purchase of several images, some of which are there, becomes one of the others, with a name from ``origin``.
        """
        covered = {number for job in (*self.made, *self.pending, *self.refused) for number in image_indexes(job)}
        return [part for one in purchases for part in _without(covered, one, origin)]


def image_indexes(job: Job) -> range:
    """Return the numbers of a job's images within its row."""
    return range(job.first_index, job.first_index + max(job.count, 1))


def _without(covered: Container[int], purchase: PlannedJob, origin: RunContext) -> Iterator[PlannedJob]:
    """Yield what is left of a purchase whose images are ``covered`` in part: a job for each stretch of numbers."""
    every = image_indexes(purchase.job)
    wanted = [number for number in every if number not in covered]
    if len(wanted) == len(every):
        yield purchase
        return
    for _, stretch in groupby(enumerate(wanted), lambda pair: pair[1] - pair[0]):
        kept = [number for _, number in stretch]
        yield _part(purchase, range(kept[0], kept[-1] + 1), origin)


def _part(purchase: PlannedJob, wanted: range, origin: RunContext) -> PlannedJob:
    """Return the purchase of some of a purchase's images, with the seeds that they have there."""
    job, order = purchase.job, purchase.order
    seed = order.params.seed + wanted.start - job.first_index
    part = replace(
        job,
        id=origin.new_id(),
        idempotency_key=origin.new_handle(),
        first_index=wanted.start,
        count=len(wanted),
        seed=None if job.seed is None else seed,
        estimate=None if job.estimate is None else job.estimate * len(wanted) / job.count,
    )
    params = replace(
        order.params, seed=seed, count=len(wanted), options={**order.params.options, **_seed(purchase, seed)}
    )
    others = [
        one
        for other in purchase.fallbacks
        for one in _without(set(image_indexes(other.job)).difference(wanted), other, origin)
    ]
    return PlannedJob(
        job=part,
        order=replace(order, params=params, job_id=part.id, idempotency_key=part.idempotency_key),
        fallbacks=tuple(others),
    )


def _seed(purchase: PlannedJob, seed: int) -> dict[str, int]:
    return {"seed": seed} if "seed" in purchase.order.params.options else {}


def has_images_to_collect(job: Job) -> bool:
    """Whether a job is under way, of unknown outcome or not saved."""
    return job.active or job.status == "unknown" or job.has_unsaved_images


def match_rows(rows: Sequence[Row], jobs: Iterable[Job]) -> list[RowHistory]:
    """Return how each of the ``rows`` stands, given every job of the batch so far, the oldest first."""
    by_mark: dict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        by_mark[job.row_key].append(job)
    return [_match_row(row, mark, by_mark.get(mark, ())) for row, mark in zip(rows, _row_keys(rows), strict=True)]


def _row_keys(rows: Sequence[Row]) -> Iterator[str]:
    """Yield what each row is known by; no two are the same."""
    asked = [row.key for row in rows]
    said = {(mark, row.copy) for mark, row in zip(asked, rows, strict=True) if row.copy is not None}
    given: set[tuple[str, int]] = set()
    last = Counter[str]()
    for mark, row in zip(asked, rows, strict=True):
        copy = row.copy
        if copy is None or (mark, copy) in given:
            copy = next(number for number in count(last[mark] + 1) if (mark, number) not in said)
            last[mark] = copy
        given.add((mark, copy))
        yield f"{mark}.{copy}"


def _match_row(row: Row, mark: str, jobs: Iterable[Job]) -> RowHistory:
    found = RowHistory(row=row, row_key=mark)
    for job in jobs:
        if has_images_to_collect(job):
            found.pending.append(job)
        elif job.status == "succeeded":
            found.made.append(job)
        elif job.status == "failed" and job.error is not None and job.error.retry == "never":
            found.refused.append(job)
    done = {number for job in (*found.made, *found.pending) for number in image_indexes(job)}
    found.refused = [job for job in found.refused if done.isdisjoint(image_indexes(job))]
    return found
