"""What the engine needs from the outside, as it wants to see it: a wire, a book, a shelf."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from flux_cli.jobs import Image, Job
from flux_cli.money.limits import Limit
from flux_cli.providers.base import Provider
from flux_cli.providers.conversation import Request, Response


class Transport(Protocol):
    """How requests travel."""

    def send(
        self, provider: Provider, request: Request, *, sandbox: bool, tries: int, deadline: float = math.inf
    ) -> Response:
        """Return the answer to ``request``, without waiting for a better moment beyond the ``deadline``.

        That is a reading of the clock. Raises `FluxError`.
        """
        ...

    def download(self, url: str, *, sandbox: bool, deadline: float) -> Iterator[bytes]:
        """Yield the bytes behind a result's link until the clock's ``deadline``. Raises `FluxError`."""
        ...


class JobStore(Protocol):
    """Where jobs are written down, durably."""

    def add(self, job: Job, limits: Sequence[Limit] = ()) -> Job:
        """Write down a new job. Raises `PaymentError` where that would pass one of the ``limits``."""
        ...

    def change(self, job_id: str, change: Callable[[Job], Job]) -> Job:
        """Replace a job by ``change`` of the newest version of it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageStore:
    """Where the images of one job go: ``save`` puts one there, ``kept`` tells whether one is still there."""

    save: Callable[[Iterable[bytes], Image, int], Image]
    """From the bytes, the image and its number (from 1): the image with its path and what its bytes are."""
    is_saved: Callable[[Image], bool]
