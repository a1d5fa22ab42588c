from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import pytest

from flux_cli.engine.engine import Engine, dry_run_requests
from flux_cli.engine.fetch import Fetcher
from flux_cli.engine.ports import ImageStore
from flux_cli.errors import (
    AuthError,
    Interrupted,
    LedgerError,
    LinkError,
    LostReplyError,
    NotFoundError,
    PartialError,
    PaymentError,
    PendingError,
    ProtocolError,
    RefusedError,
    UnavailableError,
    UnknownOutcomeError,
    UnsavedError,
    UsageError,
)
from flux_cli.http.retry import POLICIES
from flux_cli.jobs import Cancelled, Image, Job, Queued, RemoteJob, Running, Succeeded
from flux_cli.providers.base import Accepted, Account, Model, PlannedJob, Provider
from flux_cli.providers.conversation import Request, Response, Upload, as_id
from flux_cli.providers.options import Range

IMAGES = (Image(key="a", url="https://x/a"), Image(key="b", url="https://x/b"))


class Book:
    """A ledger in memory that keeps every version."""

    def __init__(self):
        self.versions: list[Job] = []

    def add(self, job, limits=()):
        self.versions.append(job)
        return job

    def change(self, job_id, change):
        job = change(next(job for job in reversed(self.versions) if job.id == job_id))
        self.versions.append(replace(job, images=tuple(replace(image, data=None) for image in job.images)))
        return job

    @property
    def last(self):
        return self.versions[-1]


class Wire:
    """Answers from a script; what is an exception is raised, what is callable is called first."""

    def __init__(self, *script):
        self.script = list(script)
        self.sent: list[Request] = []
        self.deadlines: list[float] = []
        self.files: dict[str, list] = {}
        self.fetched: list[str] = []

    def policy(self, name):
        return POLICIES[name]

    def send(self, provider, request, *, sandbox, policy, deadline):
        self.sent.append(request)
        self.deadlines.append(deadline)
        step = self.script.pop(0)
        step = step() if callable(step) else step
        if isinstance(step, BaseException):
            raise step
        return Response(status=200, body=step if isinstance(step, bytes) else b"{}")

    def download(self, url, *, sandbox, deadline):
        self.fetched.append(url)
        step = self.files[url].pop(0)
        if isinstance(step, BaseException):
            raise step
        yield step


def toy(states=(), *, handle_is_id=False, cancels=None, accepted=None, upload=False) -> Provider:
    """Return a provider whose polls report ``states`` one after the other."""
    left = list(states)

    def submit(planned):
        if planned.job.prompt == "refuse":
            raise UsageError("not like this")
        if upload:
            yield Request(
                "POST", "/upload", upload=Upload(field="f", path="p"), repeatable=True, dry_run_answer={"url": "u"}
            )
        yield Request(
            "POST", "/jobs", json={"prompt": planned.job.prompt}, headers={"K": planned.job.idempotency_key}, paid=True
        )
        return accepted or Accepted(remote=RemoteJob(id="r-1", poll_state={"count": 2}))

    def poll(remote):
        yield Request("GET", f"/jobs/{remote.id}")
        return left.pop(0)

    def cancel(remote):
        yield Request("POST", f"/jobs/{remote.id}/cancel", repeatable=True)
        return cancels

    def check():
        yield Request("GET", "/me")
        return Account(name="me")

    model = Model(name="m", slug="m", options={"seed": Range(field="seed", low=0)})
    return Provider(
        name="toy", title="Toy", base_url="https://toy", auth=("A", ""), key_variables=("T",), key_page="the toy shop",
        docs="https://toy", models={"m": model}, submit=submit, poll=poll, check=check, refusal=lambda _: None,
        cancel=cancel if cancels is not None else None, idempotency_key_is_id=handle_is_id,
    )  # fmt: skip


def make(status="submitting", **changes) -> Job:
    fields = {"id": "k3f9q2mx", "run": "r", "provider": "toy", "model": "m", "prompt": "a fox", "created_at": 0.0}
    return Job(**{**fields, "status": status, **changes})


def plan(provider, prompt="a fox") -> PlannedJob:
    job = make(prompt=prompt, seed=1, idempotency_key="h-1")
    return PlannedJob(job=job, model=provider.models["m"])


class Desk:
    """An engine with everything around it."""

    def __init__(self, clock, provider, *script):
        self.provider, self.clock = provider, clock
        self.wire, self.book = Wire(*script), Book()
        self.engine = Engine(
            transport=self.wire, store=self.book, clock=clock, load=lambda _: provider, gone=lambda _: True
        )
        self.collector = Fetcher(wire=self.wire, book=self.book, clock=clock, renew=self.engine.renew)
        self.disk: dict[str, bytes] = {}
        self.faults: list[BaseException] = []

    def submit(self):
        return self.engine.submit(plan(self.provider))

    def known(self, job):
        self.book.add(job)
        return job

    @property
    def shelf(self):
        def save(chunks, image, index):
            data = b"".join(chunks)
            if self.faults:
                raise self.faults.pop(0)
            self.disk[f"/{index}"] = data
            return replace(image, path=f"/{index}")

        return ImageStore(save=save, is_saved=lambda image: image.path in self.disk)


@pytest.fixture
def desk(clock):
    return lambda provider, *script: Desk(clock, provider, *script)


def test_the_intent_is_written_down_before_the_paid_request_leaves(desk):
    """At the moment of sending, the ledger holds the job with its exact body and handle."""
    seen = []
    found = desk(toy(), lambda: seen.extend(found.book.versions))

    job = found.submit()

    (before,) = seen
    assert (before.status, before.idempotency_key, before.remote_id) == ("submitting", "h-1", None)
    assert before.request == {"method": "POST", "path": "/jobs", "headers": {"K": "h-1"}, "body": {"prompt": "a fox"}}
    assert (job.status, job.remote_id, job.poll_state) == ("queued", "r-1", {"count": 2})
    assert found.book.last == job


def test_a_handle_that_is_the_id_is_known_before_the_answer(desk):
    """A job whose reply is lost can then still be asked about."""
    found = desk(toy(handle_is_id=True), LostReplyError("no answer from toy"))

    job = found.submit()

    assert (job.status, job.remote_id) == ("unknown", "h-1")
    assert "`flux status k3f9q2mx` asks toy" in job.error.hint


def test_nothing_is_written_down_where_nothing_paid_was_sent(desk):
    found = desk(toy(upload=True), UnavailableError("the upload failed"))

    with pytest.raises(UnavailableError):
        found.submit()

    assert found.book.versions == []


def test_a_lost_answer_makes_the_job_unknown(desk):
    found = desk(toy(), LostReplyError("no answer from toy"))

    job = found.submit()

    assert (job.status, job.error.code, job.error.retry) == ("unknown", "unknown", "never")
    assert "the toy shop" in job.error.hint
    assert found.book.last == job


def test_an_answer_that_makes_no_sense_makes_the_job_unknown(desk):
    """The provider said 200: something may have been bought."""

    def submit(planned):
        reply = yield Request("POST", "/jobs", json={}, paid=True)
        return Accepted(remote=RemoteJob(id=reply.json["id"]))

    found = desk(replace(toy(), submit=submit), b"[]")

    assert found.submit().status == "unknown"


UNREADABLE = [b"", b"<html>Sign in</html>", b'{"id": ', b'[{"data": 3}, null]', b"{}", b'{"id": "../../steal"}']


def buys_under_a_key(*, upload=False) -> Provider:
    """Return a provider whose paid request may be repeated under its key, and whose answer names the job."""

    def submit(planned):
        if upload:
            yield Request("POST", "/upload", upload=Upload(field="f", path="p"), repeatable=True)
        paid = Request("POST", "/jobs", json={}, headers={"K": planned.job.idempotency_key}, paid=True, repeatable=True)
        try:
            reply = yield paid
        except UsageError:
            reply = yield replace(paid, json={"renamed": True})
        except LostReplyError as lost:
            if not isinstance(lost.refusal, RefusedError):
                raise
            return Accepted(remote=RemoteJob(id="found"))
        return Accepted(remote=RemoteJob(id=as_id(reply.json["id"])))

    return replace(toy(), submit=submit)


@pytest.mark.parametrize("answer", UNREADABLE)
def test_an_unreadable_answer_to_a_purchase_under_a_key_is_asked_for_once_more(desk, answer):
    """Exactly as it was; what went before is not sent again."""
    one = desk(buys_under_a_key(upload=True), b"{}", answer, b'{"id": "r-1"}')

    job = one.submit()

    upload, first, second = one.wire.sent
    assert (job.status, job.remote_id, job.error) == ("queued", "r-1", None)
    assert (first, upload.upload is not None) == (second, True)


def test_an_answer_that_stays_unreadable_is_asked_for_once_more_and_no_oftener(desk):
    one = desk(buys_under_a_key(), b"<html>", b"<html>")

    job = one.submit()

    assert (job.status, job.error.charged, len(one.wire.sent)) == ("unknown", "unknown", 2)


@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        (PaymentError("no credits"), "unknown"),
        (UnavailableError("busy"), "unknown"),
        (LostReplyError("no answer"), "unknown"),
        (RefusedError("it exists"), "queued"),
    ],
)
def test_a_refusal_of_the_repeat_says_nothing_of_the_first_purchase(desk, refusal, status):
    """Only the provider's conversation may know better: to some, "it exists" is good news."""
    one = desk(buys_under_a_key(), b"<html>", refusal)

    assert one.submit().status == status


def test_what_was_refused_before_an_unreadable_answer_is_not_asked_again(desk):
    """The conversation is taken up where it stood: the first spelling was refused, the second one is repeated."""
    one = desk(buys_under_a_key(), UsageError("another name"), b"<html>", b'{"id": "r-1"}')

    job = one.submit()

    assert [request.json for request in one.wire.sent] == [{}, {"renamed": True}, {"renamed": True}]
    assert (job.remote_id, job.request["body"]) == ("r-1", {"renamed": True})


def test_an_unreadable_answer_to_a_purchase_without_a_key_is_not_asked_for_again(desk):
    def submit(planned):
        reply = yield Request("POST", "/jobs", json={}, paid=True)
        return Accepted(remote=RemoteJob(id=reply.json["id"]))

    one = desk(replace(toy(), submit=submit), b"<html>")

    job = one.submit()

    assert (job.status, len(one.wire.sent)) == ("unknown", 1)


@pytest.mark.parametrize("known", ["submit", "refresh", "watch"])
def test_the_time_out_reaches_every_request(desk, clock, known):
    """Submit, look and wait: none of them waits beyond the deadline."""
    one = desk(toy(states=[Queued(), Succeeded(images=IMAGES)]), *[b"{}"] * 3)
    deadline = clock.monotonic() + 50
    if known == "submit":
        one.engine.submit(plan(one.provider), deadline=deadline)
    else:
        job = one.known(make("queued", remote_id="r-1"))
        list(one.engine.watch(job, timeout=50)) if known == "watch" else one.engine.refresh(job, deadline=deadline)

    assert set(one.wire.deadlines) == {deadline}


def test_a_refusal_makes_the_job_failed(desk):
    found = desk(toy(), PaymentError("out of credits"))

    job = found.submit()

    assert (job.status, job.error.code, job.error.charged) == ("failed", "payment", "no")
    assert job.finished_at is not None


def test_a_second_paid_request_of_one_submit_replaces_the_stored_body(desk):
    def submit(planned):
        try:
            yield Request("POST", "/jobs", json={"a": 1}, paid=True)
        except UsageError:
            yield Request("POST", "/jobs", json={"b": 1}, paid=True)
        return Accepted(remote=RemoteJob(id="r-1"))

    found = desk(replace(toy(), submit=submit), UsageError("a is unknown"), None)

    assert found.submit().request["body"] == {"b": 1}
    assert len({job.id for job in found.book.versions}) == 1


def test_no_paid_request_leaves_after_an_interrupt(desk, clock):
    found = desk(toy())
    clock.stop(2)

    with pytest.raises(Interrupted):
        found.submit()

    assert (found.wire.sent, found.book.versions) == ([], [])


class Torn(Book):
    """A ledger whose disk fails once there is something in it."""

    def change(self, job_id, change):
        raise LedgerError("disk I/O error")


def test_an_id_that_cannot_be_stored_is_named_in_the_error(desk):
    """It was bought: exit 7 and the way to fetch it, never a failure that invites to buy again."""
    found = desk(toy(), None)
    found.book.__class__ = Torn

    with pytest.raises(UnknownOutcomeError, match=r"r-1.*disk I/O error") as caught:
        found.submit()

    assert (caught.value.charged, caught.value.retry) == ("yes", "never")
    assert "`flux result --wait toy:r-1`" in caught.value.hint


@pytest.mark.parametrize(
    ("said", "expected"), [(LostReplyError("no answer"), UnknownOutcomeError), (PaymentError("no"), PaymentError)]
)
def test_the_answer_of_the_provider_is_reported_even_if_it_cannot_be_stored(desk, said, expected):
    found = desk(toy(), said)
    found.book.__class__ = Torn

    with pytest.raises(expected):
        found.submit()


def test_abandoning_a_submit_leaves_an_unknown_job(desk):
    found = desk(toy())
    found.known(make())

    assert found.engine.mark_unanswered(make()).status == "unknown"


def test_a_rehearsal_is_the_requests_without_sending(desk):
    provider = toy(upload=True)

    requests = dry_run_requests(provider, plan(provider))

    assert [request.path for request in requests] == ["/upload", "/jobs"]
    with pytest.raises(UsageError):
        dry_run_requests(toy(), plan(provider, "refuse"))


def test_watching_ends_when_the_job_does(desk):
    found = desk(toy([Queued(position=2), Running(progress=50.0), Succeeded(images=IMAGES)]), None, None, None)
    job = found.known(make("queued", remote_id="r-1"))

    seen = [(one.status, one.queue_position, one.progress) for one in found.engine.watch(job, timeout=60)]

    assert seen == [("queued", 2, None), ("running", None, 50.0), ("succeeded", None, None)]
    assert found.book.last.finished_at is not None


def test_the_ledger_keeps_when_a_job_was_accepted_and_between_which_looks_it_became_ready(desk, clock):
    """Seconds from the answer to the submit, which may have taken long."""

    def sent():
        clock.time += 8

    found = desk(toy([Running(), Succeeded(images=IMAGES)]), sent, None, None)
    began = clock.now()

    job = list(found.engine.watch(found.submit(), timeout=60))[-1]

    assert job.accepted_at == began + 8
    assert job.ready_between == pytest.approx((3.0, 4.0))
    assert job.duration == pytest.approx(3.5)
    assert found.engine.expected(job) == pytest.approx(3.5)


def test_a_single_look_does_not_show_how_long_a_job_took(desk):
    """Whoever asks the next day finds it done, and no more."""
    found = desk(toy([Succeeded(images=IMAGES)]), None)

    assert found.engine.refresh(found.known(make("queued", remote_id="r-1"))).ready_between is None


def test_watching_survives_what_may_pass(desk):
    """One bad look does not lose a job."""
    found = desk(
        toy([Succeeded(images=IMAGES)]),
        UnavailableError("502"),
        ProtocolError("HTML"),
        NotFoundError("not yet"),
        UnavailableError("429", retry_after=30),
        None,
    )
    job = found.known(make("queued", remote_id="r-1"))

    (last,) = found.engine.watch(job, timeout=600)

    assert last.status == "succeeded"
    assert max(found.clock.slept) == 30


def test_watching_stops_at_what_cannot_pass_and_keeps_the_job(desk):
    found = desk(toy(), AuthError("the key was withdrawn"))
    job = found.known(make("queued", remote_id="r-1"))

    with pytest.raises(AuthError):
        list(found.engine.watch(job, timeout=60))

    assert found.book.last.status == "queued"


def test_a_job_that_its_provider_keeps_denying_is_given_up(desk):
    found = desk(toy(), *[NotFoundError("no such job")] * 3)
    job = found.known(make("queued", remote_id="r-1"))

    with pytest.raises(NotFoundError):
        list(found.engine.watch(job, timeout=60))


def test_watching_has_an_end_and_says_how_to_come_back(desk):
    found = desk(toy([Running()] * 50), *[None] * 40, *[UnavailableError("gone")] * 20)
    job = found.known(make("queued", remote_id="r-1"))

    with pytest.raises(PendingError) as caught:
        list(found.engine.watch(job, timeout=20))

    assert sum(found.clock.slept) == pytest.approx(20)
    assert min(found.clock.slept[:-1]) >= 1
    assert "`flux result --wait k3f9q2mx`" in caught.value.hint
    assert found.book.last.status == "running"


def test_the_time_out_names_the_reason_of_the_last_failed_look(desk):
    found = desk(toy(), *[UnavailableError("cannot reach toy")] * 20)
    job = found.known(make("queued", remote_id="r-1"))

    with pytest.raises(PendingError, match="cannot reach toy"):
        list(found.engine.watch(job, timeout=5))


def test_a_job_without_an_id_cannot_be_asked_about(desk):
    found = desk(toy())

    assert found.engine.refresh(make("unknown")) == make("unknown")
    assert found.wire.sent == []


def test_a_submit_that_is_still_under_way_is_left_alone(desk):
    found = desk(toy())
    found.engine = Engine(
        transport=found.wire, store=found.book, clock=found.clock, load=lambda _: found.provider, gone=lambda _: False
    )

    assert found.engine.refresh(found.known(make())) == make()


def test_a_submit_that_another_process_has_finished_meanwhile_is_read_from_the_book(desk):
    """What we know of it is old: else whoever waits for it would see it being submitted for ever."""
    found = desk(toy())
    found.engine = Engine(
        transport=found.wire, store=found.book, clock=found.clock, load=lambda _: found.provider, gone=lambda _: False
    )
    old = found.known(make())
    accepted = found.known(replace(old, status="queued", remote_id="r-1"))

    assert found.engine.refresh(old) == accepted
    assert found.wire.sent == []


def lost(**changes):
    told = {
        "created_at": 1_795_000_000.0,
        "request": {"path": "/jobs", "body": {"prompt": "a fox"}},
        "idempotency_key": "h-1",
        **changes,
    }
    return make("unknown", **told)


def test_a_lost_job_is_looked_for_and_followed(desk):
    """What the search gets is what was sent, and when."""
    asked = []

    def find(what):
        asked.append(what)
        yield Request("GET", "/jobs")
        return RemoteJob(id="r-9", poll_state={"where": "there"})

    found = desk(replace(toy([Running()]), find=find), None, None)
    found.known(lost())

    job = found.engine.refresh(lost())

    assert (job.status, job.remote_id, job.error) == ("running", "r-9", None)
    assert job.poll_state == {"where": "there"}
    assert asked[0].path == "/jobs"
    assert (asked[0].job_id, asked[0].idempotency_key, asked[0].body) == ("k3f9q2mx", "h-1", {"prompt": "a fox"})
    assert all(not request.paid for request in found.wire.sent)


def test_a_lost_job_that_is_not_found_stays_unknown(desk):
    def find(what):
        yield Request("GET", "/jobs")

    found = desk(replace(toy([Queued(seen=False)]), find=find), None, None)
    job = found.known(lost(remote_id="h-1"))

    assert found.engine.refresh(job) == job


def test_a_lost_job_that_its_provider_denies_stays_unknown(desk):
    found = desk(toy(), NotFoundError("no such task"))
    job = found.known(lost(remote_id="h-1"))

    assert found.engine.refresh(job).status == "unknown"


def test_a_lost_job_is_not_looked_for_for_ever(desk, clock):
    found = desk(toy())
    clock.time += 86_401.0

    assert found.engine.refresh(found.known(lost(remote_id="h-1"))).status == "unknown"
    assert found.wire.sent == []


def test_a_submit_whose_process_died_becomes_unknown_and_is_looked_for(desk):
    found = desk(toy([Succeeded(images=IMAGES)], handle_is_id=True), None)
    job = found.known(replace(lost(remote_id="h-1"), status="submitting"))

    assert found.engine.refresh(job).status == "succeeded"
    assert found.book.versions[1].status == "unknown"


def test_a_job_made_elsewhere_is_taken_in_once_it_is_known(desk):
    found = desk(toy([Running()]), None)

    job = found.engine.adopt(make("unknown", remote_id="r-7"))

    assert (job.status, found.book.last) == ("running", job)


def test_a_job_made_elsewhere_that_its_provider_denies_is_not_stored(desk):
    found = desk(toy(), NotFoundError("no such job"))

    with pytest.raises(NotFoundError):
        found.engine.adopt(make("unknown", remote_id="r-7"))

    assert found.book.versions == []


def test_cancelling_tells_how_the_job_stands(desk):
    for state, status in ((Cancelled(), "cancelled"), (Running(), "running")):
        found = desk(toy(cancels=state), None)
        found.known(make("queued", remote_id="r-1"))

        assert found.engine.cancel(found.book.last).status == status


def test_cancelling_where_it_is_not_offered_sends_nothing(desk):
    found = desk(toy())

    with pytest.raises(UsageError, match="cannot cancel"):
        found.engine.cancel(make("queued", remote_id="r-1"))

    assert found.wire.sent == []


def test_a_job_that_never_got_an_id_cannot_be_cancelled(desk):
    found = desk(toy(cancels=Cancelled()))

    with pytest.raises(UnknownOutcomeError):
        found.engine.cancel(make("unknown"))


def test_checking_a_key_asks_its_provider(desk):
    found = desk(toy(), None)

    assert found.engine.check(found.provider, sandbox=False) == Account(name="me")


def finished(desk, *script, states=(), images=IMAGES):
    found = desk(toy(states), *script)
    found.known(make("succeeded", remote_id="r-1", images=images))
    return found


def test_collecting_saves_every_image_and_writes_each_down(desk):
    found = finished(desk)
    found.wire.files = {"https://x/a": [b"A"], "https://x/b": [b"B"]}

    job = found.collector.fetch(found.book.last, found.shelf)

    assert found.disk == {"/1": b"A", "/2": b"B"}
    assert [image.path for image in found.book.last.images] == ["/1", "/2"]
    assert not job.has_unsaved_images
    assert [[image.path for image in version.images] for version in found.book.versions[1:]] == [
        ["/1", None],
        ["/1", "/2"],
    ]


def test_what_is_saved_and_still_there_is_not_fetched_again(desk):
    found = finished(desk, images=(replace(IMAGES[0], path="/1"), IMAGES[1]))
    found.disk["/1"] = b"A"
    found.wire.files = {"https://x/b": [b"B"]}

    found.collector.fetch(found.book.last, found.shelf)

    assert found.wire.fetched == ["https://x/b"]


def test_a_download_that_fails_is_tried_again(desk):
    found = finished(desk, images=IMAGES[:1])
    found.wire.files = {"https://x/a": [UnavailableError("reset"), b"A"]}
    found.faults = []

    found.collector.fetch(found.book.last, found.shelf)

    assert found.disk == {"/1": b"A"}


def test_bytes_that_are_no_image_are_fetched_again_and_then_given_up(desk):
    found = finished(desk, UnavailableError("down"), images=IMAGES[:1])
    found.wire.files = {"https://x/a": [b"<html>"] * 9}
    found.faults = [ProtocolError("looks like HTML")] * 9

    with pytest.raises(UnsavedError) as caught:
        found.collector.fetch(found.book.last, found.shelf)

    assert len(found.wire.fetched) == 4
    assert "looks like HTML" in caught.value.message
    assert "`flux result k3f9q2mx`" in caught.value.hint
    assert (caught.value.charged, found.book.last.status, found.book.last.has_unsaved_images) == (
        "yes",
        "succeeded",
        True,
    )


def test_an_expired_link_is_renewed_by_reading_the_job_again(desk):
    fresh = (Image(key="a", url="https://x/fresh"),)
    found = finished(desk, None, states=[Succeeded(images=fresh)], images=IMAGES[:1])
    found.wire.files = {"https://x/a": [NotFoundError("410")], "https://x/fresh": [b"A"]}

    job = found.collector.fetch(found.book.last, found.shelf)

    assert found.disk == {"/1": b"A"}
    assert job.images[0].url == "https://x/fresh"


def test_a_renewed_link_that_is_refused_is_tried_once_more(desk, clock):
    """It is as new as it gets, so its host may lag behind."""
    fresh = (Image(key="a", url="https://x/fresh"),)
    found = finished(desk, None, states=[Succeeded(images=fresh)], images=IMAGES[:1])
    found.wire.files = {"https://x/a": [LinkError("403")], "https://x/fresh": [LinkError("404"), b"A"]}

    found.collector.fetch(found.book.last, found.shelf)

    assert found.disk == {"/1": b"A"}
    assert clock.slept != []


@pytest.mark.parametrize(
    ("script", "states"),
    [([None], [Succeeded(images=IMAGES[:1])]), ([None], [Running()]), ([UnavailableError("down")], [])],
)
def test_an_expired_link_that_cannot_be_renewed_is_an_error(desk, script, states):
    found = finished(desk, *script, states=states, images=IMAGES[:1])
    found.wire.files = {"https://x/a": [NotFoundError("the link no longer works")] * 2}

    with pytest.raises(UnsavedError, match="no longer works"):
        found.collector.fetch(found.book.last, found.shelf)


def test_bytes_that_came_with_the_answer_need_no_download(desk):
    inline = (Image(key="a", data=b"A"), Image(key="b", data=b"B"))
    found = finished(desk, images=inline)

    found.collector.fetch(found.book.last, found.shelf)

    assert (found.disk, found.wire.fetched) == ({"/1": b"A", "/2": b"B"}, [])


def test_bytes_that_are_gone_are_asked_for_again(desk):
    """A job loaded from the ledger has no image bytes, and no link where the API sent bytes."""
    again = Succeeded(images=(Image(key="a", data=b"A"),))
    found = finished(desk, None, states=[again], images=(Image(key="a"),))

    found.collector.fetch(found.book.last, found.shelf)

    assert found.disk == {"/1": b"A"}


def test_a_link_that_brings_only_trouble_is_renewed_too(desk):
    """A dead host and a page of HTML are other ways of saying that a link has expired."""
    fresh = (Image(key="a", url="https://x/fresh"),)
    found = finished(desk, None, states=[Succeeded(images=fresh)], images=IMAGES[:1])
    found.wire.files = {"https://x/a": [UnavailableError("no such host")] * 2, "https://x/fresh": [b"A"]}

    found.collector.fetch(found.book.last, found.shelf)

    assert found.disk == {"/1": b"A"}


@pytest.mark.parametrize("error", [AuthError("no"), PaymentError("no"), RefusedError("no", charged="no")])
def test_a_look_that_is_refused_tells_nothing_about_what_the_job_costs(desk, error):
    """The job goes on: to generate it again would be a second purchase."""
    found = desk(toy(), error)
    job = found.known(make("running", remote_id="r-1"))

    with pytest.raises(type(error)) as caught:
        list(found.engine.watch(job, timeout=60))

    assert (caught.value.charged, caught.value.retry) == ("unknown", "never")
    assert found.book.last.status == "running"


def test_garbage_is_asked_for_again(desk):
    found = desk(toy([Running()]), ProtocolError("not JSON"), ProtocolError("not JSON"), None)
    job = found.known(make("queued", remote_id="r-1"))

    assert found.engine.refresh(job).status == "running"
    assert len(found.wire.sent) == 3


def test_garbage_that_does_not_pass_is_an_error_with_a_way_back(desk):
    found = desk(toy(), *[ProtocolError("not JSON")] * 3)
    job = found.known(make("queued", remote_id="r-1"))

    with pytest.raises(ProtocolError) as caught:
        found.engine.refresh(job)

    assert (caught.value.charged, len(found.wire.sent)) == ("unknown", 3)
    assert "`flux status k3f9q2mx`" in caught.value.hint


def test_one_image_that_cannot_be_saved_does_not_keep_the_others(desk):
    found = finished(desk, UnavailableError("down"))
    found.wire.files = {"https://x/a": [UnavailableError("down")] * 4, "https://x/b": [b"B"]}

    with pytest.raises(PartialError, match="1 of 2 images are saved") as caught:
        found.collector.fetch(found.book.last, found.shelf)

    assert found.disk == {"/2": b"B"}
    assert caught.value.charged == "yes"
    assert found.book.last.has_unsaved_images


THIRD = Image(key="c", url="https://x/c")


def test_an_image_that_another_process_learns_of_meanwhile_is_saved_too(desk):
    found = finished(desk)
    found.wire.files = {image.url: [image.key.encode()] for image in (*IMAGES, THIRD)}
    seen = found.book.last
    found.known(replace(seen, images=(*IMAGES, THIRD)))

    job = found.collector.fetch(seen, found.shelf)

    assert found.disk == {"/1": b"a", "/2": b"b", "/3": b"c"}
    assert [image.path for image in job.images] == ["/1", "/2", "/3"]


def test_bytes_at_hand_outlast_an_image_that_another_process_learns_of(desk):
    inline = (Image(key="a", data=b"A"), Image(key="b", data=b"B"))
    found = finished(desk, images=inline)
    seen = found.book.last
    found.known(replace(seen, images=(*(replace(image, data=None) for image in inline), THIRD)))
    found.wire.files = {THIRD.url: [b"C"]}

    found.collector.fetch(seen, found.shelf)

    assert (found.disk, found.wire.fetched) == ({"/1": b"A", "/2": b"B", "/3": b"C"}, [THIRD.url])


def test_a_renewed_link_is_kept_though_the_image_it_was_renewed_for_fails(desk):
    """One more answer renews the links of all images: the next one is not asked for again."""
    fresh = Succeeded(images=(Image(key="a", url="https://x/fresh-a"), Image(key="b", url="https://x/fresh-b")))
    found = finished(desk, None, states=[fresh])
    found.wire.files = {
        "https://x/a": [NotFoundError("410")],
        "https://x/fresh-a": [UnavailableError("down")] * 9,
        "https://x/fresh-b": [b"B"],
    }

    with pytest.raises(PartialError):
        found.collector.fetch(found.book.last, found.shelf)

    assert found.disk == {"/2": b"B"}
    assert "https://x/b" not in found.wire.fetched
    assert len(found.wire.sent) == 1


@pytest.mark.parametrize(
    ("error", "age", "saved"),
    [
        (LinkError("no", vendor_code="HTTP 404"), 0, True),
        (LinkError("no", vendor_code="HTTP 403"), 300, True),
        (LinkError("no", vendor_code="HTTP 404"), 86_400, False),
        (NotFoundError("410"), 0, False),
    ],
)
def test_only_a_fresh_link_is_given_time(desk, clock, error, age, saved):
    """As long as the deadline allows; the provider has no other link."""
    found = desk(toy([Succeeded(images=IMAGES[:1])]), None)
    ended = None if age is None else clock.now() - age
    job = found.known(make("succeeded", remote_id="r-1", images=IMAGES[:1], finished_at=ended))
    found.wire.files = {"https://x/a": [error] * 8 + [b"A"]}

    with nullcontext() if saved else pytest.raises(UnsavedError):
        found.collector.fetch(job, found.shelf, deadline=clock.monotonic() + 120)

    assert found.disk == ({"/1": b"A"} if saved else {})
    assert (clock.slept == []) is (not saved)


def test_a_disk_in_trouble_is_not_tried_again(desk):
    found = finished(desk, images=IMAGES[:1])
    found.wire.files = {"https://x/a": [b"A"] * 2}
    found.faults = [UnsavedError("no space left on device")]

    with pytest.raises(UnsavedError, match="no space"):
        found.collector.fetch(found.book.last, found.shelf)

    assert len(found.wire.fetched) == 1
