from __future__ import annotations

import re
import signal
import time
from pathlib import Path

import pytest

from flux_cli.providers import NAMES
from flux_cli.sandbox.world import World

PROMPTS = [f"fox {number}" for number in range(6)]
BATCH = ("generate", "--batch", "p.txt", "-p", "runcomfy", "-s", "7")


@pytest.fixture(autouse=True)
def prompts():
    Path("p.txt").write_text("".join(f"{prompt}\n" for prompt in PROMPTS), "utf-8")


@pytest.fixture
def finish(host, tmp_path):
    """Return what lets every job be done, and those that come later too."""

    def all_of_them() -> None:
        host.finish_jobs()
        now = lambda: time.time() + host.ahead  # noqa: E731 - as the host has it
        host.world = World(tmp_path / "host", now, 0.0, providers=NAMES, link_base=f"{host.root}/files")

    return all_of_them


def wait_for_jobs(host, number: int) -> None:
    """Wait until the host has accepted so many."""
    given_up = time.monotonic() + 30
    while host.accepted("runcomfy") < number and time.monotonic() < given_up:
        time.sleep(0.01)
    assert host.accepted("runcomfy") >= number


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_resume_after_a_signal_buys_each_row_once(start, warm, host, finish, ledger, number):
    """Whatever ends the process while rows are in flight: --resume brings all of them home, each bought once."""
    program = start(*BATCH, "-j", "2")
    wait_for_jobs(host, 2)
    known = ledger()
    while sum(job.remote_id is not None for job in known.active(sandbox=False)) < 2:
        time.sleep(0.01)
    program.signal(number)
    ended = program.end()
    finish()

    rest = warm(*BATCH, "-j", "6", "--resume")

    assert ended.code == -number
    assert ("`flux generate --batch p.txt --resume`" in ended.err) == (number != signal.SIGKILL)
    assert rest.code == 0, rest.err
    assert sorted(rest.lines) == [f"fox-{number}-7.png" for number in range(6)]
    assert sorted(job.prompt for job in host.world.jobs("runcomfy")) == PROMPTS


def test_resume_never_buys_a_row_whose_answer_was_lost(start, warm, host, finish):
    """Of that row nobody knows: it is named, and never bought again; the others are made."""
    held = host.hold("POST", "/v1/models/")
    program = start(*BATCH, "-j", "1")
    held.wait()
    program.signal(signal.SIGKILL)
    program.end()
    held.let_go()
    finish()

    rest = [warm(*BATCH, "-j", "6", "--resume") for _ in range(2)]

    assert [(one.code, len(one.lines)) for one in rest] == [(9, 5), (9, 0)]
    assert all("p.txt:1: " in one.err and "may have been accepted" in one.err for one in rest)
    assert host.paid["runcomfy"] == 6


def test_a_second_process_at_the_same_batch_is_refused(start, warm, host, finish):
    """The second one is refused, and told by whom; the first one goes on."""
    program = start(*BATCH)
    wait_for_jobs(host, 4)

    second = warm(*BATCH, "--resume")
    finish()
    first = program.end()

    assert (second.code, f"(process {program.process.pid})" in second.err) == (2, True)
    assert (first.code, host.paid["runcomfy"]) == (0, 6)


def test_resume_completes_a_batch_whose_reader_went_away(bash, warm, host, finish):
    """`| head -n 1` ends it, the rest is made with --resume, and nothing is lost or bought twice."""
    finish()

    bash("flux generate --batch p.txt -p runcomfy -s 7 -j 1 | head -n 1 >first; echo ${PIPESTATUS[0]}").end()
    rest = warm(*BATCH, "-j", "6", "--resume")

    assert (rest.code, len(list(Path().glob("*.png")))) == (0, 6), rest.err
    assert Path("first").read_text() == "fox-0-7.png\n"
    assert host.paid["runcomfy"] == 6


def test_a_batch_shows_a_bar_above_its_jobs(terminal, host, finish):
    """How far it is, what is in flight, what was spent; below it a line a job; in the end the paths and the sum."""
    shown = terminal(*BATCH, "-j", "3")
    shown.wait_for(lambda: sum("queued" in line for line in shown.screen) == 3)

    bar = shown.wait("0 of 6 done")
    jobs = [line for line in shown.screen if "queued" in line]
    finish()
    code = shown.end()

    assert "3 in flight" in bar
    assert len(jobs) == 3
    assert code == 0
    assert sorted(line for line in shown.screen if line.endswith(".png")) == [f"fox-{n}-7.png" for n in range(6)]
    assert re.search(r"flux: note: 6 of 6 jobs done", " ".join(shown.screen))
    assert not any("in flight" in line for line in shown.screen)
    assert not shown.cursor_hidden
