"""Stand in for RunComfy's Model API.

Read from https://docs.runcomfy.com/model-apis/async-queue-endpoints and …/error-codes, and from the two models' pages.
Where an answer is known in several shapes, the seed chooses.
"""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

from flux_cli.sandbox import shapes
from flux_cli.sandbox.inputs import keep_image, measure, shorten
from flux_cli.sandbox.life import Job, rehearsals
from flux_cli.sandbox.runcomfy_models import ENTRIES, PRESETS, PRO, ULTRA
from flux_cli.sandbox.schema import Field, problems
from flux_cli.sandbox.store import Scene
from flux_cli.sandbox.wire import Answer, Call, LostReply, find, reply, stamp

HOSTS = ("model-api.runcomfy.net", "api.runcomfy.net")
FILES = "https://playgrounds-storage-public.runcomfy.net"
"""The base URL of image links."""

_CODES = {
    400001: "InvalidResourceIdentifier",
    400002: "InsufficientResources",
    400004: "UserAccountError",
    404001: "ResourceNotFound",
}
_QUEUE = {"queued": "in_queue", "running": "in_progress", "done": "completed", "cancelled": "cancelled"}

_CATEGORIES = ["text-to-image"]
_ROUTES = {
    ("GET", r"/v1/models"): "models",
    ("GET", r"/v1/models/categories"): "categories",
    ("POST", r"/v1/models/(.+)"): "submit",
    ("GET", r"/v1/models/(.+)"): "model",
    ("GET", r"/v1/requests/([^/]+)/status"): "status",
    ("GET", r"/v1/requests/([^/]+)/result"): "result",
    ("POST", r"/v1/requests/([^/]+)/cancel"): "cancel",
    ("GET", r"/prod/v2/balance"): "balance",
}


def answer(call: Call, scene: Scene) -> Answer:
    """Answer as the API does. Raises `LostReply` if a rehearsal requests it."""
    route = find(_ROUTES, call)
    if isinstance(route, int):
        return reply(route, {"error": "Method Not Allowed" if route == 405 else "Not Found"})  # noqa: PLR2004 - HTTP
    if not call.bearer:
        return _refuse(400004)
    name, part = route
    match name:
        case "submit":
            return _submit(call, scene, part)
        case "models":
            return _models(call)
        case "categories":
            return reply(200, {"categories": _CATEGORIES})
        case "model":
            return _refuse(400001) if part not in ENTRIES else reply(200, _describe(part))
        case "balance":
            return reply(200, {"balance_usd": 100.0, "currency": "USD"})
        case _:
            job = scene.job(part)
            return _refuse(404001) if job is None else _answer_about(name, job, call, scene)


def locate(call: Call, scene: Scene) -> tuple[Job, int] | None:
    """Return the job and the number of the image behind a link."""
    parts = call.path.split("/")
    if len(parts) != 4 or parts[1] != "sandbox" or parts[3] != "0.png":  # noqa: PLR2004 - /sandbox/<id>/0.png
        return None
    job = scene.job(parts[2])
    return None if job is None or not job.ready(scene.now()) else (job, 0)


def _submit(call: Call, scene: Scene, model: str) -> Answer:
    if model not in ENTRIES:
        return _refuse(400001)
    if not call.is_json:
        return reply(415, {"error": "Content-Type must be application/json"})
    try:
        body: Any = call.json()
    except ValueError:
        return reply(422, {"error": "invalid input", "message": "the body is not JSON"})
    wrong = problems(body, Field(kind="object", fields=ENTRIES[model].fields))
    if wrong:
        text = "; ".join(f"{one.path or 'body'} {one.message}" for one in wrong)
        return reply(422, {"error": "invalid input", "message": text})
    refused = _rehearse(body["prompt"], body.get("seed", 0))
    if refused is not None:
        return refused
    try:
        inputs = [keep_image(value, scene) for value in _images(body)]
        width, height = _size(model, body, [held for one in inputs if (held := scene.input(one)) is not None])
    except ValueError as error:
        return reply(422, {"error": "invalid input", "message": f"image_url {error}"})
    job, _ = scene.accept(
        id=str(uuid4()),
        model=model,
        prompt=body["prompt"],
        seed=body.get("seed", ENTRIES[model].seed),
        width=width,
        height=height,
        format="png",
        inputs=inputs,
        asked=shorten(body),
    )
    if job.plays & {"lost-reply", "lost-replies"}:
        raise LostReply(job.id)
    root = f"https://{HOSTS[0]}/v1/requests/{job.id}"
    urls = {f"{what}_url": f"{root}/{what}" for what in ("status", "result", "cancel")}
    return reply(200, {"request_id": job.id, **urls})


def _images(body: Any) -> list[str]:
    return [*body.get("image_urls", []), *([body["image_url"]] if "image_url" in body else [])]


def _size(model: str, body: Any, inputs: list[bytes]) -> tuple[int, int]:
    """Return the size of the image: as requested, or in the shape of the input image."""
    if "width" in body or "height" in body:
        return body.get("width", 1024), body.get("height", 1024)
    ratio = body.get("image_size") or body.get("aspect_ratio") or "auto"
    if ratio in PRESETS:
        return PRESETS[ratio]
    if ratio == "auto" and inputs:
        width, height = measure(inputs[0])
        return shapes.size_of_area(f"{width}:{height}", ENTRIES[model].area, 16)
    if ratio in {"auto", "Custom"}:
        ratio = "16:9" if ratio == "auto" and model in {PRO, ULTRA} else "1:1"
    return shapes.size(ratio, ultra=model == ULTRA)


def _rehearse(prompt: str, seed: int) -> Answer | None:
    """Return a refusal that the prompt requests, as documented or as the vendor's clients expect it."""
    plays = rehearsals(prompt)
    for word, code, status in (("unauthorized", 400004, 401), ("credits", 400002, 402)):
        if word in plays:
            under_200 = reply(200, {"error_code": code, "error_message": _CODES[code]})
            return (_refuse(code), reply(status, {"detail": _CODES[code]}), under_200)[seed % 3]
    return reply(429, {"error": "Too Many Requests"}) if "rate-limit" in plays else None


def _answer_about(name: str, job: Job, call: Call, scene: Scene) -> Answer:
    """Answer a request about an existing job."""
    now = scene.now()
    phase = job.phase(now)
    if name == "cancel":
        if phase == "queued":
            scene.cancel(job)
        outcome, status = ("cancelled", "cancelled") if phase == "queued" else ("not_cancellable", _QUEUE[phase])
        return reply(202, {"request_id": job.id, "status": status, "outcome": outcome})
    body: dict[str, Any] = {"request_id": job.id, "status": _QUEUE[phase]}
    if phase == "done" and job.stopped:
        body["status"] = "cancelled"
    if name == "status":
        if phase == "done" and job.broken and job.seed % 2:
            body["status"] = "failed"
        root = f"https://{HOSTS[0]}/v1/requests/{job.id}"
        body |= {"status_url": f"{root}/status", "result_url": f"{root}/result"}
        return reply(200, body | ({"queue_position": job.position(now)} if phase == "queued" else {}))
    body["created_at"] = stamp(job.created)
    if phase == "done" and not job.stopped:
        body |= _outcome(job, scene) | {"finished_at": stamp(job.ended)}
        cost = 0.0 if job.imageless else ENTRIES[job.model].price
        body |= {"cost": cost} if call.query.get("include_cost") == "true" else {}
    return reply(200, body)


def _outcome(job: Job, scene: Scene) -> dict[str, Any]:
    """Return the result of a finished job; ``completed`` in the queue does not mean success."""
    if job.blocked:
        return {"status": "failed", "error": job.block}
    if job.broken:
        return {
            "status": "failed",
            "error": {"code": "inference_error", "message": "the model could not make the image"},
        }
    link = f"{scene.links}/sandbox/{job.id}/0.png"
    return {"status": "succeeded", "output": {"image": link} if job.model == PRO else {"images": [link]}}


def _models(call: Call) -> Answer:
    """Return the catalogue, a page of it, with or without the schemas."""
    found = [_describe(model) for model in ENTRIES]
    if call.query.get("include_schema") != "true":
        for one in found:
            del one["input_schema"]
    search, category = call.query.get("search", "").lower(), call.query.get("category", _CATEGORIES[0])
    found = [one for one in found if search in one["display_name"].lower() and category in one["categories"]]
    limit, offset = call.query.get("limit", "50"), call.query.get("offset", "0")
    if not (re.fullmatch(r"\d{1,3}", limit) and re.fullmatch(r"\d{1,6}", offset)):
        return reply(422, {"error": "invalid input", "message": "limit and offset must be integers"})
    return reply(200, {"models": found[int(offset) : int(offset) + int(limit)], "total": len(found)})


def _describe(model: str) -> dict[str, Any]:
    fields = {
        name: {"type": "string" if one.kind == "text" else one.kind, **({"enum": one.choices} if one.choices else {})}
        for name, one in ENTRIES[model].fields.items()
    }
    required = [name for name, one in ENTRIES[model].fields.items() if one.required]
    return {
        "model_id": model,
        "display_name": ENTRIES[model].title,
        "base_price_usd": ENTRIES[model].price,
        "price_unit": "output",
        "categories": _CATEGORIES,
        "input_schema": {"type": "object", "title": "Input", "required": required, "properties": fields},
    }


def _refuse(code: int) -> Answer:
    """Return a documented refusal: the first three digits of its code are the HTTP status."""
    return reply(code // 1000, {"code": code, "error": _CODES[code]})
