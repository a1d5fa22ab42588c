"""What the engine needs from the outside: a transport, a job store, and an image store."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, NamedTuple, Protocol

from flux_cli.jobs import Image, Job
from flux_cli.money.limits import Limit
from flux_cli.providers.base import Provider
from flux_cli.providers.conversation import Request, Response

PolicyName = Literal["submit", "submit_row", "poll", "read", "cancel", "download"]
"""What something is tried for; the figures stand in the transport's table."""


class RetryPolicy(Protocol):
    """How often something is tried."""

    @property
    def attempts(self) -> int:
        """Attempts in all."""
        ...

    def pauses(self) -> Iterator[float]:
        """Yield the seconds between attempts, without end."""
        ...


class Transport(Protocol):
    """How requests travel."""

    def policy(self, name: PolicyName) -> RetryPolicy:
        """Return the retry policy of a name."""
        ...

    def send(
        self, provider: Provider, request: Request, *, sandbox: bool, policy: PolicyName, deadline: float = math.inf
    ) -> Response:
        """Return the answer to ``request``, repeated as the ``policy`` says where a repeat is safe.

        No pause lasts beyond the ``deadline``, a reading of the clock. Raises `FluxError`.
        """
        ...

    def download(self, url: str, *, sandbox: bool, deadline: float) -> Iterator[bytes]:
        """Yield the bytes behind a result's link until the clock's ``deadline``. Raises `FluxError`."""
        ...


class JobStore(Protocol):
    """Where jobs are stored durably."""

    def add(self, job: Job, limits: Sequence[Limit] = ()) -> Job:
        """Store a new job. Raises `PaymentError` where that would exceed one of the ``limits``."""
        ...

    def change(self, job_id: str, change: Callable[[Job], Job]) -> Job:
        """Replace a job by ``change`` of the newest version of it."""
        ...


class ImageStore(NamedTuple):
    """Where the images of one job are saved."""

    save: Callable[[Iterable[bytes], Image, int], Image]
    """Save the bytes of an image under its number (from 1), and return it with its path and what its bytes are."""
    is_saved: Callable[[Image], bool]
