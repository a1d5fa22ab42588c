"""Runflow.

Pages: https://docs.runflow.io (concepts/runs, concepts/errors, guides/cancel-a-run) and the model's own page.
A run's state is in ``status_code``; its links are signed for about three days and signed anew whenever the run is read.
There is no cancelling with an ordinary key.
"""

from __future__ import annotations

from typing import Any

from flux_cli.errors import FluxError, NotFoundError
from flux_cli.flow import Flow, Request, Response, flag, identifier, link, number, percent, spoken, whole
from flux_cli.jobs import Cancelled, Cost, Failed, Image, Queued, Remote, Running, State, Succeeded
from flux_cli.providers.base import Accepted, Account, Lost, Model, Order, Price, Provider
from flux_cli.providers.options import AlwaysOn, Labels, Link, Range
from flux_cli.providers.refusals import failure, refused
from flux_cli.text import sentence

_PAGES = 10
"""Of 500 runs, that are looked through for a lost one."""


def submit(order: Order) -> Flow[Accepted]:
    """Start a run. ``client_ref`` is a label, by which a run whose answer was lost can be found again."""
    body = order.body(client_ref=order.job)
    reply = yield Request("POST", f"/v1/models/{order.model.slug}/runs", json=body, paid=True)
    return Accepted(remote=Remote(id=identifier(reply.json["id"])))


def poll(remote: Remote) -> Flow[State]:
    """Read the run."""
    reply = yield Request("GET", f"/v1/runs/{remote.id}")
    return _state(reply.json)


def find(lost: Lost) -> Flow[Remote | None]:
    """Page through the runs, the newest first, for the one with our label."""
    query = {"limit": "500", "sort_by": "created_at:desc"}
    for _ in range(_PAGES):
        reply = yield Request("GET", "/v1/runs", query=query)
        for run in reply.json["items"]:
            if run.get("client_ref") == lost.job:
                return Remote(id=identifier(run["id"]))
        following = reply.json.get("next_pq")
        if not isinstance(following, str) or not following:
            break
        query = {**query, "pq": following}
    return None


def check() -> Flow[Account]:
    """Ask who we are, then how much is left."""
    reply = yield Request("GET", "/v1/auth/me")
    spoken(reply)
    try:
        reply = yield Request("GET", "/v1/billing/balance")
    except FluxError:
        return Account()
    amount = number(reply.object.get("balance"))
    return Account(balance=None if amount is None else Cost(amount=amount))


def refusal(response: Response) -> FluxError | None:
    """Read ``{code, message, errors}``, and the older shapes of it."""
    body = response.object
    inner = body["error"] if isinstance(body.get("error"), dict) else body
    code = sentence(str(inner.get("code") or ""), limit=60)
    told = inner.get("message") or body.get("error") or body.get("detail") or ""
    details = inner.get("errors")
    text = (told if isinstance(told, str) else str(told)) + (f" {details}" if details else "")
    if code == "RUN_NOT_FOUND" and response.status >= 400:  # noqa: PLR2004 - a refusal
        return NotFoundError(f"runflow: {sentence(text)}", vendor_code=code)
    away = code == "MODEL_UNAVAILABLE"
    return refused(response, text, provider="runflow", vendor_code=code, turned_away=away)


def _state(run: Any) -> State:
    match run["status_code"]:
        case "queued" | "dispatching":
            return Queued()
        case "running":
            done, total = whole(run.get("nodes_completed")), whole(run.get("nodes_total"))
            return Running(progress=percent(100 * done / total) if done is not None and total else None)
        case "succeeded" | "partial_succeeded":
            return _result(run)
        case "failed":
            code = sentence(str(run.get("failure_code") or ""), limit=60)
            text = str(run.get("failure_message") or code)
            return Failed(error=failure(text, provider="runflow", vendor_code=code), cost=_cost(run))
        case "cancelled" | "canceled":
            return Cancelled()
        case other:
            return Running(detail=sentence(str(other), limit=60))


def _result(run: Any) -> State:
    """Return the images among the outputs. An older page shows ``image_urls`` in their place."""
    output = run["output"]
    nsfw, seed = flag(output.get("nsfw_detected")), whole(output.get("seed"))
    made = [one for one in output.get("outputs") or [] if (one.get("type") or "image") == "image"]
    images = [
        Image(
            url=link(one["url"]),
            seed=seed,
            nsfw=nsfw,
            width=whole(one.get("width")),
            height=whole(one.get("height")),
            content_type=sentence(one["content_type"], limit=80) if isinstance(one.get("content_type"), str) else None,
        )
        for one in made
    ] or [Image(url=link(url), seed=seed, nsfw=nsfw) for url in output["image_urls"]]
    if not images:
        raise ValueError("no image")
    timing = output.get("timing") if isinstance(output.get("timing"), dict) else {}
    times = {
        sentence(str(name), limit=40): value for name, told in timing.items() if (value := number(told)) is not None
    }
    duration = number(run.get("duration_ms"))
    reason = str(run.get("failure_message") or "the run succeeded only in part, no reason given")
    return Succeeded(
        images=tuple(images),
        seed=seed,
        cost=_cost(run),
        timing=times if duration is None else {"provider_ms": duration, **times},
        detail=sentence(reason) if run["status_code"] == "partial_succeeded" else None,
    )


def _cost(run: Any) -> Cost | None:
    amount = number(run.get("cost"))
    return None if amount is None else Cost(amount=amount)


_ULTRA = Model(
    name="flux-1.1-pro-ultra",
    slug="black-forest-labs/flux-1-1-pro-ultra",
    prompt_field="input.prompt",
    options={
        "seed": Range(field="input.seed", low=1, high=2**63 - 1, default="random"),
        "check_content": AlwaysOn(note="Runflow reports nsfw_detected for every run"),
        "webhook": Link(field="callback_url", limit=2048),
        "metadata": Labels(field="metadata"),
    },
    price=Price(amount=0.06, source="the model's page at docs.runflow.io", date="2026-11"),
)

PROVIDER = Provider(
    name="runflow",
    title="Runflow",
    base_url="https://api.runflow.io",
    auth=("Authorization", "Bearer "),
    key_variables=("RUNFLOW_API_KEY",),
    key_page="your organisation's settings, see https://docs.runflow.io",
    docs="https://docs.runflow.io",
    models={_ULTRA.name: _ULTRA},
    submit=submit,
    poll=poll,
    check=check,
    find=find,
    refusal=refusal,
    owned=("input.prompt", "input.seed", "client_ref"),
)
