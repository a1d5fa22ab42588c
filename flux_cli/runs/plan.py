"""Plan the jobs of a run from what is requested, and validate all of it before any request is sent."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from flux_cli import providers
from flux_cli.errors import UsageError
from flux_cli.jobs import Job, LocalFile
from flux_cli.providers.base import Model, OwnModel, PlannedJob, Price, Provider
from flux_cli.providers.fit import (
    check_image_params,
    check_prompt,
    check_seed,
    find_model,
    fit_images,
    flag_name,
    note_confidence,
    resolve,
)
from flux_cli.providers.hints import with_hint
from flux_cli.providers.image_input import ImageInput, list_images
from flux_cli.providers.options import InvalidValue
from flux_cli.providers.sizes import Ratios
from flux_cli.text import printable

if TYPE_CHECKING:
    from flux_cli.runs.save import SaveOptions
    from flux_cli.runtime import Runtime

UTF8_HINT = "`iconv -t UTF-8` converts text"
"""What to do about bytes that are not text."""

LARGEST_INPUT = 4 * 2**20
"""Pixels that an input image of unknown size may be billed for: hosts shrink larger ones."""

MAX_IMAGES = 20
"""Images of one ``flux generate``."""


def strip_prompt(prompt: str) -> str:
    """Return a prompt without white space at its end, such as the CR of a Windows line in a shell loop."""
    return prompt.rstrip(" \t\r\n")


class Pair(NamedTuple):
    """A provider and a model, each ``None`` where it is not typed."""

    provider: str | None = None
    model: str | None = None

    def agrees(self, other: Pair) -> bool:
        """Whether the provider and model of a job, ``other``, are those that were typed."""
        return self.provider in {None, other.provider} and self.model in {None, other.model}


class Once(NamedTuple):
    """A name under which one request is bought at most once."""

    name: str
    key: str
    """Tells one request from another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateRequest:
    """What is requested of one provider, validated: command line, config, batch row and earlier image merged."""

    provider: Provider
    model: Model
    prompt: str = ""
    seed: int | None = None
    """``None`` where one is drawn."""
    count: int = 1
    """Images."""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The options to send, by long name with underscores, without the seed."""
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """``--param`` values by dotted path."""
    files: Mapping[str, LocalFile] = field(default_factory=dict[str, LocalFile])
    """The local files among its input images, by name."""
    skipped: tuple[str, ...] = ()
    """Options of the config, or of the image to start from, that this provider and model do not support."""
    notes: tuple[str, ...] = ()
    """What you should know about it."""
    save: SaveOptions | None = None
    """``None`` for ``--no-wait``."""
    timeout: float = 0.0
    """Seconds to wait for each job."""
    once: Once | None = None
    fallback: GenerateRequest | None = None
    """The same at the next provider, where this one turns out not to accept it."""

    def over(self, prompt: str, seed: int | None = None) -> GenerateRequest:
        """Return the same request for a prompt, and a seed of its own where one is given. Raises `UsageError`."""
        prompt = strip_prompt(prompt)
        given, seed = seed, (self.seed if seed is None else seed) if self.model.takes_seed else None
        try:
            _require_unicode("the prompt", prompt)
            check_prompt(self.provider, self.model, prompt)
            if seed is not None:
                check_seed(self.provider, self.model, seed)
                check_seed(self.provider, self.model, seed + self.count - 1)
        except UsageError as error:
            raise with_hint(error, self.provider) from error.__cause__
        fallback = None if self.fallback is None else self.fallback.over(prompt, given)
        return replace(self, prompt=prompt, seed=seed, fallback=fallback)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """What the jobs of one run share."""

    run: str
    new_id: Callable[[], str]
    new_handle: Callable[[], str]
    new_seed: Callable[[], int]
    now: float
    sandbox: bool
    owner: str
    """This process, as ``host:pid``."""
    batch: str | None = None
    """The batch file, as an absolute path; ``-`` for standard input."""
    price: Callable[[str, Model], Price | None] = lambda _provider, _model: None
    """What an image is expected to cost, in USD, where that is known, by the name of a provider and its model."""


def new_run_context(runtime: Runtime, *, run: str = "", batch: str | None = None) -> RunContext:
    """Return what the jobs of a run share: of ``run``, or of a new one."""
    return RunContext(
        run=run or runtime.new_id(),
        new_id=runtime.new_id,
        new_handle=runtime.new_idempotency_key,
        new_seed=runtime.new_seed,
        now=runtime.clock.now(),
        sandbox=runtime.sandbox,
        owner=f"{socket.gethostname()}:{os.getpid()}",
        batch=batch,
        price=lambda provider, model: runtime.price(provider, model.name, model.price),
    )


def make_request(
    provider: Provider,
    model: Model,
    options: Mapping[str, Any],
    *,
    read: Callable[[str], LocalFile],
    typed: frozenset[str] = frozenset(),
    extra: Mapping[str, Any] | None = None,
    count: int = 1,
) -> GenerateRequest:
    """Return a request without prompt and seed: ``options`` and ``extra`` checked against the provider's model.

    Those of the ``options`` in ``typed`` were typed, the others configured. ``read`` returns a local input image.
    Raises `UsageError`.
    """
    try:
        return _make_request(provider, model, options, read=read, typed=typed, extra=extra or {}, count=count)
    except UsageError as error:
        raise with_hint(error, provider) from error.__cause__


def _make_request(
    provider: Provider,
    model: Model,
    options: Mapping[str, Any],
    *,
    read: Callable[[str], LocalFile],
    typed: frozenset[str],
    extra: Mapping[str, Any],
    count: int,
) -> GenerateRequest:
    if not 1 <= count <= MAX_IMAGES:
        raise UsageError(f"--count takes 1 to {MAX_IMAGES}, not {count}")
    for name, value in options.items():
        _require_unicode(flag_name(name), value)
    _require_unicode("--param", extra)
    check_image_params(provider, model, extra)
    model, options, left_out = fit_images(provider, model, options, typed=typed)
    wants_seed = "seed" in options
    if wants_seed and model.takes_seed:
        options = {name: value for name, value in options.items() if name != "seed"}
    found = resolve(provider, model, options, typed=typed, extra=extra)
    files = _read_files(provider, model, found.options, read)
    given = "aspect_ratio" in options and "aspect_ratio" not in found.skipped
    shaped = found.options if given else _follow_image(model, found.options, files)
    converts = "quality" in model.options or "format" in found.options
    if "quality" in typed and not converts:
        raise UsageError(
            "--quality needs a format to convert to: this provider takes no quality",
            hint="add -f jpg or -f webp, or give -o a file name with that extension",
        )
    return GenerateRequest(
        provider=provider,
        model=model,
        count=count,
        options=shaped,
        extra=extra,
        files=files,
        skipped=(*left_out, *found.skipped),
        notes=(*found.notes, *(note_confidence(provider, model, ["seed"]) if wants_seed and model.takes_seed else ())),
    )


def _follow_image(model: Model, options: Mapping[str, Any], files: Mapping[str, LocalFile]) -> Mapping[str, Any]:
    """Return the options with the ratio nearest to the first input image, in place of one that flux sets itself."""
    image = files.get(next(iter(list_images(options.get("image"))), ""))
    shapes = model.options.get("aspect_ratio")
    if image is None or not isinstance(shapes, Ratios) or "aspect_ratio" not in {*model.always_sent} & options.keys():
        return options
    return {**options, "aspect_ratio": shapes.nearest_to(image.width, image.height)}


def _read_files(
    provider: Provider, model: Model, options: Mapping[str, Any], read: Callable[[str], LocalFile]
) -> dict[str, LocalFile]:
    """Return the local files among the input images, checked. Raises `UsageError`."""
    files: dict[str, LocalFile] = {}
    for name in ("image", "mask"):
        option = model.options.get(name)
        if not isinstance(option, ImageInput):
            continue
        for image in list_images(options.get(name)):
            if "://" in image:
                continue
            files[image] = file = read(image)
            try:
                option.check_file(file)
            except InvalidValue as error:
                raise UsageError(f"{provider.name}: {flag_name(name)} {printable(image)} {error}") from None
    image, mask = (files.get(next(iter(list_images(options.get(name))), "")) for name in ("image", "mask"))
    if image and mask and (image.width, image.height) != (mask.width, mask.height):
        raise UsageError(
            f"--mask has {mask.width}x{mask.height} pixels, but the image has {image.width}x{image.height}",
            hint="make them the same size when upright, as flux sends them; white marks what changes",
        )
    return files


def plan(
    request: GenerateRequest,
    context: RunContext,
    *,
    seed: int | None = None,
    first: int = 1,
    row: int | None = None,
    row_key: str = "",
) -> list[PlannedJob]:
    """Return the jobs that make the images of ``request``, of a ``row`` where it belongs to a batch.

    One job makes several images where the API can; else there are several jobs, whose seeds count up. The first image
    is number ``first`` of the run; ``seed`` is drawn if it is not given.
    """
    seed = choose_seed([request], context) if seed is None else seed
    return _plan_images(request, context, seed=seed, count=request.count, first=first, row=row, row_key=row_key)


def choose_seed(requests: Sequence[GenerateRequest], context: RunContext) -> int:
    """Return the seed that ``requests`` share: the one that was given, or a new one."""
    given = (one.seed for request in requests for one in _with_fallbacks(request) if one.seed is not None)
    seed = next(given, None)
    return max(context.new_seed() - (max(one.count for one in requests) - 1), 1) if seed is None else seed


def _with_fallbacks(request: GenerateRequest | None) -> Iterator[GenerateRequest]:
    while request is not None:
        yield request
        request = request.fallback


def _plan_images(
    request: GenerateRequest,
    context: RunContext,
    *,
    seed: int,
    count: int,
    first: int,
    row: int | None,
    row_key: str,
) -> list[PlannedJob]:
    """Return the jobs for ``count`` images, each with the jobs that make the same images at the next provider."""
    provider, model, extra = request.provider.name, request.model, request.extra
    price = context.price(provider, model)
    estimate = None if price is None else price.estimate(model.count_pixels(request.options), _input_pixels(request))
    parameters = dict(request.options)
    parameters |= {"param": dict(extra)} if extra else {}
    parameters |= {"files": {name: file.sha256 for name, file in request.files.items()}} if request.files else {}
    planned: list[PlannedJob] = []
    for start in range(0, count, model.max_images):
        images = min(model.max_images, count - start)
        job = Job(
            id=context.new_id(),
            run=context.run,
            provider=provider,
            model=model.name,
            prompt=request.prompt,
            created_at=context.now,
            sandbox=context.sandbox,
            seed=seed + start if model.draws_seed or request.seed is not None else None,
            count=images,
            parameters=parameters,
            skipped=request.skipped,
            idempotency_key=context.new_handle(),
            owner=context.owner,
            row=row,
            batch=context.batch,
            row_key=row_key,
            first_index=first + start,
            estimate=None if estimate is None else round(estimate * images, 6),
        )
        fallbacks = (
            ()
            if request.fallback is None
            else _plan_images(
                request.fallback,
                context,
                seed=seed + start,
                count=images,
                first=first + start,
                row=row,
                row_key=row_key,
            )
        )
        planned.append(
            PlannedJob(
                job=job, model=model, files=request.files, wait=request.save is not None, fallbacks=tuple(fallbacks)
            )
        )
    return planned


def _input_pixels(request: GenerateRequest) -> list[int]:
    """Return the pixels of each input image; one behind a web address counts as the most that hosts bill."""
    images = list_images(request.options.get("image"))
    return [LARGEST_INPUT if (file := request.files.get(name)) is None else file.width * file.height for name in images]


def with_all_fallbacks(jobs: Iterable[PlannedJob]) -> Iterator[PlannedJob]:
    """Yield every job that may be submitted."""
    for planned in jobs:
        yield planned
        yield from with_all_fallbacks(planned.fallbacks)


def check_endpoints(runtime: Runtime, jobs: Iterable[PlannedJob]) -> None:
    """Make sure that every provider of ``jobs`` has a key and an address that may see it. Raises `FluxError`."""
    for name in dict.fromkeys(planned.job.provider for planned in with_all_fallbacks(jobs)):
        runtime.router.endpoint(providers.load(name), sandbox=runtime.sandbox)


def choose_model(
    provider: Provider, word: str, own: Mapping[str, OwnModel], *, typed: bool
) -> tuple[Model, str | None]:
    """Return the model for ``word``, and a note where a configured one that the provider lacks is left out."""
    try:
        return find_model(provider, word, own), None
    except UsageError as error:
        if typed or not (word in own or providers.canonical_name(word)):
            raise
        return find_model(provider, providers.DEFAULT_MODEL, {}), error.message


def _require_unicode(name: str, value: Any) -> None:
    """Refuse text that is not Unicode: it came from an argument that is not UTF-8 and cannot be sent as JSON."""
    try:
        (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)).encode()
    except UnicodeEncodeError:
        kind = "Unicode" if name == "--param" else "UTF-8"
        raise UsageError(f"{name} is not valid {kind}", hint=UTF8_HINT) from None
