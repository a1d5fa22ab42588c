"""Render jobs and errors as the data of ``--json`` and as text for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from flux_cli.errors import FluxError, describe
from flux_cli.jobs import Image, Job
from flux_cli.money.limits import final_cost
from flux_cli.providers import alias
from flux_cli.text import printable


def error_object(error: FluxError) -> dict[str, Any]:
    """Return an error as ``--json`` prints it, but for its commands, which depend on how flux was called."""
    return {**describe(error), "exit_code": error.exit_code, "docs": error.docs}


def is_about_money(error: FluxError, job: Job | None) -> bool:
    """Whether to say if a failure was charged: not for a mistyped option, or a file that cannot be written."""
    if error.code == "usage":
        return job is not None and job.error is not None
    return job is not None or error.code != "failed"


def format_charged(error: FluxError, job: Job | None = None) -> str:
    """Return whether a failure was charged, for people; if that is unknown, where to find out."""
    if error.charged != "unknown":
        return error.charged
    if job is not None and job.status == "succeeded":
        return "yes"
    if job is None and error.code == "failed":
        return "unknown, `flux status @1` shows what was bought"
    provider = "the provider" if job is None else job.provider
    return f"unknown, {provider} {'has not said yet' if error.code == 'pending' else 'does not say'}"


def format_time(seconds: float | None) -> str | None:
    """Return a time as ISO 8601, in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def job_object(job: Job) -> dict[str, Any]:
    """Return a job as ``--json`` prints it."""
    return {
        "id": job.id,
        "run": job.run,
        "row": job.row,
        "remote_id": job.remote_id,
        "provider": job.provider,
        "model": job.model,
        "status": job.status,
        "detail": job.detail,
        "queue_position": job.queue_position,
        "progress": job.progress,
        "prompt": job.prompt,
        "parameters": dict(job.parameters),
        "skipped": list(job.skipped),
        "seed": job.seed,
        "count": job.count or None,
        "images": [_image_object(image) for image in job.images],
        "cost": None if job.cost is None else {"amount": job.cost.amount, "currency": job.cost.currency},
        "timing": dict(job.timing),
        "error": None if job.error is None else error_object(job.error),
        "sandbox": job.sandbox,
        "created_at": format_time(job.created_at),
        "finished_at": format_time(job.finished_at),
        "batch": job.batch,
        "estimate": _estimate_object(job),
        "shape_differs": job.shape_differs,
    }


_PLANNED = ("row", "provider", "model", "prompt", "parameters", "seed", "count", "estimate")
"""What is known of a job before it is submitted, and makes it again."""


def planned_object(job: Job) -> dict[str, Any]:
    """Return a job that is not submitted as ``--dry-run --json`` prints it: a row of a batch."""
    found = job_object(job)
    return {name: found[name] for name in _PLANNED}


def _estimate_object(job: Job) -> dict[str, Any] | None:
    return None if job.estimate is None else {"amount": round(job.estimate, 6), "currency": "USD"}


def _image_object(image: Image) -> dict[str, Any]:
    return {
        "path": image.path,
        "url": image.url,
        "width": image.width,
        "height": image.height,
        "content_type": image.content_type,
        "bytes": image.size,
        "seed": image.seed,
        "nsfw": image.nsfw,
    }


def format_cost(job: Job) -> str:
    """Return the reported cost of a job, for people; empty if there is none."""
    if job.cost is None:
        return ""
    return f"${job.cost.amount:.4g}" if job.cost.currency == "USD" else f"{job.cost.amount:g} {job.cost.currency}"


def _format_estimate(job: Job) -> str:
    """Return the estimated cost of a job whose cost is not known yet; empty if there is no estimate."""
    known = final_cost(job) is not None or job.estimate is None
    return "" if known else f"${job.estimate:.4g}"


def _format_cost_cell(job: Job) -> str:
    """Return the cost of a job for a column, with a ``~`` if it is an estimate."""
    expected = _format_estimate(job)
    return format_cost(job) or (f"~{expected}" if expected else "")


def describe_cost(job: Job) -> str:
    """Return the cost of a job in words; empty if the job is active and its cost unknown."""
    if expected := _format_estimate(job):
        return format_cost(job) or f"about {expected} (estimate)"
    return format_cost(job) or ("nothing" if final_cost(job) is not None else "" if job.active else "unknown")


HEAD = ("ID", "STATUS", "PROVIDER", "MODEL", "CREATED", "COST", "PROMPT")
"""The columns of a table on a terminal."""

_STYLES = {"succeeded": "green", "failed": "red", "unknown": "bold red", "cancelled": "dim"}
"""Styles of states that are final, or that need attention."""


def style(status: str) -> str:
    """Return the Rich style of a status."""
    return _STYLES.get(status, "cyan")


def row_style(row: Sequence[str]) -> str:
    """Return the style of the status in a row of a table."""
    return style(row[1].split(" ")[0].rstrip(":"))


def table_row(job: Job) -> tuple[str, ...]:
    """Return a job as a row of a table on a terminal."""
    created = datetime.fromtimestamp(job.created_at).astimezone().strftime("%m-%d %H:%M")
    return (
        job.id,
        _format_status_cell(job),
        job.provider,
        alias(job.model or ""),
        created,
        _format_cost_cell(job),
        job.prompt,
    )


def _format_status_cell(job: Job) -> str:
    """Return the status of a job for a column."""
    if job.queue_position is not None:
        return f"{job.status} #{job.queue_position}"
    if job.progress is not None:
        return f"{job.status} {job.progress:.0f}%"
    return job.status if job.error is None or job.status == job.error.code else f"{job.status}: {job.error.code}"


def tab_fields(job: Job) -> tuple[str, ...]:
    """Return a job as tab-separated fields for a script."""
    paths = " ".join(image.path for image in job.images if image.path)
    row = (
        job.id,
        job.status,
        job.provider,
        job.model or "",
        format_time(job.created_at) or "",
        format_cost(job),
        paths,
        job.prompt,
    )
    return tuple(printable(cell) for cell in row)


def _parameter_facts(job: Job, name: str, value: Any) -> list[tuple[str, str]]:
    """Return one parameter as names and values: input images one by one, with the digests of local files."""
    if name == "files":
        return []
    if name not in {"image", "mask"}:
        return [(name, value if isinstance(value, str) else json.dumps(value))]
    label, digests = "input image" if name == "image" else name, job.parameters.get("files", {})
    images = value if isinstance(value, list) else [value]
    shown = ["stdin" if one == "-" else one for one in images]
    return [
        (label, f"{text} (sha256 {digests[one]})" if one in digests else text)
        for one, text in zip(images, shown, strict=True)
    ]


def job_facts(job: Job) -> list[tuple[str, str]]:
    """Return everything known about a job as names and values, in the order of interest."""
    found = [
        ("id", job.id),
        ("status", job.status_text),
        ("provider", job.provider + (" (sandbox)" if job.sandbox else "")),
        ("model", job.model or ""),
        ("remote id", job.remote_id or ""),
        ("run", job.run),
        ("batch", job.batch or ""),
        ("row", "" if job.row is None else str(job.row)),
        ("prompt", job.prompt),
        ("seed", "" if job.seed is None else str(job.seed)),
    ]
    found += [fact for name, value in job.parameters.items() for fact in _parameter_facts(job, name, value)]
    found += [("skipped", " ".join(job.skipped)), ("cost", describe_cost(job))]
    found += [("created", format_time(job.created_at) or ""), ("finished", format_time(job.finished_at) or "")]
    found += [(name, f"{value:g}") for name, value in job.timing.items()]
    for image in job.images:
        size = f" ({image.width}x{image.height}, {image.size} bytes)" if image.path and image.width else ""
        found.append(("image", (image.path or f"not saved: {image.url or 'in the answer'}") + size))
        if image.nsfw is not None:
            found.append(("nsfw", "yes" if image.nsfw else "no"))
    if job.error is not None:
        found += [("error", job.error.message), ("hint", job.error.hint), ("charged", format_charged(job.error, job))]
    return found
