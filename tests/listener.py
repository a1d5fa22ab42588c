"""A listener on 127.0.0.1 that says what a test tells it to: proxies that work, refuse, hang up or say nothing."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

Talk = Callable[[socket.socket], Any]


@contextlib.contextmanager
def listening(talk: Talk) -> Iterator[int]:
    """Hold ``talk`` with each connection, in a thread, and close it then. Yield the port."""
    server = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []
    open_: list[socket.socket] = []

    def hold(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            talk(connection)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                open_.append(connection)
                threads.append(threading.Thread(target=hold, args=(connection,)))
                threads[-1].start()

    threads.append(threading.Thread(target=accept))
    threads[0].start()
    try:
        yield server.getsockname()[1]
    finally:
        for one in (server, *open_):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        server.close()
        for thread in threads:
            thread.join()


def silent(connection: socket.socket) -> None:
    """Say nothing, until the other side goes away."""
    while connection.recv(4096):
        pass


def says(answer: bytes) -> Talk:
    """Return a talk that answers whatever comes first with ``answer``, and hangs up."""

    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(answer)

    return talk


def socks(code: int = 0, then: Talk = silent, asked: list[tuple[str, int]] | None = None) -> Talk:
    """Return a SOCKS5 proxy that answers with a reply ``code``, and is the host itself ``then``.

    ``asked`` takes in the hosts and ports that it was asked to connect to.
    """

    def talk(connection: socket.socket) -> None:
        connection.recv(512)
        connection.sendall(b"\x05\x00")
        request = connection.recv(512)
        if asked is not None:
            asked.append((request[5 : 5 + request[4]].decode(), int.from_bytes(request[-2:])))
        connection.sendall(bytes([5, code, 0, 1, 127, 0, 0, 1, 0, 80]))
        if code == 0:
            then(connection)

    return talk


def tunnel(answer: bytes = b"HTTP/1.1 200 Connected\r\n\r\n", then: Talk = silent) -> Talk:
    """Return an HTTP proxy that answers CONNECT, and is the host itself ``then``."""

    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(answer)
        then(connection)

    return talk


def closed_port() -> int:
    """Return a port of this machine on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]
