"""Define a provider: a value that consists of data and a few conversations.

The data lists the models and the options that each of them takes (see ``options``). The conversations are generator
functions that yield requests and interpret the answers (see `flux_cli.providers.conversation`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from flux_cli.errors import FluxError, UsageError
from flux_cli.jobs import Cost, Job, LocalFile, Queued, RemoteJob, State
from flux_cli.providers.conversation import Flow, Response
from flux_cli.providers.image_input import ImageInput, list_images
from flux_cli.providers.options import Confidence, InvalidValue, Option

SEED_LIMIT = 2**31 - 1
"""The largest seed that flux draws; every provider accepts it."""
SEEDS = (-(2**63), 2**63 - 1)
"""The smallest and largest seed where the provider documents no limits: 64 bits, signed."""

INTERFACE = 1
"""The version of what this module defines; a plug-in that is made for another one is refused."""

USD, CREDITS = "USD", "credits"
"""The currencies of prices. What a credit is worth depends on what you paid for it."""


class Price(NamedTuple):
    """The price of one image, with its source and date.

    By default it is the same for every image. A megapixel is 2^20 pixels; each image counts as whole megapixels, and as
    one at least.
    """

    amount: float
    """For an image, or for its first megapixel."""
    source: str
    date: str
    """ISO date of the source."""
    further: float = 0.0
    """For each further megapixel."""
    inputs: float = 0.0
    """For each megapixel of each input image."""
    steps: tuple[tuple[int, float], ...] = ()
    """Instead, the price of images of up to so many pixels, the smallest first."""
    currency: str = USD

    def estimate(self, pixels: int, inputs: Sequence[int] = ()) -> float:
        """Return the price of an image of ``pixels``, made from ``inputs`` of so many pixels each."""
        if self.steps:
            return next((amount for most, amount in self.steps if pixels <= most), self.steps[-1][1])
        return (
            self.amount
            + self.further * (count_megapixels(pixels) - 1)
            + self.inputs * sum(count_megapixels(one) for one in inputs)
        )

    @property
    def rule(self) -> str:
        """The rule for people, such as "$0.03, $0.015 for each further megapixel"."""
        unit = "${:g}" if self.currency == USD else f"{{:g}} {self.currency}"
        if self.steps:
            return f"{unit.format(self.steps[0][1])} to {unit.format(self.steps[-1][1])}, by size"
        words = [unit.format(self.amount)]
        words += [f"{unit.format(self.further)} for each further megapixel"] if self.further else []
        words += [f"{unit.format(self.inputs)} for each megapixel of input images"] if self.inputs else []
        return ", ".join(words)


def count_megapixels(pixels: int) -> int:
    """Return how many megapixels are billed."""
    return max(-(-pixels // 2**20), 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model at one provider."""

    name: str
    slug: str
    """The provider's own name of the model."""
    options: Mapping[str, Option]
    """By long name, with underscores. The model does not support any other option."""
    endpoint: str = ""
    """The path it is submitted to, if that is not the provider's usual one."""
    prompt_field: str = "prompt"
    prompt_length: tuple[int, int | None] = (1, None)
    """Shortest and longest prompt, in characters; an empty one is not sent."""
    max_images: int = 1
    """The largest number of images in one job."""
    count_field: str = ""
    """The provider's field for the number of images, if it has one."""
    fixed: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Fields that are always sent with the same value, by dotted path."""
    always_sent: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Options that are always sent, with the value used when you give none."""
    largest: int = 2**20
    """Pixels of the largest image, for the estimate where the model chooses the size."""
    price: Price | None = None
    note: str = ""
    """A note shown when the model is used."""
    confidence: Confidence = ""
    """Where its id comes from."""
    variants: tuple[Model, ...] = ()
    """The same model under another id or endpoint, for another number of input images."""

    @property
    def takes_seed(self) -> bool:
        """Whether its images have a seed."""
        return "seed" in self.options

    @property
    def draws_seed(self) -> bool:
        """Whether a seed is drawn if none is given: only where the provider documents the field."""
        return self.takes_seed and not self.options["seed"].confidence

    @property
    def image_input(self) -> ImageInput | None:
        """Its option for input images, if it has one."""
        found = self.options.get("image")
        return found if isinstance(found, ImageInput) else None

    def choose_variant(self, images: int) -> Model:
        """Return the variant that takes so many input images. Raises `InvalidValue` if there is none."""
        every = (self, *self.variants)
        for one in every:
            taken = one.image_input
            if (images == 0) if taken is None else (taken.least <= images <= taken.most):
                return one
        most = max(one.image_input.most if one.image_input else 0 for one in every)
        if images == 0:
            message = f"{self.name} needs an input image"
        else:
            message = f"{self.name} takes at most {most} input image{'s' if most > 1 else ''}, not {images}"
        raise InvalidValue(message)

    def count_pixels(self, options: Mapping[str, Any]) -> int:
        """Return how many pixels an image has with these options: the most possible where the model chooses."""
        found = [
            pixels
            for name, value in options.items()
            if (option := self.options.get(name)) is not None and (pixels := option.pixels(value, options)) is not None
        ]
        return max(found, default=self.largest)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedJob:
    """One job, ready to be submitted."""

    job: Job
    """Its ``parameters`` are the options as they are sent, with the ``--param`` values under ``param``."""
    model: Model
    files: Mapping[str, LocalFile] = field(default_factory=dict[str, LocalFile])
    """The local files among its input images, by their names in ``parameters``."""
    wait: bool = True
    """False for ``--no-wait``."""
    fallbacks: tuple[PlannedJob, ...] = ()
    """The jobs that make the same images at the next provider, where this one turns out not to accept it."""

    def body(self, links: Mapping[str, str] | None = None, **fixed: Any) -> dict[str, Any]:
        """Return the request body: ``fixed`` fields, the prompt, every option at its path, then ``--param`` values.

        ``links`` are the web addresses of local files that were uploaded; any other file is sent inside the body.
        Raises `UsageError` if a ``--param`` does not fit the structure of the body.
        """
        body: dict[str, Any] = dict(fixed)
        if self.job.prompt:
            put_at_path(body, self.model.prompt_field, self.job.prompt)
        for path, value in self.model.fixed.items():
            put_at_path(body, path, value)
        if self.job.count > 1:
            put_at_path(body, self.model.count_field, self.job.count)
        options = {**self.job.parameters, **({} if self.job.seed is None else {"seed": self.job.seed})}
        for name, value in options.items():
            option = self.model.options.get(name)
            if isinstance(option, ImageInput):
                value = [self._place(option, image, links or {}) for image in list_images(value)]  # noqa: PLW2901
            for path, sent in (option.wire(value, options) if option else {}).items():
                if path:  # an option without a field is not part of the body
                    put_at_path(body, path, sent)
        for path, value in self.job.parameters.get("param", {}).items():
            put_at_path(body, path, value)
        return body

    def _place(self, option: ImageInput, image: str, links: Mapping[str, str]) -> str | LocalFile:
        """Return what is sent for an input image: its address, or the file itself."""
        if image in links or image not in self.files:
            return links.get(image, image)
        return replace(self.files[image], form="base64" if option.travels == "base64" else "data-uri")


class OwnModel(NamedTuple):
    """A model under a name of the user's own, from ``[models.NAME]`` of the config."""

    name: str
    base: str
    """The model whose options it takes."""
    ids: Mapping[str, str] = MappingProxyType({})
    """Its id by provider, where it is not that of the base."""
    price: float | None = None
    """USD an image."""

    def at(self, provider: Provider, base: Model) -> Model:
        """Return it as a model of ``provider``, which hosts its ``base``."""
        slug = self.ids.get(provider.name)
        price = None if slug else base.price  # what another model costs is not known
        if self.price is not None:
            price = Price(amount=self.price, source="your config", date="")
        variants = tuple(self.at(provider, one) for one in base.variants)
        return replace(
            base,
            name=self.name,
            slug=slug or base.slug,
            endpoint="" if slug else base.endpoint,
            price=price,
            variants=variants,
            confidence="" if slug else base.confidence,
        )


def upload_files(planned: PlannedJob, upload: Callable[[LocalFile], Flow[str]]) -> Flow[dict[str, str]]:
    """Upload the local files of a job that do not travel inside the body, each once, and return their addresses."""
    links: dict[str, str] = {}
    for name, option in planned.model.options.items():
        if not isinstance(option, ImageInput) or option.travels != "upload":
            continue
        for image in list_images(planned.job.parameters.get(name)):
            file = planned.files.get(image)
            if file is not None and image not in links and file.size > option.inline_up_to:
                links[image] = yield from upload(file)
    return links


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


class Accepted(NamedTuple):
    """The result of a submit: the job's id at the provider, and its state."""

    remote: RemoteJob
    state: State = Queued()


class LostSubmit(NamedTuple):
    """A paid request whose answer was lost, with what identifies its job."""

    job_id: str
    """The job's own id."""
    idempotency_key: str
    body: Any
    """The request body as it was sent."""
    sent_at: float
    """Seconds since 1970, UTC, by the clock of this machine."""
    path: str = ""
    """The path it was sent to."""


class Account(NamedTuple):
    """The result of a key check."""

    balance: Cost | None = None
    name: str = ""
    prices: Mapping[str, float] = MappingProxyType({})
    """The price of an image that the provider publishes, in USD, by model name."""
    credit_prices: Mapping[str, float] = MappingProxyType({})
    """The same in credits, for a provider that charges in credits."""
    differences: tuple[str, ...] = ()
    """How what the provider publishes differs from the tables in flux, one sentence each."""


class Example(NamedTuple):
    """Answers of an API and what they mean, by which ``python -m flux_cli.conformance`` tests a plug-in."""

    conversation: Literal["submit", "poll", "cancel", "find", "check"]
    answers: tuple[tuple[int, Any], ...]
    """HTTP status and JSON body of each answer, in order."""
    result: str
    """``accepted``, ``queued``, ``running``, ``succeeded``, ``failed``, ``cancelled``, ``found``, ``account``, or the
    code of an error, such as ``auth``."""


class PublishedField(NamedTuple):
    """One field of a model, as the provider publishes it."""

    name: str
    """Dotted path in the request body."""
    accepts: str
    """The values, for people."""
    required: bool = False
    default: str = ""
    note: str = ""


class Published(NamedTuple):
    """What a provider publishes about a model."""

    facts: Mapping[str, str] = MappingProxyType({})
    """Such as its title and price, by what they are."""
    fields: tuple[PublishedField, ...] = ()


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
    describe: Callable[[str], Flow[Published]] | None = None
    """Read what the provider publishes about one of its ids; ``None`` if it publishes nothing."""
    compare: Callable[[Model], Flow[tuple[str, ...]]] | None = None
    """Return how a model's published schema differs from its table; ``None`` if ``check`` does it, or no schema is
    published."""
    cancel: Callable[[RemoteJob], Flow[State]] | None = None
    """``None`` if the API cannot cancel a job."""
    find: Callable[[LostSubmit], Flow[RemoteJob | None]] | None = None
    """Look for a job whose answer was lost, using reads only. A result of ``None`` proves nothing."""
    interface: int = 1
    """The version of this interface that the provider is made for."""
    other_model: Model | None = None
    """How a model that flux does not know is submitted, by the provider's own id."""
    model_pattern: str = ""
    """A pattern that matches the provider's own ids of models."""
    other_ids: tuple[str, ...] = ()
    """Documented ids of models that flux has no table for, which may look like a misspelled name."""
    reserved_fields: tuple[str, ...] = ()
    """Fields that flux fills in, so ``--param`` may not."""
    param_notes: Mapping[str, str] = field(default_factory=dict[str, str])
    """Notes shown when a ``--param`` is used, by path."""
    origins: tuple[str, ...] = ()
    """Other documented hosts of the provider that may receive the key."""
    trusted_urls: str = ""
    """A pattern of whole addresses in answers that may receive the key besides those below the base URL."""
    is_answer: Callable[[Response], bool] | None = None
    """Whether a response is an ordinary answer whatever its HTTP status."""
    public_origins: tuple[str, ...] = ()
    """Documented hosts of the provider that are public: the key is never sent there."""
    idempotency_key_is_id: bool = False
    """Whether the job's idempotency key is also its id at the provider."""
    id_pattern: str = r"[A-Za-z0-9_-]{1,128}"
    """A pattern that matches the provider's job ids."""
    cancel_note: str = ""
    """When a job can be cancelled."""
    upload_note: str = ""
    """The endpoint that a local file is uploaded to, for people."""
    examples: tuple[Example, ...] = ()
    """Answers for the conformance test; a plug-in needs them."""
    keeps_images: str = ""
    """How long links to images work, in words such as "10 minutes", if that is short and they cannot be renewed."""
    poll_seconds: float = 1.0
    """The shortest interval between polls, in seconds, as the provider documents it; 1 if it documents none."""
