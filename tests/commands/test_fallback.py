"""``--fallback``: on to the next provider, but only after a failure that proves that nothing was accepted."""

from __future__ import annotations

import json
from functools import partial

import pytest

from flux_cli.sandbox.wire import Answer, LostReply

HEADERS = {"content-type": "application/json"}
REFUSALS = {
    "payment": Answer(
        status=402,
        headers=HEADERS,
        body=json.dumps({"errors": [{"code": "insufficientCredits", "message": "empty"}]}).encode(),
    ),
    "auth": Answer(
        status=401, headers=HEADERS, body=json.dumps({"errors": [{"code": "invalidApiKey", "message": "no"}]}).encode()
    ),
    "unavailable": Answer(
        status=429, headers=HEADERS, body=json.dumps({"errors": [{"code": "rateLimit", "message": "later"}]}).encode()
    ),
}


def at_runware(what, call):
    """Give ``what`` to every submit at Runware."""
    if call.host and "imageInference" in call.body.decode():
        if isinstance(what, Answer):
            return what
        raise what
    return None


@pytest.mark.parametrize("why", REFUSALS)
def test_a_provider_that_accepted_nothing_is_followed_by_the_next(flux, host, why):
    """Says which and why, and makes the same image there: same prompt, same seed."""
    host.script = partial(at_runware, REFUSALS[why])

    run = flux("generate", "a fox", "-p", "runware", "-s", "7", "--fallback", "runflow")

    assert (run.code, run.lines) == (0, ["a-fox-7.jpg"])
    assert "switching to runflow: runware:" in run.err
    assert host.accepted("runflow") == 1
    assert host.accepted("runware") == 0
    assert [(job["provider"], job["status"]) for job in flux("status", "--json").objects] == [
        ("runflow", "succeeded"),
        ("runware", "failed"),
    ]


@pytest.mark.parametrize(
    "answer",
    [
        LostReply(),
        Answer(status=500, headers=HEADERS, body=b"{}"),
        Answer(status=400, headers=HEADERS, body=b'{"errors": []}'),
    ],
)
def test_nothing_is_bought_elsewhere_where_a_job_may_have_been_accepted(flux, host, answer):
    host.script = partial(at_runware, answer)

    run = flux("generate", "a fox", "-p", "runware", "--fallback", "runflow")

    assert run.code in {2, 7}
    assert host.paid["runflow"] == 0


def test_every_image_of_a_job_is_made_at_the_next_provider(flux, host):
    """One job of three images becomes three jobs where the API makes one image a job; the seeds stay."""
    host.script = partial(at_runware, REFUSALS["payment"])

    run = flux("generate", "a fox", "-p", "runware", "-n", "3", "-s", "7", "--fallback", "runcomfy", "-q")

    assert (run.code, sorted(run.lines)) == (0, ["a-fox-7.png", "a-fox-8.png", "a-fox-9.png"])


def test_the_last_provider_has_the_last_word(flux, host):
    def nowhere(call):
        return Answer(
            status=402,
            headers=HEADERS,
            body=b'{"error": "Insufficient credits", "errors": [{"code": "insufficientCredits"}]}',
        )

    host.script = nowhere

    run = flux("generate", "a fox", "-p", "runware", "--fallback", "runflow,apiframe")

    assert run.code == 6
    assert run.err.count("switching to") == 2
    assert run.err.count("flux: error:") == 1


def test_in_json_the_job_that_counts_is_the_one_that_is_told(flux, host):
    host.script = partial(at_runware, REFUSALS["payment"])

    run = flux("generate", "a fox", "-p", "runware", "--fallback", "apiframe", "--json")

    assert (run.code, run.object["provider"], run.object["status"]) == (0, "apiframe", "succeeded")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--fallback", "runflow", "--raw"], "runflow has no --raw"),
        (["--fallback", "runflow", "--size", "2048x2048"], "runflow has no --size for flux-1.1-pro-ultra"),
        (["--fallback", "runwear"], "there is no provider 'runwear'"),
        (["--fallback", "runware"], "each other provider once"),
        (["--fallback", "runflow,runflow"], "each other provider once"),
    ],
)
def test_every_target_is_checked_before_the_first_send(flux, host, arguments, told):
    run = flux("generate", "a fox", "-p", "runware", *arguments)

    assert run.code == 2
    assert told in run.err
    assert not host.requests


def test_a_target_without_a_key_is_an_error_before_the_first_send(flux, host, monkeypatch):
    monkeypatch.delenv("RUNFLOW_API_KEY")

    run = flux("generate", "a fox", "-p", "runware", "--fallback", "runflow")

    assert run.code == 3
    assert "no key for runflow" in run.err
    assert not host.requests


def test_the_config_may_name_targets_the_first_choice_among_them(flux, host, config):
    config('default_provider = "runware"\n[generate]\nfallback = "runware,apiframe"\n')
    host.script = partial(at_runware, REFUSALS["auth"])

    assert flux("generate", "a fox", "-q").code == 0
    assert host.accepted("apiframe") == 1
