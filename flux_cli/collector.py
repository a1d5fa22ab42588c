"""From a succeeded job to images on disk: fetched, checked, and written down one by one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial

from flux_cli.clock import Clock
from flux_cli.errors import (
    FluxError,
    NotFoundError,
    PartialError,
    ProtocolError,
    UnavailableError,
    UnsavedError,
)
from flux_cli.jobs import Image, Job
from flux_cli.seams import Book, Shelf, Wire

_FETCHES = 4
"""Attempts at one image."""
_RENEWED = 2
"""Attempts after which a link that brings nothing but trouble is renewed."""
_FIRST_PAUSE = 0.5
"""Seconds between the first two; then twice as long each time."""


class Collector:
    """Puts images on disk. One instance may serve many threads."""

    def __init__(self, *, wire: Wire, book: Book, clock: Clock, renew: Callable[[Job, int], Job]) -> None:
        """Make a collector; ``renew`` reads a job again for a fresh link to one of its images."""
        self._wire = wire
        self._book = book
        self._clock = clock
        self._renew = renew

    def collect(self, job: Job, shelf: Shelf) -> Job:
        """Put every image of a succeeded job on disk that is not there, and return the job.

        An image that cannot be had now does not keep the others from being saved. Raises `UnsavedError` if none of
        the missing ones could be saved, `PartialError` if some could.
        """
        failures: list[FluxError] = []
        total = len(job.images)
        for index in range(total):
            if index < len(job.images) and not shelf.kept(job.images[index]):
                try:
                    job = self._fetch(job, index, shelf)
                except UnsavedError as error:
                    failures.append(error)
        if not failures:
            return job
        first, hint = failures[0], failures[0].hint or f"`flux result {job.id}` fetches it"
        if len(failures) == total:
            raise UnsavedError(first.message, hint=hint)
        raise PartialError(
            f"{total - len(failures)} of {total} images are saved: {first.message}", hint=hint, charged="yes"
        )

    def _fetch(self, job: Job, index: int, shelf: Shelf) -> Job:
        """Save one image. A link that does not work any more is renewed once by reading the job again."""
        renewed = False
        pause = _FIRST_PAUSE
        trouble: FluxError = UnsavedError("there is no link to the image")
        for attempt in range(1, _FETCHES + 1):
            image = job.images[index]
            try:
                if image.data is None and image.url is None:
                    raise NotFoundError("the image is no longer in the provider's answer")
                chunks = (
                    [image.data]
                    if image.data is not None
                    else self._wire.download(image.url or "", sandbox=job.sandbox)
                )
                saved = shelf.save(chunks, image, index + 1)
            except NotFoundError as error:
                trouble = error
                if renewed:
                    break
                try:
                    job, renewed = self._renew(job, index), True
                except FluxError as failure:
                    trouble = UnsavedError(f"{error.message}, and {failure.message}")
                    break
            except (UnavailableError, ProtocolError) as error:
                trouble = error
                self._clock.sleep(pause)
                pause *= 2
                if attempt == _RENEWED and not renewed:
                    with suppress(FluxError):  # the same link may do yet
                        job, renewed = self._renew(job, index), True
            else:
                return self._book.change(job.id, partial(_placed, seen=job, index=index, saved=saved))
        raise UnsavedError(f"the image is not saved: {trouble.message}", hint=f"`flux result {job.id}` tries again")


def _placed(known: Job, *, seen: Job, index: int, saved: Image) -> Job:
    """Return the job with one image marked as saved; bytes that came with the answer stay at hand for the others."""
    images = [replace(image, data=now.data) for image, now in zip(known.images, seen.images, strict=True)]
    images[index] = replace(saved, data=None)
    return replace(known, images=tuple(images))
