"""From what somebody asked for to orders that can be submitted: everything is decided here, before anything is sent."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flux_cli import providers
from flux_cli.errors import UsageError
from flux_cli.jobs import Job, Params
from flux_cli.providers.base import Model, Order, Provider
from flux_cli.providers.fit import ResolvedOptions, find_model, flag_name, resolve
from flux_cli.providers.options import InvalidValue, Picture

if TYPE_CHECKING:
    from flux_cli.runtime import Runtime

UTF8_HINT = "`iconv -t UTF-8` converts text"
"""What to do about bytes that are no text."""

MAX_IMAGES = 20
"""Images of one ``flux generate``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateRequest:
    """What one ``flux generate`` asks for: what was typed, over what the config says."""

    prompt: str
    options: Mapping[str, Any]
    """Typed and configured, the typed ones winning."""
    typed: frozenset[str] = frozenset()
    """Names of the options that were typed."""
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])
    count: int = 1
    wait: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedJob:
    """One job, ready to be submitted."""

    job: Job
    order: Order
    fallbacks: tuple[PlannedJob, ...] = ()
    """The jobs that make the same images at the next provider, where this one turns out not to accept it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """What the jobs of one run share."""

    new_id: Callable[[], str]
    new_handle: Callable[[], str]
    new_seed: Callable[[], int]
    now: float
    sandbox: bool
    owner: str
    """This process, as ``host:pid``."""
    price: Callable[[Provider, Model], float | None] = lambda _provider, _model: None
    """What an image is expected to cost, in USD, where anybody can tell."""


def new_run_context(runtime: Runtime) -> RunContext:
    """Return what the jobs of a new run share."""

    def price_of(provider: Provider, model: Model) -> float | None:
        price = runtime.price(provider.name, model.name)
        return None if price is None else price.amount

    return RunContext(
        new_id=runtime.new_id,
        new_handle=runtime.new_idempotency_key,
        new_seed=runtime.new_seed,
        now=runtime.clock.now(),
        sandbox=runtime.sandbox,
        owner=f"{socket.gethostname()}:{os.getpid()}",
        price=price_of,
    )


def parse_pairs(values: Sequence[str], option: str) -> dict[str, str]:
    """Return ``KEY=VALUE`` arguments as a mapping. Raises `UsageError` for one without ``=``, or given twice."""
    found: dict[str, str] = {}
    for value in values:
        name, equals, rest = value.partition("=")
        if not equals or not name:
            raise UsageError(f"{option} takes KEY=VALUE, not {value!r}", hint=f"such as `{option} name=value`")
        if name in found:
            raise UsageError(f"{option} {name} is given twice", hint="give it once")
        found[name] = rest
    return found


def parse_params(values: Sequence[str]) -> dict[str, Any]:
    """Return ``--param`` arguments by path; a value that is JSON is taken as such, any other as text."""
    return {path: _json_or_text(value) for path, value in parse_pairs(values, "--param").items()}


def _json_or_text(value: str) -> Any:
    try:
        found = json.loads(value)
        json.dumps(found, allow_nan=False)
    except (ValueError, RecursionError):
        return value
    return found


def plan(
    wish: GenerateRequest, provider: Provider, model: Model, origin: RunContext, *, run: str = "", first: int = 1
) -> tuple[list[PlannedJob], ResolvedOptions]:
    """Return the jobs that make up ``wish`` at ``provider``, and what became of its options.

    One job makes several images where the API can; else there are several jobs, whose seeds count up. ``run`` and
    ``first`` place them in a run that exists already. Raises `UsageError`.
    """
    if not 1 <= wish.count <= MAX_IMAGES:
        raise UsageError(f"--count takes 1 to {MAX_IMAGES}, not {wish.count}")
    _check_text(wish)
    _check_image(wish, provider, model)
    seed = wish.options.get("seed")
    if seed is None:
        seed = max(origin.new_seed() - (wish.count - 1), 1)
    options = {name: value for name, value in wish.options.items() if name != "seed"}
    starts = range(0, wish.count, model.max_images)
    fits = [
        resolve(
            provider,
            model,
            Params(
                prompt=wish.prompt,
                seed=seed + start,
                count=min(model.max_images, wish.count - start),
                options=options,
                extra=wish.extra,
            ),
            typed=wish.typed,
        )
        for start in starts
    ]
    _check_quality(wish, model, fits[0])
    run = run or origin.new_id()
    return [
        _plan_job(found, first + start, wish, provider, model, origin, run)
        for start, found in zip(starts, fits, strict=True)
    ], fits[0]


def with_fallbacks(
    purchase: PlannedJob, wish: GenerateRequest, targets: Sequence[tuple[Provider, Model]], origin: RunContext
) -> PlannedJob:
    """Return ``purchase`` with the jobs that make its images at the ``targets``, one after the other.

    The seeds stay the same, and every target is checked like the first. Raises `UsageError`.
    """
    if not targets:
        return purchase
    (provider, model), *rest = targets
    job = purchase.job
    same = replace(wish, count=job.count, options={**wish.options, "seed": job.seed})
    others, _ = plan(same, provider, model, origin, run=job.run, first=job.first_index)
    return replace(purchase, fallbacks=tuple(with_fallbacks(one, wish, rest, origin) for one in others))


def _plan_job(
    found: ResolvedOptions,
    first: int,
    wish: GenerateRequest,
    provider: Provider,
    model: Model,
    origin: RunContext,
    run: str,
) -> PlannedJob:
    job_id = origin.new_id()
    handle = origin.new_handle()
    price = origin.price(provider, model)
    shown = {name: value for name, value in found.params.options.items() if name != "seed"}
    job = Job(
        id=job_id,
        run=run,
        provider=provider.name,
        model=model.name,
        prompt=wish.prompt,
        created_at=origin.now,
        sandbox=origin.sandbox,
        seed=found.params.seed,
        count=found.params.count,
        parameters={**shown, **({"param": dict(found.params.extra)} if found.params.extra else {})},
        skipped=found.skipped,
        idempotency_key=handle,
        owner=origin.owner,
        first_index=first,
        estimate=None if price is None else price * found.params.count,
    )
    order = Order(params=found.params, model=model, job_id=job_id, idempotency_key=handle, wait=wish.wait)
    return PlannedJob(job=job, order=order)


def with_all_fallbacks(purchases: Iterable[PlannedJob]) -> Iterator[PlannedJob]:
    """Yield every job that may come to be submitted."""
    for purchase in purchases:
        yield purchase
        yield from with_all_fallbacks(purchase.fallbacks)


def choose_model(provider: Provider, word: str, *, typed: bool) -> tuple[Model, str | None]:
    """Return the model for ``word``, and a note where a configured one that the provider lacks was left out."""
    name = providers.model_name(word)
    if typed or name in provider.models:
        return find_model(provider, name), None
    return find_model(provider, providers.DEFAULT_MODEL), f"{provider.name} does not host {name}"


def _check_text(wish: GenerateRequest) -> None:
    """Refuse text that is not Unicode: it came from an argument that is not UTF-8 and cannot be sent as JSON."""
    for name, value in {
        "the prompt": wish.prompt,
        **{flag_name(name): value for name, value in wish.options.items()},
    }.items():
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise UsageError(f"{name} is not valid UTF-8", hint=UTF8_HINT) from None
    try:
        json.dumps(dict(wish.extra), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise UsageError("--param is not valid Unicode", hint=UTF8_HINT) from None


def _check_image(wish: GenerateRequest, provider: Provider, model: Model) -> None:
    """Refuse a local image that cannot be read, or that the model does not take."""
    image = wish.options.get("image")
    if image is None or "://" in image:
        return
    try:
        with Path(image).open("rb") as file:
            head, size = file.read(16), file.seek(0, os.SEEK_END)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        hint = "give a path, absolute or relative to the current folder, or a web address"
        raise UsageError(f"cannot read the image {image}: {reason}", hint=hint) from error
    option = model.options.get("image")
    if isinstance(option, Picture):
        try:
            option.check_file(head, size)
        except InvalidValue as error:
            raise UsageError(f"{provider.name}: --image {error}: {image}") from None


def _check_quality(wish: GenerateRequest, model: Model, found: ResolvedOptions) -> None:
    """Refuse a quality that nothing would have: the provider takes none, and no conversion is asked for."""
    if "quality" in wish.typed and "quality" not in model.options and "format" not in found.params.options:
        raise UsageError(
            "--quality needs a format to convert to: this provider takes no quality",
            hint="add -f jpg or -f webp, or give -o a file name with that extension",
        )
