"""Stand in for Runflow.

Read from https://docs.runflow.io: concepts/runs, concepts/errors, guides/cancel-a-run and the model's own page.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from flux_cli.sandbox import runflow_list, shapes
from flux_cli.sandbox.files import MEDIA
from flux_cli.sandbox.inputs import keep_image, measure, shorten
from flux_cli.sandbox.life import Job, rehearsals
from flux_cli.sandbox.runflow_models import ENTRIES, PRESET_SIZE, PRESETS, Entry
from flux_cli.sandbox.schema import Field, problems
from flux_cli.sandbox.store import Scene
from flux_cli.sandbox.wire import Answer, Call, LostReply, find, reply, stamp

HOSTS = ("api.runflow.io",)
FILES = "https://runflow-outputs.s3.amazonaws.com"
"""The base URL of image links."""

LINK_LIFE = 3 * 24 * 3600
"""How long a signed link works, in seconds."""

_ORGANISATION = "0198f000-0000-7000-8000-000000000001"
_STATUSES = ("queued", "dispatching", "running", "succeeded", "failed", "canceled", "partial_succeeded")
_OWNER = "black-forest-labs/"
_INVALID = "the request is not valid"
_ROUTES = {
    ("POST", r"/v1/models/(.+)/runs"): "submit",
    ("GET", r"/v1/runs"): "list",
    ("GET", r"/v1/runs/statuses"): "statuses",
    ("GET", r"/v1/runs/([^/]+)"): "run",
    ("GET", r"/v1/runs/([^/]+)/logs"): "parts",
    ("GET", r"/v1/runs/([^/]+)/node-runs"): "parts",
    ("GET", r"/v1/runs/([^/]+)/callback"): "callback",
    ("POST", r"/v1/admin/runs/[^/]+/cancellation"): "admin",
    ("GET", r"/v1/auth/me"): "me",
    ("GET", r"/v1/billing/balance"): "balance",
    ("GET", r"/v1/health"): "health",
    ("GET", r"/v1/readiness"): "health",
}


def answer(call: Call, scene: Scene) -> Answer:
    """Answer as the API does. Raises `LostReply` if a rehearsal requests it."""
    route = find(_ROUTES, call)
    if isinstance(route, int):
        known = {404: ("NOT_FOUND", "there is no such path"), 405: ("METHOD_NOT_ALLOWED", "not with this method")}
        return _refuse(route, *known[route])
    name, part = route
    if name == "health":
        return reply(200, {"status": "ok"})
    if not call.bearer or name == "admin":
        return _refuse(401, "UNAUTHORIZED", "the API key is missing or is not good for this")
    match name:
        case "submit":
            return _submit(call, scene, part)
        case "list":
            return _list(call, scene)
        case "run" | "parts" | "callback":
            job = scene.job(part)
            if job is None:
                return _refuse(404, "RUN_NOT_FOUND", "no run has this id")
            deliveries = {"callback_url": job.asked.get("callback_url"), "attempts": []}
            return reply(200, {"run": _run(job, scene), "parts": {"items": []}, "callback": deliveries}[name])
        case "statuses":
            return reply(200, {"items": list(_STATUSES)})
        case "me":
            return reply(200, {"id": "sandbox", "email": "sandbox@example.com", "org_id": _ORGANISATION})
        case _:
            balance = {"id": "sandbox", "org_id": _ORGANISATION, "balance": "100.00", "low_balance_threshold": None}
            return reply(200, balance)


def locate(call: Call, scene: Scene) -> tuple[Job, int] | None:
    """Return the job and the number of the image behind a link.

    Raises ``PermissionError`` for a signature that is wrong or too old.
    """
    found = re.fullmatch(r"/runs/([^/]+)/(\d)\.(jpg|png|webp)", call.path)
    job = scene.job(found[1]) if found else None
    if found is None or job is None or int(found[2]) >= job.ready(scene.now()) or job.format != found[3]:
        return None
    signed = call.query.get("X-Amz-Date", "")
    nonce = call.query.get("X-Amz-Security-Token", "")
    fresh = re.fullmatch(r"\d{1,12}", signed) is not None and int(signed) + LINK_LIFE >= scene.now()
    if not fresh or call.query.get("X-Amz-Signature") != _signature(job.id, signed, nonce):
        raise PermissionError(job.id)
    return job, int(found[2])


def _submit(call: Call, scene: Scene, model: str) -> Answer:
    entry = ENTRIES.get(model.removeprefix(_OWNER)) if model.startswith(_OWNER) else None
    if entry is None:
        return _refuse(404, "MODEL_NOT_FOUND", "no model has this name")
    if not call.is_json:
        return _refuse(415, "UNSUPPORTED_MEDIA_TYPE", "Content-Type must be application/json")
    try:
        body: Any = call.json()
    except ValueError:
        return _refuse(422, "VALIDATION_ERROR", "the body is not JSON", [])
    wrong = [
        {"field": one.path, "message": one.message, "type": one.why} for one in problems(body, _schema(entry, body))
    ]
    if wrong:
        return _refuse(422, "VALIDATION_ERROR", _INVALID, wrong)
    prompt = body["input"]["prompt"]
    refused = _rehearse(prompt)
    if refused is not None:
        return refused
    fields = body["input"]
    try:
        inputs = [keep_image(value, scene) for value in _images(fields)]
        sizes = [measure(held) for one in inputs if (held := scene.input(one)) is not None]
    except ValueError as error:
        wrong = [{"field": "input", "message": str(error), "type": "invalid"}]
        return _refuse(422, "VALIDATION_ERROR", _INVALID, wrong)
    width, height = _size(fields, entry, sizes)
    job, _ = scene.accept(
        id=_make_uuid7(scene.now()),
        model=model,
        prompt=prompt,
        seed=body["input"].get("seed", 1 + secrets.randbelow(2**31 - 1)),
        width=width,
        height=height,
        format={"jpeg": "jpg"}.get(fields.get("output_format", ""), fields.get("output_format", entry.format)),
        count=fields.get("num_images", 1),
        inputs=inputs,
        asked=shorten(body),
        cost=_cost(entry, width, height, sizes),
    )
    if job.plays & {"lost-reply", "lost-replies"}:
        raise LostReply(job.id)
    return reply(201, _run(job, scene))


def _schema(entry: Entry, body: Any) -> Field:
    """Return the schema of a body, in which a preset may stand for a width and a height."""
    asked: Any = body.get("input") if isinstance(body, dict) else None
    preset = isinstance(asked, dict) and isinstance(asked.get("image_size"), str) and "image_size" in entry.fields
    fields = {**entry.fields, "image_size": PRESET_SIZE} if preset else entry.fields
    return Field(
        kind="object",
        fields={
            "input": Field(kind="object", required=True, fields=fields),
            "callback_url": Field(kind="link", nullable=True, high=2048),
            "metadata": Field(kind="object", nullable=True),
            "client_ref": Field(kind="text", nullable=True, high=255),
        },
    )


def _images(fields: Any) -> list[str]:
    return [*fields.get("image_urls", []), *(fields[name] for name in ("image_url", "image_b64") if name in fields)]


def _size(fields: Any, entry: Entry, inputs: list[tuple[int, int]]) -> tuple[int, int]:
    """Return the size of the image: as requested, or in the shape of the input image."""
    size = fields.get("image_size")
    if isinstance(size, dict):
        return size["width"], size["height"]
    if isinstance(size, str):
        return PRESETS[size]
    if "width" in fields or "height" in fields:
        return fields.get("width", entry.size[0]), fields.get("height", entry.size[1])
    if "aspect_ratio" in fields:
        return shapes.size_of_area(fields["aspect_ratio"], shapes.MEGAPIXEL, 16)
    return shapes.size_of_area(f"{inputs[0][0]}:{inputs[0][1]}", shapes.MEGAPIXEL, 16) if inputs else entry.size


def _cost(entry: Entry, width: int, height: int, inputs: list[tuple[int, int]]) -> float:
    """Return the price of an image in USD."""
    first, further, each = entry.price
    more = further * (shapes.megapixels(width, height) - 1) + each * sum(shapes.megapixels(*one) for one in inputs)
    return round(first + more, 6)


def _rehearse(prompt: str) -> Answer | None:
    plays = rehearsals(prompt)
    if "unauthorized" in plays:
        return _refuse(401, "UNAUTHORIZED", "the API key is not valid")
    if "credits" in plays:
        return _refuse(402, "INSUFFICIENT_CREDIT", "the balance does not cover this run")
    return _refuse(429, "RATE_LIMITED", "too many requests") if "rate-limit" in plays else None


def _list(call: Call, scene: Scene) -> Answer:
    page = runflow_list.page([_run(job, scene) for job in scene.jobs()], call.query)
    return _refuse(422, "VALIDATION_ERROR", _INVALID, page) if isinstance(page, list) else reply(200, page)


def _run(job: Job, scene: Scene) -> dict[str, Any]:
    """Return a run with all documented fields; its links are signed again each time."""
    now = scene.now()
    phase = job.phase(now)
    done, failed = phase == "done", job.blocked or job.broken
    status = "queued" if now < (job.created + job.started) / 2 else "dispatching" if phase == "queued" else "running"
    status = ("failed" if failed else "canceled" if job.stopped else "succeeded") if done else status
    trouble = {
        "failure_code": "INPUT_VALIDATION_FAILED",
        "failure_message": job.block if job.blocked else "the provider refused the input",
        "failure_stage_code": "preprocess",
    }
    run = {
        "id": job.id,
        "status_code": status,
        "model_id": job.model,
        "target_type": "model",
        "org_id": _ORGANISATION,
        "source_code": "api",
        "input": job.asked["input"],
        "output": _output(job, scene) if status == "succeeded" else None,
        "context": None,
        "duration_ms": round(1000 * job.hold) if done else None,
        "cost": _bill(job) if done else None,
        "cost_breakdown": None,
        "nodes_total": 1,
        "nodes_completed": int(status == "succeeded"),
        "batch_id": None,
        "client_ref": job.asked.get("client_ref"),
        "request_id": None,
        "created_at": stamp(job.created),
        "started_at": None if phase == "queued" else stamp(job.started),
        "completed_at": stamp(job.ended) if done else None,
        "callback_url": job.asked.get("callback_url"),
        "metadata": job.asked.get("metadata"),
        "has_logs": False,
        "has_node_runs": False,
        "links": {"self": f"https://{HOSTS[0]}/v1/runs/{job.id}"},
        **(trouble if status == "failed" else dict.fromkeys(trouble)),
        "node_runs": [],
        "logs": [],
    }
    return _other_shape(run, job) if status == "failed" else run


def _bill(job: Job) -> str:
    """Return what a finished run cost, in USD; a cancel refunds nothing."""
    return "0.00" if job.blocked or job.broken else f"{job.cost * job.count:.4f}"


def _other_shape(run: dict[str, Any], job: Job) -> dict[str, Any]:
    """Return a failed run in one of the documented or known forms; the seed chooses one."""
    match job.seed % 3:
        case 1 if job.blocked:
            return run | {"failure_code": "CONTENT_MODERATED", "failure_message": "the run could not be completed"}
        case 2:
            code = "PROMPT_BLOCKED" if job.blocked else "PROVIDER_ERROR"
            error = {"code": code, "message": "the run could not be completed"}
            kept = {name: value for name, value in run.items() if not name.startswith("failure_")}
            kept["status"] = kept.pop("status_code")
            return kept | {"error": error, "finished_at": run["completed_at"]}
        case _:
            return run


def _output(job: Job, scene: Scene) -> dict[str, Any]:
    signed, nonce = str(int(scene.now())), secrets.token_hex(8)
    query = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Date": signed,
        "X-Amz-Expires": str(LINK_LIFE),
        "X-Amz-Security-Token": nonce,
        "X-Amz-Signature": _signature(job.id, signed, nonce),
    }
    made = [
        {
            "url": f"{scene.links}/runs/{job.id}/{index}.{job.format}?{urlencode(query)}",
            "type": "image",
            "width": job.width,
            "height": job.height,
            "content_type": MEDIA[job.format],
        }
        for index in range(job.count)
    ]
    return {
        "outputs": made,
        "seed": job.seed,
        "timing": {"inference_ms": round(1000 * (job.ended - job.started))},
        "nsfw_detected": True if "nsfw" in job.plays else None,  # null: nothing was checked
    }


def _signature(job: str, signed: str, nonce: str) -> str:
    return hashlib.sha256(f"sandbox {job} {signed} {nonce}".encode()).hexdigest()


def _make_uuid7(now: float) -> str:
    """Return a UUID of version 7."""
    milliseconds = int(now * 1000) & (2**48 - 1)
    return str(UUID(int=milliseconds << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62)))


def _refuse(status: int, code: str, message: str, errors: list[Any] | None = None) -> Answer:
    return reply(status, {"code": code, "message": message, "errors": errors})
