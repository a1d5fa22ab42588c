"""Stand in for Runware: one address, which takes and returns arrays of tasks.

Read from https://runware.ai/docs/platform (errors, task-polling, authentication, account-management) and from
the model's page. Where an answer is known in several shapes, the seed chooses.
"""

from __future__ import annotations

import base64
import hashlib
import math
import re
import secrets
from typing import Any
from uuid import UUID

from flux_cli.sandbox import files, shapes
from flux_cli.sandbox.inputs import keep_image, measure, shorten
from flux_cli.sandbox.life import Job, rehearsals
from flux_cli.sandbox.runware_models import ENTRIES
from flux_cli.sandbox.runware_tasks import complaint, complaints, image_schema
from flux_cli.sandbox.schema import as_json_schema
from flux_cli.sandbox.store import Scene
from flux_cli.sandbox.wire import Answer, Call, LostReply, reply

HOSTS = ("api.runware.ai", "schemas.runware.ai")
FILES = "https://im.runware.ai"
"""The base URL of image links."""

_MOST = 20
"""The largest number of images in one task."""
_BLOCKED = (
    ("invalidProviderContent", "The content was found invalid by the provider"),
    ("providerContentPolicyViolation", "the provider blocked the request because of its content policy"),
    ("providerError", None),
)
"""The code and message of a blocked task, or the wording of providers without a code; the seed chooses one."""


class _Refused(Exception):  # noqa: N818 - what happened to the task
    """One task was refused: the HTTP status and the documented error."""

    def __init__(self, status: int, *errors: dict[str, Any]) -> None:
        super().__init__(status)
        self.status, self.errors = status, list(errors)


def answer(call: Call, scene: Scene) -> Answer:
    """Answer as the API does. Raises `LostReply` if a rehearsal requests it."""
    if call.method == "GET" and call.path.startswith("/resolve/"):
        return _publish(call.path.removeprefix("/resolve/"))
    if call.path != "/v1" or call.method != "POST":
        status = 404 if call.path != "/v1" else 405
        return reply(status, {"errors": [complaint("invalidRequest", "only POST to /v1", {}, "")]})
    tasks: Any = None
    if call.is_json:
        try:
            tasks = call.json()
        except ValueError:
            tasks = None
    if not isinstance(tasks, list) or not tasks:
        text = "the body must be a JSON array of tasks, sent as application/json"
        return reply(400, {"errors": [complaint("invalidRequestBody", text, {}, "")]})
    first = tasks[0]
    if isinstance(first, dict) and first.get("taskType") == "authentication":
        keyed, tasks = isinstance(first.get("apiKey"), str) and bool(first["apiKey"]), tasks[1:]
    else:
        keyed = call.bearer
    if not keyed:
        return reply(401, {"errors": [complaint("invalidApiKey", "the API key is missing or not valid", {}, "")]})
    return _answer_all(tasks, scene, dry=call.headers.get("x-runware-dry-run") == "1")


def _publish(model: str) -> Answer:
    """Return the schema of a model, which is public."""
    if model not in ENTRIES:
        return reply(404, {"error": "unknown model"})
    return reply(200, {"requestSchema": as_json_schema(image_schema(model)), "responseSchema": {}, "documentation": {}})


def locate(call: Call, scene: Scene) -> tuple[Job, int] | None:
    """Return the job and the number of the image behind a link."""
    found = re.fullmatch(r"/image/ws/2/ii/([0-9a-f-]{36})\.(jpg|png|webp)", call.path)
    if not found:
        return None
    for index in range(_MOST):
        job = scene.job(image_uuid(found[1], index))
        if job is not None and index < job.ready(scene.now()) and job.format == found[2]:
            return job, index
    return None


def image_uuid(task: str, index: int) -> str:
    """Return the UUID (version 4, as documented) of a task's image; the same way leads back to the task."""
    mask = int.from_bytes(hashlib.sha256(f"image {index}".encode()).digest()[:7], "big")
    return str(UUID(int=UUID(task).int ^ mask))


def _answer_all(tasks: list[Any], scene: Scene, *, dry: bool) -> Answer:
    """Return the results and errors of all tasks; the status is 200 if there is at least one result."""
    data: list[Any] = []
    errors: list[Any] = []
    refused = 0
    for task in tasks:
        try:
            results, wrong = _answer(task, scene, dry=dry)
        except _Refused as refusal:
            results, wrong, refused = [], refusal.errors, refusal.status
        data += results
        errors += wrong
    if not errors:
        return reply(200, {"data": data})
    mixed = data or not refused
    return reply(200 if mixed else refused, {"data": data, "errors": errors} if mixed else {"errors": errors})


def _answer(task: Any, scene: Scene, *, dry: bool) -> tuple[list[Any], list[Any]]:
    """Return the results and the errors of one task; a ``dry`` one is only checked and priced. Raises `_Refused`."""
    wrong = complaints(task)
    if wrong:
        raise _Refused(400, *wrong)
    match task["taskType"]:
        case "imageInference" if dry:
            cost = round(_cost(task, *_size(task, []), []) * task.get("numberResults", 1), 6)
            return [{"taskType": "imageInference", "taskUUID": task["taskUUID"], "cost": cost}], []
        case "imageInference":
            return _infer(task, scene)
        case "getResponse":
            job = scene.job(task["taskUUID"].lower())
            return ([], []) if job is None else _progress(job, scene)
        case "getTaskDetails":
            return [_details(task, scene)], []
        case "accountManagement":
            name = task["taskUUID"].lower()
            if scene.job(name) is not None or not scene.tasks.add(name, {})[1]:
                raise _Refused(400, _conflict(task))
            account = {
                "taskType": "accountManagement",
                "operation": "getDetails",
                "taskUUID": task["taskUUID"],
                "organizationUUID": "00000000-0000-4000-8000-000000000001",
                "organizationName": "Sandbox",
                "AIRSource": "sandbox",
                "balance": {"amount": 100.0, "currency": "USD"},
                "team": [],
                "apiKeys": [],
                "usage": {},
            }
            return [account], []
        case _:
            return [{"taskType": "ping", "pong": True}], []


def _infer(task: dict[str, Any], scene: Scene) -> tuple[list[Any], list[Any]]:
    _rehearse(task)
    if scene.tasks.get(task["taskUUID"].lower()) is not None:
        raise _Refused(400, _conflict(task))
    sync = task.get("deliveryMethod", "sync") == "sync"
    inputs = _keep_inputs(task, scene)
    sizes = [measure(held) for one in inputs if (held := scene.input(one)) is not None]
    least = ENTRIES[task["model"]].least_side if task["model"] in ENTRIES else 1
    if any(min(size) < least for size in sizes):
        text = f"each side of a reference image must have at least {least} pixels"
        raise _Refused(400, complaint("invalidReferenceImages", text, task, "inputs.referenceImages"))
    width, height = _size(task, sizes)
    job, new = scene.accept(
        id=task["taskUUID"].lower(),
        model=task["model"],
        prompt=task.get("positivePrompt", ""),
        seed=task.get("seed", secrets.randbits(32)),
        width=width,
        height=height,
        format=task.get("outputFormat", "JPG").lower(),
        quality=task.get("outputQuality", 95),
        count=task.get("numberResults", 1),
        inputs=inputs,
        asked={**shorten(task), "_cost": _cost(task, width, height, sizes)},
        **({"hold": 0.0} if sync else {}),
    )
    if "lost-replies" in job.plays:
        raise LostReply(job.id)
    if not new:
        raise _Refused(400, _conflict(task))
    if "lost-reply" in job.plays or (sync and "never" in job.plays):
        raise LostReply(job.id)
    if not sync:
        return [{"taskType": "imageInference", "taskUUID": task["taskUUID"]}], []
    if job.blocked or job.broken:
        raise _Refused(400, _failure(job))
    return _items(job, job.count, scene), []


def _keep_inputs(task: dict[str, Any], scene: Scene) -> list[str]:
    """Store the input images of a task. Raises `_Refused` for one that is no image, or a mask of another size."""
    fields = task.get("inputs", {})
    images = [*fields.get("referenceImages", []), *(fields[name] for name in ("seedImage", "image") if name in fields)]
    try:
        names = [keep_image(value, scene) for value in images if isinstance(value, str)]
        held = (
            [scene.input(name) for name in (*names[:1], keep_image(fields["maskImage"], scene))]
            if "maskImage" in fields
            else []
        )
    except ValueError as error:
        raise _Refused(400, complaint("invalidInputs", f"an input image {error}", task, "inputs")) from None
    sizes = {measure(one) for one in held if one is not None}
    if len(sizes) > 1:
        text = "the mask must have the size of the image"
        raise _Refused(400, complaint("invalidMaskImage", text, task, "inputs.maskImage"))
    return names


def _size(task: dict[str, Any], inputs: list[tuple[int, int]]) -> tuple[int, int]:
    """Return the size of the image: as requested, or in the shape of the first input image."""
    if "width" in task:
        return task["width"], task["height"]
    entry = ENTRIES.get(task["model"])
    if not inputs:
        return 1024, 1024
    if entry is None or (entry.table == () and entry.sides is None):
        return inputs[0]
    if entry.tiers:
        shape = math.log(inputs[0][0] / inputs[0][1])
        tier = entry.tiers[task.get("resolution", "1K")]
        return min(tier, key=lambda size: abs(math.log(size[0] / size[1]) - shape))
    return shapes.size_of_area(f"{inputs[0][0]}:{inputs[0][1]}", 2**20, 16)


def _cost(task: dict[str, Any], width: int, height: int, inputs: list[tuple[int, int]]) -> float:
    """Return the price of an image in USD."""
    entry = ENTRIES.get(task["model"])
    if entry is None:
        return 0.05
    if entry.steps:
        return next((amount for most, amount in entry.steps if width * height <= most), entry.steps[-1][1])
    first, further, each = entry.price
    more = further * (shapes.megapixels(width, height) - 1) + each * sum(shapes.megapixels(*one) for one in inputs)
    return round(first + more, 8)


def _conflict(task: dict[str, Any]) -> dict[str, Any]:
    return complaint("conflictTaskUUID", "a task with this taskUUID exists already", task, "taskUUID")


def _rehearse(task: dict[str, Any]) -> None:
    """Raise `_Refused` if the prompt requests it."""
    plays = rehearsals(task.get("positivePrompt", ""))
    if "unauthorized" in plays:
        raise _Refused(401, complaint("invalidApiKey", "the API key is not valid", task, ""))
    if "credits" in plays:
        raise _Refused(402, complaint("insufficientCredits", "the account has no credits left", task, ""))
    if "rate-limit" in plays:
        raise _Refused(429, complaint("rateLimitExceeded", "too many requests", task, ""))


def _progress(job: Job, scene: Scene) -> tuple[list[Any], list[Any]]:
    """Return all that is known of a task so far. A queued task looks like an unknown one."""
    now = scene.now()
    phase = job.phase(now)
    if phase == "queued":
        return [], []
    named = {"taskType": "imageInference", "taskUUID": job.asked["taskUUID"]}
    if phase == "done" and job.stopped:
        said = {"code": "taskCancelled", "message": "the task was cancelled"}
        return [{**named, "status": "error", "error": said}], []
    if phase == "done" and (job.blocked or job.broken):
        said = _failure(job)
        if job.blocked == bool(job.seed % 2):  # both shapes are known of either
            return [], [{**said, "status": "error"}]
        return [{**named, "status": "error", "error": {"code": said["code"], "message": said["message"]}}], []
    done = [{**item, "status": "success"} for item in _items(job, job.ready(now), scene)]
    waiting = {**named, "status": "processing", "progress": job.progress(now)}
    return [*done, *([waiting] if phase == "running" else [])], []


def _failure(job: Job) -> dict[str, Any]:
    if job.blocked:
        code, text = _BLOCKED[job.seed % len(_BLOCKED)]
        return complaint(code, text or job.block, job.asked, "")
    return complaint("inferenceError", "the provider could not make the image", job.asked, "")


def _items(job: Job, ready: int, scene: Scene) -> list[dict[str, Any]]:
    """Return the first ``ready`` results of a task; result ``k`` has the seed plus ``k``. They come in no order."""
    return sorted((_item(job, index, scene) for index in range(ready)), key=lambda item: item["imageUUID"])


def _item(job: Job, index: int, scene: Scene) -> dict[str, Any]:
    name = image_uuid(job.id, index)
    item: dict[str, Any] = {
        "taskType": "imageInference",
        "taskUUID": job.asked["taskUUID"],
        "imageUUID": name,
        **({"seed": job.seed + index} if _has_seed(job.model) else {}),
    }
    match job.asked.get("outputType", "URL"):
        case "URL":
            item["imageURL"] = f"{scene.links}/image/ws/2/ii/{name}.{job.format}"
        case kind:
            encoded = base64.b64encode(files.content(job, index, scene)).decode()
            uri = f"data:{files.MEDIA[job.format]};base64,{encoded}"
            item |= {"imageBase64Data": encoded} if kind == "base64Data" else {"imageDataURI": uri}
    safety = job.asked.get("safety", {})
    if safety.get("checkContent") or safety.get("mode") == "fast":
        item["NSFWContent"] = "nsfw" in job.plays
    return item | ({"cost": job.asked["_cost"]} if job.asked.get("includeCost") else {})


def _has_seed(model: str) -> bool:
    return model not in ENTRIES or "seed" in ENTRIES[model].fields


def _details(task: dict[str, Any], scene: Scene) -> dict[str, Any]:
    """Return the request of a past task and its last response."""
    job = scene.job(task["taskUUID"].lower())
    if job is None:
        raise _Refused(404, complaint("taskFailedOrNotFound", "no such task", task, "taskUUID"))
    data, errors = _progress(job, scene)
    response = {"data": data, **({"errors": errors} if errors else {})}
    return {
        "taskType": "getTaskDetails",
        "taskUUID": task["taskUUID"],
        "request": [{name: value for name, value in job.asked.items() if name != "_cost"}],
        "response": response,
    }
