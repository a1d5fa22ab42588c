"""Runware's error codes, by family.

The list of codes is long and, the vendor says, not stable; its own client sorts them by these words, in this order.
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
"""A task of that id is there: a refusal of a first attempt, good news about a repeat."""
CANCELLED = "taskCancelled"
"""The task was cancelled, by whatever means."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Family:
    """Codes that mean the same: those of a list, and those that fit a pattern. Case does not matter."""

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
    # What the model's maker said to Runware: its key, its credits, its trouble, none of them yours. So it stands before
    # quota and authentication, where the vendor's client has it behind them.
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
"""What no wording of the message turns into a block of the content."""


def explain(told: Any, *, status: int = 400) -> FluxError:
    """Return the error that ``told``, one of ``errors``, stands for; ``status`` is the HTTP status it came with.

    Its code decides, else the status. A message that says that the content was blocked counts for more than a code of
    a failure that may pass: what is not seen as a block is bought again.
    """
    code, text = sentence(str(told.get("code") or ""), limit=60), str(told.get("message") or "")
    kind = next((one.kind for one in _FAMILIES if code in one), None) or _STATUSES.get(status)
    kind = kind or (UsageError if code in _VALIDATION else RefusedError)
    words = [_without_names(text, told.get("parameter")), "" if code in _VALIDATION else code]
    if kind not in _SURE and is_moderation(*words):
        kind = ModeratedError
    return kind(f"runware: {sentence(text) or code or 'no reason given'}", vendor_code=code)


def _without_names(text: str, parameter: Any) -> str:
    """Return a message without the fields that it names: ``safety.checkContent`` alone would read as a block."""
    fields = parameter if isinstance(parameter, list) else [parameter]
    for name in fields:
        text = text.replace(name, "") if isinstance(name, str) and name else text
    return text
