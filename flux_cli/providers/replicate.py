"""The Replicate provider, for the official models of Black Forest Labs.

Pages: https://replicate.com/docs and the OpenAPI document of https://api.replicate.com. The status of a prediction is
in its body, whatever the HTTP code. Input, output and files are deleted an hour after the end; a lost prediction is
found by its input in the list. No answer has a balance or a price.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from flux_cli.errors import FluxError, ModeratedError, RefusedError, UnavailableError, UnsavedError
from flux_cli.jobs import Cancelled, Failed, Image, LocalFile, Queued, RemoteJob, Running, State, Succeeded
from flux_cli.providers.base import Accepted, Account, LostSubmit, PlannedJob, Provider, upload_files
from flux_cli.providers.conversation import Flow, Request, Response, Upload, as_float, as_id, as_url
from flux_cli.providers.refusals import error_for_status, job_failure
from flux_cli.providers.replicate_models import MODELS, OTHER
from flux_cli.text import sentence

_PAGES = 10
"""How many pages of 100 predictions are searched for a lost one."""
_SLACK, _LONGEST = 120.0, 900.0
"""Seconds: how much two clocks may differ, and the longest a submit with its retries may take."""


def submit(planned: PlannedJob) -> Flow[Accepted]:
    """Upload large input images, then create the prediction; it is not held open until its end."""
    links = yield from upload_files(planned, _upload)
    seconds = planned.job.parameters.get("cancel_after")
    reply = yield Request(
        "POST",
        planned.model.endpoint or f"/models/{planned.model.slug}/predictions",
        json=planned.body(links),
        headers={} if seconds is None else {"Cancel-After": f"{seconds}s"},
        paid=True,
    )
    return Accepted(remote=RemoteJob(id=as_id(reply.json["id"])), state=_state(reply.json))


def _upload(file: LocalFile) -> Flow[str]:
    """Upload a local file, and return its address, which works until the prediction is deleted."""
    reply = yield Request(
        "POST",
        "/files",
        upload=Upload(field="content", path=file.path, file=file),
        repeatable=True,
        dry_run_answer={"urls": {"get": "https://api.replicate.com/v1/files/the-uploaded-file"}},
    )
    return as_url(reply.json["urls"]["get"])


def poll(remote: RemoteJob) -> Flow[State]:
    """Read the prediction."""
    reply = yield Request("GET", f"/predictions/{remote.id}")
    return _state(reply.json)


def cancel(remote: RemoteJob) -> Flow[State]:
    """Cancel the prediction, and look what became of it."""
    yield Request("POST", f"/predictions/{remote.id}/cancel", repeatable=True, mutates=True)
    return (yield from poll(remote))


def find(lost: LostSubmit) -> Flow[RemoteJob | None]:
    """Look for the only prediction of that time with the same input. Local files are left out of the comparison."""
    wanted = {name: value for name, value in lost.body["input"].items() if not _names_file(value)}
    after, before = (_stamp(lost.sent_at + seconds) for seconds in (-_SLACK, _LONGEST))
    query, url, found = {"created_after": after, "created_before": before}, None, list[str]()
    for _ in range(_PAGES):
        reply = yield Request("GET", "/predictions", query=query, url=url)
        for one in reply.json["results"]:
            fields = one.get("input") or {}
            found += [as_id(one["id"])] if {name: fields.get(name) for name in wanted} == wanted else []
        url = reply.json.get("next")
        if not isinstance(url, str):
            break
    return RemoteJob(id=found[0]) if len(found) == 1 else None


def check() -> Flow[Account]:
    """Read the account, which has no balance."""
    reply = yield Request("GET", "/account")
    return Account(name=sentence(str(reply.json["username"]), limit=60))


def refusal(response: Response) -> FluxError | None:
    """Read the problem: ``{title, detail, status}``. How long to wait may be in the words of a 429."""
    body = response.object
    text = str(body.get("detail") or body.get("title") or "")
    error = error_for_status(response, text, provider="replicate", vendor_code=f"http-{response.status}")
    seconds = re.search(r"resets in ~?(\d{1,4})s", text)
    if isinstance(error, UnavailableError) and seconds:
        error.retry_after = float(seconds[1])
    return error


def _state(body: Any) -> State:
    match body["status"]:
        case "starting":
            return Queued()
        case "processing":
            return Running()
        case "succeeded":
            return _read_images(body)
        case "failed":
            return Failed(error=_failure(str(body.get("error") or "")))
        case "aborted":  # before it started, so it is not charged
            return Cancelled()
        case "canceled" | "cancelled":
            started = body.get("started_at") is not None
            reason = "replicate: the prediction was cancelled while it ran"
            return Cancelled(error=RefusedError(reason, charged="unknown", retry="never") if started else None)
        case other:
            return Running(detail=sentence(str(other), limit=60))


def _read_images(body: Any) -> State:
    output = body.get("output")
    if output is None:
        reason = "replicate: the images were deleted, as they are an hour after the end"
        return Failed(error=UnsavedError(reason, hint="they are lost; running it again starts a new paid job"))
    links = output if isinstance(output, list) else [output]
    seconds = as_float((body.get("metrics") or {}).get("predict_time"))
    return Succeeded(
        images=tuple(Image(url=as_url(link)) for link in links),
        timing={} if seconds is None else {"provider_ms": round(seconds * 1000)},
    )


def _failure(text: str) -> FluxError:
    """Return the error of a failed prediction; its code, such as E005 for a block, is in the text."""
    code = re.search(r"\bE\d{3}\b", text)
    if code and code[0] == "E005":
        return ModeratedError(f"replicate: {sentence(text)}", vendor_code="E005")
    return job_failure(text, provider="replicate", vendor_code=code[0] if code else "")


def _names_file(value: Any) -> bool:
    """Whether a stored field describes a local file, or is the address of an uploaded one."""
    texts = value if isinstance(value, list) else [value]
    return any(
        isinstance(one, str) and one.startswith(("(data-uri of ", "https://api.replicate.com/")) for one in texts
    )


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


PROVIDER = Provider(
    name="replicate",
    title="Replicate",
    base_url="https://api.replicate.com/v1",
    auth=("Authorization", "Bearer "),
    key_variables=("REPLICATE_API_TOKEN",),
    key_page="your account at https://replicate.com/account/api-tokens",
    docs="https://replicate.com/docs",
    models=MODELS,
    submit=submit,
    poll=poll,
    cancel=cancel,
    find=find,
    check=check,
    refusal=refusal,
    other_model=OTHER,
    model_pattern=r"[a-z0-9][a-z0-9_.-]*/[a-z0-9][a-z0-9_.-]*",
    cancel_note="while queued or running",
    upload_note="POST /files",
    keeps_images="an hour",
    poll_seconds=0.5,  # the vendor's own clients
)
