"""Route each request to its provider's host, with its key, or to the sandbox."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from flux_cli import providers
from flux_cli.clock import Clock
from flux_cli.errors import AuthError, FluxError, UsageError

if TYPE_CHECKING:
    from pydantic import SecretStr

    from flux_cli.config.settings import Settings
    from flux_cli.http.client import Connect, HttpTransport
    from flux_cli.http.endpoint import Endpoint
    from flux_cli.http.retry import RetryPolicy
    from flux_cli.providers.base import Provider
    from flux_cli.providers.conversation import Request, Response
    from flux_cli.sandbox.transport import SandboxTransport


class Router:
    """Sends requests to the providers' own hosts and to the sandbox. One instance may serve many threads."""

    def __init__(
        self,
        *,
        settings: Callable[[], Settings],
        clock: Clock,
        connect: Connect | None,
        say: Callable[[str], None] | None,
    ) -> None:
        """Read keys from ``settings`` when they are first needed; ``say`` receives each request and answer as text."""
        self._settings = settings
        self._clock = clock
        self._connect = connect
        self._say = say
        self._endpoints: dict[tuple[str, bool], Endpoint] = {}
        self._transports: dict[bool, HttpTransport] = {}
        self._lock = threading.RLock()

    def policy(self, name: str) -> RetryPolicy:
        """Return the retry policy of a name."""
        from flux_cli.http.retry import POLICIES

        return POLICIES[name]

    def send(
        self, provider: Provider, request: Request, *, sandbox: bool, policy: str, deadline: float = math.inf
    ) -> Response:
        """Return the answer to ``request``. Raises `FluxError`, whose message never quotes the key."""
        endpoint = self.endpoint(provider, sandbox=sandbox, keyless=request.keyless)
        try:
            return self._transport(sandbox=sandbox).send(
                endpoint, request, policy=self.policy(policy), deadline=deadline
            )
        except FluxError as error:
            if endpoint.key and not sandbox:  # some hosts repeat the key that they refuse
                error.message = error.message.replace(endpoint.key, "***")
            raise

    def download(self, url: str, *, sandbox: bool, deadline: float) -> Iterator[bytes]:
        """Yield the bytes behind a result's link until the clock's ``deadline``. Raises `FluxError`."""
        return self._transport(sandbox=sandbox).download(url, deadline=deadline)

    def endpoint(self, provider: Provider, *, sandbox: bool, keyless: bool = False) -> Endpoint:
        """Return where a provider is reached, and the key unless ``keyless``. Raises `AuthError` without one."""
        from flux_cli.http.endpoint import Endpoint

        if keyless and not sandbox:
            base_url = self._settings().base_url(provider.name) or provider.base_url
            return Endpoint(provider=provider, base_url=base_url, key="")
        with self._lock:
            if (provider.name, sandbox) not in self._endpoints:
                base_url, key = provider.base_url, "sandbox"
                if sandbox and provider.name not in providers.NAMES:
                    raise UsageError(
                        f"{provider.name} is a plug-in, and the sandbox has no stand-in for it",
                        hint="`--dry-run` shows what would be sent",
                    )
                if not sandbox:
                    settings = self._settings()
                    base_url = settings.base_url(provider.name) or provider.base_url
                    found = settings.key(provider)
                    if found is None:
                        raise missing_key(provider)
                    key = found.value.get_secret_value()
                self._endpoints[provider.name, sandbox] = Endpoint(provider=provider, base_url=base_url, key=key)
            return self._endpoints[provider.name, sandbox]

    def use(self, provider: Provider, key: SecretStr) -> None:
        """Use ``key`` for a provider's own host from now on, whatever is configured."""
        from flux_cli.http.endpoint import Endpoint

        with self._lock:
            base_url = self._settings().base_url(provider.name) or provider.base_url
            self._endpoints[provider.name, False] = Endpoint(
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
        folder = state_path(sandbox=True) / "sandbox"
        return SandboxTransport(World(folder, self._clock.now, seconds, providers=providers.NAMES))

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
