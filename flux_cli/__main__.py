"""Run flux as ``python -m flux_cli``."""

from __future__ import annotations

import sys

from flux_cli.cli import main

if __name__ == "__main__":
    sys.exit(main())
