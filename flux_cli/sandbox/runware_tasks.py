"""Check Runware's tasks against its documentation: fields, sizes and errors.

From https://runware.ai/docs/models/bfl-flux-1-1-pro-ultra and https://runware.ai/docs/platform/errors.
"""

from __future__ import annotations

from typing import Any

from flux_cli.sandbox.runware_models import ENTRIES, LOOSE, Entry
from flux_cli.sandbox.schema import Field, Problem, problems

UUID4 = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-4[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}"

_DOCUMENTATION = "https://runware.ai/docs/models/bfl-flux-1-1-pro-ultra"
_COMMON = {
    "taskType": Field(kind="text", required=True),
    "taskUUID": Field(kind="text", required=True, pattern=UUID4),
    "model": Field(kind="text", required=True, choices=(*ENTRIES, *LOOSE)),
    "numberResults": Field(kind="integer", low=1, high=20),
    "outputType": Field(kind="text", choices=("URL", "base64Data", "dataURI")),
    "outputFormat": Field(kind="text", choices=("JPG", "PNG", "WEBP")),
    "outputQuality": Field(kind="integer", low=20, high=99),
    "deliveryMethod": Field(kind="text", choices=("sync", "async")),
    "webhookURL": Field(kind="link"),
    "uploadEndpoint": Field(kind="link"),
    "ttl": Field(kind="integer", low=60),
    "includeCost": Field(kind="boolean"),
    "safety": Field(
        kind="object",
        fields={"checkContent": Field(kind="boolean"), "mode": Field(kind="text", choices=("none", "fast"))},
    ),
    "routing": Field(kind="object"),
    "advancedFeatures": Field(kind="object"),
}
"""The fields of every model."""
_CHECK_ONLY = Field(kind="object", fields={"checkContent": Field(kind="boolean")})


def image_schema(model: Any) -> Field:
    """Return the fields of an image task: those of its model, or any for one that is not checked here."""
    name = model if isinstance(model, str) else ""
    entry = ENTRIES.get(name)
    if entry is None and name in LOOSE:
        return Field(kind="object")
    entry = entry or ENTRIES["bfl:2@2"]
    low, high = entry.prompt or (0, 0)
    prompt = {"positivePrompt": Field(kind="text", required=True, low=low, high=high)} if entry.prompt else {}
    safety = {} if entry.safety_modes else {"safety": _CHECK_ONLY}
    return Field(kind="object", fields={**_COMMON, **safety, **prompt, **entry.fields})


_UUID = Field(kind="text", required=True, pattern=UUID4)
_TASK = Field(kind="text", required=True)
SCHEMAS = {
    "imageInference": Field(kind="object"),
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
"""The fields of each task; those of an image depend on its model."""


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
        found += [*_check_size(task), *_check_together(task), *_check_boxes(task)]
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
    """Return the errors of width, height and resolution: sizes of a table or on a grid, and no contradiction."""
    entry = ENTRIES.get(task["model"], Entry())
    width, height = task.get("width"), task.get("height")
    if (width is None) != (height is None):
        name = "height" if height is None else "width"
        return [complaint(f"missing{name.capitalize()}", "width and height go together", task, name)]
    if "resolution" in task and (width is not None or not task.get("inputs", {}).get("referenceImages")):
        text = "resolution is allowed with reference images only, and without width and height"
        return [complaint("incompatibleParameters", text, task, "resolution")]
    if width is None or height is None:
        return []
    if entry.table:
        if (width, height) in entry.table:
            return []
        known = ", ".join(f"{wide}x{high}" for wide, high in entry.table)
        return [complaint("invalidDimensions", f"width and height must be one of {known}", task, "width")]
    if entry.sides is None:
        return []
    low, high, step = entry.sides
    return [
        complaint(f"invalid{name.capitalize()}", f"{name} must be {low} to {high}, a multiple of {step}", task, name)
        for name in ("width", "height")
        if not low <= task[name] <= high or task[name] % step
    ]


def _check_together(task: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the errors of fields that exclude each other, and of a prompt where the model takes none."""
    if "positivePrompt" in task and not LOOSE.get(task["model"], True):
        return [complaint("unsupportedParameter", "positivePrompt is not a known field", task, "positivePrompt")]
    given = [name for name in ENTRIES.get(task["model"], Entry()).conflicts if name in task]
    if len(given) > 1:
        return [complaint("incompatibleParameters", f"send only one of {' and '.join(given)}", task, given[0])]
    return []


def _check_boxes(task: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the errors of bounding boxes: unique names, and places that fit a task with or without references."""
    if task["model"] in LOOSE:
        return []
    boxes = task.get("settings", {}).get("boundingBoxes", [])
    where = "settings.boundingBoxes"
    if len({box["id"] for box in boxes}) < len(boxes):
        return [complaint("invalidBoundingBoxes", "every id must be different", task, where)]
    if task.get("inputs", {}).get("referenceImages"):
        wrong = any(box.get("sourceBox") is not None and box.get("referenceIndex") is None for box in boxes)
        return [complaint("invalidBoundingBoxes", "sourceBox needs referenceIndex", task, where)] if wrong else []
    for box in boxes:
        if box.get("targetBox") is None:
            return [complaint("invalidBoundingBoxes", "targetBox is required without references", task, where)]
        if box.keys() & {"referenceIndex", "sourceBox"}:
            return [complaint("invalidBoundingBoxes", "there is no reference image", task, where)]
    return []
