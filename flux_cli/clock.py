"""Tell the time and wait, such that a signal ends the wait and a test can replace both."""

from __future__ import annotations

import threading
import time
from typing import Protocol

from flux_cli.errors import Interrupted


class Clock(Protocol):
    """The time as the engine and the transport see it. All values are seconds."""

    def now(self) -> float:
        """Return the seconds since 1970, UTC."""
        ...

    def monotonic(self) -> float:
        """Return a reading that never goes back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait. Raises `Interrupted` as soon as `stop` is called."""
        ...

    def check(self) -> None:
        """Raise `Interrupted` if `stop` was called."""
        ...


class SystemClock:
    """The system clock. `stop` ends every sleep, in all threads."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._signum = 0

    def now(self) -> float:
        """Return the seconds since 1970, UTC."""
        return time.time()

    def monotonic(self) -> float:
        """Return a reading that never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait. Raises `Interrupted` as soon as `stop` is called."""
        self._stopped.wait(max(seconds, 0))
        self.check()

    def check(self) -> None:
        """Raise `Interrupted` if `stop` was called."""
        if self._stopped.is_set():
            raise Interrupted(self._signum)

    def stop(self, signum: int) -> None:
        """End every sleep, now and from now on."""
        self._signum = signum
        self._stopped.set()
