"""Start a request from an earlier image or job: ``--like IMAGE|JOB``.

Taken over is what shapes an image: prompt, model, provider, seed, options and ``--param``. It replaces what the config
says of these, so that only what you type makes the new image differ. Webhook and labels are not taken over.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flux_cli.commands.generate.images import STDIN
from flux_cli.commands.generate.request import Start
from flux_cli.commands.options import unknown_reference
from flux_cli.errors import UsageError
from flux_cli.image_options import IMAGE_SHAPING, replaced_by
from flux_cli.jobs import Job
from flux_cli.providers.base import Model, Provider
from flux_cli.providers.fit import check_seed
from flux_cli.providers.image_input import list_images
from flux_cli.providers.options import InvalidValue
from flux_cli.runtime import Runtime
from flux_cli.saving.home import expand_home
from flux_cli.text import printable


@dataclass(frozen=True, slots=True, kw_only=True)
class Like:
    """An earlier request."""

    name: str
    """The image or job as it was typed, safe to print."""
    job: Job
    seed: int | None
    count: int
    """Number of images; 1 if the reference is to one image."""
    missing: tuple[str, ...] = ()
    """Names of further options that shaped the image and whose values are unknown."""

    def prompt(self) -> str:
        """Return the prompt. Raises `UsageError` if it is unknown."""
        if not self.job.prompt or "prompt" in self.missing:
            what = "only the beginning of its prompt" if self.job.prompt else "no prompt"
            raise UsageError(f"{self.name} records {what}", hint=f"`flux generate --like {self.name} PROMPT`")
        return self.job.prompt

    def start(self, provider: Provider, model: Model, typed: Mapping[str, Any]) -> Start:
        """Return what a request to ``provider`` for ``model`` starts from; the options ``typed`` win."""
        replaced = replaced_by(typed.keys())
        recorded = {name: value for name in IMAGE_SHAPING if (value := self.job.parameters.get(name)) is not None}
        options = {name: value for name, value in recorded.items() if name not in replaced}
        gone = [name for name in ("image", "mask") if STDIN in list_images(options.get(name))]
        options = {name: value for name, value in options.items() if name not in gone}
        left_out: list[str] = []
        if self.seed is not None and "seed" not in typed:
            try:
                check_seed(provider, model, self.seed)
                options["seed"] = self.seed
            except UsageError:
                left_out.append("seed")
        extra = dict(self.job.parameters.get("param", {}))
        if extra and provider.name != self.job.provider:
            extra = {}
            left_out.append("param")
        typed_fields = {path for name, value in typed.items() for path in _list_fields(model, name, value)}
        extra = {path: value for path, value in extra.items() if path not in typed_fields}
        missing = tuple(name for name in (*self.missing, *gone) if name not in replaced)
        digests = self.job.parameters.get("files", {})
        return Start(options=options, extra=extra, left_out=tuple(left_out), missing=missing, digests=digests)


def find_earlier(runtime: Runtime, reference: str) -> Like:
    """Return the request behind an image or a job. Raises `UsageError` if there is none, or more than one."""
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
    first = min(made, key=lambda job: job.seed or 0)  # jobs of a run are sent side by side, and kept in any order
    return Like(name=name, job=first, seed=first.seed, count=max(sum(job.count for job in made), 1))


def _find_by_image(runtime: Runtime, reference: str, jobs: Sequence[Job], name: str) -> Like:
    """Return the request behind one image, from the ledger if it has the job, else from the image's metadata."""
    from flux_cli.runs.described import describe_image  # noqa: PLC0415 - not for --help

    path = os.path.realpath(reference)
    for job in jobs:
        for image in job.images:
            if image.path is not None and os.path.realpath(Path(image.path)) == path:
                seed = image.seed if image.seed is not None or job.count > 1 else job.seed
                return Like(name=name, job=job, seed=seed, count=1)
    found = describe_image(reference)
    if found is None:
        raise UsageError(f"there is no image {name}", hint="give a path, absolute or relative to the current folder")
    metadata, recorded = found.metadata, found.find_job(runtime)
    if recorded is not None:
        return Like(name=name, job=recorded, seed=metadata.seed, count=1)
    return Like(name=name, job=metadata.as_job(found.image), seed=metadata.seed, count=1, missing=metadata.omitted)


def _list_fields(model: Model, name: str, value: Any) -> list[str]:
    """Return the request fields that a typed option fills; none for an invalid value, which is refused later."""
    option = model.options.get(name)
    try:
        return [] if option is None else [*option.wire(option.check(value), {})]
    except InvalidValue:
        return []
