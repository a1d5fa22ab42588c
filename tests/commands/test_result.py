"""``flux result``: every image that was paid for reaches the disk, once."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from flux_cli.sandbox.wire import Answer
from tests.bare import bare


def _downloads(host):
    return [seen for seen in host.requests if seen.file]


def test_a_job_that_is_not_finished(flux, queued):
    """Exit 8 with a way back, and nothing is saved."""
    job = queued("runware")["id"]

    done = flux("result", job, "--sandbox", "-q")

    assert (done.code, done.out) == (8, "")
    assert done.err.splitlines() == [
        f"flux: error: job {job} is not finished: queued",
        f"hint: `flux result --wait {job}` waits for it",
        "charged: unknown, runware has not said yet",
    ]


def test_waiting_and_the_end_of_patience(flux, queued):
    """--wait saves the image when it is there; --timeout ends the wait with exit 8, and the job goes on."""
    job = queued("runware", "sandbox:slow")["id"]

    short = flux("result", job, "--wait", "--timeout", "3", "--sandbox")
    long = flux("result", job, "--wait", "--sandbox")

    assert short.code == 8
    assert "3 seconds" in short.err
    assert f"`flux result --wait {job}`" in short.err
    assert long.code == 0
    assert Path(long.lines[0]).is_file()


def test_timeout_goes_with_wait_only(flux, queued):
    """--timeout alone means nothing, and says so."""
    queued("runware")

    assert flux("result", "@1", "--timeout", "5", "--sandbox").code == 2


def test_saved_and_still_there_downloads_nothing(flux, host):
    """The path is printed again, as it would be typed from here, and no request leaves."""
    first = flux("generate", "a red fox", "-p", "runware", "-o", "deep/")
    host.requests.clear()

    again = flux("result", "@1")

    assert again.code == 0
    assert again.lines == first.lines == [str(next(Path("deep").iterdir()))]
    assert host.requests == []


def test_an_image_that_was_deleted_is_fetched_again(flux, host):
    """It lands under its name once more, byte for byte what it was."""
    (saved,) = flux("generate", "a red fox", "-p", "runflow").lines
    before = Path(saved).read_bytes()
    Path(saved).unlink()
    host.requests.clear()

    again = flux("result", "@1")

    assert again.lines == [saved]
    assert Path(saved).read_bytes() == before
    assert len(_downloads(host)) == 1


def test_a_link_that_has_expired_is_renewed(flux, host, clock):
    """Runflow signs links for three days: after that the run is read again, and the image is had."""
    job = flux("generate", "a red fox", "-p", "runflow", "--no-wait", "-q").lines[0]
    flux("status", job)
    clock.sleep(4 * 24 * 3600)

    done = flux("result", job)

    assert done.code == 0
    assert Path(done.lines[0]).is_file()
    assert [seen.file for seen in host.requests[-3:]] == [True, False, True]


@pytest.mark.parametrize("refusals", [1, 9])
@pytest.mark.parametrize("status", [403, 404])
def test_a_link_whose_host_lags_behind(flux, host, clock, status, refusals):
    """A fresh link that is refused is tried again with pauses: a file server may need a minute to know a new file."""
    left = [Answer(status=status)] * refusals
    host.script = lambda call: left.pop() if left and call.method == "GET" else None

    done = flux("generate", "a red fox", "-p", "runware")

    assert done.code == 0, done.err
    assert Path(done.lines[0]).is_file()
    assert left == []


def test_a_link_whose_host_does_not_catch_up(flux, host, clock):
    """The time-out ends the waiting; a link of a few seconds is not called dead, and the job stays collectable."""
    host.script = lambda call: Answer(status=404) if call.method == "GET" else None
    began = clock.time

    done = flux("generate", "a red fox", "-p", "runware", "-q", "--timeout", "60")

    assert (done.code, done.out) == (10, "")
    assert 30 < clock.time - began <= 60
    assert re.search(r"not available yet \(its link is \d+ seconds old and answers HTTP 404\)", done.err)
    assert "any more" not in done.err
    host.script = None
    assert flux("result", "@1").code == 0


@pytest.mark.parametrize("status", [400, 401, 410])
def test_a_fresh_link_that_is_wrong_in_itself(flux, host, clock, status):
    """What no waiting helps against is told at once."""
    host.script = lambda call: Answer(status=status) if call.method == "GET" else None
    began = clock.time

    done = flux("generate", "a red fox", "-p", "runware", "-q")

    assert done.code == 10
    assert "no longer works" in done.err
    assert clock.time - began < 30


class SlowFiles(httpx.BaseTransport):
    """The network, but each byte of a file takes a second."""

    def __init__(self, clock):
        self.clock, self.real = clock, httpx.HTTPTransport()

    def handle_request(self, request):
        answer = self.real.handle_request(request)
        if request.method != "GET":
            return answer
        return httpx.Response(answer.status_code, headers=answer.headers, stream=self._Trickle(self.clock, answer))

    def close(self):
        self.real.close()

    class _Trickle(httpx.SyncByteStream):
        def __init__(self, clock, answer):
            self.clock, self.answer = clock, answer

        def __iter__(self):
            for chunk in self.answer.stream:
                for byte in chunk:
                    self.clock.time += 1
                    yield bytes([byte])

        def close(self):
            self.answer.close()


@pytest.mark.parametrize(("wait", "least", "most"), [(10, 10, 11), (3.5, 3.5, 11)])
def test_a_download_that_trickles_is_bounded_by_the_timeout(flux, host, clock, wait, least, most):
    """Exit 10 once the time is up; a job that is done at the very end has a few seconds for its download."""
    began = clock.time

    done = flux("generate", "a red fox", "-p", "runware", "-q", "--timeout", wait, connect=lambda: SlowFiles(clock))

    assert done.code == 10
    assert "within the time-out" in done.err
    assert least <= clock.time - began <= most
    assert flux("result", "@1").code == 0


def test_a_link_that_nobody_renews(flux, host, clock):
    """Exit 10, a clear error, and the job stays collectable."""
    job = flux("generate", "a red fox", "-p", "runware", "--no-wait", "-q").lines[0]
    flux("status", job)
    clock.sleep(3600)
    host.script = lambda call: Answer(status=404) if call.method == "GET" else None

    done = flux("result", job, "-q")

    assert (done.code, done.out) == (10, "")
    assert "no longer works" in done.err
    assert f"flux result {job}" in done.err
    host.script = None
    assert flux("result", job).code == 0


def test_links(flux, host):
    """--url prints the links and saves nothing; with --json it is the job."""
    flux("generate", "a red fox", "-p", "runware", "-n", "2", "--no-wait")

    done = flux("result", "@1", "--url")
    told = flux("result", "@1", "--url", "--json").object

    assert len(done.lines) == 2
    assert all(line.startswith(f"{host.root}/files/runware/") for line in done.lines)
    assert [image["url"] for image in told["images"]] == done.lines
    assert not _downloads(host)
    assert list(Path().iterdir()) == []


def test_links_of_a_running_job(flux, queued):
    """There are none yet: exit 8."""
    queued("runware")

    assert flux("result", "@1", "--url", "--sandbox").code == 8


def test_links_are_not_waited_for(flux, queued):
    queued("runware")

    done = flux("result", "@1", "--url", "--wait", "--sandbox")

    assert done.code == 2
    assert "--url cannot be combined with --wait" in done.err


def test_all_takes_what_was_never_saved(flux, queued, clock):
    """Every succeeded job without its images, and no other; the second time there is nothing to do."""
    kept = flux("generate", "kept", "--sandbox", "-q").lines
    first, second = queued("runware", "one"), queued("runcomfy", "two")
    queued("runware", "sandbox:fail")
    clock.sleep(5)
    flux("status", "--sandbox")

    done = flux("result", "--all", "--sandbox", "--json")
    again = flux("result", "--all", "--sandbox")

    assert done.code == 0
    assert {job["id"] for job in done.objects} == {first["id"], second["id"]}
    assert (again.code, again.out) == (0, "")
    assert len(list(Path().iterdir())) == 3
    assert Path(kept[0]).exists()


def test_another_place_and_another_format(flux, host):
    """-o and -f of ``result`` save once more, elsewhere and converted, and leave the first file alone."""
    from PIL import Image

    (saved,) = flux("generate", "a red fox", "-p", "runware").lines

    done = flux("result", "@1", "-o", "copy.png")

    assert done.lines == ["copy.png"]
    assert Path(saved).exists()
    assert "converted to png by flux (the provider sent jpg)" in done.err
    with Image.open("copy.png") as image:
        assert image.format == "PNG"


def test_nothing_is_overwritten_without_a_word(flux, queued):
    """An explicit file that exists is refused, unless --overwrite."""
    Path("mine.jpg").write_bytes(b"mine")
    job = queued("runware")["id"]

    refused = flux("result", job, "--wait", "-o", "mine.jpg", "--sandbox")
    assert Path("mine.jpg").read_bytes() == b"mine"
    agreed = flux("result", job, "--wait", "-o", "mine.jpg", "--overwrite", "--sandbox")

    assert refused.code == 2
    assert "--overwrite" in refused.err
    assert agreed.lines == ["mine.jpg"]
    assert Path("mine.jpg").read_bytes()[:2] == b"\xff\xd8"


def test_bytes_on_stdout(flux, host):
    """``-o -`` writes the image's bytes to stdout, and nothing else there."""
    flux("generate", "a red fox", "-p", "runware", "--no-wait")

    done = flux("result", "@1", "-o", "-")

    assert done.code == 0
    assert [bare(done.raw)] == list(host.images.values())


def test_bytes_on_stdout_leave_the_saved_file_known(flux, host):
    """What was saved before is still found without a download."""
    saved = flux("generate", "a red fox", "-p", "runware").lines
    flux("result", "@1", "-o", "-")
    host.requests.clear()

    assert flux("result", "@1").lines == saved
    assert host.requests == []


def test_two_jobs_under_one_name(flux, queued):
    """One file name with several images gets numbers before the extension."""
    queued("runware", "one")
    queued("runware", "two")

    done = flux("result", "@1", "@2", "--wait", "-o", "fox.jpg", "--sandbox")

    assert sorted(done.lines) == ["fox-1.jpg", "fox-2.jpg"]


def test_a_job_that_failed(flux, queued):
    """``result`` ends as the job did."""
    failed = queued("runware", "sandbox:fail")["id"]
    blocked = queued("runware", "sandbox:moderated")["id"]

    assert flux("result", failed, "--wait", "--sandbox").code == 1
    assert flux("result", blocked, "--wait", "--sandbox").code == 5
    assert flux("result", blocked, failed, "--wait", "--sandbox").code == 1


def test_some_jobs_worked(flux, queued):
    """Exit 9, the image that was made is saved, and the error names its job."""
    queued("runware", "a fox")
    failed = queued("runware", "sandbox:fail")["id"]

    done = flux("result", "@1", "@2", "--wait", "--sandbox", "-q")

    assert done.code == 9
    assert len(done.lines) == 1
    assert f"job {failed}: " in done.err


@pytest.mark.parametrize("typed", [[], ["@1", "--all"], ["--all", "-p", "runware"]])
def test_jobs_or_all(flux, queued, typed):
    """Neither and both are mistakes."""
    queued("runware")

    done = flux("result", *typed, "--sandbox")

    assert done.code == 2
    assert "hint: " in done.err


def test_a_broken_download_leaves_nothing_behind(flux, queued):
    """A file that is cut off is no image: exit 10, and not a byte of it is on the disk."""
    queued("runcomfy", "sandbox:bad-image")

    done = flux("result", "@1", "--wait", "--sandbox", "--json")

    assert done.code == 10
    assert (done.object["status"], done.object["error"]["code"]) == ("succeeded", "unsaved")
    assert done.object["images"][0]["path"] is None
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("trouble", [Answer(status=502, body=b"<html>"), Answer(status=200, body=b"<html>")])
def test_waiting_goes_on_over_trouble_that_passes(flux, host, trouble):
    """--wait has time: looks that fail at first are no reason to give up."""
    flux("generate", "a red fox", "-p", "runflow", "--no-wait")
    script = [trouble] * 8
    host.script = lambda call: script.pop() if script and call.method == "GET" else None

    impatient = flux("result", "@1")
    done = flux("result", "@1", "--wait")

    assert impatient.code in {1, 4}
    assert done.code == 0
    assert Path(done.lines[0]).is_file()


UUID = "3fa85f64-5717-4562-b3fc-2c963f66afa6"


@pytest.mark.parametrize("provider", ["runcomfy", "runflow", "apiframe", "runware", "bfl", "fal"])
@pytest.mark.parametrize("wait", [[], ["--wait", "--timeout", "9"]], ids=["", "--wait"])
def test_an_id_that_its_provider_does_not_know_ends_with_a_hint_and_can_be_forgotten(flux, provider, wait):
    """Where its provider cannot tell it from a job that is about to start, the ledger has it, until it is forgotten."""
    done = flux("result", f"{provider}:{UUID}", "--sandbox", *wait)
    kept = [line.split("\t")[0] for line in flux("status", "--sandbox", "--offline").lines]

    assert (done.code, done.out) == (1, "")
    assert "hint: check the id" in done.err
    assert len(kept) == (provider in {"runware", "bfl"})
    for one in kept:
        assert f"`flux status --forget {one}`" in done.err
        assert flux("status", "--sandbox", "--forget", one).code == 0
    assert flux("status", "--sandbox").err == "flux: note: no jobs yet\n"
