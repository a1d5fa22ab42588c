"""``flux cancel``: the truth about each job, and the right exit code."""

from __future__ import annotations

import pytest

from flux_cli.sandbox.wire import reply


def test_a_queued_job_is_cancelled_and_stays_so(flux, queued):
    """Cancelled: 0. The second time: already cancelled, also 0."""
    job = queued("runcomfy")["id"]

    first = flux("cancel", job, "--sandbox")
    second = flux("cancel", job, "--sandbox")

    assert (first.code, first.out) == (0, f"{job}\tcancelled\n")
    assert (second.code, second.out) == (0, f"{job}\talready cancelled\n")
    assert flux("status", job, "--sandbox", "--json").object["status"] == "cancelled"
    assert flux("result", job, "--sandbox").code == 1


def test_a_running_job_is_too_late(flux, queued, clock):
    """Exit 1, it says so, and the job goes on to its image."""
    job = queued("runcomfy")["id"]
    clock.sleep(1.0)

    done = flux("cancel", job, "--sandbox")

    assert done.code == 1
    assert done.out == ""
    assert f"too late to cancel job {job}: already running" in done.err
    assert f"hint: `flux result --wait {job}`" in done.err
    assert flux("result", "--wait", job, "--sandbox").code == 0


def test_a_job_that_the_host_keeps_in_its_queue(flux, queued, host):
    """Exit 1: it says that the job is still queued, not that it is too late; and how to go on."""
    answer = {"request_id": "x", "status": "in_queue", "outcome": "not_cancellable", "queue_position": 2}
    waiting = reply(202, answer)
    host.script = lambda call: waiting if call.path.endswith(("/cancel", "/status")) else None
    job = flux("generate", "a red fox", "-p", "runcomfy", "--no-wait", "--json").object["id"]

    done = flux("cancel", job)

    assert done.code == 1
    assert "too late" not in done.err
    assert f"runcomfy did not cancel job {job}, although it is still queued (position 2)" in done.err
    assert f"`flux cancel {job}` tries again" in done.err


def test_a_finished_job_is_too_late(flux, queued, clock):
    """Exit 1, whether or not we knew that it was finished."""
    job = queued("runcomfy")["id"]
    clock.sleep(5.0)

    before = flux("cancel", job, "--sandbox")
    after = flux("cancel", job, "--sandbox")

    assert (before.code, after.code) == (1, 1)
    assert "already succeeded" in before.err
    assert "already succeeded" in after.err


@pytest.mark.parametrize("provider", ["runflow", "apiframe", "runware"])
def test_where_the_provider_cannot_cancel(flux, host, provider):
    """Exit 2, nothing is sent, and the job is as it was."""
    job = flux("generate", "a red fox", "-p", provider, "--no-wait", "--json").object["id"]
    host.requests.clear()

    done = flux("cancel", job)

    assert done.code == 2
    assert f"{provider} cannot cancel" in done.err
    assert "hint: " in done.err
    assert host.requests == []
    assert flux("status", job, "--offline", "--json").object["status"] == "queued"


def test_a_job_of_unknown_outcome(flux):
    """Exit 7: without an id of the provider's there is nothing to cancel."""
    bought = flux("generate", "sandbox:lost-reply", "--sandbox", "-p", "runcomfy", "--json").object

    done = flux("cancel", bought["id"], "--sandbox")

    assert bought["status"] == "unknown"
    assert done.code == 7
    assert bought["id"] in done.err


def test_several_jobs_end_differently(flux, queued, clock):
    """Mixed: exit 9, and each error says of which job it speaks."""
    late = queued("runcomfy", "late")["id"]
    clock.sleep(1.0)
    early = queued("runcomfy", "early")["id"]

    done = flux("cancel", late, early, "--sandbox")

    assert done.code == 9
    assert done.out == f"{early}\tcancelled\n"
    assert late in done.err


def test_json_tells_each_job(flux, queued, clock):
    """One object a job on stdout, an error among them where there is one, and stderr stays empty."""
    late = queued("runcomfy", "late")["id"]
    clock.sleep(1.0)
    early = queued("runcomfy", "early")["id"]

    first, second = (done := flux("cancel", late, early, "--sandbox", "--json")).objects

    assert (first["id"], first["error"]["exit_code"]) == (late, 1)
    assert (second["id"], second["status"], second["error"]) == (early, "cancelled", None)
    assert done.err == ""


def test_all_needs_a_yes(flux, queued):
    """Where nobody can be asked, --all alone cancels nothing; with --yes every active job."""
    jobs = {queued("runcomfy", prompt)["id"] for prompt in ("one", "two")}

    alone = flux("cancel", "--all", "--sandbox")
    assert {job["status"] for job in flux("status", "--sandbox", "--json").objects} == {"queued"}
    agreed = flux("cancel", "--all", "--yes", "--sandbox", "--json")
    nothing = flux("cancel", "--all", "--sandbox")

    assert alone.code == 2
    assert "2 jobs" in alone.err
    assert "--yes" in alone.err
    assert agreed.code == 0
    assert {job["id"] for job in agreed.objects if job["status"] == "cancelled"} == jobs
    assert nothing.code == 0
    assert "no job is in progress" in nothing.err


def test_all_of_one_provider(flux, queued):
    """With --provider, --all leaves the others alone."""
    mine = queued("runcomfy")["id"]
    other = queued("runware")["id"]

    done = flux("cancel", "--all", "--yes", "-p", "runcomfy", "--sandbox")

    assert done.out == f"{mine}\tcancelled\n"
    assert flux("status", other, "--sandbox", "--json").object["status"] == "queued"


@pytest.mark.parametrize("typed", [[], ["@1", "--all"]])
def test_jobs_or_all(flux, queued, typed):
    """Neither and both are mistakes."""
    queued("runcomfy")

    done = flux("cancel", *typed, "--sandbox")

    assert done.code == 2
    assert "hint: " in done.err


def test_a_lost_answer_is_not_a_success(flux, host):
    """A cancel whose answer is lost: exit 7 where it cannot be settled, never a claim that it worked."""
    from flux_cli.sandbox.wire import LostReply

    def script(call):
        if call.path.endswith("/cancel"):
            raise LostReply("x")

    job = flux("generate", "a red fox", "-p", "runcomfy", "--no-wait", "--json").object["id"]
    host.script = script

    done = flux("cancel", job)

    assert done.code in {4, 7}
    assert done.out == ""
    assert flux("status", job, "--offline", "--json").object["status"] == "queued"


def test_accepted_is_not_cancelled(flux, host):
    """202 with ``not_cancellable`` is no cancellation."""
    from flux_cli.sandbox.wire import reply

    job = flux("generate", "a red fox", "-p", "runcomfy", "--no-wait", "--json").object
    told = {"request_id": job["remote_id"], "status": "in_progress", "outcome": "not_cancellable"}
    host.script = lambda call: reply(202 if call.method == "POST" else 200, told)

    done = flux("cancel", job["id"])

    assert done.code == 1
    assert "too late" in done.err
