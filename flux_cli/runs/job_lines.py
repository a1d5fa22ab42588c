"""Read a line of ``--json`` as a row of a batch, and write such a row: the job of the line is made again.

A line is one of ``--json`` by its ``version``. With ``parameters``, it is a job or a planned job: its options are in
``parameters``, and what became of it is ignored. An object of ``--dry-run`` holds planned jobs as ``rows``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from flux_cli.display.output import JSON_VERSION
from flux_cli.errors import UsageError
from flux_cli.image_options import IMAGE_OPTIONS, replaced_by
from flux_cli.providers.image_input import list_images
from flux_cli.runs.template import normalize
from flux_cli.text import nearest, printable

IGNORED = frozenset(
    {"version", "id", "run", "row", "remote_id", "status", "detail", "queue_position", "progress", "skipped", "images",
     "cost", "timing", "error", "sandbox", "created_at", "finished_at", "batch", "estimate", "shape_differs"}
)  # fmt: skip
"""What became of a job, and where it belonged."""

_HINT = "remove the line, or give {} in it"


def is_printed(fields: Mapping[str, Any]) -> bool:
    """Whether a JSON object is a line of ``--json`` that is a job, an error or a dry run."""
    return "version" in fields and not fields.keys().isdisjoint({"parameters", "error", "requests"})


def list_planned(fields: Mapping[str, Any]) -> Sequence[Any] | None:
    """Return the planned jobs in an object of ``--dry-run``; ``None`` for any other object."""
    if "version" not in fields or "requests" not in fields or "prompt" in fields:
        return None
    return _items(fields.get("rows"))


def read_job(fields: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the prompt and options of a job's line, and the SHA-256 of its local input images by path.

    An option beside ``parameters`` replaces the one in it. Raises `UsageError` for a job that cannot be made again.
    """
    if "parameters" not in fields:
        error = fields.get("error")
        why = f": {printable(str(error.get('message')), limit=200)}" if isinstance(error, dict) else ""
        raise UsageError(f"this line is an error without a job{why}", hint="remove the line")
    version, parameters = fields["version"], fields["parameters"]
    if version != JSON_VERSION:
        message = (
            f"this line has version {printable(str(version))} of the format, and flux reads version {JSON_VERSION}"
        )
        raise UsageError(message, hint="use the flux that wrote it")
    recorded = _check_parameters(parameters)
    if "model" in fields and fields["model"] is None:
        raise UsageError("this job was started elsewhere, and its model is not known", hint=_HINT.format("a model"))
    prompt = fields.get("prompt")
    if not (isinstance(prompt, str) and prompt.strip()):
        raise UsageError("the prompt of this job is not known", hint=_HINT.format("a prompt"))
    beside = {name: value for name, value in fields.items() if name not in IGNORED and name != "parameters"}
    replaced = replaced_by([normalize(name) for name in beside])
    found = {name: value for name, value in recorded.items() if name != "files" and name not in replaced} | beside
    for name in ("image", "mask"):
        if "-" in _names(found.get(name)):
            raise UsageError(
                f"the {name} of this job came from stdin, and is not kept", hint=_HINT.format(f"another {name}")
            )
    if found.get("count") is None:  # as in lines that are older than the key
        found["count"] = max(len(_items(fields.get("images"))), 1)
    files = recorded.get("files")
    return found, {**files} if isinstance(files, dict) else {}


def write_job(fields: Mapping[str, Any], files: Mapping[str, str]) -> dict[str, Any]:
    """Return the line of a job that is to be made: the opposite of `read_job`."""
    in_it = {
        name: value for name, value in fields.items() if (name in IMAGE_OPTIONS or name == "param") and name != "seed"
    }
    parameters = in_it | ({"files": dict(files)} if files else {})
    beside = {name: value for name, value in fields.items() if name not in in_it}
    return {"version": JSON_VERSION, **beside, "parameters": parameters}


def _check_parameters(parameters: Any) -> dict[str, Any]:
    """Return the recorded options of a job. Raises `UsageError`."""
    if not isinstance(parameters, dict):
        raise UsageError("parameters takes a table of options", hint='such as {"aspect_ratio": "16:9"}')
    recorded = cast("dict[str, Any]", parameters)
    known = {*IMAGE_OPTIONS, "param", "files"} - {"seed"}
    for name in recorded:
        if name not in known:
            near = nearest(name, known)
            hint = f"did you mean {near}?" if near else "`flux generate --help` lists the options"
            raise UsageError(f"there is no option {printable(name)!r} in parameters", hint=hint)
    return recorded


def _items(value: Any) -> list[Any]:
    found: list[Any] = value if isinstance(value, list) else []
    return found


def _names(value: Any) -> Sequence[Any]:
    return list_images(value) if isinstance(value, str) else _items(value)
