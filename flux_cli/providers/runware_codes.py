"""Classify Runware's error codes.

The list of codes is long and, according to the vendor, not stable. Its own client sorts them by these words, in this
order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
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
from flux_cli.providers.refusals import is_moderation
from flux_cli.text import sentence

CONFLICT = "conflictTaskUUID"
"""A task with this id exists: an error for a first attempt, a success for a repeat."""
CANCELLED = "taskCancelled"
"""The task was cancelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Family:
    """Codes with the same meaning: those in a list and those that match a pattern, in any case."""

    kind: type[FluxError]
    codes: str = ""
    pattern: str = "(?!)"

    def __contains__(self, code: str) -> bool:
        return code.lower() in self.codes.lower().split() or re.search(self.pattern, code, re.IGNORECASE) is not None


_FAMILIES = (
    _Family(
        kind=ModeratedError,
        codes="contentPolicyViolation providerContentPolicyViolation sensitiveContentDetected unsafeContentDetected "
        "nsfwContentDetected promptBlocked imageBlocked moderationFailed invalidProviderContent",
    ),
    _Family(kind=UnavailableError, pattern="ratelimit"),
    # Errors between Runware and the maker of the model, whose key and credits are not yours. They come before quota and
    # authentication; in the vendor's client they come after.
    _Family(kind=RefusedError, pattern="^provider"),
    _Family(
        kind=PaymentError, codes="quotaExceeded paymentRequired environmentPaused", pattern="credits|quota|balance"
    ),
    _Family(
        kind=AuthError,
        codes="unauthorized forbidden permissionDenied insufficientPermissions authenticationFailed authFailed "
        "authTimeout invalidAuthentication invalidCredentials missingAuthentication tokenExpired tokenInvalid "
        "tokenMissing tokenRevoked accountSuspended accountDisabled organizationSuspended organizationDisabled "
        "workspaceSuspended workspaceDisabled",
        pattern="apikey",
    ),
    _Family(kind=RefusedError, codes=CONFLICT, pattern="timeout"),
    _Family(kind=NotFoundError, codes=f"{CANCELLED} taskFailedOrNotFound unknownModel", pattern="(notfound|expired)$"),
    _Family(
        kind=RefusedError,
        codes="internalServerError serviceUnavailable serverUnavailable standardError unknownError undefinedError "
        "defaultError unrecognizedResponse errorRetrievingAccountManagement",
    ),
    _Family(
        kind=RefusedError,
        codes="inferenceError processingFailed taskFailed downloadFailed uploadFailed noAvailableServer "
        "modelUnavailable modelDisabled modelNotReady mediaStorageFileCouldNotBeMoved",
    ),
)
_STATUSES: dict[int, type[FluxError]] = {
    401: AuthError,
    402: PaymentError,
    403: AuthError,
    404: NotFoundError,
    429: UnavailableError,
}
_VALIDATION = _Family(
    kind=UsageError,
    codes="unknownParameter incompatibleParameters mismatchProviderSettingsProvider unknownProviderSettingsProvider "
    "validationFailed",
    pattern="^(invalid|missing|conflict|duplicate|unsupported|value|array|max)|conflict",
)
_SURE = (PaymentError, AuthError, UnavailableError)
"""Errors that stay what they are even if the message sounds like a content block."""


def explain(item: Any, *, status: int = 400) -> FluxError:
    """Return the error for ``item``, one of ``errors``, which came with the HTTP ``status``.

    The code decides, else the status. A message which says that content was blocked outweighs the code of a temporary
    failure: a block that is not recognized is bought again.
    """
    code, text = sentence(str(item.get("code") or ""), limit=60), str(item.get("message") or "")
    kind = next((one.kind for one in _FAMILIES if code in one), None) or _STATUSES.get(status)
    kind = kind or (UsageError if code in _VALIDATION else RefusedError)
    words = [_without_names(text, item.get("parameter")), "" if code in _VALIDATION else code]
    if kind not in _SURE and is_moderation(*words):
        kind = ModeratedError
    return kind(f"runware: {sentence(text) or code or 'no reason given'}", vendor_code=code)


def _without_names(text: str, parameter: Any) -> str:
    """Remove the fields that a message names: ``safety.checkContent`` alone would look like a block."""
    fields = parameter if isinstance(parameter, list) else [parameter]
    for name in fields:
        text = text.replace(name, "") if isinstance(name, str) and name else text
    return text
