"""Conversations: requests go out, answers come in, and nothing else happens."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from flux_cli.errors import ProtocolError, RefusedError, UnavailableError, UsageError
from flux_cli.providers.conversation import (
    Request,
    Response,
    as_bool,
    as_float,
    as_id,
    as_int,
    as_percent,
    as_url,
    drive,
    encode,
    require_object,
)

ASK = Request("GET", "/jobs/1")
quick = hypothesis_settings(max_examples=100, deadline=None)


def answered(body, status=200):
    return Response(status=status, body=body if isinstance(body, bytes) else json.dumps(body).encode())


def asks(read):
    """A conversation of one question, whose answer ``read`` looks at."""
    reply = yield ASK
    return read(reply)


def test_answers_reach_the_conversation_in_the_order_of_its_requests():
    def conversation():
        one = yield Request("GET", "/1")
        two = yield Request("GET", "/2")
        return one.json, two.json

    sent = []

    def send(request):
        sent.append(request.path)
        return answered(request.path)

    assert drive(conversation(), send) == ("/1", "/2")
    assert sent == ["/1", "/2"]


def test_a_conversation_may_end_without_a_word():
    def conversation():
        return 5
        yield ASK

    assert drive(conversation(), lambda _: pytest.fail("nothing to send")) == 5


def test_a_failure_is_raised_at_the_request_that_met_it_and_can_be_answered():
    def conversation():
        try:
            yield Request("POST", "/pay")
        except UnavailableError:
            reply = yield Request("GET", "/look")
        return reply.json

    def send(request):
        if request.path == "/pay":
            raise UnavailableError("busy")
        return answered("found")

    assert drive(conversation(), send) == "found"


def test_a_failure_that_the_conversation_does_not_want_is_the_callers():
    error = RefusedError("no")

    def send(_):
        raise error

    with pytest.raises(RefusedError) as caught:
        drive(asks(lambda reply: reply), send)

    assert caught.value is error


def test_what_send_itself_does_wrong_is_not_blamed_on_the_answer():
    """Only the resumption of a conversation is guarded: a bug of the carrier shows as what it is."""

    def send(_):
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        drive(asks(lambda reply: reply), send)


def test_a_stray_end_of_an_iterator_in_send_does_not_end_the_conversation():
    def send(_):
        raise StopIteration(7)

    with pytest.raises(StopIteration):
        drive(asks(lambda reply: reply), send)


@pytest.mark.parametrize(
    ("body", "read", "reason"),
    [
        ({}, lambda reply: reply.json["id"], "no 'id'"),
        (b"<html>", lambda reply: reply.json, "not JSON"),
        (b"", lambda reply: reply.json, "not JSON"),
        (b"NaN", lambda reply: reply.json, "NaN is not JSON"),
        (b"[Infinity]", lambda reply: reply.json, "Infinity is not JSON"),
        (b"[" * 100_000, lambda reply: reply.json, "nested too deeply"),
        ([], lambda reply: reply.json[0], "list index out of range"),
        (5, lambda reply: reply.json["id"], "'int' object is not subscriptable"),
        ("x", lambda reply: reply.json.get("id"), "'str' object has no attribute 'get'"),
        ({"id": 5}, lambda reply: as_id(reply.json["id"]), "an id must be text, not int"),
        ({}, lambda _: 1 / 0, "division by zero"),
        (b"\xff\xfe\xff", lambda reply: reply.json, "'utf-16-le' codec can't decode"),
    ],
)
def test_an_answer_that_cannot_be_read_is_named_with_the_request(body, read, reason):
    with pytest.raises(ProtocolError) as caught:
        drive(asks(read), lambda _: answered(body))

    assert caught.value.message.startswith("cannot understand the answer to GET /jobs/1 (")
    assert reason in caught.value.message


def test_an_error_without_words_is_named_by_its_kind():
    def read(_):
        raise ValueError

    with pytest.raises(ProtocolError, match=r"\(ValueError\)$"):
        drive(asks(read), lambda _: answered({}))


def test_a_conversation_that_fails_before_its_first_request_says_so():
    def conversation():
        raise ValueError("odd order")
        yield ASK

    with pytest.raises(ProtocolError, match="answer to nothing"):
        drive(conversation(), lambda _: answered({}))


def test_a_refusal_by_the_conversation_itself_is_let_out():
    def read(_):
        raise UsageError("not like this")

    with pytest.raises(UsageError):
        drive(asks(read), lambda _: answered({}))


@pytest.mark.parametrize(
    ("request_", "shown", "safe"),
    [
        (ASK, "GET /jobs/1", True),
        (Request("POST", ""), "POST /", False),
        (Request("POST", "/x", repeatable=True), "POST /x", True),
        (Request("GET", "/b", origin="https://h"), "GET https://h/b", True),
    ],
)
def test_a_request_says_where_it_goes_and_whether_it_may_be_sent_twice(request_, shown, safe):
    assert str(request_) == shown
    assert request_.idempotent is safe


@pytest.mark.parametrize(("levels", "read"), [(64, True), (65, False)])
@pytest.mark.parametrize("brackets", ["[]", "{}"])
def test_an_answer_may_be_nested_but_not_endlessly(levels, read, brackets):
    opening = "[" if brackets == "[]" else '{"a":'
    body = (opening * (levels - 1) + brackets + brackets[1] * (levels - 1)).encode()

    if read:
        assert answered(body).json
    else:
        with pytest.raises(ValueError, match="nested too deeply"):
            _ = answered(body).json


@pytest.mark.parametrize(
    ("body", "found"), [(b'{"a": 1}', {"a": 1}), (b"[1]", {}), (b"<html>", {}), (b"", {}), (b"null", {})]
)
def test_a_body_that_is_no_object_reads_as_an_empty_one(body, found):
    assert answered(body).object == found


@pytest.mark.parametrize("value", ["2f0c", "a_B-9", "x" * 128])
def test_an_id_fits_into_an_address(value):
    assert as_id(value) == value


@pytest.mark.parametrize("value", ["", "a/b", "..", "a b", "a\n", "é", "x" * 129, None, 5, ["a"]])
def test_an_id_that_does_not_fit_is_refused(value):
    with pytest.raises((TypeError, ValueError)):
        as_id(value)


@pytest.mark.parametrize("value", ["https://h/a.png?x=1&y=%20", "http://127.0.0.1:8000/a", "https://h/狐.png"])
def test_a_web_address_is_taken_as_it_is(value):
    assert as_url(value) == value


@pytest.mark.parametrize(
    "value",
    [
        *("", "h/a.png", "ftp://h/a", "file:///etc/passwd", "data:image/png;base64,AA==", "https://", "https:///a"),
        *("https://h/a b", "https://h/a\n", "https://h/\x7f", "https://h/\u202e", "https://h/\ud800", "https://h\\a"),
        *(" https://h/a", None, 5, ["https://h/a"]),
    ],
)
def test_anything_else_is_no_web_address(value):
    with pytest.raises((TypeError, ValueError)):
        as_url(value)


@quick
@given(st.text(max_size=20))
def test_a_link_that_is_taken_can_be_shown_and_stored(tail):
    try:
        taken = as_url(f"https://h/{tail}")
    except ValueError:
        return
    assert taken.isprintable()
    assert taken.encode()


@pytest.mark.parametrize(
    ("value", "found"), [(5, 5), (-1, -1), (True, None), (1.0, None), ("5", None), (2**63, None), (None, None)]
)
def test_a_whole_number_is_an_integer_that_can_be_stored(value, found):
    assert as_int(value) == found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        *((5, 5.0), (0.06, 0.06), ("0.0600", 0.06), (-1, -1.0)),
        *((True, None), (None, None), ([], None), ("", None), ("much", None), ("nan", None), ("-inf", None)),
        *((1e300, None), (10**400, None), (float("inf"), None)),
    ],
)
def test_a_number_is_finite_and_of_this_world(value, found):
    assert as_float(value) == found


@pytest.mark.parametrize(
    ("value", "found"), [(40, 40.0), (-1, 0.0), (250, 100.0), ("7", 7.0), (None, None), ("half", None)]
)
def test_a_progress_is_between_nothing_and_all(value, found):
    assert as_percent(value) == found


@pytest.mark.parametrize(("value", "found"), [(True, True), (False, False), (None, None), (1, None), ("true", None)])
def test_a_flag_is_a_boolean(value, found):
    assert as_bool(value) is found


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b'"works"'])
def test_a_page_in_place_of_the_api_has_not_spoken(body):
    """A guest network's sign-in page must not count as a key that works."""
    with pytest.raises((TypeError, ValueError)):
        require_object(Response(status=200, body=body))

    require_object(Response(status=200, body=b"{}"))


def test_only_local_files_may_stand_for_themselves_in_a_body():
    with pytest.raises(TypeError, match="bytes cannot be sent as JSON"):
        encode({"image": b"bytes"})
