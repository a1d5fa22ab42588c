"""What a host without a code for it says of a blocked prompt or image, and what sounds like it and is none."""

from __future__ import annotations

import pytest

from flux_cli.errors import AuthError, ModeratedError, RefusedError, UsageError
from flux_cli.providers.refusals import error_for_status, is_moderation, job_failure

BLOCKED = [
    "CONTENT_MODERATED",
    "CONTENT_POLICY_VIOLATION",
    "contentPolicyViolation",
    "POLICY_VIOLATION",
    "NSFW_DETECTED",
    "nsfwContentDetected",
    "SAFETY_CHECK_FAILED",
    "SAFETY_VIOLATION",
    "PROMPT_BLOCKED",
    "promptBlocked",
    "PROMPT_REJECTED",
    "OUTPUT_FILTERED",
    "content-filter",
    "UNSAFE_CONTENT",
    "Request Moderated",
    "Content Moderated",
    "the request was blocked by the content policy",
    "Your prompt was flagged by our safety system.",
    "The input or output was flagged as sensitive. Please try again with different inputs. (E005)",
    "Generated image rejected by content filter",
    "this prompt violates our usage guidelines",
    "Image generation violated the Acceptable Use Policy",
    "The provider's policies do not allow this: violates terms",
    "it does not comply with our content guidelines",
    "your request was rejected for safety reasons",
    "the output was withheld",
    "the result was filtered",
    "Inappropriate content detected",
    "potentially sensitive content",
    "The prompt contains prohibited words",
    "Prompt is not allowed",
    "depictions of real people cannot be made",
    "possible copyright infringement",
    "blocked: nudity",
    "failed safety check",
    "risk control",
]
OTHER = [
    "",
    "INPUT_VALIDATION_FAILED",
    "the provider refused the input",
    "the model could not make the image",
    "MODEL_UNAVAILABLE",
    "TIMED_OUT",
    "out of memory",
    "image checksum mismatch",
    "unknown content type",
    "field names are case-sensitive",
    "the seed must be 1 or more",
    "only one image is allowed",
    "no GPU with enough memory; the queue is blocked",
    "the connection was rejected",
    "violates the schema: width must be at least 256",
    "prompt is too long",
    "inference_error",
    "retention policy",
    "invalid output format",
]


@pytest.mark.parametrize("words", BLOCKED)
def test_a_block_is_known_by_its_code_or_by_its_message(words):
    """In either place, and whatever stands in the other; it is never safe to ask again for the same."""
    by_code = job_failure("The run did not finish.", provider="runflow", vendor_code=words)
    by_message = job_failure(words, provider="runflow", vendor_code="INPUT_VALIDATION_FAILED")

    assert is_moderation(words)
    assert type(by_code) is type(by_message) is ModeratedError
    assert by_code.retry == by_message.retry == "never"


@pytest.mark.parametrize("words", OTHER)
def test_what_only_sounds_like_a_block_is_an_ordinary_failure(words):
    assert not is_moderation(words)
    assert type(job_failure(words, provider="runflow", vendor_code=words)) is RefusedError


def test_a_code_and_a_message_are_not_read_as_one_sentence():
    assert not is_moderation("INVALID_CONTENT", "policy of retention")


@pytest.mark.parametrize(
    ("status", "code", "text", "kind"),
    [
        (422, "CONTENT_MODERATED", "try another one", ModeratedError),
        (400, "X", "the prompt was rejected by the safety filter", ModeratedError),
        (409, "PROMPT_BLOCKED", "no", ModeratedError),
        (422, "VALIDATION_ERROR", "seed must be 1 or more", UsageError),
        (401, "UNAUTHORIZED", "the account was flagged", AuthError),
        (403, "PERMISSION_DENIED", "the account violates our terms", AuthError),
        (403, "CONTENT_MODERATED", "no", ModeratedError),
    ],
)
def test_a_refusal_of_the_submit_is_judged_the_same_way(reply, status, code, text, kind):
    error = error_for_status(reply({}, status), text, provider="runflow", vendor_code=code)

    assert type(error) is kind
    assert error.charged == "no"
