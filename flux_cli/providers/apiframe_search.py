"""Look for a job at Apiframe whose submit was not answered: its list shows no input, so the nearest jobs are read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flux_cli.errors import NotFoundError
from flux_cli.jobs import RemoteJob
from flux_cli.providers.base import LostSubmit
from flux_cli.providers.conversation import Flow, Request, as_id

_LONGEST, _SLACK = 900.0, 120.0
"""Seconds: the longest a submit with its retries may take, and how much two clocks may differ."""
_PAGES, _READS = 10, 100
"""How many pages of the list are read, and how many jobs, those nearest in time first."""
_PARAMETERS = ("fluxParams", "fluxFillParams", "fluxLoraParams")


def find(lost: LostSubmit) -> Flow[RemoteJob | None]:
    """Look for the job among the latest ones: list those made at about the same time, and read the input of each.

    Prompt and seed identify the job; a job without a seed cannot be told from others. Two matches prove nothing.
    """
    wanted = _prompt_and_seed(lost.body)
    if wanted[1] is None:
        return None
    near: list[tuple[float, str]] = []
    query = {"limit": "100", "model": lost.body["model"]}
    for _ in range(_PAGES):
        reply = yield Request("GET", "/v2/jobs", query=query)
        ages = [(_seconds_after(job, lost.sent_at), job["id"]) for job in reply.json["jobs"]]
        near += [(abs(seconds), as_id(name)) for seconds, name in ages if -_SLACK <= seconds <= _LONGEST + _SLACK]
        following = reply.json.get("nextCursor")
        if not isinstance(following, str) or not following or all(seconds < -_SLACK for seconds, _ in ages):
            break
        query = {**query, "cursor": following}
    found: list[str] = []
    for _, name in sorted(near)[:_READS]:
        try:
            reply = yield Request("GET", f"/v2/jobs/{name}")
        except NotFoundError:
            continue
        found += [name] if _prompt_and_seed(reply.json.get("input") or {}) == wanted else []
        if len(found) > 1:
            break
    return RemoteJob(id=found[0]) if len(found) == 1 else None


def _prompt_and_seed(body: Any) -> tuple[Any, Any]:
    """Return the prompt and the seed of a request, which are both inside ``fluxFillParams`` for an edit."""
    inner = next((body[name] for name in _PARAMETERS if body.get(name)), body)
    return inner.get("prompt", body.get("prompt")), inner.get("seed")


def _seconds_after(job: Any, sent_at: float) -> float:
    """Return how many seconds after ``sent_at`` a job was made; 0 if it does not say."""
    created_at = job.get("createdAt")
    if not isinstance(created_at, str):
        return 0.0
    made = datetime.fromisoformat(created_at)
    return (made if made.tzinfo else made.replace(tzinfo=UTC)).timestamp() - sent_at
