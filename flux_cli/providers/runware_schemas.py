"""Read the schemas that Runware publishes for its models: https://schemas.runware.ai."""

from __future__ import annotations

from typing import Any

from flux_cli.errors import NotFoundError
from flux_cli.providers.base import Model, Published
from flux_cli.providers.conversation import Flow, Request
from flux_cli.providers.drift import from_schema, read_fields
from flux_cli.text import sentence

SCHEMA_HOST = "https://schemas.runware.ai"
"""Publishes the schema of each model; public."""
_TASK_FIELDS = (
    "taskType",
    "taskUUID",
    "model",
    "deliveryMethod",
    "includeCost",
    "numberResults",
    "outputType",
    "uploadEndpoint",
    "ttl",
    "routing",
    "advancedFeatures",
    "acceleration",
    "acceleratorOptions",
    "controlNet",
    "hiresFix",
    "ipAdapters",
    "lora",
    "maskMargin",
    "outpaint",
    "promptWeighting",
    "pulid",
    "scheduler",
    "trueCFGScale",
    "ultralytics",
)
"""Documented fields that flux fills in or leaves to ``--param``."""


def describe(model: str) -> Flow[Published]:
    """Read the public schema of an AIR, such as ``bfl:5@1``."""
    found = yield from _schema(model)
    about = found.get("documentation")
    title = (about.get("title") or about.get("name")) if isinstance(about, dict) else None
    facts = {"title": sentence(str(title), limit=80)} if title else {}
    return Published(facts=facts, fields=read_fields(found.get("requestSchema"), "positivePrompt"))


def compare(model: Model) -> Flow[tuple[str, ...]]:
    """Compare the public schema of each of a model's ids with its table."""
    every = {one.slug: one for one in (model, *model.variants)}
    found: tuple[str, ...] = ()
    for slug, one in every.items():
        published = yield from _schema(slug)
        found += from_schema(one, published.get("requestSchema"), known=_TASK_FIELDS)
    return found


def _schema(model: str) -> Flow[dict[str, Any]]:
    try:
        reply = yield Request("GET", f"/resolve/{model}", origin=SCHEMA_HOST, keyless=True)
    except NotFoundError:
        message = f"runware publishes no schema for {model}"
        raise NotFoundError(message, hint="its models have ids such as bfl:5@1") from None
    return reply.object
