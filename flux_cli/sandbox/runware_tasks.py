"""Check Runware's tasks against its documentation: fields, sizes and errors.

From https://runware.ai/docs/models/bfl-flux-1-1-pro-ultra and https://runware.ai/docs/platform/errors.
"""

from __future__ import annotations

from typing import Any

from flux_cli.sandbox.schema import Field, Problem, problems
from flux_cli.sandbox.shapes import ULTRA as ULTRA_SIZES

PRO = "bfl:2@1"
ULTRA = "bfl:2@2"

COSTS = {PRO: 0.04, ULTRA: 0.06}
"""USD per image, from the models' pages."""

UUID4 = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-4[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}"

_DOCUMENTATION = "https://runware.ai/docs/models/bfl-flux-1-1-pro-ultra"
_BFL = {
    "promptUpsampling": Field(kind="boolean"),
    "safetyTolerance": Field(kind="integer", low=0, high=6),
}
_LOW, _HIGH, _STEP = 256, 1440, 32
"""Sides of a FLUX 1.1 [pro] image, in pixels."""


def _image(bfl: dict[str, Field]) -> Field:
    settings = Field(kind="object", fields={"bfl": Field(kind="object", fields=bfl)})
    safety = {"checkContent": Field(kind="boolean"), "mode": Field(kind="text", choices=("none", "fast"))}
    fields = {
        "taskType": Field(kind="text", required=True),
        "taskUUID": Field(kind="text", required=True, pattern=UUID4),
        "model": Field(kind="text", required=True, choices=(PRO, ULTRA)),
        "positivePrompt": Field(kind="text", required=True, low=2, high=3000),
        "width": Field(kind="integer", required=True),
        "height": Field(kind="integer", required=True),
        "seed": Field(kind="integer", low=0, high=2**63 - 1),
        "numberResults": Field(kind="integer", low=1, high=20),
        "outputType": Field(kind="text", choices=("URL", "base64Data", "dataURI")),
        "outputFormat": Field(kind="text", choices=("JPG", "PNG", "WEBP")),
        "outputQuality": Field(kind="integer", low=20, high=99),
        "deliveryMethod": Field(kind="text", choices=("sync", "async")),
        "webhookURL": Field(kind="link"),
        "uploadEndpoint": Field(kind="link"),
        "ttl": Field(kind="integer", low=60),
        "includeCost": Field(kind="boolean"),
        "safety": Field(kind="object", fields=safety),
        "providerSettings": settings,
        "routing": Field(kind="object"),
        "advancedFeatures": Field(kind="object"),
    }
    return Field(kind="object", fields=fields)


_UUID = Field(kind="text", required=True, pattern=UUID4)
_TASK = Field(kind="text", required=True)
SCHEMAS = {
    "imageInference": _image({**_BFL, "raw": Field(kind="boolean")}),
    "getResponse": Field(kind="object", fields={"taskType": _TASK, "taskUUID": _UUID}),
    "getTaskDetails": Field(kind="object", fields={"taskType": _TASK, "taskUUID": _UUID}),
    "accountManagement": Field(
        kind="object",
        fields={
            "taskType": _TASK,
            "taskUUID": _UUID,
            "operation": Field(kind="text", required=True, choices=("getDetails",)),
        },
    ),
    "ping": Field(kind="object", fields={"taskType": _TASK, "ping": Field(kind="boolean", required=True)}),
}
"""The fields of each task; those of an image are Ultra's."""

_PRO = _image(_BFL)


def image_schema(model: Any) -> Field:
    """Return the fields of an image task of a model."""
    return _PRO if model == PRO else SCHEMAS["imageInference"]


def complaints(task: Any) -> list[dict[str, Any]]:
    """Return the documented errors of a task, one for each field that is wrong."""
    if not isinstance(task, dict):
        return [complaint("invalidTask", "a task must be an object", {}, "")]
    kind = task.get("taskType")
    if not isinstance(kind, str) or kind not in SCHEMAS:
        code = "invalidTaskType" if "taskType" in task else "missingTaskType"
        return [complaint(code, "taskType must be one that is documented", task, "taskType")]
    schema = image_schema(task.get("model")) if kind == "imageInference" else SCHEMAS[kind]
    found = [_as_complaint(one, task) for one in problems(task, schema)]
    if not found and kind == "imageInference":
        found += _check_size(task)
    return found


def complaint(code: str, message: str, task: dict[str, Any], parameter: str) -> dict[str, Any]:
    """Return one documented error."""
    fields: dict[str, Any] = {"code": code, "message": message}
    fields |= {"parameter": parameter} if parameter else {}
    fields |= {name: task[name] for name in ("taskType", "taskUUID") if isinstance(task.get(name), str)}
    return {**fields, "documentation": _DOCUMENTATION}


def _as_complaint(problem: Problem, task: dict[str, Any]) -> dict[str, Any]:
    last = problem.path.rsplit(".", 1)[-1]
    named = last[:1].upper() + last[1:]
    code = {"missing": f"missing{named}", "unknown": "unsupportedParameter", "invalid": f"invalid{named}"}[problem.why]
    error = complaint(code, f"{problem.path} {problem.message}", task, problem.path)
    if problem.field is not None and problem.field.low is not None:
        error["min"] = problem.field.low
    if problem.field is not None and problem.field.high is not None:
        error["max"] = problem.field.high
    return error


def _check_size(task: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the errors of width and height: nine pairs are valid for Ultra, a grid for the other model."""
    if task["model"] == ULTRA:
        if (task["width"], task["height"]) in ULTRA_SIZES.values():
            return []
        known = ", ".join(f"{width}x{height}" for width, height in ULTRA_SIZES.values())
        return [complaint("invalidDimensions", f"width and height must be one of {known}", task, "width")]
    return [
        complaint(f"invalid{name.capitalize()}", f"{name} must be {_LOW} to {_HIGH}, a multiple of {_STEP}", task, name)
        for name in ("width", "height")
        if not _LOW <= task[name] <= _HIGH or task[name] % _STEP
    ]
