from __future__ import annotations

import json
import threading
from dataclasses import replace

import pytest

from flux_cli.sandbox.life import SLOWNESS
from flux_cli.sandbox.store import Scene, Store

ASKED = {"model": "m", "prompt": "a \ud800 fox", "seed": 2**70, "width": 8, "height": 8, "format": "png"}


@pytest.fixture
def scene(tmp_path):
    return Scene(provider="runware", folder=tmp_path / "deep" / "down", now=lambda: 100.0, hold=4.0, links="https://x")


def test_the_first_stays(tmp_path):
    """A taken name keeps its record, and says so."""
    store = Store(tmp_path / "new")

    first, second = store.add("a", {"n": 1}), store.add("a", {"n": 2})

    assert (first, second) == (({"n": 1}, True), ({"n": 1}, False))
    assert store.get("a") == {"n": 1}


def test_put_replaces(tmp_path):
    """A record can be replaced, and nothing else is left in the folder."""
    store = Store(tmp_path / "w")
    store.add("a", 1)

    store.put("a", 2)

    assert store.get("a") == 2
    assert [path.name for path in store.folder.iterdir()] == ["a.json"]


@pytest.mark.parametrize("name", ["b", "../a", "", "a.json", "a/b", "x" * 200])
def test_unknown_names(tmp_path, name):
    """A name that is no record's, or that leads elsewhere, has none."""
    inner = Store(tmp_path / "inner")
    Store(tmp_path).add("a", 1)
    inner.add("c", 1)

    assert inner.get(name) is None


def test_a_foreign_file_is_no_record(tmp_path):
    """What is not JSON is not there."""
    (tmp_path / "a.json").write_bytes(b"{")

    assert Store(tmp_path).get("a") is None


def test_one_of_many_is_first(tmp_path):
    """Of twenty threads that want one name, one gets it, and all learn the same."""
    gate, seen = threading.Barrier(20), []

    def run(number):
        gate.wait()
        seen.append(Store(tmp_path / "w").add("a", number))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(new for _, new in seen) == 1
    assert len({kept for kept, _ in seen}) == 1
    assert [path.name for path in (tmp_path / "w").iterdir()] == ["a.json"]


def test_a_job_survives(scene):
    """A job comes back from disk as it was, whatever its prompt and however large its seed."""
    job, new = scene.accept(id="a", asked={"prompt": ASKED["prompt"]}, **ASKED)

    assert new
    assert scene.job("a") == job
    assert (job.created, job.hold, job.count) == (100.0, 4.0, 1)
    assert json.loads((scene.folder / "runware" / "a.json").read_text())["prompt"] == "a \ud800 fox"


def test_slow_jobs_take_longer(scene):
    """The word sandbox:slow makes a job take its multiple."""
    job, _ = scene.accept(id="a", **{**ASKED, "prompt": "sandbox:slow"})

    assert job.hold == 4.0 * SLOWNESS


def test_cancel_and_list(scene):
    """Jobs are listed newest first, with what became of them; uploads are not among them."""
    first, _ = scene.accept(id="a", **ASKED)
    second, _ = scene.accept(id="b", created=101.0, **ASKED)
    scene.uploads.put("u", {})

    scene.cancel(first)

    assert scene.jobs() == [second, replace(first, cancelled=True)]
    assert scene.job("u") is None


def test_an_empty_world_has_no_jobs(scene):
    """Before anything was kept there is nothing to list, and no folder is needed."""
    assert scene.jobs() == []
    assert not scene.folder.exists()
