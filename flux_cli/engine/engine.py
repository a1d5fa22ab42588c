"""The engine: submits, asks, waits, cancels and collects, for any provider.

It knows time, money and order, and no protocol: what is said to a provider is the provider's conversation, how it
travels is the wire's business, and what must not be forgotten goes into the book. All three are handed in.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from flux_cli.clock import Clock
from flux_cli.engine.polling import Poller
from flux_cli.engine.ports import JobStore, Transport
from flux_cli.engine.schedule import APART, is_precise
from flux_cli.errors import (
    FluxError,
    LedgerError,
    LostReplyError,
    NotFoundError,
    ProtocolError,
    UnavailableError,
    UnknownOutcomeError,
    UsageError,
)
from flux_cli.jobs import SEARCH_SECONDS, Cancelled, Failed, Job, ReadyInterval, State, Succeeded, advance
from flux_cli.money.limits import Limit
from flux_cli.providers.base import Accepted, Account, LostSubmit, Order, Provider
from flux_cli.providers.conversation import Flow, Request, Response, drive
from flux_cli.providers.hints import with_hint
from flux_cli.text import printable

T = TypeVar("T")


def dry_run_requests(provider: Provider, order: Order) -> list[Request]:
    """Return the requests that submitting ``order`` would send, up to the paid one, without sending any.

    Raises `UsageError` for what the conversation itself refuses.
    """
    conversation = provider.submit(order)
    requests = [next(conversation)]
    while not requests[-1].paid:
        answer = json.dumps(requests[-1].dry_run_answer).encode()
        requests.append(conversation.send(Response(status=200, body=answer)))
    return requests


class Engine:
    """What a command asks to have done. One instance may serve many threads."""

    def __init__(
        self,
        *,
        wire: Transport,
        book: JobStore,
        clock: Clock,
        load: Callable[[str], Provider],
        gone: Callable[[Job], bool],
        waits: Callable[[Job], Sequence[ReadyInterval]] = lambda _: (),
    ) -> None:
        """Make an engine.

        ``load`` finds a provider by its name, ``gone`` tells whether a job's process has died, and ``waits`` what is
        known of how long earlier jobs like one took, the newest first.
        """
        self._wire = wire
        self._book = book
        self._clock = clock
        self._load = load
        self._gone = gone
        self._watcher = Poller(
            clock=clock,
            look=partial(self.refresh, tries=1),
            waits=waits,
            poll_seconds=lambda job: load(job.provider).poll_seconds,
        )

    def submit(
        self, job: Job, order: Order, *, limits: Sequence[Limit] = (), tries: int = 5, deadline: float = math.inf
    ) -> Job:
        """Buy one job within ``limits``. Return it as far as it got; a refusal or a lost answer is in its ``error``.

        The intent, with the exact body and the handle, is in the book before the paid request leaves, and the
        provider's id as soon as it is read. Nothing waits for a better moment beyond the ``deadline``, a reading of the
        clock. Raises `FluxError` only where no paid request was sent, or where the book fails us afterwards: then its
        error says so, and names the id.
        """
        provider = self._load(job.provider)
        written = False

        def send(request: Request) -> Response:
            nonlocal written
            if request.paid:
                intent = _describe_request(request)
                remote_id = order.idempotency_key if provider.idempotency_key_is_id else None
                if written:
                    self._book.change(job.id, lambda known: replace(known, request=intent))
                else:
                    self._clock.check()
                    new = replace(job, idempotency_key=order.idempotency_key, remote_id=remote_id, request=intent)
                    self._book.add(new, limits)
                    written = True
            return self._wire.send(provider, request, sandbox=job.sandbox, tries=tries, deadline=deadline)

        try:
            accepted = _hold_submit(provider, order, send)
        except FluxError as error:
            if not written:
                raise
            try:
                return self._book.change(job.id, partial(self._with_submit_error, provider=provider, error=error))
            except LedgerError as failure:
                raise (self._with_submit_error(job, provider=provider, error=error).error or error) from failure
        remote, now = accepted.remote, self._clock.now()

        def taken(known: Job) -> Job:
            bought = replace(known, remote_id=remote.id, poll_state=dict(remote.poll_state), accepted_at=now)
            return advance(bought, accepted.state, now=now)

        try:
            return self._book.change(job.id, taken)
        except LedgerError as error:
            raise UnknownOutcomeError(
                f"{provider.name} accepted the job as {printable(remote.id)}, which could not be written down: "
                f"{error.message}",
                hint=f"`flux result --wait {provider.name}:{printable(remote.id)}` fetches it; do not generate again",
                charged="yes",
            ) from error

    def mark_unanswered(self, job: Job) -> Job:
        """Write down that the answer to a job's paid request will not be read, and return the job."""
        lost = UnknownOutcomeError("interrupted before the answer came")
        return self._book.change(
            job.id, partial(self._with_submit_error, provider=self._load(job.provider), error=lost)
        )

    def _with_submit_error(self, job: Job, *, provider: Provider, error: FluxError) -> Job:
        """Return a job whose paid request was refused, or answered by nothing that makes sense."""
        if isinstance(error, UnknownOutcomeError | ProtocolError):
            return replace(job, status="unknown", error=_unknown_outcome(job, provider, error))
        return replace(job, status="failed", error=with_hint(error, provider), finished_at=self._clock.now())

    def _ask(
        self,
        provider: Provider,
        conversation: Flow[T],
        *,
        sandbox: bool,
        tries: int,
        deadline: float = math.inf,
        job: Job | None = None,
    ) -> T:
        """Hold a conversation that buys nothing. Raises `FluxError`, with a hint.

        What goes wrong with a question about ``job`` tells nothing of whether the job itself was charged.
        """
        try:
            found = drive(
                conversation,
                lambda request: self._wire.send(provider, request, sandbox=sandbox, tries=tries, deadline=deadline),
            )
        except FluxError as error:
            if job is not None:
                error.charged = "unknown"
                if isinstance(error, UnavailableError | ProtocolError):
                    error.hint = error.hint or f"nothing is lost: `flux status {job.id}` asks again"
            raise with_hint(error, provider) from error.__cause__
        if isinstance(found, Failed | Cancelled) and found.error is not None:
            with_hint(found.error, provider)
        return found

    def _read_state(self, job: Job, *, tries: int, deadline: float) -> State:
        """Ask once how a job is doing; where the answer makes no sense, once more for each try. Raises `FluxError`."""
        provider = self._load(job.provider)
        while True:
            tries -= 1
            try:
                return self._ask(
                    provider,
                    provider.poll(job.remote),
                    sandbox=job.sandbox,
                    tries=tries + 1,
                    deadline=deadline,
                    job=job,
                )
            except ProtocolError:
                if tries < 1 or self._clock.monotonic() + APART > deadline:
                    raise
            self._clock.sleep(APART)

    def refresh(self, job: Job, *, tries: int = 3, working: float | None = None, deadline: float = math.inf) -> Job:
        """Ask the provider once how a job is doing, and write that down. Only ever reads. Raises `FluxError`.

        A job whose submit nobody finished, or whose answer was lost, is looked for; it stays ``unknown`` until it is
        found. ``working`` is when a look last found it at work, in seconds since it was accepted, where anybody has
        been waiting for it. Nothing waits for a better moment beyond the ``deadline``, a reading of the clock.
        """
        if job.status == "submitting":
            if not self._gone(job):
                return self._book.change(job.id, lambda known: known)  # by now, its process may have got further
            job = self.mark_unanswered(job)
        if job.status == "unknown":
            return self._look_for_lost(job, tries=tries, deadline=deadline)
        return self._poll(job, tries=tries, deadline=deadline, working=working)

    def _poll(self, job: Job, *, tries: int, deadline: float, working: float | None = None) -> Job:
        at = self._clock.now() - job.started_at
        state = self._read_state(job, tries=tries, deadline=deadline)

        def taken(known: Job) -> Job:
            new = advance(known, state, now=self._clock.now())
            if working is None or not known.active or not isinstance(state, Succeeded) or not is_precise((working, at)):
                return new
            return replace(new, ready_between=(working, at))

        return self._book.change(job.id, taken)

    def _look_for_lost(self, job: Job, *, tries: int, deadline: float) -> Job:
        """Find out what became of a job whose answer was lost, if the provider can be asked at all.

        After a day nobody is asked any more: Apiframe keeps its jobs no longer, and a list only gets longer.
        """
        if self._clock.now() - job.created_at > SEARCH_SECONDS:
            return job
        if job.remote_id is not None:
            with suppress(NotFoundError):
                job = self._poll(job, tries=tries, deadline=deadline)
        provider = self._load(job.provider)
        if job.status != "unknown" or provider.find is None or job.request is None:
            return job
        lost = LostSubmit(
            job_id=job.id, idempotency_key=job.idempotency_key, body=_stored_body(job), sent_at=job.created_at
        )
        remote = self._ask(provider, provider.find(lost), sandbox=job.sandbox, tries=tries, deadline=deadline, job=job)
        if remote is None:
            return job
        job = self._book.change(
            job.id, lambda known: replace(known, remote_id=remote.id, status="queued", error=None, detail=None)
        )
        return self._poll(job, tries=tries, deadline=deadline)

    def adopt(self, job: Job) -> Job:
        """Take in a job that was made elsewhere, once its provider knows it. Raises `FluxError`."""
        provider = self._load(job.provider)
        state = self._ask(provider, provider.poll(job.remote), sandbox=job.sandbox, tries=3)
        return self._book.add(advance(job, state, now=self._clock.now()))

    def watch(self, job: Job, *, timeout: float, deadline: float | None = None) -> Iterator[Job]:
        """Yield the job after each look at it, until it is finished, as `Poller.watch` does. Raises `FluxError`."""
        return self._watcher.watch(job, timeout=timeout, deadline=deadline)

    def expected(self, job: Job) -> float | None:
        """Return how many seconds a job is expected to take from its acceptance, where earlier ones tell."""
        return self._watcher.expected(job)

    def renew(self, job: Job, index: int) -> Job:
        """Read a succeeded job again for fresh links. Raises `NotFoundError` where image ``index`` has none."""
        provider = self._load(job.provider)
        state = self._ask(provider, provider.poll(job.remote), sandbox=job.sandbox, tries=3)
        if not isinstance(state, Succeeded) or len(state.images) <= index:
            raise NotFoundError(f"{provider.name} has no new link")
        return self._book.change(job.id, lambda known: advance(known, state, now=self._clock.now()))

    def cancel(self, job: Job) -> Job:
        """Ask the provider to take a job off its queue, and return how the job then stands.

        Raises `UsageError`, with nothing sent, where the provider cannot, or where it never told us an id.
        """
        provider = self._load(job.provider)
        if provider.cancel is None:
            raise UsageError(
                f"{provider.name} cannot cancel a job (nothing was sent)",
                hint=f"`flux result --wait {job.id}` fetches it when it is done",
            )
        if job.remote_id is None:
            raise UnknownOutcomeError(f"job {job.id} has no id at {provider.name}, so it cannot be cancelled")
        state = self._ask(provider, provider.cancel(job.remote), sandbox=job.sandbox, tries=3, job=job)
        return self._book.change(job.id, lambda known: advance(known, state, now=self._clock.now()))

    def check(self, provider: Provider, *, sandbox: bool) -> Account:
        """Ask a provider whether our key works, with the cheapest call that it has. Raises `FluxError`."""
        return self._ask(provider, provider.check(), sandbox=sandbox, tries=2)


def _hold_submit(provider: Provider, order: Order, send: Callable[[Request], Response]) -> Accepted:
    """Hold the conversation that buys, and return what it learned.

    A paid request that may be repeated, and whose answer makes no sense, is sent once more, exactly as it was: what
    went before it in the conversation is answered as it was, and not sent again. A repeat that is refused settles
    nothing.
    """
    heard: list[tuple[Request, Response | FluxError]] = []

    def listen(request: Request) -> Response:
        try:
            reply = send(request)
        except FluxError as error:
            heard.append((request, error))
            raise
        heard.append((request, reply))
        return reply

    try:
        return drive(provider.submit(order), listen)
    except ProtocolError as error:
        asked = heard[-1][0] if heard else None
        if asked is None or not (asked.paid and asked.idempotent):
            raise
        lost = error
    earlier = iter(heard[:-1])

    def again(request: Request) -> Response:
        _, known = next(earlier, (None, None))
        if isinstance(known, FluxError):
            raise known
        try:
            return known or send(request)
        except UnknownOutcomeError:
            raise
        except FluxError as refusal:
            raise LostReplyError(lost.message, refusal=refusal) from refusal

    return drive(provider.submit(order), again)


def _describe_request(request: Request) -> dict[str, Any]:
    """Return a paid request as it is written down."""
    return {
        "method": request.method,
        "path": request.path,
        "headers": dict(request.headers),
        "body": request.json,
    }


def _stored_body(job: Job) -> Any:
    """Return the body that was sent for a job."""
    return (job.request or {}).get("body")


def _unknown_outcome(job: Job, provider: Provider, error: FluxError) -> UnknownOutcomeError:
    """Return the error of a job that may have been accepted, saying how to find out."""
    if job.remote_id is not None or provider.find is not None:
        hint = f"`flux status {job.id}` asks {provider.name} about it; do not generate again before you know"
    else:
        hint = f"look at {provider.key_page} whether it was charged, before you generate again"
    return UnknownOutcomeError(f"{error.message}; the job may have been accepted", hint=hint)
