"""Connect the sandbox to httpx, without opening a socket."""

from __future__ import annotations

from collections.abc import Iterator

import httpx

from flux_cli.sandbox.wire import Call, LostReply
from flux_cli.sandbox.world import World


class _Broken(httpx.SyncByteStream):
    """A body whose connection breaks at its end."""

    def __init__(self, begun: bytes, request: httpx.Request) -> None:
        self._begun = begun
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body, then raise ``ReadError``."""
        yield self._begun
        raise httpx.ReadError("the sandbox broke the connection, as it was asked to", request=self._request)


class SandboxTransport(httpx.BaseTransport):
    """An httpx transport that passes requests to a `World`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request. Raises ``ReadError`` for a lost reply and ``ConnectError`` for a foreign host."""
        if request.url.scheme != "https":
            raise httpx.ConnectError("the sandbox speaks https only", request=request)
        call = Call(
            method=request.method,
            host=request.url.host,
            path=request.url.path,
            query=dict(request.url.params),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=request.read(),
            base=f"https://{request.url.host}",
        )
        try:
            answer = self._world.answer(call)
        except LostReply:
            raise httpx.ReadError("the sandbox lost the reply, as it was asked to", request=request) from None
        except ValueError as error:
            raise httpx.ConnectError(str(error), request=request) from None
        stream = httpx.ByteStream(answer.body) if answer.cut is None else _Broken(answer.body[: answer.cut], request)
        return httpx.Response(answer.status, headers=dict(answer.headers), stream=stream, request=request)
