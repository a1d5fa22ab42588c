"""What one ``flux generate`` comes to: what was typed over what is configured, checked before a cent is spent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flux_cli import providers
from flux_cli.commands import options
from flux_cli.commands.generate.like import Like, Start
from flux_cli.errors import AuthError, UsageError
from flux_cli.image_options import IMAGE_OPTIONS
from flux_cli.providers.base import Model, Provider
from flux_cli.providers.fit import flag_name
from flux_cli.providers.hints import with_hint
from flux_cli.runs import plan as orders
from flux_cli.runs.plan import PlannedJob, new_run_context
from flux_cli.runs.save import SaveOptions
from flux_cli.runtime import Runtime
from flux_cli.saving.home import expand_home
from flux_cli.text import listed


@dataclass(frozen=True, kw_only=True)
class TypedOptions:
    """What was typed."""

    prompt: str
    provider: str | None
    model: str | None
    options: Mapping[str, Any]
    """Those that a provider may or may not honour, by long name."""
    extra: Mapping[str, Any]
    count: int | None
    output: str | None
    overwrite: bool
    no_wait: bool
    timeout: float | None
    fallback: str | None
    once: str | None
    embed: bool | None = None
    like: Like | None = None
    """What to start from, where that is not the config."""
    gallery: bool = False
    """Whether a page of the images is wanted."""

    def over(self, fields: Mapping[str, Any]) -> TypedOptions:
        """Return what the row of a batch asks for: its ``fields``, over what was typed for all of them."""
        named = {name: value for name, value in fields.items() if name not in IMAGE_OPTIONS and name != "param"}
        own = {name: value for name, value in fields.items() if name in IMAGE_OPTIONS}
        shapes = {"aspect_ratio", "size"}
        spared = shapes if own.keys() & shapes else set[str]()
        typed = {name: value for name, value in self.options.items() if name not in spared}
        return replace(self, **named, options={**typed, **own}, extra={**self.extra, **fields.get("param", {})})


@dataclass(frozen=True, kw_only=True)
class Once:
    """A name under which one wish is bought at most once."""

    name: str
    key: str
    """Tells one wish from another."""


@dataclass(frozen=True, kw_only=True)
class ResolvedRequest:
    """What is left once everything was checked: jobs, and where their images go."""

    provider: Provider
    jobs: list[PlannedJob]
    place: SaveOptions | None
    """``None`` where nobody waits."""
    timeout: float
    once: Once | None
    """The name under which this is bought at most once."""
    fallbacks: tuple[Provider, ...]
    """Where to go when the provider proves to have accepted nothing, in order."""
    notes: tuple[str, ...]
    """What a person should know about it."""

    def files(self) -> list[Path]:
        """Return the files that the images were told to go to, one by one."""
        return [] if self.place is None else [path.absolute() for path in self.place.destination.files()]


def resolve_request(runtime: Runtime, asked: TypedOptions, *, run: str = "") -> ResolvedRequest:
    """Join what was typed with the config, and check all of it. Raises `UsageError` or `AuthError`; nothing is sent.

    The jobs belong to ``run``, where that is given.
    """
    from flux_cli.saving.saver import Destination, resolve_format  # noqa: PLC0415 - not for --help

    configured = runtime.settings.generate
    saves = asked.overwrite or any(one is not None for one in (asked.output, asked.timeout, asked.embed))
    if asked.no_wait and saves:
        hint = "use -o, --timeout and --no-embed with `flux result --wait`"
        raise UsageError("--no-wait exits before there is an image to save", hint=hint)
    no_wait = asked.no_wait or (
        bool(configured.get("no_wait")) and not (saves or runtime.flags.preview or asked.gallery)
    )
    timeout = options.check_timeout(asked.timeout, configured.get("timeout"))
    like = asked.like
    usual = like.count if like is not None else configured.get("count", 1)
    count = asked.count if asked.count is not None else usual
    where = asked.output if asked.output is not None else configured.get("output") or runtime.settings.output
    overwrite = asked.overwrite or bool(configured.get("overwrite"))
    destination = Destination.parse(where, overwrite=overwrite, count=count)
    if destination.kind == "stdout":
        options.check_stdout(runtime)
    typed = dict(asked.options)
    if (wanted := resolve_format(destination, typed.get("format"))) is not None:
        typed["format"] = wanted
    if "image" in typed:
        typed["image"] = expand_home(typed["image"])  # no shell does it in --image=~/x, nor in a batch file
    provider = choose_provider(runtime, asked.provider or (like.job.provider if like is not None else None))
    word = asked.model or (like.job.model if like is not None else configured.get("model")) or providers.DEFAULT_MODEL
    model, left_out = orders.choose_model(provider, word, typed=asked.model is not None)
    start = _starting_point(configured) if like is None else like.start(provider, model, typed)
    wish = orders.GenerateRequest(
        prompt=asked.prompt.rstrip(" \t\r\n"),  # such as the \r that a shell loop over a file from Windows leaves
        options={**_job_options(configured), **start.options, **typed},
        typed=frozenset(typed),
        extra={**start.extra, **asked.extra},
        count=count,
        wait=not no_wait,
    )
    origin = new_run_context(runtime)
    others = _load_fallbacks(runtime, asked, provider)
    try:
        purchases, fit = orders.plan(wish, provider, model, origin, run=run)
    except UsageError as error:
        raise with_hint(error, provider) from error.__cause__
    source = "the config" if like is None else like.name
    notes = [*fit.notes, *(start.notes(like) if like is not None else ())]
    if left_out:
        notes.append(f"{left_out}, so the model from {source} is ignored; {model.name} is used")
    if skipped := (*start.left_out, *fit.skipped):
        names = listed([flag_name(name) for name in skipped])
        notes.append(f"ignored, because {provider.name} does not support it: {names} from {source}")
    before = ("model", *start.left_out) if left_out else start.left_out
    purchases = [replace(one, job=replace(one.job, skipped=(*before, *one.job.skipped))) for one in purchases]
    targets = [(one, orders.choose_model(one, word, typed=asked.model is not None)[0]) for one in others]
    purchases = [orders.with_fallbacks(one, wish, targets, origin) for one in purchases]
    place = SaveOptions(
        destination=destination,
        format=fit.params.options.get("format"),
        embed=asked.embed if asked.embed is not None else configured.get("embed", True),
    )
    return ResolvedRequest(
        provider=provider,
        fallbacks=others,
        jobs=purchases,
        place=None if no_wait else place,
        timeout=timeout,
        notes=tuple(notes),
        once=None
        if asked.once is None
        else Once(name=_check_name(asked.once), key=_request_key(wish, provider, model)),
    )


def _job_options(configured: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of the config that belong to the job and not to the image."""
    return {name: configured[name] for name in ("webhook", "metadata") if name in configured}


def _starting_point(configured: Mapping[str, Any]) -> Start:
    """Return what a wish starts from where the config says it."""
    options = {name: value for name, value in configured.items() if name in IMAGE_OPTIONS}
    return Start(options=options, extra=configured.get("param", {}))


def _load_fallbacks(runtime: Runtime, asked: TypedOptions, provider: Provider) -> tuple[Provider, ...]:
    """Return the providers of ``--fallback``, in order. Raises `UsageError`."""
    word = asked.fallback if asked.fallback is not None else runtime.settings.generate.get("fallback")
    names = [name.strip() for name in word.split(",")] if word is not None else []
    found = tuple(providers.load(name) for name in names)
    if asked.fallback is None:
        return tuple(one for one in found if one.name != provider.name)
    if len({provider.name, *names}) != len(names) + 1:
        raise UsageError(
            f"--fallback takes each other provider once, not {word}", hint=f"{provider.name} is tried first"
        )
    return found


def _check_name(name: str) -> str:
    if not name.strip():
        raise UsageError("--once needs a name", hint="such as `--once cover-v3`")
    return name


def _request_key(wish: orders.GenerateRequest, provider: Provider, model: Model) -> str:
    """Return what tells one wish from another: everything that was asked for, not where it is to be saved."""
    asked = [provider.name, model.name, wish.prompt, wish.count, dict(wish.options), dict(wish.extra)]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def choose_provider(runtime: Runtime, typed: str | None) -> Provider:
    """Return the provider that was typed, or is configured, or is the only one with a key; in the sandbox else runware.

    Raises `UsageError` where several have a key, `AuthError` where none has.
    """
    name = typed or runtime.settings.default_provider
    if name is not None:
        return providers.load(name)
    if runtime.sandbox:
        return providers.load("runware")
    known = [providers.load(name) for name in providers.NAMES]
    ready = [provider for provider in known if runtime.settings.key_source(provider) is not None]
    if len(ready) == 1:
        return ready[0]
    if ready:
        names = listed([provider.name for provider in ready])
        raise UsageError(
            f"several providers have a key: {names}",
            hint=f"`-p {ready[0].name}`for this run, or for all `flux config set default_provider {ready[0].name}`",
        )
    raise AuthError(
        "no provider has a key yet",
        hint='`flux config init` sets one up; `flux generate --sandbox "a red fox"` works without one',
    )
