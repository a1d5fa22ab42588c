"""``--timeout``: how long a command waits, all in all."""

from __future__ import annotations

import pytest

from flux_cli.providers import NAMES
from flux_cli.sandbox.wire import Answer


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("told", ["86400", "15", None])
def test_a_host_that_turns_us_away_is_not_waited_for_beyond_the_time_out(flux, host, clock, name, told):
    """Nothing was accepted, and that is said in time, however long the host would have us wait."""
    headers = {} if told is None else {"retry-after": told}
    host.script = lambda _: Answer(status=429, headers=headers, body=b"")
    began = clock.monotonic()

    done = flux("generate", "a fox", "-p", name, "--timeout", "20")

    assert clock.monotonic() - began <= 20
    assert (done.code, "charged: no" in done.err) == (4, True)


def test_the_time_out_counts_from_the_submit(flux, host, clock):
    """A job that was turned away for 15 seconds is waited for for the other 5."""
    turned: list[int] = []

    def script(call):
        if not turned and call.method == "POST":
            turned.append(1)
            return Answer(status=429, headers={"retry-after": "15"}, body=b"")
        return Answer(status=503, headers={"retry-after": "86400"}, body=b"") if call.method == "GET" else None

    host.script = script
    began = clock.monotonic()

    done = flux("generate", "a fox", "-p", "runflow", "--timeout", "20")

    assert (done.code, clock.monotonic() - began) == (8, pytest.approx(20))
    assert "not finished after 20 seconds" in done.err
