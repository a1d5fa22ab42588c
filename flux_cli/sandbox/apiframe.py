"""Stand in for Apiframe, version 2.

Read from the OpenAPI file of the vendor's Node SDK and from https://docs-v2.apiframe.ai. Names that the schema does not
list are refused, at the top and inside ``fluxParams``, and there also those that the model's own page does not list.
Where an answer is known in several shapes, the seed chooses.
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import replace
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

from flux_cli.sandbox import shapes, uploads
from flux_cli.sandbox.life import Job, rehearsals
from flux_cli.sandbox.schema import Field, problems
from flux_cli.sandbox.store import Scene
from flux_cli.sandbox.wire import Answer, Call, LostReply, find, reply, stamp

HOSTS = ("api.apiframe.ai",)
FILES = "https://cdn2.apiframe.ai"
"""The base URL of image links."""

MODELS = ("flux-1.1-pro", "flux-1.1-pro-ultra")
CREDITS = {MODELS[0]: 8, MODELS[1]: 12}
"""Credits per image, made up because they are not documented."""
REPLAY = 24 * 3600
"""How long an ``Idempotency-Key`` returns its first job, in seconds."""
RETENTION = 24 * 3600
"""How long the links of a job work, in seconds."""

_LARGEST = 25 * 1024 * 1024
_UUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_STATUSES = {"queued": "QUEUED", "running": "PROCESSING", "done": "COMPLETED", "cancelled": "CANCELLED"}
_FLUX = {
    "aspect_ratio": Field(kind="text", pattern=r"\d+:\d+"),
    "width": Field(kind="integer", low=256, high=2048),
    "height": Field(kind="integer", low=256, high=2048),
    "image_prompt": Field(kind="link"),
    "image_prompt_strength": Field(kind="number", low=0, high=1),
    "input_images": Field(kind="array", high=10, items=Field(kind="link")),
    "output_format": Field(kind="text", choices=("jpg", "png", "webp")),
    "output_quality": Field(kind="integer", low=0, high=100),
    "prompt_upsampling": Field(kind="boolean"),
    "raw": Field(kind="boolean"),
    "resolution": Field(kind="text"),
    "seed": Field(kind="integer"),
    "steps": Field(kind="integer", low=1, high=50),
    "guidance": Field(kind="number", low=1.5, high=10),
    "go_fast": Field(kind="boolean"),
}
_FOREIGN = {MODELS[0]: {"raw", "image_prompt_strength"}, MODELS[1]: {"prompt_upsampling"}}
"""Fields in the schema of the family that the page of a model does not list."""
_EVENTS = Field(kind="text", choices=("progress", "completed", "failed"))
_LISTED: dict[str, str] = {
    "status": "QUEUED|PROCESSING|COMPLETED|FAILED|CANCELLED",
    "model": ".*",
    "limit": r"[1-9]\d?|100",
    "cursor": ".*",
    "scope": "user|team",
    "search": _UUID,
    "include_models": "true|false",
}
"""The parameters of the list of jobs."""
_ROUTES = {
    ("POST", r"/v2/images/generate"): "generate",
    ("GET", r"/v2/jobs"): "jobs",
    ("GET", r"/v2/jobs/([^/]+)"): "job",
    ("GET", r"/v2/me"): "me",
    ("GET", r"/v2/models"): "models",
    ("POST", r"/v2/uploads"): "upload",
}


def _body(model: Any) -> Field:
    """Return the schema of a submit of ``model``."""
    foreign = _FOREIGN.get(model, set()) if isinstance(model, str) else set[str]()
    return Field(
        kind="object",
        fields={
            "prompt": Field(kind="text", required=True, low=1, high=2000),
            "model": Field(kind="text", required=True, choices=MODELS),
            "fluxParams": Field(
                kind="object", fields={name: field for name, field in _FLUX.items() if name not in foreign}
            ),
            "webhookUrl": Field(kind="link"),
            "webhookEvents": Field(kind="array", low=1, items=_EVENTS),
        },
    )


def answer(call: Call, scene: Scene) -> Answer:
    """Answer as the API does. Raises `LostReply` if a rehearsal requests it."""
    answered = _answer(call, scene)
    return replace(answered, headers={**answered.headers, "x-request-id": uuid4().hex})


def _answer(call: Call, scene: Scene) -> Answer:
    route = find(_ROUTES, call)
    if isinstance(route, int):
        return _refuse(route, "Method not allowed" if route == 405 else "Not found")  # noqa: PLR2004 - HTTP
    name, part = route
    if name == "models":
        return reply(200, {"models": [_describe_model(model) for model in MODELS]})
    if not re.fullmatch(r"[!-~]+", call.headers.get("x-api-key", "")):
        return _refuse(401, "Missing or invalid API key")
    match name:
        case "generate":
            return _generate(call, scene)
        case "jobs":
            return _jobs(call, scene)
        case "job":
            return _job(part, scene)
        case "upload":
            return _upload(call, scene)
        case _:
            user = {"id": "sandbox", "email": "sandbox@example.com", "role": "USER"}
            team = {"id": "sandbox", "name": "Sandbox", "credits": 1000, "plan": "sandbox", "customerId": None}
            key = {"id": "sandbox", "name": "sandbox", "prefix": call.headers["x-api-key"][:4]}
            return reply(200, {"user": user, "team": team, "apiKey": key})


def _describe_model(model: str) -> dict[str, Any]:
    price = CREDITS[model]
    named = {"id": model, "label": model.replace("-", " ").title(), "modality": "image", "paramsKey": "fluxParams"}
    return {**named, "costMin": price, "costMax": price, "pricingMode": "flat"}


def locate(call: Call, scene: Scene) -> tuple[Job, int] | Answer | None:
    """Return the job and the number of the image behind a link, or the file uploaded under it."""
    sent = re.fullmatch(r"/uploads/([^/.]+)\.(png|jpeg|gif|webp)", call.path)
    held = scene.uploads.get_bytes(sent[1]) if sent else None
    if sent and held is not None:
        return Answer(status=200, headers={"content-type": f"image/{sent[2]}"}, body=held)
    found = re.fullmatch(r"/images/([^/]+)/0\.(jpg|png|webp)", call.path)
    job = scene.job(found[1]) if found else None
    if found is None or job is None or not job.ready(scene.now()) or job.format != found[2] or _is_expired(job, scene):
        return None
    return job, 0


def _generate(call: Call, scene: Scene) -> Answer:
    if not call.is_json:
        return _refuse(415, "Content-Type must be application/json")
    try:
        body: Any = call.json()
    except ValueError:
        return _refuse(400, "Invalid JSON")
    wrong: dict[str, list[str]] = {}
    for one in problems(body, _body(body.get("model") if isinstance(body, dict) else None)):
        wrong.setdefault(one.path, []).append("Unrecognized key" if one.why == "unknown" else one.message)
    key = call.headers.get("idempotency-key")
    if key is not None and not 1 <= len(key) <= 255:  # noqa: PLR2004 - the schema's limit
        wrong["Idempotency-Key"] = ["length must be 1 to 255"]
    sent = body.get("fluxParams", {}) if not wrong else {}
    if _unknown_upload(str(sent.get("image_prompt", "")), scene):
        wrong["fluxParams.image_prompt"] = ["no such upload"]
    if wrong:
        return _refuse(400, "Validation failed", details=wrong)
    refused = _rehearse(body["prompt"])
    return _accept(body, key, scene) if refused is None else refused


def _accept(body: Any, key: str | None, scene: Scene) -> Answer:
    """Make the job, or return the one made with the same key within the last day."""
    sent = body.get("fluxParams", {})
    width, height = shapes.size(sent.get("aspect_ratio", "16:9"), ultra=body["model"] == MODELS[1])
    name, turn = str(uuid4()) if key is None else _id_for_key(key, 0), 0
    while True:
        job, new = scene.accept(
            id=name,
            model=body["model"],
            prompt=body["prompt"],
            seed=sent.get("seed", secrets.randbelow(2**31)),
            width=sent.get("width", width),
            height=sent.get("height", height),
            format=sent.get("output_format", "jpg"),
            quality=sent.get("output_quality", 90),
            asked=body,
        )
        if new or key is None or scene.now() < job.created + REPLAY:
            break
        turn += 1
        name = _id_for_key(key, turn)
    if json.dumps(job.asked, sort_keys=True) != json.dumps(body, sort_keys=True):
        return _refuse(409, "Idempotency-Key was used with a different request body")
    if "lost-replies" in job.plays or (new and "lost-reply" in job.plays):
        raise LostReply(job.id)
    return reply(202, {"jobId": job.id, "status": _status(job, scene)})


def _id_for_key(key: str, turn: int) -> str:
    """Return the id of the job of an ``Idempotency-Key``, so that its file decides who was first."""
    return str(uuid5(NAMESPACE_URL, f"sandbox:apiframe:{turn}:{key}"))


def _rehearse(prompt: str) -> Answer | None:
    plays = rehearsals(prompt)
    if "unauthorized" in plays:
        return _refuse(401, "Missing or invalid API key")
    if "credits" in plays:
        return _refuse(402, "Insufficient credits", creditsRequired=12, creditsAvailable=0)
    if "rate-limit" in plays:
        return reply(429, {"error": "Too many requests"}, retry_after="1")
    return None


def _job(name: str, scene: Scene) -> Answer:
    if not re.fullmatch(_UUID, name):
        return _refuse(400, "Validation failed", details={"id": ["must be a UUID"]})
    job = scene.job(name.lower())
    return _refuse(404, "Job not found") if job is None else reply(200, {**_describe(job, scene), "input": job.asked})


def _status(job: Job, scene: Scene) -> str:
    phase = job.phase(scene.now())
    if phase == "done" and job.stopped:
        return "CANCELLED"
    return "FAILED" if phase == "done" and (job.blocked or job.broken) else _STATUSES[phase]


def _is_expired(job: Job, scene: Scene) -> bool:
    return scene.now() >= job.ended + RETENTION


def _describe(job: Job, scene: Scene) -> dict[str, Any]:
    """Return a job as in the list, which does not contain the job's input."""
    status, now = _status(job, scene), scene.now()
    link = f"{scene.links}/images/{job.id}/0.{job.format}"
    result = ({"images": [link]}, [link], link)[job.seed % 3]
    failure = job.block if job.blocked else "The provider could not make the image"
    return {
        "id": job.id,
        "status": status,
        "model": job.model,
        "progress": None if status == "QUEUED" else job.progress(now),
        "result": result if status == "COMPLETED" else None,
        "error": failure if status == "FAILED" else None,
        "creditCost": CREDITS[job.model] if status in {"QUEUED", "PROCESSING", "COMPLETED"} else 0,
        "webhookStatus": "pending" if "webhookUrl" in job.asked else None,
        "createdAt": stamp(job.created),
        "completedAt": stamp(job.ended) if status in {"COMPLETED", "FAILED"} else None,
        "expired": _is_expired(job, scene),
    }


def _jobs(call: Call, scene: Scene) -> Answer:
    """Return a page of jobs, the newest first; the cursor is the id of the last job of the page before."""
    asked = {"limit": "20", **call.query}
    wrong = {
        name: ["Unrecognized key" if name not in _LISTED else f"must match {_LISTED[name]}"]
        for name, value in asked.items()
        if not re.fullmatch(_LISTED.get(name, "(?!)"), value)
    }
    jobs = [
        job
        for job in scene.jobs()
        if asked.get("status") in {None, _status(job, scene)}
        and asked.get("model") in {None, job.model}
        and asked.get("search", job.id).lower() == job.id
    ]
    ids = [job.id for job in jobs]
    cursor = asked.get("cursor")
    if cursor is not None and cursor not in ids:
        wrong["cursor"] = ["is not a cursor"]
    if wrong:
        return _refuse(400, "Validation failed", details=wrong)
    start = 0 if cursor is None else ids.index(cursor) + 1
    end = start + int(asked["limit"])
    more = end < len(jobs)
    page = [_describe(job, scene) for job in jobs[start:end]]
    return reply(200, {"jobs": page, "nextCursor": ids[end - 1] if more else None, "hasMore": more})


def _upload(call: Call, scene: Scene) -> Answer:
    """Accept a file and recognize its format."""
    try:
        held = uploads.file_of(call)
    except ValueError as error:
        return _refuse(400, "Validation failed", details={"file": [str(error)]})
    kind = uploads.kind_of(held)
    if kind is None or len(held) > _LARGEST:
        return _refuse(400, "Unsupported file type" if kind is None else "File too large")
    name = str(uuid4())
    record = {
        "id": name,
        "url": f"{scene.links}/uploads/{name}.{kind}",
        "kind": "image",
        "contentType": f"image/{kind}",
        "byteSize": len(held),
        "expiresAt": stamp(scene.now() + 3600),
    }
    scene.uploads.put(name, record)
    scene.uploads.put_bytes(name, held)
    return reply(201, record)


def _unknown_upload(url: str, scene: Scene) -> bool:
    """Whether a link is one of the sandbox's but leads to nothing."""
    root = f"{scene.links}/uploads/"
    return url.startswith(root) and scene.uploads.get(url.removeprefix(root).split(".", 1)[0]) is None


def _refuse(status: int, error: str, **more: Any) -> Answer:
    return reply(status, {"error": error, **more})
