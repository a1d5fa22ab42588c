"""The Runware provider.

Pages: https://runware.ai/docs/platform (errors, task-polling) and
https://runware.ai/docs/models/bfl-flux-1-1-pro-ultra. The API has one address, which takes and
returns arrays of tasks by POST. flux makes the UUID of a task, so a submit may be repeated: ``conflictTaskUUID`` in
answer to a repeat means that the first attempt arrived. Polls are cumulative, and mix results and errors.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from flux_cli.errors import (
    FluxError,
    LostReplyError,
    ModeratedError,
    NotFoundError,
    PaymentError,
    RefusedError,
    UnknownOutcomeError,
    UsageError,
)
from flux_cli.jobs import Cancelled, Cost, Failed, RemoteJob, State
from flux_cli.providers.base import Accepted, Account, LostSubmit, PlannedJob, Provider
from flux_cli.providers.conversation import Flow, Request, Response, as_float
from flux_cli.providers.refusals import as_job_failure, error_for_status
from flux_cli.providers.runware_codes import CANCELLED, CONFLICT, explain
from flux_cli.providers.runware_models import MODELS, OTHER
from flux_cli.providers.runware_results import cancelled_error, list_errors, read_state
from flux_cli.providers.runware_schemas import SCHEMA_HOST, compare, describe
from flux_cli.text import sentence


def submit(planned: PlannedJob) -> Flow[Accepted]:
    """Submit one task, for asynchronous delivery unless ``--param`` says otherwise."""
    fixed: dict[str, Any] = {
        "taskType": "imageInference",
        "taskUUID": planned.job.idempotency_key,
        "model": planned.model.slug,
        "deliveryMethod": "async",
        "includeCost": True,
    }
    task = planned.body(**fixed)
    if task["deliveryMethod"] == "sync" and not planned.wait:
        message = "--no-wait does not work with synchronous delivery"
        raise UsageError(message, hint="use --no-wait or --param deliveryMethod=sync, not both")
    remote = RemoteJob(id=planned.job.idempotency_key, poll_state={"count": planned.job.count})
    try:
        reply = yield Request("POST", "", json=[task], paid=True, repeatable=True)
    except LostReplyError as lost:
        if lost.vendor_code != CONFLICT:
            raise
        return Accepted(remote=remote)
    except RefusedError as error:
        if error.vendor_code != CONFLICT:
            raise
        raise UnknownOutcomeError(error.message) from error  # the UUID is new, so something on the way sent it twice
    state = read_state(reply.json, remote, last=task["deliveryMethod"] == "sync")
    if isinstance(state, Failed):
        raise state.error
    return Accepted(remote=remote, state=state)


def poll(remote: RemoteJob) -> Flow[State]:
    """Read all results of the task so far. A refusal that concerns the task means that the task failed."""
    try:
        reply = yield _post({"taskType": "getResponse", "taskUUID": remote.id})
    except NotFoundError as error:
        if error.vendor_code != CANCELLED:
            raise
        return Cancelled(error=cancelled_error())
    except (ModeratedError, PaymentError, RefusedError, UsageError) as error:
        if not error.vendor_code:  # not from the provider: a proxy, or an address that has moved
            raise
        return Failed(error=as_job_failure(error))
    state = read_state(reply.json, remote)
    return state._replace(error=as_job_failure(state.error)) if isinstance(state, Failed) else state


def find(lost: LostSubmit) -> Flow[RemoteJob | None]:
    """Read the request of the task. If there is one, the task exists; if not, it may still exist."""
    try:
        reply = yield _post({"taskType": "getTaskDetails", "taskUUID": lost.idempotency_key})
    except (NotFoundError, RefusedError, UsageError):
        return None
    tasks = [
        one
        for one in reply.json.get("data") or []
        if one.get("taskUUID") == lost.idempotency_key and one.get("request")
    ]
    return RemoteJob(id=lost.idempotency_key) if tasks else None


def check() -> Flow[Account]:
    """Read the account. ``balance`` is a number in the documentation and an object in the vendor's client."""
    try:
        details = yield from _account()
    except RefusedError as error:
        if error.vendor_code != CONFLICT:
            raise
        details = yield from _account()  # the answer was lost, and the repeat had the same UUID
    balance = details.get("balance")
    values = balance.values() if isinstance(balance, dict) else (balance,)
    amount = next((found for one in values if (found := as_float(one)) is not None), None)
    return Account(
        balance=None if amount is None else Cost(amount=amount),
        name=sentence(str(details.get("organizationName") or ""), limit=60),
    )


def refusal(response: Response) -> FluxError | None:
    """Return the first of ``errors`` as an error. 5xx is left to the transport."""
    if not 400 <= response.status < 500:  # noqa: PLR2004 - HTTP classes
        return None
    listed = response.object.get("errors") or response.object.get("error") or []
    first = listed[0] if isinstance(listed, list) and listed else listed
    if not isinstance(first, dict) or not isinstance(first.get("code"), str):
        return error_for_status(response, str(listed or ""), provider="runware")
    return explain(first, status=response.status)


def _account() -> Flow[Any]:
    """Read the account, under a new UUID: each is valid for one task, even one that only reads."""
    reply = yield _post({"taskType": "accountManagement", "operation": "getDetails", "taskUUID": str(uuid4())})
    errors = list_errors(reply.json)
    if errors:
        raise explain(errors[0])
    return next(iter(reply.json["data"]), {})


def _post(task: dict[str, Any]) -> Request:
    return Request("POST", "", json=[task], repeatable=True)


PROVIDER = Provider(
    name="runware",
    title="Runware",
    base_url="https://api.runware.ai/v1",
    auth=("Authorization", "Bearer "),
    key_variables=("RUNWARE_API_KEY",),
    key_page="your account at https://runware.ai",
    docs="https://runware.ai/docs",
    models=MODELS,
    submit=submit,
    poll=poll,
    check=check,
    describe=describe,
    compare=compare,
    find=find,
    public_origins=(SCHEMA_HOST,),
    refusal=refusal,
    other_model=OTHER,
    model_pattern=r"[a-z0-9_-]+:[\w.-]+@[\w.-]+",
    reserved_fields=("taskType", "taskUUID", "model"),
    idempotency_key_is_id=True,
    id_pattern=r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
    poll_seconds=1.0,  # https://runware.ai/docs/platform/task-polling: 1 to 2 seconds at first, then longer and longer
)
