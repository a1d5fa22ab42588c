"""Apiframe, version 2 of its API.

Pages: https://docs-v2.apiframe.ai and the OpenAPI file in the vendor's Node SDK. Unknown fields are refused with 400,
a repeat of a submit under the same ``Idempotency-Key`` returns the first job for 24 hours, and no cancelling exists.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from flux_cli.errors import FluxError, NotFoundError, UsageError
from flux_cli.jobs import Cancelled, Cost, Failed, Image, Queued, RemoteJob, Running, State, Succeeded
from flux_cli.providers.base import (
    CREDITS,
    SEEDS,
    Accepted,
    Account,
    LostSubmit,
    Model,
    PlannedJob,
    Provider,
    put_at_path,
)
from flux_cli.providers.conversation import Flow, Request, Response, Upload, as_float, as_id, as_percent, as_url
from flux_cli.providers.drift import from_catalogue
from flux_cli.providers.options import Choice, Link, Picture, Range, Switch, same_values
from flux_cli.providers.refusals import error_for_status, job_failure
from flux_cli.text import sentence


def submit(planned: PlannedJob) -> Flow[Accepted]:
    """Upload a local image prompt first, if there is one; then ask for the job.

    The webhook's field is ``webhookUrl`` in the API's schema and ``webhook_url`` on the model's page. Unknown fields
    are refused, so a 400 that names the field proves that nothing was accepted, and the page's spelling may be tried.
    """
    body = planned.body(model=planned.model.slug)
    image = planned.job.parameters.get("image")
    if image and "://" not in image:
        example = {"url": "https://api.apiframe.ai/the-uploaded-file"}
        sent = yield Request(
            "POST", "/v2/uploads", upload=Upload(field="file", path=image), repeatable=True, dry_run_answer=example
        )
        put_at_path(body, "fluxParams.image_prompt", as_url(sent.json["url"]))
    first = Request(
        "POST",
        "/v2/images/generate",
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
            raise error from None  # the name was not what it minded
    return Accepted(remote=RemoteJob(id=as_id(reply.json["jobId"])))


def poll(remote: RemoteJob) -> Flow[State]:
    """Read the job."""
    reply = yield Request("GET", f"/v2/jobs/{remote.id}")
    return _state(reply.json)


def find(lost: LostSubmit) -> Flow[RemoteJob | None]:
    """List the latest jobs, keep those made around the time of ours, and read each: only then its input is told.

    The input is compared in what makes it ours, prompt and seed. Two that fit prove nothing.
    """
    near: list[tuple[float, str]] = []
    query = {"limit": "100", "model": lost.body["model"]}
    for _ in range(_PAGES):
        reply = yield Request("GET", "/v2/jobs", query=query)
        away = [(_away(job, lost.sent_at), job["id"]) for job in reply.json["jobs"]]
        near += [(abs(seconds), as_id(name)) for seconds, name in away if -_SLACK <= seconds <= _LONGEST + _SLACK]
        following = reply.json.get("nextCursor")
        if not isinstance(following, str) or not following or all(seconds < -_SLACK for seconds, _ in away):
            break
        query = {**query, "cursor": following}
    wanted = lost.body["prompt"], lost.body["fluxParams"]["seed"]
    found: list[str] = []
    for _, name in sorted(near)[:_READS]:
        try:
            reply = yield Request("GET", f"/v2/jobs/{name}")
        except NotFoundError:
            continue
        found += [name] if _asked(reply.json) == wanted else []
        if len(found) > 1:
            break
    return RemoteJob(id=found[0]) if len(found) == 1 else None


def _asked(job: Any) -> tuple[Any, Any]:
    told = job.get("input") or {}
    inner = told.get("fluxParams") or told
    return told.get("prompt"), inner.get("seed")


def _away(job: Any, sent_at: float) -> float:
    """Return by how many seconds a job is younger than ``sent_at``; one that does not say when is taken as near."""
    told = job.get("createdAt")
    if not isinstance(told, str):
        return 0.0
    made = datetime.fromisoformat(told)
    return (made if made.tzinfo else made.replace(tzinfo=UTC)).timestamp() - sent_at


_LONGEST, _SLACK = 900.0, 120.0
"""Seconds: how long a submit with all its repeats may take, and by how much two clocks may differ."""
_PAGES, _READS = 10, 100
"""Pages of the list that are looked through, and jobs that are read, those nearest in time first."""


def check() -> Flow[Account]:
    """Ask who we are, which also tells the team's credits; then look our models up in the public catalogue."""
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
    return replace(account, differences=from_catalogue(_MODELS, reply.json), credit_prices=_prices(reply.json))


def _prices(published: Any) -> dict[str, float]:
    """Return what an image of our models costs, in credits: where the catalogue tells one price, not a range."""
    listed = published.get("models") if isinstance(published, dict) else published
    entries = {one.get("id"): one for one in listed or [] if isinstance(one, dict)} if isinstance(listed, list) else {}
    found: dict[str, float] = {}
    for model in _MODELS:
        told = entries.get(model.slug, {})
        low, high = as_float(told.get("costMin")), as_float(told.get("costMax"))
        if high and low == high and told.get("pricingMode") in {None, "flat", "per-output"}:
            found[model.name] = high
    return found


def refusal(response: Response) -> FluxError | None:
    """Read ``{error, details}``: details are messages by the path of the field that is wrong."""
    body = response.object
    told, details = body.get("error") or body.get("message") or "", body.get("details")
    text = told if isinstance(told, str) else str(told)
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
    """Return the links of a result, which is an object, a list or a bare string, by version of the page."""
    if isinstance(result, dict):
        result = result.get("images") or result.get("image") or result["url"]
    found = result if isinstance(result, list) else [result]
    if not found:
        raise ValueError("no image")
    return [one["url"] if isinstance(one, dict) else one for one in found]


_OPTIONS = {
    "aspect_ratio": Choice(field="fluxParams.aspect_ratio", values=same_values("1:1", "3:4", "4:3", "9:16", "16:9")),
    "seed": Range(field="fluxParams.seed", low=SEEDS[0], high=SEEDS[1], default="random"),
    "image": Picture(
        field="fluxParams.image_prompt", limit=25 * 2**20, note="a local file goes to POST /v2/uploads first"
    ),
    "format": Choice(field="fluxParams.output_format", default="jpg", values=same_values("jpg", "png", "webp")),
    "quality": Range(field="fluxParams.output_quality", low=0, high=100, default="90"),
    "webhook": Link(field="webhookUrl"),
}
_PRO = Model(
    name="flux-1.1-pro",
    slug="flux-1.1-pro",
    options={**_OPTIONS, "upsample_prompt": Switch(field="fluxParams.prompt_upsampling")},
    prompt_length=(1, 2000),
)
_ULTRA = replace(
    _PRO,
    name="flux-1.1-pro-ultra",
    slug="flux-1.1-pro-ultra",
    options={
        **_OPTIONS,
        "raw": Switch(field="fluxParams.raw", default="off", note="here: no prompt enhancement"),
        "image_strength": Range(field="fluxParams.image_prompt_strength", low=0, high=1, fractions=True, default="0.5"),
    },
)
_MODELS = (_PRO, _ULTRA)

PROVIDER = Provider(
    name="apiframe",
    title="Apiframe v2",
    base_url="https://api.apiframe.ai",
    auth=("X-API-Key", ""),
    key_variables=("APIFRAME_API_KEY",),
    key_page="your dashboard at https://apiframe.ai",
    docs="https://docs-v2.apiframe.ai",
    models={model.name: model for model in _MODELS},
    submit=submit,
    poll=poll,
    check=check,
    find=find,
    refusal=refusal,
    reserved_fields=("prompt", "model", "fluxParams.seed"),
    id_pattern=r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
    upload_note="POST /v2/uploads",
    poll_seconds=2.0,  # the page on jobs at docs-v2.apiframe.ai: every 2 to 3 seconds for images
)
