"""What was made of a batch before, and what is left to do: decided row by row, from the ledger alone.

A row is known by what it asks for, not by where it stands, so that rows may be added, edited and moved between two
runs. Rows that ask for the same are counted: the second of them is another row than the first. Within a row, images
are known by their number, so that a row that was cut off in the middle is completed, and nothing in it bought twice.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from flux_cli.jobs import Job
from flux_cli.orders import Purchase
from flux_cli.rows import Row


@dataclass(kw_only=True)
class Standing:
    """One row, and the jobs that were submitted for it by earlier runs."""

    row: Row
    mark: str
    """The row's own, and which of the rows that ask for the same it is."""
    made: list[Job] = field(default_factory=list[Job])
    """Finished and saved."""
    pending: list[Job] = field(default_factory=list[Job])
    """Under way, of unknown outcome, or not saved: to be fetched, never to be bought again."""
    refused: list[Job] = field(default_factory=list[Job])
    """Failed such that the same would fail again."""

    @property
    def known(self) -> bool:
        """Whether anything of the row was made, or may have been."""
        return bool(self.made or self.pending or self.refused)

    @property
    def seed(self) -> int | None:
        """The seed of the row's first image, where a part of the row was made before."""
        jobs = [job for job in (*self.made, *self.pending) if job.seed is not None]
        return None if not jobs else (jobs[0].seed or 0) - (jobs[0].first - 1)

    def missing(self, purchases: Iterable[Purchase]) -> list[Purchase]:
        """Return those of the row's jobs that make an image that no earlier one made, makes or was refused."""
        covered = {number for job in (*self.made, *self.pending, *self.refused) for number in numbers(job)}
        return [one for one in purchases if covered.isdisjoint(numbers(one.job))]


def numbers(job: Job) -> range:
    """Return the numbers of a job's images within its row."""
    return range(job.first, job.first + max(job.count, 1))


def standings(rows: Sequence[Row], jobs: Iterable[Job]) -> list[Standing]:
    """Return how each of the ``rows`` stands, given every job of the batch so far, the oldest first."""
    by_mark: dict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        by_mark[job.mark].append(job)
    seen = Counter[str]()
    found: list[Standing] = []
    for row in rows:
        seen[row.mark] += 1
        mark = f"{row.mark}.{seen[row.mark]}"
        found.append(_standing(row, mark, by_mark.get(mark, [])))
    return found


def _standing(row: Row, mark: str, jobs: Iterable[Job]) -> Standing:
    found = Standing(row=row, mark=mark)
    for job in jobs:
        if job.active or job.status == "unknown" or job.unsaved:
            found.pending.append(job)
        elif job.status == "succeeded":
            found.made.append(job)
        elif job.status == "failed" and job.error is not None and job.error.retry == "never":
            found.refused.append(job)
    done = {number for job in (*found.made, *found.pending) for number in numbers(job)}
    found.refused = [job for job in found.refused if done.isdisjoint(numbers(job))]
    return found
