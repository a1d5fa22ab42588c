"""Submit, poll and cancel jobs, and look for lost ones, for any provider.

The engine knows time, money and order, and no protocol: the provider holds the conversation, the transport carries its
requests, and the job store keeps what must not be lost. All three are passed in.
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
from flux_cli.engine.ports import JobStore, PolicyName, Transport
from flux_cli.engine.schedule import is_precise
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
from flux_cli.providers.base import Accepted, Account, LostSubmit, Model, PlannedJob, Provider, Published
from flux_cli.providers.conversation import Flow, Request, Response, describe_body, drive
from flux_cli.providers.hints import with_hint
from flux_cli.text import printable

T = TypeVar("T")


def dry_run_requests(provider: Provider, planned: PlannedJob) -> list[Request]:
    """Return the requests that submitting a ``planned`` job would send, up to the paid one, without sending any.

    Raises `UsageError` for what the conversation itself refuses.
    """
    conversation = provider.submit(planned)
    requests = [next(conversation)]
    while not requests[-1].paid:
        answer = json.dumps(requests[-1].dry_run_answer).encode()
        requests.append(conversation.send(Response(status=200, body=answer)))
    return requests


class Engine:
    """Carries out what commands ask for. One instance may serve many threads."""

    def __init__(
        self,
        *,
        transport: Transport,
        store: JobStore,
        clock: Clock,
        load: Callable[[str], Provider],
        gone: Callable[[Job], bool],
        waits: Callable[[Job], Sequence[ReadyInterval]] = lambda _: (),
    ) -> None:
        """Make an engine.

        ``load`` finds a provider by its name, ``gone`` says whether the process that submitted a job has died, and
        ``waits`` returns how long earlier jobs of the same model took, the newest first.
        """
        self._transport = transport
        self._store = store
        self._clock = clock
        self._load = load
        self._gone = gone
        self._poller = Poller(
            clock=clock,
            look=self.look,
            retry=transport.policy("read"),
            waits=waits,
            poll_seconds=lambda job: load(job.provider).poll_seconds,
        )

    def submit(
        self,
        planned: PlannedJob,
        *,
        limits: Sequence[Limit] = (),
        policy: PolicyName = "submit",
        deadline: float = math.inf,
    ) -> Job:
        """Submit one job within ``limits``. Return it as far as it got; a refusal or a lost answer is in its ``error``.

        The intent, with the exact body and the idempotency key, is stored before the paid request leaves, and the
        provider's id as soon as it is read. No pause lasts beyond the ``deadline``, a reading of the clock. Raises
        `FluxError` only where no paid request was sent, or where the store fails afterwards: then the error names the
        id.
        """
        job = planned.job
        provider = self._load(job.provider)
        stored = False

        def send(request: Request) -> Response:
            nonlocal stored
            if request.paid:
                intent = _describe_request(request)
                remote_id = job.idempotency_key if provider.idempotency_key_is_id else None
                if stored:
                    self._store.change(job.id, lambda known: replace(known, request=intent))
                else:
                    self._clock.check()
                    new = replace(job, remote_id=remote_id, request=intent)
                    self._store.add(new, limits)
                    stored = True
            return self._transport.send(provider, request, sandbox=job.sandbox, policy=policy, deadline=deadline)

        try:
            accepted = _hold_submit(provider, planned, send)
        except FluxError as error:
            if not stored:
                raise
            try:
                return self._store.change(job.id, partial(self._with_submit_error, provider=provider, error=error))
            except LedgerError as failure:
                raise (self._with_submit_error(job, provider=provider, error=error).error or error) from failure
        remote, now = accepted.remote, self._clock.now()

        def accept(known: Job) -> Job:
            new = replace(known, remote_id=remote.id, poll_state=dict(remote.poll_state), accepted_at=now)
            return advance(new, _drop_seeds(provider, job, accepted.state), now=now)

        try:
            return self._store.change(job.id, accept)
        except LedgerError as error:
            raise UnknownOutcomeError(
                f"{provider.name} accepted the job as {printable(remote.id)}, but this could not be recorded: "
                f"{error.message}",
                hint=f"`flux result --wait {provider.name}:{printable(remote.id)}` fetches it; do not generate again",
                charged="yes",
            ) from error

    def mark_unanswered(self, job: Job) -> Job:
        """Store that the answer to a job's paid request will not be read, and return the job."""
        lost = UnknownOutcomeError("interrupted before the answer came")
        return self._store.change(
            job.id, partial(self._with_submit_error, provider=self._load(job.provider), error=lost)
        )

    def _with_submit_error(self, job: Job, *, provider: Provider, error: FluxError) -> Job:
        """Return a job whose paid request was refused, lost, or answered by something unreadable."""
        if isinstance(error, UnknownOutcomeError | ProtocolError):
            return replace(job, status="unknown", error=_unknown_outcome(job, provider, error))
        return replace(job, status="failed", error=with_hint(error, provider), finished_at=self._clock.now())

    def _ask(
        self,
        provider: Provider,
        conversation: Flow[T],
        *,
        sandbox: bool,
        policy: PolicyName = "read",
        deadline: float = math.inf,
        job: Job | None = None,
    ) -> T:
        """Hold a conversation that costs nothing. Raises `FluxError`, with a hint.

        An error in a conversation about ``job`` does not say whether the job itself was charged.
        """
        try:
            found = drive(
                conversation,
                lambda request: self._transport.send(
                    provider, request, sandbox=sandbox, policy=policy, deadline=deadline
                ),
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

    def refresh(self, job: Job, *, deadline: float = math.inf) -> Job:
        """Look at a job, again where that fails for now, as `Poller.refresh` does. Raises `FluxError`."""
        return self._poller.refresh(job, deadline=deadline)

    def look(self, job: Job, *, working: float | None = None, deadline: float = math.inf) -> Job:
        """Ask the provider once how a job is doing, and store the answer. Only ever reads. Raises `FluxError`.

        A job whose submit was cut off, or whose answer was lost, is looked for; it stays ``unknown`` until it is found.
        ``working`` is when a look last found it at work, in seconds since it was accepted, where it is being watched.
        """
        if job.status == "submitting":
            if not self._gone(job):
                return self._store.change(job.id, lambda known: known)  # by now, its process may have got further
            job = self.mark_unanswered(job)
        if job.status == "unknown":
            return self._look_for_lost(job, deadline=deadline)
        return self._poll(job, deadline=deadline, working=working)

    def _poll(self, job: Job, *, deadline: float, working: float | None = None) -> Job:
        provider, at = self._load(job.provider), self._clock.now() - job.started_at
        state = self._ask(
            provider, provider.poll(job.remote), sandbox=job.sandbox, policy="poll", deadline=deadline, job=job
        )
        state = _drop_seeds(provider, job, state)

        def update(known: Job) -> Job:
            new = advance(known, state, now=self._clock.now())
            if working is None or not known.active or not isinstance(state, Succeeded) or not is_precise((working, at)):
                return new
            return replace(new, ready_between=(working, at))

        return self._store.change(job.id, update)

    def _look_for_lost(self, job: Job, *, deadline: float) -> Job:
        """Find out what became of a job whose answer was lost, if its provider can say.

        Only for a day: Apiframe keeps its jobs no longer, and a list only gets longer.
        """
        if self._clock.now() - job.created_at > SEARCH_SECONDS:
            return job
        if job.remote_id is not None:
            with suppress(NotFoundError):
                job = self._poll(job, deadline=deadline)
        provider = self._load(job.provider)
        if job.status != "unknown" or provider.find is None or job.request is None:
            return job
        lost = LostSubmit(
            job_id=job.id,
            idempotency_key=job.idempotency_key,
            body=_stored_body(job),
            path=str(job.request.get("path", "")),
            sent_at=job.created_at,
        )
        remote = self._ask(
            provider, provider.find(lost), sandbox=job.sandbox, policy="poll", deadline=deadline, job=job
        )
        if remote is None:
            return job
        state = {**job.poll_state, **remote.poll_state}
        job = self._store.change(
            job.id,
            lambda known: replace(
                known, remote_id=remote.id, poll_state=state, status="queued", error=None, detail=None
            ),
        )
        return self._poll(job, deadline=deadline)

    def adopt(self, job: Job) -> Job:
        """Add a job that was made elsewhere, once its provider confirms it. Raises `FluxError`."""
        provider = self._load(job.provider)
        state = self._ask(provider, provider.poll(job.remote), sandbox=job.sandbox)
        return self._store.add(advance(job, state, now=self._clock.now()))

    def watch(self, job: Job, *, timeout: float, deadline: float | None = None) -> Iterator[Job]:
        """Yield the job after each look at it, until it is finished, as `Poller.watch` does. Raises `FluxError`."""
        return self._poller.watch(job, timeout=timeout, deadline=deadline)

    def expected(self, job: Job) -> float | None:
        """Return how many seconds a job is expected to take from its acceptance, where earlier ones tell."""
        return self._poller.expected(job)

    def renew(self, job: Job, index: int) -> Job:
        """Poll a succeeded job again for new links. Raises `NotFoundError` where image ``index`` has none."""
        provider = self._load(job.provider)
        state = _drop_seeds(provider, job, self._ask(provider, provider.poll(job.remote), sandbox=job.sandbox))
        fresh = state.images[index] if isinstance(state, Succeeded) and index < len(state.images) else None
        if fresh is None or (provider.keeps_images and fresh.url == job.images[index].url):
            kept = f": it keeps images for {provider.keeps_images}" if provider.keeps_images else ""
            raise NotFoundError(f"{provider.name} has no new link{kept}")
        return self._store.change(job.id, lambda known: advance(known, state, now=self._clock.now()))

    def cancel(self, job: Job) -> Job:
        """Ask the provider to take a job off its queue, and return the job as it is then.

        Raises `UsageError` where the provider cannot, `UnknownOutcomeError` where the job has no id there; then nothing
        is sent.
        """
        provider = self._load(job.provider)
        if provider.cancel is None:
            raise UsageError(
                f"{provider.name} cannot cancel jobs (nothing was sent)",
                hint=f"`flux result --wait {job.id}` fetches it when it is done",
            )
        if job.remote_id is None:
            raise UnknownOutcomeError(f"job {job.id} has no id at {provider.name}, so it cannot be cancelled")
        state = self._ask(provider, provider.cancel(job.remote), sandbox=job.sandbox, policy="cancel", job=job)
        return self._store.change(job.id, lambda known: advance(known, state, now=self._clock.now()))

    def check(self, provider: Provider, *, sandbox: bool) -> Account:
        """Ask a provider whether our key works, with the cheapest call that it has. Raises `FluxError`."""
        return self._ask(provider, provider.check(), sandbox=sandbox)

    def describe(self, provider: Provider, model: str, *, sandbox: bool) -> Published:
        """Ask a provider what it publishes about one of its own ids. Raises `FluxError`."""
        if provider.describe is None:
            hint = "`flux generate --param FIELD=VALUE` sends a field that flux does not know"
            raise UsageError(f"{provider.name} does not publish the fields of its models", hint=hint)
        return self._ask(provider, provider.describe(model), sandbox=sandbox)

    def compare(self, provider: Provider, model: Model, *, sandbox: bool) -> tuple[str, ...]:
        """Return how what a provider publishes about a model differs from its table. Raises `FluxError`."""
        return () if provider.compare is None else self._ask(provider, provider.compare(model), sandbox=sandbox)


def _hold_submit(provider: Provider, planned: PlannedJob, send: Callable[[Request], Response]) -> Accepted:
    """Hold the submit conversation, and return what it learned.

    A paid request that may be repeated and whose answer is unreadable is sent once more, exactly as it was; the
    requests before it are answered from memory, not sent again. A repeat that is refused settles nothing.
    """
    exchanges: list[tuple[Request, Response | FluxError]] = []

    def record(request: Request) -> Response:
        try:
            response = send(request)
        except FluxError as error:
            exchanges.append((request, error))
            raise
        exchanges.append((request, response))
        return response

    try:
        return drive(provider.submit(planned), record)
    except ProtocolError as error:
        last = exchanges[-1][0] if exchanges else None
        if last is None or not (last.paid and last.idempotent):
            raise
        lost = error
    earlier = iter(exchanges[:-1])

    def repeat(request: Request) -> Response:
        _, known = next(earlier, (None, None))
        if isinstance(known, FluxError):
            raise known
        try:
            return known or send(request)
        except UnknownOutcomeError:
            raise
        except FluxError as refusal:
            raise LostReplyError(lost.message, refusal=refusal) from refusal

    return drive(provider.submit(planned), repeat)


def _drop_seeds(provider: Provider, job: Job, state: State) -> State:
    """Return a state without seeds, if the model takes none: an image with such a seed cannot be made again."""
    model = provider.models.get(job.model or "")
    if not isinstance(state, Succeeded) or model is None or model.takes_seed:
        return state
    return state._replace(seed=None, images=tuple(replace(image, seed=None) for image in state.images))


def _describe_request(request: Request) -> dict[str, Any]:
    """Return a paid request as it is stored."""
    return {
        "method": request.method,
        "path": request.path,
        "headers": dict(request.headers),
        "body": describe_body(request.json),
    }


def _stored_body(job: Job) -> Any:
    """Return the body that was sent for a job."""
    return (job.request or {}).get("body")


def _unknown_outcome(job: Job, provider: Provider, error: FluxError) -> UnknownOutcomeError:
    """Return the error of a job that may have been accepted, saying how to find out."""
    if job.remote_id is not None or provider.find is not None:
        hint = f"`flux status {job.id}` asks {provider.name} about it; do not generate again until you know"
    else:
        hint = f"check {provider.key_page} for a charge before you generate again"
    return UnknownOutcomeError(f"{error.message}; the job may have been accepted", hint=hint)
