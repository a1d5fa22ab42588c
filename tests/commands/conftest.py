"""Real hosts on loopback for whole commands: every provider of the sandbox behind a socket, with made-up keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hosts import KEYS
from tests.loopback import PROVIDERS, LoopbackServer


@pytest.fixture
def host(tmp_path, clock, monkeypatch) -> Iterator[LoopbackServer]:
    """Stand in for every provider on 127.0.0.1, where jobs are done at once."""
    with LoopbackServer(tmp_path / "host", now=clock.now) as server:
        for name in PROVIDERS:
            monkeypatch.setenv(f"FLUX_PROVIDERS__{name.upper()}__BASE_URL", server.base_url(name))
            monkeypatch.setenv(*KEYS[name])
        yield server


@pytest.fixture
def config(home) -> Callable[[str], Path]:
    """Return a function that writes the config file."""

    def write(text: str) -> Path:
        path = home / ".config" / "flux-cli" / "config.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        path.chmod(0o600)
        return path

    return write


@pytest.fixture
def queued(flux) -> Callable[..., dict[str, Any]]:
    """Return a function that submits a sandbox job, leaves it, and returns its object."""

    def submit(provider: str = "runware", prompt: str = "a red fox", *more: str) -> dict[str, Any]:
        done = flux("generate", prompt, "--sandbox", "-p", provider, "--no-wait", "--json", *more)
        assert done.code == 0, done
        return done.objects[-1]

    return submit
