"""Kill -9 or Ctrl-C in the middle of a batch: ``python -m tests.torture.kill --batch --count 100 --seed 1``.

Each shot has a user of its own, who makes eight images, four at once; the process is stopped somewhere on its way.
Then the user goes on with ``--resume``, and no image may have been bought twice, or be lost.
"""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from flux_cli.cli import main as flux
from flux_cli.jobs import Job
from flux_cli.providers import load
from flux_cli.runtime import Runtime
from tests.bare import bare
from tests.conftest import FakeClock, Stream
from tests.loopback import PROVIDERS
from tests.torture.kill import PROGRAM, Host, Shot, become

IMAGES, AT_ONCE = 8, 4
KINDS = ("batch", "compare", "leave")
"""One model; two, whose images are compared; two, which are submitted with --no-wait and fetched by `result`."""
SECONDS = 8.0
"""What a batch takes undisturbed, and a little more."""
_SHARED = 20
"""Shots that share a host."""


class BatchShot(Shot):
    """One user with a batch, and the process that is stopped."""

    @property
    def models(self) -> list[str]:
        return ["flux-1.1-pro-ultra"] if self.kind == "batch" else ["flux-1.1-pro-ultra", "flux-1.1-pro"]

    @property
    def prompts(self) -> list[str]:
        return [f"a red fox, number {self.number}, row {row}" for row in range(IMAGES // len(self.models))]

    def words(self, models: Sequence[str]) -> list[str]:
        typed = [word for model in models for word in ("-m", model)]
        return ["generate", "--batch", "../prompts.txt", "-j", str(AT_ONCE), "-p", self.provider, *typed]

    def prepare(self) -> None:
        """Make the user, and the file."""
        super().prepare()
        (self.folder / "prompts.txt").write_text("".join(f"{prompt}\n" for prompt in self.prompts))

    def fire(self, seconds: float) -> None:
        """Start the program, and stop it after its share of the ``seconds`` that it takes."""
        quiet = subprocess.DEVNULL
        leaving = ["--no-wait"] if self.kind == "leave" else []
        blow = signal.SIGINT if self.number // len(KINDS) % 2 else signal.SIGKILL
        with subprocess.Popen(
            [PROGRAM, *self.words(self.models), *leaving],
            env=self.env,
            cwd=self.work,
            stdin=quiet,
            stdout=quiet,
            stderr=quiet,
        ) as process:
            try:
                process.wait(self.share * seconds / (2 if leaving else 1))
            except subprocess.TimeoutExpired:
                process.send_signal(blow)

    def aftermath(self) -> None:
        """Look at what the dead process left, go on, and look again."""
        before = self._rows()
        self.standing = " ".join(f"{count} {name}" for name, count in sorted(Counter(map(_standing, before)).items()))
        self.standing = self.standing or "none"
        if self.kind == "leave":
            count = len(self._bought())
            self._run("result", "--all", "--wait", "--batch", "../prompts.txt")
            self.wrong += ["result bought an image"] * (len(self._bought()) != count)
        if self.kind == "compare":
            self._run(*self.words(self.models[1:]), "--resume")
        codes = [self._run(*self.words(models), "--resume") for models in (self.models, self.models[::-1])]
        rows, bought = self._rows(), Counter(job.prompt for job in self._bought())
        unknown = {(row.prompt, row.model) for row in rows if row.status == "unknown"}
        saved = {(row.prompt, row.model) for row in rows if _standing(row) == "saved"}
        wanted = [(prompt, model) for prompt in self.prompts for model in self.models]
        self.wrong += [f"{prompt} bought {n} times" for prompt, n in bought.items() if n > len(self.models)]
        self.wrong += [f"{prompt} by {model} is lost" for prompt, model in {*wanted} - saved - unknown]
        self.wrong += ["an image has two jobs"] * (len(rows) != len({(row.prompt, row.model) for row in rows}))
        self.wrong += ["unknown, and could be asked about"] * bool(
            load(self.provider).find is not None and {prompt for prompt, _ in unknown} & bought.keys()
        )
        self.wrong += [f"exit {code}, {len(unknown)} unknown" for code in codes if (code == 0) == bool(unknown)]
        self._check_files()
        self.twins = max(0, len(self._found()) - len(saved))

    def _bought(self) -> list:
        return [job for job in self.host.world.jobs(self.provider) if job.prompt in self.prompts]

    def _check_files(self) -> None:
        whole = {
            self.host.world.image(self.provider, job, index) for job in self._bought() for index in range(job.count)
        }
        self.wrong += [f"{path.name} is not whole" for path in self._found() if bare(path.read_bytes()) not in whole]
        saved = [image.path for row in self._rows() for image in row.images if image.path]
        self.wrong += [f"{path} is not there" for path in saved if not Path(path).is_file()]
        self.leftovers = len([*self.work.glob(".flux-*.part")])

    def _found(self) -> list[Path]:
        return [path for path in self.work.iterdir() if path.suffix in {".jpg", ".png", ".webp"}]

    def _run(self, *words: str) -> int:
        out, err = Stream(), Stream()
        clock = FakeClock(time.time() + self.host.ahead)
        with become(self.env, self.work):
            code = flux(words, Runtime(stdin=Stream(), stdout=out, stderr=err, clock=clock))
        said = (out.bytes.getvalue() + err.bytes.getvalue()).decode()
        self.wrong += [f"exit {code}: {said}"] * ("Traceback" in said or "unexpected" in said)
        return code


def _standing(row: Job) -> str:
    return "saved" if row.status == "succeeded" and not row.has_unsaved_images else row.status


def volley(count: int, seed: int, folder: Path) -> list[Shot]:
    """Fire ``count`` shots over all providers, and return them with what went wrong."""
    dice = random.Random(seed)
    wanted = [(number, PROVIDERS[number % 4], KINDS[number % len(KINDS)], dice.random()) for number in range(count)]
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
