"""The Runware provider.

Pages: https://runware.ai/docs/platform (errors, task-polling) and
https://runware.ai/docs/models/bfl-flux-1-1-pro-ultra. The API has one address, which takes and
returns arrays of tasks by POST. flux makes the UUID of a task, so a submit may be repeated: ``conflictTaskUUID`` in
answer to a repeat means that the first attempt arrived. Polls are cumulative, and mix results and errors.
"""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any
from uuid import uuid4

from flux_cli.errors import (
    FluxError,
    LostReplyError,
    ModeratedError,
    NotFoundError,
    PartialError,
    PaymentError,
    RefusedError,
    UnknownOutcomeError,
    UsageError,
)
from flux_cli.jobs import Cancelled, Cost, Failed, Image, Queued, RemoteJob, Running, State, Succeeded
from flux_cli.providers.base import Accepted, Account, LostSubmit, Model, PlannedJob, Provider, Published
from flux_cli.providers.conversation import Flow, Request, Response, as_bool, as_float, as_int, as_percent, as_url
from flux_cli.providers.drift import from_schema, read_fields
from flux_cli.providers.refusals import as_job_failure, error_for_status
from flux_cli.providers.runware_codes import CANCELLED, CONFLICT, explain
from flux_cli.providers.runware_models import MODELS, OTHER
from flux_cli.text import printable, sentence

SCHEMA_HOST = "https://schemas.runware.ai"
"""Publishes the schema of each model; public."""
_TASK_FIELDS = (
    "taskType",
    "taskUUID",
    "model",
    "deliveryMethod",
    "includeCost",
    "numberResults",
    "outputType",
    "uploadEndpoint",
    "ttl",
    "routing",
    "advancedFeatures",
    "acceleration",
    "acceleratorOptions",
    "controlNet",
    "hiresFix",
    "ipAdapters",
    "lora",
    "maskMargin",
    "outpaint",
    "promptWeighting",
    "pulid",
    "scheduler",
    "trueCFGScale",
    "ultralytics",
)
"""Documented fields that flux fills in or leaves to ``--param``."""


def submit(planned: PlannedJob) -> Flow[Accepted]:
    """Submit one task, for asynchronous delivery unless ``--param`` says otherwise."""
    fixed: dict[str, Any] = {
        "taskType": "imageInference",
        "taskUUID": planned.job.idempotency_key,
        "model": planned.model.slug,
        "deliveryMethod": "async",
        "includeCost": True,
    }
    task = planned.body(**fixed)
    if task["deliveryMethod"] == "sync" and not planned.wait:
        message = "--no-wait does not work with synchronous delivery"
        raise UsageError(message, hint="use --no-wait or --param deliveryMethod=sync, not both")
    remote = RemoteJob(id=planned.job.idempotency_key, poll_state={"count": planned.job.count})
    try:
        reply = yield Request("POST", "", json=[task], paid=True, repeatable=True)
    except LostReplyError as lost:
        if lost.vendor_code != CONFLICT:
            raise
        return Accepted(remote=remote)
    except RefusedError as error:
        if error.vendor_code != CONFLICT:
            raise
        raise UnknownOutcomeError(error.message) from error  # the UUID is new, so something on the way sent it twice
    state = _read(reply.json, remote, last=task["deliveryMethod"] == "sync")
    if isinstance(state, Failed):
        raise state.error
    return Accepted(remote=remote, state=state)


def poll(remote: RemoteJob) -> Flow[State]:
    """Read all results of the task so far. A refusal that concerns the task means that the task failed."""
    try:
        reply = yield _post({"taskType": "getResponse", "taskUUID": remote.id})
    except NotFoundError as error:
        if error.vendor_code != CANCELLED:
            raise
        return Cancelled(error=_cancelled_error())
    except (ModeratedError, PaymentError, RefusedError, UsageError) as error:
        if not error.vendor_code:  # not from the provider: a proxy, or an address that has moved
            raise
        return Failed(error=as_job_failure(error))
    state = _read(reply.json, remote)
    return replace(state, error=as_job_failure(state.error)) if isinstance(state, Failed) else state


def find(lost: LostSubmit) -> Flow[RemoteJob | None]:
    """Read the request of the task. If there is one, the task exists; if not, it may still exist."""
    try:
        reply = yield _post({"taskType": "getTaskDetails", "taskUUID": lost.idempotency_key})
    except (NotFoundError, RefusedError, UsageError):
        return None
    tasks = [
        one
        for one in reply.json.get("data") or []
        if one.get("taskUUID") == lost.idempotency_key and one.get("request")
    ]
    return RemoteJob(id=lost.idempotency_key) if tasks else None


def check() -> Flow[Account]:
    """Read the account. ``balance`` is a number in the documentation and an object in the vendor's client."""
    try:
        details = yield from _account()
    except RefusedError as error:
        if error.vendor_code != CONFLICT:
            raise
        details = yield from _account()  # the answer was lost, and the repeat had the same UUID
    balance = details.get("balance")
    values = balance.values() if isinstance(balance, dict) else (balance,)
    amount = next((found for one in values if (found := as_float(one)) is not None), None)
    return Account(
        balance=None if amount is None else Cost(amount=amount),
        name=sentence(str(details.get("organizationName") or ""), limit=60),
    )


def describe(model: str) -> Flow[Published]:
    """Read the public schema of an AIR, such as ``bfl:9@1``."""
    found = yield from _schema(model)
    about = found.get("documentation")
    title = (about.get("title") or about.get("name")) if isinstance(about, dict) else None
    facts = {"title": sentence(str(title), limit=80)} if title else {}
    return Published(facts=facts, fields=read_fields(found.get("requestSchema"), "positivePrompt"))


def compare(model: Model) -> Flow[tuple[str, ...]]:
    """Compare the public schema of each of a model's ids with its table."""
    every = {one.slug: one for one in (model, *model.variants)}
    found: tuple[str, ...] = ()
    for slug, one in every.items():
        published = yield from _schema(slug)
        found += from_schema(one, published.get("requestSchema"), known=_TASK_FIELDS)
    return found


def _schema(model: str) -> Flow[dict[str, Any]]:
    try:
        reply = yield Request("GET", f"/resolve/{model}", origin=SCHEMA_HOST, keyless=True)
    except NotFoundError:
        message = f"runware publishes no schema for {model}"
        raise NotFoundError(message, hint="its models have ids such as bfl:9@1") from None
    return reply.object


def refusal(response: Response) -> FluxError | None:
    """Return the first of ``errors`` as an error. 5xx is left to the transport."""
    if not 400 <= response.status < 500:  # noqa: PLR2004 - HTTP classes
        return None
    listed = response.object.get("errors") or response.object.get("error") or []
    first = listed[0] if isinstance(listed, list) and listed else listed
    if not isinstance(first, dict) or not isinstance(first.get("code"), str):
        return error_for_status(response, str(listed or ""), provider="runware")
    return explain(first, status=response.status)


def _account() -> Flow[Any]:
    """Read the account, under a new UUID: each is valid for one task, even one that only reads."""
    reply = yield _post({"taskType": "accountManagement", "operation": "getDetails", "taskUUID": str(uuid4())})
    errors = _errors(reply.json)
    if errors:
        raise explain(errors[0])
    return next(iter(reply.json["data"]), {})


def _post(task: dict[str, Any]) -> Request:
    return Request("POST", "", json=[task], repeatable=True)


def _read(body: Any, remote: RemoteJob, *, last: bool = False) -> State:
    """Return the state of one task from an answer: its images, its errors, and whether more will follow.

    ``last`` marks an answer after which nothing follows (synchronous delivery).
    """
    items = [one for one in body.get("data") or [] if _belongs_to(one, remote, silent=False)]
    errors = [one for one in _errors(body) if _belongs_to(one, remote, silent=True)]
    errors += [one.get("error") or one for one in items if one.get("status") == "error"]
    made = {_key(one, place): one for place, one in enumerate(items) if _has_image(one)}
    waiting = [one for one in items if not _has_image(one) and one.get("status") != "error"]
    wanted, settled = as_int(remote.poll_state.get("count")) or 0, len(made) + len(errors)
    complete = settled >= wanted if wanted else bool(settled and not waiting)
    only_refused = bool(errors and not made and not waiting)  # then one error applies to every image
    if not (last or complete or only_refused):
        return _unfinished(waiting) if waiting or made else Queued(seen=False)
    if not made:
        return _end_without_image(errors)
    images = _sort_by_seed([_image(key, one) for key, one in made.items()])
    costs = [cost for one in made.values() if (cost := as_float(one.get("cost"))) is not None]
    wanted = max(wanted, settled)
    reason = explain(errors[0]).message if errors else "runware gave no reason"
    return Succeeded(
        images=images,
        seed=images[0].seed,
        cost=Cost(amount=round(sum(costs), 6)) if costs else None,
        error=PartialError(f"{wanted - len(made)} of {wanted} images were not made: {reason}")
        if len(made) < wanted
        else None,
    )


def _end_without_image(errors: list[Any]) -> State:
    """Return the state of a task that made no image. A block, which a repeat would meet again, takes precedence."""
    reasons = [explain(one) for one in errors] or [RefusedError("runware: the task ended without an image")]
    blocked = next((one for one in reasons if isinstance(one, ModeratedError)), None)
    if blocked is None and all(one.vendor_code == CANCELLED for one in reasons):
        return Cancelled(error=_cancelled_error())
    return Failed(error=blocked or reasons[0])


def _cancelled_error() -> RefusedError:
    """Return the error of a cancelled task. Whether it is billed is not documented; the vendor's client does so."""
    return RefusedError("runware: the task was cancelled", charged="unknown", retry="never")


def _sort_by_seed(images: list[Image]) -> tuple[Image, ...]:
    """Sort images by seed if they all have one: they come in any order, and their seeds count up from the first."""
    seeds = [image.seed for image in images]
    if None in seeds:
        return tuple(images)
    return tuple(sorted(images, key=lambda image: image.seed or 0))


def _unfinished(waiting: list[Any]) -> State:
    """Return the state of an unfinished task. An item without a status only acknowledges the task."""
    if waiting and all(one.get("status") is None for one in waiting):
        return Queued()
    named = (one["status"] for one in waiting if one.get("status") not in (None, "processing", "pending", "success"))
    known = next(named, None)
    return Running(
        progress=as_percent(next((one.get("progress") for one in waiting), None)),
        detail=None if known is None else sentence(str(known), limit=60),
    )


def _belongs_to(item: Any, remote: RemoteJob, *, silent: bool) -> bool:
    """Whether an item belongs to this task; ``silent`` is the answer for an item without a task id."""
    named = item.get("taskUUID")
    return silent if named is None else str(named).lower() == remote.id.lower()


def _key(item: Any, place: int) -> str:
    """Return a key that is unique within the task, because polls repeat earlier images."""
    names = (item.get("imageUUID"), item.get("resultIndex"), place)
    return printable(str(next(name for name in names if name not in (None, ""))), limit=128)


def _errors(body: Any) -> list[Any]:
    found = body.get("errors") or body.get("error") or []
    return found if isinstance(found, list) else [found]


def _has_image(item: Any) -> bool:
    return any(item.get(name) for name in ("imageURL", "imageBase64Data", "imageDataURI"))


def _image(key: str, item: Any) -> Image:
    """Return the image of an item: a link, or its data in one of two encodings."""
    encoded = item.get("imageBase64Data") or (
        item["imageDataURI"].partition(";base64,")[2] if item.get("imageDataURI") else None
    )
    image = Image(key=key, seed=as_int(item.get("seed")), nsfw=as_bool(item.get("NSFWContent")))
    if encoded:
        return replace(image, data=base64.b64decode(encoded, validate=True))
    return replace(image, url=as_url(item["imageURL"]))


PROVIDER = Provider(
    name="runware",
    title="Runware",
    base_url="https://api.runware.ai/v1",
    auth=("Authorization", "Bearer "),
    key_variables=("RUNWARE_API_KEY",),
    key_page="your account at https://runware.ai",
    docs="https://runware.ai/docs",
    models=MODELS,
    submit=submit,
    poll=poll,
    check=check,
    describe=describe,
    compare=compare,
    find=find,
    public_origins=(SCHEMA_HOST,),
    refusal=refusal,
    other_model=OTHER,
    model_pattern=r"[a-z0-9_-]+:[\w.-]+@[\w.-]+",
    reserved_fields=("taskType", "taskUUID", "model"),
    idempotency_key_is_id=True,
    id_pattern=r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
    poll_seconds=1.0,  # https://runware.ai/docs/platform/task-polling: 1 to 2 seconds at first, then longer and longer
)
