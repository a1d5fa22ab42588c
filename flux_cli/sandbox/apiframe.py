"""Stand in for Apiframe, version 2.

Read from the OpenAPI file of the vendor's Node SDK and from https://docs-v2.apiframe.ai. Names that the schema does not
list are refused, at the top and inside the parameters, and there also those that the model's own page does not list.
Where an answer is known in several shapes, the seed chooses.
"""

from __future__ import annotations

import json
import re
import secrets
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

from flux_cli.sandbox import apiframe_models as models
from flux_cli.sandbox import uploads
from flux_cli.sandbox.apiframe_models import CREDITS, PARAMETERS
from flux_cli.sandbox.inputs import keep_image, measure
from flux_cli.sandbox.life import Job, rehearsals
from flux_cli.sandbox.schema import problems
from flux_cli.sandbox.store import Scene
from flux_cli.sandbox.wire import Answer, Call, LostReply, find, reply, stamp

HOSTS = ("api.apiframe.ai",)
FILES = "https://cdn2.apiframe.ai"
"""The base URL of image links."""

REPLAY = 24 * 3600
"""How long an ``Idempotency-Key`` returns its first job, in seconds."""
RETENTION = 24 * 3600
"""How long the links of a job work, in seconds."""

_LARGEST = 25 * 1024 * 1024
_UUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_STATUSES = {"queued": "QUEUED", "running": "PROCESSING", "done": "COMPLETED", "cancelled": "CANCELLED"}
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
    ("POST", r"/v2/images/edit"): "edit",
    ("GET", r"/v2/jobs"): "jobs",
    ("GET", r"/v2/jobs/([^/]+)"): "job",
    ("GET", r"/v2/me"): "me",
    ("GET", r"/v2/models"): "models",
    ("POST", r"/v2/uploads"): "upload",
}


def answer(call: Call, scene: Scene) -> Answer:
    """Answer as the API does. Raises `LostReply` if a rehearsal requests it."""
    answered = _answer(call, scene)
    return answered._replace(headers={**answered.headers, "x-request-id": uuid4().hex})


def _answer(call: Call, scene: Scene) -> Answer:
    route = find(_ROUTES, call)
    if isinstance(route, int):
        return _refuse(route, "Method not allowed" if route == 405 else "Not found")  # noqa: PLR2004 - HTTP
    name, part = route
    if name == "models":
        return reply(200, {"models": [_describe_model(model) for model in CREDITS]})
    if not re.fullmatch(r"[!-~]+", call.headers.get("x-api-key", "")):
        return _refuse(401, "Missing or invalid API key")
    match name:
        case "generate" | "edit":
            return _submit(call, scene, edit=name == "edit")
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
    named = {"id": model, "label": model.replace("-", " ").title(), "modality": "image"}
    return {**named, "paramsKey": PARAMETERS[model], "costMin": price, "costMax": price, "pricingMode": "flat"}


def locate(call: Call, scene: Scene) -> tuple[Job, int] | Answer | None:
    """Return the job and the number of the image behind a link, or the file uploaded under it."""
    sent = re.fullmatch(r"/uploads/([^/.]+)\.(png|jpeg|gif|webp)", call.path)
    held = scene.uploads.get_bytes(sent[1]) if sent else None
    if sent and held is not None:
        return Answer(status=200, headers={"content-type": f"image/{sent[2]}"}, body=held)
    found = re.fullmatch(r"/images/([^/]+)/(\d)\.(jpg|png|webp)", call.path)
    job = scene.job(found[1]) if found else None
    if found is None or job is None or job.format != found[3] or _is_expired(job, scene):
        return None
    return (job, int(found[2])) if int(found[2]) < job.ready(scene.now()) else None


def _submit(call: Call, scene: Scene, *, edit: bool) -> Answer:
    if not call.is_json:
        return _refuse(415, "Content-Type must be application/json")
    try:
        body: Any = call.json()
    except ValueError:
        return _refuse(400, "Invalid JSON")
    wrong: dict[str, list[str]] = {}
    for one in problems(body, models.body(body.get("model") if isinstance(body, dict) else None, edit=edit)):
        wrong.setdefault(one.path, []).append("Unrecognized key" if one.why == "unknown" else one.message)
    key = call.headers.get("idempotency-key")
    if key is not None and not 1 <= len(key) <= 255:  # noqa: PLR2004 - the schema's limit
        wrong["Idempotency-Key"] = ["length must be 1 to 255"]
    wrong = wrong or _check_images(body, scene)
    if wrong:
        return _refuse(400, "Validation failed", details=wrong)
    refused = _rehearse(_prompt(body))
    return _accept(body, key, scene) if refused is None else refused


def _prompt(body: Any) -> str:
    """Return the prompt, which an edit has among its parameters."""
    found: str = body["prompt"] if "prompt" in body else body[PARAMETERS[body["model"]]]["prompt"]
    return found


def _check_images(body: Any, scene: Scene) -> dict[str, list[str]]:
    """Return what is wrong with the input images of a request, by path."""
    group = PARAMETERS[body["model"]]
    sent = body.get(group, {})
    links = models.images(sent) | ({"mask": sent["mask"]} if "mask" in sent else {})
    wrong = {f"{group}.{path}": ["no such upload"] for path, link in links.items() if _unknown_upload(link, scene)}
    needed = {"inpaint": "mask", "outpaint": "outpaint"}.get(sent.get("mode", ""))
    if needed and needed not in sent:
        wrong[f"{group}.{needed}"] = [f"is required for {sent['mode']}"]
    if "mask" in sent and not wrong:
        image, mask = (_measure(keep_image(sent[name], scene), scene) for name in ("image", "mask"))
        if image and mask and image != mask:
            wrong[f"{group}.mask"] = ["must have the size of the image"]
    return wrong


def _measure(name: str, scene: Scene) -> tuple[int, int] | None:
    """Return the size of a stored input image in pixels, or ``None`` if it is unknown."""
    held = scene.input(name)
    try:
        return None if held is None else measure(held)
    except ValueError:
        return None


def _accept(body: Any, key: str | None, scene: Scene) -> Answer:
    """Make the job, or return the one made with the same key within the last day."""
    sent = body.get(PARAMETERS[body["model"]], {})
    names = [keep_image(link, scene) for link in models.images(sent).values()]
    sizes = {name: found for name in names if (found := _measure(name, scene)) is not None}
    width, height = models.size(body["model"], sent, list(sizes.values()))
    name, turn = str(uuid4()) if key is None else _id_for_key(key, 0), 0
    while True:
        job, new = scene.accept(
            id=name,
            model=body["model"],
            prompt=_prompt(body),
            seed=sent.get("seed", secrets.randbelow(2**31)),
            width=width,
            height=height,
            count=sent.get("num_outputs", 1),
            inputs=[name if name in sizes else "" for name in names],
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
    links = [f"{scene.links}/images/{job.id}/{index}.{job.format}" for index in range(job.count)]
    shapes = ({"images": links}, links, links[0])
    result = shapes[job.seed % (3 if job.count == 1 else 2)]
    failure = job.block if job.blocked else "The provider could not make the image"
    return {
        "id": job.id,
        "status": status,
        "model": job.model,
        "progress": None if status == "QUEUED" else job.progress(now),
        "result": result if status == "COMPLETED" else None,
        "error": failure if status == "FAILED" else None,
        "creditCost": CREDITS[job.model] * job.count if status in {"QUEUED", "PROCESSING", "COMPLETED"} else 0,
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
