from __future__ import annotations

import json

import pytest

from flux_cli.sandbox.wire import Call, find, reply, stamp

ROUTES = {("GET", r"/things"): "list", ("GET", r"/things/([^/]+)"): "one", ("POST", r"/things/([^/]+)/stop"): "stop"}


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/things", ("list", "")),
        ("GET", "/things/7", ("one", "7")),
        ("POST", "/things/7/stop", ("stop", "7")),
        ("POST", "/things", 405),
        ("GET", "/things/", 404),
        ("GET", "/things/7/8", 404),
        ("GET", "/other", 404),
    ],
)
def test_find(method, path, expected):
    """A route is found by the method and the whole path; a known path under another method is told apart."""
    call = Call(method=method, host="x", path=path)

    found = find(ROUTES, call)

    assert found == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("Bearer k", True), ("Bearer ", False), ("bearer k", False), ("k", False), ("Bearer a b", False), ("", False)],
)
def test_bearer(value, expected):
    """Only the word Bearer, one blank and a key without blanks is a bearer header."""
    call = Call(method="GET", host="x", path="/", headers={"authorization": value})

    assert call.bearer is expected


@pytest.mark.parametrize("body", [b"", b"{", b"NaN", b"[" * 100_000, b"\xff"])
def test_json_refuses_what_is_none(body):
    """Whatever is not JSON is a ValueError."""
    call = Call(method="POST", host="x", path="/", body=body)

    with pytest.raises(ValueError):  # noqa: PT011 - any of them
        call.json()


def test_json_content_type_ignores_parameters():
    """A charset does not change what the body is."""
    call = Call(method="POST", host="x", path="/", headers={"content-type": "Application/JSON; charset=utf-8"})

    assert call.is_json


def test_reply_carries_any_text():
    """A lone surrogate in a value does not keep an answer from being made."""
    answer = reply(201, {"text": "\ud800 é"}, retry_after="1")

    assert answer.status == 201
    assert answer.headers == {"content-type": "application/json", "retry-after": "1"}
    assert json.loads(answer.body) == {"text": "\ud800 é"}


def test_stamp():
    """A time is written in UTC with milliseconds."""
    assert stamp(1_790_000_000.25) == "2026-09-21T14:13:20.250Z"
