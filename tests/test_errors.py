"""Every failure has a code, and the tree that the docstring draws is the tree that is."""

from __future__ import annotations

import re
import signal

import pytest

from flux_cli import errors
from flux_cli.errors import FluxError, Interrupted, LostReplyError, RefusedError, describe, rebuild, tree

DRAWN = re.compile(
    r"^(?P<indent>[ |+-]*)(?P<name>[A-Z]\w+Error|FluxError) +(?P<code>[a-z]+) +(?P<exit>\d+)", re.MULTILINE
)
NAMES = {"failed": 1, "usage": 2, "auth": 3, "unavailable": 4, "moderated": 5, "payment": 6, "unknown": 7, "pending": 8}
NAMES |= {"partial": 9, "unsaved": 10}


def ours():
    """The classes of the module itself; other modules may have private ones."""
    return {name: kind for name, kind in tree().items() if kind.__module__ == errors.__name__}


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes():
    drawn = {}
    above = {}
    for line in DRAWN.finditer(errors.__doc__):
        depth = len(line["indent"])
        above[depth] = line["name"]
        parent = above[max((one for one in above if one < depth), default=depth)]
        drawn[line["name"]] = (parent, line["code"], int(line["exit"]))

    real = {name: (kind.__mro__[1].__name__, kind.code, kind.exit_code) for name, kind in ours().items()}
    real["FluxError"] = ("FluxError", "failed", 1)

    assert drawn == real


def test_a_code_and_an_exit_code_mean_the_same_everywhere():
    assert {kind.code: kind.exit_code for kind in ours().values()} == NAMES


@pytest.mark.parametrize(
    "kind", [kind for kind in ours().values() if kind is not LostReplyError], ids=lambda kind: kind.__name__
)
def test_an_error_that_was_written_down_comes_back_with_all_it_said(kind):
    error = kind("no luck", hint="try again", charged="yes", retry="later")

    back = rebuild(describe(error))

    assert describe(back) == describe(error)
    assert isinstance(error, type(back))


MONEY = {
    "FluxError": ("unknown", "safe"),
    "UsageError": ("no", "never"),
    "ConfigError": ("no", "never"),
    "AuthError": ("no", "later"),
    "UnavailableError": ("no", "safe"),
    "ModeratedError": ("unknown", "never"),
    "PaymentError": ("no", "later"),
    "LimitError": ("no", "later"),
    "UnreachedError": ("no", "safe"),
    "UnknownOutcomeError": ("unknown", "never"),
    "LostReplyError": ("unknown", "never"),
    "PendingError": ("unknown", "never"),
    "PartialError": ("unknown", "never"),
    "UnsavedError": ("yes", "never"),
    "RefusedError": ("unknown", "safe"),
    "NotFoundError": ("unknown", "never"),
    "LinkError": ("unknown", "never"),
    "ProtocolError": ("unknown", "safe"),
    "OutputError": ("unknown", "never"),
    "LedgerError": ("no", "safe"),
}
"""Whether it was charged, and whether it may be typed again."""


def test_every_failure_answers_the_two_questions_of_somebody_who_pays():
    """What scripts read as `charged` and `retry` changes only on purpose."""
    answers = {name: (kind("x").charged, kind("x").retry) for name, kind in ours().items()}

    assert answers == MONEY


@pytest.mark.parametrize("fields", [{}, {"code": "never heard of", "charged": "perhaps", "retry": "soon"}])
def test_what_was_written_badly_comes_back_as_a_plain_failure(fields):
    error = rebuild(fields)

    assert type(error) is FluxError
    assert (error.message, error.charged, error.retry) == ("", "unknown", "safe")


def test_a_lost_reply_keeps_what_a_repeat_was_told():
    refusal = RefusedError("exists", vendor_code="conflictTaskUUID")

    assert LostReplyError("lost", refusal=refusal).vendor_code == "conflictTaskUUID"
    assert LostReplyError("lost").vendor_code == ""


def test_a_signal_is_not_swallowed_by_a_handler_for_failures():
    error = Interrupted(signal.SIGTERM)

    assert not isinstance(error, Exception)
    assert error.signum == signal.SIGTERM
