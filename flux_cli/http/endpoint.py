"""Decide where a provider is reached, and which hosts may see its key.

A key goes to the origin of the provider's base URL and to the hosts that the provider documents as its own, over https
(http on this machine only).
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from flux_cli.errors import AuthError, UsageError
from flux_cli.providers.base import Provider
from flux_cli.providers.conversation import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A provider, where it is reached, and the key for it."""

    provider: Provider
    base_url: str
    key: str

    def url(self, request: Request) -> str:
        """Return the address of ``request``. Raises `UsageError` for a host that may not see the key."""
        if request.url is not None and self._trusts(request.url):
            return request.url
        if request.origin is None:
            return self.base_url + request.path
        known = self.provider.public_origins if request.keyless else self.provider.origins
        if request.origin not in known or self.base_url != self.provider.base_url:
            message = f"{request.origin} is not asked while the base URL is {self.base_url}"
            raise UsageError(message)
        return request.origin + request.path

    def _trusts(self, url: str) -> bool:
        """Whether the key may be sent to an address from an answer."""
        if not re.fullmatch(r"https?://[^\s\\@#]+", url):
            return False
        below = url.startswith(f"{self.base_url}/") and is_private(url)
        return below or bool(self.provider.trusted_urls and re.fullmatch(self.provider.trusted_urls, url))

    def headers(self, request: Request) -> dict[str, str]:
        """Return the header that carries the key; none for a keyless request. Raises `AuthError` without a key."""
        if request.keyless:
            return {}
        if not self.key:
            raise AuthError(f"there is no key for {self.provider.name}")
        name, prefix = self.provider.auth
        return {name: prefix + self.key}


def is_private(url: str) -> bool:
    """Whether a key may be sent to ``url``: over https, or over http to this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or ""))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
