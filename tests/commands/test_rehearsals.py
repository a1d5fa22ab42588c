"""How a job ends: every rehearsal of the sandbox at every provider, and the verdict on several jobs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flux_cli.errors import ModeratedError, PartialError, RefusedError, UnsavedError
from flux_cli.providers import NAMES
from flux_cli.runs.outcome import exit_code_for

PROVIDERS = NAMES


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_wait_ends_and_the_job_goes_on(flux, provider):
    """--timeout: exit 8, how to come back, and coming back works."""
    done = flux("generate", "sandbox:slow", "--sandbox", "-p", provider, "--timeout", "2", "-q")

    assert (done.code, done.out) == (8, "")
    (job,) = re.findall(r"`flux result --wait (\w+)`", done.err)
    assert flux("result", "--wait", job, "--sandbox").code == 0


REHEARSALS = {
    "moderated": 5,
    "fail": 1,
    "unauthorized": 3,
    "credits": 6,
    "rate-limit": 4,
    "lost-reply": 7,
    "lost-replies": 7,
    "cancelled": 1,
    "slow": 0,
    "never": 8,
    "bad-image": 10,
    "broken-download": 0,
    "nsfw": 0,
}
"""Exit codes by rehearsal."""
REPEATED = {"apiframe", "runware"}
"""Who has a handle that makes it safe to repeat a submit whose reply was lost."""


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("word", REHEARSALS)
def test_rehearsals_end_as_documented(flux, provider, word):
    """Every rehearsal ends in its exit code; a failure is one line with one hint, and its --json agrees."""
    code = 0 if word == "lost-reply" and provider in REPEATED else REHEARSALS[word]

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


def job_of(done) -> dict:
    return done.objects[-1]


@pytest.mark.parametrize(
    ("provider", "word", "charged", "usd"),
    [
        ("runflow", "cancelled", "yes", 0.06),
        ("runcomfy", "cancelled", "no", 0.0),
        ("runflow", "fail", "no", 0.0),
        ("runcomfy", "fail", "no", 0.0),
        ("runflow", "moderated", "no", 0.0),
        ("runcomfy", "moderated", "no", 0.0),
        ("apiframe", "moderated", "no", 0.0),
        ("apiframe", "cancelled", "no", 0.0),
        ("runware", "cancelled", "unknown", None),
    ],
)
def test_what_a_job_without_an_image_cost(flux, provider, word, charged, usd):
    """Told as charged where the host tells a cost, as not charged where it tells that there was none; and summed up."""
    told = flux("generate", f"sandbox:{word}", "--sandbox", "-p", provider, "--json").object
    spend = flux("status", "--spend", "--sandbox", "--json").objects[-1]

    assert told["error"]["charged"] == charged
    estimated = 0.06 if charged == "unknown" else None
    assert (spend["usd"], spend["estimated_usd"], spend["unknown"]) == (usd, estimated, 0)


def test_a_cancel_that_was_charged_is_told_in_plain_words(flux):
    """Also when it is asked for later."""
    done = flux("generate", "sandbox:cancelled", "--sandbox", "-p", "runflow", "-q")
    later = flux("result", "@1", "--sandbox")

    assert done.err.splitlines()[-1] == later.err.splitlines()[-1] == "charged: yes"


@pytest.mark.parametrize("seed", range(1, 13))
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_blocked_row_is_not_bought_again_in_whatever_words_it_was_blocked(flux, provider, seed):
    """Moderated (5), not in the file of rows to retry, and not bought by --resume; the words vary with the seed."""
    Path("p.jsonl").write_text(f'{{"prompt": "sandbox:moderated", "seed": {seed}}}\n', "utf-8")
    batch = ("generate", "--batch", "p.jsonl", "--sandbox", "-p", provider, "--json")

    first = flux(*batch)
    again = flux(*batch, "--resume")

    assert first.code == 5
    assert job_of(first)["error"]["retry"] == "never"
    assert not Path("p.jsonl.failed.jsonl").exists()
    assert len(flux("status", "--sandbox", "--json").objects) == 1, again


def test_a_broken_download_is_saved_whole(flux):
    """It is taken up where it stopped, without a word."""
    done = flux("generate", "sandbox:broken-download", "--sandbox", "-p", "runcomfy", "-m", "pro", "-q")

    assert (done.code, done.err) == (0, "")
    assert Path(done.lines[0]).read_bytes().endswith(b"IEND\xaeB`\x82")


@pytest.mark.parametrize(
    ("provider", "status"),
    [("runflow", "succeeded"), ("apiframe", "succeeded"), ("runware", "succeeded"), ("fal", "succeeded")],
)
def test_a_job_whose_replies_stay_lost_is_found_later(flux, clock, provider, status):
    """Exit 7; once it can be looked for, it is found under its label or its id, and nothing is bought again."""
    lost = flux("generate", "sandbox:lost-replies", "--sandbox", "-p", provider, "--json").object
    clock.sleep(10)

    found = flux("status", lost["id"], "--sandbox", "--json").object

    assert (lost["status"], lost["error"]["charged"]) == ("unknown", "unknown")
    assert found["status"] == status


def test_a_job_that_cost_more_than_expected_is_noted_once(flux, config):
    """When its image is saved first; of several jobs at the same price once, and never where it cost no more."""
    config("[providers.runware.price]\nultra = 0.05\npro = 0.04\n")
    note = "flux: note: runware charged $0.06 for a job with flux-1.1-pro-ultra, $0.05 was expected; "

    one = flux("generate", "a fox", "--sandbox")
    again = flux("result", "@1", "--sandbox", "-o", "again/")
    Path("p.txt").write_text("a fox\nan owl\na heron\n", "utf-8")
    several = flux("generate", "--batch", "p.txt", "--sandbox")
    fair = flux("generate", "a fox", "--sandbox", "-m", "pro")

    assert [run.err.count(note) for run in (one, again, several, fair)] == [1, 0, 1, 0]
    assert "`flux providers runware` shows the prices that flux expects" in one.err
    assert "--check" not in one.err  # Runware publishes no prices


def test_the_check_tells_what_it_found(flux):
    """--check-content with a rehearsed hit is told as ``nsfw``, and the image is saved all the same."""
    told = flux("generate", "sandbox:nsfw", "--sandbox", "--check-content", "--json").object

    assert told["images"][0]["nsfw"] is True
    assert Path(told["images"][0]["path"]).is_file()


def test_the_verdict_on_several_jobs():
    """Their code where they agree, 9 where some went well, 1 where they failed for different reasons."""
    fine, blocked, failed, unsaved = None, ModeratedError("m"), RefusedError("r"), UnsavedError("u")

    assert exit_code_for([]) == 0
    assert exit_code_for([fine, fine]) == 0
    assert exit_code_for([blocked, blocked]) == 5
    assert exit_code_for([fine, blocked]) == 9
    assert exit_code_for([fine, blocked, failed]) == 9
    assert exit_code_for([PartialError("p"), failed]) == 9
    assert exit_code_for([blocked, failed]) == 1
    assert exit_code_for([unsaved, blocked]) == 1
