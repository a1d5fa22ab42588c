"""Fetch the images of a succeeded job: download, save and record them one by one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial

from flux_cli.clock import Clock
from flux_cli.engine.ports import ImageStore, JobStore, Transport
from flux_cli.errors import (
    FluxError,
    LinkError,
    NotFoundError,
    PartialError,
    ProtocolError,
    UnavailableError,
    UnsavedError,
)
from flux_cli.jobs import Image, Job

_FRESH = 600.0
"""Seconds after a job has finished in which a link that is refused may not have reached its host's edge yet."""


class Fetcher:
    """Fetches images. One instance may serve many threads."""

    def __init__(self, *, wire: Transport, book: JobStore, clock: Clock, renew: Callable[[Job, int], Job]) -> None:
        """Make a fetcher; ``renew`` reads a job again for a fresh link to one of its images."""
        self._wire = wire
        self._policy = wire.policy("download")
        self._book = book
        self._clock = clock
        self._renew = renew

    def fetch(self, job: Job, store: ImageStore, *, deadline: float = math.inf) -> Job:
        """Save every image of a succeeded job that is not saved yet, and return the job.

        An image that fails does not keep the others from being saved. No image is tried again, and no download goes
        on, past the ``deadline`` on the clock (`Clock.monotonic`). Raises `UnsavedError` if none of the
        missing ones could be saved, `PartialError` if some could.
        """
        failures: list[UnsavedError] = []
        index = 0
        while index < len(job.images):  # another process may add one while we save
            if not store.is_saved(job.images[index]):
                job, failure = self._fetch(job, index, store, deadline)
                failures += [failure] if failure else []
            index += 1
        if not failures:
            return job
        first, hint = failures[0], failures[0].hint or f"`flux result {job.id}` fetches it"
        if len(failures) == index:
            raise UnsavedError(first.message, hint=hint)
        raise PartialError(
            f"{index - len(failures)} of {index} images are saved: {first.message}", hint=hint, charged="yes"
        )

    def _fetch(self, job: Job, index: int, store: ImageStore, deadline: float) -> tuple[Job, UnsavedError | None]:
        """Save one image. Return the newest version of the job and, if the image is not saved, why.

        A link that fails twice, or does not work any more, is renewed once by reading the job again, and then tried
        again in any case.
        """
        pauses = self._policy.pauses()
        found = self._try(job, index, store, deadline, pauses)
        if isinstance(found, FluxError) and not isinstance(found, UnsavedError):
            dead, before, why = isinstance(found, NotFoundError), job.images[index].url, ""
            try:
                job = self._renew(job, index)
            except FluxError as error:
                why = f", and {error.message}" if dead else ""
            if dead or self._pause(next(pauses), deadline):
                patient = not dead or job.images[index].url != before
                found = self._try(job, index, store, deadline, pauses, patient=patient)
            if why and isinstance(found, NotFoundError):
                found = _unsaved(job, f"{found.message}{why}")
        if isinstance(found, Job):
            return found, None
        return job, found if isinstance(found, UnsavedError) else _unsaved(job, found.message)

    def _try(
        self,
        job: Job,
        index: int,
        store: ImageStore,
        deadline: float,
        pauses: Iterator[float],
        *,
        patient: bool = False,
    ) -> Job | FluxError:
        """Save one image, in two attempts if the first fails. Return the job, or the last error.

        With ``patient``, for a link that was just read, a refusal gets a second attempt too; one that comes soon after
        the job has finished gets as many as the deadline allows: the image may not have reached its host yet.
        """
        attempt = 0
        while True:
            attempt += 1
            try:
                saved = store.save(self._bytes(job, index, deadline), job.images[index], index + 1)
            except UnsavedError as error:
                return error
            except (NotFoundError, UnavailableError, ProtocolError) as error:
                trouble = self._is_fresh(job, error) or error
                over = attempt >= self._policy.attempts and not (patient and trouble is not error)
            else:
                return self._book.change(job.id, partial(_mark_saved, seen=job, index=index, saved=saved))
            dead = isinstance(trouble, NotFoundError) and not patient
            if over or dead or not self._pause(next(pauses), deadline):
                return trouble

    def _pause(self, pause: float, deadline: float) -> bool:
        """Wait for a pause if there is time, and return whether there was."""
        if self._clock.monotonic() + pause >= deadline:
            return False
        self._clock.sleep(pause)
        return True

    def _bytes(self, job: Job, index: int, deadline: float) -> Iterable[bytes]:
        """Return the bytes of an image, from the answer or as a download. Raises `NotFoundError`."""
        image = job.images[index]
        if image.data is not None:
            return [image.data]
        if image.url is None:
            raise NotFoundError("the image is no longer in the provider's answer")
        return self._wire.download(image.url, sandbox=job.sandbox, deadline=deadline)

    def _is_fresh(self, job: Job, error: FluxError) -> UnavailableError | None:
        """Return what a refused link means while the image may still be on its way to the host; else ``None``."""
        age = math.inf if job.finished_at is None else self._clock.now() - job.finished_at
        if not isinstance(error, LinkError) or age >= _FRESH:
            return None
        return UnavailableError(
            f"it is not available yet (its link is {max(age, 0):.0f} seconds old and answers {error.vendor_code})"
        )


def _unsaved(job: Job, why: str) -> UnsavedError:
    return UnsavedError(f"the image is not saved: {why}", hint=f"`flux result {job.id}` tries again")


def _mark_saved(known: Job, *, seen: Job, index: int, saved: Image) -> Job:
    """Return the job with one image marked as saved; bytes that came with the answer are kept for the others.

    ``known`` may hold more images than were ``seen``, where another process has polled the job meanwhile.
    """
    data = [image.data for image in seen.images]
    data += [None] * (len(known.images) - len(data))
    images = [replace(image, data=now) for image, now in zip(known.images, data, strict=False)]
    images[index] = replace(saved, data=None)
    return replace(known, images=tuple(images))
