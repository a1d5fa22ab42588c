"""Convert a job to the JSON text that the ledger stores, and back."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from flux_cli.errors import LedgerError, describe, rebuild
from flux_cli.jobs import Cost, Image, Job

_STORED_NAMES = {
    "idempotency_key": "handle",
    "row_key": "mark",
    "poll_state": "memo",
    "first_index": "first",
    "ready_between": "ready",
}
"""Fields of a job whose stored name is older than their name here."""
_FIELD_NAMES = {stored: name for name, stored in _STORED_NAMES.items()}
_JOB_FIELDS = tuple((field.name, _STORED_NAMES.get(field.name, field.name)) for field in fields(Job))
_IMAGE_FIELDS = tuple(field.name for field in fields(Image) if field.name != "data")
_ENCODER = json.JSONEncoder(separators=(",", ":"))


def encode(job: Job) -> str:
    """Return a job as the ledger's JSON text: ASCII, so that any text survives, and without image bytes."""
    stored = {stored: getattr(job, name) for name, stored in _JOB_FIELDS}
    stored["images"] = [{name: getattr(image, name) for name in _IMAGE_FIELDS} for image in job.images]
    stored["cost"] = None if job.cost is None else job.cost._asdict()
    stored["error"] = None if job.error is None else describe(job.error)
    return _ENCODER.encode(stored)


def decode(document: str) -> Job:
    """Return the job that `encode` wrote. Raises `LedgerError` for anything else."""
    try:
        stored: dict[str, Any] = json.loads(document)
        fields = {_FIELD_NAMES.get(name, name): value for name, value in stored.items()}
        fields["images"] = tuple(Image(**image) for image in fields["images"])
        fields["cost"] = Cost(**fields["cost"]) if fields["cost"] else None
        fields["error"] = rebuild(fields["error"]) if fields["error"] else None
        fields["skipped"] = tuple(fields["skipped"])
        if fields.get("ready_between"):
            fields["ready_between"] = (fields["ready_between"][0], fields["ready_between"][1])
        return Job(**fields)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LedgerError("the ledger contains a job that this version of flux cannot read") from error
