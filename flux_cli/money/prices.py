"""Find what an image costs: from the user, the host's last answer, its documentation, or earlier jobs.

No price is asked over the network or guessed: where none of the four sources has one, there is none.
"""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from flux_cli import providers
from flux_cli.providers.base import USD, Price

Paid = tuple[float, float]
"""What an image of an earlier job cost, in USD, and when that job was created, in seconds since 1970."""


class PriceFile:
    """The prices that hosts reported when they were last checked, in one small file.

    Many processes share the file: it is replaced as a whole, and counts as empty where it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def find(self, provider: str, model: str) -> Price | None:
        """Return the price of a model that a host reported, with its day, or ``None``."""
        try:
            stored = self._read()[provider][model]
            currency = str(stored.get("currency", USD))
            source, date = f"published by {provider}", str(stored["date"])
            return Price(amount=float(stored["amount"]), currency=currency, source=source, date=date)
        except (LookupError, TypeError, ValueError, AttributeError):
            return None

    def save(self, provider: str, prices: Mapping[str, float], *, now: float, currency: str = USD) -> None:
        """Store the prices that a host reported at ``now``, in seconds since 1970. Raises ``OSError``."""
        date = datetime.fromtimestamp(now).astimezone().strftime("%Y-%m-%d")
        stored = {model: {"amount": amount, "currency": currency, "date": date} for model, amount in prices.items()}
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = self._path.with_name(f".{self._path.name}.{uuid4().hex}")
        try:
            temporary.write_text(json.dumps({**self._read(), provider: stored}, indent=1), "utf-8")
            os.replace(temporary, self._path)  # noqa: PTH105 - in one step
        finally:
            temporary.unlink(missing_ok=True)

    def _read(self) -> dict[str, Any]:
        try:
            stored = json.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return stored if isinstance(stored, dict) else {}


class Prices:
    """The prices of one run, each looked up once."""

    def __init__(
        self,
        *,
        own: Callable[[str, str], float | None],
        reported: PriceFile,
        paid: Callable[[str, str], Sequence[Paid]],
    ) -> None:
        """Take three sources of prices; the provider's own table comes before the last.

        ``own`` returns the user's price, ``reported`` holds what hosts reported, and ``paid`` returns what an image
        cost in the latest jobs, newest first; it is called only where no other source has a price.
        """
        self._own = own
        self.reported = reported
        self._paid = paid
        self._known: dict[tuple[str, str, Price | None], Price | None] = {}

    def of(self, provider: str, model: str, listed: Price | None = None) -> Price | None:
        """Return what an image of ``model`` costs at ``provider``, in USD, or ``None`` if unknown.

        ``listed`` is the price in the provider's table, if it is not that of the model's name.
        """
        key = provider, model, listed
        if key not in self._known:
            self._known[key] = self.stated(*key) or price_from_history(self._paid(provider, model))
        return self._known[key]

    def stated(self, provider: str, model: str, listed: Price | None = None) -> Price | None:
        """Return the price from the user, the host or its documentation, whatever earlier jobs cost."""
        own = self._own(provider, model)
        if own is not None:
            return Price(amount=own, source="your config", date="")
        hosted = providers.load(provider).models.get(model)
        listed = listed or (hosted.price if hosted is not None else None)
        listed = listed if listed is not None and listed.currency == USD else None
        reported = self.reported.find(provider, model)
        if reported is None or reported.currency != USD or (listed is not None and listed.steps):
            return listed  # one number cannot replace a price for each size
        if listed is None:
            return reported
        return listed._replace(amount=reported.amount, source=reported.source, date=reported.date)


def price_from_history(paid: Sequence[Paid]) -> Price | None:
    """Return the median of what was paid for an image, dated by the newest payment, or ``None``."""
    if not paid:
        return None
    jobs = "1 job" if len(paid) == 1 else f"{len(paid)} jobs"
    return Price(
        amount=round(statistics.median(amount for amount, _ in paid), 6),
        source=f"from {jobs} on this machine",
        date=datetime.fromtimestamp(max(when for _, when in paid)).astimezone().strftime("%Y-%m-%d"),
    )
