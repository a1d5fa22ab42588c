"""List Runflow's runs: page by page, filtered, sorted, and with selected fields.

From https://docs.runflow.io, the page on searching runs.
"""

from __future__ import annotations

import base64
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

_DEFAULTS = {"limit": "50", "pq": "", "sort_by": "created_at:desc", "from_prev": "false", "q": "", "fields": ""}
"""The parameters and their defaults."""
_SORTED = ("created_at", "started_at", "completed_at", "duration_ms", "cost", "status_code")
"""The fields that runs can be sorted by."""
_FILTERED = {"client_ref", "model_id", "id", *_SORTED}
_COMPARED = {":": operator.eq, ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
_LARGEST = 500
"""The largest page, in runs."""


def page(runs: list[dict[str, Any]], query: Mapping[str, str]) -> dict[str, Any] | list[dict[str, str]]:
    """Return a page of ``runs``, or the errors of the ``query``, one object per field.

    The cursor is opaque and holds the number of earlier runs. ``from_prev`` goes backwards from it.
    """
    wanted = {**_DEFAULTS, **query}
    order = re.fullmatch(rf"({'|'.join(_SORTED)}):(asc|desc)", wanted["sort_by"])
    before = re.fullmatch(r"after-(\d{1,9})", _plain(wanted["pq"])) if wanted["pq"] else None
    terms = [_TERM.fullmatch(term) for term in wanted["q"].split(" AND ")] if wanted["q"] else []
    wrong = [(name, "the sandbox does not know this parameter", "unknown") for name in query if name not in _DEFAULTS]
    if not re.fullmatch(r"\d{1,3}", wanted["limit"]) or not 1 <= int(wanted["limit"]) <= _LARGEST:
        wrong.append(("limit", f"must be 1 to {_LARGEST}", "invalid"))
    if order is None:
        wrong.append(("sort_by", "must be a field of a run, with :asc or :desc", "invalid"))
    if wanted["from_prev"] not in {"true", "false"}:
        wrong.append(("from_prev", "must be true or false", "invalid"))
    if wanted["pq"] and not before:
        wrong.append(("pq", "is not a cursor", "invalid"))
    if any(term is None or term[1] not in _FILTERED for term in terms):
        wrong.append(("q", "must be terms such as status_code:failed, joined by AND", "invalid"))
    if wrong or order is None:
        return [{"field": name, "message": message, "type": kind} for name, message, kind in wrong]
    for term in terms:
        runs = [run for run in runs if term and _matches(run.get(term[1]), _COMPARED[term[2]], term[3])]
    name = order[1]
    runs = sorted(runs, key=lambda run: (run.get(name) is not None, run.get(name) or 0), reverse=order[2] == "desc")
    size, at = int(wanted["limit"]), int(before[1]) if before else 0
    start = max(0, at - 2 * size) if wanted["from_prev"] == "true" else at
    items = runs[start : start + size]
    if wanted["fields"]:
        items = [{name: run[name] for name in wanted["fields"].split(",") if name in run} for run in items]
    following = _cursor(start + size) if start + size < len(runs) else None
    return {"items": items, "next_pq": following, "prev_pq": _cursor(start + size) if start else None}


_TERM = re.compile(r"(\w+)(:|>=|<=|>|<)(\S+)")


def _matches(one: Any, compare: Callable[[Any, Any], bool], other: str) -> bool:
    """Compare as numbers if both are, else as text, which also works for times."""
    if one is None:
        return False
    try:
        return compare(float(one), float(other))
    except ValueError:
        return compare(str(one), other)


def _cursor(after: int) -> str:
    return base64.urlsafe_b64encode(f"after-{after}".encode()).decode()


def _plain(cursor: str) -> str:
    try:
        return base64.b64decode(cursor, altchars=b"-_", validate=True).decode("ascii", "replace")
    except ValueError:
        return ""
