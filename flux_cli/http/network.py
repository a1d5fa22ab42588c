"""Read what the environment says about the network: proxies, the hosts that bypass them, and certificate authorities.

Proxies are named as for curl: ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``ALL_PROXY``, in lower or upper case, else the
system's settings on macOS and Windows. ``NO_PROXY`` lists host names (with their subdomains), IP addresses and networks
such as ``10.0.0.0/8`` or ``fe80::/10``, each with or without a port. Other entries match nothing.

Requests to this machine never go through a proxy, which would see the key over plain HTTP.
"""

from __future__ import annotations

import ipaddress
import os
import re
import ssl
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, getproxies_environment, proxy_bypass

from flux_cli.errors import ConfigError
from flux_cli.text import printable

_SCHEMES = {"http": "http", "https": "https", "socks5": "socks5", "socks5h": "socks5h", "socks": "socks5"}
"""Supported kinds of proxies; GNOME writes ``socks`` for ``socks5``."""
_PORTS = {"http": 80, "https": 443}


class Proxy(NamedTuple):
    """A proxy, and what names it."""

    url: str
    """With user and password, where there are any."""
    source: str
    """The variable that names it, for messages."""

    @property
    def address(self) -> str:
        """Return its host and port, without a password."""
        parts = urlsplit(self.url)
        return printable(f"{parts.hostname}{f':{parts.port}' if parts.port else ''}")


def proxy_for(url: str) -> Proxy | None:
    """Return the proxy for requests to ``url``, ``None`` where they go directly.

    Raises `ConfigError` for a proxy that is not an address or of an unsupported kind.
    """
    parts = urlsplit(url)
    known = getproxies()
    name = parts.scheme if known.get(parts.scheme) else "all"
    address = known.get(name)
    if not address or _bypasses(parts, known.get("no", "")):
        return None
    source = next((one for one in (f"{name}_proxy", f"{name.upper()}_PROXY") if os.environ.get(one)), "")
    source = source or "the system's settings"
    return Proxy(url=_check_proxy_url(address, source), source=source)


def _check_proxy_url(address: str, source: str) -> str:
    """Return a proxy's address as a full URL. Raises `ConfigError`."""
    scheme, separator, rest = address.partition("://")
    if not separator:
        scheme, rest = "http", address
    example = f"{source} takes an address such as http://proxy.example:3128 or socks5h://127.0.0.1:1080"
    if scheme.lower() not in _SCHEMES:
        message = f"{source} names a kind of proxy that flux does not support: {printable(scheme, limit=20)}"
        raise ConfigError(message, hint=example, retry="later")
    found = f"{_SCHEMES[scheme.lower()]}://{rest}"
    try:
        parts = urlsplit(found)
        if parts.hostname and re.fullmatch(r"[\w.:%-]+", parts.hostname) and parts.port != 0:
            return found
    except ValueError:
        pass
    raise ConfigError(f"{source} is not the address of a proxy", hint=example, retry="later")


def _bypasses(url: SplitResult, entries: str) -> bool:
    """Whether requests to ``url`` bypass the proxy, by the ``entries`` of ``NO_PROXY``."""
    host = (url.hostname or "").rstrip(".")
    if host == "localhost" or _is_loopback(host):
        return True
    port = url.port or _PORTS.get(url.scheme)
    if any(_matches(entry, url.scheme, host, port) for entry in re.split(r"[,\s]+", entries.lower())):
        return True
    return not getproxies_environment() and bool(proxy_bypass(host))


def _matches(entry: str, scheme: str, host: str, port: int | None) -> bool:
    """Whether an entry of ``NO_PROXY`` matches a host."""
    only, _, entry = entry.rpartition("://")
    if (only or "all") not in {"all", scheme}:
        return False
    at = ""
    if entry.count(":") == 1 or "]:" in entry:  # several colons without brackets are an IPv6 address
        entry, _, at = entry.rpartition(":")
    if at and at != str(port):
        return False
    network = _parse_network(entry)
    if network is not None:
        address = _parse_address(host)
        return address is not None and address in network
    name = entry.removeprefix("*").strip("./")
    return entry == "*" or (bool(name) and (host == name or host.endswith(f".{name}")))


def _parse_network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """Return the network or single address that ``text`` is, with or without brackets, else ``None``."""
    try:
        return ipaddress.ip_network(text.replace("[", "").replace("]", ""), strict=False)
    except ValueError:
        return None


def _parse_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address that ``host`` is, the IPv4 one where it is mapped into IPv6, else ``None``."""
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def _is_loopback(host: str) -> bool:
    address = _parse_address(host)
    return address is not None and address.is_loopback


class CertificateSource(NamedTuple):
    """Certificates to trust in place of the built-in authorities."""

    file: str | None = None
    folder: str | None = None
    source: str = ""
    """The variables that name them, for messages."""


def find_certificates() -> CertificateSource:
    """Return the certificate authorities that the environment names.

    ``SSL_CERT_FILE`` is a file, ``SSL_CERT_DIR`` one folder or several. ``REQUESTS_CA_BUNDLE``, which many companies
    set, is used where ``SSL_CERT_FILE`` is not set. Raises `ConfigError` for one that is missing or unreadable.
    """
    if file := os.environ.get("SSL_CERT_FILE"):
        return CertificateSource(file=_require_readable(file, "SSL_CERT_FILE"), source="SSL_CERT_FILE")
    folder, bundle = os.environ.get("SSL_CERT_DIR"), os.environ.get("REQUESTS_CA_BUNDLE")
    source = " and ".join(name for name, value in (("SSL_CERT_DIR", folder), ("REQUESTS_CA_BUNDLE", bundle)) if value)
    if folder and not any(os.path.isdir(one) for one in folder.split(os.pathsep)):  # noqa: PTH112 - as it was typed
        raise _unreadable_error("SSL_CERT_DIR", folder, "no such folder")
    if bundle and os.path.isdir(bundle):  # noqa: PTH112 - as it was typed
        return CertificateSource(folder=os.pathsep.join(one for one in (folder, bundle) if one), source=source)
    file = _require_readable(bundle, "REQUESTS_CA_BUNDLE") if bundle else None
    return CertificateSource(file=file, folder=folder or None, source=source)


def load_certificates(found: CertificateSource) -> ssl.SSLContext:
    """Return a context that trusts the authorities ``found``. Raises `ConfigError` for a file without certificates."""
    try:
        return ssl.create_default_context(cafile=found.file, capath=found.folder)
    except ssl.SSLError:
        raise _unreadable_error(
            found.source, found.file or found.folder or "", "it contains no PEM certificates"
        ) from None


def _require_readable(file: str, variable: str) -> str:
    try:
        with open(file, "rb") as stream:  # noqa: PTH123 - as it was typed
            stream.read(1)
    except OSError as error:
        raise _unreadable_error(variable, file, error.strerror or type(error).__name__) from None
    except ValueError:
        raise _unreadable_error(variable, file, "not a file name") from None
    return file


def _unreadable_error(variable: str, path: str, why: str) -> ConfigError:
    return ConfigError(
        f"cannot read the certificates that {variable} names, {printable(path)}: {why}",
        hint=f"name a file of certificates in PEM format, or unset {variable}",
        retry="later",
    )
