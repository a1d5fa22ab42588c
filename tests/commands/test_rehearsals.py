"""How a job ends: every rehearsal of the sandbox at every provider, and the verdict on several jobs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flux_cli.commands.options import verdict
from flux_cli.errors import ModeratedError, PartialError, RefusedError, UnsavedError

PROVIDERS = ("runcomfy", "runflow", "apiframe", "runware")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_wait_ends_and_the_job_goes_on(flux, provider):
    """--timeout: exit 8, how to come back, and coming back works."""
    done = flux("generate", "sandbox:slow", "--sandbox", "-p", provider, "--timeout", "2", "-q")

    assert (done.code, done.out) == (8, "")
    (job,) = re.findall(r"`flux result --wait (\w+)`", done.err)
    assert flux("result", "--wait", job, "--sandbox").code == 0


REHEARSALS = {
    "moderated": (5, 5, 5, 5),
    "fail": (1, 1, 1, 1),
    "unauthorized": (3, 3, 3, 3),
    "credits": (6, 6, 6, 6),
    "rate-limit": (4, 4, 4, 4),
    "lost-reply": (7, 7, 0, 0),
    "lost-replies": (7, 7, 7, 7),
    "cancelled": (1, 1, 1, 1),
    "slow": (0, 0, 0, 0),
    "never": (8, 8, 8, 8),
    "bad-image": (10, 10, 10, 10),
    "broken-download": (0, 0, 0, 0),
    "nsfw": (0, 0, 0, 0),
}
"""Exit codes by rehearsal, in the order of `PROVIDERS`. A lost reply is repeated where a handle makes that safe."""


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("word", REHEARSALS)
def test_rehearsals_end_as_documented(flux, provider, word):
    """Every rehearsal ends in its exit code; a failure is one line with one hint, and its --json agrees."""
    code = REHEARSALS[word][PROVIDERS.index(provider)]

    done = flux("generate", f"a fox sandbox:{word}", "--sandbox", "-p", provider, "--json")

    told = done.object
    assert done.code == code
    assert (told["error"] or {"exit_code": 0})["exit_code"] == code
    assert done.out.count("\n") == 1
    if code:
        assert told["error"]["message"]
        assert told["error"]["hint"]
        assert told["error"]["charged"] in {"yes", "no", "unknown"}
        assert told["error"]["retry"] in {"safe", "never", "later"}


@pytest.mark.parametrize("word", ["moderated", "unauthorized", "lost-reply", "bad-image", "never"])
def test_a_failure_in_plain_words(flux, word):
    """The same failures for people: one error, one hint, what is known of the charge; stdout empty."""
    done = flux("generate", f"sandbox:{word}", "--sandbox", "-p", "runflow", "-q")

    error, hint, charged = done.err.splitlines()
    assert error.startswith("flux: error: ")
    assert hint.startswith("hint: ")
    assert re.fullmatch("charged: (yes|no|unknown, runflow (does not say|has not said yet))", charged)
    assert done.out == ""


def test_the_check_tells_what_it_found(flux):
    """--check-content with a rehearsed hit is told as ``nsfw``, and the image is saved all the same."""
    told = flux("generate", "sandbox:nsfw", "--sandbox", "--check-content", "--json").object

    assert told["images"][0]["nsfw"] is True
    assert Path(told["images"][0]["path"]).is_file()


def test_the_verdict_on_several_jobs():
    """Their code where they agree, 9 where some went well, 1 where they failed for different reasons."""
    fine, blocked, failed, unsaved = None, ModeratedError("m"), RefusedError("r"), UnsavedError("u")

    assert verdict([]) == 0
    assert verdict([fine, fine]) == 0
    assert verdict([blocked, blocked]) == 5
    assert verdict([fine, blocked]) == 9
    assert verdict([fine, blocked, failed]) == 9
    assert verdict([PartialError("p"), failed]) == 9
    assert verdict([blocked, failed]) == 1
    assert verdict([unsaved, blocked]) == 1
