"""Send requests with httpx, add the key, and work out what each answer means for money.

A failure says whether the request was accepted, as far as that is known; `Retrier` decides from that alone whether it
is sent again. Redirects of an API are not followed; downloads never carry a key.
"""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx

from flux_cli import __version__
from flux_cli.clock import Clock
from flux_cli.errors import (
    ConfigError,
    FluxError,
    LinkError,
    LostReplyError,
    NotFoundError,
    ProtocolError,
    RefusedError,
    UnavailableError,
    UnknownOutcomeError,
    UnreachedError,
    UsageError,
)
from flux_cli.http import trace
from flux_cli.http.body import open_body, open_upload
from flux_cli.http.connection import NetworkTransport, describe_error
from flux_cli.http.endpoint import Endpoint, is_private
from flux_cli.http.rate_limit import parse_retry_after
from flux_cli.http.retry import DOWNLOAD, SUBMIT, Retrier, RetryPolicy
from flux_cli.providers.conversation import Request, Response
from flux_cli.providers.refusals import as_job_failure
from flux_cli.text import printable

Connect = Callable[[], httpx.BaseTransport]  # makes the transport behind httpx
ANSWER_LIMIT = 256 * 2**20
"""Bytes of the largest answer that is read; twenty images as base64 fit."""

_CONNECT, _READ, _PAID_READ = 10.0, 30.0, 150.0
_GRACE = 3.0
"""Seconds that a request has at least, even if it leaves just before the deadline."""
_WHOLE = 600.0
"""Seconds in which an answer must be complete without a deadline: a host may send it byte by byte."""
_REDIRECTS = 5
_TOO_SLOW = 408
"""The one "not now" that is not about the rate: the host did not receive the whole request in time."""
_WORK_MAY_BE_DONE = frozenset({301, 302, 303})
"""Redirects that may follow work that was done; 307 and 308 say that it was not."""
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)


class HttpTransport:
    """Carries requests of any provider. One instance may serve many threads."""

    def __init__(
        self,
        *,
        clock: Clock,
        connect: Connect | None = None,
        say: Callable[[str], None] | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Send through ``connect``, by default the network; ``say`` receives each request and answer as text."""
        self._clock = clock
        self._connect = connect
        self._log = say
        self._retrier = Retrier(clock, jitter)
        self._clients: dict[bool, httpx.Client] = {}
        self._lock = threading.Lock()

    def _client(self, *, fresh: bool) -> httpx.Client:
        """Return the client that keeps connections, or the one that never does.

        A paid request never uses an idle connection: one that the host has just closed would look like a lost reply.
        """
        with self._lock:
            if fresh not in self._clients:
                limits = httpx.Limits(max_keepalive_connections=0 if fresh else 20)
                behind = NetworkTransport(limits=limits) if self._connect is None else self._connect()
                agent = {"User-Agent": f"flux-image/{__version__}"}
                self._clients[fresh] = httpx.Client(
                    headers=agent, follow_redirects=False, trust_env=False, transport=behind
                )
            return self._clients[fresh]

    def close(self) -> None:
        """Close every connection."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def send(
        self, endpoint: Endpoint, request: Request, *, policy: RetryPolicy = SUBMIT, deadline: float = math.inf
    ) -> Response:
        """Send ``request`` and return its answer, if it is no refusal.

        Sends again as ``policy`` says, where that is safe; no pause lasts beyond the ``deadline``, a reading of the
        clock. Raises the `FluxError` that the provider reads in the answer, `UnavailableError` where nothing was
        accepted, `LostReplyError` where the outcome is unknown.
        """
        return self._retrier.send(
            endpoint.provider.name,
            request,
            lambda: self._attempt(endpoint, request, deadline),
            policy=policy,
            deadline=deadline,
        )

    def _attempt(self, endpoint: Endpoint, request: Request, deadline: float) -> Response | FluxError:
        """Send once. Return the answer, or the error as a value: the caller decides whether to try again."""
        name = endpoint.provider.name
        with ExitStack() as files:
            try:
                client, prepared = self._prepare(endpoint, request, deadline, files)
            except FluxError as error:
                return error
            except Exception as error:  # noqa: BLE001 - whatever it is, nothing has left this machine
                message = f"cannot set up the request to {name}: {describe_error(error)}"
                return _with_cause(
                    UsageError(message, hint="nothing was sent; FLUX_DEBUG=1 shows where it fails"), error
                )
            try:
                response = self._exchange(endpoint, request, deadline, client, prepared)
            except FluxError as error:
                return error
            except _NOT_SENT as error:
                return _with_cause(UnreachedError(f"cannot reach {name}: {describe_error(error)}"), error)
            except httpx.HTTPError as error:
                return self._unanswered(request, f"no answer from {name}: {describe_error(error)}")
        return self._read_answer(endpoint, request, response)

    def _read_answer(self, endpoint: Endpoint, request: Request, response: Response) -> Response | FluxError:
        """Return a successful answer, or the error that any other means."""
        name = endpoint.provider.name
        if endpoint.provider.is_answer is not None and endpoint.provider.is_answer(response):
            return response
        refusal = endpoint.provider.refusal(response)
        if refusal is not None:
            return self._refusal(request, response, refusal)
        if 200 <= response.status < 300:  # noqa: PLR2004 - HTTP classes
            return response
        unclear = request.outcome_matters and response.status in _WORK_MAY_BE_DONE
        if response.status < 500 and not unclear:  # noqa: PLR2004 - HTTP classes
            return RefusedError(f"{name} answered HTTP {response.status}, which it does not document", charged="no")
        failure = self._unanswered(request, f"{name} answered HTTP {response.status}")
        failure.retry_after = self._retry_after(response)
        return failure

    def _refusal(self, request: Request, response: Response, refusal: FluxError) -> FluxError:
        """Return a refusal with its ``Retry-After``, and as the job's failure where a read was refused.

        A paid request that is refused with 4xx was not accepted; where a provider's page says otherwise, its
        ``refusal`` returns an `UnknownOutcomeError`.
        """
        if isinstance(refusal, UnavailableError) and response.status != _TOO_SLOW:
            refusal.retry_after = self._retry_after(response) or refusal.retry_after or 0.0
        is_client_error = 400 <= response.status < 500  # noqa: PLR2004 - HTTP classes
        if request.paid and is_client_error and not isinstance(refusal, UnknownOutcomeError):
            refusal.charged = "no"
        return refusal if request.paid or request.upload is not None else as_job_failure(refusal)

    def _retry_after(self, response: Response) -> float | None:
        """Return the seconds that an answer asks us to wait, or ``None``."""
        return parse_retry_after(response.headers.get("retry-after", ""), now=self._clock.now())

    @staticmethod
    def _unanswered(request: Request, message: str) -> FluxError:
        """Return the error of a lost answer: for a read, only that the host is unavailable."""
        if request.outcome_matters:
            return LostReplyError(message)
        return UnavailableError(message)

    def _prepare(
        self, endpoint: Endpoint, request: Request, deadline: float, files: ExitStack
    ) -> tuple[httpx.Client, httpx.Request]:
        """Return a request ready to send, and its client; nothing is sent yet. Raises `FluxError`."""
        url = endpoint.url(request)
        if not is_private(url):
            raise UsageError(f"{url} is neither https nor on this machine: the key is not sent there")
        left = max(deadline - self._clock.monotonic(), _GRACE)
        read = _PAID_READ if request.paid or request.upload else min(_READ, left)
        options: dict[str, Any] = {
            "headers": {"Accept": "application/json", **request.headers, **endpoint.headers(request)},
            "timeout": httpx.Timeout(read, connect=min(_CONNECT, left)),
            "params": (dict(request.query) or None) if url != request.url else None,
        }
        if request.json is not None:
            options["content"], length = open_body(request.json, files)
            options["headers"] |= {"Content-Type": "application/json", "Content-Length": str(length)}
        if request.upload is not None:
            file = open_upload(request.upload, files)
            if request.upload.field:
                checked = request.upload.file
                kind = None if checked is None else checked.media_type  # whatever the name ends in
                options["files"] = {request.upload.field: (Path(request.upload.path).name, file, kind)}
            else:
                options["content"] = file
                options["headers"]["Content-Type"] = request.upload.media_type
        client = self._client(fresh=request.paid)
        return client, client.build_request(request.method, url, **options)

    def _exchange(
        self, endpoint: Endpoint, request: Request, deadline: float, client: httpx.Client, prepared: httpx.Request
    ) -> Response:
        if self._log is not None:
            self._trace(f"> {request.method} {endpoint.url(request)} {trace.describe_request(request)}", endpoint)
        now = self._clock.monotonic()
        ends = max(deadline, now + (_PAID_READ if request.paid else _GRACE))
        try:
            return self._read(endpoint, client, prepared, min(ends, now + _WHOLE), secret=request.secret_answer)
        except OSError as error:  # those of the network are httpx's
            raise _unreadable_upload(request.upload.path if request.upload else "", error) from error

    def _read(
        self, endpoint: Endpoint, client: httpx.Client, prepared: httpx.Request, ends: float, *, secret: bool
    ) -> Response:
        """Return the whole answer, if it is not too large and complete when the time ``ends``."""
        answer = client.send(prepared, stream=True)
        try:
            announced = answer.headers.get("content-length", "")
            if announced.isdecimal() and int(announced) > ANSWER_LIMIT:
                raise httpx.DecodingError(f"an answer of {announced} bytes", request=answer.request)
            body = bytearray()
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > ANSWER_LIMIT:
                    message = f"an answer of more than {ANSWER_LIMIT} bytes"
                    raise httpx.DecodingError(message, request=answer.request)
                if self._clock.monotonic() > ends:
                    raise httpx.ReadTimeout("", request=answer.request)
        finally:
            answer.close()
        headers = {name.lower(): value for name, value in answer.headers.items()}
        if self._log is not None:
            shown = "(a secret)" if secret else trace.describe_response(bytes(body), headers)
            self._trace(f"< {answer.status_code} {shown}", endpoint)
        return Response(status=answer.status_code, headers=headers, body=bytes(body))

    def download(self, url: str, *, deadline: float = math.inf) -> Iterator[bytes]:
        """Yield the bytes behind a result's link, to the last one, without a key.

        An interrupted transfer is resumed as long as it makes progress and the host serves ranges. Raises
        `NotFoundError` for a link that does not work, `UnavailableError` for anything that may pass and once the clock
        (`Clock.monotonic`) is at the ``deadline``, `ProtocolError` for a link or a redirect that is neither https nor
        on this machine.
        """
        received = 0
        validator = ""
        while True:
            before = received
            headers = {"Accept-Encoding": "identity"}
            if received:
                headers.update({"Range": f"bytes={received}-", "If-Range": validator})
            try:
                with self._open(url, headers, deadline) as answer:
                    if received and not _continues(answer, received):
                        raise UnavailableError("the download was interrupted, and the host cannot resume it")
                    validator = _validator(answer)
                    length = answer.headers.get("content-length", "")
                    for chunk in answer.iter_raw():
                        self._clock.check()
                        self._left(deadline)
                        received += len(chunk)
                        yield chunk
                    if length.isdecimal() and received != before + int(length):
                        raise UnavailableError(f"the download ended after {received} of {before + int(length)} bytes")
                    return
            except ConfigError as error:  # not about the job: only its image is not saved
                raise UnavailableError(f"the download failed: {error.message}") from error
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                if not validator or received == before:
                    raise UnavailableError(f"the download failed: {describe_error(error)}") from error
                self._clock.sleep(DOWNLOAD.first_pause)

    def _left(self, deadline: float) -> float:
        """Return the seconds until a download's ``deadline``. Raises `UnavailableError` where there are none."""
        left = deadline - self._clock.monotonic()
        if left <= 0:
            raise UnavailableError("the download did not finish within the time-out")
        return left

    def _open(self, url: str, headers: Mapping[str, str], deadline: float) -> _Opened:
        for _ in range(_REDIRECTS + 1):
            if not is_private(url):
                raise ProtocolError("the link to the image is neither https nor on this machine")
            client = self._client(fresh=False)
            left = self._left(deadline)
            self._trace(f"> GET {url}")
            timeout = httpx.Timeout(min(_READ, left), connect=min(_CONNECT, left))
            answer = client.send(client.build_request("GET", url, headers=dict(headers), timeout=timeout), stream=True)
            self._trace(f"< {answer.status_code} {answer.headers.get('content-type', '')}")
            if not answer.is_redirect:
                return _Opened(_check_download(answer))
            url = urljoin(url, answer.headers.get("location", ""))
            answer.close()
        raise ProtocolError("the link to the image redirects too many times")

    def _trace(self, line: str, endpoint: Endpoint | None = None) -> None:
        if self._log is not None:
            shown = printable(line, limit=2000)
            self._log(shown.replace(endpoint.key, "***") if endpoint and endpoint.key else shown)


class _Opened:
    """A context manager: an answer whose body is still to be read, closed at the end."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer

    def __enter__(self) -> httpx.Response:
        return self.answer

    def __exit__(self, *_: object) -> None:
        self.answer.close()


def _check_download(answer: httpx.Response) -> httpx.Response:
    """Return an answer that has the image's bytes. Raises the error that any other means."""
    status = answer.status_code
    if 200 <= status < 300:  # noqa: PLR2004 - HTTP classes
        return answer
    answer.close()
    if status in {400, 401, 403, 404, 410}:
        kind = LinkError if status in {403, 404} else NotFoundError
        raise kind(f"the link to the image no longer works (HTTP {status})", vendor_code=f"HTTP {status}")
    raise UnavailableError(f"the image's host answered HTTP {status}")


def _continues(answer: httpx.Response, received: int) -> bool:
    """Whether an answer to a range request starts at the next byte."""
    return answer.status_code == 206 and answer.headers.get("content-range", "").startswith(f"bytes {received}-")  # noqa: PLR2004 - Partial Content


def _validator(answer: httpx.Response) -> str:
    """Return the value for ``If-Range``, or an empty string where the host does not serve ranges."""
    if answer.status_code != 206 and answer.headers.get("accept-ranges", "").lower() != "bytes":  # noqa: PLR2004 - Partial Content
        return ""
    etag: str = answer.headers.get("etag", "")
    return etag if etag.startswith('"') else str(answer.headers.get("last-modified", ""))


def _with_cause(failure: FluxError, error: Exception) -> FluxError:
    """Return a failure with its cause, for ``FLUX_DEBUG``."""
    failure.__cause__ = error
    return failure


def _unreadable_upload(path: str, error: OSError) -> UsageError:
    return UsageError(f"cannot read {printable(path)}: {error.strerror}")
