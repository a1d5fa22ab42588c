"""Kill -9 in the middle of a batch: ``python -m tests.torture.kill --batch --count 100 --seed 1``.

Each shot has a user of its own, who makes eight rows, four at once; the process is killed somewhere on its way. Then
the user goes on with ``--resume``, and no row may have been bought twice, or be lost.
"""

from __future__ import annotations

import random
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from flux_cli.cli import main as flux
from flux_cli.jobs import Job
from flux_cli.runtime import Runtime
from tests.bare import bare
from tests.conftest import FakeClock, Stream
from tests.loopback import PROVIDERS
from tests.torture.kill import PROGRAM, Host, Shot, become

ROWS, AT_ONCE = 8, 4
SECONDS = 8.0
"""What a batch takes undisturbed, and a little more."""
_SHARED = 20
"""Shots that share a host."""


class BatchShot(Shot):
    """One user with a batch, and the process that is killed."""

    @property
    def prompts(self) -> list[str]:
        return [f"a red fox, number {self.number}, row {row}" for row in range(ROWS)]

    @property
    def words(self) -> list[str]:
        return ["generate", "--batch", "../prompts.txt", "-j", str(AT_ONCE), "-p", self.provider]

    def prepare(self) -> None:
        """Make the user, and the file."""
        super().prepare()
        (self.folder / "prompts.txt").write_text("".join(f"{prompt}\n" for prompt in self.prompts))

    def fire(self, seconds: float) -> None:
        """Start the program, and kill it after its share of the ``seconds`` that it takes."""
        quiet = subprocess.DEVNULL
        with subprocess.Popen(
            [PROGRAM, *self.words], env=self.env, cwd=self.work, stdin=quiet, stdout=quiet, stderr=quiet
        ) as process:
            try:
                process.wait(self.share * seconds)
            except subprocess.TimeoutExpired:
                process.kill()

    def aftermath(self) -> None:
        """Look at what the dead process left, go on, and look again."""
        before = self._rows()
        self.standing = " ".join(f"{count} {name}" for name, count in sorted(Counter(map(_standing, before)).items()))
        self.standing = self.standing or "none"
        codes = [self._resume() for _ in range(2)]
        rows, bought = self._rows(), Counter(job.prompt for job in self._bought())
        unknown = {row.prompt for row in rows if row.status == "unknown"}
        saved = {row.prompt for row in rows if _standing(row) == "saved"}
        self.wrong += [f"{prompt} bought {count} times" for prompt, count in bought.items() if count > 1]
        self.wrong += [f"{prompt} is lost" for prompt in self.prompts if prompt not in saved | unknown]
        self.wrong += ["unknown, and could be asked about"] * bool(
            bought.keys() & unknown and load(self.provider).find is not None
        )
        self.wrong += [f"exit {code}, {len(unknown)} unknown" for code in codes if (code == 0) == bool(unknown)]
        self._check_files()
        self.twins = max(0, len(self._found()) - len(saved))

    def _bought(self) -> list:
        return [job for job in self.host.world.jobs(self.provider) if job.prompt in self.prompts]

    def _check_files(self) -> None:
        whole = {self.host.world.image(self.provider, job, index) for job in self._bought() for index in range(job.count)}
        self.wrong += [f"{path.name} is not whole" for path in self._found() if bare(path.read_bytes()) not in whole]
        saved = [image.path for row in self._rows() for image in row.images if image.path]
        self.wrong += [f"{path} is not there" for path in saved if not Path(path).is_file()]
        self.leftovers = len([*self.work.glob(".flux-*.part")])

    def _found(self) -> list[Path]:
        return [path for path in self.work.iterdir() if path.suffix in {".jpg", ".png", ".webp"}]

    def _resume(self) -> int:
        out, err = Stream(), Stream()
        clock = FakeClock(time.time() + self.host.ahead)
        with become(self.env, self.work):
            code = flux([*self.words, "--resume"], Runtime(stdin=Stream(), stdout=out, stderr=err, clock=clock))
        said = (out.bytes.getvalue() + err.bytes.getvalue()).decode()
        self.wrong += [f"exit {code}: {said}"] * ("Traceback" in said or "unexpected" in said)
        return code


def _standing(row: Job) -> str:
    return "saved" if row.status == "succeeded" and not row.has_unsaved_images else row.status


def volley(count: int, seed: int, folder: Path) -> list[Shot]:
    """Fire ``count`` shots over all providers, and return them with what went wrong."""
    dice = random.Random(seed)
    wanted = [(number, PROVIDERS[number % 4], "batch", dice.random()) for number in range(count)]
    shots: list[Shot] = []
    for start in range(0, count, _SHARED):
        place = folder / str(start)
        with Host(place / "host") as host:
            fired = [BatchShot(*one, host, place / str(one[0])) for one in wanted[start : start + _SHARED]]
            _fire(fired, host, place / "host")
            shots += fired
    return shots


def _fire(shots: Sequence[BatchShot], host: Host, folder: Path) -> None:
    for shot in shots:
        shot.prepare()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda shot: shot.fire(SECONDS), shots))
    host.finish_jobs(folder)
    for shot in shots:
        shot.aftermath()
