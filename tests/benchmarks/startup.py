"""What starting costs, beside Python itself and Typer: run it with `python tests/benchmarks/startup.py`.

Every command runs 11 times, in turns, so that a busy machine is unfair to all of them alike; the medians are compared.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

RUNS = 11
JOBS = 20
FLUX = str(Path(sys.executable).with_name("flux"))
YARDSTICK = 'python -c "import typer"'
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    YARDSTICK: [sys.executable, "-c", "import typer"],
    "flux --version": [FLUX, "--version"],
    "flux --help": [FLUX, "--help"],
    f"flux status --offline ({JOBS} jobs)": [FLUX, "status", "--offline"],
    "flux generate --no-wait (sandbox)": [FLUX, "generate", "--no-wait", "-q", "a red fox in the snow"],
}


def timed(command: list[str], environment: dict[str, str]) -> float:
    """Return how long a command took, in milliseconds of wall time."""
    start = perf_counter()
    subprocess.run(command, env=environment, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return (perf_counter() - start) * 1000


def measured(home: str) -> dict[str, float]:
    """Return the median of each command, in milliseconds, in a home of its own."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("FLUX_", "XDG_"))},
        "HOME": home,
        "FLUX_SANDBOX": "1",
    }
    fill = [FLUX, "generate", "--no-wait", "-q", "-p", "runcomfy", "-n", str(JOBS), "a heron"]
    subprocess.run(fill, env=environment, check=True, stdout=subprocess.DEVNULL)
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(RUNS):
        for name, command in COMMANDS.items():
            times[name].append(timed(command, environment))
    return {name: median(values) for name, values in times.items()}


def main() -> None:
    """Measure, and write one row a command."""
    with tempfile.TemporaryDirectory() as home:
        medians = measured(home)
    rows = [f"{'command':<36} {'ms':>6}  {'x import typer':>14}"]
    rows += [f"{name:<36} {value:>6.0f}  {value / medians[YARDSTICK]:>14.2f}" for name, value in medians.items()]
    sys.stdout.write("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
