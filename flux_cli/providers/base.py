"""Define a provider: a value that consists of data and a few conversations.

The data lists the models and the options that each of them takes (see ``options``). The conversations are generator
functions that yield requests and interpret the answers (see `flux_cli.providers.conversation`).
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
"""The largest seed that flux draws; every provider accepts it."""
SEEDS = (-(2**63), 2**63 - 1)
"""The smallest and largest seed where the provider documents no limits: 64 bits, signed."""

USD, CREDITS = "USD", "credits"
"""The currencies of prices. What a credit is worth depends on what you paid for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """The price of one image, with its source and date."""

    amount: float
    currency: str = USD
    source: str
    date: str
    """ISO date of the source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One FLUX model at one provider."""

    name: str
    slug: str
    """The provider's own name of the model."""
    options: Mapping[str, Option]
    """By long name, with underscores. The model does not support any other option."""
    prompt_field: str = "prompt"
    prompt_length: tuple[int, int | None] = (1, None)
    """Shortest and longest prompt, in characters."""
    max_images: int = 1
    """The largest number of images in one job."""
    count_field: str = ""
    """The provider's field for the number of images, if it has one."""
    always_sent: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Options that are always sent, with the value used when you give none."""
    price: Price | None = None
    note: str = ""
    """A note shown when the model is used."""


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
        """Return the request body: ``fixed`` fields, the prompt, every option at its path, then ``--param`` values.

        Raises `UsageError` if a ``--param`` does not fit the structure of the body.
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
    """Set ``value`` at a dotted ``path`` in ``body``. Raises `UsageError` if a part of the path is not an object."""
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
    """The result of a submit: the job's id at the provider, and its state."""

    remote: RemoteJob
    state: State = Queued()  # noqa: RUF009 - frozen


@dataclass(frozen=True, slots=True, kw_only=True)
class LostSubmit:
    """A paid request whose answer was lost, with what identifies its job."""

    job_id: str
    """The job's own id."""
    idempotency_key: str
    body: Any
    """The request body as it was sent."""
    sent_at: float
    """Seconds since 1970, UTC, by the clock of this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The result of a key check."""

    balance: Cost | None = None
    name: str = ""
    prices: Mapping[str, float] = field(default_factory=dict[str, float])
    """The price of an image that the provider publishes, in USD, by model name."""
    credit_prices: Mapping[str, float] = field(default_factory=dict[str, float])
    """The same in credits, for a provider that charges in credits."""
    differences: tuple[str, ...] = ()
    """How what the provider publishes differs from the tables in flux, one sentence each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A hosted API: its data and its conversations. It does no I/O itself."""

    name: str
    title: str
    base_url: str
    """The documented base URL, without a trailing slash."""
    auth: tuple[str, str]
    """The header that carries the key, and the prefix of its value."""
    key_variables: tuple[str, ...]
    """Environment variables that may hold the key; flux recommends the first."""
    key_page: str
    """Where you create a key, to complete "create a key in …"."""
    docs: str
    models: Mapping[str, Model]
    submit: Callable[[PlannedJob], Flow[Accepted]]
    poll: Callable[[RemoteJob], Flow[State]]
    refusal: Callable[[Response], FluxError | None]
    """Return the error that an answer stands for, or ``None``. Called for every answer."""
    check: Callable[[], Flow[Account]]
    cancel: Callable[[RemoteJob], Flow[State]] | None = None
    """``None`` if the API cannot cancel a job."""
    find: Callable[[LostSubmit], Flow[RemoteJob | None]] | None = None
    """Look for a job whose answer was lost, using reads only. A result of ``None`` proves nothing."""
    reserved_fields: tuple[str, ...] = ()
    """Fields that flux fills in, so ``--param`` may not."""
    param_notes: Mapping[str, str] = field(default_factory=dict[str, str])
    """Notes shown when a ``--param`` is used, by path."""
    origins: tuple[str, ...] = ()
    """Other documented hosts of the provider that may receive the key."""
    idempotency_key_is_id: bool = False
    """Whether the job's idempotency key is also its id at the provider."""
    id_pattern: str = r"[A-Za-z0-9_-]{1,128}"
    """A pattern that matches the provider's job ids."""
    cancel_note: str = ""
    """When a job can be cancelled."""
    upload_note: str = ""
    """The endpoint that a local file is uploaded to, for people."""
    poll_seconds: float = 1.0
    """The shortest interval between polls, in seconds, as the provider documents it; 1 if it documents none."""
