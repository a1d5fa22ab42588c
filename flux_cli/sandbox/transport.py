"""The sandbox behind httpx: no socket is ever opened."""

from __future__ import annotations

import httpx

from flux_cli.sandbox.wire import Call, LostReply
from flux_cli.sandbox.world import World


class SandboxTransport(httpx.BaseTransport):
    """A transport whose network is a `World`."""

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
        )
        try:
            answer = self._world.answer(call)
        except LostReply:
            raise httpx.ReadError("the sandbox lost the reply, as it was asked to", request=request) from None
        except ValueError as error:
            raise httpx.ConnectError(str(error), request=request) from None
        stream = httpx.ByteStream(answer.body)
        return httpx.Response(answer.status, headers=dict(answer.headers), stream=stream, request=request)
