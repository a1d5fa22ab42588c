from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.bare import bare

GRACE = 5.0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_waiting_ends_the_program_and_leaves_the_job(start, host, number):
    """The job goes on, stderr says so and how to come back, and the program dies of the very signal."""
    program = start("generate", "-p", "runcomfy", "a red fox")
    program.err.wait("queued")

    program.signal(number)
    ended = program.end()

    (job,) = host.world.jobs("runcomfy")
    assert ended.code == -number
    assert ended.out == ""
    assert "continues at runcomfy and is billed" in ended.err
    assert "`flux result --wait " in ended.err
    assert "`flux cancel " in ended.err
    assert "Traceback" not in ended.err
    assert not job.cancelled


def test_the_command_in_the_hint_fetches_the_image(start, warm, host):
    """What stderr says after Ctrl-C can be typed as it is."""
    program = start("generate", "-p", "runflow", "a red fox")
    program.err.wait("queued")
    program.signal(signal.SIGINT)
    hint = program.end().err.splitlines()[-2]
    host.finish_jobs()

    ended = warm(*hint.split("`")[1].split()[1:])

    assert ended.code == 0, ended.err
    assert [bare(Path(ended.line).read_bytes())] == list(host.images.values())
    assert host.accepted("runflow") == 1


def test_ctrl_c_stops_a_shell_loop(bash, host):
    """Ctrl-C at a terminal ends the shell's loop too: no second job is bought."""
    Path("prompts.txt").write_text("a fox\nan owl\na hare\n")
    loop = bash('while read -r p; do flux generate -p runcomfy -- "$p"; done < prompts.txt; echo went on')
    loop.err.wait("queued")

    loop.signal_all(signal.SIGINT)
    ended = loop.end()

    assert ended.code == -signal.SIGINT
    assert ended.out == ""
    assert host.accepted("runcomfy") == 1


def test_a_signal_waits_for_the_answer_to_a_paid_request(start, host, ledger):
    """A paid request that has left is given time for its answer, so that the job's id is not lost."""
    held = host.hold("POST", "/v1/models/")
    program = start("generate", "-p", "runcomfy", "a red fox")
    held.wait()

    program.signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        program.process.wait(0.5)
    held.let_go()
    ended = program.end()

    (job,) = ledger().recent(sandbox=False, limit=9)
    assert ended.code == -signal.SIGINT
    assert [job.remote_id] == [one.id for one in host.world.jobs("runcomfy")]
    assert "continues at runcomfy" in ended.err


def test_a_paid_request_without_an_answer_is_unknown_after_five_seconds(start, host, ledger):
    """After five seconds the job is given up as unknown, and the program dies of the signal."""
    held = host.hold("POST", "/v1/models/")
    program = start("generate", "-p", "runcomfy", "a red fox")
    held.wait()

    began = time.monotonic()
    program.signal(signal.SIGINT)
    ended = program.end()

    (job,) = ledger().recent(sandbox=False, limit=9)
    assert ended.code == -signal.SIGINT
    assert GRACE - 0.5 < time.monotonic() - began < GRACE + 3
    assert job.status == "unknown"
    assert "may have been accepted" in ended.err
    assert host.paid["runcomfy"] == 1


def test_a_second_signal_ends_the_program_at_once(start, host, ledger):
    """Whoever presses again does not wait for the answer; the intent is in the ledger all the same."""
    held = host.hold("POST", "/v1/models/")
    program = start("generate", "-p", "runcomfy", "a red fox")
    held.wait()

    began = time.monotonic()
    while program.process.poll() is None:
        program.signal(signal.SIGINT)
    ended = program.end()

    (job,) = ledger().recent(sandbox=False, limit=9)
    assert ended.code == -signal.SIGINT
    assert time.monotonic() - began < GRACE / 2
    assert job.status in {"submitting", "unknown"}


def test_an_interrupted_download_leaves_no_file_and_can_be_repeated(start, warm, host):
    """An interrupted download leaves no part of a file, and the image can be had later."""
    held = host.hold("GET", "/0.png")
    program = start("generate", "-p", "runcomfy", "a red fox")
    program.err.wait("queued")
    host.finish_jobs()
    held.wait()

    program.signal(signal.SIGINT)
    ended = program.end()
    held.let_go()
    left = list(Path.cwd().iterdir())
    again = warm("result", "@1")

    assert ended.code == -signal.SIGINT
    assert "paid for, but not saved" in ended.err
    assert left == []
    assert [path.name for path in Path.cwd().iterdir()] == again.lines


def test_nohup_ignores_a_hang_up(bash, host):
    """A hang-up that is ignored stays ignored: the image comes."""
    program = bash("exec nohup flux generate -p runcomfy 'a red fox'")
    program.err.wait("queued")

    program.signal_all(signal.SIGHUP)
    host.finish_jobs()
    ended = program.end()

    assert ended.code == 0, ended.err
    assert Path(ended.line).exists()


def test_a_signal_ends_status_without_output(start, host, warm):
    """A status that hangs can be left, silently."""
    warm("generate", "--no-wait", "-p", "runcomfy", "a red fox")
    held = host.hold("GET", "/status")
    program = start("status")
    held.wait()

    program.signal(signal.SIGINT)
    ended = program.end()

    assert (ended.code, ended.raw) == (-signal.SIGINT, b"")
    assert "Traceback" not in ended.err


def test_a_stopped_program_finishes_once_it_is_continued(start, host):
    """Ctrl-Z and `fg` change nothing."""
    program = start("generate", "-p", "runcomfy", "a red fox")
    program.err.wait("queued")

    program.signal(signal.SIGSTOP)
    os.waitid(os.P_PID, program.process.pid, os.WSTOPPED)
    host.finish_jobs()
    program.signal(signal.SIGCONT)
    ended = program.end()

    assert ended.code == 0, ended.err
