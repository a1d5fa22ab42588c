"""A job goes forward: what was learned and what was saved is never lost to a later answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flux_cli.errors import ModeratedError, PartialError, RefusedError, UnknownOutcomeError
from flux_cli.jobs import Cancelled, Cost, Failed, Image, Job, Queued, RemoteJob, Running, Succeeded, advance
from flux_cli.money.limits import counted_cost, final_cost

NOW = 1_800_000_000.0
NEW = Job(id="k3f9q2mx", run="w8t2c5ra", provider="runware", model="flux-1.1-pro", prompt="a fox", created_at=NOW - 9)
UNKNOWN = replace(NEW, status="unknown", error=UnknownOutcomeError("nobody knows"))
BOOM = RefusedError("boom")


def link(name):
    return Image(url=f"https://h/{name}")


def saved(name, **more):
    return Image(url=f"https://h/old-{name}", path=f"/pictures/{name}", width=8, size=99, **more)


def succeeded(*images, **more):
    return advance(NEW, Succeeded(images=images, **more), now=NOW)


@pytest.mark.parametrize(
    ("asked", "came", "is_other"),
    [
        ({"aspect_ratio": "1:1"}, (2752, 1536), True),
        ({"aspect_ratio": "1:1"}, (2048, 2048), False),
        ({"aspect_ratio": "1:1 (hd)"}, (1408, 1408), False),
        ({"aspect_ratio": "1:1 (hd)"}, (1408, 768), True),
        ({"aspect_ratio": "16:9"}, (2752, 1536), False),
        ({"aspect_ratio": "16:9"}, (1344, 768), False),
        ({"aspect_ratio": "16:9"}, (1536, 2752), True),
        ({"aspect_ratio": "4:3"}, (2368, 1792), False),
        ({"aspect_ratio": "4:3"}, (1248, 832), True),
        ({"aspect_ratio": "21:9"}, (1536, 640), False),
        ({"size": "1024x1024"}, (1024, 1024), False),
        ({"size": "1024x1024"}, (2048, 2048), True),
        ({"size": "1024x768"}, (768, 1024), True),
        ({"aspect_ratio": "auto"}, (2752, 1536), False),
        ({"aspect_ratio": "0:0"}, (2752, 1536), False),
        ({}, (2752, 1536), False),
        ({"aspect_ratio": "1:1"}, (None, None), False),
    ],
)
def test_a_job_tells_whether_its_images_have_the_shape_that_was_asked_for(asked, came, is_other):
    """Other pixels, or a ratio that is plainly another; what is not known is no difference."""
    width, height = came

    job = replace(NEW, parameters=asked, images=(link("1"), Image(width=width, height=height)))

    assert job.shape_differs is is_other


def test_a_queued_job_tells_its_place():
    job = advance(NEW, Queued(position=3, detail="soon"), now=NOW)

    assert (job.status, job.queue_position, job.detail, job.finished_at) == ("queued", 3, "soon", None)
    assert job.active


def test_a_running_job_tells_how_far_it_is_and_has_no_place_any_more():
    job = advance(advance(NEW, Queued(position=3, detail="x"), now=NOW), Running(progress=40), now=NOW)

    assert (job.status, job.progress, job.queue_position, job.detail) == ("running", 40, None, None)


def test_a_job_that_succeeded_has_all_that_was_told():
    state = Succeeded(
        images=(link("a"),),
        seed=5,
        cost=Cost(amount=0.06),
        timing={"provider_ms": 9.0},
        error=PartialError("1 of 2"),
        detail="x",
    )

    job = advance(NEW, state, now=NOW)

    assert (job.status, job.seed, job.cost, job.timing) == ("succeeded", 5, Cost(amount=0.06), {"provider_ms": 9.0})
    assert (job.images, job.error, job.detail, job.finished_at) == ((link("a"),), state.error, "x", NOW)
    assert job.has_unsaved_images
    assert not job.active


def test_a_later_look_that_tells_less_takes_nothing_away():
    job = succeeded(link("a"), cost=Cost(amount=0.06), timing={"provider_ms": 9.0})

    again = advance(job, Succeeded(images=(link("b"),)), now=NOW + 60)

    assert (again.cost, again.timing, again.finished_at) == (Cost(amount=0.06), {"provider_ms": 9.0}, NOW)


def test_the_seed_that_was_asked_for_stays():
    assert advance(replace(NEW, seed=0), Succeeded(images=(link("a"),), seed=5), now=NOW).seed == 0


def test_a_job_that_failed_says_why_and_what_it_cost():
    job = advance(NEW, Failed(error=BOOM, cost=Cost(amount=0.01)), now=NOW)

    assert (job.status, job.error, job.cost, job.finished_at) == ("failed", BOOM, Cost(amount=0.01), NOW)
    assert advance(job, Failed(error=BOOM), now=NOW + 1).cost == Cost(amount=0.01)


@pytest.mark.parametrize(
    ("before", "told", "charged"),
    [
        (None, None, "unknown"),
        (None, Cost(amount=0.0), "no"),
        (None, Cost(amount=0.01), "yes"),
        (None, Cost(amount=3, currency="credits"), "yes"),
        (Cost(amount=0.01), None, "yes"),
        (Cost(amount=0.01), Cost(amount=0.0), "no"),
    ],
)
@pytest.mark.parametrize("kind", [RefusedError, ModeratedError])
def test_a_job_that_failed_was_charged_if_its_cost_says_so(kind, before, told, charged):
    job = advance(replace(NEW, cost=before), Failed(error=kind("boom"), cost=told), now=NOW)

    assert job.error.charged == charged


def test_a_job_that_was_cancelled_keeps_what_it_cost():
    job = advance(NEW, Cancelled(cost=Cost(amount=0.06)), now=NOW)

    assert (job.status, job.cost) == ("cancelled", Cost(amount=0.06))
    assert advance(job, Cancelled(), now=NOW + 1).cost == Cost(amount=0.06)
    assert (final_cost(job), final_cost(advance(NEW, Cancelled(), now=NOW))) == (0.06, 0.0)


def test_a_cancelled_job_counts_as_estimated_where_the_provider_tells_no_charge():
    error = RefusedError("cancelled", charged="unknown")

    free = advance(replace(NEW, estimate=0.06), Cancelled(), now=NOW)
    open_ = advance(replace(NEW, estimate=0.06), Cancelled(error=error), now=NOW)

    assert (counted_cost(free), counted_cost(open_)) == (0.0, 0.06)


def test_a_job_that_was_cancelled_has_ended():
    job = advance(replace(NEW, queue_position=3), Cancelled(), now=NOW)

    assert (job.status, job.finished_at, job.queue_position) == ("cancelled", NOW, None)


def test_an_unknown_job_stays_unknown_while_the_answer_would_be_the_same_for_any_id():
    assert advance(UNKNOWN, Queued(seen=False), now=NOW) is UNKNOWN


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (Queued(), "queued"),
        (Running(), "running"),
        (Succeeded(images=(link("a"),)), "succeeded"),
        (Failed(error=BOOM), "failed"),
        (Cancelled(), "cancelled"),
    ],
)
def test_any_real_sign_of_an_unknown_job_settles_it(state, status):
    job = advance(UNKNOWN, state, now=NOW)

    assert job.status == status
    assert job.error is (BOOM if status == "failed" else None)


def test_a_new_job_that_is_not_seen_yet_is_queued():
    assert advance(NEW, Queued(seen=False), now=NOW).status == "queued"


@pytest.mark.parametrize("state", [Queued(), Queued(seen=False), Running()])
@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
def test_a_finished_job_does_not_begin_again(status, state):
    job = replace(NEW, status=status, finished_at=NOW)

    assert advance(job, state, now=NOW + 1) is job


@pytest.mark.parametrize("state", [Failed(error=BOOM), Cancelled()])
def test_images_that_were_made_are_not_unmade(state):
    job = succeeded(link("a"))

    assert advance(job, state, now=NOW + 1) is job


def test_a_job_given_up_too_early_can_still_succeed():
    job = advance(
        replace(NEW, status="failed", error=BOOM, finished_at=NOW), Succeeded(images=(link("a"),)), now=NOW + 5
    )

    assert (job.status, job.error, job.finished_at) == ("succeeded", None, NOW)


def test_a_saved_image_keeps_its_path_and_gets_its_fresh_link():
    job = replace(succeeded(link("a"), link("b")), images=(saved("a", nsfw=True), link("b")))

    again = advance(job, Succeeded(images=(link("a2"), link("b2"))), now=NOW)

    assert again.images == (replace(saved("a", nsfw=True), url="https://h/a2"), link("b2"))
    assert again.has_unsaved_images


def test_images_with_keys_are_matched_by_key_and_stay_in_their_order():
    """Whoever is at work on image number two must find it there after a fresh look."""
    known = (saved("a", key="A"), Image(key="B", url="https://h/old-b"))
    told = (Image(key="B", url="https://h/b"), Image(key="C", url="https://h/c"), Image(key="A", data=b"x"))

    again = advance(replace(succeeded(*known), images=known), Succeeded(images=told), now=NOW)

    assert [image.key for image in again.images] == ["A", "B", "C"]
    assert again.images[0] == replace(known[0], url=None, data=b"x")
    assert again.images[1:] == (told[0], told[1])


def test_an_image_that_a_later_answer_leaves_out_is_not_forgotten():
    known = (saved("a", key="A"), Image(key="B", url="https://h/b"))

    again = advance(replace(succeeded(*known), images=known), Succeeded(images=()), now=NOW)

    assert again.images == known


def test_a_job_is_saved_when_every_image_is():
    job = succeeded(link("a"))

    assert not replace(job, images=(saved("a"),)).has_unsaved_images
    assert not NEW.has_unsaved_images


def test_a_job_is_asked_for_by_the_providers_id():
    assert replace(NEW, remote_id="r", poll_state={"count": 2}).remote == RemoteJob(id="r", poll_state={"count": 2})
    assert replace(NEW, count=0).remote == RemoteJob(id="")
    assert replace(NEW, count=4).remote == RemoteJob(id="", poll_state={"count": 4})  # as before an answer came


@pytest.mark.parametrize(
    ("state", "standing"),
    [
        (Queued(), "queued"),
        (Queued(position=3), "queued (position 3)"),
        (Queued(detail="soon", position=3), "queued (soon)"),
        (Running(progress=40.4), "running (40 %)"),
        (Running(detail="dreaming"), "running (dreaming)"),
        (Failed(error=BOOM), "failed"),
        (Failed(error=ModeratedError("no")), "failed (moderated)"),
        (Cancelled(), "cancelled"),
    ],
)
def test_a_job_says_in_a_few_words_how_it_stands(state, standing):
    assert advance(NEW, state, now=NOW).status_text == standing


def test_a_job_took_as_long_as_our_looks_at_it_tell():
    """From its acceptance, and only where it succeeded while somebody watched."""
    watched = replace(NEW, status="succeeded", ready_between=(8.0, 9.0), accepted_at=NOW - 4)

    assert (watched.duration, watched.started_at) == (8.5, NOW - 4)
    assert replace(watched, ready_between=(0.0, 3.0)).duration == 3.0
    assert replace(watched, status="failed").duration is None
    assert replace(watched, ready_between=None).duration is None
    assert replace(watched, accepted_at=None).started_at == watched.created_at


@pytest.mark.parametrize(
    ("told", "ended"),
    [(None, NOW), (NOW - 3, NOW - 3), (NOW + 60, NOW), (NOW - 99, NOW - 9)],
    ids=["not told", "told", "by a clock that is fast", "by a clock that is slow"],
)
def test_a_job_ended_when_its_provider_says_but_within_its_time(told, ended):
    assert succeeded(link("a"), ended_at=told).finished_at == ended
