"""What an image costs, from whoever can tell: the user, else the provider's page, else what was paid here before.

Nobody is asked over the network. A price is never guessed: where none of the three can tell, there is none.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from datetime import datetime

from flux_cli import providers
from flux_cli.providers.base import Price

Paid = tuple[float, float]
"""What one image of an earlier job cost, in USD, and when that job was made, in seconds since 1970."""


class Prices:
    """The prices of one run: each is looked up once."""

    def __init__(self, *, own: Callable[[str, str], float | None], paid: Callable[[str, str], Sequence[Paid]]) -> None:
        """Ask ``own`` for the user's price of a provider's model, and ``paid`` for its latest jobs, newest first.

        ``paid`` is asked only where nothing else tells a price.
        """
        self._own = own
        self._paid = paid
        self._known: dict[tuple[str, str], Price | None] = {}

    def of(self, provider: str, model: str) -> Price | None:
        """Return what an image of ``model`` costs at ``provider``, in USD, ``None`` where nobody tells."""
        if (provider, model) not in self._known:
            self._known[provider, model] = self._find(provider, model)
        return self._known[provider, model]

    def _find(self, provider: str, model: str) -> Price | None:
        own = self._own(provider, model)
        if own is not None:
            return Price(amount=own, source="your config", date="")
        hosted = providers.load(provider).models.get(model)
        if hosted is not None and hosted.price is not None and hosted.price.currency == "USD":
            return hosted.price
        return learned(self._paid(provider, model))


def learned(paid: Sequence[Paid]) -> Price | None:
    """Return the median of what was paid for an image, dated by the newest; ``None`` where nothing was."""
    if not paid:
        return None
    jobs = "1 job" if len(paid) == 1 else f"{len(paid)} jobs"
    return Price(
        amount=round(statistics.median(amount for amount, _ in paid), 6),
        source=f"learned from {jobs} here",
        date=datetime.fromtimestamp(max(when for _, when in paid)).astimezone().strftime("%Y-%m-%d"),
    )
