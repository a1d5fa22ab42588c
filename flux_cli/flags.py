"""The options that do not belong to a job: how the program as a whole behaves while it runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(kw_only=True)
class Flags:
    """What was typed of them. All commands have the first five."""

    config: str | None = None
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    sandbox: bool = False
    print0: bool = False
    """Whether paths, ids and links end in NUL."""
    preview: bool | None = None
    """Whether saved images are shown in the terminal; ``None`` leaves it to the config."""
