"""What an image costs, from whoever can tell: the user, the host when it was last checked, its page, earlier jobs.

Estimates ask nobody over the network. A price is never guessed: where none of the four can tell, there is none.
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
"""What one image of an earlier job cost, in USD, and when that job was made, in seconds since 1970."""


class PriceFile:
    """What the hosts said that an image costs when they were last checked, in one small file.

    Many processes share it: it is replaced whole, and one that cannot be read tells no price.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def find(self, provider: str, model: str) -> Price | None:
        """Return what a host said of a model, with the day on which it did, ``None`` where it never did."""
        try:
            told = self._read()[provider][model]
            currency = str(told.get("currency", USD))
            source, date = f"published by {provider}", str(told["date"])
            return Price(amount=float(told["amount"]), currency=currency, source=source, date=date)
        except (LookupError, TypeError, ValueError, AttributeError):
            return None

    def keep(self, provider: str, prices: Mapping[str, float], *, now: float, currency: str = USD) -> None:
        """Write down what a host said at ``now``, in seconds since 1970. Raises ``OSError``."""
        date = datetime.fromtimestamp(now).astimezone().strftime("%Y-%m-%d")
        told = {model: {"amount": amount, "currency": currency, "date": date} for model, amount in prices.items()}
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = self._path.with_name(f".{self._path.name}.{uuid4().hex}")
        try:
            temporary.write_text(json.dumps({**self._read(), provider: told}, indent=1), "utf-8")
            os.replace(temporary, self._path)  # noqa: PTH105 - in one step
        finally:
            temporary.unlink(missing_ok=True)

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


class Prices:
    """The prices of one run: each is looked up once."""

    def __init__(
        self,
        *,
        own: Callable[[str, str], float | None],
        told: PriceFile,
        paid: Callable[[str, str], Sequence[Paid]],
    ) -> None:
        """Take three sources of the price of a provider's model; the provider's table stands before the last.

        ``own`` is the user's price, ``told`` holds what the host said of itself, and ``paid`` what an image cost in the
        latest jobs, newest first; it is asked only where nothing else tells a price.
        """
        self._own = own
        self.told = told
        self._paid = paid
        self._known: dict[tuple[str, str], Price | None] = {}

    def of(self, provider: str, model: str) -> Price | None:
        """Return what an image of ``model`` costs at ``provider``, in USD, ``None`` where nobody tells."""
        if (provider, model) not in self._known:
            self._known[provider, model] = self._find(provider, model)
        return self._known[provider, model]

    def _find(self, provider: str, model: str) -> Price | None:
        return self.stated(provider, model) or price_from_history(self._paid(provider, model))

    def stated(self, provider: str, model: str) -> Price | None:
        """Return the price that the user, the host or its page states, whatever earlier jobs did cost."""
        own = self._own(provider, model)
        if own is not None:
            return Price(amount=own, source="your config", date="")
        told = self.told.find(provider, model)
        if told is not None and told.currency == USD:
            return told
        hosted = providers.load(provider).models.get(model)
        if hosted is not None and hosted.price is not None and hosted.price.currency == USD:
            return hosted.price
        return None


def price_from_history(paid: Sequence[Paid]) -> Price | None:
    """Return the median of what was paid for an image, dated by the newest; ``None`` where nothing was."""
    if not paid:
        return None
    jobs = "1 job" if len(paid) == 1 else f"{len(paid)} jobs"
    return Price(
        amount=round(statistics.median(amount for amount, _ in paid), 6),
        source=f"from {jobs} on this machine",
        date=datetime.fromtimestamp(max(when for _, when in paid)).astimezone().strftime("%Y-%m-%d"),
    )
