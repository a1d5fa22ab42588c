"""The nouns: what is asked for, what a provider says about it, and the job that stands in the ledger."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from flux_cli.errors import FluxError

if TYPE_CHECKING:
    from collections.abc import Mapping

ReadyInterval = tuple[float, float]
"""Seconds after acceptance: the last poll that found the job running (0 if none did), the first that found it done."""

Status = Literal["submitting", "queued", "running", "succeeded", "failed", "cancelled", "unknown"]

ACTIVE: frozenset[Status] = frozenset({"submitting", "queued", "running"})
"""The provider may still be working on it."""
FINISHED: frozenset[Status] = frozenset({"succeeded", "failed", "cancelled"})
"""Nothing more will change at the provider."""

SEARCH_SECONDS = 86_400.0
"""Seconds for which a job whose answer was lost is looked for."""

_LEEWAY = 0.05
"""By how much, as a part, an image may miss a ratio that was asked for: hosts round sides to multiples of 32 pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """What one job asks for, in our own words."""

    prompt: str
    seed: int
    count: int = 1
    """Images this one job makes; more than one only where the API can."""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Options by their long name with underscores, such as ``aspect_ratio``; only those that are sent or honoured."""
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """``--param`` values by dotted path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Money or credits, as the provider told."""

    amount: float
    currency: str = "USD"
    """``USD``, or ``credits`` where the provider counts in its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image: where it can be had, what is known of it, and where it was saved."""

    key: str = ""
    """The provider's id of the image, or empty."""
    url: str | None = None
    data: bytes | None = field(default=None, repr=False)
    """The bytes, where the API sent them in its answer; never written to the ledger."""
    seed: int | None = None
    nsfw: bool | None = None
    width: int | None = None
    height: int | None = None
    content_type: str | None = None
    size: int | None = None
    """Bytes on disk."""
    path: str | None = None
    """Absolute path, once saved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """Accepted, not started."""

    position: int | None = None
    """How many stand before it, where the provider tells."""
    seen: bool = True
    """False where the answer would be the same for a job the provider has never heard of."""
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """Started, or in a state we have never heard of (then ``detail`` holds its name)."""

    progress: float | None = None
    """0 to 100."""
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeeded:
    """The images exist at the provider."""

    images: tuple[Image, ...]
    seed: int | None = None
    cost: Cost | None = None
    timing: Mapping[str, float] = field(default_factory=dict[str, float])
    """Milliseconds by name."""
    error: FluxError | None = None
    """Set where some of the images could not be made."""
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The provider gave up; ``error`` says why."""

    error: FluxError
    cost: Cost | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """Ended by a cancel: taken off the queue, or stopped at the provider, and then perhaps charged."""

    cost: Cost | None = None
    error: FluxError | None = None
    """Set where the provider does not say whether the job was charged."""


State = Queued | Running | Succeeded | Failed | Cancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteJob:
    """A job as its provider knows it: all that is needed to ask about it."""

    id: str
    poll_state: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Facts from the submit that reading the answers needs; plain JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One paid request at one provider: a row of the ledger."""

    id: str
    run: str
    provider: str
    model: str | None
    """``None`` for a job made elsewhere whose model nobody told us."""
    prompt: str
    created_at: float
    """Seconds since 1970, UTC, as all times here."""
    status: Status = "submitting"
    sandbox: bool = False
    seed: int | None = None
    count: int = 1
    """Images it was asked for; 0 where nobody told us."""
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    skipped: tuple[str, ...] = ()
    """Options of the config that this provider and model cannot honour."""
    idempotency_key: str = ""
    """UUID made with the job: what makes a repeat of the submit safe, where the provider has such a thing."""
    remote_id: str | None = None
    poll_state: Mapping[str, Any] = field(default_factory=dict[str, Any])
    request: Mapping[str, Any] | None = None
    """The paid request as it was sent: method, path, headers, body. No credentials."""
    detail: str | None = None
    queue_position: int | None = None
    progress: float | None = None
    images: tuple[Image, ...] = ()
    cost: Cost | None = None
    timing: Mapping[str, float] = field(default_factory=dict[str, float])
    error: FluxError | None = None
    finished_at: float | None = None
    owner: str = ""
    """The process that submits it, as ``host:pid``."""
    row: int | None = None
    """Which row of the batch, from 1."""
    batch: str | None = None
    """The batch file, as an absolute path; ``-`` for standard input."""
    row_key: str = ""
    """Tells one row of a batch from any other, wherever in the file it stands."""
    first_index: int = 1
    """Number of its first image within the run, or within the row of a batch, from 1."""
    estimate: float | None = None
    """What it was expected to cost when it was submitted, in USD, where anybody could tell."""
    accepted_at: float | None = None
    """When the provider's answer to the submit was read."""
    ready_between: ReadyInterval | None = None
    """Seconds after it was accepted: the last look that found it at work, and the first that found it done."""

    @property
    def remote(self) -> RemoteJob:
        """The job as its provider knows it."""
        wanted = {"count": self.count} if self.count else {}
        return RemoteJob(id=self.remote_id or "", poll_state={**wanted, **self.poll_state})

    @property
    def active(self) -> bool:
        """Whether the provider may still be working on it."""
        return self.status in ACTIVE

    @property
    def status_text(self) -> str:
        """How it stands, in a few words for people."""
        if self.detail:
            return f"{self.status} ({self.detail})"
        if self.queue_position is not None:
            return f"{self.status} (position {self.queue_position})"
        if self.progress is not None:
            return f"{self.status} ({self.progress:.0f} %)"
        if self.status == "failed" and self.error is not None and self.error.code != "failed":
            return f"{self.status} ({self.error.code})"
        return self.status

    @property
    def started_at(self) -> float:
        """When the provider began to work on it, as closely as we know."""
        return self.created_at if self.accepted_at is None else self.accepted_at

    @property
    def duration(self) -> float | None:
        """Seconds from its acceptance until its images were ready, as closely as our looks at it tell."""
        return None if self.ready_between is None or self.status != "succeeded" else midpoint(self.ready_between)

    @property
    def has_unsaved_images(self) -> bool:
        """Whether it has images that were never put on disk."""
        return self.status == "succeeded" and any(image.path is None for image in self.images)

    @property
    def shape(self) -> str:
        """What was asked for, as ``WxH`` in pixels or as a ratio; empty where nothing was."""
        return str(self.parameters.get("size") or self.parameters.get("aspect_ratio") or "")

    @property
    def shape_differs(self) -> bool:
        """Whether an image is known to have another shape than was asked for."""
        return any(differs(self.shape, image.width, image.height) for image in self.images)


def differs(shape: str, width: int | None, height: int | None) -> bool:
    """Whether an image of these pixels is plainly not of a ``shape``: other pixels, or more than a twentieth off."""
    found = re.match(r"([1-9]\d{0,5})([x:])([1-9]\d{0,5})(?!\d)", shape)
    if found is None or not width or not height:
        return False
    wide, high = int(found[1]), int(found[3])
    if found[2] == "x":
        return (width, height) != (wide, high)
    return abs(math.log(width * high / (height * wide))) > _LEEWAY


def midpoint(interval: ReadyInterval) -> float:
    """Return how long a job took, as closely as its interval tells."""
    low, high = interval
    return (low + high) / 2 if low else high


def advance(job: Job, state: State, *, now: float) -> Job:
    """Return ``job`` as ``state`` has it. A finished job keeps the time at which we first saw it finished."""
    if isinstance(state, Queued | Running) and job.status in FINISHED:
        return job  # an answer that was on its way while another process saw the end
    if isinstance(state, Failed | Cancelled) and job.status == "succeeded":
        return job  # the images were made, whatever becomes of the provider's memory of them
    if isinstance(state, Queued) and not state.seen and job.status == "unknown":
        return job
    settled = replace(job, detail=None, queue_position=None, progress=None, error=None)
    ended = replace(settled, finished_at=job.finished_at or now)
    if isinstance(state, Succeeded):
        return replace(
            ended,
            status="succeeded",
            detail=state.detail,
            images=_merge_images(job.images, state.images),
            seed=job.seed if job.seed is not None else state.seed,
            cost=state.cost or job.cost,
            timing=dict(state.timing) or job.timing,
            error=state.error,
        )
    if isinstance(state, Failed):
        cost = state.cost or job.cost
        if cost is not None:
            state.error.charged = "yes" if cost.amount > 0 else "no"
        return replace(ended, status="failed", error=state.error, cost=cost)
    if isinstance(state, Cancelled):
        return replace(ended, status="cancelled", cost=state.cost or job.cost, error=state.error)
    if isinstance(state, Running):
        return replace(settled, status="running", progress=state.progress, detail=state.detail)
    return replace(settled, status="queued", queue_position=state.position, detail=state.detail)


def _merge_images(known: tuple[Image, ...], told: tuple[Image, ...]) -> tuple[Image, ...]:
    """Return ``told`` in the order that is known, keeping where each image was saved and what its bytes proved to be.

    Only the link is taken from a newer answer. An image that it no longer lists stays: it was made.
    """
    fresh = {image.key or str(place): image for place, image in enumerate(told)}
    merged: list[Image] = []
    for place, before in enumerate(known):
        image = fresh.pop(before.key or str(place), None)
        if image is None:
            merged.append(before)
        else:
            merged.append(image if before.path is None else replace(before, url=image.url, data=image.data))
    return (*merged, *fresh.values())
