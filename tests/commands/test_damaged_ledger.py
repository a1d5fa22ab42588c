"""While part of a damaged ledger could not be read, nothing that it guards is taken for granted."""

from __future__ import annotations

from pathlib import Path

import pytest

from flux_cli.config.paths import state_path

FOX = ("generate", "a fox", "-p", "runware", "-q")


@pytest.fixture
def batch() -> str:
    Path("foxes.txt").write_text("a fox\nan owl\n", "utf-8")
    return "foxes.txt"


@pytest.fixture
def damaged(flux, host, batch) -> None:
    """Buy under a name and from a file, and then lose the ledger."""
    assert flux(*FOX, "--once", "cover").code == 0
    assert flux("generate", "-b", batch, "-p", "runware", "-q").code == 0
    (state_path() / "ledger.sqlite3").write_bytes(b"noise" * 1000)
    host.paid.clear()


GUARDED = {
    "a name": ([*FOX, "--once", "cover"], "", "--once cover"),
    "a limit of a run": ([*FOX, "--max-cost", "9"], "", "--max-cost 9"),
    "a budget": ([*FOX], "[budget]\ndaily = 9\n", "budget.daily"),
    "the rest of a batch": (["generate", "-b", "foxes.txt", "-p", "runware", "--resume"], "", "--resume"),
    "a batch that may have been made": (
        ["generate", "-b", "foxes.txt", "-p", "runware"],
        "",
        "--batch without --again",
    ),
}


@pytest.mark.parametrize(("line", "configured", "what"), GUARDED.values(), ids=GUARDED)
def test_what_the_ledger_guards_is_refused_until_the_loss_is_accepted(
    flux, host, damaged, config, line, configured, what
):
    """Exit 2 with nothing sent, however often; the message says how to go on, and what it says works."""
    config(configured)

    refused = [flux(*line), flux(*line)]
    paid = dict(host.paid)
    accepted = flux("status", "--accept-loss")
    after = flux(*line)

    assert [one.code for one in refused] == [2, 2]
    assert f"{what} cannot be relied on" in refused[1].err
    assert "`flux status --accept-loss` continues without the rest" in refused[1].err
    assert "charged: no" in refused[1].err
    assert paid == {}
    assert accepted.code == 0
    file, said = accepted.lines[0].split("\t")
    assert (Path(file).read_bytes(), said) == (b"noise" * 1000, "accepted")
    assert after.code == 0


@pytest.mark.parametrize("line", [[*FOX], ["generate", "-b", "foxes.txt", "-p", "runware", "--again"], ["status"]])
def test_what_needs_no_memory_goes_on(flux, damaged, line):
    first = flux(*line)

    assert first.code == 0
    assert "warning: the job ledger was damaged" in first.err
    assert "refused until you type `flux status --accept-loss`" in first.err


def test_the_sums_say_that_they_lack_something(flux, damaged):
    flux("status")
    lacking = flux("status", "--spend")
    flux("status", "--accept-loss")

    assert "warning: the job ledger was damaged: these totals lack" in lacking.err
    assert flux("status", "--spend").err == ""


def test_without_damage_there_is_nothing_to_accept(flux):
    done = flux("status", "--accept-loss")

    assert (done.code, done.out) == (0, "")
    assert done.err == "flux: note: nothing is missing from the job ledger\n"


def test_a_loss_is_accepted_by_a_command_of_its_own(flux, damaged):
    assert flux("status", "--accept-loss", "--spend").code == 2
    assert flux(*FOX, "--once", "cover").code == 2
