"""The RunComfy provider, for its Model API.

Pages: https://docs.runcomfy.com/model-apis/async-queue-endpoints and …/error-codes, and the two models' own pages.
Note that the queue's ``completed`` does not mean success (a second endpoint has the result), and that refusals may come
as HTTP 400 or even 200, with a code in the body.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flux_cli.errors import FluxError, ModeratedError, NotFoundError, RefusedError, UsageError
from flux_cli.jobs import Cancelled, Cost, Failed, Image, Queued, RemoteJob, Running, State, Succeeded
from flux_cli.providers.base import SEEDS, Accepted, Account, Model, PlannedJob, Provider, Published
from flux_cli.providers.conversation import Flow, Request, Response, as_float, as_id, as_int, as_url, require_object
from flux_cli.providers.drift import from_schema, read_fields
from flux_cli.providers.options import Choice, Range, Switch, same_values
from flux_cli.providers.refusals import as_job_failure, error_for_status, job_failure
from flux_cli.text import sentence

BALANCE_HOST = "https://api.runcomfy.net"
_SIZE = "1:1 (hd)"


def submit(planned: PlannedJob) -> Flow[Accepted]:
    """Submit the job; the body is flat, and ``request_id`` in the answer is the job's id."""
    reply = yield Request("POST", f"/v1/models/{planned.model.slug}", json=planned.body(), paid=True)
    return Accepted(remote=RemoteJob(id=as_id(reply.json["request_id"])))


def poll(remote: RemoteJob) -> Flow[State]:
    """Read the state in the queue, and once the job has left it, the result."""
    reply = yield Request("GET", f"/v1/requests/{remote.id}/status")
    state = _state(reply.json)
    if state is not None:
        return state
    try:
        reply = yield Request("GET", f"/v1/requests/{remote.id}/result", query={"include_cost": "true"})
    except (ModeratedError, RefusedError, UsageError) as error:
        if not error.vendor_code:  # not from the provider: a proxy, or an address that has moved
            raise
        return Failed(error=as_job_failure(error))
    body = reply.json
    return _state(body) or _result(body)


def cancel(remote: RemoteJob) -> Flow[State]:
    """Cancel a queued job. The status is 202 even if nothing was cancelled; ``outcome`` says what happened."""
    reply = yield Request("POST", f"/v1/requests/{remote.id}/cancel", repeatable=True, mutates=True)
    if reply.object.get("outcome") == "cancelled":
        return Cancelled()
    return (yield from poll(remote))


def check() -> Flow[Account]:
    """Read the description of each model, which needs a key, and the balance, which is on another host."""
    drift: tuple[str, ...] = ()
    prices: dict[str, float] = {}
    for model in (_PRO, _ULTRA):
        reply = yield Request("GET", f"/v1/models/{model.slug}")
        require_object(reply)
        drift += from_schema(model, reply.json)
        price = as_float(reply.object.get("base_price_usd"))
        if price is not None and reply.object.get("price_unit") == "output":  # not per second
            prices[model.name] = price
    try:
        reply = yield Request("GET", "/prod/v2/balance", origin=BALANCE_HOST)
    except FluxError:
        return Account(prices=prices, differences=drift)
    amount, currency = as_float(reply.object.get("balance_usd")), sentence(str(reply.object.get("currency") or "USD"))
    balance = None if amount is None else Cost(amount=amount, currency=currency[:8].upper())
    return Account(balance=balance, prices=prices, differences=drift)


def describe(model: str) -> Flow[Published]:
    """Read the description of an id, such as ``blackforestlabs/flux-2/pro/edit``."""
    try:
        reply = yield Request("GET", f"/v1/models/{model}")
    except (NotFoundError, RefusedError, UsageError):
        message = f"runcomfy does not host {model}"
        raise NotFoundError(message, hint="its ids are like blackforestlabs/flux-2/pro/edit") from None
    found = reply.object
    price = as_float(found.get("base_price_usd"))
    facts = {"title": sentence(str(found.get("display_name") or ""), limit=80)}
    if price is not None:
        facts["price"] = f"${price:g} per {sentence(str(found.get('price_unit') or 'output'), limit=20)}"
    facts["price note"] = sentence(str(found.get("pricing_note") or ""), limit=200)
    return Published(facts={name: said for name, said in facts.items() if said}, fields=read_fields(found))


def refusal(response: Response) -> FluxError | None:
    """Read the documented codes, whose first three digits are an HTTP status, whatever the actual status is.

    Two of them mean payment and key, although their status does not.
    """
    body = response.object
    code = int(as_float(body.get("error_code")) or as_float(body.get("code")) or 0)
    text = str(next((body[key] for key in ("error_message", "message", "error", "detail") if body.get(key)), ""))
    name = body.get("error")
    if isinstance(name, str) and name != text:  # the name of the code, next to a message
        text = f"{sentence(text)} ({name})"
    if response.status < 400 and body.get("error_code") is None:  # noqa: PLR2004 - not a refusal
        return None
    message = (sentence(text) or f"HTTP {response.status}") + (f" ({code})" if code else "")
    implied = code // 1000 if 400 <= code // 1000 < 500 else 409  # noqa: PLR2004 - 409 stands for any other refusal
    status = _STATUSES.get(code) or (response.status if response.status >= 400 else implied)  # noqa: PLR2004 - the same
    return error_for_status(replace(response, status=status), message, provider="runcomfy", vendor_code=str(code or ""))


_STATUSES = {400001: 400, 400002: 402, 400004: 401, 403001: 403, 404001: 404}
"""The HTTP status that fits each documented code."""


def _state(body: Any) -> State | None:
    """Return the state in the queue, or ``None`` if the result has to be read."""
    match body["status"]:
        case "in_queue" | "pending" | "waiting" | "starting":
            return Queued(position=as_int(body.get("queue_position")))
        case "in_progress" | "processing" | "running":
            return Running()
        case "completed" | "succeeded" | "failed":
            return None
        case "cancelled" | "canceled":
            return Cancelled()
        case other:
            return Running(detail=sentence(str(other), limit=60))


def _result(body: Any) -> State:
    """Return the state in a result. ``error`` may be of any JSON type."""
    amount, problem = as_float(body.get("cost")), body.get("error")
    cost = None if amount is None else Cost(amount=amount)
    if body["status"] == "failed" or (problem and not body.get("output")):
        fields = problem if isinstance(problem, dict) else {}
        code, text = fields.get("code"), fields.get("message") or problem
        error = job_failure(str(text or ""), provider="runcomfy", vendor_code=sentence(str(code or ""), limit=60))
        return Failed(error=error, cost=cost)
    output = body["output"]
    links = output.get("images") or [output["image"]]
    if not isinstance(links, list):
        raise TypeError("images")
    return Succeeded(images=tuple(Image(url=as_url(url)) for url in links), cost=cost)


_SEED = Range(
    field="seed", low=SEEDS[0], high=SEEDS[1], note="always sent: the provider's own default is a fixed example"
)
_RAW = Switch(field="raw", default="off", note="less processed, more natural-looking")

_ULTRA = Model(
    name="flux-1.1-pro-ultra",
    slug="blackforestlabs/flux-1-1-pro/ultra/text-to-image",
    options={
        "aspect_ratio": Choice(
            field="aspect_ratio",
            default="16:9",
            values=same_values("21:9", "16:9", "4:3", "1:1", "3:4", "9:16", "9:21"),
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
            field="image_size",
            default="16:9",
            values=same_values("16:9", "4:3", "1:1", _SIZE, "3:4", "9:16"),
            unoffered=("Custom",),
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
    describe=describe,
    refusal=refusal,
    reserved_fields=("prompt", "seed"),
    param_notes={
        "image_size": "the provider takes image_size=Custom with sides in multiples of 32 and rounds others; "
        "it does not document the fields for the sides"
    },
    origins=(BALANCE_HOST,),
    cancel_note="while queued",
)
