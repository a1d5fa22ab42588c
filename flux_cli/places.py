"""Where the config file and the ledger are, and which variable sets a key: known without reading any of them."""

from __future__ import annotations

import os
from pathlib import Path

STATE_VARIABLE = "LOCALAPPDATA" if os.name == "nt" else "XDG_STATE_HOME"
"""The environment variable that places the folder of the ledger."""


def variable(names: tuple[str, ...]) -> str:
    """Return the environment variable that sets a key of the config."""
    return "FLUX_" + "__".join(names).upper()


def config_path(option: str | None) -> Path:
    """Return where the config file is: ``--config``, else ``$FLUX_CONFIG``, else the platform's place."""
    named = os.environ.get("FLUX_CONFIG") or None if option is None else option
    if named is not None:
        return Path(at_home(named))
    from platformdirs import user_config_path  # noqa: PLC0415 - only when wanted

    return user_config_path("flux-cli", appauthor=False) / "config.toml"


def state_path() -> Path:
    """Return the folder that holds what flux remembers between runs."""
    from platformdirs import user_state_path  # noqa: PLC0415 - only when wanted

    return user_state_path("flux-cli", appauthor=False)


def at_home(text: str) -> str:
    """Return a path with ``~`` expanded; unlike ``Path`` this keeps a trailing slash and leaves web addresses alone."""
    return os.path.expanduser(text)  # noqa: PTH111 - see above
