"""Acme, a made-up host, as a provider of flux."""

from __future__ import annotations

from typing import Any

from flux_cli.errors import FluxError
from flux_cli.jobs import Cancelled, Cost, Failed, Image, Queued, RemoteJob, Running, State, Succeeded
from flux_cli.providers.base import Accepted, Account, Example, Model, PlannedJob, Price, Provider
from flux_cli.providers.conversation import Flow, Request, Response, as_float, as_id, as_int, as_url
from flux_cli.providers.image_input import ImageInput
from flux_cli.providers.options import Choice, Range, same_values
from flux_cli.providers.refusals import error_for_status, job_failure
from flux_cli.providers.sizes import Pixels


def submit(planned: PlannedJob) -> Flow[Accepted]:
    """Submit the job."""
    body = planned.body(model=planned.model.slug)
    reply = yield Request("POST", "/images", json=body, paid=True)
    return Accepted(remote=RemoteJob(id=as_id(reply.json["id"])))


def poll(remote: RemoteJob) -> Flow[State]:
    """Read the job."""
    reply = yield Request("GET", f"/images/{remote.id}")
    return _state(reply.json)


def cancel(remote: RemoteJob) -> Flow[State]:
    """Cancel a queued job."""
    reply = yield Request("DELETE", f"/images/{remote.id}", repeatable=True, mutates=True)
    return _state(reply.json)


def check() -> Flow[Account]:
    """Read the account."""
    reply = yield Request("GET", "/account")
    return Account(balance=Cost(amount=float(reply.json["balance"])))


def refusal(response: Response) -> FluxError | None:
    """Read ``{error}``."""
    if not 400 <= response.status < 500:
        return None
    return error_for_status(response, str(response.object.get("error") or ""), provider="acme")


def _state(job: Any) -> State:
    match job["state"]:
        case "waiting":
            return Queued(position=as_int(job.get("position")))
        case "done":
            images = tuple(Image(url=as_url(url)) for url in job["images"])
            cost = as_float(job.get("cost"))
            return Succeeded(images=images, cost=None if cost is None else Cost(amount=cost))
        case "failed":
            return Failed(error=job_failure(str(job.get("reason") or ""), provider="acme", charged="no"))
        case "cancelled":
            return Cancelled()
        case _:
            return Running(detail=str(job["state"]))


_PRO = Model(
    name="flux-2-pro",
    slug="acme-flux-2-pro",
    options={
        "size": Pixels(low=256, high=2048, step=16),
        "seed": Range(field="seed", low=0, high=2**31 - 1),
        "format": Choice(field="format", values=same_values("jpg", "png")),
        "image": ImageInput(field="images", most=2, as_array=True, travels="data-uri", max_bytes=10 * 2**20),
    },
    price=Price(amount=0.02, further=0.01, inputs=0.01, source="the price list at acme.example", date="2026-11"),
)

PROVIDER = Provider(
    name="acme",
    title="Acme",
    base_url="https://api.acme.example/v1",
    auth=("Authorization", "Bearer "),
    key_variables=("ACME_API_KEY",),
    key_page="https://acme.example/keys",
    docs="https://acme.example/docs",
    models={_PRO.name: _PRO},
    submit=submit,
    poll=poll,
    cancel=cancel,
    check=check,
    refusal=refusal,
    interface=1,
    examples=(
        Example(conversation="submit", answers=((200, {"id": "a1"}),), result="accepted"),
        Example(conversation="submit", answers=((401, {"error": "no such key"}),), result="auth"),
        Example(conversation="poll", answers=((200, {"state": "waiting", "position": 2}),), result="queued"),
        Example(conversation="poll", answers=((200, {"state": "drawing"}),), result="running"),
        Example(
            conversation="poll",
            answers=((200, {"state": "done", "images": ["https://files.acme.example/a1.jpg"], "cost": 0.02}),),
            result="succeeded",
        ),
        Example(conversation="poll", answers=((200, {"state": "failed", "reason": "no room"}),), result="failed"),
        Example(conversation="cancel", answers=((200, {"state": "cancelled"}),), result="cancelled"),
        Example(conversation="check", answers=((200, {"balance": 5}),), result="account"),
    ),
)
