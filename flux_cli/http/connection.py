"""Carry requests over the network, through the environment's proxies, trusting the environment's certificates.

Any failure before the first byte of a request has left is raised as httpx's ``ConnectError`` (or as a `ConfigError`
that names the wrong setting), so it is always known whether the host may have received the request.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
import struct
import threading
from collections.abc import Mapping
from functools import cache
from typing import Any

import httpx

from flux_cli.errors import ConfigError, FluxError
from flux_cli.http.network import CertificateSource, Proxy, find_certificates, load_certificates, proxy_for
from flux_cli.text import printable

_HANDSHAKE = 10.0
"""Seconds that a SOCKS proxy may take for each answer; httpcore has no time-out for them."""


class NetworkTransport(httpx.BaseTransport):
    """Sends each request directly or through its proxy. One instance may serve many threads."""

    def __init__(self, *, limits: httpx.Limits, handshake: float = _HANDSHAKE) -> None:
        """Keep connections within ``limits``; ``handshake`` is in seconds."""
        self._limits = limits
        self._handshake = handshake
        self._proxies: dict[tuple[str, bytes], Proxy | None] = {}
        self._routes: dict[str | None, httpx.HTTPTransport] = {}
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer. Raises ``ConnectError`` where no byte of the request has left, and `ConfigError`."""
        left = False
        opened: list[Any] = []

        def on_event(event: str, info: Mapping[str, Any]) -> None:
            nonlocal left
            if event.endswith(".send_request_headers.started"):
                left |= info["request"].method != b"CONNECT"  # CONNECT only asks the proxy for a tunnel
            elif event == "socks.connect_tcp.complete":
                opened.append(info["return_value"])
                self._limit_handshake(opened[-1].get_extra_info("socket"))

        request.extensions = {**request.extensions, "trace": on_event}
        proxy = self._proxy(request.url)
        try:
            return self._route(proxy).handle_request(request)
        except FluxError:
            raise
        except Exception as error:
            if left:
                raise
            for stream in opened:  # httpcore does not close it
                stream.close()
            through = f" (through the proxy {proxy.address} of {proxy.source})" if proxy else ""
            raise httpx.ConnectError(describe_error(error).rstrip(".") + through, request=request) from error

    def _proxy(self, url: httpx.URL) -> Proxy | None:
        """Return the proxy for a host, read once: going through the whole environment takes a while."""
        host = url.scheme, url.netloc
        if host not in self._proxies:
            self._proxies[host] = proxy_for(str(url))
        return self._proxies[host]

    def _route(self, proxy: Proxy | None) -> httpx.HTTPTransport:
        """Return the transport through a proxy, or the direct one."""
        with self._lock:
            url = proxy.url if proxy else None
            if url not in self._routes:
                context = _ssl_context(find_certificates(), os.environ.get("SSLKEYLOGFILE"))
                via = None
                if url is not None:
                    via = httpx.Proxy(url, ssl_context=context if url.startswith("https:") else None)
                self._routes[url] = httpx.HTTPTransport(verify=context, trust_env=False, limits=self._limits, proxy=via)
            return self._routes[url]

    def _limit_handshake(self, connection: socket.socket) -> None:
        if os.name == "posix":
            seconds, rest = divmod(self._handshake, 1)
            limit = struct.pack("ll", int(seconds), int(rest * 1e6))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)

    def close(self) -> None:
        """Close every connection."""
        for route in self._routes.values():
            route.close()


@cache
def _ssl_context(found: CertificateSource, log: str | None) -> ssl.SSLContext:
    """Return the TLS settings for the certificates of the environment and the key log file ``log``.

    Cached, since reading the certificates takes 30 ms.
    """
    try:
        return load_certificates(found) if found.source else httpx.create_ssl_context(trust_env=False)
    except OSError as error:
        what = f"cannot write to SSLKEYLOGFILE, {printable(log)}" if log else "cannot set up TLS"
        raise ConfigError(f"{what}: {describe_error(error)}", hint="nothing was sent", retry="later") from error


def describe_error(error: Exception) -> str:
    """Return in a few words why an exchange failed."""
    words: dict[type[Exception], str] = {
        httpx.ConnectTimeout: "it does not answer",
        httpx.ReadTimeout: "it took too long",
        httpx.WriteTimeout: "it took too long",
        httpx.PoolTimeout: "too many connections",
        AssertionError: "the answer is not valid HTTP",
    }
    text = re.sub(r"^\[Errno -?\d+\] ", "", str(error))  # the words after the number say the same
    return words.get(type(error)) or printable(text, limit=160) or type(error).__name__
