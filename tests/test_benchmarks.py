"""That the tools of measuring work, with numbers too small to mean anything: nothing here depends on time."""

from __future__ import annotations

import json
import subprocess
from time import time

import pytest

from tests.benchmarks import download, finding, gallery, ground, server, startup, waste


def told(host: server.Host, kind: str) -> dict:
    """Return what a host says to a task, the one item of it."""
    answer = host.answer("POST", "/v1", json.dumps([{"taskType": kind, "taskUUID": "t-1"}]).encode())
    (item,) = json.loads(answer.partition(b"\r\n\r\n")[2])["data"]
    return item


def test_a_job_is_not_ready_before_its_time():
    """The host tells a job from a finished one, and counts how often it was asked."""
    slow, quick = server.Host(60, 60, b"jpeg"), server.Host(0, 0, b"jpeg")

    items = [(told(host, "imageInference"), told(host, "getResponse")) for host in (slow, quick)]

    assert [(first.get("status"), second["status"]) for first, second in items] == [
        (None, "processing"),
        (None, "success"),
    ]
    assert json.loads(quick.answer("GET", "/records", b"").partition(b"\r\n\r\n")[2])["t-1"]["polls"] == 1


def test_a_requests_parts_may_come_one_by_one():
    """The host answers a request when it is whole, and two that come at once one after the other."""
    heard, sent = [], []

    class Wire:
        write = staticmethod(sent.append)

    connection = server.Connection(lambda *request: heard.append(request) or b"answer")
    connection.connection_made(Wire())
    for part in (b"POST /v1 HTTP/1.1\r\nContent-Le", b"ngth: 2\r\n\r\n[", b"]GET /records HTTP/1.1\r\n\r\n"):
        connection.data_received(part)

    assert heard == [("POST", "/v1", b"[]"), ("GET", "/records", b"")]
    assert sent == [b"answer", b"answer"]


def test_a_missed_target_is_seen_in_the_table():
    rows = [
        ground.Row("start-up", "2 x", "1.15 x", met=False),
        waste.Waste([0.5, 0.7], [0.2, 0.6], [3, 12]).row("waste", 0.6),
    ]

    lines = ground.table(rows).splitlines()

    assert [line.split()[-1] for line in lines] == ["met", "NO", "yes"]
    assert "mean 0.60 s (0.40 s to the poll that tells), worst 0.70 s; 7.5 polls a job, most 12" in lines[2]


def test_each_list_that_is_measured_finds_what_its_name_says(tmp_path):
    finding.fill(tmp_path / "ledger.sqlite3", 200, now=time())

    hits = {case: found for case, (_, found) in finding.queries(tmp_path / "ledger.sqlite3", runs=1).items()}

    assert hits == {
        "the plain list": 20,
        "--search, the newest hit": 20,
        "--search, the oldest hits": 10,
        "--search, nothing hits": 0,
        "--model, every fourth": 20,
        "--model, none": 0,
        "--since, a few": 1,
        "--since, nearly all": 20,
        "all of them": 20,
    }


@pytest.mark.slow
def test_the_program_is_measured_beside_its_yardsticks(tmp_path):
    """Images get from the host to the disk, and the straight scripts do what the commands do."""
    with ground.Host() as host:
        cost = download.fetched(tmp_path / "user", host, 2)
        download.bare(tmp_path / "bare", host, 2)
        user = ground.User(tmp_path / "another", host.base_url)
        user.env |= {"HOME": str(tmp_path / "user")}
        scripts = [startup.PAIRS[name][2] for name in startup.PAIRS if startup.PAIRS[name][1].endswith(".py")]
        said = [subprocess.run(script, env=user.env, check=True, capture_output=True, text=True) for script in scripts]
        records = host.records()

    assert cost.wall > 0 < cost.memory
    assert len(list((tmp_path / "bare").glob("*.jpg"))) == 2
    assert [len(one.stdout.splitlines()) for one in said] == [2, 1]
    assert len(records) == 3


def test_a_frame_that_took_too_long_is_counted():
    seen = gallery.Seen(1.0, 100.0, [16.7] * 18 + [33.4, 66.8], 20.0, 20.0)

    assert (seen.above(20), seen.above(50)) == (10.0, 5.0)
    assert 33.4 < seen.p95 < 66.8


def test_a_page_to_be_measured_has_its_images_beside_it(tmp_path):
    page = gallery.make_page(tmp_path / "run", 27)

    assert page.read_text("utf-8").count('src="data:image/jpeg') == 27
    assert len(list((tmp_path / "run" / "out").iterdir())) == 27
