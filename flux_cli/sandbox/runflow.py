"""Runflow, from its own side.

Read from https://docs.runflow.io: concepts/runs, concepts/errors, guides/cancel-a-run and the model's own page.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from flux_cli.sandbox import shapes
from flux_cli.sandbox.life import Job, rehearsals
from flux_cli.sandbox.schema import Field, problems
from flux_cli.sandbox.store import Scene
from flux_cli.sandbox.wire import Answer, Call, LostReply, find, reply, stamp

HOSTS = ("api.runflow.io",)
FILES = "https://runflow-outputs.s3.amazonaws.com"
"""Root of the links to images."""

MODEL = "black-forest-labs/flux-1-1-pro-ultra"
LINK_LIFE = 3 * 24 * 3600
"""Seconds for which a link is signed."""

_ORGANISATION = "0198f000-0000-7000-8000-000000000001"
_STATUSES = ("queued", "dispatching", "running", "succeeded", "failed", "canceled", "partial_succeeded")
_BODY = Field(
    kind="object",
    fields={
        "input": Field(
            kind="object",
            required=True,
            fields={"prompt": Field(kind="text", required=True), "seed": Field(kind="integer", low=1)},
        ),
        "callback_url": Field(kind="link", nullable=True, high=2048),
        "metadata": Field(kind="object", nullable=True),
        "client_ref": Field(kind="text", nullable=True, high=255),
    },
)
_ROUTES = {
    ("POST", r"/v1/models/(.+)/runs"): "submit",
    ("GET", r"/v1/runs"): "list",
    ("GET", r"/v1/runs/statuses"): "statuses",
    ("GET", r"/v1/runs/([^/]+)"): "run",
    ("POST", r"/v1/admin/runs/[^/]+/cancellation"): "admin",
    ("GET", r"/v1/auth/me"): "me",
    ("GET", r"/v1/billing/balance"): "balance",
    ("GET", r"/v1/health"): "health",
}


def answer(call: Call, scene: Scene) -> Answer:
    """Answer as the API would. Raises `LostReply` where a rehearsal wants it."""
    route = find(_ROUTES, call)
    if isinstance(route, int):
        known = {404: ("NOT_FOUND", "there is no such path"), 405: ("METHOD_NOT_ALLOWED", "not with this method")}
        return _refused(route, *known[route])
    name, part = route
    if name == "health":
        return reply(200, {"status": "ok"})
    if not call.bearer or name == "admin":
        return _refused(401, "UNAUTHORIZED", "the API key is missing or is not good for this")
    match name:
        case "submit":
            return _submit(call, scene, part)
        case "list":
            return _list(call, scene)
        case "run":
            job = scene.job(part)
            return _refused(404, "RUN_NOT_FOUND", "no run has this id") if job is None else reply(200, _run(job, scene))
        case "statuses":
            return reply(200, {"items": list(_STATUSES)})
        case "me":
            return reply(200, {"id": "sandbox", "email": "sandbox@example.com", "org_id": _ORGANISATION})
        case _:
            balance = {"id": "sandbox", "org_id": _ORGANISATION, "balance": "100.00", "low_balance_threshold": None}
            return reply(200, balance)


def locate(call: Call, scene: Scene) -> tuple[Job, int] | None:
    """Return the job and the number of the image that a link stands for.

    Raises ``PermissionError`` for a signature that is wrong or too old.
    """
    found = re.fullmatch(r"/runs/([^/]+)/0\.jpg", call.path)
    job = scene.job(found[1]) if found else None
    if job is None or not job.ready(scene.now()):
        return None
    signed = call.query.get("X-Amz-Date", "")
    nonce = call.query.get("X-Amz-Security-Token", "")
    fresh = re.fullmatch(r"\d{1,12}", signed) is not None and int(signed) + LINK_LIFE >= scene.now()
    if not fresh or call.query.get("X-Amz-Signature") != _signature(job.id, signed, nonce):
        raise PermissionError(job.id)
    return job, 0


def _submit(call: Call, scene: Scene, model: str) -> Answer:
    if model != MODEL:
        return _refused(404, "MODEL_NOT_FOUND", "no model has this name")
    if not call.is_json:
        return _refused(415, "UNSUPPORTED_MEDIA_TYPE", "Content-Type must be application/json")
    try:
        body: Any = call.json()
    except ValueError:
        return _refused(422, "VALIDATION_ERROR", "the body is not JSON", [])
    wrong = [{"field": one.path, "message": one.message, "type": one.why} for one in problems(body, _BODY)]
    if wrong:
        return _refused(422, "VALIDATION_ERROR", "the request is not valid", wrong)
    prompt = body["input"]["prompt"]
    refused = _rehearsed(prompt)
    if refused is not None:
        return refused
    width, height = shapes.ULTRA["16:9"]
    job, _ = scene.accept(
        id=_time_ordered(scene.now()),
        model=MODEL,
        prompt=prompt,
        seed=body["input"].get("seed", 1 + secrets.randbelow(2**31 - 1)),
        width=width,
        height=height,
        format="jpg",
        asked=body,
    )
    if "lost-reply" in job.plays:
        raise LostReply(job.id)
    return reply(201, _run(job, scene))


def _rehearsed(prompt: str) -> Answer | None:
    plays = rehearsals(prompt)
    if "unauthorized" in plays:
        return _refused(401, "UNAUTHORIZED", "the API key is not valid")
    if "credits" in plays:
        return _refused(402, "INSUFFICIENT_CREDIT", "the balance does not cover this run")
    return _refused(429, "RATE_LIMITED", "too many requests") if "rate-limit" in plays else None


def _list(call: Call, scene: Scene) -> Answer:
    """Return a page of runs, the newest first. The cursor is opaque: it hides how many came before."""
    limit, cursor = call.query.get("limit", "50"), call.query.get("pq", "")
    wrong = [
        {"field": name, "message": "the sandbox does not know this parameter", "type": "unknown"}
        for name in call.query
        if name not in {"limit", "pq", "sort_by"}
    ]
    if not re.fullmatch(r"\d{1,3}", limit) or not 1 <= int(limit) <= 500:  # noqa: PLR2004 - the page's limit
        wrong.append({"field": "limit", "message": "must be 1 to 500", "type": "invalid"})
    if call.query.get("sort_by", "created_at:desc") != "created_at:desc":
        wrong.append({"field": "sort_by", "message": "must be created_at:desc", "type": "invalid"})
    before = re.fullmatch(r"after-(\d{1,9})", _plain(cursor)) if cursor else None
    if cursor and not before:
        wrong.append({"field": "pq", "message": "is not a cursor", "type": "invalid"})
    if wrong:
        return _refused(422, "VALIDATION_ERROR", "the request is not valid", wrong)
    jobs, start = scene.jobs(), int(before[1]) if before else 0
    end = start + int(limit)
    following = base64.urlsafe_b64encode(f"after-{end}".encode()).decode() if end < len(jobs) else None
    return reply(
        200, {"items": [_run(job, scene) for job in jobs[start:end]], "next_pq": following, "prev_pq": cursor or None}
    )


def _plain(cursor: str) -> str:
    try:
        return base64.b64decode(cursor, altchars=b"-_", validate=True).decode("ascii", "replace")
    except ValueError:
        return ""


def _run(job: Job, scene: Scene) -> dict[str, Any]:
    """Return a run with all documented fields; its links are signed anew each time."""
    now = scene.now()
    phase = job.phase(now)
    done, failed = phase == "done", job.blocked or job.broken
    status = "queued" if now < (job.created + job.started) / 2 else "dispatching" if phase == "queued" else "running"
    status = ("failed" if failed else "succeeded") if done else status
    failure = "the request was blocked by the content policy" if job.blocked else "the provider refused the input"
    trouble = {
        "failure_code": "INPUT_VALIDATION_FAILED",
        "failure_message": failure,
        "failure_stage_code": "dispatch",
    }
    return {
        "id": job.id,
        "status_code": status,
        "model_id": MODEL,
        "target_type": "model",
        "org_id": _ORGANISATION,
        "source_code": "api",
        "input": job.asked["input"],
        "output": _output(job, scene) if done and not failed else None,
        "context": None,
        "duration_ms": round(1000 * job.hold) if done else None,
        "cost": "0.00" if done else None,
        "cost_breakdown": None,
        "nodes_total": 1,
        "nodes_completed": int(done and not failed),
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
        **(trouble if done and failed else dict.fromkeys(trouble)),
        "node_runs": [],
        "logs": [],
    }


def _output(job: Job, scene: Scene) -> dict[str, Any]:
    signed, nonce = str(int(scene.now())), secrets.token_hex(8)
    query = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Date": signed,
        "X-Amz-Expires": str(LINK_LIFE),
        "X-Amz-Security-Token": nonce,
        "X-Amz-Signature": _signature(job.id, signed, nonce),
    }
    made = {
        "url": f"{scene.links}/runs/{job.id}/0.jpg?{urlencode(query)}",
        "type": "image",
        "width": job.width,
        "height": job.height,
        "content_type": "image/jpeg",
    }
    return {
        "outputs": [made],
        "seed": job.seed,
        "timing": {"inference_ms": round(1000 * (job.ended - job.started))},
        "nsfw_detected": "nsfw" in job.plays,
    }


def _signature(job: str, signed: str, nonce: str) -> str:
    return hashlib.sha256(f"sandbox {job} {signed} {nonce}".encode()).hexdigest()


def _time_ordered(now: float) -> str:
    """Return a UUID of version 7."""
    milliseconds = int(now * 1000) & (2**48 - 1)
    return str(UUID(int=milliseconds << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62)))


def _refused(status: int, code: str, message: str, errors: list[Any] | None = None) -> Answer:
    return reply(status, {"code": code, "message": message, "errors": errors})
