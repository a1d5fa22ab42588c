"""The Runflow provider.

Pages: https://docs.runflow.io (concepts/runs, concepts/errors, guides/cancel-a-run) and the model's own page.
A run's state is in ``status_code`` (on some pages in ``status``). Its links are signed for about three days, and signed
again whenever the run is read. An ordinary key cannot cancel a run.
"""

from __future__ import annotations

from typing import Any

from flux_cli.errors import FluxError, NotFoundError
from flux_cli.jobs import Cancelled, Cost, Failed, Image, Queued, RemoteJob, Running, State, Succeeded
from flux_cli.providers.base import Accepted, Account, LostSubmit, PlannedJob, Provider
from flux_cli.providers.conversation import (
    Flow,
    Request,
    Response,
    as_bool,
    as_float,
    as_id,
    as_int,
    as_percent,
    as_url,
    require_object,
)
from flux_cli.providers.refusals import error_for_status, job_failure
from flux_cli.providers.runflow_models import MODELS, OTHER
from flux_cli.text import sentence

_PAGES = 10
"""How many pages of 500 runs are searched for a lost run."""


def submit(planned: PlannedJob) -> Flow[Accepted]:
    """Start a run. ``client_ref`` is a label by which the run is found if the answer is lost."""
    body = planned.body(client_ref=planned.job.id)
    reply = yield Request("POST", f"/v1/models/{planned.model.slug}/runs", json=body, paid=True)
    return Accepted(remote=RemoteJob(id=as_id(reply.json["id"])))


def poll(remote: RemoteJob) -> Flow[State]:
    """Read the run."""
    reply = yield Request("GET", f"/v1/runs/{remote.id}")
    return _state(reply.json)


def find(lost: LostSubmit) -> Flow[RemoteJob | None]:
    """Search the runs for the label, newest first."""
    query = {"limit": "500", "sort_by": "created_at:desc"}
    for _ in range(_PAGES):
        reply = yield Request("GET", "/v1/runs", query=query)
        for run in reply.json["items"]:
            if run.get("client_ref") == lost.job_id:
                return RemoteJob(id=as_id(run["id"]))
        following = reply.json.get("next_pq")
        if not isinstance(following, str) or not following:
            break
        query = {**query, "pq": following}
    return None


def check() -> Flow[Account]:
    """Read the account, then its balance."""
    reply = yield Request("GET", "/v1/auth/me")
    require_object(reply)
    try:
        reply = yield Request("GET", "/v1/billing/balance")
    except FluxError:
        return Account()
    amount = as_float(reply.object.get("balance"))
    return Account(balance=None if amount is None else Cost(amount=amount))


def refusal(response: Response) -> FluxError | None:
    """Read ``{code, message, errors}`` and its older forms."""
    body = response.object
    inner = body["error"] if isinstance(body.get("error"), dict) else body
    code = sentence(str(inner.get("code") or ""), limit=60)
    details = inner.get("errors")
    text = str(inner.get("message") or body.get("error") or body.get("detail") or "") + (
        f" {details}" if details else ""
    )
    if code == "RUN_NOT_FOUND" and response.status >= 400:  # noqa: PLR2004 - a refusal
        return NotFoundError(f"runflow: {sentence(text)}", vendor_code=code)
    turned_away = code == "MODEL_UNAVAILABLE"
    return error_for_status(response, text, provider="runflow", vendor_code=code, turned_away=turned_away)


def _state(run: Any) -> State:
    status = run["status_code"] if run.get("status_code") is not None else run["status"]
    match status:
        case "queued" | "dispatching":
            return Queued()
        case "running":
            done, total = as_int(run.get("nodes_completed")), as_int(run.get("nodes_total"))
            return Running(progress=as_percent(100 * done / total) if done is not None and total else None)
        case "succeeded" | "partial_succeeded":
            return _result(run, in_part=status == "partial_succeeded")
        case "failed":
            code, text = _failure(run)
            return Failed(error=job_failure(text, provider="runflow", vendor_code=code), cost=_cost(run))
        case "cancelled" | "canceled":
            return Cancelled(cost=_cost(run))  # a cancel by an administrator refunds nothing
        case other:
            return Running(detail=sentence(str(other), limit=60))


def _failure(run: Any) -> tuple[str, str]:
    """Return the code and message of a failure, from ``failure_*`` or, as on some pages, from ``error``."""
    error = run.get("error")
    inner = error if isinstance(error, dict) else {"message": error}
    code = sentence(str(run.get("failure_code") or inner.get("code") or ""), limit=60)
    return code, str(run.get("failure_message") or inner.get("message") or code)


def _result(run: Any, *, in_part: bool) -> State:
    """Return the images in the output. An older page has ``image_urls`` instead of ``outputs``."""
    output = run["output"]
    nsfw, seed = as_bool(output.get("nsfw_detected")), as_int(output.get("seed"))
    made = [one for one in output.get("outputs") or [] if (one.get("type") or "image") == "image"]
    images = [
        Image(
            url=as_url(one["url"]),
            seed=seed,
            nsfw=nsfw,
            width=as_int(one.get("width")),
            height=as_int(one.get("height")),
            content_type=sentence(one["content_type"], limit=80) if isinstance(one.get("content_type"), str) else None,
        )
        for one in made
    ] or [Image(url=as_url(url), seed=seed, nsfw=nsfw) for url in output["image_urls"]]
    if not images:
        raise ValueError("no image")
    timing = output.get("timing") if isinstance(output.get("timing"), dict) else {}
    times = {
        sentence(str(name), limit=40): value for name, spent in timing.items() if (value := as_float(spent)) is not None
    }
    duration = as_float(run.get("duration_ms"))
    reason = _failure(run)[1] or "the run succeeded only in part, no reason given"
    return Succeeded(
        images=tuple(images),
        seed=seed,
        cost=_cost(run),
        timing=times if duration is None else {"provider_ms": duration, **times},
        detail=sentence(reason) if in_part else None,
    )


def _cost(run: Any) -> Cost | None:
    amount = as_float(run.get("cost"))
    return None if amount is None else Cost(amount=amount)


PROVIDER = Provider(
    name="runflow",
    title="Runflow",
    base_url="https://api.runflow.io",
    auth=("Authorization", "Bearer "),
    key_variables=("RUNFLOW_API_KEY",),
    key_page="your organisation's settings, see https://docs.runflow.io",
    docs="https://docs.runflow.io",
    models=MODELS,
    submit=submit,
    poll=poll,
    check=check,
    find=find,
    refusal=refusal,
    other_model=OTHER,
    model_pattern=r"[a-z0-9._-]+(/[a-z0-9._-]+)+",
    reserved_fields=("client_ref",),
)
