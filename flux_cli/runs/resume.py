"""Match the rows of a batch with the jobs of earlier runs in the ledger, and plan what is left to do.

A row is known by its content, not by its line, so that rows may be added, edited and moved between two runs. Equal
rows are counted: the second of them is another row than the first. A row that is made by several models or providers is
a row for each of them, and is known again where it was made by one of them alone, or where others are compared now.
Within a row, images are known by their number, so
that a row that was interrupted is completed, and nothing in it bought twice.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count, groupby

from flux_cli.jobs import Job
from flux_cli.providers.base import PlannedJob
from flux_cli.runs.plan import Pair, RunContext
from flux_cli.runs.rows import Row


@dataclass(kw_only=True)
class RowHistory:
    """One row, and the jobs that were submitted for it by earlier runs."""

    row: Row
    row_key: str
    """The row's own key, and its number among equal rows."""
    jobs: Sequence[Job] = ()
    """All of them, also those that failed and may be submitted again."""
    made: list[Job] = field(default_factory=list[Job])
    """Finished and saved."""
    pending: list[Job] = field(default_factory=list[Job])
    """Active, of unknown outcome, or not saved: to be collected, never to be bought again."""
    refused: list[Job] = field(default_factory=list[Job])
    """Failed such that the same would fail again."""

    @property
    def copy(self) -> int:
        """Its number among equal rows, from 1."""
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

    def plan_missing(self, jobs: Iterable[PlannedJob], context: RunContext) -> list[PlannedJob]:
        """Return what is left to submit of the row: every image that no earlier job made, makes or was refused.

        A job of several images, some of which exist, becomes one of the others, with an id from ``context``.
        """
        covered = {number for job in (*self.made, *self.pending, *self.refused) for number in image_indexes(job)}
        return [part for one in jobs for part in _without(covered, one, context)]


def image_indexes(job: Job) -> range:
    """Return the numbers of a job's images within its row."""
    return range(job.first_index, job.first_index + max(job.count, 1))


def _without(covered: Container[int], planned: PlannedJob, context: RunContext) -> Iterator[PlannedJob]:
    """Yield what is left of a job whose images are ``covered`` in part: a job for each stretch of numbers."""
    every = image_indexes(planned.job)
    missing = [number for number in every if number not in covered]
    if len(missing) == len(every):
        yield planned
        return
    for _, stretch in groupby(enumerate(missing), lambda pair: pair[1] - pair[0]):
        kept = [number for _, number in stretch]
        yield _part(planned, range(kept[0], kept[-1] + 1), context)


def _part(planned: PlannedJob, images: range, context: RunContext) -> PlannedJob:
    """Return the job of some of a planned job's images, with the seeds that they have there."""
    job = planned.job
    part = replace(
        job,
        id=context.new_id(),
        idempotency_key=context.new_handle(),
        first_index=images.start,
        count=len(images),
        seed=None if job.seed is None else job.seed + images.start - job.first_index,
        estimate=None if job.estimate is None else job.estimate * len(images) / job.count,
    )
    fallbacks = [
        one
        for other in planned.fallbacks
        for one in _without(set(image_indexes(other.job)).difference(images), other, context)
    ]
    return replace(planned, job=part, fallbacks=tuple(fallbacks))


def has_images_to_collect(job: Job) -> bool:
    """Whether a job is active, of unknown outcome or not saved."""
    return job.active or job.status == "unknown" or job.has_unsaved_images


def match_rows(rows: Sequence[Row], jobs: Iterable[Job]) -> list[RowHistory]:
    """Return the history of each of the ``rows``, given every job of the batch so far, the oldest first."""
    by_key: dict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        by_key[job.row_key].append(job)
    keys = list(_row_keys(rows))
    own = set(keys)
    others = {key: found for key, found in by_key.items() if key and key not in own}
    pairs = {Pair(job.provider, job.model) for found in others.values() for job in found}
    return [
        _match_row(row, key, [*by_key.get(key, ()), *_find_elsewhere(row, key, others, pairs)])
        for row, key in zip(rows, keys, strict=True)
    ]


def _find_elsewhere(row: Row, row_key: str, jobs: Mapping[str, Sequence[Job]], pairs: Iterable[Pair]) -> list[Job]:
    """Return the ``jobs`` of the same row that were submitted when more, fewer or other pairs were typed."""
    agreeing = [pair for pair in pairs if row.pair.agrees(pair)]
    copy = row_key.rpartition(".")[2]
    found = (job for key in sorted(row.other_keys(agreeing)) for job in jobs.get(f"{key}.{copy}", ()))
    return [job for job in found if row.pair.agrees(Pair(job.provider, job.model))] if agreeing else []


def _row_keys(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the key of each row; no two are the same."""
    keys = [row.key for row in rows]
    numbered = {(key, row.copy) for key, row in zip(keys, rows, strict=True) if row.copy is not None}
    given: set[tuple[str, int]] = set()
    last = Counter[str]()
    for key, row in zip(keys, rows, strict=True):
        copy = row.copy
        if copy is None or (key, copy) in given:
            copy = next(number for number in count(last[key] + 1) if (key, number) not in numbered)
            last[key] = copy
        given.add((key, copy))
        yield f"{key}.{copy}"


def _match_row(row: Row, row_key: str, jobs: Sequence[Job]) -> RowHistory:
    found = RowHistory(row=row, row_key=row_key, jobs=jobs)
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
