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
from flux_cli.providers.base import Accepted, Account, PlannedJob, Provider, Published
from flux_cli.providers.conversation import Flow, Request, Response, as_float, as_id, as_int, as_url, require_object
from flux_cli.providers.drift import from_schema, read_fields
from flux_cli.providers.refusals import as_job_failure, error_for_status, job_failure
from flux_cli.providers.runcomfy_models import MODELS, OTHER
from flux_cli.text import sentence

BALANCE_HOST = "https://api.runcomfy.net"


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
    """Read the catalogue, which needs a key, a page after the other, and the balance, which is on another host."""
    published: dict[str, Any] = {}
    query = {"search": "flux", "include_schema": "true", "limit": "100"}
    while True:
        reply = yield Request("GET", "/v1/models", query={**query, "offset": str(len(published))})
        require_object(reply)
        page = [one for one in reply.json["models"] if isinstance(one, dict)]
        known = len(published)
        published |= {str(one.get("model_id")): one for one in page}
        total = as_int(reply.json.get("total"))
        if len(published) == known or total is None or len(published) >= total:
            break
    account = Account(prices=_prices(published), differences=_compare(published))
    try:
        reply = yield Request("GET", "/prod/v2/balance", origin=BALANCE_HOST)
    except FluxError:
        return account
    amount, currency = as_float(reply.object.get("balance_usd")), sentence(str(reply.object.get("currency") or "USD"))
    balance = None if amount is None else Cost(amount=amount, currency=currency[:8].upper())
    return account._replace(balance=balance)


def _prices(published: dict[str, Any]) -> dict[str, float]:
    """Return the price of an image by model: the dearest of its variants."""
    found: dict[str, float] = {}
    for model in MODELS.values():
        entries = [published.get(one.slug, {}) for one in (model, *model.variants)]
        amounts = [as_float(one.get("base_price_usd")) for one in entries if one.get("price_unit") == "output"]
        known = [amount for amount in amounts if amount is not None]
        if known:
            found[model.name] = max(known)
    return found


def _compare(published: dict[str, Any]) -> tuple[str, ...]:
    """Return how the published catalogue differs from the tables."""
    found: list[str] = []
    for model in MODELS.values():
        for one in (model, *model.variants):
            entry = published.get(one.slug)
            found += [f"{model.name}: {one.slug} is not in the catalogue"] if entry is None else from_schema(one, entry)
    return tuple(found)


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


PROVIDER = Provider(
    name="runcomfy",
    title="RunComfy Model API",
    base_url="https://model-api.runcomfy.net",
    auth=("Authorization", "Bearer "),
    key_variables=("RUNCOMFY_API_TOKEN", "RUNCOMFY_TOKEN", "RUNCOMFY_API_KEY"),
    key_page="your profile at https://www.runcomfy.com",
    docs="https://docs.runcomfy.com/model-apis",
    models=MODELS,
    submit=submit,
    poll=poll,
    cancel=cancel,
    check=check,
    describe=describe,
    refusal=refusal,
    other_model=OTHER,
    model_pattern=r"[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)+",
    param_notes={
        "image_size": "the provider takes image_size=Custom with sides in multiples of 32 and rounds others; "
        "it does not document the fields for the sides"
    },
    origins=(BALANCE_HOST,),
    cancel_note="while queued",
)
