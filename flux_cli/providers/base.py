"""What a provider is: a value made of data and of three conversations.

The data half says which models there are, which of our options each of them takes, under which of the provider's own names,
in which range. Checking, sending, listing and completing options all read that one description.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flux_cli.errors import AuthError, FluxError, PaymentError, RefusedError, UnavailableError, UsageError
from flux_cli.flow import Flow, Response
from flux_cli.jobs import Cost, Params, Queued, Remote, State
from flux_cli.text import listed, nearest, sentence

SEED_LIMIT = 2**31 - 1
"""The largest seed that flux draws: every provider takes it."""


class Unfit(ValueError):  # noqa: N818 - reads as what it says of a value
    """A value that an option does not take. The message completes the sentence "runware: --quality …"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One of our options as one model takes it. Subclasses say which values."""

    field: str = ""
    """Dotted path in the request; with several fields, as the provider's page writes them."""
    default: str = ""
    """What the provider does when nothing is sent, in its own words."""
    note: str = ""
    """What the option means here, where that differs."""

    def check(self, value: Any) -> Any:
        """Return ``value`` as it is to be kept. Raises `Unfit`."""
        return value

    def wire(self, value: Any) -> dict[str, Any]:
        """Return what is sent for a checked ``value``, by dotted path."""
        return {self.field: value}

    @property
    def accepts(self) -> str:
        """The values, for people."""
        return "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(Option):
    """One of some words; each is sent as the value beside it."""

    values: Mapping[str, Any]

    def check(self, value: Any) -> Any:
        """Return the word. Raises `Unfit` with the nearest one."""
        if value not in self.values:
            near = nearest(str(value), self.values)
            message = f"takes {listed(self.values, last='or')}, not {value}" + (
                f"; did you mean {near}?" if near else ""
            )
            raise Unfit(message)
        return value

    def wire(self, value: Any) -> dict[str, Any]:
        """Return the provider's own word."""
        return {self.field: self.values[value]}

    @property
    def accepts(self) -> str:
        """The words."""
        return " ".join(self.values)


def words(*values: str) -> dict[str, str]:
    """Return the values of a `Choice` whose words are sent as they are."""
    return {value: value for value in values}


@dataclass(frozen=True, slots=True, kw_only=True)
class Range(Option):
    """A number from ``low`` to ``high``, both included; ``high`` may be open."""

    low: float
    high: float | None = None

    def check(self, value: Any) -> Any:
        """Return the number. Raises `Unfit`."""
        if value < self.low or (self.high is not None and value > self.high):
            message = f"takes {self.accepts}, not {value}"
            raise Unfit(message)
        return value

    @property
    def accepts(self) -> str:
        """The range."""
        return f"{self.low} or more" if self.high is None else f"{self.low} to {self.high}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch(Option):
    """On or off."""

    @property
    def accepts(self) -> str:
        """The two."""
        return "on off"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlwaysOn(Option):
    """Something that the provider does whether it is asked to or not."""

    def wire(self, value: Any) -> dict[str, Any]:  # noqa: ARG002 - there is nothing to send
        """Return nothing."""
        return {}

    @property
    def accepts(self) -> str:
        """The one value."""
        return "always on"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link(Option):
    """A web address of at most ``limit`` characters."""

    limit: int = 2048

    def check(self, value: Any) -> Any:
        """Return the address. Raises `Unfit`."""
        if not re.fullmatch(r"https?://[^\s/]+\S*", value):
            message = f"takes a web address (https://…), not {value}"
            raise Unfit(message)
        if len(value) > self.limit:
            message = f"takes an address of at most {self.limit} characters, not {len(value)}"
            raise Unfit(message)
        return value

    @property
    def accepts(self) -> str:
        """The kind of address."""
        return f"web address, up to {self.limit} characters"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture(Option):
    """An image: a web address, or a local file that a conversation uploads first."""

    @property
    def accepts(self) -> str:
        """The two ways."""
        return "web address or local file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels(Option):
    """Pairs of a key and a value that the provider stores with the job."""

    @property
    def accepts(self) -> str:
        """The form."""
        return "KEY=VALUE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratios(Option):
    """Aspect ratios that are sent as a width and a height from a table."""

    sizes: Mapping[str, tuple[int, int]]

    def check(self, value: Any) -> Any:
        """Return the ratio. Raises `Unfit` with the nearest one."""
        return Choice(values=self.sizes).check(value)

    def wire(self, value: Any) -> dict[str, Any]:
        """Return width and height in pixels."""
        width, height = self.sizes[value]
        return {"width": width, "height": height}

    @property
    def accepts(self) -> str:
        """The ratios, each with its pixels."""
        return " ".join(f"{ratio}={width}x{height}" for ratio, (width, height) in self.sizes.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixels(Option):
    """A width and a height: one of a table, or any on a grid."""

    table: tuple[tuple[int, int], ...] = ()
    low: int = 0
    high: int = 0
    step: int = 1

    def check(self, value: Any) -> Any:
        """Return ``WxH``. Raises `Unfit`, and names the nearest size."""
        found = re.fullmatch(r"(\d{1,6})x(\d{1,6})", str(value).lower())
        if not found:
            message = f"takes WIDTHxHEIGHT in pixels, such as 1024x1024, not {value}"
            raise Unfit(message)
        size = int(found[1]), int(found[2])
        near = self.nearest(size)
        if near != size:
            message = f"takes {self.accepts}, not {value}; the nearest is {near[0]}x{near[1]}"
            raise Unfit(message)
        return f"{size[0]}x{size[1]}"

    def nearest(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the size that the model takes and that differs least from ``size``."""
        if self.table:
            return min(self.table, key=lambda known: abs(known[0] - size[0]) + abs(known[1] - size[1]))
        width, height = (min(max(round(side / self.step) * self.step, self.low), self.high) for side in size)
        return width, height

    def wire(self, value: Any) -> dict[str, Any]:
        """Return width and height in pixels."""
        width, height = value.split("x")
        return {"width": int(width), "height": int(height)}

    @property
    def accepts(self) -> str:
        """The sizes."""
        if self.table:
            return " ".join(f"{width}x{height}" for width, height in self.table)
        return f"{self.low} to {self.high} a side, in multiples of {self.step}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one image costs, where that was read, and when."""

    amount: float
    currency: str = "USD"
    source: str
    date: str
    """ISO date of the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One FLUX model at one provider."""

    name: str
    slug: str
    """The provider's own name of the model."""
    options: Mapping[str, Option]
    """By our long name, with underscores. What is missing here the model cannot do."""
    prompt_field: str = "prompt"
    prompt: tuple[int, int | None] = (1, None)
    """Shortest and longest prompt, in characters."""
    most: int = 1
    """Images that one job can make."""
    implied: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Options that are always sent, with the value they have when nobody asks."""
    price: Price | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """All that a submit needs to know."""

    params: Params
    model: Model
    job: str
    """The job's own id."""
    handle: str
    """A UUID made with the job."""
    wait: bool = True
    """False for ``--no-wait``."""

    def body(self, **fixed: Any) -> dict[str, Any]:
        """Return the request's body: ``fixed`` fields, the prompt, every option by its wire path, then ``--param``.

        Raises `UsageError` where a ``--param`` contradicts the shape of the rest.
        """
        body: dict[str, Any] = dict(fixed)
        place(body, self.model.prompt_field, self.params.prompt)
        for name, value in self.params.options.items():
            option = self.model.options.get(name)
            for path, sent in (option.wire(value) if option else {}).items():
                place(body, path, sent)
        for path, value in self.params.extra.items():
            place(body, path, value)
        return body


def place(body: dict[str, Any], path: str, value: Any) -> None:
    """Put ``value`` at a dotted ``path`` of ``body``. Raises `UsageError` where something else than an object is in the way."""
    *parents, last = path.split(".")
    here: Any = body
    for name in parents:
        here = here.setdefault(name, {})
        if not isinstance(here, dict):
            message = f"--param {path}: {name} is not an object"
            raise UsageError(message)
    here[last] = value


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What a submit learned: the job's id at the provider, and how it stands."""

    remote: Remote
    state: State = Queued()  # noqa: RUF009 - frozen


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What a key check learned."""

    balance: Cost | None = None
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A hosted API: its data, and how to talk to it. It does no I/O of its own."""

    name: str
    title: str
    base_url: str
    """The documented root, without a trailing slash."""
    auth: tuple[str, str]
    """Header and prefix that carry the key."""
    key_variables: tuple[str, ...]
    """Environment variables that may hold the key, the first one ours to recommend."""
    key_page: str
    """Where a person gets a key."""
    docs: str
    models: Mapping[str, Model]
    submit: Callable[[Order], Flow[Accepted]]
    poll: Callable[[Remote], Flow[State]]
    refusal: Callable[[Response], FluxError | None]
    """What an answer means as a failure; ``None`` where it is none. Asked about every answer."""
    check: Callable[[], Flow[Account]]
    cancel: Callable[[Remote], Flow[State]] | None = None
    """Absent where the API cannot cancel."""
    owned: tuple[str, ...] = ()
    """Fields that flux fills in and ``--param`` may not."""
    param_notes: Mapping[str, str] = field(default_factory=dict[str, str])
    """What to know about a ``--param`` before using it, by path."""
    origins: tuple[str, ...] = ()
    """Documented hosts of the provider, beside the base URL's, that may see the key."""
    handle_is_id: bool = False
    """Whether the handle that is made with the job is also its id at the provider."""
    id_pattern: str = r"[A-Za-z0-9_-]{1,128}"
    """What an id of this provider looks like."""
    cancel_note: str = ""
    """What to know about cancelling here."""
    upload: str = ""
    """Where a local file goes first, for people."""


def refused(response: Response, text: str, *, provider: str, vendor_code: str = "") -> FluxError | None:
    """Return what an HTTP status of 400 or more means, in ``text``'s words; ``None`` for any other.

    5xx is left to the transport, which alone knows what was sent and whether it is safe to repeat.
    """
    status = response.status
    if status < 400 or (status >= 500 and status != 503):  # noqa: PLR2004 - HTTP classes
        return None
    said = f"{provider}: {sentence(text) or f'HTTP {status}'}"
    after = retry_after(response)
    match status:
        case 401 | 403:
            return AuthError(said, vendor_code=vendor_code)
        case 402:
            return PaymentError(said, vendor_code=vendor_code)
        case 429:
            return UnavailableError(said, vendor_code=vendor_code, retry_after=after)
        case 503:
            return UnavailableError(said, vendor_code=vendor_code, retry_after=after) if vendor_code else None
        case 400 | 413 | 414 | 415 | 422:
            return UsageError(said, vendor_code=vendor_code)
        case _:
            return RefusedError(said, vendor_code=vendor_code)


def retry_after(response: Response) -> float | None:
    """Return the seconds of ``Retry-After`` in its numeric form, or ``None``."""
    value = response.headers.get("retry-after", "")
    return float(value) if re.fullmatch(r"\d{1,6}(\.\d+)?", value) else None


_BLOCKED = re.compile(
    r"moderat|content.?policy|nsfw|safety (system|filter|check)|flagged|sensitive content|prohibited content",
    re.IGNORECASE,
)


def blocked(text: str) -> bool:
    """Whether free text of a failure speaks of moderation, at the hosts that have no code for it."""
    return bool(_BLOCKED.search(text))
