"""Waste: the time from when an image is ready at the host to when it is saved on disk.

Both ends are read off this machine's clock: the host writes down when a job became ready, the file system when the
file got its name. Beside the program stand the fixed loop of the vendors' examples and Runware's own SDK.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from platformdirs import user_cache_path

from tests.benchmarks.ground import Host, Row, User, ended, folder, require

JOBS, HISTORIES = 60, 4
"""Jobs that are measured, each bought by a user of its own, and how many different histories these users have."""
PAST = {0: 0.9, 2: 0.6, 6: 0.6, 20: 0.6}
"""The mean waste that is allowed, in seconds, by how many jobs a user bought before."""
STEADY, WIDE = (8.5, 11.5), (4.0, 15.0)
"""Seconds that a job takes: 10 give or take 15 %, and anywhere."""
MOST_POLLS = 12
SDK = "runware-sdk==1.8.0"
_APART = 0.6
"""Seconds between the starts of two processes, so that none waits for the others' start."""
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Waste:
    """What a way of waiting cost, job by job."""

    seconds: list[float]
    """From ready to saved."""
    told: list[float]
    """From ready to the first poll that said so: the part that depends on when one asks."""
    polls: list[int]

    def row(self, what: str, most: float | None = None) -> Row:
        """Return the line of the table; ``most`` is the mean that is allowed, in seconds."""
        shown = f"mean {mean(self.seconds):.2f} s ({mean(self.told):.2f} s to the poll that tells), "
        shown += f"worst {max(self.seconds):.2f} s; "
        shown += f"{mean(self.polls):.1f} polls a job, most {max(self.polls)}"
        if most is None:
            return Row(what, shown)
        met = mean(self.seconds) <= most and max(self.polls) <= MOST_POLLS
        return Row(what, shown, f"mean {most:g} s, {MOST_POLLS} polls", met)


def wasted(host: Host, made: Sequence[tuple[str, str]]) -> Waste:
    """Return what came of jobs, by the host's name of the task and the path of its image."""
    records = host.records()
    saved = [Path(path).stat().st_ctime_ns / 1e9 - records[task]["ready"] for task, path in made]
    told = [records[task]["told"] - records[task]["ready"] for task, _ in made]
    return Waste(saved, told, [records[task]["polls"] for task, _ in made])


def bought(users: Sequence[User], apart: float = _APART) -> list[tuple[str, str]]:
    """Let each of the users buy an image with a process of their own, started one after the other."""

    def buy(number: int) -> list[dict[str, Any]]:
        time.sleep(number * apart)
        return ended(users[number].start("generate", "a red fox", "--json", "-q"))

    with ThreadPoolExecutor(len(users)) as pool:
        jobs = [job for (job,) in pool.map(buy, range(len(users)))]
    return [(job["remote_id"], job["images"][0]["path"]) for job in jobs]


def after(past: int, place: Path, span: tuple[float, float], apart: float = _APART) -> Waste:
    """Return what users waste who have bought ``past`` images before."""
    with Host(*span) as host:
        users = [User(place / str(number), host.base_url) for number in range(JOBS)]
        if past:
            first = users[:HISTORIES]
            bought(first * past, apart)
            for number, user in enumerate(users[HISTORIES:]):
                shutil.copytree(first[number % HISTORIES].home, user.home, dirs_exist_ok=True)
        return wasted(host, bought(users, apart))


def beside(python: str, script: str, place: Path, span: tuple[float, float]) -> Waste:
    """Return what a script beside this file wastes."""
    place.mkdir()
    with Host(*span) as host:
        words = [python, str(_HERE / script), host.base_url, str(place), str(JOBS)]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return wasted(host, [(one["task"], one["path"]) for one in ended(process)])


def python_with_sdk() -> str | None:
    """Return a Python that has Runware's SDK, made once in this user's cache, or ``None`` where it cannot be had."""
    place = user_cache_path("flux-cli") / "benchmarks" / SDK
    python = place / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    try:
        if not (place / "complete").exists():
            venv.create(place, clear=True, with_pip=True)
            done = subprocess.run(
                [str(python), "-m", "pip", "install", "-q", SDK], check=False, capture_output=True, text=True
            )
            require(done.returncode, done.stderr)
            (place / "complete").touch()
    except (OSError, subprocess.CalledProcessError, RuntimeError):
        return None
    return str(python)


def rows() -> list[Row]:
    """Measure everything, and return the lines of the table."""
    sdk = python_with_sdk()
    found: list[Row] = []
    with folder() as place:
        for name, span in (("steady", STEADY), ("wide", WIDE)):
            jobs = f"jobs of {span[0]:g} to {span[1]:g} s"
            loop = beside(sys.executable, "loop.py", place / f"{name}-loop", span)
            found.append(loop.row(f"waste, {jobs}: a loop that sleeps 2 s"))
            if sdk is None:
                found.append(Row(f"waste, {jobs}: {SDK} over REST", "not installed"))
            else:
                theirs = beside(sdk, "sdk.py", place / f"{name}-sdk", span)
                found.append(theirs.row(f"waste, {jobs}: {SDK} over REST"))
            for past in PAST if name == "steady" else (0,):
                ours = after(past, place / f"{name}-flux-{past}", span)
                found.append(ours.row(f"waste, {jobs}: flux, {past or 'no'} jobs before", PAST[past]))
    return found


def profile() -> str:
    """Return what there is to say: nobody works while a job is waited for."""
    return (
        "waste is time spent asleep: `flux_cli/engine/schedule.py` decides when to look, and the table shows how often"
    )
