"""What the environment says about the network: which proxy, which hosts bypass it, and whom to trust."""

from __future__ import annotations

import pytest

from flux_cli.errors import ConfigError
from flux_cli.http.network import find_certificates, load_certificates, proxy_for

HOST = "https://api.runware.ai/v1"
PROXY = "http://proxy.example:3128"
AUTHORITY = """-----BEGIN CERTIFICATE-----
MIIByjCCAXCgAwIBAgIUUAetPuwgTABzrRXpQyuQq1GI5JYwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJZmx1eC10ZXN0MCAXDTI2MTEyNjExMzQyMVoYDzIxMjYxMTAy
MTEzNDIxWjAUMRIwEAYDVQQDDAlmbHV4LXRlc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAARr2/l6Xv66PLJdxqAt75Fn9MiV+ZgN0DHYiotiZUvXLT/xzOeLr8nq
+MK4Kfg1aHuwSLPzBxqw83vSvsIE6ozRo4GdMIGaMB0GA1UdDgQWBBR0bOQMXs4h
bQ9zr5cOOtx8nhvRwzAfBgNVHSMEGDAWgBR0bOQMXs4hbQ9zr5cOOtx8nhvRwzA3
BgNVHREEMDAughZtb2RlbC1hcGkucnVuY29tZnkubmV0gg5hcGkucnVud2FyZS5h
aYcEfwAAATAOBgNVHQ8BAf8EBAMCAoQwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjO
PQQDAgNIADBFAiBTuIKsAAvyW9SPPKp/f3XjiCB9VkFPw3ub+MrkW+p78AIhAKid
ObMArCb01L47WBMBzYE7gnJXf/XtXSyl0mvXno81
-----END CERTIFICATE-----
"""
"""A certificate authority of nobody's, named flux-test."""


@pytest.mark.parametrize(
    ("variables", "url", "found"),
    [
        ({}, HOST, None),
        ({"HTTPS_PROXY": PROXY}, HOST, (PROXY, "HTTPS_PROXY")),
        ({"https_proxy": PROXY, "HTTPS_PROXY": "http://other:1"}, HOST, (PROXY, "https_proxy")),
        ({"HTTP_PROXY": PROXY}, HOST, None),
        ({"ALL_PROXY": PROXY}, HOST, (PROXY, "ALL_PROXY")),
        ({"ALL_PROXY": "http://other:1", "HTTPS_PROXY": PROXY}, HOST, (PROXY, "HTTPS_PROXY")),
        ({"HTTPS_PROXY": "proxy.example:3128"}, HOST, (PROXY, "HTTPS_PROXY")),
        ({"HTTPS_PROXY": "http://me:p%40ss@[::1]:3128/"}, HOST, ("http://me:p%40ss@[::1]:3128/", "HTTPS_PROXY")),
        ({"ALL_PROXY": "socks5h://127.0.0.1:9"}, HOST, ("socks5h://127.0.0.1:9", "ALL_PROXY")),
        ({"all_proxy": "socks://127.0.0.1:1080/"}, HOST, ("socks5://127.0.0.1:1080/", "all_proxy")),
        ({"ALL_PROXY": "SOCKS5://127.0.0.1:9"}, HOST, ("socks5://127.0.0.1:9", "ALL_PROXY")),
        ({"HTTP_PROXY": PROXY, "ALL_PROXY": PROXY}, "http://127.0.0.1:8000/v1", None),
        ({"HTTP_PROXY": PROXY, "ALL_PROXY": PROXY}, "http://localhost:8000/v1", None),
        ({"HTTPS_PROXY": PROXY}, "https://[::1]:8000/v1", None),
    ],
)
def test_each_request_has_the_proxy_that_curl_would_take(monkeypatch, variables, url, found):
    """And what stays on this machine has none: over plain HTTP the proxy would see the key."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    proxy = proxy_for(url)

    assert (proxy and (proxy.url, proxy.source)) == found


V6, V4, NAME = "https://[2001:db8::7]/v1", "https://10.1.2.3/v1", HOST
MATCHING = [
    ("*", NAME),
    ("localhost, *", V6),
    ("runware.ai", NAME),
    (".runware.ai", NAME),
    ("*.runware.ai", NAME),
    ("API.Runware.AI", NAME),
    ("api.runware.ai:443", NAME),
    ("https://api.runware.ai", NAME),
    ("all://runware.ai/", NAME),
    ("localhost 127.0.0.1 runware.ai", NAME),
    ("api.runware.ai", "https://api.runware.ai./v1"),
    ("10.1.2.3", V4),
    ("10.0.0.0/8", V4),
    ("10.1.2.3:443", V4),
    ("10.1.2.3/8", V4),
    ("10.0.0.0/8", "https://[::ffff:10.1.2.3]/"),
    ("2001:db8::7", V6),
    ("[2001:db8::7]", V6),
    ("[2001:db8::7]:443", V6),
    ("2001:db8::/32", V6),
    ("[2001:db8::]/32", V6),
    ("[2001:db8::/32]", V6),
    ("2001:0db8:0:0:0:0:0:7", V6),
    ("fe80::/10", "https://[fe80::1%25eth0]/"),
    ("fe80::/10,[::1],,junk::::,[,]:,http://[::1,runware.ai", NAME),
]
STRANGE = [
    "fe80::/10", "[::1]", "::1", "localhost,127.0.0.1,::1,[::1]", "[", "]:", "http://[::1", ":::", "10.0.0.0/99", "/8",
    "[::1]:443", "://", "a:b:c", "%", ".", "*.", ":443", "a:99999999999", "\u0130.example", "ware.ai", "unware.ai",
    "api.runware.ai:8443", "http://api.runware.ai", "10.0.0.0/8", "www.api.runware.ai", "", ",",
]  # fmt: skip


@pytest.mark.parametrize(("entries", "url"), MATCHING)
def test_hosts_bypass_the_proxy_by_name_address_and_network(monkeypatch, entries, url):
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", entries)

    assert proxy_for(url) is None


@pytest.mark.parametrize("entries", STRANGE)
def test_an_entry_that_names_another_host_or_nothing_changes_nothing(monkeypatch, entries):
    """OrbStack puts networks and addresses in brackets into every container: they are no error."""
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", entries)

    assert proxy_for(HOST).url == PROXY


@pytest.mark.parametrize(
    "told",
    [
        "http://", "http://[::1", "http://proxy.example:port", "http://proxy.example:99999", "http://:3128",
        "http://two words:1", "ftp://proxy.example", "socks4://127.0.0.1:9", "://x", "http://proxy.example:0",
    ],
)  # fmt: skip
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "all_proxy"])
def test_a_proxy_that_cannot_be_used_is_an_error_that_names_the_variable(monkeypatch, variable, told):
    """It may hold a password: the value is not quoted."""
    monkeypatch.setenv(variable, told)

    with pytest.raises(ConfigError, match=variable) as caught:
        proxy_for(HOST)

    assert caught.value.charged == "no"
    assert variable in caught.value.hint


def test_the_address_of_a_proxy_is_shown_without_its_password(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://me:hidden@proxy.example:3128")

    assert proxy_for(HOST).address == "proxy.example:3128"


@pytest.fixture
def pem(tmp_path):
    """Return a file that holds a certificate authority."""
    path = tmp_path / "company.pem"
    path.write_text(AUTHORITY)
    return str(path)


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_a_company_s_own_authority_is_trusted(monkeypatch, pem, variable):
    monkeypatch.setenv(variable, pem)

    found = find_certificates()

    (only,) = load_certificates(found).get_ca_certs()
    assert found.source == variable
    assert only["subject"] == ((("commonName", "flux-test"),),)


def test_the_bundle_of_requests_counts_where_nothing_else_is_named(monkeypatch, pem, tmp_path):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent.pem")
    monkeypatch.setenv("SSL_CERT_FILE", pem)
    first = find_certificates()
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path))
    folder = find_certificates()

    assert (first.file, first.source) == (pem, "SSL_CERT_FILE")
    assert (folder.file, folder.folder) == (None, str(tmp_path))


def test_a_folder_of_authorities_is_taken_and_may_be_one_of_several(monkeypatch, tmp_path):
    monkeypatch.setenv("SSL_CERT_DIR", f"/nonexistent:{tmp_path}")

    found = find_certificates()

    assert found.folder == f"/nonexistent:{tmp_path}"
    assert load_certificates(found).get_ca_certs() == []  # a folder is read when a host is met


def test_without_a_variable_there_is_nothing_to_take(monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", "")

    assert find_certificates().source == ""


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR"])
@pytest.mark.parametrize("path", ["/nonexistent.pem", "empty.pem", "text.pem"])
def test_authorities_that_cannot_be_read_are_an_error_that_names_variable_and_path(
    monkeypatch, tmp_path, variable, path
):
    (tmp_path / "work" / "empty.pem").touch()
    (tmp_path / "work" / "text.pem").write_text("no certificate")
    monkeypatch.setenv(variable, path)

    with pytest.raises(ConfigError, match=variable) as caught:
        load_certificates(find_certificates())

    assert path in caught.value.message
    assert (caught.value.exit_code, caught.value.charged) == (2, "no")


def test_a_folder_in_the_place_of_a_file_cannot_be_read(monkeypatch, tmp_path):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path))

    with pytest.raises(ConfigError, match=r"SSL_CERT_FILE names, .*: Is a directory"):
        find_certificates()
