"""Read a point in time as it is typed: a time ago, or a date."""

from __future__ import annotations

import re
from datetime import datetime

from flux_cli.errors import UsageError
from flux_cli.text import printable

_MINUTES = {"m": 1, "h": 60, "d": 24 * 60, "w": 7 * 24 * 60}
_LONGEST = 36_500 * 24 * 60
"""Minutes of the longest time that is accepted: a hundred years."""
_DATE = r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?"


def parse_moment(text: str, *, option: str, now: float, minutes: bool = True) -> float:
    """Return the moment that ``text`` means, in seconds since 1970.

    ``7d`` is seven days ago, and ``2026-11-01`` when that day began on this machine. ``minutes`` is whether ``30m`` is
    accepted. Raises `UsageError`, also for a moment that is still to come.
    """
    typed = text.strip()
    if ago := re.fullmatch(r"(\d{1,8})([mhdw])", typed.lower(), re.ASCII):
        count = int(ago[1]) * _MINUTES[ago[2]]
        if count <= _LONGEST and (minutes or ago[2] != "m"):
            return now - count * 60.0
    elif re.fullmatch(_DATE, typed.upper(), re.ASCII):
        moment = _timestamp(typed.upper())
        if moment is not None and moment <= now:
            return moment
        if moment is not None:
            raise UsageError(f"{option} {printable(text)} is in the future", hint=_hint(minutes=minutes))
    raise UsageError(f"{option} takes a time, not {printable(text) or 'an empty text'}", hint=_hint(minutes=minutes))


def _timestamp(text: str) -> float | None:
    """Return a date or a date and time, local unless it says otherwise, in seconds since 1970; ``None`` if invalid."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def _hint(*, minutes: bool) -> str:
    units = "7d, 12h or 30m (days, hours, minutes)" if minutes else "90d, 12w or 24h (days, weeks, hours)"
    return f"such as {units}, or a date: 2026-11-01 or 2026-11-01T09:30"
