"""Every rehearsal of trouble, through the real providers' conversations."""

from __future__ import annotations

import io
from dataclasses import replace
from uuid import uuid4

import pytest
from PIL import Image

from flux_cli.errors import (
    AuthError,
    LostReplyError,
    ModeratedError,
    PaymentError,
    RefusedError,
    UnavailableError,
    UnknownOutcomeError,
)
from flux_cli.jobs import Cancelled, Cost, Failed, RemoteJob, Running, Succeeded
from flux_cli.providers.base import LostSubmit
from flux_cli.providers.conversation import drive
from tests.sandbox.talk import SMALL, fetched, order

SEEDS = range(1, 13)
"""One for each shape in which a host's answers are known to come."""


@pytest.mark.parametrize(("name", "model"), SMALL)
@pytest.mark.parametrize(
    ("word", "error", "charged"),
    [("unauthorized", AuthError, "no"), ("credits", PaymentError, "no"), ("rate-limit", UnavailableError, "no")],
)
def test_refused(subtests, line, world, name, model, word, error, charged):
    """A refusal of the submit is the same error at every provider, costs nothing, and makes no job."""
    talk = line(name)
    for seed in SEEDS:
        with subtests.test(seed=seed):
            with pytest.raises(error) as caught:
                drive(talk.provider.submit(order(name, model, f"a fox sandbox:{word}", seed=seed)), talk)

            assert caught.value.charged == charged
            assert world.jobs(name) == []


@pytest.mark.parametrize(("name", "model"), SMALL)
@pytest.mark.parametrize(("word", "error"), [("moderated", ModeratedError), ("fail", RefusedError)])
def test_failed(subtests, line, clock, name, model, word, error):
    """A job that fails is a failed job at every provider, and a blocked one is known as such in whatever words."""
    talk = line(name)
    for seed in SEEDS:
        with subtests.test(seed=seed):
            accepted = drive(talk.provider.submit(order(name, model, f"a fox sandbox:{word}", seed=seed)), talk)
            clock.forward(10)

            state = drive(talk.provider.poll(accepted.remote), talk)

            assert isinstance(state, Failed)
            assert type(state.error) is error


@pytest.mark.parametrize(("name", "model"), SMALL)
def test_slow_and_never(line, clock, name, model):
    """A slow job ends after its multiple, one that never ends goes on running."""
    talk = line(name)
    slow, never = (
        drive(talk.provider.submit(order(name, model, f"sandbox:{word}")), talk).remote for word in ("slow", "never")
    )
    clock.forward(100)
    early = [type(drive(talk.provider.poll(remote), talk)) for remote in (slow, never)]
    clock.forward(50)
    late = [type(drive(talk.provider.poll(remote), talk)) for remote in (slow, never)]

    assert (early, late) == ([Running, Running], [Succeeded, Running])


@pytest.mark.parametrize(("name", "model"), SMALL)
@pytest.mark.parametrize("word", ["bad-image", "nsfw"])
def test_successes_with_a_catch(line, world, clock, name, model, word):
    """A broken or an unsafe image is a success; what is told about it is what that provider tells."""
    talk = line(name)
    checked = {"check_content": True} if name == "runware" else {}
    accepted = drive(talk.provider.submit(order(name, model, f"sandbox:{word}", **checked)), talk)
    clock.forward(10)

    (image,) = drive(talk.provider.poll(accepted.remote), talk).images

    answer = fetched(world, image.url)
    flags = {"runflow": True if word == "nsfw" else None, "runware": word == "nsfw", "fal": word == "nsfw"}
    assert image.nsfw is flags.get(name)
    assert answer.headers["content-length"] == str(len(answer.body))
    if word == "bad-image":
        with pytest.raises(OSError, match=r"truncated|decoder"):
            Image.open(io.BytesIO(answer.body)).load()


@pytest.mark.parametrize(("name", "model"), SMALL)
def test_lost_reply(line, world, name, model):
    """The job of a lost reply exists; where the provider has a handle, a repeat finds it and makes no second one."""
    talk = line(name)
    wanted = order(name, model, "sandbox:lost-reply")
    with pytest.raises(LostReplyError):
        drive(talk.provider.submit(wanted), talk)
    (lost,) = world.jobs(name)

    if name == "apiframe":
        assert drive(talk.provider.submit(wanted), talk).remote.id == lost.id
    if name == "runware":
        with pytest.raises(UnknownOutcomeError, match="taskUUID"):
            drive(talk.provider.submit(wanted), talk)
        assert lost.id == wanted.job.idempotency_key
    assert world.jobs(name) == [lost]


@pytest.mark.parametrize(
    ("name", "model", "cost"),
    [
        ("runcomfy", "flux-1.1-pro", None),
        ("apiframe", "flux-1.1-pro", Cost(amount=0, currency="credits")),
        ("runware", "flux-1.1-pro", None),
        ("runflow", "flux-1.1-pro", Cost(amount=0.04)),
        ("runflow", "flux-1.1-pro-ultra", Cost(amount=0.06)),
    ],
)
def test_cancelled_by_somebody_else(line, clock, name, model, cost):
    """A job that somebody else cancelled has ended; Runflow does not refund it."""
    talk = line(name)
    accepted = drive(talk.provider.submit(order(name, model, "sandbox:cancelled")), talk)
    clock.forward(10)

    state = drive(talk.provider.poll(accepted.remote), talk)

    assert isinstance(state, Cancelled)
    assert state.cost == cost


@pytest.mark.parametrize(("name", "model"), SMALL)
def test_replies_that_stay_lost(line, world, name, model):
    """No repeat of the submit is answered; where there is a handle, no repeat makes a second job."""
    talk = line(name)
    wanted = order(name, model, "sandbox:lost-replies")
    for _ in range(3):
        with pytest.raises(LostReplyError):
            drive(talk.provider.submit(wanted), talk)

    assert len(world.jobs(name)) == (1 if name in {"apiframe", "runware"} else 3)


def test_a_lost_job_of_apiframe_is_found_among_others(line, world, clock):
    """Its list does not say what was asked for, so the jobs of its time are read. Two that fit prove nothing."""
    talk = line("apiframe")
    wanted = order("apiframe", "flux-1.1-pro", "sandbox:lost-replies", seed=7)
    others = [order("apiframe", "flux-1.1-pro", prompt, seed=seed) for prompt, seed in (("a fox", 7), ("an owl", 8))]
    drive(talk.provider.submit(others[0]), talk)
    clock.forward(7200)
    body = next(talk.provider.submit(wanted)).json
    lost = LostSubmit(job_id="k3f9q2mx", idempotency_key=wanted.job.idempotency_key, body=body, sent_at=clock())
    with pytest.raises(LostReplyError):
        drive(talk.provider.submit(wanted), talk)
    (job, _) = world.jobs("apiframe")
    clock.forward(30)
    drive(talk.provider.submit(others[1]), talk)

    found = drive(talk.provider.find(lost), talk)
    with pytest.raises(LostReplyError):
        drive(talk.provider.submit(replace(wanted, job=replace(wanted.job, idempotency_key=str(uuid4())))), talk)

    assert found == RemoteJob(id=job.id)
    assert drive(talk.provider.find(lost), talk) is None
