"""The errors of fal: of a model, a list of what is wrong with which field, and of a request, a text and a type."""

from __future__ import annotations

from typing import Any

from flux_cli.errors import FluxError, ModeratedError, PaymentError
from flux_cli.providers.conversation import Response
from flux_cli.providers.refusals import error_for_status, job_failure
from flux_cli.text import sentence

_BLOCK = "content_policy_violation"


def is_answer(response: Response) -> bool:
    """Whether a response is about a request: what a cancel did, or that the model or its runner failed with 5xx."""
    fails = response.status >= 500 and ("x-fal-error-type" in response.headers or bool(_code(response)))  # noqa: PLR2004
    return fails or response.object.get("status") in {"ALREADY_COMPLETED", "NOT_FOUND"}


def refusal(response: Response) -> FluxError | None:
    """Read ``detail``, a text or a list of what is wrong with which field, or the error of the platform API."""
    problem = response.object.get("error")
    text = _describe(problem if isinstance(problem, dict) else _detail(response))
    code = _code(response)
    error = error_for_status(response, text, provider="fal", vendor_code=code)
    if response.status == 403 and "exhausted balance" in text.lower():  # noqa: PLR2004 - HTTP
        return PaymentError(f"fal: {sentence(text)}", vendor_code=code)
    if isinstance(error, ModeratedError):
        error.charged = "unknown"  # documented as "may be", once a model has run
    return error


def failure(response: Response) -> FluxError:
    """Return the error of a model or its runner that failed with 5xx, which is not charged."""
    return job_failure(_describe(_detail(response)), provider="fal", vendor_code=_code(response), charged="no")


def _detail(response: Response) -> Any:
    """Return what is wrong, from a body that is an object or only a list."""
    try:
        body = response.json
    except ValueError:
        return None
    return body if isinstance(body, list) else response.object.get("detail")


def _code(response: Response) -> str:
    """Return the type of an error; of several, a block if there is one."""
    detail = _detail(response)
    kinds = (
        [str(one["type"]) for one in detail if isinstance(one, dict) and one.get("type")]
        if isinstance(detail, list)
        else []
    )
    kind = response.headers.get("x-fal-error-type") or response.object.get("error_type")
    found = [_BLOCK] if _BLOCK in kinds else [str(kind)] if kind else kinds
    return sentence(found[0], limit=60) if found else ""


def _describe(detail: Any) -> str:
    if isinstance(detail, list):
        return "; ".join(_describe(one) for one in detail)
    if isinstance(detail, dict):
        place = ".".join(str(part) for part in detail.get("loc") or () if part != "body")
        text = str(detail.get("msg") or detail.get("message") or detail.get("type") or "")
        return f"{place}: {text}" if place else text
    return "" if detail is None else str(detail)
