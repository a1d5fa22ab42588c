"""The way to a host: through proxies and past them, and what is known when it breaks."""

from __future__ import annotations

import httpx
import pytest

from flux_cli.errors import ConfigError
from flux_cli.http.connection import NetworkTransport, describe_error
from tests.listener import closed_port, listening, says, silent, socks, tunnel

FINE = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine"
HOST = "http://host.example/"


@pytest.fixture
def get():
    """Return a function that asks for an address over a network of its own."""
    clients = []

    def ask(url: str, **options) -> httpx.Response:
        network = NetworkTransport(limits=httpx.Limits(), **options)
        clients.append(httpx.Client(transport=network, trust_env=False, timeout=5.0))
        return clients[-1].get(url)

    yield ask
    for client in clients:
        client.close()


@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks"])
def test_a_socks_proxy_is_used_and_looks_names_up_itself(monkeypatch, get, scheme):
    asked = []
    with listening(socks(then=says(FINE), asked=asked)) as port:
        monkeypatch.setenv("ALL_PROXY", f"{scheme}://127.0.0.1:{port}")

        answer = get(HOST)

    assert (answer.text, asked) == ("fine", [("host.example", 80)])


def test_an_http_proxy_is_used(monkeypatch, get):
    with listening(says(FINE)) as port:
        monkeypatch.setenv("HTTP_PROXY", f"127.0.0.1:{port}")

        assert get(HOST).text == "fine"


@pytest.mark.parametrize("entries", ["fe80::/10", "[::1]", "localhost,127.0.0.1,::1,[::1]", "::1,fe80::/10,10.0.0.0/8"])
def test_networks_and_addresses_in_no_proxy_are_no_trouble(monkeypatch, get, entries):
    """What is on this machine is asked directly, and everything else through the proxy."""
    monkeypatch.setenv("NO_PROXY", entries)
    with listening(says(FINE)) as host, listening(says(FINE.replace(b"fine", b"afar"))) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"127.0.0.1:{proxy}")

        assert get(f"http://127.0.0.1:{host}/").text == "fine"
        assert get(HOST).text == "afar"


BROKEN = {
    "SOCKS: no route": (socks(3), "socks5h"),
    "SOCKS: no such host": (socks(4), "socks5h"),
    "SOCKS: refused": (socks(5), "socks5h"),
    "SOCKS: wrong answer": (says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "socks5"),
    "SOCKS: another kind of answer": (says(b"\x05\xff"), "socks5"),
    "SOCKS: hangs up": (says(b""), "socks5"),
    "SOCKS: hangs up later": (tunnel(b"\x05\x00", then=says(b"")), "socks5"),
    "SOCKS: no TLS behind it": (socks(then=says(b"no TLS\r\n\r\n")), "socks5"),
    "HTTP: wants a password": (says(b"HTTP/1.1 407 Who are you\r\ncontent-length: 0\r\n\r\n"), "http"),
    "HTTP: no route": (says(b"HTTP/1.1 502 No Route\r\ncontent-length: 0\r\n\r\n"), "http"),
    "HTTP: hangs up": (says(b""), "http"),
    "HTTP: nonsense": (says(b"\x00\x01\x02\x03\r\n\r\n"), "http"),
    "HTTP: no TLS behind it": (tunnel(then=says(b"no TLS\r\n\r\n")), "http"),
    "HTTP: hangs up in the handshake": (tunnel(then=says(b"")), "http"),
    "HTTPS: no TLS": (says(b"HTTP/1.1 200 OK\r\n\r\n"), "https"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_whatever_breaks_on_the_way_to_the_host_counts_as_not_sent(monkeypatch, get, name):
    """Also where httpx speaks of an answer that was lost: it is the proxy's, not the host's."""
    talk, scheme = BROKEN[name]
    with listening(talk) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"{scheme}://127.0.0.1:{port}")

        with pytest.raises(httpx.ConnectError, match=rf"through the proxy 127.0.0.1:{port} of HTTPS_PROXY"):
            get("https://host.example/")


@pytest.mark.parametrize("scheme", ["http", "https", "socks5h"])
def test_a_proxy_that_is_not_there_counts_as_not_sent(monkeypatch, get, scheme):
    monkeypatch.setenv("ALL_PROXY", f"{scheme}://127.0.0.1:{closed_port()}")

    with pytest.raises(httpx.ConnectError, match="through the proxy"):
        get("https://host.example/")


@pytest.mark.parametrize("url", [f"https://{'a' * 64}.example/", "https://.example/"])
def test_a_name_that_cannot_be_looked_up_counts_as_not_sent(get, url):
    """Python's own look-up raises what httpx does not know."""
    with pytest.raises((httpx.ConnectError, httpx.InvalidURL)):
        get(url)


def test_a_host_that_speaks_no_tls_counts_as_not_sent(get):
    with listening(says(FINE)) as port, pytest.raises(httpx.ConnectError):
        get(f"https://127.0.0.1:{port}/")


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\ncontent-le"])
def test_what_breaks_after_the_request_has_left_counts_as_lost(get, answer):
    with listening(says(answer)) as port, pytest.raises(httpx.RemoteProtocolError):
        get(f"http://127.0.0.1:{port}/")


def test_what_breaks_behind_a_tunnel_counts_as_lost(monkeypatch, get):
    """Once the request itself has left, a proxy is no excuse."""
    with listening(socks(then=says(b""))) as port:
        monkeypatch.setenv("ALL_PROXY", f"socks5://127.0.0.1:{port}")

        with pytest.raises(httpx.RemoteProtocolError):
            get(HOST)


def test_a_socks_proxy_that_says_nothing_is_not_waited_for_without_end(monkeypatch, get):
    with listening(silent) as port:
        monkeypatch.setenv("ALL_PROXY", f"socks5://127.0.0.1:{port}")

        with pytest.raises(httpx.ConnectError, match="through the proxy"):
            get(HOST, handshake=0.02)


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSLKEYLOGFILE"])
def test_a_file_that_the_environment_names_and_that_is_not_there_is_a_mistake_of_the_environment(
    monkeypatch, get, variable
):
    monkeypatch.setenv(variable, "/nonexistent/a.pem")

    with pytest.raises(ConfigError, match=rf"{variable}.* /nonexistent/a.pem"):
        get("https://127.0.0.1:9/")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (httpx.ConnectError("[Errno 111] Connection refused"), "Connection refused"),
        (httpx.ConnectError("[Errno -2] Name or service not known"), "Name or service not known"),
        (httpx.ReadTimeout("timed out"), "it took too long"),
        (httpx.ReadError(""), "ReadError"),
    ],
)
def test_an_error_is_described_in_words_without_its_number(error, said):
    assert describe_error(error) == said
