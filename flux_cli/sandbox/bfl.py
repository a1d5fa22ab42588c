"""Stand in for Black Forest Labs.

Read from the OpenAPI document of https://api.bfl.ai and from https://docs.bfl.ai. Only FLUX 3 refuses unknown fields.
"""

from __future__ import annotations

import re
import secrets
from typing import Any
from uuid import uuid4

from flux_cli.sandbox import shapes
from flux_cli.sandbox.bfl_models import IMAGES, ROUTES, Route
from flux_cli.sandbox.inputs import keep_image, measure, shorten
from flux_cli.sandbox.life import Job, rehearsals
from flux_cli.sandbox.schema import Field, problems
from flux_cli.sandbox.store import Scene
from flux_cli.sandbox.wire import Answer, Call, LostReply, find, reply

HOSTS = ("api.bfl.ai", "api.eu.bfl.ai", "api.us.bfl.ai", "api.eu2.bfl.ai")
FILES = "https://delivery-eu.bfl.ai"
"""The base URL of image links."""
LINK_SECONDS = 600
"""How long a link works."""

_REGION = "https://api.eu2.bfl.ai"
"""Where a job that was submitted to the global address runs."""
_ROUTES = {
    ("POST", r"/v1/([a-z0-9.-]+(?:/[a-z0-9.-]+)?)"): "submit",
    ("GET", r"/v1/get_result"): "result",
    ("GET", r"/v1/credits"): "credits",
}
_LOOSE = Route(fields={"prompt": Field(kind="text")})
"""A route that is documented, and whose fields are not checked here."""
_DOCUMENTED = re.compile(r"flux-tools/(erase|outpainting|deblur|vto)-v[12]|flux-2-pro-preview|flux-2-klein-9b-preview")


def answer(call: Call, scene: Scene) -> Answer:
    """Answer as the API does. Raises `LostReply` if a rehearsal requests it."""
    route = find(_ROUTES, call)
    if isinstance(route, int):
        return _refuse(route, "Method Not Allowed" if route == 405 else "Not Found")  # noqa: PLR2004 - HTTP
    if not re.fullmatch(r"[!-~]+", call.headers.get("x-key", "")):
        return _refuse(403, "Not authenticated")
    name, part = route
    match name:
        case "submit":
            return _submit(call, scene, part)
        case "result":
            return _result(call.query.get("id", ""), scene)
        case _:
            return reply(200, {"credits": 1000.0})


def locate(call: Call, scene: Scene) -> tuple[Job, int] | None:
    """Return the job and the number of the image behind a link. Raises ``PermissionError`` for an expired one."""
    found = re.fullmatch(r"/results/([^/]+)/sample\.(jpg|png|webp)", call.path)
    job = scene.job(found[1]) if found else None
    if found is None or job is None or not job.ready(scene.now()) or job.format != found[2]:
        return None
    if scene.now() >= job.ended + LINK_SECONDS:
        raise PermissionError
    return job, 0


def _submit(call: Call, scene: Scene, name: str) -> Answer:
    route = ROUTES.get(name) or (_LOOSE if _DOCUMENTED.fullmatch(name) else None)
    if route is None:
        return _refuse(404, "Not Found")
    try:
        body: Any = call.json() if call.is_json else None
    except ValueError:
        return _refuse(422, [{"loc": ["body"], "msg": "JSON decode error", "type": "json_invalid"}])
    wrong = [
        {"loc": ["body", *one.path.split(".")] if one.path else ["body"], "msg": one.message, "type": one.why}
        for one in problems(body, Field(kind="object", fields=route.fields))
        if one.why != "unknown" or route.strict
    ]
    if wrong:
        return _refuse(422, wrong)
    try:
        names = [keep_image(value, scene) for value in _images(body)]
        mask = keep_image(body["mask"], scene) if body.get("mask") else ""
        sizes = [measure(content) for one in names if (content := scene.input(one)) is not None]
        width, height = _size(body, route, sizes)
        _check_mask(scene, mask, sizes)
    except ValueError as error:
        return _refuse(422, [{"loc": ["body"], "msg": str(error), "type": "value_error"}])
    refused = _rehearse(body.get("prompt", ""))
    return refused or _accept(call, scene, name, _Accepted(body, route, names, sizes, (width, height)))


class _Accepted:
    """A request that was checked."""

    def __init__(
        self, body: Any, route: Route, inputs: list[str], sizes: list[tuple[int, int]], size: tuple[int, int]
    ) -> None:
        self.body = body
        self.route = route
        self.inputs = inputs
        self.size = size
        out, further, each = route.price
        megapixels = shapes.megapixels(*size)
        self.cost = out + further * (megapixels - 1) + each * sum(shapes.megapixels(*one) for one in sizes)
        if route.tiers:
            self.cost = route.tiers[body.get("resolution", "1k")][1]


def _accept(call: Call, scene: Scene, name: str, accepted: _Accepted) -> Answer:
    body = accepted.body
    seed = body.get("seed")
    job, _ = scene.accept(
        id=str(uuid4()),
        model=name,
        prompt=body.get("prompt", ""),
        seed=secrets.randbelow(2**31) if seed is None else seed,
        width=accepted.size[0],
        height=accepted.size[1],
        format={"jpeg": "jpg"}.get(body.get("output_format") or _format_of(name), body.get("output_format") or "png"),
        inputs=accepted.inputs,
        asked=shorten(body),
        cost=round(accepted.cost, 8),
    )
    if job.plays & {"lost-reply", "lost-replies"}:
        raise LostReply(job.id)
    sure = accepted.route.seed  # FLUX 3 tells the cost when the job is done
    billed = {"cost": _credits(job) if sure else None, "output_mp": shapes.megapixels(job.width, job.height)}
    if body.get("webhook_url"):
        return reply(200, {"id": job.id, "status": "Pending", "webhook_url": body["webhook_url"], **billed})
    region = _REGION if call.base == f"https://{HOSTS[0]}" else call.base
    return reply(200, {"id": job.id, "polling_url": f"{region}/v1/get_result?id={job.id}", **billed})


def _format_of(name: str) -> str:
    return "png" if "kontext" in name or name.startswith("flux-tools") else "jpeg"


def _images(body: Any) -> list[str]:
    found: list[str] = []
    for name in IMAGES:
        value = body.get(name)
        found += value if isinstance(value, list) else [value] if value else []
    return found


def _check_mask(scene: Scene, mask: str, sizes: list[tuple[int, int]]) -> None:
    held = scene.input(mask)
    if held is not None and sizes and measure(held) != sizes[0]:
        message = "the mask and the image must have the same size"
        raise ValueError(message)


def _size(body: Any, route: Route, inputs: list[tuple[int, int]]) -> tuple[int, int]:
    """Return the size of the image: the one in the request, or that of the ratio, the input image or the route."""
    width, height = body.get("width"), body.get("height")
    if width and height:
        if width % route.step or height % route.step:
            message = f"width and height must be multiples of {route.step}"
            raise ValueError(message)
        if route.most is not None and width * height > route.most:
            message = "the image must not be larger than 4 megapixels"
            raise ValueError(message)
        return width, height
    if "mask" in route.fields and inputs:
        return inputs[0]
    ratio = body.get("aspect_ratio") or "auto"
    if ratio == "auto":
        ratio = f"{inputs[0][0]}:{inputs[0][1]}" if inputs else route.ratio
    area = route.tiers[body.get("resolution", "1k")][0] if route.tiers else route.area
    return shapes.size_of_area(ratio, area, route.step)


def _rehearse(prompt: str) -> Answer | None:
    plays = rehearsals(prompt)
    if "unauthorized" in plays:
        return _refuse(403, "Not authenticated")
    if "credits" in plays:
        return _refuse(402, "Insufficient credits")
    return reply(429, {"detail": "Too many active tasks"}, retry_after="1") if "rate-limit" in plays else None


def _result(name: str, scene: Scene) -> Answer:
    job = scene.job(name)
    blank: dict[str, Any] = {"id": name, "result": None, "progress": None, "details": None, "preview": None}
    if job is None:
        return reply(404, {**blank, "status": "Task not found"})
    route, now = ROUTES.get(job.model, _LOOSE), scene.now()
    phase = job.phase(now)
    if phase != "done":
        busy = "Generating" if not route.seed and phase == "running" else "Pending"
        return reply(
            200, {**blank, "status": busy, "progress": job.progress(now) / 100 if phase == "running" else None}
        )
    if job.blocked:
        status = ("Request Moderated", "Content Moderated")[job.seed % 2]
        return reply(200, {**blank, "status": status, "details": {"Moderation Reasons": ["Derivative Works Filter"]}})
    if job.broken or job.stopped:
        details = {"error": "the task was stopped" if job.stopped else "the model could not make the image"}
        return reply((200, 422, 503)[job.seed % 3], {**blank, "status": "Error", "details": details})
    result: dict[str, Any] = {
        "sample": f"{scene.links}/results/{job.id}/sample.{job.format}",
        "prompt": job.prompt,
        "start_time": job.started,
        "end_time": job.ended,
        "duration": round(job.ended - job.started, 3),
    }
    result |= {"seed": job.seed} if route.seed else {}
    cost = {} if route.seed else {"cost": _credits(job)}
    return reply(200, {**blank, "status": "Ready", "result": result, "progress": 1, **cost})


def _credits(job: Job) -> float:
    return round(100 * job.cost, 6)


def _refuse(status: int, detail: Any) -> Answer:
    return reply(status, {"detail": detail})
