"""Check keys, balances, prices and this machine for ``flux providers --check``."""

from __future__ import annotations

import math
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flux_cli.display.rendering import error_object
from flux_cli.errors import AuthError, FluxError
from flux_cli.http.router import missing_key
from flux_cli.jobs import Cost
from flux_cli.money.limits import format_usd
from flux_cli.providers import canonical_name
from flux_cli.providers.base import CREDITS, USD, Account, Provider
from flux_cli.providers.fit import find_model
from flux_cli.runs.outcome import exit_code_for
from flux_cli.runs.workers import WorkerPool
from flux_cli.runtime import Runtime

if TYPE_CHECKING:
    from flux_cli.commands.providers.environment import CheckResult

AT_ONCE = 4
"""Providers that are checked at the same time."""
_HEAD = ("CHECK", "STATE", "BALANCE", "DETAIL")


def check_providers(runtime: Runtime, chosen: list[Provider], *, named: bool, model: str | None = None) -> int:
    """Check the key of each provider and, unless one was ``named``, this machine too.

    What the providers publish is compared with the tables of flux: for every model, or for ``model`` alone.

    Providers without a key are skipped, unless ``named``. Return the exit code, which depends on the keys alone. Raises
    `AuthError` if there is no key at all.
    """
    engine = runtime.engine

    def ask(provider: Provider) -> Account:
        if key_source(runtime, provider) is None:
            raise missing_key(provider)
        account = engine.check(provider, sandbox=runtime.sandbox)
        return _compare(runtime, provider, account, model)

    answers = WorkerPool[Account](runtime.clock, at_once=AT_ONCE).run([partial(ask, one) for one in chosen])
    rows: list[tuple[str, ...]] = []
    data: list[dict[str, Any]] = []
    outcomes: list[FluxError | None] = []
    for provider, answer in zip(chosen, answers, strict=True):
        missing = key_source(runtime, provider) is None
        prices = [] if isinstance(answer, FluxError) else _prices(runtime, provider, answer)
        rows += _rows(provider, answer, prices, missing=missing)
        data.append(_object(provider, answer, prices))
        if named or not missing:
            outcomes.append(answer if isinstance(answer, FluxError) else None)
    found = [] if named else _findings(runtime, chosen)
    runtime.output.table(_HEAD, [*rows, *(one.row for one in found)], [*data, *(one.data for one in found)])
    if not outcomes:
        raise AuthError(
            "no provider has a key yet", hint="`flux config init` sets one up; `flux generate --sandbox` needs none"
        )
    return exit_code_for(outcomes)


def _compare(runtime: Runtime, provider: Provider, account: Account, word: str | None) -> Account:
    """Return the account with the differences of the published schemas: of every model, or of one."""
    wanted = [find_model(provider, word, runtime.settings.models)] if word else list(provider.models.values())
    found = list(account.differences)
    if word:
        base = runtime.settings.models[word].base if word in runtime.settings.models else word
        name = canonical_name(base) or base
        found = [one for one in found if one.startswith((f"{name} ", f"{name}: "))]
    documented = runtime.sandbox or runtime.settings.base_url(provider.name) in (None, provider.base_url)
    for one in wanted if documented or not provider.public_origins else []:
        try:
            found += runtime.engine.compare(provider, one, sandbox=runtime.sandbox)
        except FluxError as error:
            found.append(f"the schema of {one.name} could not be compared: {error.message}")
    return account._replace(differences=tuple(found))


def key_source(runtime: Runtime, provider: Provider) -> str | None:
    """Return where a provider's key comes from, or ``None``."""
    return "sandbox" if runtime.sandbox else runtime.settings.key_source(provider)


def money(cost: Cost | None) -> str:
    """Return what is left on an account, for people."""
    if cost is None:
        return "unknown"
    return f"${cost.amount:.2f}" if cost.currency == USD else f"{cost.amount:g} {cost.currency}"


def _prices(runtime: Runtime, provider: Provider, account: Account) -> list[str]:
    """Store the prices that a provider reports. Return how they differ from the earlier ones."""
    reported = {model: amount for model, amount in account.prices.items() if model in provider.models and amount > 0}
    found: list[str] = []
    for model, amount in reported.items():
        known = runtime.prices.stated(provider.name, model)
        if known is None or math.isclose(known.amount, amount, abs_tol=1e-6):
            continue
        source = ", ".join(part for part in (known.source, known.date) if part)
        own = runtime.settings.price(provider.name, model) is not None
        how = f"`flux config set providers.{provider.name}.price.{model} {amount:g}` adopts the new price"
        then = how if own else "estimates use the new price from now on"
        found.append(f"{model} costs {format_usd(amount)} an image, not {format_usd(known.amount)} ({source}); {then}")
    for model, amount in account.credit_prices.items():
        before = runtime.prices.reported.find(provider.name, model)
        if before is not None and before.currency == CREDITS and not math.isclose(before.amount, amount):
            source = f"{before.source}, {before.date}"
            found.append(f"{model} costs {amount:g} credits an image, not {before.amount:g} ({source})")
    for currency, prices in ((USD, reported), (CREDITS, account.credit_prices)):
        if prices:
            try:
                runtime.prices.reported.save(provider.name, prices, now=runtime.clock.now(), currency=currency)
            except OSError as error:
                runtime.output.warning(f"cannot store the prices of {provider.name}: {error.strerror}")
    return found


def _rows(
    provider: Provider, answer: Account | FluxError, prices: list[str], *, missing: bool
) -> list[tuple[str, ...]]:
    """Return the table rows of one provider, one for each finding, with what to do about it."""
    if missing:
        how = f"`flux config set providers.{provider.name}.api_key` asks for it, or set {provider.key_variables[0]}"
        return [(provider.name, "missing", "-", f"{how}; create keys in {provider.key_page}")]
    if isinstance(answer, FluxError):
        return [(provider.name, "failed", "-", "; ".join(part for part in (answer.message, answer.hint) if part))]
    advice = "a newer flux may support it; until then, `--param` can set every field"
    drift = [(provider.name, "drift", "-", f"{difference}; {advice}") for difference in answer.differences]
    dearer = [(provider.name, "price", "-", difference) for difference in prices]
    credit_prices = ", ".join(f"{model} {amount:g} credits an image" for model, amount in answer.credit_prices.items())
    detail = "; ".join(part for part in (answer.name, credit_prices) if part)
    return [(provider.name, "works", money(answer.balance), detail), *drift, *dearer]


def _object(provider: Provider, answer: Account | FluxError, prices: list[str]) -> dict[str, Any]:
    """Return the JSON object of one provider."""
    account = None if isinstance(answer, FluxError) else answer
    left = account.balance if account else None
    return {
        "check": "key",
        "provider": provider.name,
        "works": account is not None,
        "balance": None if left is None else {"amount": left.amount, "currency": left.currency},
        "drift": [*account.differences, *prices] if account else [],
        "prices": dict(account.prices) if account else {},
        "credit_prices": dict(account.credit_prices) if account else {},
        "error": error_object(answer) if isinstance(answer, FluxError) else None,
    }


def _findings(runtime: Runtime, chosen: list[Provider]) -> list[CheckResult]:
    """Return the results of the checks of this machine."""
    from flux_cli.commands.providers import environment as machine  # noqa: PLC0415 - not for --help

    settings = runtime.settings
    hosts = {one.name: urlsplit(settings.base_url(one.name) or one.base_url).netloc for one in chosen}
    return [
        machine.check_config_file(settings),
        machine.check_path(runtime.environ.get("PATH", os.defpath), Path(sys.argv[0])),
        machine.check_proxy(hosts),
        machine.certificates(),
    ]
