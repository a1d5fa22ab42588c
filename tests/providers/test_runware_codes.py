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

FAMILIES = {
    "quota": (
        PaymentError,
        "insufficientCredits insufficientBalance invalidQuota quotaExceeded paymentRequired environmentPaused",
    ),
    "rate limit": (UnavailableError, "rateLimitExceeded providerRateLimit"),
    "safety": (
        ModeratedError,
        (
            "contentPolicyViolation providerContentPolicyViolation sensitiveContentDetected unsafeContentDetected "
            "nsfwContentDetected promptBlocked imageBlocked moderationFailed invalidProviderContent"
        ),
    ),
    "auth": (
        AuthError,
        (
            "unauthorized forbidden permissionDenied insufficientPermissions authenticationFailed authFailed "
            "authTimeout invalidAuthentication invalidCredentials missingAuthentication tokenExpired tokenInvalid "
            "tokenMissing tokenRevoked accountSuspended accountDisabled organizationSuspended organizationDisabled "
            "workspaceSuspended workspaceDisabled invalidApiKey missingApiKey"
        ),
    ),
    "time-out": (RefusedError, "timeoutProvider inferenceTimeout"),
    "not found": (NotFoundError, "taskCancelled taskFailedOrNotFound unknownModel modelNotFound imageExpired"),
    "server": (
        RefusedError,
        (
            "internalServerError serviceUnavailable serverUnavailable standardError unknownError undefinedError "
            "defaultError unrecognizedResponse errorRetrievingAccountManagement"
        ),
    ),
    "upstream": (
        RefusedError,
        (
            "inferenceError processingFailed taskFailed downloadFailed uploadFailed noAvailableServer modelUnavailable "
            "modelDisabled modelNotReady mediaStorageFileCouldNotBeMoved"
        ),
    ),
    "upstream, not our account": (
        RefusedError,
        (
            "providerError providerUnauthorized providerForbidden providerInvalidApiKey providerInsufficientCredits "
            "providerQuotaExceeded providerNotFound"
        ),
    ),
    "validation": (
        UsageError,
        (
            "invalidModel missingPositivePrompt conflictParams duplicateTask unsupportedSize valueTooLarge "
            "arrayTooLong maxResults seedConflict unknownParameter incompatibleParameters "
            "mismatchProviderSettingsProvider unknownProviderSettingsProvider validationFailed"
        ),
    ),
    "none": (RefusedError, "conflictTaskUUID odd"),
}


@pytest.mark.parametrize(
    ("code", "kind"), [(code, kind) for kind, codes in FAMILIES.values() for code in codes.split()]
)
def test_a_code_is_read_by_its_family(reply, code, kind):
    error = PROVIDER.refusal(reply({"errors": [{"code": code, "message": "Why not."}]}, 400))

    assert type(error) is kind
    assert (error.message, error.vendor_code) == ("runware: Why not", code)


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("invalidProviderContent", 403, ModeratedError),
        ("providerUnauthorized", 401, RefusedError),
        ("providerForbidden", 403, RefusedError),
        ("providerInsufficientCredits", 402, RefusedError),
        ("insufficientCredits", 429, PaymentError),
        ("invalidSession", 401, AuthError),
    ],
)
def test_a_code_that_is_known_counts_for_more_than_the_status(reply, code, status, kind):
    assert type(PROVIDER.refusal(reply({"errors": [{"code": code, "message": "x"}]}, status))) is kind


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        ("providerError", "Your request was blocked by the content policy.", ModeratedError),
        ("inferenceError", "Request Moderated", ModeratedError),
        ("invalidPositivePrompt", "the prompt violates the content policy", ModeratedError),
        ("inferenceTimeout", "the safety filter took too long", ModeratedError),
        ("CONTENT_MODERATED", "try another one", ModeratedError),
        ("odd", "The image was flagged as unsafe.", ModeratedError),
        ("", "nsfw content", ModeratedError),
        ("invalidApiKey", "the account violates the content policy", AuthError),
        ("insufficientCredits", "moderated accounts pay first", PaymentError),
        ("rateLimitExceeded", "too many moderated requests", UnavailableError),
        ("providerError", "out of memory", RefusedError),
    ],
)
def test_a_message_that_says_that_the_content_was_blocked_is_believed(reply, code, text, kind):
    """Unless the code speaks of the account: it is never safe to ask again for what was blocked."""
    error = PROVIDER.refusal(reply({"errors": [{"code": code, "message": text}]}, 400))

    assert type(error) is kind
    assert kind is not ModeratedError or error.retry == "never"


@pytest.mark.parametrize(
    "parameter", ["safety.checkContent", ["safety.checkContent"], ["safety", "safety.checkContent"]]
)
def test_the_name_of_a_field_is_no_sign_of_a_block(reply, parameter):
    told = {"code": "invalidCheckContent", "message": "safety.checkContent must be a boolean", "parameter": parameter}

    assert type(PROVIDER.refusal(reply({"errors": [told]}, 400))) is UsageError


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
