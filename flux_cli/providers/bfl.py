"""The provider of Black Forest Labs, the maker of FLUX.

Pages: https://docs.bfl.ai and the OpenAPI document of https://api.bfl.ai. A job is read at the address that the answer
to its submit names, which may be in another region; the body of an answer counts before its HTTP status. Links work for
ten minutes, and a job whose answer was lost cannot be found.
"""

from __future__ import annotations

from typing import Any

from flux_cli.errors import FluxError, LostReplyError, ModeratedError
from flux_cli.jobs import Cost, Failed, Image, Queued, RemoteJob, Running, State, Succeeded
from flux_cli.providers.base import Accepted, Account, PlannedJob, Provider
from flux_cli.providers.bfl_models import MODELS, OTHER
from flux_cli.providers.conversation import Flow, Request, Response, as_float, as_id, as_int, as_percent, as_url
from flux_cli.providers.refusals import error_for_status, job_failure
from flux_cli.text import listed, sentence

_CREDIT = 0.01
"""USD."""


def submit(planned: PlannedJob) -> Flow[Accepted]:
    """Submit the job. Keep the address to poll, and what the job costs; with a webhook, the answer has no address."""
    request = Request("POST", planned.model.endpoint or f"/v1/{planned.model.slug}", json=planned.body(), paid=True)
    try:
        reply = yield request
    except LostReplyError as lost:
        lost.message += yield from _describe_balance()
        raise
    kept = {name: reply.json[name] for name in ("polling_url", "cost") if reply.json.get(name) is not None}
    return Accepted(remote=RemoteJob(id=as_id(reply.json["id"]), poll_state=kept))


def poll(remote: RemoteJob) -> Flow[State]:
    """Read the job, at the address from the answer to its submit where the key may go there."""
    address = remote.poll_state.get("polling_url")
    url = address if isinstance(address, str) else None
    reply = yield Request("GET", "/v1/get_result", query={"id": remote.id}, url=url)
    body = reply.json
    progress = as_percent(_as_share(body.get("progress")))
    match body["status"]:
        case "Ready":
            return _read_image(body, _price(body.get("cost")) or _price(remote.poll_state.get("cost")))
        case "Pending":
            return Queued() if progress is None else Running(progress=progress)
        case "Task not found":  # also said of a job that another region has, or that is very new
            return Queued(seen=False, detail="not known to the provider yet")
        case "Request Moderated" | "Content Moderated" as status:
            return Failed(error=_moderated(status, body.get("details")))
        case "Error" | "Failed":
            return Failed(error=job_failure(_describe(body.get("details")), provider="bfl"))
        case other:
            return Running(progress=progress, detail=sentence(str(other), limit=60))


def check() -> Flow[Account]:
    """Read the balance."""
    reply = yield Request("GET", "/v1/credits")
    return Account(balance=Cost(amount=round(float(reply.json["credits"]) * _CREDIT, 6)))


def is_answer(response: Response) -> bool:
    """Whether a response describes a task, whatever its HTTP status: one that failed comes with 422 or 503, too."""
    body = response.object
    return isinstance(body.get("status"), str) and "id" in body


def refusal(response: Response) -> FluxError | None:
    """Read ``detail``, a text or a list of what is wrong with which field."""
    body = response.object
    return error_for_status(
        response,
        _describe(body.get("detail") or body.get("message") or body.get("error")),
        provider="bfl",
        vendor_code=f"http-{response.status}",
    )


def _describe_balance() -> Flow[str]:
    """Return what the balance is now, which shows whether a lost submit was charged; empty if it is not known."""
    try:
        reply = yield Request("GET", "/v1/credits")
    except FluxError:
        return ""
    left = as_float(reply.object.get("credits"))
    return "" if left is None else f" (the balance is now ${left * _CREDIT:.2f})"


def _read_image(body: Any, cost: Cost | None) -> State:
    result = body["result"]
    image = Image(url=as_url(result["sample"]), seed=as_int(result.get("seed")))
    seconds = as_float(result.get("duration"))
    timing = {} if seconds is None else {"provider_ms": round(seconds * 1000)}
    ended_at = as_float(result.get("end_time"))
    return Succeeded(images=(image,), seed=image.seed, cost=cost, timing=timing, ended_at=ended_at)


def _moderated(status: str, details: Any) -> FluxError:
    """Return the error of a blocked prompt ("request") or image ("content"); neither is charged."""
    reasons = details.get("Moderation Reasons") if isinstance(details, dict) else None
    words = listed([sentence(str(reason), limit=60) for reason in reasons]) if isinstance(reasons, list) else ""
    what = "the prompt or an input image" if status == "Request Moderated" else "the image"
    return ModeratedError(f"bfl: {what} was blocked{f' ({words})' if words else ''}", charged="no", vendor_code=status)


def _price(amount: Any) -> Cost | None:
    credits_ = as_float(amount)
    return None if credits_ is None else Cost(amount=round(credits_ * _CREDIT, 6))


def _as_share(value: Any) -> float | None:
    """Return progress in percent; it is documented as a number, and seen as a fraction."""
    found = as_float(value)
    return found * 100 if found is not None and found <= 1 else found


def _describe(detail: Any) -> str:
    """Return a detail as text."""
    if isinstance(detail, list):
        return "; ".join(_describe(one) for one in detail)
    if isinstance(detail, dict):
        place = ".".join(str(part) for part in detail.get("loc") or () if part != "body")
        text = str(detail.get("msg") or detail.get("message") or detail.get("error") or "")
        return f"{place}: {text}" if place else text
    return "" if detail is None else str(detail)


PROVIDER = Provider(
    name="bfl",
    title="Black Forest Labs",
    base_url="https://api.bfl.ai",
    auth=("x-key", ""),
    key_variables=("BFL_API_KEY",),
    key_page="your dashboard at https://dashboard.bfl.ai",
    docs="https://docs.bfl.ai",
    models=MODELS,
    submit=submit,
    poll=poll,
    check=check,
    refusal=refusal,
    is_answer=is_answer,
    other_model=OTHER,
    model_pattern=r"flux-[a-z0-9.-]+(/[a-z0-9.-]+)?",
    trusted_urls=r"https://([a-z0-9-]+\.)*bfl\.ai/v1/get_result\?id=[A-Za-z0-9_-]{1,128}",
    keeps_images="10 minutes",
    poll_seconds=0.5,  # the quick start at docs.bfl.ai
)
