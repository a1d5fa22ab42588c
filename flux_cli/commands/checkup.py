"""``flux providers --check``: does each key work, what is left, do our tables still hold, is this machine in order."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flux_cli.commands import options
from flux_cli.crew import Crew
from flux_cli.errors import AuthError, FluxError
from flux_cli.jobs import Cost
from flux_cli.providers.base import Account, Provider
from flux_cli.rendering import error_object
from flux_cli.routes import no_key
from flux_cli.runtime import Runtime

if TYPE_CHECKING:
    from flux_cli.commands.machine import Finding

AT_ONCE = 4
"""Providers that are asked side by side."""
_HEAD = ("CHECK", "STATE", "BALANCE", "DETAIL")


def check_up(runtime: Runtime, chosen: list[Provider], *, named: bool) -> int:
    """Ask each provider whether the key works, and, unless one was ``named``, look at this machine too.

    Providers without a key are passed over, unless asked for by name. Returns the exit code, which tells of the keys
    alone. Raises `AuthError` where there is no key at all.
    """
    engine = runtime.engine

    def ask(provider: Provider) -> Account:
        if key_source(runtime, provider) is None:
            raise no_key(provider)
        return engine.check(provider, sandbox=runtime.sandbox)

    answers = Crew[Account](runtime.clock, at_once=AT_ONCE).run([partial(ask, one) for one in chosen])
    rows: list[tuple[str, ...]] = []
    data: list[dict[str, Any]] = []
    outcomes: list[FluxError | None] = []
    for provider, answer in zip(chosen, answers, strict=True):
        missing = key_source(runtime, provider) is None
        rows += _rows(provider, answer, missing=missing)
        data.append(_object(provider, answer))
        if named or not missing:
            outcomes.append(answer if isinstance(answer, FluxError) else None)
    found = [] if named else _findings(runtime, chosen)
    runtime.output.table(_HEAD, [*rows, *(one.row for one in found)], [*data, *(one.data for one in found)])
    if not outcomes:
        raise AuthError(
            "no provider has a key yet", hint="`flux config init` sets one up; `flux generate --sandbox` needs none"
        )
    return options.verdict(outcomes)


def key_source(runtime: Runtime, provider: Provider) -> str | None:
    """Return where a provider's key comes from, or ``None``."""
    return "sandbox" if runtime.sandbox else runtime.settings.key_source(provider)


def money(cost: Cost | None) -> str:
    """Return what is left on an account, for people."""
    if cost is None:
        return "not told"
    return f"${cost.amount:.2f}" if cost.currency == "USD" else f"{cost.amount:g} {cost.currency}"


def _rows(provider: Provider, answer: Account | FluxError, *, missing: bool) -> list[tuple[str, ...]]:
    """Return what people are told of one provider, a row a finding, each with what to do about it."""
    if missing:
        how = f"`flux config set providers.{provider.name}.api_key` asks for it, or set {provider.key_variables[0]}"
        return [(provider.name, "missing", "-", f"{how}; keys are made in {provider.key_page}")]
    if isinstance(answer, FluxError):
        return [(provider.name, "failed", "-", "; ".join(part for part in (answer.message, answer.hint) if part))]
    advice = "a newer flux may know it; until then `--param` reaches every field"
    drift = [(provider.name, "drift", "-", f"{difference}; {advice}") for difference in answer.drift]
    return [(provider.name, "works", money(answer.balance), answer.name), *drift]


def _object(provider: Provider, answer: Account | FluxError) -> dict[str, Any]:
    """Return what scripts are told of one provider."""
    account = None if isinstance(answer, FluxError) else answer
    left = account.balance if account else None
    return {
        "check": "key",
        "provider": provider.name,
        "works": account is not None,
        "balance": None if left is None else {"amount": left.amount, "currency": left.currency},
        "drift": list(account.drift) if account else [],
        "error": error_object(answer) if isinstance(answer, FluxError) else None,
    }


def _findings(runtime: Runtime, chosen: list[Provider]) -> list[Finding]:
    """Return how this machine stands."""
    from flux_cli.commands import machine  # noqa: PLC0415 - not for --help

    settings = runtime.settings
    hosts = {one.name: urlsplit(settings.base_url(one.name) or one.base_url).netloc for one in chosen}
    return [
        machine.config_file(settings),
        machine.on_path(runtime.environ.get("PATH", os.defpath), Path(sys.argv[0])),
        machine.proxy(hosts),
        machine.certificates(),
    ]
