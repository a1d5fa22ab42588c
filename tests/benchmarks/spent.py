"""Where the time goes: what a start loads, and what a program at work computes.

The second is py-spy's to tell (``pip install --group bench``): it looks from outside, and sees which thread runs.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.benchmarks.ground import PROGRAM

_SPY = Path(sys.executable).with_name("py-spy")
_SHOWN = 14
_IMPORT = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)")
_FRAME = re.compile(r"(.+) \((.+):\d+\)")


def imports(command: Sequence[str], env: Mapping[str, str]) -> str:
    """Return what the modules that a Python command loads take to load, in milliseconds by package, then ours alone."""
    words = [sys.executable, "-X", "importtime", *command]
    said = subprocess.run(words, env=env, check=True, capture_output=True, text=True).stderr
    packages: Counter[str] = Counter()
    ours: Counter[str] = Counter()
    for micros, name in _IMPORT.findall(said):
        first = name.partition(".")[0]
        packages["standard library" if first in sys.stdlib_module_names else first] += int(micros)
        if first == "flux_cli":
            ours[name] += int(micros)
    return _listed({"by package": packages, "ours": ours}, 1000, "ms")


def computing(words: Sequence[str], env: Mapping[str, str], place: Path) -> str:
    """Run the program, and return what it computes, in percent: by the package whose code runs, and by our functions.

    A function's share is that of all it calls. Threads that wait, for an answer or for the disk, are not counted.
    """
    if not _SPY.exists():
        return "  py-spy is not installed: `pip install --group bench`"
    packages: Counter[str] = Counter()
    ours: Counter[str] = Counter()
    with tempfile.NamedTemporaryFile("r") as found:
        spied = [
            str(_SPY),
            "record",
            "--gil",
            "-r",
            "500",
            "-f",
            "raw",
            "-o",
            found.name,
            "--",
            sys.executable,
            PROGRAM,
        ]
        subprocess.run([*spied, *words], env=env, cwd=place, check=True, capture_output=True)
        for line in found:
            stack, _, looks = line.rpartition(" ")
            frames = [match.groups() for frame in stack.split(";") if (match := _FRAME.fullmatch(frame.strip()))]
            if frames:
                packages[_package(frames[-1][1])] += int(looks)
            ours.update(dict.fromkeys((name for name, file in frames if _package(file) == "flux_cli"), int(looks)))
    return _listed({"by package": packages, "ours": ours}, sum(packages.values()) / 100, "%")


def _package(file: str) -> str:
    """Return what a file belongs to; py-spy shortens paths to what follows the folder that is imported from."""
    first = file.partition("/")[0]
    return first if first in {"flux_cli", "httpx", "httpcore", "h11", "typer", "pydantic", "PIL"} else "the rest"


def _listed(tables: Mapping[str, Counter[str]], one: float, unit: str) -> str:
    """Return the greatest counts of each table in multiples of ``one``."""
    lines: list[str] = []
    for title, counts in tables.items():
        shown = [f"{name} {count / one:.0f} {unit}" for name, count in counts.most_common(_SHOWN)]
        lines.append(f"  {title}: {', '.join(shown)}")
    return "\n".join(lines)
