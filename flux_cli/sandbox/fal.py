"""Stand in for fal: its queue, its platform API, and its storage.

Read from the pages at https://fal.ai/docs, the OpenAPI document of https://api.fal.ai and the vendor's Python client.
Unknown fields are passed over. Where an answer is known in several shapes, the seed chooses.
"""

from __future__ import annotations

import re
import secrets
from datetime import datetime
from typing import Any
from uuid import uuid4

from flux_cli.sandbox import shapes
from flux_cli.sandbox.fal_models import ENDPOINTS, PRESETS, Endpoint
from flux_cli.sandbox.inputs import keep_image, measure, shorten
from flux_cli.sandbox.life import Job, rehearsals
from flux_cli.sandbox.schema import Field, as_json_schema, problems
from flux_cli.sandbox.store import Scene
from flux_cli.sandbox.uploads import kind_of
from flux_cli.sandbox.wire import Answer, Call, LostReply, find, reply, stamp

HOSTS = ("queue.fal.run", "api.fal.ai", "rest.fal.ai", "v3.fal.media")
FILES = "https://v3b.fal.media"
"""The base URL of image links."""

_ROUTES = {
    ("GET", r"/v1/models"): "models",
    ("GET", r"/v1/models/pricing"): "pricing",
    ("GET", r"/v1/models/requests/by-endpoint"): "list",
    ("POST", r"/storage/auth/token"): "token",
    ("POST", r"/files/upload"): "upload",
    ("GET", r"/([^/]+/[^/]+/requests/[^/]+)/status"): "status",
    ("GET", r"/([^/]+/[^/]+/requests/[^/]+)"): "result",
    ("PUT", r"/([^/]+/[^/]+/requests/[^/]+)/cancel"): "cancel",
    ("POST", r"/((?!(?:[^/]+/){2}requests/)[a-z0-9_-]+(?:/[a-z0-9._-]+)+)"): "submit",
}
_IMAGES = ("image_url", "image_urls")
_NO_MONEY = "User is locked. Reason: Exhausted balance. Top up your balance at fal.ai/dashboard/billing."


def answer(call: Call, scene: Scene) -> Answer:
    """Answer as the API does. Raises `LostReply` if a rehearsal requests it."""
    route = find(_ROUTES, call)
    if isinstance(route, int):
        return _refuse(route, "Method Not Allowed" if route == 405 else "Not Found")  # noqa: PLR2004 - HTTP
    name, part = route
    if name == "upload":
        return _upload(call, scene)
    if name == "models":
        return _models(call)
    if not re.fullmatch(r"Key [!-~]+", call.headers.get("authorization", "")):
        return _refuse(401, "Cannot access application. Authentication is required to access this application.")
    match name:
        case "submit":
            return _submit(call, scene, part)
        case "pricing":
            return _pricing(call)
        case "list":
            return _list(call, scene)
        case "token":
            return _token(call, scene)
        case _:
            return _request(call, scene, name, part)


def locate(call: Call, scene: Scene) -> tuple[Job, int] | None:
    """Return the job and the number of the image behind a link."""
    found = re.fullmatch(r"/files/b/([^/]+)/(\d)\.(jpg|png|webp)", call.path)
    job = scene.job(found[1]) if found else None
    if found is None or job is None or job.format != found[3] or int(found[2]) >= job.ready(scene.now()):
        return None
    return job, int(found[2])


def _submit(call: Call, scene: Scene, name: str) -> Answer:
    endpoint = ENDPOINTS.get(name)
    if endpoint is None:
        return _refuse(404, f"Path /{name} not found")
    try:
        body: Any = call.json() if call.is_json else None
    except ValueError:
        return _invalid("json_invalid", "JSON decode error", "body")
    asked = {**body} if isinstance(body, dict) else body
    if isinstance(asked, dict) and isinstance(asked.get("image_size"), str):
        word = asked.pop("image_size")
        if word not in PRESETS and not (word == "auto" and "image_urls" in endpoint.fields):
            return _invalid("one_of", f"Input should be one of {', '.join(PRESETS)}", "body", "image_size")
    wrong = [one for one in problems(asked, Field(kind="object", fields=endpoint.fields)) if one.why != "unknown"]
    if wrong:
        first = wrong[0]
        kind = "missing" if first.why == "missing" else "value_error"
        return _invalid(kind, first.message, "body", *filter(None, first.path.split(".")))
    try:
        inputs = [keep_image(value, scene) for value in _images(body)]
        sizes = _measure(inputs, scene)
        mask = scene.input(keep_image(body["mask_url"], scene)) if "mask_url" in body else None
    except ValueError as error:
        return _invalid("image_load_error", str(error), "body", "image_url")
    if mask is not None and sizes and measure(mask) != sizes[0]:
        return _invalid("value_error", "the mask must have the size of the image", "body", "mask_url")
    refused = _rehearse(body.get("prompt", ""))
    return refused or _accept(call, scene, name, body, inputs)


def _accept(call: Call, scene: Scene, name: str, body: Any, inputs: list[str]) -> Answer:
    endpoint = ENDPOINTS[name]
    width, height = _size(body, endpoint, _measure(inputs, scene))
    form = body.get("output_format", endpoint.format)
    job, _ = scene.accept(
        id=str(uuid4()),
        model=name,
        prompt=body.get("prompt", ""),
        seed=body.get("seed", secrets.randbelow(2**31)),
        width=width,
        height=height,
        format="jpg" if form == "jpeg" else form,
        count=body.get("num_images", 1),
        inputs=inputs,
        asked=shorten(body),
    )
    if job.plays & {"lost-reply", "lost-replies"}:
        raise LostReply(job.id)
    position = job.position(scene.now()) if job.phase(scene.now()) == "queued" else 0
    return reply(200, {"status": "IN_QUEUE", **_addresses(call, job), "queue_position": position})


def _images(body: Any) -> list[str]:
    found: list[str] = []
    for name in _IMAGES:
        value = body.get(name)
        found += value if isinstance(value, list) else [value] if value else []
    return found


def _size(body: Any, endpoint: Endpoint, inputs: list[tuple[int, int]]) -> tuple[int, int]:
    """Return the size of the image: the one in the request, or that of the ratio, the input image or the endpoint."""
    asked = body.get("image_size")
    if isinstance(asked, dict) and asked.get("width") and asked.get("height"):
        return asked["width"], asked["height"]
    if asked in PRESETS:
        return PRESETS[asked]
    if "mask_url" in endpoint.fields and inputs:
        return inputs[0]
    ratio = body.get("aspect_ratio") or body.get("resolution_mode") or "auto"
    if ratio in {"auto", "match_input"}:
        ratio = f"{inputs[0][0]}:{inputs[0][1]}" if inputs else endpoint.ratio
    area = endpoint.tiers[body.get("resolution", "1k")][0] if endpoint.tiers else endpoint.area
    if "image_size" in endpoint.fields and not inputs:
        return PRESETS["landscape_4_3"]
    return shapes.size_of_area(ratio, area, 16)


def _measure(inputs: list[str], scene: Scene) -> list[tuple[int, int]]:
    """Return the sizes of input images, without those behind links."""
    return [measure(held) for one in inputs if (held := scene.input(one)) is not None]


def _cost(job: Job, scene: Scene) -> float:
    """Return what a request costs, in USD."""
    endpoint = ENDPOINTS[job.model]
    if endpoint.tiers:
        tier: str = job.asked.get("resolution", "1k")
        return endpoint.tiers[tier][1]
    first, further, each = endpoint.price
    image = first + further * (shapes.megapixels(job.width, job.height) - 1)
    return image * job.count + each * sum(shapes.megapixels(*one) for one in _measure(job.inputs, scene))


def _unit_price(endpoint: Endpoint) -> float:
    return endpoint.tiers["1k"][1] if endpoint.tiers else endpoint.price[0]


def _rehearse(prompt: str) -> Answer | None:
    plays = rehearsals(prompt)
    if "unauthorized" in plays:
        return _refuse(401, "Cannot access application. Invalid key.")
    if "credits" in plays:
        return _refuse(403, _NO_MONEY)
    return reply(429, {"detail": "Too many requests"}, retry_after="1") if "rate-limit" in plays else None


def _addresses(call: Call, job: Job) -> dict[str, str]:
    """Return the id and the addresses of a request, without the sub-path of its endpoint."""
    base = f"{call.base}/{'/'.join(job.model.split('/')[:2])}/requests/{job.id}"
    return {
        "request_id": job.id,
        "response_url": base,
        "status_url": f"{base}/status",
        "cancel_url": f"{base}/cancel",
    }


def _request(call: Call, scene: Scene, name: str, part: str) -> Answer:
    """Answer for one request: its status, its result, or a cancel."""
    app, _, identity = part.partition("/requests/")
    job = scene.job(identity)
    if job is None or (not job.model.startswith(f"{app}/") and job.model != app):
        return reply(404, {"status": "NOT_FOUND"}) if name == "cancel" else _refuse(404, "Request not found")
    phase = job.phase(scene.now())
    if name == "cancel":
        if phase in {"done", "cancelled"}:
            return reply(400, {"status": "ALREADY_COMPLETED"})
        if phase == "queued":
            scene.cancel(job)
        return reply(200, {"success": True}) if job.seed % 2 else reply(202, {"status": "CANCELLATION_REQUESTED"})
    if name == "status":
        return _status(call, scene, job)
    if phase in {"queued", "running"}:
        return _refuse(400, "Request is still in progress")
    return _result(scene, job)


def _status(call: Call, scene: Scene, job: Job) -> Answer:
    now = scene.now()
    phase, shown = job.phase(now), {**_addresses(call, job), "logs": None}
    match phase:
        case "queued":
            return reply(202, {"status": "IN_QUEUE", "queue_position": job.position(now), **shown})
        case "running":
            return reply((200, 202)[job.seed % 2], {"status": "IN_PROGRESS", **shown})
        case _:
            kind = "client_cancelled" if job.stopped or job.cancelled else "content_policy_violation"
            kind = "internal_server_error" if job.broken else kind
            bad = job.imageless or job.cancelled
            failed = {"error": "the request failed", "error_type": kind} if bad else {}
            metrics = {} if job.cancelled else {"inference_time": round(job.ended - job.started, 3)}
            return reply(200, {"status": "COMPLETED", "metrics": metrics, **failed, **shown})


def _result(scene: Scene, job: Job) -> Answer:
    if job.stopped or job.cancelled:
        return _fail(499, "The request was cancelled", "client_cancelled")
    if job.blocked:
        text = "The content could not be processed because it contained material flagged by a content checker."
        block = {"loc": ["body", "prompt"], "msg": text, "type": "content_policy_violation"}
        if job.seed % 3 == 0:
            return _fail(422, text, "content_policy_violation")
        return reply(422, {"detail": [block]} if job.seed % 3 == 1 else [block])
    if job.broken:
        if job.seed % 3 == 0:
            return _fail(503, "The runner disconnected", "runner_disconnected")
        status, kind = ((500, "internal_server_error"), (422, "face_detection_error"))[job.seed % 3 - 1]
        return reply(status, {"detail": [{"loc": ["body"], "msg": "the model failed", "type": kind}]})
    endpoint = ENDPOINTS[job.model]
    images = [
        {
            "url": f"{scene.links}/files/b/{job.id}/{index}.{job.format}",
            "width": job.width,
            "height": job.height,
            "content_type": f"image/{'jpeg' if job.format == 'jpg' else job.format}",
        }
        for index in range(job.count)
    ]
    body: dict[str, Any] = {"images": images}
    if endpoint.seed:
        body |= {"seed": job.seed}
        if not endpoint.plain:
            body |= {"has_nsfw_concepts": ["nsfw" in job.plays] * job.count, "prompt": job.prompt, "timings": {}}
    units = round(_cost(job, scene) / _unit_price(endpoint), 6)
    return reply(200, body, x_fal_billable_units=f"{units:g}", x_fal_request_id=job.id)


def _list(call: Call, scene: Scene) -> Answer:
    """Return a page of the requests that have started, the newest first."""
    try:
        start = (
            datetime.fromisoformat(call.query["start"]).timestamp() if "start" in call.query else scene.now() - 86400
        )
        limit, page = int(call.query.get("limit", "50")), int(call.query.get("cursor", "0"))
    except ValueError:
        return _platform(400, "validation_error", "start, limit or cursor is invalid")
    if not call.query.get("endpoint_id") or not 1 <= limit <= 100:  # noqa: PLR2004 - the documented limit
        return _platform(400, "validation_error", "endpoint_id is required, and limit must be 1 to 100")
    jobs = [
        job
        for job in scene.jobs()
        if job.model in call.query["endpoint_id"].split(",")
        and job.created >= start
        and call.query.get("request_id") in {None, job.id}
        and job.started <= scene.now()
    ]
    rows = [_describe(job, scene, payloads=call.query.get("expand") == "payloads") for job in jobs]
    more = len(rows) > (page + 1) * limit
    shown = rows[page * limit : (page + 1) * limit]
    return reply(200, {"items": shown, "has_more": more, "next_cursor": str(page + 1) if more else None})


def _describe(job: Job, scene: Scene, *, payloads: bool) -> dict[str, Any]:
    done = job.phase(scene.now()) == "done"
    shown = {
        "request_id": job.id,
        "endpoint_id": job.model,
        "sent_at": stamp(job.created),
        "started_at": stamp(job.started),
        "ended_at": stamp(job.ended) if done else None,
        "status_code": _result(scene, job).status if done else None,
        "duration": round(job.ended - job.started, 3) if done else None,
    }
    return {**shown, "json_input": job.asked} if payloads else shown


def _models(call: Call) -> Answer:
    """Describe endpoints, which is public."""
    wanted = call.query.get("endpoint_id", "").split(",")
    unknown = [name for name in wanted if name not in ENDPOINTS]
    if unknown:
        return _platform(404, "not_found", f"Endpoint id '{unknown[0]}' not found")
    made = {"properties": {"images": {"type": "array"}, "prompt": {"type": "string"}}}
    found = [
        {
            "endpoint_id": name,
            "metadata": {"display_name": name, "status": "active"},
            "openapi": {
                "openapi": "3.0.4",
                "components": {
                    "schemas": {
                        "Made": made,
                        "Input": as_json_schema(Field(kind="object", fields=ENDPOINTS[name].fields)),
                    }
                },
            },
        }
        for name in wanted
    ]
    return reply(200, {"models": found, "has_more": False, "next_cursor": None})


def _pricing(call: Call) -> Answer:
    wanted = call.query.get("endpoint_id", "").split(",")
    if not 1 <= len(wanted) <= 50 or not all(wanted):  # noqa: PLR2004 - the documented limit
        return _platform(400, "validation_error", "endpoint_id takes 1 to 50 ids")
    unknown = [name for name in wanted if name not in ENDPOINTS]
    if unknown:
        return _platform(404, "not_found", f"Endpoint id '{unknown[0]}' not found")
    prices = [
        {
            "endpoint_id": name,
            "unit_price": _unit_price(ENDPOINTS[name]),
            "unit": ENDPOINTS[name].unit,
            "currency": "USD",
        }
        for name in wanted
    ]
    return reply(200, {"prices": prices, "has_more": False, "next_cursor": None})


def _token(call: Call, scene: Scene) -> Answer:
    if call.query.get("storage_type") != "fal-cdn-v3":
        return _invalid("value_error", "unknown storage type", "query", "storage_type")
    token = secrets.token_urlsafe(24)
    scene.tasks.put(token, {})
    expires = stamp(scene.now() + 3600)
    return reply(
        200, {"token": token, "token_type": "Bearer", "base_url": "https://v3b.fal.media", "expires_at": expires}
    )


def _upload(call: Call, scene: Scene) -> Answer:
    """Accept a file as the body, for a token."""
    kind, _, token = call.headers.get("authorization", "").partition(" ")
    if kind != "Bearer" or scene.tasks.get(token) is None:
        return _refuse(401, "Invalid token")
    name = str(uuid4())
    scene.uploads.put(name, {"content_type": call.content_type, "file_name": call.headers.get("x-fal-file-name", "")})
    scene.uploads.put_bytes(name, call.body)
    return reply(200, {"access_url": f"https://{HOSTS[-1]}/files/b/{name}.{kind_of(call.body) or 'bin'}"})


def _invalid(kind: str, message: str, *place: str) -> Answer:
    return reply(422, {"detail": [{"loc": list(place), "msg": message, "type": kind}]})


def _fail(status: int, text: str, kind: str) -> Answer:
    return reply(status, {"detail": text, "error_type": kind}, x_fal_error_type=kind, x_fal_retryable="false")


def _platform(status: int, kind: str, message: str) -> Answer:
    return reply(status, {"error": {"type": kind, "message": message}})


def _refuse(status: int, detail: str) -> Answer:
    return reply(status, {"detail": detail})
