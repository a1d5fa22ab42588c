"""What a provider is: a value made of data and of a few conversations.

The data half says which models there are and which of our options each of them takes (see ``options``). The other
half is generator functions, which say what to send and read what came back (see `flux_cli.providers.conversation`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flux_cli.errors import FluxError, UsageError
from flux_cli.jobs import Cost, Job, Queued, RemoteJob, State
from flux_cli.providers.conversation import Flow, Response
from flux_cli.providers.options import Option

SEED_LIMIT = 2**31 - 1
"""The largest seed that flux draws: every provider takes it."""
SEEDS = (-(2**63), 2**63 - 1)
"""The least and the largest seed where a host states no limits: what fits into 64 bits."""


USD, CREDITS = "USD", "credits"
"""The currencies of prices: a host may count in credits of its own, whose worth depends on what you paid for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one image costs, where that was read, and when."""

    amount: float
    currency: str = USD
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
    prompt_length: tuple[int, int | None] = (1, None)
    """Shortest and longest prompt, in characters."""
    max_images: int = 1
    """Images that one job can make."""
    count_field: str = ""
    """The provider's field for their number, where there is one."""
    always_sent: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Options that are always sent, with their default values."""
    price: Price | None = None
    note: str = ""
    """What to know about the model here before using it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedJob:
    """One job, ready to be submitted."""

    job: Job
    """Its ``parameters`` are the options as they are sent, with the ``--param`` values under ``param``."""
    model: Model
    wait: bool = True
    """False for ``--no-wait``."""
    fallbacks: tuple[PlannedJob, ...] = ()
    """The jobs that make the same images at the next provider, where this one turns out not to accept it."""

    def body(self, **fixed: Any) -> dict[str, Any]:
        """Return the request's body: ``fixed`` fields, the prompt, every option by its wire path, then ``--param``.

        Raises `UsageError` where a ``--param`` contradicts the shape of the rest.
        """
        body: dict[str, Any] = dict(fixed)
        put_at_path(body, self.model.prompt_field, self.job.prompt)
        for name, value in {**self.job.parameters, "seed": self.job.seed}.items():
            option = self.model.options.get(name)
            for path, sent in (option.wire(value) if option else {}).items():
                put_at_path(body, path, sent)
        for path, value in self.job.parameters.get("param", {}).items():
            put_at_path(body, path, value)
        return body


def put_at_path(body: dict[str, Any], path: str, value: Any) -> None:
    """Put ``value`` at a dotted ``path`` of ``body``. Raises `UsageError` where what is in the way is no object."""
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

    remote: RemoteJob
    state: State = Queued()  # noqa: RUF009 - frozen


@dataclass(frozen=True, slots=True, kw_only=True)
class LostSubmit:
    """A paid request whose answer was lost: what there is to look for."""

    job_id: str
    """The job's own id."""
    idempotency_key: str
    body: Any
    """As it was sent."""
    sent_at: float
    """Seconds since 1970, UTC, by our clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What a key check learned."""

    balance: Cost | None = None
    name: str = ""
    prices: Mapping[str, float] = field(default_factory=dict[str, float])
    """What the host says that an image costs, in USD, by the model's name."""
    credit_prices: Mapping[str, float] = field(default_factory=dict[str, float])
    """The same of a host that counts in credits."""
    differences: tuple[str, ...] = ()
    """How what the host publishes differs from our tables, a sentence each."""


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
    submit: Callable[[PlannedJob], Flow[Accepted]]
    poll: Callable[[RemoteJob], Flow[State]]
    refusal: Callable[[Response], FluxError | None]
    """What an answer means as a failure; ``None`` where it is none. Asked about every answer."""
    check: Callable[[], Flow[Account]]
    cancel: Callable[[RemoteJob], Flow[State]] | None = None
    """Absent where the API cannot cancel."""
    find: Callable[[LostSubmit], Flow[RemoteJob | None]] | None = None
    """Looks for a job whose answer was lost, by reads alone; ``None`` proves nothing. Absent where the API has none."""
    reserved_fields: tuple[str, ...] = ()
    """Fields that flux fills in and ``--param`` may not."""
    param_notes: Mapping[str, str] = field(default_factory=dict[str, str])
    """What to know about a ``--param`` before using it, by path."""
    origins: tuple[str, ...] = ()
    """Documented hosts of the provider, beside the base URL's, that may see the key."""
    idempotency_key_is_id: bool = False
    """Whether the handle that is made with the job is also its id at the provider."""
    id_pattern: str = r"[A-Za-z0-9_-]{1,128}"
    """What an id of this provider looks like."""
    cancel_note: str = ""
    """What to know about cancelling here."""
    upload_note: str = ""
    """Where a local file goes first, for people."""
    poll_seconds: float = 1.0
    """Seconds between two looks at a job that the provider's page asks for; 1 where it asks for none."""
