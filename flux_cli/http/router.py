"""The two worlds as one wire: where each provider is reached, with which key, and the sandbox in their place."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from flux_cli.clock import Clock
from flux_cli.errors import AuthError, FluxError

if TYPE_CHECKING:
    from pydantic import SecretStr

    from flux_cli.config.settings import Settings
    from flux_cli.http.client import Connect, HttpTransport
    from flux_cli.http.endpoint import Endpoint
    from flux_cli.providers.base import Provider
    from flux_cli.providers.conversation import Request, Response
    from flux_cli.sandbox.transport import SandboxTransport


class Router:
    """The two worlds as one wire: the providers' own hosts, and the sandbox."""

    def __init__(
        self,
        *,
        settings: Callable[[], Settings],
        clock: Clock,
        connect: Connect | None,
        say: Callable[[str], None] | None,
    ) -> None:
        """Take keys from ``settings`` when they are first needed; ``say`` hears the HTTP conversation."""
        self._settings = settings
        self._clock = clock
        self._connect = connect
        self._say = say
        self._channels: dict[tuple[str, bool], Endpoint] = {}
        self._transports: dict[bool, HttpTransport] = {}
        self._lock = threading.RLock()

    def send(
        self, provider: Provider, request: Request, *, sandbox: bool, tries: int, deadline: float = math.inf
    ) -> Response:
        """Return the answer to ``request``. Raises `FluxError`, whose message never quotes the key."""
        channel = self.endpoint(provider, sandbox=sandbox)
        try:
            return self._transport(sandbox=sandbox).send(channel, request, tries=tries, deadline=deadline)
        except FluxError as error:
            if not sandbox:  # some hosts repeat the key that they refuse
                error.message = error.message.replace(channel.key, "***")
            raise

    def download(self, url: str, *, sandbox: bool, deadline: float) -> Iterator[bytes]:
        """Yield the bytes behind a result's link until the clock's ``deadline``. Raises `FluxError`."""
        return self._transport(sandbox=sandbox).download(url, deadline=deadline)

    def endpoint(self, provider: Provider, *, sandbox: bool) -> Endpoint:
        """Return where a provider is reached, and the key. Raises `AuthError` where there is none."""
        from flux_cli.http.endpoint import Endpoint

        with self._lock:
            if (provider.name, sandbox) not in self._channels:
                base_url, key = provider.base_url, "sandbox"
                if not sandbox:
                    settings = self._settings()
                    base_url = settings.base_url(provider.name) or provider.base_url
                    found = settings.key(provider)
                    if found is None:
                        raise missing_key(provider)
                    key = found.value.get_secret_value()
                self._channels[provider.name, sandbox] = Endpoint(provider=provider, base_url=base_url, key=key)
            return self._channels[provider.name, sandbox]

    def use(self, provider: Provider, key: SecretStr) -> None:
        """Speak to a provider's own host with ``key`` from now on, whatever is configured."""
        from flux_cli.http.endpoint import Endpoint

        with self._lock:
            base_url = self._settings().base_url(provider.name) or provider.base_url
            self._channels[provider.name, False] = Endpoint(
                provider=provider, base_url=base_url, key=key.get_secret_value()
            )

    def _transport(self, *, sandbox: bool) -> HttpTransport:
        from flux_cli.http.client import HttpTransport

        with self._lock:
            if sandbox not in self._transports:
                connect = self._sandbox if sandbox else self._connect
                self._transports[sandbox] = HttpTransport(clock=self._clock, connect=connect, say=self._say)
            return self._transports[sandbox]

    def _sandbox(self) -> SandboxTransport:
        from flux_cli.config.paths import state_path
        from flux_cli.sandbox.transport import SandboxTransport
        from flux_cli.sandbox.world import World

        seconds = self._settings().sandbox_seconds
        return SandboxTransport(World(state_path(sandbox=True) / "sandbox", self._clock.now, seconds))

    def close(self) -> None:
        """Close every connection."""
        for transport in self._transports.values():
            transport.close()


def missing_key(provider: Provider) -> AuthError:
    """Return the error of a provider whose key is not set, saying how to go on."""
    return AuthError(
        f"there is no key for {provider.name}",
        hint=f"`flux config set providers.{provider.name}.api_key` asks for it (or set {provider.key_variables[0]}); "
        f"create keys in {provider.key_page}; `--sandbox` needs none",
    )
