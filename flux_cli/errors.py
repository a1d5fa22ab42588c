"""Every way things can go wrong, each with the exit code a script may rely on.

::

    FluxError                  failed       1
     +- UsageError             usage        2   nothing was sent
     |   +- ConfigError        usage        2   nothing was sent
     +- AuthError              auth         3   no key, or the provider refused it
     +- UnavailableError       unavailable  4   nothing was accepted
     |   +- UnreachedError     unavailable  4   nothing was even sent: no connection
     +- ModeratedError         moderated    5   prompt or image was blocked
     +- PaymentError           payment      6   out of credits
     |   +- LimitError         payment      6   over a limit of the user's own; nothing was sent
     +- UnknownOutcomeError    unknown      7   the job may have been accepted
     |   +- LostReplyError     unknown      7   one request went out, no answer came back
     +- PendingError           pending      8   not finished yet
     +- PartialError           partial      9   some images were made, some were not
     +- UnsavedError           unsaved     10   made and paid for, but not on disk
     +- RefusedError           failed       1   the provider said no, or the job failed
     +- NotFoundError          failed       1   the provider does not know the job
     |   +- LinkError          failed       1   the link to an image is refused: too early, or too late
     +- ProtocolError          failed       1   an answer that makes no sense
     +- LedgerError            failed       1   the local job database cannot be used
     +- OutputError            failed       1   standard output is closed or full

    Interrupted (BaseException)                 a signal, or a reader that went away

``charged`` and ``retry`` answer the two questions of somebody who pays per image: was I billed, and may I type this
again.
"""

from __future__ import annotations

from typing import ClassVar, Literal

Charged = Literal["yes", "no", "unknown"]
Retry = Literal["safe", "never", "later"]


class FluxError(Exception):
    """A failure that flux understands and can explain in one line."""

    code: ClassVar[str] = "failed"
    exit_code: ClassVar[int] = 1
    default_charged: ClassVar[Charged] = "unknown"
    default_retry: ClassVar[Retry] = "safe"

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        charged: Charged | None = None,
        retry: Retry | None = None,
        vendor_code: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        """One plain sentence: lower case, no full stop."""
        self.hint = hint
        """The next thing to type or to do; may be empty."""
        self.charged: Charged = charged or self.default_charged
        self.retry: Retry = retry or self.default_retry
        self.vendor_code = vendor_code
        """The provider's own machine-readable code, where it gave one."""
        self.retry_after = retry_after
        """Seconds that the provider asked flux to wait, where it did."""


class UsageError(FluxError):
    """A bad option, value or file, or something the provider does not offer."""

    code = "usage"
    exit_code = 2
    default_charged = "no"
    default_retry = "never"


class ConfigError(UsageError):
    """The config file cannot be read or holds something it should not."""


class AuthError(FluxError):
    """There is no key, or the provider refused it."""

    code = "auth"
    exit_code = 3
    default_charged = "no"
    default_retry = "later"


class UnavailableError(FluxError):
    """The provider cannot be reached or is overloaded, and accepted nothing."""

    code = "unavailable"
    exit_code = 4
    default_charged = "no"
    default_retry = "safe"


class UnreachedError(UnavailableError):
    """There was no connection to the provider, so nothing was sent."""


class ModeratedError(FluxError):
    """The prompt or the image was blocked."""

    code = "moderated"
    exit_code = 5
    default_retry = "never"


class PaymentError(FluxError):
    """The account is out of credits."""

    code = "payment"
    exit_code = 6
    default_charged = "no"
    default_retry = "later"


class LimitError(PaymentError):
    """A job would pass a limit that the user has set; nothing was sent."""


class UnknownOutcomeError(FluxError):
    """A paid request may have been accepted, and nobody has told us."""

    code = "unknown"
    exit_code = 7
    default_retry = "never"


class LostReplyError(UnknownOutcomeError):
    """A request went out and no answer came back.

    ``refusal`` is what a later repeat of the same request was told, if there was one. It does not settle the
    question: the first attempt may have been accepted all the same.
    """

    def __init__(self, message: str, *, hint: str = "", refusal: FluxError | None = None) -> None:
        super().__init__(message, hint=hint, vendor_code=refusal.vendor_code if refusal else "")
        self.refusal = refusal


class PendingError(FluxError):
    """The job is not finished yet."""

    code = "pending"
    exit_code = 8
    default_charged = "unknown"
    default_retry = "never"


class PartialError(FluxError):
    """Some images of a job were made and some were not."""

    code = "partial"
    exit_code = 9
    default_charged = "unknown"
    default_retry = "never"


class UnsavedError(FluxError):
    """The image was made and paid for but is not on disk."""

    code = "unsaved"
    exit_code = 10
    default_charged = "yes"
    default_retry = "never"


class RefusedError(FluxError):
    """The provider said no in a way that no other class covers, or the job failed there."""


class NotFoundError(FluxError):
    """The provider does not know the job (or no longer does)."""

    default_retry = "never"


class LinkError(NotFoundError):
    """The link to an image answers 403 or 404: it is not there yet, or not any more."""


class ProtocolError(FluxError):
    """An answer whose shape or values are not what the provider documents."""


class LedgerError(FluxError):
    """The local database of jobs cannot be opened or written."""

    default_charged = "no"


class OutputError(FluxError):
    """Standard output is closed or full, so what a command is about could not be printed."""

    default_retry = "never"


class Interrupted(BaseException):
    """A signal arrived, or whoever read our output went away.

    Not an ``Exception``, so that no handler for ordinary failures swallows it.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum
        """The signal's number; ``128 + signum`` is what a shell will report."""


def tree() -> dict[str, type[FluxError]]:
    """Return every error class by name, the base first."""
    found: dict[str, type[FluxError]] = {"FluxError": FluxError}
    queue: list[type[FluxError]] = [FluxError]
    while queue:
        for child in queue.pop(0).__subclasses__():
            found[child.__name__] = child
            queue.append(child)
    return found


def describe(error: FluxError) -> dict[str, str]:
    """Return an error as plain data; `rebuild` undoes it."""
    return {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "charged": error.charged,
        "retry": error.retry,
    }


def rebuild(fields: dict[str, str]) -> FluxError:
    """Return the error that was once written down as ``code``, ``message``, ``hint``, ``charged`` and ``retry``."""
    by_code = {kind.code: kind for kind in reversed(tree().values()) if kind is not LostReplyError}
    kind = by_code.get(fields.get("code", ""), FluxError)
    error = kind(fields.get("message", ""), hint=fields.get("hint", ""))
    if fields.get("charged") in {"yes", "no", "unknown"}:
        error.charged = fields["charged"]  # type: ignore[assignment]
    if fields.get("retry") in {"safe", "never", "later"}:
        error.retry = fields["retry"]  # type: ignore[assignment]
    return error
