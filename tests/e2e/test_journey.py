from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from flux_cli.providers import load
from tests.bare import bare
from tests.loopback import PROVIDERS


def test_a_newcomer_makes_an_image_without_a_key(flux, home):
    """On a fresh home, one command ends in a whole image whose path is the only line on stdout."""
    ended = flux("generate", "a red fox", "-s", "7")

    assert (ended.code, ended.lines) == (0, ["a-red-fox-7.jpg"]), ended.err
    assert Image.open(io.BytesIO(Path(ended.line).read_bytes())).size == (2752, 1536)
    assert [path.name for path in Path.cwd().iterdir()] == ["a-red-fox-7.jpg"]
    assert list(home.rglob("ledger.sqlite3"))


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_job_is_followed_by_separate_processes(flux, warm, host, ledger, provider):
    """What one process bought, others look at and fetch, however it is named; the image is what the host sent."""
    flux = flux if provider == PROVIDERS[0] else warm
    made = flux("generate", "--no-wait", "-p", provider, "a red fox").line

    queued = flux("status", made[:4])
    early = flux("result", made)
    host.finish_jobs()
    (job,) = ledger().find(made, sandbox=False)
    fetched = flux("result", f"{provider}:{job.remote_id}", "-o", "out/")
    asked = len(host.requests)
    again = flux("result", fetched.line)

    assert "queued" in queued.out
    assert (early.code, early.out) == (8, "")
    assert fetched.code == 0, fetched.err
    assert [bare(Path(fetched.line).read_bytes())] == list(host.images.values())
    assert (again.code, again.lines) == (0, fetched.lines)
    assert len(host.requests) == asked
    assert host.accepted(provider) == 1


@pytest.mark.parametrize("provider", [name for name in PROVIDERS if load(name).cancel is None])
def test_cancel_sends_nothing_where_the_provider_cannot_cancel(warm, host, provider):
    """Where the API cannot cancel, nothing is sent and the exit code says usage."""
    warm("generate", "--no-wait", "-p", provider, "a red fox")
    asked = len(host.requests)

    ended = warm("cancel", "@1")

    assert ended.code == 2
    assert f"{provider} cannot cancel" in ended.err
    assert len(host.requests) == asked


def test_cancel_ends_a_queued_job_and_refuses_a_running_one(warm, host):
    """A queued job is cancelled, also a second time; a running one is not, and says so."""
    warm("generate", "--no-wait", "-p", "runcomfy", "a red fox")
    done, again = warm("cancel", "@1"), warm("cancel", "@1")
    warm("generate", "--no-wait", "-p", "runcomfy", "a blue fox")
    host.start_jobs()

    late = warm("cancel", "@1")

    assert (done.code, again.code) == (0, 0)
    assert "cancelled" in done.out
    assert late.code == 1
    assert "too late" in late.err
    assert "running" in late.err
