"""A conversation held with scripted answers, and the values that the provider tests share."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from flux_cli import providers
from flux_cli.errors import FluxError, RefusedError, UnavailableError
from flux_cli.jobs import Job, LocalFile
from flux_cli.providers.base import PlannedJob
from flux_cli.providers.conversation import Request, Response, drive
from flux_cli.providers.image_input import list_images

HANDLE = "17a2b204-94c7-4ae5-8c2d-369f6ed0eab6"


@dataclass
class Talk:
    """What was said, and what came of it: a result or an error."""

    requests: list[Request] = field(default_factory=list)
    result: Any = None
    error: FluxError | None = None

    @property
    def bodies(self):
        return [request.json for request in self.requests]


@pytest.fixture(scope="session")
def reply():
    """Make an answer: ``reply({"id": 1})``, ``reply({...}, 402)``, ``reply(b"<html>")``."""

    def make(body: Any, status: int = 200, **headers: str) -> Response:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return Response(
            status=status, body=raw, headers={name.replace("_", "-"): told for name, told in headers.items()}
        )

    return make


@pytest.fixture(scope="session")
def talk(reply):
    """Hold a conversation of a provider; each answer is a `Response`, JSON of a 200, or an error of the transport."""

    def hold(provider, conversation, *answers) -> Talk:
        said = Talk()
        script = iter(answers)

        def send(request: Request) -> Response:
            said.requests.append(request)
            answer = next(script)
            if isinstance(answer, FluxError):
                raise answer
            answer = answer if isinstance(answer, Response) else reply(answer)
            refusal = provider.refusal(answer)
            if refusal is not None:
                raise refusal
            if answer.status >= 500:
                raise UnavailableError(f"{provider.name} answered HTTP {answer.status}")
            if not 200 <= answer.status < 300:
                raise RefusedError(f"{provider.name} answered HTTP {answer.status}, which it does not document")
            return answer

        try:
            said.result = drive(conversation, send)
        except FluxError as error:
            said.error = error
        return said

    return hold


def local_file(path: str) -> LocalFile:
    """Return a local image that need not exist."""
    return LocalFile(path=path, media_type="image/png", size=10, sha256="0" * 64, width=64, height=64)


@pytest.fixture(scope="session")
def order():
    """Make a planned job: ``order("runware", "ultra", raw=True)``. What is no option has a leading underscore."""

    def make(
        name: str, alias: str = "ultra", *, _prompt="a fox", _count=1, _wait=True, _extra=None, **options
    ) -> PlannedJob:
        model = providers.load(name).models[providers.ALIASES.get(alias, alias)]
        model = model.choose_variant(len(list_images(options.get("image"))))
        chosen = {**model.always_sent, **options}
        job = Job(
            id="k3f9q2mx",
            run="r",
            provider=name,
            model=model.name,
            prompt=_prompt,
            created_at=0.0,
            seed=chosen.pop("seed", 7) if model.takes_seed else None,
            count=_count,
            parameters={**chosen, "param": _extra or {}},
            idempotency_key=HANDLE,
        )
        files = {image: local_file(image) for name in ("image", "mask") for image in list_images(chosen.get(name))}
        local = {image: file for image, file in files.items() if "://" not in image}
        return PlannedJob(job=job, model=model, files=local, wait=_wait)

    return make
