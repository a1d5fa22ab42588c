"""Check what flux needs of this machine: config file, PATH, proxy and certificates. Nothing is changed."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flux_cli.errors import ConfigError
from flux_cli.http.network import find_certificates, load_certificates, proxy_for
from flux_cli.text import listed, printable

if TYPE_CHECKING:
    from flux_cli.config.settings import Settings

_BEGINNING = 4096
"""Bytes of a program that are searched for its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The result of one check, and what to do about it."""

    check: str
    state: str
    detail: str
    hint: str = ""
    """Empty where there is nothing to do."""
    works: bool = True
    """False for what should be fixed."""

    @property
    def row(self) -> tuple[str, ...]:
        """Return it as a row of the table of checks."""
        return self.check, self.state, "-", "; ".join(part for part in (self.detail, self.hint) if part)

    @property
    def data(self) -> dict[str, Any]:
        """Return it as ``--json`` has it, with the keys of a provider's object."""
        state = {"state": self.state, "detail": self.detail, "hint": self.hint}
        return {"check": self.check, "provider": None, "works": self.works, "balance": None, "error": None, **state}


def check_config_file(settings: Settings) -> CheckResult:
    """Say where the config file is, and whether others can read a key in it."""
    name = printable(str(settings.file))
    if not settings.exists:
        return CheckResult(check="config", state="none", detail=name, hint="`flux config init` creates it")
    if settings.warnings:
        hint = f"`chmod 600 {shlex.quote(name)}`"
        return CheckResult(
            check="config", state="open", detail=f"others can read the keys in {name}", hint=hint, works=False
        )
    mode = f", mode {settings.file.stat().st_mode & 0o777:o}" if os.name == "posix" else ""
    return CheckResult(check="config", state="fine", detail=f"{name}{mode}")


def check_path(search: str, here: Path) -> CheckResult:
    """Say which ``flux`` the PATH (``search``) comes to first, and whether it is the program at ``here``."""
    folder = printable(str(here.absolute().parent))
    found = shutil.which("flux", path=search)
    if found is None:
        hint = f"add {folder} to the PATH; `pipx ensurepath` or `uv tool update-shell` can do it"
        return CheckResult(check="PATH", state="missing", detail="no `flux` is on the PATH", hint=hint, works=False)
    name = printable(found)
    if os.path.realpath(Path(found).parent) == os.path.realpath(here.absolute().parent) or _same(Path(found), here):
        return CheckResult(check="PATH", state="fine", detail=name)
    if _is_ours(Path(found)):
        detail = f"{name} comes first: a different copy of flux than {printable(str(here))}"
        hint = f"remove one of the two, or put {folder} first on the PATH"
        return CheckResult(check="PATH", state="two", detail=detail, hint=hint, works=False)
    hint = f"type `flux-cli`, or put {folder} first on the PATH"
    return CheckResult(
        check="PATH", state="other", detail=f"{name} comes first: another program", hint=hint, works=False
    )


def _same(found: Path, here: Path) -> bool:
    """Whether two paths lead to the same file, as with pipx and uv."""
    return os.path.realpath(found) == os.path.realpath(here)


def _is_ours(found: Path) -> bool:
    """Whether a program starts flux_cli."""
    try:
        with found.open("rb") as stream:
            return b"flux_cli" in stream.read(_BEGINNING)
    except OSError:
        return False


def check_proxy(hosts: Mapping[str, str]) -> CheckResult:
    """Say whether requests to ``hosts`` (by provider) go through a proxy: its address, without a password in it."""
    try:
        routes = {name: proxy_for(f"https://{host}") for name, host in hosts.items()}
    except ConfigError as error:
        return CheckResult(check="proxy", state="wrong", detail=error.message, hint=error.hint, works=False)
    used = next((found for found in routes.values() if found is not None), None)
    if used is None:
        return CheckResult(check="proxy", state="none", detail="requests go to the providers directly")
    direct = [name for name, found in routes.items() if found is None]
    detail = f"{used.address}, from {used.source}{f', not for {listed(direct)}' if direct else ''}"
    hint = f"to go directly, unset {used.source}" if used.source.isidentifier() else "to go directly, change them"
    return CheckResult(check="proxy", state="in use", detail=detail, hint=f"{hint}, or name hosts in NO_PROXY")


def certificates() -> CheckResult:
    """Say which certificate authorities are trusted, and whether they can be read."""
    try:
        found = find_certificates()
        if found.source:
            load_certificates(found)
    except ConfigError as error:
        return CheckResult(check="certificates", state="wrong", detail=error.message, hint=error.hint, works=False)
    if not found.source:
        return CheckResult(
            check="certificates", state="fine", detail="the built-in certificate authorities are trusted"
        )
    names = " and ".join(printable(one) for one in (found.folder, found.file) if one)
    return CheckResult(check="certificates", state="in use", detail=f"{names}, from {found.source}")
