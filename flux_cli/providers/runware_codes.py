"""Runware's error codes, by family.

The list of codes is long and, the vendor says, not stable; its own client sorts them by these words, in this order.
"""

from __future__ import annotations

from typing import Any

from flux_cli.errors import (
    AuthError,
    FluxError,
    ModeratedError,
    NotFoundError,
    PaymentError,
    RefusedError,
    UnavailableError,
    UsageError,
)
from flux_cli.text import sentence

CONFLICT = "conflictTaskUUID"
"""A task of that id is there: a refusal of a first attempt, good news about a repeat."""
_MODERATION = {
    "contentPolicyViolation",
    "providerContentPolicyViolation",
    "sensitiveContentDetected",
    "unsafeContentDetected",
    "nsfwContentDetected",
    "promptBlocked",
    "imageBlocked",
    "moderationFailed",
}


def explain(told: Any, *, status: int = 400) -> FluxError:
    """Return the error that ``told``, one of ``errors``, stands for; ``status`` is the HTTP status it came with."""
    code = sentence(str(told.get("code") or ""), limit=60)
    said, low = f"runware: {sentence(str(told.get('message') or '')) or code or 'no reason given'}", code.lower()
    if any(word in low for word in ("credits", "quota", "balance")) or status == 402:  # noqa: PLR2004 - payment required
        return PaymentError(said, vendor_code=code)
    if "ratelimit" in low or status == 429:  # noqa: PLR2004 - too many requests
        return UnavailableError(said, vendor_code=code)
    if code in _MODERATION:
        return ModeratedError(said, vendor_code=code)
    auth = (
        any(word in low for word in ("apikey", "unauthorized", "forbidden"))
        or low.startswith("token")
        or low.endswith(("suspended", "disabled"))
    )
    if (auth and not low.startswith("model")) or status in {401, 403}:
        return AuthError(said, vendor_code=code)
    if code == CONFLICT or "timeout" in low:
        return RefusedError(said, vendor_code=code)
    if low.endswith(("notfound", "expired")) or code == "taskCancelled" or status == 404:  # noqa: PLR2004 - not found
        return NotFoundError(said, vendor_code=code)
    if low.startswith(("invalid", "missing", "conflict", "duplicate", "unsupported", "max")):
        return UsageError(said, vendor_code=code)
    return RefusedError(said, vendor_code=code)
