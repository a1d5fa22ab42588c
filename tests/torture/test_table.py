"""Every fault against every operation of every provider: nothing is bought twice, lost, leaked or told wrongly."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from flux_cli.jobs import Job
from flux_cli.ledger.codec import decode
from flux_cli.money.limits import final_cost
from flux_cli.providers import NAMES, load
from flux_cli.sandbox.world import World
from tests.bare import bare
from tests.torture.faults import CANVAS, FAULTS, NASTY
from tests.torture.share import one_of_each
from tests.torture.table import OPERATIONS, REPEATABLE, Cell, cells, described, impossible, truth
from tests.torture.wire import KEYS, Wire

CELLS = cells()
AHEAD = {"bfl": 300.0, "replicate": 1800.0}
"""Seconds until the user comes back, at the hosts that do not keep images for hours."""
_SPENDING = "submit"
"""The operation that costs money: all of its cells are run, of the others one provider's for each fault."""
RUN = [cell for cell in CELLS if cell.operation == _SPENDING]
RUN += one_of_each(
    (cell for cell in CELLS if cell.operation != _SPENDING),
    lambda cell: (cell.operation, cell.fault.name, cell.lasting),
)


class Scene:
    """One user, the four hosts, and the program between them."""

    def __init__(self, flux: Callable, clock, home: Path, tmp_path: Path) -> None:
        self.home, self.work = home, Path.cwd()
        self.ahead = 0.0
        self.stopped: float | None = None
        """When time stands still at the hosts, so that a job stays in the queue."""
        self.world = World(tmp_path / "world", lambda: self.stopped or clock.now() + self.ahead, 2.0, providers=NAMES)
        self.wire = Wire(self.world, clock, self.work / "out")
        self.clock = clock
        self._flux = flux

    def flux(self, *words: str):
        """Run a command, which must end as people may expect of any."""
        done = self._flux(*words, connect=lambda: self.wire)
        assert "Traceback" not in done.err, done.err
        assert "unexpected" not in done.err + done.out, done
        shown = done.out + done.err
        assert not set(NASTY) & set("\x1b\x07\u202e\x00\x9b") & set(shown), shown
        assert not any(key in shown for _, key in KEYS.values()), shown
        return done

    def jobs(self) -> list[Job]:
        """Return what the ledger has, once it is proven whole."""
        path = next(self.home.rglob("ledger.sqlite3"), None)
        if path is None:
            return []
        database = sqlite3.connect(path)
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        found = database.execute("SELECT document FROM jobs ORDER BY seq DESC").fetchall()
        database.close()
        return [decode(document) for (document,) in found]

    def check_files(self, jobs: list[Job]) -> None:
        """Everything on disk is whole, and the ledger's images are there; no key and no temporary file is."""
        known = {*self.wire.images, CANVAS}
        images = [path for path in self.work.rglob("*") if path.suffix in {".jpg", ".png", ".webp"}]
        assert all(bare(path.read_bytes()) in known for path in images), images
        saved = [Path(image.path) for job in jobs for image in job.images if image.path]
        assert sorted(saved) == sorted(images)
        for folder in (self.home, self.work):
            for path in folder.rglob("*"):
                assert not path.name.startswith(".flux-"), path
                content = path.read_bytes() if path.is_file() else b""
                assert not any(key.encode() in content for _, key in KEYS.values()), path


@pytest.fixture
def scene(flux, clock, home, tmp_path, monkeypatch) -> Scene:
    for variable, key in KEYS.values():
        monkeypatch.setenv(variable, key)
    found = Scene(flux, clock, home, tmp_path)
    yield found
    found.wire.heal()


def begin(scene: Scene, cell: Cell):
    """Run the cell's command with the fault in its way, and return what it came to."""
    buy = ("generate", "a fox", "-p", cell.provider, "-s", "5", "-o", "out/", "--timeout", "70", "--json", "-v")
    command = {
        "check": ("providers", cell.provider, "--check", "--json", "-v"),
        "cancel": ("cancel", "@1", "--json", "-v"),
        "status": ("status", "@1", "--json", "-v"),
        "result": ("result", "@1", "-o", "out/", "--json", "-v"),
    }.get(cell.operation, buy)
    scene.stopped = scene.clock.now() if cell.operation == "cancel" else None
    if cell.operation in {"cancel", "status", "result"}:
        assert scene.flux("generate", "a fox", "-p", cell.provider, "-s", "5", "--no-wait").code == 0
        scene.ahead = 100.0
    scene.wire.fault, scene.wire.kinds, scene.wire.lasting = cell.fault, OPERATIONS[cell.operation], cell.lasting
    done = scene.flux(*command)
    assert scene.wire.hits, "the fault never came to pass"
    scene.wire.heal()
    return done


@pytest.mark.parametrize("cell", RUN, ids=str)
def test_any_fault_is_reported_truly_and_buys_nothing_twice(cell, scene, record_property):
    """Whatever happens: exit code and ledger tell the truth, one job at most is bought, and its image comes home."""
    record_property("counted", "torture table, each fault lasting and most also passing")
    expected = truth(cell)

    done = begin(scene, cell)

    jobs = scene.jobs()
    assert done.code == expected.code, done
    assert {job.status for job in jobs} <= expected.statuses
    assert len(jobs) == bool(expected.statuses)
    accepted = len(scene.world.jobs(cell.provider))
    assert accepted == expected.accepted
    assert len(set(scene.wire.arrived)) <= 1, "repeats that differ"
    assert len(scene.wire.arrived) <= (99 if cell.provider in REPEATABLE else 1)
    assert scene.wire.leaks == []
    for job in jobs:
        told = json.dumps(job.request["body"], ensure_ascii=False, separators=(",", ":")).encode()
        assert all(body == told for _, body in scene.wire.arrived)
        assert not (accepted and job.error and job.error.charged == "no"), job.error
        assert accepted or job.error is None or (job.error.charged, final_cost(job)) == ("no", 0.0), job.error
    errors = [one["error"] for one in done.objects if one.get("error") and "status" in one]
    for error in errors if accepted and cell.operation not in {"cancel", "status"} else []:
        assert error["charged"] != "no", error
        assert error["retry"] != "safe" or cell.operation == "result", error
        assert error["hint"], error
    scene.check_files(jobs)
    assert any(job.has_unsaved_images for job in jobs) == ("succeeded" in expected.statuses and not expected.saved)
    if cell.fault.name == "429 at a date" and cell.operation != "download":
        assert max(scene.clock.slept) >= 9
    assert max(scene.clock.slept, default=0) <= 61
    if jobs and not expected.saved:
        come_home(scene, cell, jobs[0], accepted)


def come_home(scene: Scene, cell: Cell, known: Job, accepted: int) -> None:
    """Follow up once the fault is gone: every accepted job's image comes home, or flux says that it cannot know."""
    scene.stopped, scene.ahead = None, AHEAD.get(cell.provider, 10_000.0)
    bought = len(scene.wire.arrived)

    ways = [("result", "--all", "-o", "out/")]
    if known.active and cell.operation != "cancel":
        ways = [("result", "--wait", known.id, "-o", "out/")]
    elif known.status == "unknown" or known.active:
        ways = [("status",), *ways]
    ends = [scene.flux(*way) for way in ways]

    (job,) = scene.jobs()
    assert [end.code for end in ends] == [*[0] * (len(ends) - 1), 7 if job.status == "unknown" else 0], ends
    assert len(scene.wire.arrived) == bought
    if load(cell.provider).find is None and cell.operation == "submit" and accepted:
        assert job.status == "unknown"
        assert job.error.hint
        assert job.error.charged == "unknown"
    elif scene.world.jobs(cell.provider) and not any(one.cancelled for one in scene.world.jobs(cell.provider)):
        assert job.status == "succeeded", job
        assert not job.has_unsaved_images
        assert [bare(path.read_bytes()) in scene.wire.images for path in scene.work.rglob("a-fox*")] == [True]
    scene.check_files([job])


def test_the_table_is_large_and_has_no_gaps(record_property):
    """At least 25 faults, 6 operations and 7 providers, and every cell is run or has a reason why it cannot be."""
    everything = [(fault, operation, name) for fault in FAULTS for operation in OPERATIONS for name in NAMES]

    run = {(cell.fault, cell.operation, cell.provider) for cell in CELLS}

    record_property("summary", described())
    assert len(FAULTS) >= 25
    assert len(OPERATIONS) >= 6
    assert len(NAMES) == 7
    assert all(bool(impossible(*one)) != (one in run) for one in everything)
