"""Apiframe's ``Idempotency-Key``."""

from __future__ import annotations

import threading

import pytest

from flux_cli.sandbox.apiframe import REPLAY

GENERATE = "https://api.apiframe.ai/v2/images/generate"
BODY = {"prompt": "a fox", "model": "flux-1.1-pro"}


def test_idempotency(ask, told, clock, world, generate):
    """The same key and body give the first job, as it stands by now; another body is a conflict."""
    first = generate("k")
    clock.forward(10)

    again = ask("POST", GENERATE, json_body=dict(reversed(BODY.items())), headers={"idempotency-key": "k"})
    other = ask("POST", GENERATE, json_body={**BODY, "prompt": "a dog"}, headers={"idempotency-key": "k"})

    assert (again.status, told(again)) == (202, {"jobId": first, "status": "COMPLETED"})
    assert other.status == 409
    assert generate("j") != first
    assert len(world.jobs("apiframe")) == 2


def test_idempotency_ends(clock, generate):
    """After a day a key stands for a new job, and goes on standing for that one."""
    first = generate("k")
    clock.forward(REPLAY - 1)
    within = generate("k")
    clock.forward(1)
    beyond, again = generate("k"), generate("k")

    assert first == within != beyond == again


@pytest.mark.parametrize(("length", "status"), [(255, 202), (256, 400)])
def test_length_of_a_key(ask, length, status):
    """A key has 255 characters at most."""
    assert ask("POST", GENERATE, json_body=BODY, headers={"idempotency-key": "k" * length}).status == status


def test_one_job_of_many_threads(world, generate):
    """Twenty submits at once under one key make one job, and all learn its id."""
    gate, seen = threading.Barrier(20), []

    def run():
        gate.wait()
        seen.append(generate("k"))

    threads = [threading.Thread(target=run) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(seen) == 20
    assert set(seen) == {job.id for job in world.jobs("apiframe")}
    assert len(set(seen)) == 1
