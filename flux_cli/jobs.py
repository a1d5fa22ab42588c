"""Define jobs and their images, costs and states, and how a state advances a job."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from flux_cli.errors import FluxError

if TYPE_CHECKING:
    from collections.abc import Mapping

ReadyInterval = tuple[float, float]
"""Seconds after acceptance: the last poll that found the job running (0 if none did), and the first after its end."""

Status = Literal["submitting", "queued", "running", "succeeded", "failed", "cancelled", "unknown"]

ACTIVE: frozenset[Status] = frozenset({"submitting", "queued", "running"})
"""The provider may still be working on it."""
FINISHED: frozenset[Status] = frozenset({"succeeded", "failed", "cancelled"})
"""Nothing more will change at the provider."""

SEARCH_SECONDS = 86_400.0
"""Seconds for which a job whose answer was lost is looked for."""

_TOLERANCE = 0.05
"""How far the shape of an image may be off, as a fraction: providers round sides to multiples of 32 pixels."""


class Cost(NamedTuple):
    """An amount of money or credits, as the provider reports it."""

    amount: float
    currency: str = "USD"
    """``USD``, or ``credits`` if the provider charges in credits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image: its link or data, what is known about it, and where it was saved."""

    key: str = ""
    """The provider's id of the image, or empty."""
    url: str | None = None
    data: bytes | None = field(default=None, repr=False)
    """The bytes, if they were part of the answer; never stored in the ledger."""
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
class LocalFile:
    """A local image file that a job sends. Inside a JSON body, it stands for its content in base64."""

    path: str
    media_type: str
    size: int
    """Bytes."""
    sha256: str
    """Of the file that was named, also if this is an upright copy of it."""
    width: int
    height: int
    name: str = ""
    """What was named, if this is a copy of it."""
    modified: int | None = None
    """When it was last changed, in nanoseconds since 1970."""
    form: Literal["data-uri", "base64"] = "data-uri"

    @property
    def prefix(self) -> str:
        """The text before the base64."""
        return f"data:{self.media_type};base64," if self.form == "data-uri" else ""

    @property
    def encoded_size(self) -> int:
        """Bytes of its base64, with the prefix."""
        return len(self.prefix) + 4 * ((self.size + 2) // 3)

    def __str__(self) -> str:
        return f"({self.form} of {self.name or self.path}: {self.size} bytes, sha256 {self.sha256})"


class Queued(NamedTuple):
    """Accepted, not started."""

    position: int | None = None
    """The position in the queue, if the provider reports it."""
    seen: bool = True
    """False if the answer would be the same for a job that the provider does not know."""
    detail: str | None = None


class Running(NamedTuple):
    """Started, or in a state that flux does not know, whose name is then in ``detail``."""

    progress: float | None = None
    """0 to 100."""
    detail: str | None = None


class Succeeded(NamedTuple):
    """The images exist at the provider."""

    images: tuple[Image, ...]
    seed: int | None = None
    cost: Cost | None = None
    timing: Mapping[str, float] = MappingProxyType({})
    """Milliseconds by name."""
    error: FluxError | None = None
    """Set if some of the images could not be made."""
    detail: str | None = None
    ended_at: float | None = None
    """When the job ended, in seconds since 1970, UTC, where the provider says so and images do not last."""


class Failed(NamedTuple):
    """The job failed; ``error`` says why."""

    error: FluxError
    cost: Cost | None = None


class Cancelled(NamedTuple):
    """Cancelled: removed from the queue, or stopped while running and then possibly charged."""

    cost: Cost | None = None
    error: FluxError | None = None
    """Set if the provider does not say whether the job was charged."""


State = Queued | Running | Succeeded | Failed | Cancelled


class RemoteJob(NamedTuple):
    """A job as its provider knows it: what is needed to poll it."""

    id: str
    poll_state: Mapping[str, Any] = MappingProxyType({})
    """Data from the submit that is needed to read the answers; plain JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One paid request at one provider: a row of the ledger."""

    id: str
    run: str
    provider: str
    model: str | None
    """``None`` if the job was made elsewhere and its model is not known."""
    prompt: str
    created_at: float
    """Seconds since 1970, UTC, like all times in this module."""
    status: Status = "submitting"
    sandbox: bool = False
    seed: int | None = None
    count: int = 1
    """The number of images requested; 0 if it is not known."""
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    skipped: tuple[str, ...] = ()
    """Options from the config that this provider and model do not support."""
    idempotency_key: str = ""
    """A UUID made with the job; makes it safe to repeat the submit, if the provider supports that."""
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
    """The number of its row in the batch, from 1."""
    batch: str | None = None
    """The batch file, as an absolute path; ``-`` for standard input."""
    row_key: str = ""
    """Identifies a row of a batch, wherever it is in the file."""
    first_index: int = 1
    """The number of its first image within the run, or within the row of a batch, from 1."""
    estimate: float | None = None
    """The cost expected when it was submitted, in USD; ``None`` if no price was known."""
    accepted_at: float | None = None
    """When the provider's answer to the submit was read."""
    ready_between: ReadyInterval | None = None
    """When it became ready, in seconds after it was accepted."""

    @property
    def remote(self) -> RemoteJob:
        """The job as its provider knows it."""
        count = {"count": self.count} if self.count else {}
        return RemoteJob(id=self.remote_id or "", poll_state={**count, **self.poll_state})

    @property
    def active(self) -> bool:
        """Whether the provider may still be working on it."""
        return self.status in ACTIVE

    @property
    def status_text(self) -> str:
        """The status in a few words, for people."""
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
        """When the provider accepted it, or when it was created if that is not known."""
        return self.created_at if self.accepted_at is None else self.accepted_at

    @property
    def duration(self) -> float | None:
        """Seconds from acceptance until the images were ready, as closely as the polls show."""
        return None if self.ready_between is None or self.status != "succeeded" else midpoint(self.ready_between)

    @property
    def has_unsaved_images(self) -> bool:
        """Whether it has images that were never saved."""
        return self.status == "succeeded" and any(image.path is None for image in self.images)

    @property
    def shape(self) -> str:
        """The requested shape, as ``WxH`` in pixels or as a ratio; empty if none was requested."""
        return str(self.parameters.get("size") or self.parameters.get("aspect_ratio") or "")

    @property
    def shape_differs(self) -> bool:
        """Whether an image is known to differ from the requested shape."""
        return any(differs(self.shape, image.width, image.height) for image in self.images)


def differs(shape: str, width: int | None, height: int | None) -> bool:
    """Whether an image of these pixels differs from ``shape``: in its pixels, or by more than 5 % from a ratio."""
    found = re.match(r"([1-9]\d{0,5})([x:])([1-9]\d{0,5})(?!\d)", shape)
    if found is None or not width or not height:
        return False
    columns, rows = int(found[1]), int(found[3])
    if found[2] == "x":
        return (width, height) != (columns, rows)
    return abs(math.log(width * rows / (height * columns))) > _TOLERANCE


def midpoint(interval: ReadyInterval) -> float:
    """Return the best estimate of when a job was ready, given its interval."""
    low, high = interval
    return (low + high) / 2 if low else high


def advance(job: Job, state: State, *, now: float) -> Job:
    """Return ``job`` in its new ``state``. A finished job keeps the time when it ended, or was first seen finished."""
    if isinstance(state, Queued | Running) and job.status in FINISHED:
        return job  # a late answer: another process has already seen the end
    if isinstance(state, Failed | Cancelled) and job.status == "succeeded":
        return job  # the images were made, whatever the provider says later
    if isinstance(state, Queued) and not state.seen and job.status == "unknown":
        return job
    settled = replace(job, detail=None, queue_position=None, progress=None, error=None)
    ended = replace(settled, finished_at=job.finished_at or now)
    if isinstance(state, Succeeded):
        return replace(
            ended,
            status="succeeded",
            finished_at=job.finished_at or min(now, max(job.started_at, state.ended_at or now)),
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


def _merge_images(known: tuple[Image, ...], reported: tuple[Image, ...]) -> tuple[Image, ...]:
    """Merge the images of a newer answer into the known ones, keeping their order and what is known of saved files.

    Only the link of a saved image is updated. An image that is no longer reported stays, because it was made.
    """
    fresh = {image.key or str(place): image for place, image in enumerate(reported)}
    merged: list[Image] = []
    for place, before in enumerate(known):
        image = fresh.pop(before.key or str(place), None)
        if image is None:
            merged.append(before)
        else:
            merged.append(image if before.path is None else replace(before, url=image.url, data=image.data))
    return (*merged, *fresh.values())
