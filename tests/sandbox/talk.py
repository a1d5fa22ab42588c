"""Holding the real providers' conversations with the sandbox."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

from flux_cli import providers
from flux_cli.errors import (
    LostReplyError,
)
from flux_cli.images.inputs import InputReader
from flux_cli.jobs import Job, LocalFile
from flux_cli.providers import fit as checks
from flux_cli.providers.base import PlannedJob
from flux_cli.providers.conversation import Response, encode
from flux_cli.providers.image_input import list_images
from flux_cli.sandbox.wire import Call, LostReply
from flux_cli.sandbox.world import World

if TYPE_CHECKING:
    from flux_cli.providers.base import Provider
    from flux_cli.providers.conversation import Request

EVERY = [(name, model) for name in providers.NAMES for model in providers.load(name).models]
SMALL = [(name, next(iter(providers.load(name).models))) for name in providers.NAMES]
PICTURE = b"\x89PNG\r\n\x1a\n"


@dataclass
class Line:
    """Carries requests to the sandbox as the real transport would, and counts the paid ones."""

    world: Any
    provider: Provider
    key: str = "made-up"
    paid: int = 0

    def __call__(self, request: Request) -> Response:
        self.paid += request.paid
        name, prefix = self.provider.auth
        base = urlsplit(request.url or (request.origin or self.provider.base_url) + request.path)
        query = dict(parse_qsl(base.query)) if request.url else dict(request.query)
        headers = {name.lower(): value for name, value in request.headers.items()}
        headers |= {name.lower(): prefix + self.key} if self.key and not request.keyless else {}
        body = b""
        if request.json is not None:
            headers["content-type"] = "application/json"
            parts = encode(request.json)
            body = b"".join(part if isinstance(part, bytes) else b64encode(_read(part)) for part in parts)
        if request.upload is not None and not request.upload.field:
            headers["content-type"] = request.upload.media_type
            body = PICTURE
        elif request.upload is not None:
            headers["content-type"] = "multipart/form-data; boundary=b"
            head = f'--b\r\nContent-Disposition: form-data; name="{request.upload.field}"; filename="x"\r\n\r\n'
            body = head.encode() + PICTURE + b"\r\n--b--\r\n"
        call = Call(
            method=request.method,
            host=base.netloc,
            path=base.path,
            query=query,
            headers=headers,
            body=body,
            base=f"https://{base.netloc}",
        )
        try:
            answer = self.world.answer(call)
        except LostReply:
            raise LostReplyError("lost") from None
        response = Response(status=answer.status, headers=answer.headers, body=answer.body)
        if self.provider.is_answer is not None and self.provider.is_answer(response):
            return response
        refusal = self.provider.refusal(response)
        if refusal is not None:
            raise refusal
        assert response.status < 300
        return response


PICTURES = Path(__file__).parents[1] / "pictures"


def needed(model) -> dict[str, str]:
    """Return the options that a model cannot do without."""
    found = {name: str(PICTURES / "mask.png") for name, option in model.options.items() if option.required}
    if model.image_input is not None and model.image_input.least:
        found["image"] = str(PICTURES / "fox.png")
    return found


READER = InputReader(lambda: Path("/nonexistent"))


def _read(file: LocalFile) -> bytes:
    return Path(file.path).read_bytes()


def order(name, model_name, prompt="a fox", *, seed=5, count=1, extra=None, handle="", **options):
    """Return a planned job whose options went through the ordinary checks."""
    provider = providers.load(name)
    model = checks.find_model(provider, model_name, {})
    options = {**needed(model), **options}
    model, options, _ = checks.fit_images(provider, model, options, typed=set(options))
    if model.takes_seed:
        checks.check_seed(provider, model, seed)
    found = checks.resolve(provider, model, options, typed=set(options), extra=extra)
    job = Job(
        id="k3f9q2mx",
        run="r",
        provider=name,
        model=model.name,
        prompt=prompt,
        created_at=0.0,
        seed=seed if model.takes_seed else None,
        count=count,
        parameters={**found.options, "param": extra or {}},
        idempotency_key=handle or str(uuid4()),
    )
    images = [image for name in ("image", "mask") for image in list_images(found.options.get(name))]
    return PlannedJob(job=job, model=model, files={one: READER.read(one) for one in images if "://" not in one})


def fetched(world, url):
    split = urlsplit(url)
    answer = world.answer(Call(method="GET", host=split.netloc, path=split.path, query=dict(parse_qsl(split.query))))
    assert answer.status == 200
    return answer


def open_line(provider, folder, now):
    """Return a line to a new stand-in of ``provider``, whose clock shows the first of ``now``."""
    return Line(World(folder, lambda: now[0], 10.0, providers=providers.NAMES), provider)


def read_submit(provider, planned):
    """Return the request of a submit, and its body as it travels: local files inside it."""
    request = next(provider.submit(planned))
    parts = encode(request.json)
    read = [one if isinstance(one, bytes) else b64encode(Path(one.path).read_bytes()) for one in parts]
    return request, json.loads(b"".join(read))
