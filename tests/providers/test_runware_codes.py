"""Runware's families of error codes, in the order in which the vendor's own client sorts them."""

from __future__ import annotations

import pytest

from flux_cli.errors import (
    AuthError,
    ModeratedError,
    NotFoundError,
    PaymentError,
    RefusedError,
    UnavailableError,
    UsageError,
)
from flux_cli.providers.runware import PROVIDER


@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        (PaymentError, "insufficientCredits quotaExceeded insufficientBalance invalidQuota"),
        (UnavailableError, "rateLimitExceeded providerRateLimit"),
        (
            ModeratedError,
            "contentPolicyViolation providerContentPolicyViolation sensitiveContentDetected unsafeContentDetected",
        ),
        (ModeratedError, "nsfwContentDetected promptBlocked imageBlocked moderationFailed"),
        (
            AuthError,
            "invalidApiKey missingApiKey unauthorized forbidden tokenExpired accountSuspended organizationDisabled",
        ),
        (AuthError, "workspaceSuspended"),
        (RefusedError, "timeoutProvider inferenceTimeout conflictTaskUUID"),
        (NotFoundError, "modelNotFound imageExpired taskCancelled taskFailedOrNotFound"),
        (
            RefusedError,
            "providerError inferenceError taskFailed noAvailableServer modelUnavailable modelDisabled",
        ),
        (RefusedError, "modelNotReady odd"),
        (UsageError, "invalidModel missingPositivePrompt conflictParams duplicateTask unsupportedSize maxResults"),
    ],
    ids=lambda value: getattr(value, "__name__", None) or value.split()[0],
)
def test_a_code_is_read_by_its_family(reply, kind, codes):
    for code in codes.split():
        error = PROVIDER.refusal(reply({"errors": [{"code": code, "message": "Why not."}]}, 400))

        assert type(error) is kind, code
        assert (error.message, error.vendor_code) == ("runware: Why not", code)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, AuthError), (402, PaymentError), (403, AuthError), (404, NotFoundError), (429, UnavailableError)],
)
@pytest.mark.parametrize(
    "body", [{"errors": [{"code": "neverHeardOf", "message": "x"}]}, {}, {"error": "x"}, b"<html>"]
)
def test_the_status_speaks_where_the_code_does_not(reply, status, kind, body):
    assert type(PROVIDER.refusal(reply(body, status))) is kind


@pytest.mark.parametrize("status", [200, 301, 500, 503, 504])
def test_only_a_4xx_is_a_refusal(reply, status):
    assert PROVIDER.refusal(reply({"errors": [{"code": "queueFull"}]}, status)) is None


def test_the_older_shape_of_an_error_is_read(reply):
    assert type(PROVIDER.refusal(reply({"error": {"code": "invalidApiKey", "message": "x"}}, 401))) is AuthError


def test_a_code_of_control_characters_is_shown_not_obeyed(reply):
    error = PROVIDER.refusal(reply({"errors": [{"code": "\x1b[2J", "message": "\x1b]0;x\x07"}]}, 400))

    assert error.message.isprintable()
    assert error.vendor_code.isprintable()
