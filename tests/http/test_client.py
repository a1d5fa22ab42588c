from __future__ import annotations

import gzip
import itertools
import json
from dataclasses import replace
from email.utils import formatdate

import httpx
import pytest

from flux_cli import providers
from flux_cli.errors import (
    AuthError,
    ConfigError,
    FluxError,
    Interrupted,
    LostReplyError,
    NotFoundError,
    PaymentError,
    ProtocolError,
    RefusedError,
    UnavailableError,
    UnknownOutcomeError,
    UsageError,
)
from flux_cli.http.client import HttpTransport
from flux_cli.http.endpoint import Endpoint
from flux_cli.http.retry import CANCEL, POLL
from flux_cli.providers.conversation import Request, Upload

KEY = "a-key-that-must-not-travel"
READ = Request("GET", "/v1/requests/r-1/status")
PAID = Request("POST", "/v1/models/m", json={"prompt": "ä fox"}, paid=True)
REPEATABLE = Request("POST", "/v2/images/generate", json={}, paid=True, repeatable=True)
OK = httpx.Response(200, json={"request_id": "r-1"})


class Host:
    """A host that answers from a script, and remembers what it was asked."""

    def __init__(self, *script):
        self.script = list(script)
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.asked.append(request)
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, type):
            raise step("no luck", request=request)
        if isinstance(step, Exception):
            raise step
        return httpx.Response(step.status_code, headers=step.headers, content=step.content)


@pytest.fixture
def carry(clock):
    """Return a function that makes a transport over a scripted host."""

    def make(*script, **options):
        host = Host(*script)
        return host, HttpTransport(
            clock=clock, connect=lambda: httpx.MockTransport(host), jitter=lambda: 0.5, **options
        )

    return make


def channel(name="runcomfy", base_url=None, key=KEY):
    provider = providers.load(name)
    return Endpoint(provider=provider, base_url=base_url or provider.base_url, key=key)


def test_a_request_arrives_with_the_key_and_its_body_as_it_is(carry):
    host, transport = carry(OK)

    response = transport.send(channel(), PAID)

    (asked,) = host.asked
    assert str(asked.url) == "https://model-api.runcomfy.net/v1/models/m"
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.headers["user-agent"].startswith("flux-image/")
    assert asked.content == '{"prompt":"ä fox"}'.encode()
    assert response.json == {"request_id": "r-1"}


def test_query_and_headers_of_a_request_are_sent(carry):
    host, transport = carry(OK)

    transport.send(channel(), Request("GET", "/x", query={"a": "1"}, headers={"X-One": "two"}))

    assert host.asked[0].url.query == b"a=1"
    assert host.asked[0].headers["x-one"] == "two"


@pytest.mark.parametrize("fault", [httpx.ReadError, httpx.ReadTimeout, httpx.WriteError, httpx.RemoteProtocolError])
def test_a_paid_request_is_sent_once_when_its_reply_is_lost(carry, fault):
    host, transport = carry(fault)

    with pytest.raises(LostReplyError):
        transport.send(channel(), PAID)

    assert len(host.asked) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_after_a_paid_request_leaves_its_outcome_unknown(carry, status):
    """RunComfy documents no answer of this kind as "not accepted"."""
    host, transport = carry(httpx.Response(status))

    with pytest.raises(LostReplyError, match=str(status)):
        transport.send(channel(), PAID)

    assert len(host.asked) == 1


def test_a_lost_reply_stays_lost_however_later_attempts_end(carry):
    """A repeat that is refused says nothing about the first attempt."""
    refusal = httpx.Response(402, json={"error": "Insufficient credits"})
    host, transport = carry(httpx.ReadError, refusal)

    with pytest.raises(LostReplyError) as caught:
        transport.send(channel("apiframe"), REPEATABLE)

    assert len(host.asked) == 2
    assert isinstance(caught.value.refusal, PaymentError)


def test_a_lost_reply_stays_lost_when_later_attempts_cannot_connect(carry):
    _, transport = carry(httpx.ReadError, httpx.ConnectError)

    with pytest.raises(LostReplyError):
        transport.send(channel("apiframe"), REPEATABLE)


def test_a_repeatable_request_is_settled_by_a_later_success(carry):
    host, transport = carry(httpx.ReadError, httpx.Response(502), OK)

    assert transport.send(channel("apiframe"), REPEATABLE).status == 200
    assert len({request.content for request in host.asked}) == 1


@pytest.mark.parametrize("fault", [httpx.ConnectError, httpx.ConnectTimeout])
def test_a_paid_request_that_never_left_is_sent_again(carry, fault, clock):
    host, transport = carry(fault, fault, OK)

    assert transport.send(channel(), PAID).status == 200
    assert len(host.asked) == 3
    assert clock.slept == [0.5, 1.0]


def test_a_host_that_cannot_be_reached_is_given_up_after_three_attempts(carry):
    host, transport = carry(httpx.ConnectError)

    with pytest.raises(UnavailableError, match="cannot reach runcomfy"):
        transport.send(channel(), PAID)

    assert len(host.asked) == 3


def test_a_request_that_was_turned_away_is_sent_again_after_the_pause_that_was_asked_for(carry, clock):
    host, transport = carry(httpx.Response(429, headers={"retry-after": "7"}), OK)

    assert transport.send(channel(), PAID).status == 200
    assert clock.slept == [7.0]
    assert len(host.asked) == 2


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("12", 12),
        (formatdate(1_795_000_020, usegmt=True), 20),
        (formatdate(1_794_000_000, usegmt=True), 0.5),
        (formatdate(1_899_000_000, usegmt=True), 60),
        ("999999999999", 60),
        ("Thu, 99 Foo 2026", 0.5),
        ("-7", 0.5),
    ],
)
def test_the_pause_that_is_asked_for_is_a_number_or_a_date_and_capped(carry, clock, told, seconds):
    _, transport = carry(httpx.Response(429, headers={"Retry-After": told}), OK)

    transport.send(channel(), PAID)

    assert clock.slept == [seconds]


def test_the_pause_that_an_error_names_is_capped(carry):
    _, transport = carry(httpx.Response(429, headers={"Retry-After": "999999"}))

    with pytest.raises(UnavailableError) as caught:
        transport.send(channel(), READ, policy=POLL)

    assert caught.value.retry_after == 60


@pytest.mark.parametrize(
    ("status", "error"),
    [(301, LostReplyError), (302, LostReplyError), (303, LostReplyError), (307, RefusedError), (308, RefusedError)],
)
def test_a_redirect_of_a_paid_request_is_a_refusal_only_where_it_says_that_nothing_was_done(carry, status, error):
    """303 is how a host says that the work was done, and where to look at it."""
    host, transport = carry(httpx.Response(status, headers={"Location": "https://elsewhere.example/"}))

    with pytest.raises(error):
        transport.send(channel(), PAID)

    assert len(host.asked) == 1


def test_a_cancel_whose_answer_is_lost_may_have_been_heard(carry):
    """It is repeated, which does no harm; and then nobody claims that nothing happened."""
    host, transport = carry(httpx.ReadError)

    with pytest.raises(LostReplyError):
        transport.send(
            channel(), Request("POST", "/v1/requests/r/cancel", repeatable=True, mutates=True), policy=CANCEL
        )

    assert len(host.asked) == 3


def test_a_read_that_is_refused_is_no_mistake_of_the_command_line(carry):
    _, transport = carry(httpx.Response(400, content=b"oops"))

    with pytest.raises(RefusedError):
        transport.send(channel(), READ)


def test_an_answer_that_announces_too_much_is_not_read_at_all(carry):
    _, transport = carry(httpx.Response(200, headers={"Content-Length": str(2**30)}, content=b"{}"))

    with pytest.raises(UnavailableError, match="1073741824 bytes"):
        transport.send(channel(), READ)


def test_a_pause_has_a_limit(carry, clock):
    _, transport = carry(httpx.Response(429, headers={"retry-after": "99999"}), OK)

    transport.send(channel(), PAID)

    assert clock.slept == [60.0]


def test_overload_that_does_not_pass_ends_as_unavailable(carry):
    host, transport = carry(httpx.Response(429))

    with pytest.raises(UnavailableError) as caught:
        transport.send(channel(), PAID)

    assert (len(host.asked), caught.value.charged) == (5, "no")


def test_reads_are_repeated_after_anything_that_may_pass(carry):
    host, transport = carry(httpx.ReadTimeout, httpx.Response(500), httpx.Response(504), OK)

    assert transport.send(channel(), READ).status == 200
    assert len(host.asked) == 4


def test_refusals_are_not_repeated(carry):
    host, transport = carry(httpx.Response(401, json={"error": "bad key"}))

    with pytest.raises(AuthError):
        transport.send(channel(), READ)

    assert len(host.asked) == 1


def test_an_interrupt_in_a_pause_ends_with_what_is_known(carry, clock):
    """The outcome of the last attempt is not traded for the signal: the ledger needs it."""
    _, transport = carry(httpx.Response(429))
    clock.stop(2)

    with pytest.raises(UnavailableError):
        transport.send(channel(), PAID)


@pytest.mark.parametrize("name", providers.NAMES)
def test_every_4xx_to_a_paid_request_says_that_nothing_was_charged(carry, name):
    """Whatever the code, and whether or not there is a word of the host's in it."""
    bodies = (b"", b"<html>", json.dumps({"error": "no", "message": "no", "detail": "no"}).encode())
    for status, body in itertools.product(range(400, 500), bodies):
        _, transport = carry(httpx.Response(status, content=body))

        with pytest.raises(FluxError) as caught:
            transport.send(channel(name), PAID)

        assert (status, caught.value.charged, caught.value.code != "unknown") == (status, "no", True)


def test_a_refusal_that_the_page_of_the_provider_leaves_open_stays_open(carry):
    """A provider says so by reading it as an unknown outcome."""
    _, transport = carry(httpx.Response(409))
    open_ = replace(channel(), provider=replace(channel().provider, refusal=lambda _: UnknownOutcomeError("perhaps")))

    with pytest.raises(UnknownOutcomeError) as caught:
        transport.send(open_, PAID)

    assert caught.value.charged == "unknown"


@pytest.mark.parametrize(("asked", "sent"), [(PAID, 1), (REPEATABLE, 5), (READ, 5)])
def test_a_request_that_came_too_slowly_is_repeated_only_where_that_is_safe(carry, asked, sent):
    """408 says that no whole request came; no page documents that as leave to buy again."""
    host, transport = carry(httpx.Response(408))

    with pytest.raises(UnavailableError) as caught:
        transport.send(channel("apiframe"), asked)

    assert (len(host.asked), caught.value.charged) == (sent, "no")


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("asked", [READ, REPEATABLE])
def test_the_pause_that_a_server_error_asks_for_is_made(carry, clock, status, asked):
    """Where the request may be sent again at all."""
    host, transport = carry(httpx.Response(status, headers={"retry-after": "7"}), OK)

    assert transport.send(channel("runware"), asked).status == 200
    assert (clock.slept, len(host.asked)) == ([7.0], 2)


def test_a_server_error_says_how_long_to_wait_to_a_request_that_is_tried_once(carry):
    _, transport = carry(httpx.Response(503, headers={"retry-after": "20"}))

    with pytest.raises(UnavailableError) as caught:
        transport.send(channel(), READ, policy=POLL)

    assert caught.value.retry_after == 20


@pytest.mark.parametrize("asked", [PAID, READ])
@pytest.mark.parametrize(
    ("step", "sent"),
    [
        (httpx.Response(429, headers={"retry-after": "86400"}), 1),
        (httpx.Response(429, headers={"retry-after": "9"}), 3),
        (httpx.Response(429), 5),
        (httpx.ConnectError, 3),
    ],
)
def test_no_pause_lasts_beyond_the_deadline(carry, clock, asked, step, sent):
    """What cannot be tried again in time is told at once, and a purchase was not made."""
    began = clock.monotonic()
    host, transport = carry(step)

    with pytest.raises(UnavailableError) as caught:
        transport.send(channel(), asked, deadline=began + 20)

    assert clock.monotonic() <= began + 20
    assert (len(host.asked), caught.value.charged) == (sent, "no")


def test_a_pause_that_another_request_was_given_does_not_hold_one_beyond_its_deadline(carry, clock):
    host, transport = carry(httpx.Response(429, headers={"retry-after": "60"}))
    with pytest.raises(UnavailableError):
        transport.send(channel(), READ, policy=POLL)

    with pytest.raises(UnavailableError, match="longer than the time-out") as caught:
        transport.send(channel(), PAID, deadline=clock.monotonic() + 20)

    assert (len(host.asked), clock.slept, caught.value.charged) == (1, [], "no")


def test_a_request_that_need_not_wait_leaves_also_when_the_time_is_up(carry, clock):
    """``--timeout 0`` submits and leaves."""
    _, transport = carry(OK)

    assert transport.send(channel(), PAID, deadline=clock.monotonic()).status == 200


@pytest.mark.parametrize(("asked", "left", "read"), [(READ, 1000, 30), (READ, 12, 12), (READ, 0, 3), (PAID, 0, 150)])
def test_a_read_waits_for_its_answer_no_longer_than_there_is_time(carry, clock, asked, left, read):
    """An answer about money is worth waiting for; and a last look has a few seconds."""
    host, transport = carry(OK)

    transport.send(channel(), asked, deadline=clock.monotonic() + left)

    told = host.asked[0].extensions["timeout"]
    assert (told["read"], told["connect"]) == (read, min(10, max(left, 3)))


@pytest.mark.parametrize(("asked", "seconds"), [(READ, 20), (PAID, 150)])
def test_an_answer_that_trickles_ends_with_the_time_out(clock, asked, seconds):
    class Trickle(httpx.SyncByteStream):
        def __iter__(self):
            for _ in range(10_000):
                clock.sleep(2)
                yield b" "

    host = httpx.MockTransport(lambda _: httpx.Response(200, stream=Trickle()))
    began = clock.monotonic()

    with pytest.raises((UnavailableError, LostReplyError), match="took too long"):
        HttpTransport(clock=clock, connect=lambda: host).send(channel(), asked, policy=POLL, deadline=began + 20)

    assert clock.monotonic() - began <= seconds + 2


@pytest.mark.parametrize("asked", [PAID, REPEATABLE, READ])
@pytest.mark.parametrize("error", [FileNotFoundError(2, "no such file"), ImportError("socksio"), ValueError("oops")])
def test_what_fails_before_anything_is_sent_is_never_a_lost_reply(clock, asked, error):
    def connect():
        raise error

    with pytest.raises(UsageError, match=r"cannot set up the request to runware: .*(no such|socksio|oops)") as caught:
        HttpTransport(clock=clock, connect=connect).send(channel("runware"), asked)

    assert (caught.value.charged, caught.value.exit_code, clock.slept) == ("no", 2, [])


@pytest.mark.parametrize(
    "bad",
    [
        {"key": "schlüssel"},
        {"base_url": "https://example.com:port"},
        {"base_url": "https://[::1"},
        {"base_url": f"https://{'ä' * 64}.example"},
    ],
    ids=["key", "port", "bracket", "long name"],
)
def test_a_request_that_cannot_be_made_is_never_a_lost_reply(carry, bad):
    host, transport = carry(OK)

    with pytest.raises(UsageError) as caught:
        transport.send(channel(**bad), PAID)

    assert (host.asked, caught.value.charged) == ([], "no")


def test_a_prompt_that_cannot_be_written_is_never_a_lost_reply(carry):
    host, transport = carry(OK)

    with pytest.raises(UsageError, match="surrogates"):
        transport.send(channel(), replace(PAID, json={"prompt": "\ud800"}))

    assert host.asked == []


def test_a_wrong_setting_is_reported_as_such(carry):
    wrong = ConfigError("cannot read the certificates that SSL_CERT_FILE names")
    host, transport = carry(wrong)

    with pytest.raises(ConfigError) as caught:
        transport.send(channel(), PAID)

    assert (caught.value, len(host.asked)) == (wrong, 1)


def test_a_setting_that_is_found_wrong_by_a_download_is_a_failure_of_the_download(clock):
    """The job was made and paid for: it is no mistake that cost nothing."""

    def host(_):
        raise ConfigError("cannot read the certificates that SSL_CERT_FILE names")

    with pytest.raises(UnavailableError, match="SSL_CERT_FILE"):
        fetch(clock, host)


def test_a_redirect_of_an_api_is_not_followed(carry):
    host, transport = carry(httpx.Response(307, headers={"location": "https://elsewhere.example/"}))

    with pytest.raises(RefusedError, match="307"):
        transport.send(channel(), PAID)

    assert [request.url.host for request in host.asked] == ["model-api.runcomfy.net"]


@pytest.mark.parametrize("base_url", ["http://example.com", "http://10.0.0.1", "ftp://127.0.0.1"])
def test_a_key_never_leaves_in_the_open(carry, base_url):
    host, transport = carry(OK)

    with pytest.raises(UsageError):
        transport.send(channel(base_url=base_url), READ)

    assert host.asked == []


@pytest.mark.parametrize(
    "base_url", ["http://127.0.0.1:8000", "http://localhost:1", "http://[::1]:1", "https://example.com"]
)
def test_loopback_and_https_are_private(carry, base_url):
    host, transport = carry(OK)

    transport.send(channel(base_url=base_url), READ)

    assert len(host.asked) == 1


def test_another_documented_host_is_asked_only_beside_the_documented_base_url(carry):
    balance = Request("GET", "/prod/v2/balance", origin="https://api.runcomfy.net")
    host, transport = carry(OK)

    transport.send(channel(), balance)
    with pytest.raises(UsageError):
        transport.send(channel(base_url="http://127.0.0.1:1"), balance)
    with pytest.raises(UsageError):
        transport.send(channel(), Request("GET", "/", origin="https://elsewhere.example"))

    assert [str(request.url) for request in host.asked] == ["https://api.runcomfy.net/prod/v2/balance"]


def test_without_a_key_nothing_is_sent(carry):
    host, transport = carry(OK)

    with pytest.raises(AuthError):
        transport.send(channel(key=""), READ)

    assert host.asked == []


def test_a_local_file_is_sent_as_multipart(carry, tmp_path):
    (tmp_path / "fox.png").write_bytes(b"the bytes of a fox")
    host, transport = carry(OK)

    transport.send(
        channel("apiframe"), Request("POST", "/v2/uploads", upload=Upload(field="file", path=str(tmp_path / "fox.png")))
    )

    assert host.asked[0].headers["content-type"].startswith("multipart/form-data")
    assert b"the bytes of a fox" in host.asked[0].content
    assert b'name="file"; filename="fox.png"' in host.asked[0].content


def test_a_local_file_that_cannot_be_read_is_an_error_before_anything_is_sent(carry):
    host, transport = carry(OK)

    with pytest.raises(UsageError, match="no-such-file"):
        transport.send(
            channel("apiframe"), Request("POST", "/v2/uploads", upload=Upload(field="file", path="no-such-file"))
        )

    assert host.asked == []


@pytest.mark.slow
def test_an_answer_larger_than_anything_sensible_is_not_read_to_the_end(carry):
    bomb = httpx.Response(
        200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(gzip.compress(bytes(2**28 + 1)))
    )

    class Bomb(httpx.BaseTransport):
        def handle_request(self, request):
            return bomb

    _, transport = carry(OK)
    transport._connect = Bomb

    with pytest.raises(LostReplyError):
        transport.send(channel(), PAID)


def test_the_conversation_can_be_watched_without_the_key(carry):
    lines = []
    _, transport = carry(httpx.Response(200, json={"echo": KEY, "image": "A" * 5000}), say=lines.append)

    transport.send(channel(), PAID)

    assert lines[0].startswith('> POST https://model-api.runcomfy.net/v1/models/m {"prompt":"ä fox"}')
    assert lines[1].startswith("< 200 ")
    assert KEY not in "".join(lines)
    assert "(5000 characters of base64)" in lines[1]


class Files:
    """A host of one file, which may break off, and serves ranges if asked to."""

    def __init__(self, body: bytes, *, breaks=0, ranges=True, etag='"v1"'):
        self.body, self.breaks, self.ranges, self.etag = body, breaks, ranges, etag
        self.asked: list[httpx.Request] = []

    def __call__(self, request):
        self.asked.append(request)
        start = int(request.headers.get("range", "bytes=0-")[6:-1]) if self.ranges else 0
        rest = self.body[start:]
        headers = {"content-length": str(len(rest)), "etag": self.etag}
        if self.ranges:
            headers["accept-ranges"] = "bytes"
        if start:
            headers["content-range"] = f"bytes {start}-{len(self.body) - 1}/{len(self.body)}"
        stream = httpx.ByteStream(rest)
        if self.breaks:
            self.breaks -= 1
            stream = Breaking(rest[: len(rest) // 2])
        return httpx.Response(206 if start else 200, headers=headers, stream=stream)


class Breaking(httpx.SyncByteStream):
    def __init__(self, body):
        self.body = body

    def __iter__(self):
        yield self.body
        raise httpx.ReadError("gone")


def fetch(clock, host, url="https://im.runware.ai/fox.jpg"):
    return b"".join(HttpTransport(clock=clock, connect=lambda: httpx.MockTransport(host)).download(url))


def test_a_download_is_the_bytes_and_carries_no_key(clock):
    host = Files(b"fox" * 1000)

    assert fetch(clock, host) == b"fox" * 1000
    assert not {"authorization", "x-api-key", "cookie"} & set(host.asked[0].headers)
    assert host.asked[0].headers["accept-encoding"] == "identity"


def test_a_download_that_breaks_off_is_taken_up_where_it_stopped(clock):
    host = Files(bytes(range(256)) * 100, breaks=3)

    assert fetch(clock, host) == bytes(range(256)) * 100
    assert [request.headers.get("range") for request in host.asked][:2] == [None, "bytes=12800-"]
    assert host.asked[1].headers["if-range"] == '"v1"'


def test_a_download_that_breaks_off_without_ranges_is_an_error_that_may_pass(clock):
    with pytest.raises(UnavailableError):
        fetch(clock, Files(b"fox" * 1000, breaks=1, ranges=False))


def test_a_file_that_changed_meanwhile_is_not_pieced_together(clock):
    def host(request):
        if "range" in request.headers:
            return httpx.Response(200, headers={"accept-ranges": "bytes"}, content=b"another file")
        return httpx.Response(
            200, headers={"content-length": "10", "accept-ranges": "bytes", "etag": '"v1"'}, stream=Breaking(b"12345")
        )

    with pytest.raises(UnavailableError, match="cannot resume it"):
        fetch(clock, host)


def test_fewer_bytes_than_announced_are_an_error(clock):
    def host(request):
        return httpx.Response(200, headers={"content-length": "10"}, stream=httpx.ByteStream(b"12345"))

    with pytest.raises(UnavailableError, match="5 of 10"):
        fetch(clock, host)


@pytest.mark.parametrize("status", [400, 403, 404, 410])
def test_a_link_that_no_longer_works_is_an_error_of_its_own(clock, status):
    with pytest.raises(NotFoundError, match=str(status)):
        fetch(clock, lambda _: httpx.Response(status))


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_file_host_in_trouble_may_recover(clock, status):
    with pytest.raises(UnavailableError, match=str(status)):
        fetch(clock, lambda _: httpx.Response(status))


class Trickle(httpx.SyncByteStream):
    """One byte after the other, each after a while; it may break off after every one."""

    def __init__(self, clock, seconds, *, breaks):
        self.clock, self.seconds, self.breaks = clock, seconds, breaks

    def __iter__(self):
        for _ in range(100_000):
            self.clock.time += self.seconds
            yield b"x"
            if self.breaks:
                raise httpx.ReadError("gone")


@pytest.mark.parametrize("breaks", [False, True])
def test_a_download_that_trickles_ends_with_the_time(clock, breaks):
    """Each byte is in time, and each connection gets it a byte further: the whole is bounded all the same."""

    def host(request):
        start = int(request.headers.get("range", "bytes=0-")[6:-1])
        headers = {"accept-ranges": "bytes", "etag": '"v1"', "content-range": f"bytes {start}-99999/100000"}
        return httpx.Response(206 if start else 200, headers=headers, stream=Trickle(clock, 0.1, breaks=breaks))

    began = clock.time
    transport = HttpTransport(clock=clock, connect=lambda: httpx.MockTransport(host))

    with pytest.raises(UnavailableError, match="not finish within the time-out"):
        list(transport.download("https://im.runware.ai/fox.jpg", deadline=clock.monotonic() + 10))

    assert 10 <= clock.time - began < 11


def test_no_wait_for_a_download_is_longer_than_the_time_that_is_left(clock):
    asked = []

    def host(request):
        asked.append(request.extensions["timeout"])
        return httpx.Response(200, stream=httpx.ByteStream(b"fox"))

    transport = HttpTransport(clock=clock, connect=lambda: httpx.MockTransport(host))
    list(transport.download("https://im.runware.ai/fox.jpg", deadline=clock.monotonic() + 4))
    list(transport.download("https://im.runware.ai/fox.jpg"))

    assert [(one["connect"], one["read"]) for one in asked] == [(4, 4), (10, 30)]


def test_redirects_of_a_download_are_followed_to_https_only(clock):
    seen = []

    def host(request):
        seen.append(str(request.url))
        if request.url.path == "/fox.jpg":
            return httpx.Response(302, headers={"location": "/moved.jpg"})
        if request.url.path == "/moved.jpg":
            return httpx.Response(302, headers={"location": "http://elsewhere.example/fox.jpg"})
        return httpx.Response(200, content=b"fox")

    with pytest.raises(ProtocolError, match="neither https"):
        fetch(clock, host)

    assert seen == ["https://im.runware.ai/fox.jpg", "https://im.runware.ai/moved.jpg"]


def test_redirects_in_circles_end(clock):
    with pytest.raises(ProtocolError, match="too many times"):
        fetch(clock, lambda _: httpx.Response(302, headers={"location": "/fox.jpg"}))


@pytest.mark.parametrize("url", ["http://example.com/a", "file:///etc/passwd", "ftp://x/y"])
def test_a_link_to_elsewhere_is_not_opened(clock, url):
    with pytest.raises(ProtocolError):
        fetch(clock, lambda _: httpx.Response(200), url)


def test_a_download_notices_that_it_should_stop(clock):
    clock.stop(2)

    with pytest.raises(Interrupted):
        fetch(clock, Files(b"fox"))


def test_closing_lets_connections_go(carry):
    _, transport = carry(OK)
    transport.send(channel(), READ)

    transport.close()

    assert transport._clients == {}


def test_json_bodies_are_compact_utf8():
    from flux_cli.providers.conversation import encode

    assert encode({"a": ["ü", 1]}) == ['{"a":["ü",1]}'.encode()]
    assert json.loads(encode({"a": "\x00"})[0]) == {"a": "\x00"}
