"""Times as they are typed: how long ago, or a date; the same for listing and for forgetting."""

from __future__ import annotations

import time

import pytest

from flux_cli.commands.status.moments import parse_moment
from flux_cli.errors import UsageError

NOW = 1_795_000_000.0
"""2026-11-18T11:06:40Z."""


@pytest.fixture
def zone(monkeypatch):
    """Be two hours east of Greenwich."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "XYZ-2")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("30m", NOW - 1800),
        ("12h", NOW - 43_200),
        ("7d", NOW - 604_800),
        (" 2W ", NOW - 1_209_600),
        ("0d", NOW),
        ("36500d", NOW - 36_500 * 86_400),
        ("2026-11-01", 1_793_484_000.0),
        ("2026-11-01T09:30", 1_793_518_200.0),
        ("2026-11-01 09:30:15", 1_793_518_215.0),
        ("2026-11-01t09:30z", 1_793_525_400.0),
        ("2026-11-01T09:30:00-05:00", 1_793_543_400.0),
    ],
)
def test_a_time_ago_or_a_date_in_this_machines_zone(zone, text, moment):
    assert parse_moment(text, option="--since", now=NOW) == moment


@pytest.mark.parametrize(
    "text",
    ["", "7", "d", "-1d", "7 d", "1.5h", "7y", "99999999w", "yesterday", "2026-13-01", "2026-11", "20261101", "\u0667d",
     "2026-11-01T25:00", "2026-11-01T9:30", "0000-01-01", "\x1b[31m"],
)  # fmt: skip
@pytest.mark.parametrize("option", ["--since", "--forget-older-than"])
def test_anything_else_is_refused(flux, option, text):
    done = flux("status", option, text)

    assert (done.code, done.out) == (2, "")
    assert f"flux: error: {option} takes a time, not" in done.err
    assert "2026-11-01T09:30" in done.err
    assert "\x1b" not in done.err


@pytest.mark.parametrize("option", ["--since", "--forget-older-than"])
def test_a_moment_that_is_still_to_come_is_refused(flux, option):
    assert f"{option} 2031-01-01 is in the future" in flux("status", option, "2031-01-01").err


def test_minutes_are_no_time_to_forget_by():
    """6m would mean six months there, and m is minutes."""
    with pytest.raises(UsageError, match="takes a time, not 6m"):
        parse_moment("6m", option="--forget-older-than", now=NOW, minutes=False)
