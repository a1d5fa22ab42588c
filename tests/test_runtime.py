"""The composition root: what is built when, from what."""

from __future__ import annotations

import re

import pytest

from flux_cli.display.output import Human, Json
from flux_cli.display.plain import NoProgress, PlainProgress
from flux_cli.display.progress import LiveProgress
from flux_cli.runtime import Flags, Runtime, new_id, new_seed
from tests.conftest import Stream


def test_ids_are_short_and_typed_easily():
    """Eight letters and digits that are not confused, the first a letter; a thousand are a thousand."""
    ids = {new_id() for _ in range(1000)}

    assert len(ids) == 1000
    assert all(re.fullmatch(r"[a-z][a-z2-9]{7}", one) and not re.search("[ilo]", one) for one in ids)


def test_drawn_seeds_fit_everywhere():
    """1 to 2^31-1."""
    assert all(1 <= new_seed() < 2**31 for _ in range(1000))


@pytest.mark.parametrize(
    ("flags", "tty", "term", "kind"),
    [
        ({}, True, "xterm", LiveProgress),
        ({}, False, "xterm", PlainProgress),
        ({}, True, "dumb", PlainProgress),
        ({"verbose": True}, True, "xterm", PlainProgress),
        ({"quiet": True}, True, "xterm", NoProgress),
        ({"json": True}, False, "xterm", PlainProgress),
    ],
)
def test_which_progress(flags, tty, term, kind):
    """Live on a terminal that can, lines elsewhere and beside -v, nothing with --quiet."""
    runtime = Runtime(stderr=Stream(tty=tty), environ={"TERM": term}, flags=Flags(**flags))

    assert type(runtime.progress()) is kind


def test_which_output():
    """--json decides, also when it is read late."""
    runtime = Runtime(stdout=Stream(), stderr=Stream())

    assert isinstance(runtime.output, Human)
    runtime.flags.json = True
    assert isinstance(runtime.output, Json)


def test_nothing_is_built_that_was_not_wanted(home):
    """A runtime that was made and closed has touched no file."""
    Runtime(stdout=Stream(), stderr=Stream()).close()

    assert list(home.iterdir()) == []


def test_the_sandbox_sends_nothing_to_the_network(flux):
    """Whatever connects to the network is never asked for in the sandbox."""

    def network():
        raise AssertionError

    assert flux("generate", "a fox", "--sandbox", connect=network).code == 0


def test_what_is_handed_in_is_what_connects(flux, monkeypatch):
    """``connect`` stands in for the network."""
    import httpx

    asked = []

    def handle(request):
        asked.append(request.url.host)
        return httpx.Response(401, json={"code": "UNAUTHORIZED", "message": "no"})

    monkeypatch.setenv("RUNFLOW_API_KEY", "made-up")

    done = flux("generate", "a fox", connect=lambda: httpx.MockTransport(handle))

    assert done.code == 3
    assert asked == ["api.runflow.io"]


def test_a_host_that_cannot_be_reached(flux, monkeypatch):
    """Exit 4 after a few tries; nothing was accepted, and the ledger says failed."""
    import httpx

    asked = []

    def handle(request):
        asked.append(request.method)
        raise httpx.ConnectError("no route", request=request)

    monkeypatch.setenv("RUNCOMFY_TOKEN", "made-up")

    done = flux("generate", "a fox", "--json", connect=lambda: httpx.MockTransport(handle))

    assert done.code == 4
    assert (done.object["status"], done.object["error"]["charged"]) == ("failed", "no")
    assert asked == ["POST"] * 3


def test_a_ledger_that_cannot_be_written(flux, home):
    """Nothing is sent where a job cannot be written down first."""
    state = home / ".local" / "state"
    state.parent.mkdir()
    state.write_text("in the way")

    done = flux("generate", "a fox", "--sandbox")

    assert done.code == 1
    assert "ledger" in done.err
    assert "hint: " in done.err


def test_a_defect_shows_no_traceback(clock, monkeypatch):
    """Whatever goes wrong inside comes out as one line; FLUX_DEBUG=1 lets it through."""
    from flux_cli.cli import main

    def broken():
        raise ZeroDivisionError("of all things")

    err = Stream()
    runtime = Runtime(stdin=Stream(), stdout=Stream(), stderr=err, clock=clock, new_id=broken)

    assert main(["generate", "a fox", "--sandbox"], runtime) == 1
    shown = err.bytes.getvalue().decode()
    assert "unexpected ZeroDivisionError: of all things" in shown
    assert "Traceback" not in shown
    monkeypatch.setenv("FLUX_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        main(["generate", "a fox", "--sandbox"], Runtime(stdout=Stream(), stderr=Stream(), clock=clock, new_id=broken))


def test_the_first_job_in_the_sandbox_is_expected_when_it_is_configured_to_be_done(flux, clock, monkeypatch):
    """FLUX_SANDBOX_SECONDS stands in for what a real provider would have taught us."""
    monkeypatch.setenv("FLUX_SANDBOX_SECONDS", "0.4")

    assert flux("generate", "a fox", "--sandbox").code == 0

    assert clock.slept == [pytest.approx(0.4, abs=0.01)]
