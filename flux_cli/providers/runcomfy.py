"""RunComfy's Model API.

Pages: https://docs.runcomfy.com/model-apis/async-queue-endpoints and …/error-codes, and the two models' own pages.
Two manners to know: the queue's ``completed`` is not yet success (a second endpoint tells), and refusals may come as HTTP 400,
even 200, with a code in the body.
"""

from __future__ import annotations

from typing import Any

from flux_cli.errors import (
    AuthError,
    FluxError,
    ModeratedError,
    NotFoundError,
    PaymentError,
    RefusedError,
    UnavailableError,
)
from flux_cli.flow import Flow, Request, Response, identifier, link, number, whole
from flux_cli.jobs import Cancelled, Cost, Failed, Image, Queued, Remote, Running, State, Succeeded
from flux_cli.providers.base import (
    Accepted,
    Account,
    Choice,
    Model,
    Order,
    Provider,
    Range,
    Switch,
    blocked,
    refused,
    words,
)
from flux_cli.text import sentence

BALANCE_HOST = "https://api.runcomfy.net"
_SIZE = "1:1 (hd)"


def submit(order: Order) -> Flow[Accepted]:
    """Send the flat body of the model's schema; the answer's ``request_id`` is the job's id."""
    reply = yield Request("POST", f"/v1/models/{order.model.slug}", json=order.body(), paid=True)
    return Accepted(remote=Remote(id=identifier(reply.json["request_id"])))


def poll(remote: Remote) -> Flow[State]:
    """Ask the queue, and where it says that it is done with the job, ask for the result."""
    reply = yield Request("GET", f"/v1/requests/{remote.id}/status")
    state = _state(reply.json)
    if state is not None:
        return state
    try:
        reply = yield Request("GET", f"/v1/requests/{remote.id}/result", query={"include_cost": "true"})
    except RefusedError as error:
        return Failed(error=error)
    body = reply.json
    return _result(body) if body["status"] in {"succeeded", "completed", "failed"} else _state(body) or Running()


def cancel(remote: Remote) -> Flow[State]:
    """Take the job off the queue. The answer is 202 also where nothing was done: ``outcome`` tells."""
    reply = yield Request("POST", f"/v1/requests/{remote.id}/cancel", repeatable=True)
    if reply.json["outcome"] == "cancelled":
        return Cancelled()
    return (yield from poll(remote))


def check() -> Flow[Account]:
    """Read a model's description, which needs a key; then the balance, which lives on another host."""
    yield Request("GET", f"/v1/models/{_ULTRA.slug}")
    try:
        reply = yield Request("GET", "/prod/v2/balance", origin=BALANCE_HOST)
    except FluxError:
        return Account()
    amount = number(reply.object.get("balance_usd"))
    return Account(
        balance=None
        if amount is None
        else Cost(amount=amount, currency=str(reply.object.get("currency") or "USD")[:8].upper())
    )


def refusal(response: Response) -> FluxError | None:
    """Read the documented codes: 400002 and 400004 are money and key, under an HTTP status that says neither."""
    body = response.object
    code = whole(body.get("error_code")) or whole(body.get("code"))
    told = next((body[key] for key in ("error_message", "message", "error", "detail") if body.get(key)), "")
    text = told if isinstance(told, str) else str(told)
    if body.get("error_code") is None and response.status < 400:  # noqa: PLR2004 - no refusal
        return None
    said = f"runcomfy: {sentence(text) or f'HTTP {response.status}'}" + (f" ({code})" if code else "")
    named = str(code or "")
    if code == 400002:  # noqa: PLR2004 - InsufficientResources
        return PaymentError(said, vendor_code=named)
    if code in {400004, 403001}:  # UserAccountError, PermissionDeniedError
        return AuthError(said, vendor_code=named)
    if code == 404001 or response.status == 404:  # noqa: PLR2004 - ResourceNotFound
        return NotFoundError(said, vendor_code=named)
    if response.status >= 400:  # noqa: PLR2004 - an ordinary refusal
        error = refused(response, text, provider="runcomfy", vendor_code=named)
        return ModeratedError(said, charged="no", vendor_code=named) if error is not None and blocked(text) else error
    if named.startswith("429"):
        return UnavailableError(said, vendor_code=named)
    return ModeratedError(said, vendor_code=named) if blocked(text) else RefusedError(said, vendor_code=named)


def _state(body: Any) -> State | None:
    """Return what a queue state means, or ``None`` where the result endpoint has to be asked."""
    match body["status"]:
        case "in_queue" | "pending" | "waiting" | "starting":
            return Queued(position=whole(body.get("queue_position")))
        case "in_progress" | "processing" | "running":
            return Running()
        case "completed" | "succeeded" | "failed":
            return None
        case "cancelled" | "canceled":
            return Cancelled()
        case other:
            return Running(detail=sentence(str(other), limit=60))


def _result(body: Any) -> State:
    """Return what a result's own ``status`` means. ``error`` may be of any JSON type."""
    amount = number(body.get("cost"))
    cost = None if amount is None else Cost(amount=amount)
    if body["status"] == "failed":
        told = body.get("error") or "the job failed, no reason given"
        text = str(told.get("message") or told) if isinstance(told, dict) else str(told)
        kind = ModeratedError if blocked(text) else RefusedError
        return Failed(error=kind(f"runcomfy: {sentence(text)}"), cost=cost)
    output = body["output"]
    links = output.get("images") or [output["image"]]
    if not isinstance(links, list):
        raise TypeError("images")
    return Succeeded(images=tuple(Image(url=link(url)) for url in links), cost=cost)


_SEED = Range(field="seed", low=0, high=2**31 - 1, note="always sent: the host's own default is a fixed example")
_RAW = Switch(field="raw", default="off", note="less processed, more natural-looking")

_ULTRA = Model(
    name="flux-1.1-pro-ultra",
    slug="blackforestlabs/flux-1-1-pro/ultra/text-to-image",
    options={
        "aspect_ratio": Choice(
            field="aspect_ratio", default="16:9", values=words("21:9", "16:9", "4:3", "1:1", "3:4", "9:16", "9:21")
        ),
        "seed": _SEED,
        "raw": _RAW,
    },
)
_PRO = Model(
    name="flux-1.1-pro",
    slug="blackforestlabs/flux-1-1-pro/text-to-image",
    options={
        "aspect_ratio": Choice(
            field="image_size", default="16:9", values=words("16:9", "4:3", "1:1", _SIZE, "3:4", "9:16")
        ),
        "seed": _SEED,
        "raw": _RAW,
    },
)

PROVIDER = Provider(
    name="runcomfy",
    title="RunComfy Model API",
    base_url="https://model-api.runcomfy.net",
    auth=("Authorization", "Bearer "),
    key_variables=("RUNCOMFY_API_TOKEN", "RUNCOMFY_TOKEN", "RUNCOMFY_API_KEY"),
    key_page="your profile at https://www.runcomfy.com",
    docs="https://docs.runcomfy.com/model-apis",
    models={model.name: model for model in (_PRO, _ULTRA)},
    submit=submit,
    poll=poll,
    cancel=cancel,
    check=check,
    refusal=refusal,
    owned=("prompt", "seed"),
    param_notes={"image_size": "the host takes image_size=Custom but documents no field names for the size itself"},
    origins=(BALANCE_HOST,),
    cancel_note="queued jobs only",
)
