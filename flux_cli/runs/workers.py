"""Run tasks in several threads, so that a signal ends them in good order.

The main thread only waits, so a signal reaches it at once. The others stop through the clock: they notice at
their next sleep, between two chunks of a download, or before they take the next task. One that waits for the answer to
a paid request is given a few seconds, so that the job's id is not lost.

Each thread sets an event when it ends: Python 3.11 and 3.12 take a thread for finished whose ``join`` a signal has
interrupted.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Generic, TypeVar

from flux_cli.clock import SystemClock
from flux_cli.errors import FluxError, Interrupted

T = TypeVar("T")

AT_ONCE, MOST_AT_ONCE = 4, 100
"""Jobs that run at once: by default, and at most."""

GRACE = 5.0
"""Seconds that a paid request has for its answer after an interrupt."""
_SHORT_GRACE = 1.0
"""Seconds that anything else has."""


class WorkerPool(Generic[T]):
    """Runs tasks; each ends in a ``T`` or a `FluxError`, or is left undone after an interrupt."""

    def __init__(self, clock: SystemClock, *, at_once: int) -> None:
        """Run at most ``at_once`` tasks at a time."""
        self._clock = clock
        self._at_once = at_once
        self._lock = threading.Lock()

    def run(
        self, tasks: Sequence[Callable[[], T]], *, sending: Callable[[], bool] = lambda: False
    ) -> list[T | FluxError]:
        """Run every task and return the results, in order.

        ``sending`` says whether an answer to a paid request is still awaited. Raises `Interrupted` when a signal
        arrives, after the tasks have stopped, and whatever a task raises that is no `FluxError`.
        """
        results: dict[int, T | FluxError] = {}
        crashes: list[BaseException] = []
        waiting = iter(enumerate(tasks))
        ends: list[threading.Event] = []
        try:
            for _ in range(min(self._at_once, len(tasks))):
                ends.append(end := threading.Event())
                work = partial(self._work, waiting, results, crashes, end)
                threading.Thread(target=work, daemon=True).start()
            for end in ends:
                while not end.wait(0.5):
                    for stop in crashes:
                        if isinstance(stop, Interrupted):  # the reader of stdout is gone: the others need not finish
                            raise stop
            if crashes:
                raise crashes[0]
        except Interrupted as stop:
            self._clock.stop(stop.signum)
            self._rest(ends, sending)
            raise
        return [results[number] for number in range(len(tasks))]

    def _work(
        self,
        waiting: Iterator[tuple[int, Callable[[], T]]],
        results: dict[int, T | FluxError],
        crashes: list[BaseException],
        end: threading.Event,
    ) -> None:
        """Run one task after the other until none is left: what a thread does."""
        while not crashes:
            with self._lock:
                found = next(waiting, None)
            if found is None:
                break
            number, task = found
            try:
                self._clock.check()
                results[number] = task()
            except FluxError as error:
                results[number] = error
            except BaseException as error:  # noqa: BLE001 - raised again above
                crashes.append(error)
        end.set()

    def _rest(self, ends: Sequence[threading.Event], sending: Callable[[], bool]) -> None:
        """Wait until the threads have stopped, or their time is up."""
        started = self._clock.monotonic()
        while not all(end.is_set() for end in ends):
            waited = self._clock.monotonic() - started
            if waited >= GRACE or (waited >= _SHORT_GRACE and not sending()):
                return
            for end in ends:
                end.wait(0.02)
