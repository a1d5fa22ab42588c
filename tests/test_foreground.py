"""Whose the terminal is, and what is called when that changes. Ctrl-Z itself is pressed in tests/e2e."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

import pytest

from flux_cli.foreground import in_background, may_draw, suspending
from tests.conftest import Stream

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGTSTP"), reason="there is no job control here")


@pytest.fixture
def handlers():
    """Return what is installed for the two signals, and put it back in the end."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTSTP, signal.SIGCONT)}
    yield lambda: [signal.getsignal(number) for number in before]
    for number, handler in before.items():
        signal.signal(number, handler)


def _noted(calls: list[str]):
    return suspending(suspend=lambda: calls.append("suspend"), resume=lambda: calls.append("resume"))


def test_what_goes_on_is_heard_of_as_long_as_that_matters(handlers: Callable[[], list]):
    """Once for each time, and afterwards all is as it was."""
    calls: list[str] = []
    before = handlers()

    with _noted(calls):
        during = handlers()
        signal.raise_signal(signal.SIGCONT)
        signal.raise_signal(signal.SIGCONT)
    signal.raise_signal(signal.SIGCONT)

    assert calls == ["resume", "resume"]
    assert all(map(callable, during))
    assert handlers() == before


def test_where_ctrl_z_is_ignored_it_stays_ignored(handlers):
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)

    with _noted([]):
        signal.raise_signal(signal.SIGTSTP)
        during = handlers()

    assert during[0] is signal.SIG_IGN


def test_another_thread_touches_no_signal(handlers):
    """Python lets only the main one, and a display may be opened in any."""
    before, during = handlers(), []

    def work() -> None:
        with _noted([]):
            during.extend(handlers())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert during == before


def test_what_is_no_terminal_of_ours_may_be_drawn_on():
    """A stream without a file, one that was closed, a pipe, and the terminal of another session."""
    closed = Stream()
    closed.close()
    reading, writing = os.pipe()
    master, slave = os.openpty()
    try:
        found = [may_draw(Stream()), may_draw(closed), *(not in_background(one) for one in (reading, slave))]
    finally:
        for one in (reading, writing, master, slave):
            os.close(one)

    assert found == [True] * 4
