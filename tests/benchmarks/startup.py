"""What starting costs, beside straight scripts that import the same libraries and do the same calls.

Every command runs 15 times, in turns, so that a busy machine is unfair to all of them alike; the medians are compared.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter

from tests.benchmarks.ground import PROGRAM, Host, Row, User, folder
from tests.benchmarks.spent import imports

RUNS = 15
JOBS = 20
MOST = 1.15
"""How much longer than its yardstick a command may take."""
PROMPT = "a red fox in the snow"
_HERE = Path(__file__).parent
_PYTHON = sys.executable
PAIRS = {
    "--version": ([PROGRAM, "--version"], "import typer", [_PYTHON, "-c", "import typer"]),
    "--help": ([PROGRAM, "--help"], "import typer", [_PYTHON, "-c", "import typer"]),
    f"status --offline, {JOBS} jobs": (
        [PROGRAM, "status", "--offline"],
        "bare_status.py",
        [_PYTHON, str(_HERE / "bare_status.py"), "--offline"],
    ),
    "generate --no-wait": (
        [PROGRAM, "generate", "--no-wait", "-q", PROMPT],
        "bare_generate.py",
        [_PYTHON, str(_HERE / "bare_generate.py"), "--no-wait", "-q", PROMPT],
    ),
}
"""A command, and its yardstick by name and by command line."""


def timed(command: list[str], env: Mapping[str, str]) -> float:
    """Return how long a command took, in milliseconds of wall time."""
    quiet = subprocess.DEVNULL
    start = perf_counter()
    subprocess.run(command, env=env, check=True, stdin=quiet, stdout=quiet, stderr=quiet)
    return (perf_counter() - start) * 1000


def medians(user: User, runs: int = RUNS) -> dict[str, tuple[float, float]]:
    """Return the median time of each command and of its yardstick, in milliseconds."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in PAIRS}
    for command, _, yardstick in PAIRS.values():  # not counted: Python compiles its files
        timed(command, user.env)
        timed(yardstick, user.env)
    for _ in range(runs):
        for name, (command, _, yardstick) in PAIRS.items():
            times[name].append((timed(command, user.env), timed(yardstick, user.env)))
    return {name: (median(one for one, _ in both), median(one for _, one in both)) for name, both in times.items()}


def row(name: str, ours: float, theirs: float) -> Row:
    """Return the line of the table; `--help` says more than an import does, so it only stands beside it."""
    ratio = ours / theirs
    shown = f"{ours:.0f} ms, {ratio:.2f} x {PAIRS[name][1]} ({theirs:.0f} ms)"
    if "import" in PAIRS[name][1]:
        return Row(f"start-up: {name}", shown)
    return Row(f"start-up: {name}", shown, f"{MOST:g} x", ratio <= MOST)


@contextmanager
def somebody() -> Generator[User]:
    """Yield a user with a config file and a few jobs."""
    with Host() as host, folder() as place:
        user = User(place, host.base_url)
        config = place / ".config" / "flux-cli" / "config.toml"
        config.parent.mkdir(parents=True)
        config.write_text('default_provider = "runware"\n[generate]\nmodel = "ultra"\n')
        user.buy(JOBS)
        yield user


def rows() -> list[Row]:
    """Measure everything, and return the lines of the table."""
    with somebody() as user:
        return [row(name, *both) for name, both in medians(user).items()]


def profile() -> str:
    """Return what each command and its yardstick load."""
    with somebody() as user:
        commands = [(f"flux {name}", command) for name, (command, _, _) in PAIRS.items()]
        commands += [(name, words[1:]) for _, name, words in PAIRS.values() if name.endswith(".py")]
        return "\n".join(f"{name} loads\n{imports(command, user.env)}" for name, command in commands)
