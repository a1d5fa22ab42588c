"""Find the home folder and the one for temporary files, and say what to set where there is none."""

from __future__ import annotations

import os
from pathlib import Path

from flux_cli.errors import ConfigError

NO_HOME_HINT = (
    "set HOME to a permanent folder; or set XDG_STATE_HOME for the ledger, "
    "and XDG_CONFIG_HOME or FLUX_CONFIG for the config"
)
"""What to set where there is no home folder."""


def no_home() -> ConfigError:
    """Return the error of a user without a home folder."""
    return ConfigError(
        "there is no home folder: HOME is not set, and the system has none for this user", hint=NO_HOME_HINT
    )


def expand_home(text: str) -> str:
    """Return a path with ``~`` expanded; unlike ``Path`` this keeps a trailing slash and leaves web addresses alone.

    Raises `ConfigError` where there is no home folder to put in its place.
    """
    expanded = os.path.expanduser(text)  # noqa: PTH111 - see above
    if expanded == text and (text == "~" or text.startswith("~/")):
        raise no_home()
    return expanded


def temporary_folder() -> Path:
    """Return the folder for temporary files. Raises `ConfigError` where none can be written to."""
    import tempfile  # noqa: PLC0415 - only on use

    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError:  # it tries them all by writing
        raise ConfigError(
            "there is no folder for temporary files that you can write to", hint="set TMPDIR to one"
        ) from None
