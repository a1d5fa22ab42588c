"""What a no means: by HTTP status, and by a provider's words where it has no code for what it means."""

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
    from flux_cli.flow import Response


def refused(
    response: Response, text: str, *, provider: str, vendor_code: str = "", turned_away: bool = False
) -> FluxError | None:
    """Return what an HTTP status of 400 or more means, in ``text``'s words; ``None`` for any other.

    5xx is left to the transport, which alone knows what was sent and whether it is safe to repeat; but
    ``turned_away`` marks an answer that is documented to mean that nothing was accepted: then a 503 is a refusal too.
    """
    status = response.status
    if status < 400 or (status >= 500 and not (status == 503 and turned_away)):  # noqa: PLR2004 - HTTP classes
        return None
    said = f"{provider}: {sentence(text) or f'HTTP {status}'}"
    match status:
        case 401 | 403:
            return AuthError(said, vendor_code=vendor_code)
        case 402:
            return PaymentError(said, vendor_code=vendor_code)
        case 404:
            return NotFoundError(said, vendor_code=vendor_code)
        case 408 | 429 | 503:
            return UnavailableError(said, vendor_code=vendor_code)
        case _ if _BLOCKED.search(text):
            return ModeratedError(said, charged="no", vendor_code=vendor_code)
        case 400 | 413 | 414 | 415 | 422:
            return UsageError(said, vendor_code=vendor_code)
        case _:
            return RefusedError(said, vendor_code=vendor_code)


def ended(error: FluxError) -> FluxError:
    """Return a refusal as the end of a job that was accepted: then it is the job that failed, not the command line."""
    return RefusedError(error.message, vendor_code=error.vendor_code) if isinstance(error, UsageError) else error


_BLOCKED = re.compile(
    r"moderat|content.?policy|nsfw|safety (system|filter|check)|flagged|sensitive content|prohibited content",
    re.IGNORECASE,
)


def failure(text: str, *, provider: str, vendor_code: str = "", charged: Charged | None = None) -> FluxError:
    """Return why a job failed, in the provider's words: the only sign of moderation at hosts without a code for it."""
    kind = ModeratedError if _BLOCKED.search(text) else RefusedError
    said = sentence(text) or "the job failed, no reason given"
    return kind(f"{provider}: {said}", vendor_code=vendor_code, charged=charged)
