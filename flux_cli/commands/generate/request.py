"""Resolve one ``flux generate`` call: merge command line and config, and validate everything before any request."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from flux_cli import providers
from flux_cli.commands import options
from flux_cli.commands.generate.images import resolve_images
from flux_cli.errors import AuthError, UsageError
from flux_cli.image_options import IMAGE_OPTIONS, IMAGE_SHAPING, replaced_by
from flux_cli.providers.base import Model, Provider
from flux_cli.providers.fit import flag_name
from flux_cli.providers.image_input import list_images
from flux_cli.runs import plan as orders
from flux_cli.runs.plan import GenerateRequest, Once
from flux_cli.runs.save import SaveOptions
from flux_cli.runtime import Runtime
from flux_cli.text import listed, printable

if TYPE_CHECKING:
    from flux_cli.commands.generate.like import Like
    from flux_cli.jobs import LocalFile


@dataclass(frozen=True, kw_only=True)
class TypedOptions:
    """The command line of one ``flux generate``."""

    prompt: str | None
    options: Mapping[str, Any]
    """Image options that were typed, by long name."""
    extra: Mapping[str, Any]
    count: int | None
    output: str | None
    overwrite: bool
    no_wait: bool
    timeout: float | None
    fallback: str | None
    once: str | None
    embed: bool | None = None
    provider: str | None = None
    model: str | None = None
    pairs: int = 1
    """How many pairs of provider and model are compared."""
    suffix_fields: tuple[str, ...] = ()
    """What differs between them, ``model`` or ``provider`` or both: it is added to names that flux chooses."""
    like: Like | None = None
    """The earlier image or job to start from, instead of the config."""
    preset: str | None = None
    """The name of a preset in the config."""
    gallery: bool = False
    """Whether a gallery page is written."""
    complete: bool = False
    """Whether they are those of an earlier job, so that the config adds no options of the image."""

    def over(self, fields: Mapping[str, Any], *, complete: bool = False) -> TypedOptions:
        """Return the options with the ``fields`` of a batch row in place of what was typed for all rows.

        A row may be ``complete``: the line of an earlier job.
        """
        named = {name: value for name, value in fields.items() if name not in IMAGE_OPTIONS and name != "param"}
        own = {name: value for name, value in fields.items() if name in IMAGE_OPTIONS}
        replaced = replaced_by(own.keys())
        typed = {name: value for name, value in self.options.items() if name not in replaced}
        extra = {**self.extra, **fields.get("param", {})}
        return replace(self, **named, options={**typed, **own}, extra=extra, complete=complete)


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a request starts from."""

    options: Mapping[str, Any]
    extra: Mapping[str, Any]
    left_out: tuple[str, ...] = ()
    """Names of options that this provider does not support."""
    missing: tuple[str, ...] = ()
    """Names of options whose values are unknown and were not typed either."""
    digests: Mapping[str, str] = field(default_factory=dict[str, str])
    """The SHA-256 that each input image had, by its path."""

    def notes(self, like: Like, files: Mapping[str, LocalFile]) -> list[str]:
        """Return notes for the user about a request that sends these ``files``."""
        names = [f"--{name}" if name.startswith("param ") else flag_name(name) for name in self.missing]
        notes = [f"{like.name} was made with {listed(names)} as well, and does not record how"] if names else []
        changed = [path for path, file in files.items() if self.digests.get(path, file.sha256) != file.sha256]
        return notes + [f"{printable(path)} has changed since {like.name} was made from it" for path in changed]


def resolve_request(runtime: Runtime, typed: TypedOptions) -> GenerateRequest:
    """Merge what was typed with the config and the image to start from, and validate all of it.

    The prompt is left out and the seed not checked: `GenerateRequest.over` does both, for each row of a batch.
    Raises `UsageError` or `AuthError`; nothing is sent.
    """
    from flux_cli.saving.saver import Destination, resolve_format  # noqa: PLC0415 - not for --help

    configured, preset = runtime.settings.options(typed.preset), runtime.settings.preset(typed.preset)
    if typed.complete:
        configured, preset = (
            {name: table[name] for name in table if name not in _OF_A_JOB} for table in (configured, preset)
        )
    no_wait = check_no_wait(runtime, typed)
    timeout = options.check_timeout(typed.timeout, configured.get("timeout"))
    like = typed.like
    usual = like.count if like is not None and "count" not in preset else configured.get("count", 1)
    count = typed.count if typed.count is not None else usual
    where = typed.output if typed.output is not None else configured.get("output") or runtime.settings.output
    overwrite = typed.overwrite or bool(configured.get("overwrite"))
    images = count * typed.pairs
    destination = Destination.parse(where, overwrite=overwrite, count=images, suffix_fields=typed.suffix_fields)
    if destination.kind == "stdout":
        options.check_stdout(runtime)
    own = dict(typed.options)
    if (format_ := resolve_format(destination, own.get("format"))) is not None:
        own["format"] = format_
    named = typed.provider or preset.get("provider")
    provider = choose_provider(runtime, named or (like.job.provider if like is not None else None))
    wanted = typed.model or preset.get("model")
    word = wanted or (like.job.model if like is not None else configured.get("model")) or providers.DEFAULT_MODEL
    own_models = runtime.settings.models
    model, left_out = orders.choose_model(provider, word, own_models, typed=wanted is not None)
    of_preset = {name: value for name, value in preset.items() if name in IMAGE_OPTIONS}
    start = _starting_point(configured) if like is None else like.start(provider, model, {**of_preset, **own})
    merged = {**_job_options(configured), **start.options, **of_preset, **own}
    merged |= {name: resolve_images(runtime, merged[name]) for name in ("image", "mask") if name in merged}
    extra = {**start.extra, **preset.get("param", {}), **typed.extra}
    others = _load_fallbacks(runtime, typed, provider)

    def request_at(provider: Provider, model: Model) -> GenerateRequest:
        found = orders.make_request(
            provider,
            model,
            merged,
            read=runtime.read_image,
            typed=frozenset(own),
            extra=extra,
            count=count,
        )
        save = SaveOptions(
            destination=destination,
            format=found.options.get("format"),
            embed=typed.embed if typed.embed is not None else configured.get("embed", True),
        )
        return replace(found, seed=merged.get("seed"), save=None if no_wait else save, timeout=timeout)

    request = request_at(provider, model)
    fallback: GenerateRequest | None = None
    targets = [(one, orders.choose_model(one, word, own_models, typed=wanted is not None)[0]) for one in others]
    for target in reversed([request_at(*one) for one in targets]):
        fallback = replace(target, fallback=fallback)
    source = like.name if like is not None else f"the config and its preset {typed.preset}" if preset else "the config"
    notes = [*request.notes, *(start.notes(like, request.files) if like is not None else ())]
    if left_out:
        notes.append(f"{left_out}, so the model from {source} is ignored; {model.name} is used")
    if skipped := (*start.left_out, *request.skipped):
        names = listed([flag_name(name) for name in skipped])
        notes.append(f"ignored, because {provider.name} does not support it: {names} from {source}")
    once = None
    if typed.once is not None:
        content = {name: _content(runtime, name, value) for name, value in merged.items()}
        parts = [provider.name, model.name, orders.strip_prompt(typed.prompt or ""), count, content, extra]
        once = Once(name=_check_name(typed.once), key=_digest(parts))
    return replace(
        request,
        skipped=(*(("model",) if left_out else ()), *start.left_out, *request.skipped),
        notes=tuple(notes),
        once=once,
        fallback=fallback,
    )


def check_no_wait(runtime: Runtime, typed: TypedOptions) -> bool:
    """Return whether to leave once the jobs are submitted. Raises `UsageError` where images are to be saved too."""
    saves = typed.overwrite or any(one is not None for one in (typed.output, typed.timeout, typed.embed))
    if typed.no_wait and saves:
        hint = "use -o, --timeout and --no-embed with `flux result --wait`"
        raise UsageError("--no-wait exits before there is an image to save", hint=hint)
    configured = bool(runtime.settings.options(typed.preset).get("no_wait"))
    return typed.no_wait or (configured and not (saves or runtime.flags.preview or typed.gallery))


def _job_options(configured: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of the config that belong to the job and not to the image."""
    return {name: configured[name] for name in configured if name in IMAGE_OPTIONS and name not in _OF_THE_IMAGE}


def _starting_point(configured: Mapping[str, Any]) -> Start:
    """Return what a request starts from by the config."""
    options = {name: value for name, value in configured.items() if name in IMAGE_OPTIONS}
    return Start(options=options, extra=configured.get("param", {}))


def _load_fallbacks(runtime: Runtime, typed: TypedOptions, provider: Provider) -> tuple[Provider, ...]:
    """Return the providers of ``--fallback``, in order. Raises `UsageError`."""
    if typed.suffix_fields:
        return ()  # each image has to come from the provider that is compared
    word = typed.fallback if typed.fallback is not None else runtime.settings.options(typed.preset).get("fallback")
    names = [name.strip() for name in word.split(",")] if word is not None else []
    found = tuple(providers.load(name) for name in names)
    if typed.fallback is None:
        return tuple(one for one in found if one.name != provider.name)
    if len({provider.name, *names}) != len(names) + 1:
        raise UsageError(
            f"--fallback takes each other provider once, not {word}", hint=f"{provider.name} is tried first"
        )
    return found


def _content(runtime: Runtime, name: str, value: Any) -> Any:
    """Return what tells one value of an option from another: of a local image, the digest of the file."""
    if name not in {"image", "mask"}:
        return value
    return [runtime.input_images.digest(image) or image for image in list_images(value)]


_OF_THE_IMAGE = {"seed", *IMAGE_SHAPING}
_OF_A_JOB = {"param", *IMAGE_OPTIONS}


def _check_name(name: str) -> str:
    if not name.strip():
        raise UsageError("--once needs a name", hint="such as `--once cover-v3`")
    return name


def _digest(parts: Sequence[Any]) -> str:
    """Return what tells one request from another: all that shapes the images, not where they are saved."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def choose_provider(runtime: Runtime, typed: str | None) -> Provider:
    """Return the provider that was typed, or is configured, or is the only one with a key; in the sandbox else runware.

    Raises `UsageError` where several have a key, `AuthError` where none has.
    """
    name = typed or runtime.settings.default_provider
    if name is not None:
        return providers.load(name)
    if runtime.sandbox:
        return providers.load(providers.DEFAULT_PROVIDER)
    known = providers.load_all()
    ready = [provider for provider in known if runtime.settings.key_source(provider) is not None]
    if len(ready) == 1:
        return ready[0]
    if ready:
        names = listed([provider.name for provider in ready])
        raise UsageError(
            f"several providers have a key: {names}",
            hint=f"`-p {ready[0].name}` for this run; for all, `flux config set default_provider {ready[0].name}`",
        )
    raise AuthError(
        "no provider has a key yet",
        hint='`flux config init` sets one up; `flux generate --sandbox "a red fox"` works without one',
    )
