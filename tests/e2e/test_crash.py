from __future__ import annotations

import os
import re
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from flux_cli.providers import NAMES, load
from tests.bare import bare
from tests.loopback import PROVIDERS

MANY = 30
FINDABLE = {name for name in NAMES if load(name).find is not None and not load(name).origins}
"""Where a job is found again without its id, also behind another base URL: then no other address is asked."""


def test_a_job_is_fetched_after_its_process_was_killed_while_waiting(start, warm, host):
    """Whatever happens to the process, the job is in the ledger, and a later one brings the image home."""
    program = start("generate", "-p", "apiframe", "a red fox")
    program.err.wait("queued")
    program.signal(signal.SIGKILL)
    program.end()
    host.finish_jobs()

    ended = warm("result", "--wait", "@1")

    assert ended.code == 0, ended.err
    assert [bare(Path(ended.line).read_bytes())] == list(host.images.values())
    assert host.accepted("apiframe") == 1


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_process_killed_while_sending_leaves_its_job_in_the_ledger(start, warm, host, ledger, provider):
    """The intent was on disk before the request left; finding out what became of it buys nothing."""
    held = host.hold("POST", "")
    program = start("generate", "-p", provider, "a red fox")
    held.wait()
    program.signal(signal.SIGKILL)
    program.end()
    held.let_go()
    host.finish_jobs()

    written = [(job.provider, job.status) for job in ledger().recent(sandbox=False, limit=9)]
    fetched = warm("result", "@1")

    assert written == [(provider, "submitting")]
    assert host.paid[provider] == 1
    assert (fetched.code == 0) == (provider in FINDABLE), fetched.err
    assert [bare(Path(path).read_bytes()) for path in fetched.lines] == list(host.images.values())


def test_thirty_processes_at_once_make_one_ledger(start, ledger, warm_program):
    """Thirty processes on a home without a ledger make one, and each its row in it."""
    programs = [start("generate", "-q", "--no-wait", "a red fox", path=warm_program) for _ in range(MANY)]

    ended = [program.end() for program in programs]

    assert {(one.code, one.err) for one in ended} == {(0, "")}
    rows = ledger().recent(sandbox=True, limit=99)
    assert sorted(job.id for job in rows) == sorted(one.line for one in ended)
    assert len({job.remote_id for job in rows}) == MANY


@pytest.fixture
def disk(tmp_path):
    """Mount a disk of its own, and return what makes one of a size."""
    place = tmp_path / "disk"
    place.mkdir()

    def mounted(size: str) -> Path:
        words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
        if os.geteuid() != 0 or subprocess.run(words, check=False, capture_output=True).returncode != 0:
            pytest.skip("only root can mount a disk")
        return place

    yield mounted
    subprocess.run(["umount", str(place)], check=False, capture_output=True)


def test_a_full_disk_is_found_before_money_is_spent(warm, host, disk):
    """That no image will fit is found out before money is spent."""
    small = disk("64k")

    ended = warm("generate", "-p", "runcomfy", "-o", f"{small}/", "a red fox")

    assert ended.code == 2
    assert re.search("No space left|no space left", ended.err)
    assert host.paid["runcomfy"] == 0
    assert list(small.iterdir()) == []


def test_an_image_that_no_longer_fits_is_fetched_to_another_place(start, warm, host, disk):
    """An image that was paid for and does not fit is said to be unsaved, and is fetched to another place."""
    small = disk("4m")
    held = host.hold("GET", "/0.png")
    program = start("generate", "-p", "runcomfy", "-o", f"{small}/", "a red fox")
    program.err.wait("queued")
    host.finish_jobs()
    held.wait()
    with suppress(OSError), (small / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))
    held.let_go()
    ended = program.end()

    again = warm("result", "@1", "-o", "elsewhere/")

    assert (ended.code, ended.out) == (10, "")
    assert "`flux result " in ended.err
    assert [path.name for path in small.iterdir()] == ["filler"]
    assert again.code == 0, again.err
    assert [bare(Path(again.line).read_bytes())] == list(host.images.values())[-1:]
