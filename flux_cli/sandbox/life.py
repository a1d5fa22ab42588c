"""Define a job of the sandbox and its state at a given time, which depends on the clock and not on the polls.

A prompt can request a failure with a word such as ``sandbox:moderated``; `REHEARSALS` lists them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal

Phase = Literal["queued", "running", "done", "cancelled"]

REHEARSALS = (
    "moderated",
    "fail",
    "unauthorized",
    "credits",
    "rate-limit",
    "lost-reply",
    "lost-replies",
    "cancelled",
    "slow",
    "never",
    "bad-image",
    "broken-download",
    "nsfw",
)
"""The words that may follow ``sandbox:`` in a prompt."""

BLOCKS = (
    "the request was blocked by the content policy",
    "Request Moderated",
    "The prompt contains prohibited words.",
    "The output was flagged as sensitive. (E005)",
)
"""How providers without a code for it have worded a block; the seed chooses one."""

QUEUED_SHARE = 0.3
"""The fraction of its duration that a job spends in the queue."""
SLOWNESS = 15
"""How many times longer a slow job takes."""


def rehearsals(prompt: str) -> frozenset[str]:
    """Return the rehearsals in a prompt."""
    return frozenset(re.findall(r"sandbox:([a-z]+(?:-[a-z]+)*)", prompt)) & frozenset(REHEARSALS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One accepted request: what it asks for, and when it arrived."""

    id: str
    model: str
    prompt: str
    seed: int
    created: float
    """Seconds since 1970."""
    hold: float
    """Its duration in seconds."""
    width: int
    height: int
    format: str
    """``jpg``, ``png`` or ``webp``."""
    quality: int = 90
    count: int = 1
    inputs: list[str] = field(default_factory=list[str])
    """The names of its input images in the store, in order; empty for one behind a link."""
    asked: Any = None
    """The request body as it arrived, with short forms of images; plain JSON."""
    cost: float = 0.0
    """The price of one image, in USD."""
    cancelled: bool = False

    @property
    def plays(self) -> frozenset[str]:
        """The rehearsals in its prompt."""
        return rehearsals(self.prompt)

    @property
    def blocked(self) -> bool:
        """Whether it ends in a content block."""
        return "moderated" in self.plays

    @property
    def block(self) -> str:
        """The message of its content block."""
        return BLOCKS[self.seed % len(BLOCKS)]

    @property
    def broken(self) -> bool:
        """Whether it ends in an ordinary failure."""
        return "fail" in self.plays and not self.blocked

    @property
    def stopped(self) -> bool:
        """Whether the provider cancels it at the time when it would be done."""
        return "cancelled" in self.plays and not self.blocked and not self.broken

    @property
    def imageless(self) -> bool:
        """Whether it ends without an image."""
        return self.blocked or self.broken or self.stopped

    @property
    def started(self) -> float:
        """When it leaves the queue."""
        return self.created + QUEUED_SHARE * self.hold

    @property
    def ended(self) -> float:
        """When it is done, if ever."""
        return self.created + self.hold

    def phase(self, now: float) -> Phase:
        """Return its phase."""
        if self.cancelled:
            return "cancelled"
        if now < self.started:
            return "queued"
        return "running" if now < self.ended or "never" in self.plays else "done"

    def ready(self, now: float) -> int:
        """Return how many of its images exist; they are made one after the other while it runs."""
        match self.phase(now):
            case "done":
                return 0 if self.imageless else self.count
            case "running" if not (self.imageless or "never" in self.plays):
                return int(self.count * self._share(now))
            case _:
                return 0

    def progress(self, now: float) -> int:
        """Return its progress: 0 to 99, and 100 only when it is done."""
        match self.phase(now):
            case "running":
                return min(99, int(100 * self._share(now)))
            case "done":
                return 100
            case _:
                return 0

    def position(self, now: float) -> int:
        """Return its position in the queue, from 3 down to 1."""
        left = (self.started - now) / (self.started - self.created)
        return min(3, 1 + int(3 * left))

    def _share(self, now: float) -> float:
        return (now - self.started) / (self.ended - self.started) if self.ended > self.started else 1.0
