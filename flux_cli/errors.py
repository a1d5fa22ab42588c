"""Define every error, each with an exit code that scripts can rely on.

::

    FluxError                  failed       1
     +- UsageError             usage        2   nothing was sent
     |   +- ConfigError        usage        2   nothing was sent
     +- AuthError              auth         3   no key, or the provider refused it
     +- UnavailableError       unavailable  4   nothing was accepted
     |   +- UnreachedError     unavailable  4   nothing was even sent: no connection
     +- ModeratedError         moderated    5   prompt or image was blocked
     +- PaymentError           payment      6   out of credits
     |   +- LimitError         payment      6   over a limit that you set; nothing was sent
     +- UnknownOutcomeError    unknown      7   the job may have been accepted
     |   +- LostReplyError     unknown      7   a request was sent, but no answer came
     +- PendingError           pending      8   not finished yet
     +- PartialError           partial      9   some images were made, some were not
     +- UnsavedError           unsaved     10   made and paid for, but not on disk
     +- RefusedError           failed       1   the provider said no, or the job failed
     +- NotFoundError          failed       1   the provider does not know the job
     |   +- LinkError          failed       1   the link to an image is refused: too early, or too late
     +- ProtocolError          failed       1   an answer that cannot be understood
     +- LedgerError            failed       1   the local job database cannot be used
     +- OutputError            failed       1   standard output is closed or full

    Interrupted (BaseException)                 a signal, or the reader of the output has gone

``charged`` and ``retry`` answer two questions: was the job billed, and is it safe to run the command again?
"""

from __future__ import annotations

from typing import ClassVar, Literal

Charged = Literal["yes", "no", "unknown"]
Retry = Literal["safe", "never", "later"]


class FluxError(Exception):
    """An error that flux can explain in one line."""

    code: ClassVar[str] = "failed"
    exit_code: ClassVar[int] = 1
    meaning: ClassVar[str] = "the job failed, or the provider refused it for a reason not listed below"
    """When it happens, for people."""
    advice: ClassVar[str] = "read `message`; repeat only if `retry` is `safe`, as a new paid job"
    """What a script or an agent should do then."""
    default_charged: ClassVar[Charged] = "unknown"
    default_retry: ClassVar[Retry] = "safe"
    docs: ClassVar[str | None] = "exit-codes"
    """The topic of ``flux help`` that explains it; ``None`` if only the message does."""

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
        """One sentence, in lower case and without a full stop."""
        self.hint = hint
        """What to do or type next; may be empty."""
        self.charged: Charged = charged or self.default_charged
        self.retry: Retry = retry or self.default_retry
        self.vendor_code = vendor_code
        """The provider's own error code, if there is one."""
        self.retry_after = retry_after
        """Seconds that the provider asked flux to wait, where it did."""


class UsageError(FluxError):
    """A bad option, value or file, or something the provider does not offer."""

    code = "usage"
    exit_code = 2
    meaning = "a bad option, value, file or setting, or something that the provider does not offer; nothing was sent"
    advice = "correct the command as `hint` says"
    default_charged = "no"
    default_retry = "never"
    docs: ClassVar[str | None] = None


class ConfigError(UsageError):
    """The config file cannot be read, or has invalid contents."""

    docs = "config"


class AuthError(FluxError):
    """There is no key, or the provider refused it."""

    code = "auth"
    exit_code = 3
    meaning = "there is no key, or the provider refused it"
    advice = "ask the user for a key; `--sandbox` needs none"
    default_charged = "no"
    default_retry = "later"
    docs = "environment"


class UnavailableError(FluxError):
    """The provider cannot be reached or is overloaded, and accepted nothing."""

    code = "unavailable"
    exit_code = 4
    meaning = "the provider cannot be reached or is overloaded; nothing was accepted"
    advice = "run the same command again later"
    default_charged = "no"
    default_retry = "safe"


class UnreachedError(UnavailableError):
    """There was no connection to the provider, so nothing was sent."""

    docs = "environment"


class ModeratedError(FluxError):
    """The prompt or the image was blocked."""

    code = "moderated"
    exit_code = 5
    meaning = "the prompt or the image was blocked"
    advice = "change the prompt or the image; the same one is blocked again"
    default_retry = "never"


class PaymentError(FluxError):
    """The account is out of credits."""

    code = "payment"
    exit_code = 6
    meaning = "the account is out of credits, or the job would exceed `--max-cost` or a budget"
    advice = "ask the user; do not raise a limit yourself"
    default_charged = "no"
    default_retry = "later"
    docs = "money"


class LimitError(PaymentError):
    """A job would exceed a limit that you set; nothing was sent."""


class UnknownOutcomeError(FluxError):
    """A paid request may have been accepted, but flux has no answer that says so."""

    code = "unknown"
    exit_code = 7
    meaning = "the job may have been accepted; the ledger keeps it, and the message says how to find out"
    advice = "never generate again; run the first of `commands`, or if there is none, tell the user what `hint` says"
    default_retry = "never"


class LostReplyError(UnknownOutcomeError):
    """A request was sent, but no answer came.

    ``refusal`` is the answer to a later repeat of the same request, if there was one. It settles nothing, because the
    first attempt may still have been accepted.
    """

    def __init__(self, message: str, *, hint: str = "", refusal: FluxError | None = None) -> None:
        super().__init__(message, hint=hint, vendor_code=refusal.vendor_code if refusal else "")
        self.refusal = refusal


class PendingError(FluxError):
    """The job is not finished yet."""

    code = "pending"
    exit_code = 8
    meaning = "the job is not finished yet; `flux result --wait JOB` waits for it"
    advice = "never generate again; `flux result --wait JOB` fetches the image"
    default_charged = "unknown"
    default_retry = "never"


class PartialError(FluxError):
    """Some images of a job were made and some were not."""

    code = "partial"
    exit_code = 9
    meaning = "of several jobs or images, some worked and some did not"
    advice = "read the line of each job, which has a `status` and an `error` of its own"
    default_charged = "unknown"
    default_retry = "never"
    docs = "batches"


class UnsavedError(FluxError):
    """The image was made and paid for but is not on disk."""

    code = "unsaved"
    exit_code = 10
    meaning = "the image was made and paid for but is not on disk; `flux result JOB` fetches it"
    advice = "never generate again; `flux result JOB` fetches the image"
    default_charged = "yes"
    default_retry = "never"


class RefusedError(FluxError):
    """The provider refused in a way that no other class covers, or the job failed."""


class NotFoundError(FluxError):
    """The provider does not know the job (or no longer does)."""

    default_retry = "never"


class LinkError(NotFoundError):
    """The link to an image answers 403 or 404: the image is not available yet, or no longer."""


class ProtocolError(FluxError):
    """An answer whose structure or values differ from the documentation."""


class LedgerError(FluxError):
    """The local database of jobs cannot be opened or written."""

    default_charged = "no"


class OutputError(FluxError):
    """Standard output is closed or full, so the result could not be printed."""

    default_retry = "never"


class Interrupted(BaseException):
    """A signal arrived, or the reader of the output has gone.

    Not an ``Exception``, so that no handler for ordinary errors catches it.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum
        """The signal's number; ``128 + signum`` is the exit code that a shell reports."""


def tree() -> dict[str, type[FluxError]]:
    """Return every error class by name, the base first."""
    found: dict[str, type[FluxError]] = {"FluxError": FluxError}
    queue: list[type[FluxError]] = [FluxError]
    while queue:
        for child in queue.pop(0).__subclasses__():
            found[child.__name__] = child
            queue.append(child)
    return found


def exit_codes() -> dict[int, type[FluxError]]:
    """Return the class that stands for each exit code of an error, in the order of the codes."""
    found: dict[int, type[FluxError]] = {}
    for kind in tree().values():
        found.setdefault(kind.exit_code, kind)
    return dict(sorted(found.items()))


def describe(error: FluxError) -> dict[str, str]:
    """Return an error as plain data, from which `rebuild` makes it again."""
    return {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "charged": error.charged,
        "retry": error.retry,
    }


def rebuild(fields: dict[str, str]) -> FluxError:
    """Return the error that `describe` turned into ``fields``."""
    by_code = {kind.code: kind for kind in reversed(tree().values()) if kind is not LostReplyError}
    kind = by_code.get(fields.get("code", ""), FluxError)
    error = kind(fields.get("message", ""), hint=fields.get("hint", ""))
    if fields.get("charged") in {"yes", "no", "unknown"}:
        error.charged = fields["charged"]  # type: ignore[assignment]
    if fields.get("retry") in {"safe", "never", "later"}:
        error.retry = fields["retry"]  # type: ignore[assignment]
    return error
