"""Kill -9 at random moments: ``python -m tests.torture.kill --count 300 --seed 1`` from the project's folder.

Each shot has a user of its own, who buys one image, or waits for one, with the installed program; the process is
killed somewhere on its way. Then the user asks how things stand, and fetches what there is. All four providers are on
this machine.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from flux_cli.cli import main as flux
from flux_cli.jobs import Job
from flux_cli.ledger.codec import decode
from flux_cli.providers import NAMES, load
from flux_cli.runtime import Runtime
from flux_cli.sandbox.world import World
from tests.bare import bare
from tests.conftest import FakeClock, Stream
from tests.loopback import PROVIDERS, LoopbackServer
from tests.torture.wire import KEYS

PROGRAM = str(Path(sys.executable).with_name("flux"))
KINDS = ("generate", "result", "poll")
"""A purchase from its first moment; `result --wait`; a purchase that is being waited for."""
HOLD = 0.3
"""Seconds that a job takes at the host; one that is to be polled takes ten times as long."""
AT_ONCE = 4
BATCH = 40
"""Shots that share a host."""
_AHEAD = 60.0
"""Seconds that the host's clock is put forward when all processes are dead: by then every job is done."""


class Host(LoopbackServer):
    """The four providers, whose clock can be put forward."""

    def __init__(self, folder: Path) -> None:
        self.ahead = 0.0
        super().__init__(folder, hold=HOLD, now=lambda: time.time() + self.ahead)
        complain = self._server.handle_error

        def heard(*where: object) -> None:
            if not isinstance(sys.exception(), ConnectionError):  # which is how a process that was killed hangs up
                complain(*where)

        self._server.handle_error = heard

    def finish_jobs(self, folder: Path) -> None:
        """Let every job be done, and those that come later too; ``folder`` is where the jobs are."""
        self.ahead = _AHEAD
        links = f"{self.root}/files"
        self.world = World(folder, lambda: time.time() + self.ahead, 0.0, providers=NAMES, link_base=links)

    @property
    def env(self) -> dict[str, str]:
        """What makes the program talk to us, and nobody else."""
        bases = {f"FLUX_PROVIDERS__{name.upper()}__BASE_URL": self.base_url(name) for name in PROVIDERS}
        kept = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
        return kept | bases | dict(KEYS.values())


@dataclass
class Shot:
    """One user, and the process that is killed."""

    number: int
    provider: str
    kind: str
    share: float
    """Of the time that the command takes undisturbed."""
    host: Host
    folder: Path
    standing: str = ""
    """How things stood in the ledger when the process was dead."""
    wrong: list[str] = field(default_factory=list)
    leftovers: int = 0
    """Temporary files that stayed."""
    twins: int = 0
    """Images that lie there twice, as the process died between naming one and writing that down."""

    @property
    def prompt(self) -> str:
        return f"a red fox, number {self.number}" + (" sandbox:slow" if self.kind == "poll" else "")

    @property
    def env(self) -> dict[str, str]:
        return self.host.env | {"HOME": str(self.folder / "home")}

    @property
    def work(self) -> Path:
        return self.folder / "work"

    def prepare(self) -> None:
        """Make the user, and the job that `result` waits for."""
        for name in ("home", "work"):
            (self.folder / name).mkdir(parents=True)
        if self.kind == "result":
            self._told("generate", "-q", self.prompt, "-p", self.provider, "--no-wait")

    def fire(self, seconds: float) -> None:
        """Start the program, and kill it after its share of the ``seconds`` that it takes."""
        purchase = ["generate", self.prompt, "-p", self.provider]
        words = ["result", "--wait", "@1"] if self.kind == "result" else purchase
        with subprocess.Popen(
            [PROGRAM, *words],
            env=self.env,
            cwd=self.work,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        ) as process:
            if self.kind == "poll":  # from when the job is bought, which is when its state is first shown
                while (line := process.stderr.readline()) and b"queued" not in line:
                    pass
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(self.share * seconds)
            process.kill()

    def aftermath(self) -> None:
        """Look at what the dead process left, ask, fetch, and look again."""
        rows, bought = self._rows(), self._bought()
        row = rows[0] if rows else None
        self.standing = (
            "saved"
            if row and row.status == "succeeded" and not row.has_unsaved_images
            else row.status
            if row
            else "none"
        )
        self._check_files()
        self._told("status")
        unknown = any(row.status == "unknown" for row in self._rows())
        self._told("result", "--all", code=7 if unknown else 0)
        for left in self._rows():
            if left.active:
                self._told("result", "--wait", left.id)
        self._check_files()
        after = self._rows()
        if len(self._bought()) != len(bought) or len(bought) > 1:
            self.wrong.append(f"bought {len(bought)} times, then {len(self._bought())}")
        if len(after) != len(rows) or len(after) > 1:
            self.wrong.append(f"{len(rows)} rows, then {len(after)}")
        self._check_end(row, after[0] if after else None, bool(bought))

    def _check_end(self, before: Job | None, row: Job | None, bought: bool) -> None:
        if row is None:
            self.wrong += ["bought, and not in the ledger"] * bought
        elif row.status == "unknown":
            lost = before is not None and before.remote_id is not None
            self.wrong += ["unknown, and could be asked about"] * (bought and (lost or load(self.provider).find is not None))
            self.wrong += ["unknown, without a hint"] * (row.error is None or not row.error.hint)
        elif row.status != "succeeded" or row.has_unsaved_images or not bought:
            self.wrong.append(f"{row.status} in the end, {'bought' if bought else 'not bought'}")

    def _bought(self) -> list:
        return [job for job in self.host.world.jobs(self.provider) if job.prompt == self.prompt]

    def _rows(self) -> list[Job]:
        path = next((self.folder / "home").rglob("ledger.sqlite3"), None)
        if path is None:
            return []
        with contextlib.closing(sqlite3.connect(path)) as database:
            if database.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                self.wrong.append("the ledger is damaged")
            if database.execute("PRAGMA user_version").fetchone() == (0,):
                return []
            return [decode(row[0]) for row in database.execute("SELECT document FROM jobs")]

    def _check_files(self) -> None:
        whole = {self.host.world.image(self.provider, job, index) for job in self._bought() for index in range(job.count)}
        found = [path for path in self.work.iterdir() if path.suffix != ".part"]
        self.wrong += [
            f"{path.name} is not what the host has" for path in found if bare(path.read_bytes()) not in whole
        ]
        saved = [image.path for row in self._rows() for image in row.images if image.path]
        self.wrong += [f"{path} is marked as saved, and is not there" for path in saved if not Path(path).is_file()]
        self.leftovers = len(list(self.work.glob(".flux-*.part")))
        self.twins = max(0, len(found) - 1)

    def _told(self, *words: str, code: int = 0) -> None:
        """Run a command as this user, in this process, which must end with ``code``."""
        out, err = Stream(), Stream()
        clock = FakeClock(time.time() + self.host.ahead)
        with become(self.env, self.work):
            ended = flux(words, Runtime(stdin=Stream(), stdout=out, stderr=err, clock=clock))
        said = (out.bytes.getvalue() + err.bytes.getvalue()).decode()
        if ended != code or "Traceback" in said or any(key in said for _, key in KEYS.values()):
            self.wrong.append(f"{' '.join(words)}: exit {ended}: {said}")


@contextlib.contextmanager
def become(env: dict[str, str], folder: Path) -> Iterator[None]:
    """Be another user for a while."""
    before, here = dict(os.environ), Path.cwd()
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(here)
        os.environ.clear()
        os.environ.update(before)


def volley(count: int, seed: int, folder: Path) -> list[Shot]:
    """Fire ``count`` shots over all providers and kinds, and return them with what went wrong."""
    dice = random.Random(seed)
    wanted = [(number, PROVIDERS[number % 4], KINDS[number // 4 % 3], dice.random()) for number in range(count)]
    shots: list[Shot] = []
    for start in range(0, count, BATCH):
        place = folder / str(start)
        with Host(place / "host") as host:
            batch = [Shot(*one, host, place / str(one[0])) for one in wanted[start : start + BATCH]]
            _fire(batch, host, place)
            shots += batch
    return shots


def _fire(batch: Sequence[Shot], host: Host, place: Path) -> None:
    for shot in batch:
        shot.prepare()
    seconds = _undisturbed(host, place / "first")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda shot: shot.fire(seconds[shot.kind]), batch))
    host.ahead = _AHEAD
    for shot in batch:
        shot.aftermath()


def _undisturbed(host: Host, folder: Path) -> dict[str, float]:
    """Return how long each kind of command takes beside another one, and a little more."""
    first = [Shot(-1 - n, "runware", "generate", 1.0, host, folder / str(n)) for n in range(2)]
    for shot in first:
        shot.prepare()
    started = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda shot: shot.fire(30), first))
    taken = 1.1 * (time.monotonic() - started)
    return {"generate": taken, "result": taken, "poll": 1.5}


def described(shots: Sequence[Shot], seed: int) -> str:
    """Return the figures in a line."""
    standing = Counter(shot.standing for shot in shots)
    found = ", ".join(f"{count} {name}" for name, count in standing.most_common())
    wrong = sum(bool(shot.wrong) for shot in shots)
    leftovers, twins = sum(shot.leftovers for shot in shots), sum(shot.twins for shot in shots)
    return (
        f"kill -9: {len(shots)} moments, seed {seed}: the ledger then had {found}; "
        f"{leftovers} temporary files stayed, {twins} images lie there twice, {wrong} shots wrong"
    )


def main() -> int:
    """Fire as many shots as are asked for, say what came of them, and return the exit code."""
    parser = argparse.ArgumentParser(description="kill flux at random moments, and see whether anything is lost")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--batch", action="store_true", help="batches of eight rows, gone on with by --resume")
    asked = parser.parse_args()
    fire = volley
    if asked.batch:
        from tests.torture.kill_batch import volley as fire
    sys.stdout.write(f"seed {asked.seed}\n")
    sys.stdout.flush()
    with tempfile.TemporaryDirectory(prefix="flux-kill-") as folder:
        shots = fire(asked.count, asked.seed, Path(folder))
    for shot in shots:
        for fault in shot.wrong:
            sys.stdout.write(f"{shot.number} {shot.kind} {shot.provider} ({shot.standing}): {fault}\n")
    sys.stdout.write(described(shots, asked.seed) + "\n")
    return int(any(shot.wrong for shot in shots))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())
