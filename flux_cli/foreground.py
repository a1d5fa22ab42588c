"""Job control: whether the terminal is ours to draw on, and what happens when Ctrl-Z takes it from us.

Behind a ``&`` the shell's prompt is on the terminal, and after Ctrl-Z it is again. Windows knows neither.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import TextIO


def in_background(device: int) -> bool:
    """Whether the terminal behind a file descriptor belongs to another process group, as while we run behind a ``&``.

    False where it is no terminal, or not the one that we were started on: then nothing stops us.
    """
    if sys.platform == "win32":
        return False
    try:
        return os.tcgetpgrp(device) != os.getpgrp()
    except OSError:
        return False


def may_draw(stream: TextIO) -> bool:
    """Whether we are in the foreground of the terminal behind ``stream``."""
    try:
        return not in_background(stream.fileno())
    except (OSError, ValueError):  # a stream without a file behind it, or one that was closed
        return True


@contextmanager
def suspending(*, suspend: Callable[[], None], resume: Callable[[], None]) -> Generator[None]:
    """Call ``suspend`` before Ctrl-Z stops the process, and ``resume`` when it goes on, as often as that happens.

    ``resume`` is also called after a stop that could not be heard of (``kill -STOP``), so it may come alone, and
    twice. Does nothing outside of the main thread, and where Ctrl-Z is ignored.
    """
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_signum: int, _frame: FrameType | None) -> None:
        suspend()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTSTP)  # the process stands still here, until SIGCONT
        signal.signal(signal.SIGTSTP, stop)
        resume()  # SIGCONT does not come where there is no shell to stop us for

    def go_on(_signum: int, _frame: FrameType | None) -> None:
        resume()

    ours = {signal.SIGTSTP: stop, signal.SIGCONT: go_on}
    before = {number: signal.getsignal(number) for number in ours if signal.getsignal(number) is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, ours[number])
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
