"""Tell whether the process may draw on its terminal, and react to Ctrl-Z and ``fg``.

A process started with ``&`` or stopped with Ctrl-Z shares the terminal with the shell's prompt. Windows has neither.
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
    """Whether another process group is in the foreground of the terminal behind the file descriptor ``device``.

    False if it is not a terminal, or not the controlling one: then drawing does not stop the process.
    """
    if sys.platform == "win32":
        return False
    try:
        return os.tcgetpgrp(device) != os.getpgrp()
    except OSError:
        return False


def may_draw(stream: TextIO) -> bool:
    """Whether the process is in the foreground of the terminal behind ``stream``."""
    try:
        return not in_background(stream.fileno())
    except (OSError, ValueError):  # not backed by a file, or closed
        return True


@contextmanager
def suspending(*, suspend: Callable[[], None], resume: Callable[[], None]) -> Generator[None]:
    """Call ``suspend`` before Ctrl-Z stops the process and ``resume`` when it continues, each time that happens.

    ``resume`` is also called after ``kill -STOP``, which no process can catch, so it may come alone and more than
    once. Does nothing outside the main thread, and where Ctrl-Z is ignored.
    """
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_signum: int, _frame: FrameType | None) -> None:
        suspend()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTSTP)  # the process is stopped here until SIGCONT
        signal.signal(signal.SIGTSTP, stop)
        resume()  # without a shell the process is not stopped, and gets no SIGCONT

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
