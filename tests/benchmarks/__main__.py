"""How fast the program is, as ratios in one run: ``python -m tests.benchmarks`` from the project's folder.

Names choose (``python -m tests.benchmarks startup download``); all of them take about ten minutes. Everything happens
on this machine, and nothing else should meanwhile. ``--profile`` tells where the time goes instead. The exit code is 1
where a target is missed.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from tests.benchmarks.ground import Row, table

NAMES = ("startup", "finding", "waste", "batch", "download", "gallery")


def main() -> int:
    """Run the benchmarks that are named, or all, and print one table. Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="how fast the program is")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--profile", action="store_true", help="tell where the time goes, and measure nothing")
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(NAMES):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))} (there are {', '.join(NAMES)})")
    rows: list[Row] = []
    for name in asked.names or NAMES:
        benchmark = import_module(f"tests.benchmarks.{name}")
        sys.stderr.write(f"{name} ...\n")
        sys.stderr.flush()
        if asked.profile:
            sys.stdout.write(f"{benchmark.profile()}\n")
        else:
            rows += benchmark.rows()
    sys.stdout.write(f"{table(rows)}\n" if rows else "")
    return int(any(row.met is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
