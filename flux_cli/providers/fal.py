"""The fal provider, for its queue.

Pages: https://fal.ai/docs and the OpenAPI document of https://api.fal.ai. A request is read at the addresses that the
answer to its submit names; a ``COMPLETED`` one may have failed, which only its result says. A lost request is found by
its input in the list of the platform API, which is on another host, as are prices and the storage of input images.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

from flux_cli.errors import LostReplyError, ModeratedError, NotFoundError, RefusedError, UnavailableError, UsageError
from flux_cli.jobs import Cancelled, Failed, Image, LocalFile, Queued, RemoteJob, Running, State, Succeeded
from flux_cli.providers.base import Accepted, PlannedJob, Provider, upload_files
from flux_cli.providers.conversation import Flow, Request, Response, Upload, as_bool, as_float, as_id, as_int, as_url
from flux_cli.providers.fal_errors import failure, is_answer, refusal
from flux_cli.providers.fal_models import MODELS, OTHER
from flux_cli.providers.fal_platform import PLATFORM, check, compare, describe, find, read_cost
from flux_cli.providers.refusals import as_job_failure
from flux_cli.text import sentence

STORAGE, FILES = "https://rest.fal.ai", "https://v3.fal.media"
_ADDRESSES = ("status_url", "response_url", "cancel_url")


def submit(planned: PlannedJob) -> Flow[Accepted]:
    """Upload large input images, then queue the request, which the queue must not repeat by itself."""
    links = yield from upload_files(planned, _upload)
    endpoint, webhook = planned.model.slug, planned.job.parameters.get("webhook")
    reply = yield Request(
        "POST",
        f"/{endpoint}",
        json=planned.body(links),
        query={} if webhook is None else {"fal_webhook": webhook},
        headers={"x-fal-no-retry": "1"},
        paid=True,
    )
    if reply.status >= 500:  # noqa: PLR2004 - HTTP classes
        raise LostReplyError(f"fal answered HTTP {reply.status}")
    kept = {name: reply.json[name] for name in _ADDRESSES if isinstance(reply.json.get(name), str)}
    remote = RemoteJob(id=as_id(reply.json["request_id"]), poll_state={"endpoint": endpoint, **kept})
    return Accepted(remote=remote, state=Queued(position=as_int(reply.json.get("queue_position"))))


def _upload(file: LocalFile) -> Flow[str]:
    """Upload a local file with a token that is good for nothing else, and return its address."""
    reply = yield Request(
        "POST",
        "/storage/auth/token",
        query={"storage_type": "fal-cdn-v3"},
        json={},
        origin=STORAGE,
        repeatable=True,
        secret_answer=True,
        dry_run_answer={"token": "THE-TOKEN", "token_type": "Bearer"},
    )
    credentials = f"{reply.json['token_type']} {reply.json['token']}"
    if not re.fullmatch(r"[A-Za-z]+ [!-~]+", credentials):
        raise ValueError("a token that is not one")
    name = f"image.{file.media_type.removeprefix('image/')}"
    reply = yield Request(
        "POST",
        "/files/upload",
        headers={"Authorization": credentials, "X-Fal-File-Name": name},
        upload=Upload(path=file.path, media_type=file.media_type, file=file),
        origin=FILES,
        keyless=True,
        repeatable=True,
        dry_run_answer={"access_url": f"{FILES}/files/the-uploaded-file"},
    )
    return as_url(reply.json["access_url"])


def poll(remote: RemoteJob) -> Flow[State]:
    """Read the state in the queue, and once the request has left it, the result."""
    app, reply = yield from _read_status(remote)
    if reply.status >= 400:  # noqa: PLR2004 - HTTP classes: whatever fails here, it is not the model
        raise UnavailableError(f"fal: the queue answered HTTP {reply.status}")
    match reply.json["status"]:
        case "IN_QUEUE":
            return Queued(position=as_int(reply.json.get("queue_position")))
        case "IN_PROGRESS":
            return Running()
        case "COMPLETED":
            return (yield from _read_result(remote, app, reply.json))
        case other:
            return Running(detail=sentence(str(other), limit=60))


def cancel(remote: RemoteJob) -> Flow[State]:
    """Cancel the request. A queued one leaves the queue; a running one is asked to stop, and may go on."""
    endpoint = remote.poll_state.get("endpoint")
    app = _app(endpoint) if isinstance(endpoint, str) else (yield from _read_status(remote))[0]
    reply = yield _request("PUT", remote, app, "cancel_url", "/cancel", repeatable=True, mutates=True)
    accepted = reply.object.get("status") == "CANCELLATION_REQUESTED" or reply.object.get("success") is True
    try:
        state = yield from poll(remote)
    except NotFoundError:
        if accepted:
            return Cancelled()
        raise
    return Cancelled() if accepted and isinstance(state, Queued) else state


def _request(method: str, remote: RemoteJob, app: str, name: str, suffix: str, **more: Any) -> Request:
    """Return a request at the address of that name, or where the queue has it."""
    url = remote.poll_state.get(name)
    return Request(method, f"/{app}/requests/{remote.id}{suffix}", url=url if isinstance(url, str) else None, **more)


def _app(endpoint: str) -> str:
    """Return the part of an endpoint's id that the addresses of its requests have."""
    return "/".join(endpoint.split("/")[: 3 if endpoint.startswith(("workflows/", "comfy/")) else 2])


def _read_status(remote: RemoteJob) -> Flow[tuple[str, Response]]:
    """Return where the queue has a request, and its status; one that flux did not submit is tried under each model."""
    endpoint = remote.poll_state.get("endpoint")
    apps = [_app(endpoint)] if isinstance(endpoint, str) else [_app(model.slug) for model in MODELS.values()]
    for app in dict.fromkeys(apps):
        with suppress(NotFoundError):
            reply = yield _request("GET", remote, app, "status_url", "/status")
            return app, reply
    raise NotFoundError(f"fal: no model that flux knows has a request {remote.id}")


def _read_result(remote: RemoteJob, app: str, status: Any) -> Flow[State]:
    try:
        reply = yield _request("GET", remote, app, "response_url", "")
    except (ModeratedError, RefusedError, UsageError) as error:
        kind = str(error.vendor_code or status.get("error_type") or status.get("error") or "")
        if not kind:  # not of the model: a proxy, or the queue itself
            raise
        if not re.search("cancell?ed", kind):
            return Failed(error=as_job_failure(error))
        ran = (status.get("metrics") or {}).get("inference_time") is not None
        reason = "fal: the request was cancelled while it ran"
        return Cancelled(error=RefusedError(reason, charged="unknown", retry="never") if ran else None)
    if reply.status >= 400:  # noqa: PLR2004 - HTTP classes
        return Failed(error=failure(reply))
    flags, body = reply.json.get("has_nsfw_concepts"), reply.json
    images = tuple(
        Image(
            url=as_url(one["url"]),
            width=as_int(one.get("width")),
            height=as_int(one.get("height")),
            seed=as_int(body.get("seed")) if place == 0 else None,
            nsfw=as_bool(flags[place]) if isinstance(flags, list) and place < len(flags) else None,
        )
        for place, one in enumerate(body["images"])
    )
    cost = yield from read_cost(remote.poll_state.get("endpoint"), as_float(reply.headers.get("x-fal-billable-units")))
    return Succeeded(images=images, seed=as_int(body.get("seed")), cost=cost)


PROVIDER = Provider(
    name="fal",
    title="fal",
    base_url="https://queue.fal.run",
    auth=("Authorization", "Key "),
    key_variables=("FAL_KEY",),
    key_page="your dashboard at https://fal.ai/dashboard/keys",
    docs="https://fal.ai/docs",
    models=MODELS,
    submit=submit,
    poll=poll,
    cancel=cancel,
    find=find,
    check=check,
    describe=describe,
    compare=compare,
    refusal=refusal,
    is_answer=is_answer,
    other_model=OTHER,
    model_pattern=r"[a-z0-9][a-z0-9_-]*(/[a-z0-9][a-z0-9._-]*)+",
    reserved_fields=("sync_mode",),
    origins=(PLATFORM, STORAGE),
    public_origins=(PLATFORM, FILES),
    trusted_urls=r"https://([a-z0-9-]+\.)*(fal\.run|falrun\.com)(/[A-Za-z0-9._-]+)+/requests/[A-Za-z0-9_-]{1,128}"
    r"(/status|/cancel)?",
    cancel_note="while queued; a running one is asked to stop",
    upload_note="its storage, at https://v3.fal.media",
    poll_seconds=0.5,  # the vendor's JavaScript client
)
