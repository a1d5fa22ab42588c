"""The real providers' conversations, held with the sandbox: two readings of the same pages that must agree."""

from __future__ import annotations

import io
from uuid import uuid4

import pytest
from PIL import Image

from flux_cli import providers
from flux_cli.errors import (
    AuthError,
    NotFoundError,
)
from flux_cli.jobs import Cancelled, Queued, RemoteJob, Running, Succeeded
from flux_cli.providers.conversation import drive
from tests.sandbox.talk import EVERY, fetched, order


@pytest.mark.parametrize(("name", "model"), EVERY)
def test_success(line, world, clock, name, model):
    """Every model of every provider goes from the queue to an image that can be read."""
    talk = line(name)
    accepted = drive(talk.provider.submit(order(name, model)), talk)
    seen = [drive(talk.provider.poll(accepted.remote), talk)]
    clock.forward(5)
    seen.append(drive(talk.provider.poll(accepted.remote), talk))
    clock.forward(5)
    end = drive(talk.provider.poll(accepted.remote), talk)

    image = Image.open(io.BytesIO(fetched(world, end.images[0].url).body))
    image.load()
    assert [type(state) for state in seen] == [Queued, Running]
    assert isinstance(end, Succeeded)
    assert end.cost is not None or name == "replicate"  # no answer of it has a cost
    price = talk.provider.models[model].price
    inputs = (
        [512 * 512] if talk.provider.models[model].image_input and talk.provider.models[model].image_input.least else []
    )
    if price is not None and end.cost is not None and price.currency == end.cost.currency:
        assert end.cost.amount == pytest.approx(price.estimate(image.width * image.height, inputs))
    assert end.images[0].seed in {5, None} or not talk.provider.models[model].takes_seed
    assert end.images[0].width in {image.width, None}
    assert talk.paid == 1


def test_many_images(line, world, clock):
    """Runware's one job of several images comes to all of them, each once, each its own."""
    talk = line("runware")
    accepted = drive(talk.provider.submit(order("runware", "flux-1.1-pro", count=3)), talk)
    states = []

    for _ in range(5):
        states.append(drive(talk.provider.poll(accepted.remote), talk))
        clock.forward(2.5)

    assert [type(state) for state in states] == [Queued, Queued, Running, Running, Succeeded]
    assert [image.seed for image in states[-1].images] == [5, 6, 7]
    assert len({fetched(world, image.url).body for image in states[-1].images}) == 3


@pytest.mark.parametrize("kind", ["URL", "base64Data", "dataURI"])
def test_at_once(line, kind):
    """Runware's synchronous delivery has the image in the answer to the submit."""
    talk = line("runware")
    extra = {"deliveryMethod": "sync", "outputType": kind}

    accepted = drive(talk.provider.submit(order("runware", "flux-1.1-pro", extra=extra)), talk)

    (image,) = accepted.state.images
    assert (image.url is None) == (image.data is not None) == (kind != "URL")


@pytest.mark.parametrize(("seconds", "kind"), [(0, Cancelled), (5, Running), (10, Succeeded)])
def test_cancel(line, clock, seconds, kind):
    """RunComfy cancels what is queued; what runs or has run is told as it stands."""
    talk = line("runcomfy")
    accepted = drive(talk.provider.submit(order("runcomfy", "flux-1.1-pro")), talk)
    clock.forward(seconds)

    state = drive(talk.provider.cancel(accepted.remote), talk)

    assert type(state) is kind
    assert type(drive(talk.provider.poll(accepted.remote), talk)) is kind


@pytest.mark.parametrize("name", [name for name in providers.NAMES if name not in {"runware", "bfl"}])
def test_a_job_that_nobody_knows(line, name):
    """Asking about a job that was never made is a plain error."""
    talk = line(name)

    with pytest.raises(NotFoundError):
        drive(talk.provider.poll(RemoteJob(id=str(uuid4()))), talk)


@pytest.mark.parametrize("name", ["runware", "bfl"])
def test_a_task_that_nobody_knows(line, name):
    """Where the answer is the same for a job that is very new, it reads like a queued one that was not seen."""
    talk = line(name)

    state = drive(talk.provider.poll(RemoteJob(id=str(uuid4()), poll_state={"count": 1})), talk)

    assert isinstance(state, Queued)
    assert not state.seen


@pytest.mark.parametrize("name", providers.NAMES)
def test_check(line, name):
    """A key check learns the balance, and without a key it fails as such."""
    talk = line(name)

    account = drive(talk.provider.check(), talk)
    talk.key = ""

    assert name in {"fal", "replicate"} or account.balance.amount > 0  # an ordinary key of fal may not read it
    assert name != "runcomfy" or len(account.prices) == len(providers.load(name).models)
    with pytest.raises(AuthError):
        drive(talk.provider.check(), talk)
