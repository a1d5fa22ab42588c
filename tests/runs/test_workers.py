"""Several things at once, and all of them at rest in the end."""

from __future__ import annotations

import signal
import threading

import pytest

from flux_cli.clock import SystemClock
from flux_cli.errors import Interrupted, RefusedError
from flux_cli.runs.workers import WorkerPool


def crew(at_once=4, clock=None):
    return WorkerPool[int](clock or SystemClock(), at_once=at_once)


def test_results_come_in_the_order_of_the_tasks():
    """Whoever is done first, the results stand in the order in which the tasks were given."""
    second = threading.Event()

    def slow():
        assert second.wait(10)
        return 1

    def quick():
        second.set()
        return 2

    assert crew().run([slow, quick]) == [1, 2]


def test_nothing_to_do():
    """No tasks, no results, no threads."""
    assert crew().run([]) == []


def test_a_failure_is_a_value():
    """A `FluxError` takes the place of its task's result, and keeps nobody from finishing."""
    error = RefusedError("no")

    def refuse():
        raise error

    assert crew(at_once=1).run([refuse, lambda: 2]) == [error, 2]


@pytest.mark.parametrize("at_once", [1, 3])
def test_never_more_at_once_than_allowed(at_once):
    """The number of tasks under way reaches the limit, and never passes it."""
    lock, under_way, most = threading.Lock(), [0], [0]
    full = threading.Barrier(at_once)

    def task():
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        full.wait(10)
        with lock:
            under_way[0] -= 1
        return 0

    crew(at_once).run([task] * (at_once * 3))

    assert most == [at_once]


def test_a_surprise_is_raised_again():
    """What is no `FluxError` is a defect: it comes out as it is, and nothing new is taken up."""
    taken: list[int] = []

    def surprise():
        raise RuntimeError("a defect")

    with pytest.raises(RuntimeError, match="a defect"):
        crew(at_once=1).run([surprise, lambda: taken.append(1) or 1])

    assert taken == []


def test_a_signal_stops_the_sleepers():
    """Told to stop in one task, the others leave their sleep, and what was not begun is left undone."""
    clock = SystemClock()
    begun = threading.Barrier(2)
    left: list[str] = []
    begin: list[int] = []

    def sleeper():
        begun.wait(10)
        try:
            clock.sleep(60)
        except Interrupted:
            left.append("sleeper")
            raise
        return 0

    def interrupted():
        begun.wait(10)
        raise Interrupted(signal.SIGPIPE)

    with pytest.raises(Interrupted) as stop:
        crew(at_once=2, clock=clock).run([sleeper, interrupted, lambda: begin.append(1) or 1])

    assert stop.value.signum == signal.SIGPIPE
    assert left == ["sleeper"]
    assert begin == []


def test_an_answer_that_is_on_its_way_is_awaited():
    """While a paid request waits for its answer, a signal does not cut it off."""
    clock = SystemClock()
    sending = [True]
    stopped = threading.Event()

    class Watched(SystemClock):
        def stop(self, signum):
            clock.stop(signum)
            stopped.set()

        monotonic = staticmethod(clock.monotonic)
        check = staticmethod(clock.check)

    def paid():
        assert stopped.wait(10)
        sending[0] = False
        return 1

    def interrupted():
        raise Interrupted(signal.SIGTERM)

    with pytest.raises(Interrupted):
        crew(at_once=2, clock=Watched()).run([paid, interrupted], sending=lambda: sending[0])

    assert sending == [False]


@pytest.mark.parametrize(("awaited", "seconds"), [(True, 5.0), (False, 1.0)])
def test_patience_has_an_end(awaited, seconds):
    """Five seconds for a paid request's answer, one for anything else, and then we leave."""

    class Counted(SystemClock):
        time = 0.0

        def monotonic(self):
            Counted.time += 0.25
            return Counted.time

    never = threading.Event()

    def interrupted():
        raise Interrupted(signal.SIGTERM)

    with pytest.raises(Interrupted):
        crew(at_once=2, clock=Counted()).run([lambda: never.wait(20) or 1, interrupted], sending=lambda: awaited)

    never.set()
    assert seconds <= Counted.time <= seconds + 1


def test_the_clock_is_asked_before_a_task_is_taken_up():
    """Stopped before it starts, a crew starts nothing."""
    clock = SystemClock()
    clock.stop(signal.SIGINT)
    begun: list[int] = []

    with pytest.raises(Interrupted):
        crew(clock=clock).run([lambda: begun.append(1) or 1])

    assert begun == []
