"""Several things at once, in threads, such that a signal ends them in good order.

The main thread only waits, so a signal reaches it at once. The others are told to stop through the clock: they notice
at their next sleep, between two chunks of a download, or before they take up the next task. One that is waiting for
the answer to a paid request is given a few seconds, so that the job's id is not lost.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Generic, TypeVar

from flux_cli.clock import SystemClock
from flux_cli.errors import FluxError, Interrupted

T = TypeVar("T")

GRACE = 5.0
"""Seconds that a paid request which has left is given for its answer, once we are told to stop."""
_SHORT_GRACE = 1.0
"""Seconds that anything else is given."""


class Crew(Generic[T]):
    """Runs tasks; each ends in a ``T`` or a `FluxError`, or is left undone where we are told to stop."""

    def __init__(self, clock: SystemClock, *, at_once: int) -> None:
        """Run at most ``at_once`` tasks side by side."""
        self._clock = clock
        self._at_once = at_once
        self._lock = threading.Lock()

    def run(
        self, tasks: Sequence[Callable[[], T]], *, sending: Callable[[], bool] = lambda: False
    ) -> list[T | FluxError]:
        """Run every task and return what each came to, in order.

        ``sending`` tells whether an answer to a paid request is still awaited. Raises `Interrupted` when a signal
        arrives, after the tasks have come to rest, and whatever a task raises that is no `FluxError`.
        """
        results: dict[int, T | FluxError] = {}
        surprises: list[BaseException] = []
        waiting = iter(enumerate(tasks))
        work = partial(self._work, waiting, results, surprises)
        threads = [threading.Thread(target=work, daemon=True) for _ in range(min(self._at_once, len(tasks)))]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                while thread.is_alive():
                    thread.join(0.5)
            if surprises:
                raise surprises[0]
        except Interrupted as stop:
            self._clock.stop(stop.signum)
            self._rest(threads, sending)
            raise
        return [results[number] for number in range(len(tasks))]

    def _work(
        self,
        waiting: Iterator[tuple[int, Callable[[], T]]],
        results: dict[int, T | FluxError],
        surprises: list[BaseException],
    ) -> None:
        """Take up one task after the other: what a thread does."""
        while not surprises:
            with self._lock:
                found = next(waiting, None)
            if found is None:
                return
            number, task = found
            try:
                self._clock.check()
                results[number] = task()
            except FluxError as error:
                results[number] = error
            except BaseException as error:  # noqa: BLE001 - a thread must not die unheard; raised again above
                surprises.append(error)

    def _rest(self, threads: Sequence[threading.Thread], sending: Callable[[], bool]) -> None:
        """Wait until the threads have noticed, or their time is up."""
        started = self._clock.monotonic()
        while any(thread.is_alive() for thread in threads):
            waited = self._clock.monotonic() - started
            if waited >= GRACE or (waited >= _SHORT_GRACE and not sending()):
                return
            for thread in threads:
                thread.join(0.02)
