"""Locate the config file and the ledger, and name the environment variable of a config key."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from flux_cli.errors import ConfigError
from flux_cli.saving.home import NO_HOME_HINT, expand_home, no_home, temporary_folder

STATE_VARIABLE = "LOCALAPPDATA" if os.name == "nt" else "XDG_STATE_HOME"
"""The environment variable that places the folder of the ledger."""


def variable_name(names: tuple[str, ...]) -> str:
    """Return the environment variable that sets a key of the config."""
    return "FLUX_" + "__".join(names).upper()


def config_path(option: str | None) -> Path:
    """Return where the config file is: ``--config``, else ``$FLUX_CONFIG``, else the platform's default.

    Raises `ConfigError` if that needs a home folder and there is none.
    """
    named = os.environ.get("FLUX_CONFIG") or None if option is None else option
    if named is not None:
        return Path(expand_home(named))
    from platformdirs import user_config_path  # noqa: PLC0415 - only on use

    return _require_home(lambda: user_config_path("flux-cli", appauthor=False)) / "config.toml"


def state_path(*, sandbox: bool = False) -> Path:
    """Return the folder of the ledger and of all else that flux keeps between runs.

    Without a home folder, the ``sandbox`` uses a temporary one, and also where the home folder cannot be written to, as
    in a container with a read-only root; anything else raises `ConfigError`.
    """
    from platformdirs import user_state_path  # noqa: PLC0415 - only on use

    try:
        path = _require_home(lambda: user_state_path("flux-cli", appauthor=False))
    except ConfigError:
        if not sandbox:
            raise
        return _temporary()
    if sandbox and not os.environ.get(STATE_VARIABLE) and not _can_create(path):
        return _temporary()
    return path


def _can_create(path: Path) -> bool:
    """Whether this user may write to a folder, or create it where it is missing."""
    while not os.path.exists(path) and path != path.parent:  # noqa: PTH110 - which raises nothing
        path = path.parent
    # a file in its place is an error to report, not one to go round
    return not path.is_dir() or os.access(path, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids)


def _require_home(look: Callable[[], Path]) -> Path:
    """Return a folder that platformdirs finds. Raises `ConfigError` if it needs a home folder and there is none."""
    try:
        path = look()
    except RuntimeError:  # of platformdirs; older ones hand the ~ back
        raise no_home() from None
    if path.parts[:1] == ("~",):
        raise no_home()
    return path


def _temporary() -> Path:
    """Return this user's temporary folder. Raises `ConfigError` if there is none or another user owns it."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    path = temporary_folder() / f"flux-cli-{user}"
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        owner = path.lstat()
    except OSError as error:
        raise ConfigError(f"cannot use the temporary folder {path}: {error.strerror}", hint=NO_HOME_HINT) from None
    if hasattr(os, "getuid") and (owner.st_uid != user or not stat.S_ISDIR(owner.st_mode)):
        raise ConfigError(f"the temporary folder {path} belongs to another user", hint=NO_HOME_HINT)
    return path
