"""``--like IMAGE|JOB``: a wish that starts from an earlier one.

What is taken over is what shapes an image: prompt, model, provider, seed, options and ``--param``. It takes the place
of what the config says of these, so that nothing but what is typed makes the image another one. Webhook and labels
belong to whoever waited for the earlier job, and stay there.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flux_cli.commands.options import unknown_reference
from flux_cli.errors import UsageError
from flux_cli.jobs import Job
from flux_cli.providers.base import Model, Provider
from flux_cli.providers.fit import flag_name
from flux_cli.providers.options import InvalidValue
from flux_cli.runtime import Runtime
from flux_cli.saving.home import expand_home
from flux_cli.text import listed, printable

_SHAPES = frozenset({"aspect_ratio", "size"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Like:
    """An earlier wish."""

    name: str
    """As it was typed, harmless for a terminal."""
    job: Job
    """Where it was asked for."""
    seed: int | None
    count: int
    """Images; 1 where one image is meant."""
    missing: tuple[str, ...] = ()
    """Names of what shaped the image too, and is not known."""

    def prompt(self) -> str:
        """Return the prompt. Raises `UsageError` where it is not known."""
        if not self.job.prompt or "prompt" in self.missing:
            what = "only the beginning of its prompt" if self.job.prompt else "no prompt"
            raise UsageError(f"{self.name} records {what}", hint=f"`flux generate --like {self.name} PROMPT`")
        return self.job.prompt

    def start(self, provider: Provider, model: Model, typed: Mapping[str, Any]) -> Start:
        """Return what a wish at ``provider`` with ``model`` starts from, where the options ``typed`` go first."""
        from flux_cli.images.metadata import IMAGE_SHAPING  # noqa: PLC0415 - not for --help

        spared = {*typed, *(_SHAPES if typed.keys() & _SHAPES else ())}
        found = {name: value for name in IMAGE_SHAPING if (value := self.job.parameters.get(name)) is not None}
        options = {name: value for name, value in found.items() if name not in spared}
        left_out: list[str] = []
        if self.seed is not None and "seed" not in typed:
            try:
                options["seed"] = model.options["seed"].check(self.seed)
            except InvalidValue:
                left_out.append("seed")
        extra = dict(self.job.parameters.get("param", {}))
        if extra and provider.name != self.job.provider:
            extra = {}
            left_out.append("param")
        taken = {path for name, value in typed.items() for path in _fields(model, name, value)}
        extra = {path: value for path, value in extra.items() if path not in taken}
        untold = [name for name in self.missing if name not in spared]
        return Start(options=options, extra=extra, left_out=tuple(left_out), missing=tuple(untold))


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a wish starts from."""

    options: Mapping[str, Any]
    extra: Mapping[str, Any]
    left_out: tuple[str, ...] = ()
    """Names of what this provider cannot honour."""
    missing: tuple[str, ...] = ()
    """Names of what is not known, and was not typed either."""

    def notes(self, like: Like) -> list[str]:
        """Return what a person should know."""
        names = [f"--{name}" if name.startswith("param ") else flag_name(name) for name in self.missing]
        return [f"{like.name} was made with {listed(names)} as well, and does not record how"] if names else []


def find_earlier(runtime: Runtime, reference: str) -> Like:
    """Return the wish behind an image or a job. Raises `UsageError` where there is none, or several."""
    name = printable(reference)
    reference = expand_home(reference)
    jobs = runtime.ledger.find(reference, sandbox=runtime.sandbox)
    if os.path.isfile(reference):  # noqa: PTH113 - a Path raises where the name is too long
        return _find_by_image(runtime, reference, jobs, name)
    made = [job for job in jobs if job.status != "failed"] or jobs
    if not made:
        hint = "`flux status` lists the jobs that were started here"
        raise unknown_reference(runtime, reference, hint, what="job or image")
    if len({job.prompt for job in made}) > 1:
        raise UsageError(
            f"{name} matches jobs with different prompts", hint="name one of its jobs; `flux status` lists them"
        )
    return Like(name=name, job=made[0], seed=made[0].seed, count=max(sum(job.count for job in made), 1))


def _find_by_image(runtime: Runtime, reference: str, jobs: Sequence[Job], name: str) -> Like:
    """Return the wish behind one image, from the ledger where that knows it, else from what it tells itself."""
    from flux_cli.runs.described import describe_image  # noqa: PLC0415 - not for --help

    here = os.path.realpath(reference)
    for job in jobs:
        for image in job.images:
            if image.path is not None and os.path.realpath(Path(image.path)) == here:
                seed = image.seed if image.seed is not None or job.count > 1 else job.seed
                return Like(name=name, job=job, seed=seed, count=1)
    told = describe_image(reference)
    if told is None:
        raise UsageError(f"there is no image {name}", hint="give a path, absolute or relative to the current folder")
    known = told.find_job(runtime)
    if known is not None:
        return Like(name=name, job=known, seed=told.metadata.seed, count=1)
    return Like(
        name=name, job=told.metadata.as_job(told.image), seed=told.metadata.seed, count=1, missing=told.metadata.omitted
    )


def _fields(model: Model, name: str, value: Any) -> list[str]:
    """Return the fields of the request that a typed option fills; none where it does not fit, which is told later."""
    option = model.options.get(name)
    try:
        return [] if option is None else [*option.wire(option.check(value))]
    except InvalidValue:
        return []
