"""Stand in for Replicate.

Read from the OpenAPI document of https://api.replicate.com and from the models' version pages. The body of a prediction
takes no unknown field, and neither does a model's input. Everything of a prediction is deleted an hour after its end.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import datetime
from typing import Any
from uuid import uuid4

from flux_cli.sandbox import shapes
from flux_cli.sandbox.inputs import keep_image, measure, shorten
from flux_cli.sandbox.life import Job, rehearsals
from flux_cli.sandbox.replicate_models import AREAS, ENTRIES, IMAGES, Entry
from flux_cli.sandbox.schema import Field, problems
from flux_cli.sandbox.store import Scene
from flux_cli.sandbox.uploads import kind_of
from flux_cli.sandbox.wire import Answer, Call, LostReply, find, reply, stamp

HOSTS = ("api.replicate.com",)
FILES = "https://replicate.delivery"
"""The base URL of image links."""
RETENTION = 3600
"""How long a prediction is kept after its end, in seconds."""

_OWNER = "black-forest-labs/"
_ROUTES = {
    ("POST", r"/v1/models/([^/]+/[^/]+)/predictions"): "create",
    ("GET", r"/v1/models/([^/]+/[^/]+)"): "model",
    ("GET", r"/v1/predictions"): "list",
    ("GET", r"/v1/predictions/([^/]+)"): "get",
    ("POST", r"/v1/predictions/([^/]+)/cancel"): "cancel",
    ("GET", r"/v1/account"): "account",
    ("POST", r"/v1/files"): "upload",
    ("GET", r"/v1/files/([^/]+)"): "file",
    ("DELETE", r"/v1/files/([^/]+)"): "delete",
}
_EVENTS = Field(kind="text", choices=("start", "output", "logs", "completed"))
_LARGEST = 100 * 10**6


def answer(call: Call, scene: Scene) -> Answer:
    """Answer as the API does. Raises `LostReply` if a rehearsal requests it."""
    route = find(_ROUTES, call)
    if isinstance(route, int):
        return _refuse(route, "Not found" if route == 404 else "Method not allowed", "")  # noqa: PLR2004 - HTTP
    if not call.bearer:
        return _refuse(401, "Unauthenticated", "You did not pass a valid authentication token")
    name, part = route
    match name:
        case "create":
            return _create(call, scene, part)
        case "list":
            return _list(call, scene)
        case "account":
            return reply(200, {"type": "user", "username": "sandbox", "name": "Sandbox", "github_url": None})
        case "model":
            return _describe_model(part)
        case "upload":
            return _upload(call, scene)
        case "file" | "delete":
            return _file(call, scene, part)
        case _:
            return _prediction(call, scene, part, cancel=name == "cancel")


def _prediction(call: Call, scene: Scene, name: str, *, cancel: bool) -> Answer:
    """Return a prediction, cancelled first if it is not finished and that is asked for."""
    job = scene.job(name)
    if job is None:
        return _refuse(404, "Not found", "The requested resource could not be found.")
    if cancel and job.phase(scene.now()) in {"queued", "running"}:
        scene.cancel(job)
        job = scene.job(name) or job
    return reply(200, _describe(job, call, scene))


def locate(call: Call, scene: Scene) -> tuple[Job, int] | None:
    """Return the job and the number of the image behind a link."""
    found = re.fullmatch(r"/xezq/([^/]+)/out-(\d+)\.(jpg|png|webp)", call.path)
    job = scene.job(found[1]) if found else None
    if found is None or job is None or job.format != found[3] or scene.now() >= job.ended + RETENTION:
        return None
    return (job, int(found[2])) if int(found[2]) < job.ready(scene.now()) else None


def _create(call: Call, scene: Scene, model: str) -> Answer:
    entry = ENTRIES.get(model.removeprefix(_OWNER)) if model.startswith(_OWNER) else None
    if entry is None:
        return _refuse(404, "Not found", "The requested resource could not be found.")
    try:
        body: Any = call.json() if call.is_json else None
    except ValueError:
        return _refuse(400, "Bad request", "the body is not JSON")
    schema = {
        "input": Field(kind="object", required=True, fields=entry.fields),
        "webhook": Field(kind="link"),
        "webhook_events_filter": Field(kind="array", items=_EVENTS),
        "stream": Field(kind="boolean"),
    }
    wrong = problems(body, Field(kind="object", fields=schema))
    if wrong:
        return _refuse(422, "Input validation failed", "; ".join(f"{one.path} {one.message}" for one in wrong))
    asked = body["input"]
    try:
        inputs = [keep_image(value, scene) for value in _images(asked)]
        sizes = [measure(held) for one in inputs if (held := scene.input(one)) is not None]
        mask = scene.input(keep_image(asked["mask"], scene)) if "mask" in asked else None
    except ValueError as error:
        return _refuse(422, "Input validation failed", f"input: {error}")
    if mask is not None and sizes and measure(mask) != sizes[0]:
        return _refuse(422, "Input validation failed", "input.mask: it must have the size of the image")
    refused = _rehearse(asked["prompt"])
    if refused is not None:
        return refused
    width, height = _size(asked, entry, sizes)
    job, _ = scene.accept(
        id=uuid4().hex[:26],
        model=model,
        prompt=asked["prompt"],
        seed=asked.get("seed", secrets.randbelow(2**31)),
        width=width,
        height=height,
        format=asked.get("output_format", entry.format),
        quality=asked.get("output_quality", 90),
        count=asked.get("num_outputs", 1),
        inputs=inputs,
        asked=shorten(asked),
    )
    if job.plays & {"lost-reply", "lost-replies"}:
        raise LostReply(job.id)
    return reply(201, _describe(job, call, scene))


def _images(asked: Any) -> list[str]:
    found: list[str] = []
    for name in IMAGES:
        value = asked.get(name)
        found += value if isinstance(value, list) else [value] if value else []
    return found


def _size(asked: Any, entry: Entry, inputs: list[tuple[int, int]]) -> tuple[int, int]:
    """Return the size of the image; a custom one is rounded without a word."""
    ratio = asked.get("aspect_ratio", "match_input_image" if inputs else "1:1")
    if ratio == "custom":
        width, height = asked.get("width", 1024), asked.get("height", 1024)
        return round(width / entry.step) * entry.step, round(height / entry.step) * entry.step
    if "mask" in entry.fields and inputs:
        return inputs[0]
    if ratio in {"match_input_image", "auto"}:
        ratio = f"{inputs[0][0]}:{inputs[0][1]}" if inputs else "1:1"
    return shapes.size_of_area(ratio, AREAS.get(asked.get("resolution", ""), entry.area), 16)


def _rehearse(prompt: str) -> Answer | None:
    plays = rehearsals(prompt)
    if "unauthorized" in plays:
        return _refuse(401, "Unauthenticated", "You did not pass a valid authentication token")
    if "credits" in plays:
        return _refuse(402, "Insufficient credit", "You have insufficient credit to run this model.")
    if "rate-limit" in plays:
        return _refuse(429, "Too many requests", "Request was throttled. Your rate limit resets in ~1s.")
    return None


def _describe(job: Job, call: Call, scene: Scene) -> dict[str, Any]:
    now, entry = scene.now(), ENTRIES[job.model.removeprefix(_OWNER)]
    phase = job.phase(now)
    status = {"queued": "starting", "running": "processing", "done": "succeeded", "cancelled": "canceled"}[phase]
    started = stamp(job.started) if phase in {"running", "done"} else None
    error = None
    if phase == "done" and job.imageless:
        status = "canceled" if job.stopped else "failed"
        error = job.block if job.blocked else None if job.stopped else "Prediction failed: CUDA out of memory (E9243)"
    removed = phase == "done" and now >= job.ended + RETENTION
    links = [f"{scene.links}/xezq/{job.id}/out-{index}.{job.format}" for index in range(job.count)]
    made = status == "succeeded" and not removed
    base = f"{call.base}/v1/predictions/{job.id}"
    return {
        "id": job.id,
        "model": job.model,
        "version": "hidden",
        "input": {} if removed else job.asked,
        "output": (links if entry.listed else links[0]) if made else None,
        "data_removed": removed,
        "error": error,
        "status": status,
        "created_at": stamp(job.created),
        "started_at": started,
        "completed_at": stamp(job.ended) if phase == "done" else None,
        "logs": "",
        "metrics": {"predict_time": round(job.ended - job.started, 3)} if made else {},
        "source": "api",
        "urls": {"get": base, "cancel": f"{base}/cancel", "web": f"https://replicate.com/p/{job.id}"},
    }


def _list(call: Call, scene: Scene) -> Answer:
    """Return a page of predictions, the newest first, without those that are older than their retention."""
    try:
        after, before = (
            datetime.fromisoformat(call.query[name]).timestamp() if name in call.query else None
            for name in ("created_after", "created_before")
        )
    except ValueError:
        return _refuse(400, "Bad request", "created_after and created_before must be ISO 8601")
    jobs = [
        job
        for job in scene.jobs()
        if (after is None or job.created >= after) and (before is None or job.created <= before)
    ]
    offset = int(call.query["cursor"]) if call.query.get("cursor", "").isdecimal() else 0
    page, more = jobs[offset : offset + 100], len(jobs) > offset + 100
    link = f"{call.base}/v1/predictions?cursor={offset + 100}" if more else None
    return reply(200, {"next": link, "previous": None, "results": [_describe(job, call, scene) for job in page]})


def _describe_model(name: str) -> Answer:
    entry = ENTRIES.get(name.removeprefix(_OWNER))
    if entry is None:
        return _refuse(404, "Not found", "The model does not exist")
    fields = {
        key: {"type": "string" if one.kind == "text" else one.kind, **({"enum": one.choices} if one.choices else {})}
        for key, one in entry.fields.items()
    }
    schema = {"components": {"schemas": {"Input": {"type": "object", "properties": fields}}}}
    owner, _, rest = name.partition("/")
    return reply(200, {"owner": owner, "name": rest, "latest_version": {"id": "hidden", "openapi_schema": schema}})


def _upload(call: Call, scene: Scene) -> Answer:
    """Accept a file in the field ``content``."""
    found = re.search(rb'name="content"[^\r]*\r\n(?:[^\r\n]+\r\n)*\r\n(.*?)\r\n--', call.body, re.DOTALL)
    if found is None:
        return _refuse(422, "Input validation failed", "content is required")
    held = found[1]
    if len(held) > _LARGEST:
        return _refuse(413, "Payload too large", "a file may have 100 MB")
    name = str(uuid4())
    record = {
        "id": name,
        "name": "image",
        "etag": hashlib.md5(held, usedforsecurity=False).hexdigest(),
        "content_type": f"image/{kind_of(held) or 'octet-stream'}",
        "size": len(held),
        "checksums": {"sha256": hashlib.sha256(held).hexdigest()},
        "metadata": {},
        "created_at": stamp(scene.now()),
        "expires_at": stamp(scene.now() + 86400),
        "urls": {"get": f"{call.base}/v1/files/{name}"},
    }
    scene.uploads.put(name, record)
    scene.uploads.put_bytes(name, held)
    return reply(201, record)


def _file(call: Call, scene: Scene, name: str) -> Answer:
    record = scene.uploads.get(name)
    if record is None:
        return _refuse(404, "Not found", "The requested resource could not be found.")
    return Answer(status=204) if call.method == "DELETE" else reply(200, record)


def _refuse(status: int, title: str, detail: str) -> Answer:
    return reply(status, {"title": title, "detail": detail, "status": status})
