from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from flux_cli.cli import main
from flux_cli.providers import NAMES
from flux_cli.runtime import Runtime
from flux_cli.sandbox.world import World
from tests.conftest import Stream
from tests.torture import kill_batch
from tests.torture.kill import PROGRAM, described, volley
from tests.torture.share import ALL

SEED = 3
MOMENTS, BATCHES = (12, 6) if ALL else (6, 3)
WARM, COLD = 40, 10
"""Processes that are forked from this one, and such that start from nothing."""


def test_kill_9_at_any_moment_loses_no_image(tmp_path, record_property):
    """Every image of a job whose id was written down comes home; of any other it is said that it is unknown."""
    shots = volley(MOMENTS, SEED, tmp_path)

    record_property("summary", described(shots, SEED))
    assert [(shot.number, shot.kind, shot.provider, shot.wrong) for shot in shots if shot.wrong] == []


def test_resume_after_a_batch_was_stopped_buys_no_image_twice(tmp_path, record_property):
    """--resume buys none twice and loses none, also of a comparison, and where the batch was left to `result`."""
    shots = kill_batch.volley(BATCHES, SEED, tmp_path)

    record_property("summary", f"batches, {described(shots, SEED)}")
    assert [(shot.number, shot.kind, shot.provider, shot.standing, shot.wrong) for shot in shots if shot.wrong] == []


def forked(words: Sequence[str], told: Path) -> int:
    """Start a process that runs a command; it writes exit code, stdout and stderr to ``told``. Return its id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        out, err = Stream(), Stream()
        code = main(words, Runtime(stdin=Stream(), stdout=out, stderr=err))
        told.write_text(json.dumps([code, out.bytes.getvalue().decode(), err.bytes.getvalue().decode()]))
    finally:
        os._exit(0)


def ended(processes: dict[int, Path]) -> list[list]:
    """Wait for forked processes, and return what they told."""
    for pid in processes:
        os.waitpid(pid, 0)
    return [json.loads(path.read_text()) for path in processes.values()]


def submit(number: int) -> list[str]:
    provider = ("runcomfy", "runflow", "apiframe", "runware")[number % 4]
    return ["generate", "-q", "--no-wait", f"a red fox {number}", "-p", provider]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only where processes fork")
def test_fifty_processes_share_one_ledger(tmp_path, monkeypatch, home, record_property):
    """Buying, asking and fetching at once: each job has its row, and no process finds the ledger locked."""
    monkeypatch.setenv("FLUX_SANDBOX", "1")
    monkeypatch.setenv("FLUX_SANDBOX_SECONDS", "0")
    main(["generate", "-q", "a warm fox"], Runtime(stdin=Stream(), stdout=Stream(), stderr=Stream()))
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(5)
    others = [["status", "--json"], ["result", "-q", "--all"]]
    commands = [submit(number) if number % 2 else others[number // 2 % 2] for number in range(WARM)]

    cold = [
        subprocess.Popen([PROGRAM, *submit(number)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for number in range(COLD)
    ]
    warm = ended({forked(words, tmp_path / f"{n}.json"): tmp_path / f"{n}.json" for n, words in enumerate(commands)})
    said = [(process.communicate()[0].split(), process.returncode) for process in cold]

    told = {  # both name the jobs that others are making
        "generate": "",
        "status": r"(flux: note: .* refreshed but not listed: .*\n)?",
        "result": r"(flux: error: job \w+ is not finished: .*\nhint: .*\ncharged: .*\n)*",
    }
    for (name, *_), (code, _, err) in zip(commands, warm, strict=True):
        assert re.fullmatch(told[name], err), err
        assert code == (8 if name == "result" and err else 0)
    assert {code for _, code in said} == {0}
    ids = [out.strip() for (_, out, _), words in zip(warm, commands, strict=True) if words[0] == "generate"]
    ids += [line for lines, _ in said for line in lines]
    runtime = Runtime(stdin=Stream(), stdout=Stream(), stderr=Stream())
    rows = runtime.ledger.recent(sandbox=True, limit=999)
    runtime.close()
    (ledger,) = home.rglob("ledger.sqlite3")
    world = World(ledger.parent / "sandbox", lambda: 0.0, providers=NAMES)
    hosted = [job.id for name in NAMES for job in world.jobs(name)]
    assert sorted(ids) == sorted(row.id for row in rows if row.prompt != "a warm fox")
    assert sorted(hosted) == sorted(row.remote_id for row in rows)
    record_property("summary", f"{WARM + COLD} processes on one ledger: {len(ids)} jobs bought, {len(rows)} rows")
