"""Where a key may be sent: below the base URL, and to the addresses in answers that the provider documents."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flux_cli import providers
from flux_cli.errors import UsageError
from flux_cli.http.endpoint import Endpoint
from flux_cli.providers.conversation import Request

TRUSTED = r"https://([a-z0-9-]+\.)*host\.example/v1/get_result\?id=[\w-]+"
PROVIDER = replace(providers.load("runware"), base_url="https://api.host.example", trusted_urls=TRUSTED)


def address(url: str, base_url: str = "https://api.host.example", provider=PROVIDER) -> str:
    """Return the address that a request with a ``url`` from an answer is sent to."""
    endpoint = Endpoint(provider=provider, base_url=base_url, key="k")
    return endpoint.url(Request("GET", "/v1/get_result", query={"id": "a"}, url=url))


@pytest.mark.parametrize(
    "url",
    [
        "https://api.host.example/v1/get_result?id=a",
        "https://api.eu2.host.example/v1/get_result?id=a-b_c",
        "https://api.host.example/anything/below",
    ],
)
def test_an_address_of_the_provider_is_followed(url):
    assert address(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://api.eu2.host.example/v1/get_result?id=a",
        "https://host.example.evil.test/v1/get_result?id=a",
        "https://evilhost.example/v1/get_result?id=a",
        "https://evil.test/v1/get_result?id=a",
        "https://evil.test/https://api.host.example/v1/get_result?id=a",
        "https://user@api.eu.host.example/v1/get_result?id=a",
        "https://api.host.example@evil.test/v1/get_result?id=a",
        "https://api.host.example.evil.test/",
        "https://api.host.example:444/x",
        "https://api.eu.host.example/v1/other?id=a",
        "https://api.eu.host.example/v1/get_result?id=a&next=https://evil.test",
        "https://api.eu.host.example/v1/get_result?id=a#x",
        "https:\\\\evil.test",
        "https://api.eu.host.example/v1/get_result?id=a\n",
        "ftp://api.host.example/",
        "",
    ],
)
def test_any_other_address_is_replaced_by_the_path(url):
    assert address(url) == "https://api.host.example/v1/get_result"


def test_below_a_configured_base_url_the_address_is_followed():
    base = "http://127.0.0.1:8000"

    assert address(f"{base}/v1/get_result?id=a", base) == f"{base}/v1/get_result?id=a"
    assert address("http://127.0.0.1:8001/v1/get_result?id=a", base) == f"{base}/v1/get_result"
    assert address("http://127.0.0.1:80001/v1/get_result?id=a", base) == f"{base}/v1/get_result"


def test_without_a_pattern_only_the_base_url_counts():
    plain = replace(PROVIDER, trusted_urls="")

    assert address("https://api.eu2.host.example/v1/get_result?id=a", provider=plain).startswith("https://api.host.")


PUBLIC = replace(PROVIDER, origins=("https://own.example",), public_origins=("https://public.example",))


@pytest.mark.parametrize("key", ["k", ""])
@pytest.mark.parametrize("origin", ["https://public.example", None])
def test_a_keyless_request_carries_no_key(origin, key):
    endpoint = Endpoint(provider=PUBLIC, base_url=PUBLIC.base_url, key=key)
    request = Request("GET", "/schema", origin=origin, keyless=True)

    assert endpoint.headers(request) == {}
    assert endpoint.url(request) == f"{origin or PUBLIC.base_url}/schema"


@pytest.mark.parametrize(
    ("origin", "keyless"),
    [("https://public.example", False), ("https://own.example", True), ("https://evil.example", True)],
)
def test_a_public_host_is_not_one_for_the_key(origin, keyless):
    endpoint = Endpoint(provider=PUBLIC, base_url=PUBLIC.base_url, key="k")

    with pytest.raises(UsageError, match="is not asked"):
        endpoint.url(Request("GET", "/schema", origin=origin, keyless=keyless))
