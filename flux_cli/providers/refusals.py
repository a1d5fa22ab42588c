"""Turn a refusal into an error, by its HTTP status, and by its wording if the provider has no code for it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from flux_cli.errors import Charged
    from flux_cli.providers.conversation import Response


def error_for_status(
    response: Response, text: str, *, provider: str, vendor_code: str = "", turned_away: bool = False
) -> FluxError | None:
    """Return the error for an HTTP status of 400 or more, with ``text`` as its message; ``None`` for any other.

    5xx is left to the transport, which knows what was sent and whether it is safe to repeat. ``turned_away`` marks an
    answer that is documented to mean that nothing was accepted: then a 503 is a refusal too.
    """
    status = response.status
    if status < 400 or (status >= 500 and not (status == 503 and turned_away)):  # noqa: PLR2004 - HTTP classes
        return None
    message = f"{provider}: {sentence(text) or f'HTTP {status}'}"
    match status:
        case 403 if is_moderation(vendor_code):
            return ModeratedError(message, charged="no", vendor_code=vendor_code)
        case 401 | 403:
            return AuthError(message, vendor_code=vendor_code)
        case 402:
            return PaymentError(message, vendor_code=vendor_code)
        case 404:
            return NotFoundError(message, vendor_code=vendor_code)
        case 408 | 429 | 503:
            return UnavailableError(message, vendor_code=vendor_code)
        case _ if is_moderation(vendor_code, text):
            return ModeratedError(message, charged="no", vendor_code=vendor_code)
        case 400 | 413 | 414 | 415 | 422:
            return UsageError(message, vendor_code=vendor_code)
        case _:
            return RefusedError(message, vendor_code=vendor_code)


def as_job_failure(error: FluxError) -> FluxError:
    """Return ``error`` as the failure of an accepted job: a `UsageError` becomes a `RefusedError`."""
    return RefusedError(error.message, vendor_code=error.vendor_code) if isinstance(error, UsageError) else error


_SIGNS = (
    r"moderat\w*|nsfw|censor\w*|guardrails?|unsafe|flagged|inappropriate|obscen\w*|porn\w*|nude|nudity|gore|hateful|harmful",
    r"responsible ai|rai|community (guidelines?|standards)|terms of (service|use)",
    r"(content|usage|use|safety|platform|provider|service) (and \w+ )?(policy|policies|guidelines?|rules)",
    r"(policy|policies|guidelines?) (violat\w*|breach\w*)",
    r"violat\w+ (\w+ ){0,4}?(policy|policies|guidelines?|terms|rules|safety|standards)",
    r"(content|prompt|safety) (filter\w*|checks?|checker|classifier|system|violation|reasons?|concerns?|block\w*)",
    r"risk control|(for|by|failed) safety|safety (error|settings?|limits?)",
    r"(sensitive|explicit|sexual\w*|violent|adult|offensive|illegal|abusive) (content|prompts?|images?|material|input)",
    r"(prohibited|forbidden|restricted|disallowed|banned) (content|prompts?|images?|words?|terms?|subjects?|topics?)",
    r"(is|as|be|possibly|potentially) (too )?(sensitive|explicit|offensive|disallowed)",
    r"copyright\w*|trademark\w*|intellectual property|public figures?|real (person|people)|celebrit\w+",
    r"(content|prompt|image)s? (\w+ ){0,2}?(rejected|declined|not allowed|not permitted)",
    r"(content|prompt|image|input|output|request|generation|result)s? (\w+ ){0,2}?(blocked|filtered|withheld)",
    r"(rejected|declined|blocked|filtered|withheld) (\w+ ){0,1}?(content|prompt|image)s?",
)
_BLOCKED = rf"\b({'|'.join(_SIGNS)})\b"
"""How providers without a code for it word a blocked prompt or image; matched against words in lower case.

It is broad on purpose: a block that is not recognized is offered for a retry, and bought again.
"""


def is_moderation(*texts: str) -> bool:
    """Whether a provider's codes and messages, such as ``CONTENT_MODERATED``, say that content was blocked."""
    return any(re.search(_BLOCKED, re.sub(r"(?<=[a-z])(?=[A-Z])|[\W_]+", " ", one).lower()) for one in texts)


def job_failure(text: str, *, provider: str, vendor_code: str = "", charged: Charged | None = None) -> FluxError:
    """Return the error of a failed job, classified by the provider's message and code."""
    kind = ModeratedError if is_moderation(vendor_code, text) else RefusedError
    reason = sentence(text) or sentence(vendor_code) or "the job failed, no reason given"
    return kind(f"{provider}: {reason}", vendor_code=vendor_code, charged=charged)
