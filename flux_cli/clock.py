"""Time, as something that is handed in: now, and a sleep that a signal can end."""

from __future__ import annotations

import threading
import time
from typing import Protocol

from flux_cli.errors import Interrupted


class Clock(Protocol):
    """What the engine and the transport know of time. All values are seconds."""

    def now(self) -> float:
        """Return the seconds since 1970, UTC."""
        ...

    def monotonic(self) -> float:
        """Return a reading that never goes back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait. Raises `Interrupted` as soon as we are told to stop."""
        ...

    def check(self) -> None:
        """Raise `Interrupted` if we were told to stop."""
        ...


class SystemClock:
    """The machine's clock; `stop` wakes every sleeper, in whatever thread."""

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
        """Wait. Raises `Interrupted` as soon as we are told to stop."""
        self._stopped.wait(max(seconds, 0))
        self.check()

    def check(self) -> None:
        """Raise `Interrupted` if we were told to stop."""
        if self._stopped.is_set():
            raise Interrupted(self._signum)

    def stop(self, signum: int) -> None:
        """End every sleep, now and from now on."""
        self._signum = signum
        self._stopped.set()
