"""The Apiframe provider, for version 2 of its API.

Pages: https://docs-v2.apiframe.ai and the OpenAPI file in the vendor's Node SDK. The API rejects unknown
fields with 400, returns the first job for a repeated ``Idempotency-Key`` for 24 hours, and cannot cancel jobs.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from flux_cli.errors import FluxError, UsageError
from flux_cli.jobs import Cancelled, Cost, Failed, Image, LocalFile, Queued, RemoteJob, Running, State, Succeeded
from flux_cli.providers.apiframe_catalogue import describe, list_prices
from flux_cli.providers.apiframe_models import MODELS, OTHER, OTHER_IDS, PATTERN
from flux_cli.providers.apiframe_search import find
from flux_cli.providers.base import (
    CREDITS,
    Accepted,
    Account,
    PlannedJob,
    Provider,
    upload_files,
)
from flux_cli.providers.conversation import Flow, Request, Response, Upload, as_float, as_id, as_percent, as_url
from flux_cli.providers.drift import from_catalogue
from flux_cli.providers.refusals import error_for_status, job_failure
from flux_cli.text import sentence


def submit(planned: PlannedJob) -> Flow[Accepted]:
    """Upload local input images, if there are any, then submit the job.

    The webhook's field is ``webhookUrl`` in the API's schema and ``webhook_url`` on the model's page. Unknown fields
    are rejected, so a 400 that names the field proves that nothing was accepted, and the page's spelling is tried.
    """
    links = yield from upload_files(planned, _upload)
    body = planned.body(links, model=planned.model.slug)
    endpoint, filling = planned.model.endpoint or "/v2/images/generate", body.get("fluxFillParams")
    if isinstance(filling, dict):
        endpoint = "/v2/images/edit"  # also where all the parameters come from --param
        if "prompt" in body:
            body["fluxFillParams"] = {"prompt": body.pop("prompt"), **filling}
    first = Request(
        "POST",
        endpoint,
        json=body,
        headers={"Idempotency-Key": planned.job.idempotency_key},
        paid=True,
        repeatable=True,
    )
    try:
        reply = yield first
    except UsageError as error:
        if "webhookUrl" not in body or "webhookUrl" not in error.message or error.vendor_code != "http-400":
            raise
        renamed = {("webhook_url" if name == "webhookUrl" else name): value for name, value in body.items()}
        try:
            reply = yield replace(first, json=renamed, headers={"Idempotency-Key": f"{planned.job.idempotency_key}-2"})
        except UsageError:
            raise error from None  # the name of the field was not the problem
    return Accepted(remote=RemoteJob(id=as_id(reply.json["jobId"])))


def _upload(file: LocalFile) -> Flow[str]:
    """Upload a local file, and return its address, which works for an hour or two."""
    name = re.sub(r"[^\w.-]", "-", re.split(r"[/\\]", file.path)[-1], flags=re.ASCII)
    reply = yield Request(
        "POST",
        "/v2/uploads",
        upload=Upload(field="file", path=file.path, file=file),
        repeatable=True,
        dry_run_answer={"url": f"https://api.apiframe.ai/the-uploaded-file/{name}"},
    )
    return as_url(reply.json["url"])


def poll(remote: RemoteJob) -> Flow[State]:
    """Read the job."""
    reply = yield Request("GET", f"/v2/jobs/{remote.id}")
    return _state(reply.json)


def check() -> Flow[Account]:
    """Read the account, with the team's credits, and then the public catalogue of models."""
    reply = yield Request("GET", "/v2/me")
    team = reply.json.get("team") or {}
    left = as_float(team.get("credits"))
    account = Account(
        balance=None if left is None else Cost(amount=left, currency=CREDITS),
        name=sentence(str(team.get("name") or ""), limit=60),
    )
    try:
        reply = yield Request("GET", "/v2/models")
    except FluxError:
        return account
    differences = from_catalogue(tuple(MODELS.values()), reply.json, pattern=r"flux-.+", known=OTHER_IDS)
    return account._replace(differences=differences, credit_prices=list_prices(reply.json))


def refusal(response: Response) -> FluxError | None:
    """Read ``{error, details}``; the details map the path of an invalid field to messages."""
    body = response.object
    text, details = str(body.get("error") or body.get("message") or ""), body.get("details")
    if isinstance(details, dict):
        text += ": " + "; ".join(
            f"{path}: {' '.join(map(str, why)) if isinstance(why, list) else why}" for path, why in details.items()
        )
    if body.get("creditsRequired") is not None:
        text += f" ({body['creditsRequired']} needed, {body.get('creditsAvailable', 'unknown')} left)"
    return error_for_status(
        response, text, provider="apiframe", vendor_code=f"http-{response.status}", turned_away=True
    )


def _state(job: Any) -> State:
    charged = as_float(job.get("creditCost"))
    cost = None if charged is None else Cost(amount=charged, currency=CREDITS)
    match job["status"]:
        case "QUEUED":
            return Queued()
        case "PROCESSING":
            return Running(progress=as_percent(job.get("progress")))
        case "COMPLETED":
            images = tuple(Image(url=as_url(url)) for url in _links(job["result"]))
            return Succeeded(
                images=images,
                cost=cost,
                detail="the provider says that the links have expired" if job.get("expired") is True else None,
            )
        case "FAILED":
            text = str(job.get("error") or "")
            return Failed(error=job_failure(text, provider="apiframe", charged="no"))  # the page: credits are returned
        case "CANCELLED" | "CANCELED":
            return Cancelled(cost=cost)
        case other:
            return Running(detail=sentence(str(other), limit=60))


def _links(result: Any) -> list[Any]:
    """Return the links of a result: an object, a list or a string, depending on the version of the documentation."""
    if isinstance(result, dict):
        result = result.get("images") or result.get("image") or result["url"]
    found = result if isinstance(result, list) else [result]
    if not found:
        raise ValueError("no image")
    return [one["url"] if isinstance(one, dict) else one for one in found]


PROVIDER = Provider(
    name="apiframe",
    title="Apiframe v2",
    base_url="https://api.apiframe.ai",
    auth=("X-API-Key", ""),
    key_variables=("APIFRAME_API_KEY",),
    key_page="your dashboard at https://apiframe.ai",
    docs="https://docs-v2.apiframe.ai",
    models=MODELS,
    submit=submit,
    poll=poll,
    check=check,
    describe=describe,
    find=find,
    refusal=refusal,
    other_model=OTHER,
    other_ids=OTHER_IDS,
    model_pattern=PATTERN,
    reserved_fields=("prompt", "model"),
    id_pattern=r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
    upload_note="POST /v2/uploads",
    poll_seconds=2.0,  # the page on jobs at docs-v2.apiframe.ai: every 2 to 3 seconds for images
)
