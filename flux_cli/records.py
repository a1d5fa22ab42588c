"""A job as the ledger's text, and back."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

from flux_cli.errors import LedgerError, describe, rebuild
from flux_cli.jobs import Cost, Image, Job


def encode(job: Job) -> str:
    """Return a job as the ledger's JSON text: ASCII, so that any text survives, and without image bytes."""
    images = tuple(replace(image, data=None) for image in job.images)
    fields = asdict(replace(job, images=images, error=None))
    for image in fields["images"]:
        del image["data"]
    fields["error"] = describe(job.error) if job.error is not None else None
    return json.dumps(fields, separators=(",", ":"))


def decode(document: str) -> Job:
    """Return the job that `encode` wrote. Raises `LedgerError` for anything else."""
    try:
        fields = json.loads(document)
        fields["images"] = tuple(Image(**image) for image in fields["images"])
        fields["cost"] = Cost(**fields["cost"]) if fields["cost"] else None
        fields["error"] = rebuild(fields["error"]) if fields["error"] else None
        fields["skipped"] = tuple(fields["skipped"])
        return Job(**fields)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LedgerError("the ledger holds a job that this flux cannot read") from error
