"""At whichever step a command fails or ends: nothing is bought twice, nothing is lost, and what is told is true."""

from __future__ import annotations

import gc
import shutil
import sqlite3
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from flux_cli.jobs import Job
from flux_cli.ledger.codec import decode
from flux_cli.providers import NAMES, load
from flux_cli.sandbox.world import World
from tests.bare import bare
from tests.torture.share import every
from tests.torture.steps import Outcome, Steps, command, ended
from tests.torture.wire import KEYS

START, LATER = 1_795_000_000.0, 1_795_009_000.0
HOLD = 1.5
"""Seconds that a job takes: the first look finds it unfinished, the second done."""


PROMPTS = ("a red fox", "an owl")
"""Of the batch."""


@dataclass(frozen=True)
class Scenario:
    """A command that is tortured, and what was done before it."""

    provider: str
    count: int = 1
    collecting: bool = False
    batch: bool = False

    def __str__(self) -> str:
        if self.batch:
            return f"batch-{self.provider}"
        return f"{'result' if self.collecting else 'generate'}-{self.provider}" + f"-n{self.count}" * (self.count > 1)

    @property
    def generate(self) -> list[str]:
        several = (
            ["-n", str(self.count), "-j", "1"] if self.count > 1 else []
        )  # one after the other: steps keep their order
        if self.batch:
            return ["generate", "--batch", "../home/prompts.txt", "-p", self.provider, "-j", "1"]
        return ["generate", "a red fox", "-p", self.provider, *several]

    @property
    def words(self) -> list[str]:
        return ["result", "--wait", "@1"] if self.collecting else self.generate

    @property
    def jobs(self) -> int:
        """Paid requests that are wanted."""
        if self.batch:
            return len(PROMPTS)
        return self.count if self.provider == "runcomfy" else 1


SCENARIOS = [
    *(Scenario(name) for name in KEYS),
    Scenario("runware", 3),
    Scenario("runcomfy", 2),
    *(Scenario(name, collecting=True) for name in ("runcomfy", "runflow")),  # asked twice; links that are signed
    Scenario("runware", batch=True),
]
SHARE = 4
"""Of so many steps, one is taken in a run of the suite."""


class Stage:
    """One user and one world, made anew for each run from how things stood before."""

    def __init__(self, scenario: Scenario, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.scenario = scenario
        self._before = folder / "before"
        self._folder = folder / "now"
        self._patch = monkeypatch
        for name in ("home", "work", "world"):
            (self._before / name).mkdir(parents=True)
        (self._before / "home" / "prompts.txt").write_text("".join(f"{prompt}\n" for prompt in PROMPTS))
        for variable, key in KEYS.values():
            monkeypatch.setenv(variable, key)
        self.reset()
        self.run(*scenario.generate)  # what is loaded once is loaded, and the images are drawn
        if scenario.collecting:
            self.reset()
            assert self.run(*scenario.generate, "--no-wait").code == 0
            shutil.rmtree(self._before)
            shutil.copytree(self._folder, self._before)
        self.reset()

    def reset(self) -> None:
        """Go back to how things stood before."""
        self._patch.chdir("/")
        shutil.rmtree(self._folder, ignore_errors=True)
        shutil.copytree(self._before, self._folder)
        self._patch.setenv("HOME", str(self._folder / "home"))
        self._patch.chdir(self._folder / "work")

    def run(self, *words: str, start: float = START) -> Outcome:
        return command(self._folder / "world", start, list(words), Steps(), hold=HOLD)

    def attempt(self, at: int = 0, *, ending: bool = False) -> Outcome:
        """Run the command that is tortured; step ``at`` fails, or the process ends there."""
        world, words, steps = self._folder / "world", self.scenario.words, Steps(at)
        if ending:
            ended(world, START, words, hold=HOLD, at=at)
            return Outcome()
        with steps.watched():
            return command(world, START, words, steps, hold=HOLD)

    def accepted(self) -> list:
        return self._world().jobs(self.scenario.provider)

    def _world(self) -> World:
        return World(self._folder / "world", lambda: LATER, HOLD, providers=NAMES)

    def ledger(self) -> list[Job]:
        path = next((self._folder / "home").rglob("ledger.sqlite3"), None)
        if path is None:
            return []
        database = sqlite3.connect(path)
        try:
            if database.execute("PRAGMA user_version").fetchone() == (0,):
                return []
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            return [decode(row[0]) for row in database.execute("SELECT document FROM jobs ORDER BY seq")]
        finally:
            database.close()

    def images(self) -> dict[str, bytes]:
        """Return the images of every job that was accepted, as the host has them."""
        world = self._world()
        return {
            f"{job.id} {index}": world.image(self.scenario.provider, job, index)
            for job in self.accepted()
            for index in range(job.count)
        }

    def files(self) -> list[Path]:
        return [path for path in self._folder.glob("work/**/*") if path.is_file()]

    def leaks(self) -> list[Path]:
        """Return the files of ours that hold a key; images are compared to the byte anyway."""
        every = [path for path in self._folder.glob("home/**/*") if path.is_file()]
        keys = [key.encode() for _, key in KEYS.values()]
        return [path for path in every if any(key in path.read_bytes() for key in keys)]


def faults_at_once(stage: Stage, outcome: Outcome, step: str) -> list[str]:
    """Return what is wrong right after the command."""
    accepted, rows = stage.accepted(), stage.ledger()
    wrong = faults_of_files(stage, temporary=outcome.code is None or step == "unlink")
    if len(accepted) > stage.scenario.jobs:
        wrong.append(f"{len(accepted)} jobs bought")
    for job in accepted:
        row = row_of(rows, job)
        if row is None:
            wrong.append("a job that was accepted is not in the ledger")
        elif row.status in {"failed", "cancelled"}:
            wrong.append(f"a job that was accepted is {row.status}")
    for row in rows:
        wrong += [f"{row.id} is marked saved and is not" for i in row.images if i.path and not Path(i.path).exists()]
    if outcome.code is not None:
        if "Traceback" in outcome.shown or "unexpected" in outcome.shown:
            wrong.append("a defect shows")
        if any(key in outcome.shown for _, key in KEYS.values()):
            wrong.append("a key shows")
        if not fits(outcome, rows, accepted, step, stage.scenario):
            wrong.append(f"exit {outcome.code} for {[row.status for row in rows]}, {len(accepted)} accepted")
    return wrong


def fits(outcome: Outcome, rows: list[Job], accepted: list, step: str, scenario: Scenario) -> bool:
    """Whether an exit code is what the contract has for how things stand."""
    states = {row.status for row in rows}
    unsaved = any(row.has_unsaved_images for row in rows)
    match outcome.code:
        case 0:
            return states == {"succeeded"} and not unsaved
        case 1 if step == "print":
            return True
        case 1 | 2 | 4:
            return not accepted or (scenario.collecting and "send" not in outcome.steps)
        case 7:
            return bool(states & {"unknown", "submitting"})
        case 8:
            return bool(states & {"queued", "running"})
        case 9:
            return bool(accepted or scenario.batch) and (scenario.jobs > 1 or unsaved)
        case 10:
            return states == {"succeeded"} and unsaved
        case code:
            return code == 130 and step == "sleep"


def faults_of_files(stage: Stage, *, temporary: bool) -> list[str]:
    """Return what is wrong with what lies on the disk."""
    whole = set(stage.images().values())
    wrong = [f"a key in {path.name}" for path in stage.leaks()]
    for path in stage.files():
        if path.name.startswith(".flux-") and path.suffix == ".part":
            wrong += [] if temporary else ["a temporary file is left"]
        elif bare(path.read_bytes()) not in whole:
            wrong.append(f"{path.name} is not what the host has")
    return wrong


def row_of(rows: list[Job], job) -> Job | None:
    """Return the ledger's row of a job of the host: the one whose body it was sent."""
    found = [row for row in rows if row.request and row.request["body"] in (job.asked, [job.asked])]
    return found[0] if found else None


def faults_in_the_end(stage: Stage, *, temporary: bool) -> list[str]:
    """Return what is wrong after what a person would do next: ask how jobs are doing, and fetch what is done."""
    said = [stage.run("status", start=LATER)]
    due = [row for row in stage.ledger() if row.active or row.status == "unknown" or row.has_unsaved_images]
    said.append(stage.run("result", "--all", start=LATER))
    waiting = [row.id for row in stage.ledger() if row.active]
    if waiting:
        said.append(stage.run("result", "--wait", *waiting, start=LATER))
    unknown = sum(row.status == "unknown" for row in due)
    codes = [0, 0 if not unknown else 7 if unknown == len(due) else 9, 0]
    wrong = faults_of_files(stage, temporary=temporary)
    wrong += [f"{one.code}: {one.shown}" for one, code in zip(said, codes, strict=False) if one.code != code]
    rows, expected = stage.ledger(), stage.images()
    for job in stage.accepted():
        row = row_of(rows, job)
        if row is not None and row.status == "unknown":
            known = row.remote_id is not None or load(stage.scenario.provider).find is not None
            wrong += ["a job that can be asked about is unknown"] * known
            wrong += ["an unknown job has no hint"] * (row.error is None or not row.error.hint)
            continue
        if row is None or row.status != "succeeded" or row.has_unsaved_images:
            wrong.append(f"a job that was accepted is {row.status if row else 'lost'}")
            continue
        saved = {bare(Path(image.path or "").read_bytes()) for image in row.images}
        wrong += ["an image is lost"] * (saved != {expected[f"{job.id} {index}"] for index in range(job.count)})
    if len(stage.accepted()) > stage.scenario.jobs:
        wrong.append("a follow-up bought something")
    return wrong


def faults_after_resuming(stage: Stage, *, temporary: bool) -> list[str]:
    """Return what is wrong after a batch is gone on with, and once more where nobody knows of a row."""
    said = [stage.run(*stage.scenario.generate, "--resume", start=LATER)]
    if any(row.status == "unknown" for row in stage.ledger()):
        said.append(stage.run(*stage.scenario.generate, "--resume", start=LATER + 99))
    wrong = faults_of_files(stage, temporary=temporary)
    rows, bought = stage.ledger(), [job.prompt for job in stage.accepted()]
    unknown = [row.prompt for row in rows if row.status == "unknown"]
    saved = [row.prompt for row in rows if row.status == "succeeded" and not row.has_unsaved_images]
    wrong += [f"{prompt} was bought {bought.count(prompt)} times" for prompt in PROMPTS if bought.count(prompt) > 1]
    wrong += [f"{prompt} is not there" for prompt in bought if prompt not in saved]
    wrong += [f"{prompt} was forgotten" for prompt in PROMPTS if prompt not in {*saved, *unknown}]
    wrong += [f"{one.code}: {one.shown}" for one in said if one.code not in ({7, 9} if unknown else {0})]
    return wrong


@pytest.fixture
def stage(request, monkeypatch):
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None, prefix="flux-steps-") as folder:
        yield Stage(request.param, Path(folder), monkeypatch)
        monkeypatch.chdir("/")


@pytest.mark.parametrize("ending", [False, True], ids=["failing", "ending"])
@pytest.mark.parametrize("stage", SCENARIOS, ids=str, indirect=True)
def test_a_command_may_fail_or_end_at_every_step(stage, ending, record_property):
    """Nothing is bought twice, every image comes home, and every exit code is true, wherever it fails or ends.

    One step in four a run; with TORTURE=all in the environment, every one.
    """
    gc.freeze()
    untouched = stage.attempt()
    wrong = faults_at_once(stage, untouched, "")

    turn = 2 * SCENARIOS.index(stage.scenario) + ending
    mine = every(len(untouched.steps), turn, SHARE)
    for at, step in enumerate(untouched.steps, 1):
        if at not in mine:
            continue
        stage.reset()
        outcome = stage.attempt(at, ending=ending)
        temporary = ending or step == "unlink"
        in_the_end = faults_after_resuming if stage.scenario.batch else faults_in_the_end
        found = faults_at_once(stage, outcome, step) + in_the_end(stage, temporary=temporary)
        wrong += [f"{at} {step}: {fault}: {outcome.shown[-300:]}" for fault in found]

    gc.unfreeze()
    counts = ", ".join(f"{count} {name}" for name, count in Counter(untouched.steps).most_common())
    how = "ending" if ending else "failing"
    record_property(
        "summary", f"step torture, {stage.scenario}, {how}: {len(mine)} of {len(untouched.steps)} steps ({counts})"
    )
    assert untouched.code == 0
    assert not wrong, "\n".join(wrong)
