"""What the ledger stores and returns beside jobs: claims of names, each provider's history, and spending."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

FORGOTTEN = "forgotten"
"""The owner of a name whose job was forgotten: the name stays used."""


class Claim(NamedTuple):
    """A name under which one run is paid for at most once."""

    name: str
    sandbox: bool
    run: str
    jobs: int
    """How many jobs make up the run."""
    key: str
    """Identifies the request that the name was used for."""
    owner: str
    """The process that submits, as ``host:pid``."""


class History(NamedTuple):
    """How the latest jobs of one provider ended."""

    jobs: int
    failures: int
    median: float | None
    """Seconds that successful jobs took, as closely as known."""

    @classmethod
    def of(cls, waits: Sequence[float | None], *, failures: int) -> History:
        """Return the history of finished jobs: how long each that succeeded took, and how many failed."""
        import statistics  # noqa: PLC0415 - only for `flux providers`

        known = [seconds for seconds in waits if seconds is not None]
        return cls(jobs=len(waits) + failures, failures=failures, median=statistics.median(known) if known else None)


class Spend(NamedTuple):
    """What a group of jobs cost. An amount that is not known is ``None``, not 0."""

    name: str | None
    """What the jobs have in common; ``None`` where their model is not known, or where they have no label."""
    jobs: int
    images: int
    reported: float | None
    """USD, as the providers reported it, and 0 where nothing was charged."""
    estimated: float | None
    """USD, the estimates of the jobs whose cost was not reported."""
    credits: float | None
    """Of the providers that charge in credits."""
    unknown: int
    """Jobs whose cost is not known at all."""

    @classmethod
    def total(cls, groups: Sequence[Spend]) -> Spend:
        """Return the sum of groups that have no job in common."""
        return cls(
            name="total",
            jobs=sum(group.jobs for group in groups),
            images=sum(group.images for group in groups),
            reported=add_known([group.reported for group in groups]) if groups else 0.0,
            estimated=add_known([group.estimated for group in groups]),
            credits=add_known([group.credits for group in groups]),
            unknown=sum(group.unknown for group in groups),
        )


def add_known(amounts: Sequence[float | None]) -> float | None:
    """Return the sum of the amounts that are known, ``None`` where none is."""
    known = [amount for amount in amounts if amount is not None]
    return math.fsum(known) if known else None
