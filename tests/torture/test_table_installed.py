"""Some cells of the table once more as people have them: the installed program, real sockets, real time.

One cell of each operation starts the installed program, the others start it warm.
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import sqlite3
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from flux_cli.providers import load
from flux_cli.sandbox.wire import Answer, Call, LostReply
from tests import json_lines
from tests.bare import bare
from tests.e2e.conftest import KEYS
from tests.e2e.process import FLUX
from tests.hosts import find_kind
from tests.loopback import PROVIDERS, LoopbackServer
from tests.torture.share import one_of_each
from tests.torture.table import OPERATIONS

AT_ONCE = 8
_HTML = b"<!doctype html><title>Sign in to the guest network</title>"
_NO = json.dumps({"error": "no", "message": "no"}).encode()
_TIMED_OUT = {8, 10}
"""The exit codes of what is tried until the time is over: a wait, and a download."""
_BUY = ("generate", "a fox", "-s", "5", "-o", "out/", "-p")


def closed(world: Callable[[], Answer]) -> Answer:
    """Do the work, and hang up."""
    world()
    raise LostReply


def halved(world: Callable[[], Answer]) -> Answer:
    """Do the work, and hang up in the middle of the answer."""
    good = world()
    headers = {**good.headers, "content-length": str(len(good.body))}
    return Answer(status=good.status, headers=headers, body=good.body[: len(good.body) // 2])


def says(status: int, body: bytes, world: Callable[[], Answer], *, worked: bool = True, **headers: str) -> Answer:
    """Answer something else, after the work or in its place."""
    if worked:
        world()
    return Answer(status=status, headers=headers, body=body)


@dataclass(frozen=True)
class Cell:
    """One field of the table, and the exit code and the status that it must come to."""

    operation: str
    provider: str
    fault: str
    code: int
    status: str
    accepted: int = 1
    lasting: bool = True


def row(operation: str, fault: str, code: int, status: str, *names: str, **more: object) -> list[Cell]:
    """Return cells that differ in their provider only."""
    return [Cell(operation, name, fault, code, status, **more) for name in names or PROVIDERS]


FAULTS: dict[str, Callable[[Callable[[], Answer]], Answer]] = {
    "closed": closed,
    "half": halved,
    "html": partial(says, 200, _HTML),
    "deep": partial(says, 200, b"[" * 100_000),
    "500": partial(says, 500, _NO),
    "302": partial(says, 302, b"", location="https://elsewhere.invalid/"),
    "401": partial(says, 401, _NO, worked=False),
    "402": partial(says, 402, _NO, worked=False),
    "404": partial(says, 404, _NO, worked=False),
}
CELLS = [
    *row("submit", "refused", 4, "failed", accepted=0),
    *row("submit", "closed", 7, "unknown", "runcomfy", "runflow"),
    *row("submit", "closed", 0, "succeeded", "apiframe", "runware", lasting=False),
    *row("submit", "half", 7, "unknown", "runcomfy", "runflow"),
    *row("submit", "html", 7, "unknown"),
    *row("submit", "deep", 7, "unknown", "runcomfy", "apiframe"),
    *row("submit", "302", 7, "unknown", "runcomfy", "runflow"),
    *row("submit", "401", 3, "failed", accepted=0),
    *row("submit", "402", 6, "failed", "apiframe", "runflow", accepted=0),
    *row("poll", "500", 8, "queued", "runflow", "apiframe"),
    *row("poll", "closed", 0, "succeeded", "runcomfy", "runware", lasting=False),
    *row("poll", "html", 0, "succeeded", "runflow", "apiframe", lasting=False),
    *row("poll", "401", 3, "queued", "runcomfy", "runware"),
    *row("download", "half", 0, "succeeded", lasting=False),
    *row("download", "404", 10, "succeeded", "apiframe", "runware"),
    *row("download", "html", 10, "succeeded", "runcomfy"),
    *row("submit", "no room", 2, "", "runflow", accepted=0),
    *row("check", "401", 3, "", "runware", accepted=0),
    *row("check", "html", 1, "", "runcomfy", accepted=0),
    *row("cancel", "closed", 7, "queued", "runcomfy"),
]


def _script(cell: Cell, server: LoopbackServer) -> Callable[[Call], Answer | None]:
    """Return what happens to the requests of a cell's operation."""
    hits: list[Call] = []

    def script(call: Call) -> Answer | None:
        file = call.path.endswith((".png", ".jpg", ".webp"))
        found = "file" if file else find_kind(cell.provider, call.method, call.path, call.body)
        if found not in OPERATIONS[cell.operation] or cell.fault not in FAULTS or (hits and not cell.lasting):
            return None
        hits.append(call)
        ask = server.world.file_as if file else server.world.answer_as
        return FAULTS[cell.fault](lambda: ask(cell.provider, call))

    return script


def _flux(
    home: Path, env: dict[str, str], *words: str, program: str = FLUX, most: int | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program; ``most`` is the size of the largest file that it can write."""
    limit = None if most is None else lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    done = subprocess.run(
        [program, *words],
        env=env,
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        preexec_fn=limit,
    )
    json_lines.check_output(done.stdout)
    return done


def attempt(cell: Cell, home: Path, program: str, warm: str) -> str:
    """Run a cell with a program, and what comes before and after it ``warm``. Return what is wrong, or nothing."""
    home.mkdir()
    variable, key = KEYS[cell.provider]
    base = f"FLUX_PROVIDERS__{cell.provider.upper()}__BASE_URL"
    with LoopbackServer(home / "host", hold=1000.0 if cell.operation == "cancel" else 0.0) as server:
        env = {"HOME": str(home), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", variable: key}
        env[base] = server.base_url(cell.provider)
        if cell.operation == "cancel":
            _flux(home, env, *_BUY[:4], "-p", cell.provider, "--no-wait", program=warm)
        server.script = _script(cell, server)
        words = {"check": ("providers", cell.provider, "--check"), "cancel": ("cancel", "@1")}
        broken = {**env, base: "http://127.0.0.1:9/v1"} if cell.fault == "refused" else env
        done = _flux(
            home,
            broken,
            *words.get(cell.operation, (*_BUY, cell.provider, "--timeout", "4" if cell.code in _TIMED_OUT else "60")),
            program=program,
            most=1 << 18 if cell.fault == "no room" else None,
        )
        found = [] if done.returncode == cell.code else [f"exit {done.returncode}: {done.stderr}"]
        found += _wrong(cell, home, server, done.stdout + done.stderr, cell.status)
        server.script = None
        if cell.accepted and cell.code and cell.operation != "cancel":
            later = _flux(home, env, "result", "--wait", "@1", "-o", "out/", program=warm)
            found_again = load(cell.provider).find is not None and not load(cell.provider).origins  # at one address
            lost = not found_again and cell.operation == "submit"
            found += [] if later.returncode == (7 if lost else 0) else [f"follow-up {later.returncode}: {later.stderr}"]
            found += _wrong(cell, home, server, later.stdout + later.stderr, "unknown" if lost else "succeeded")
            images = [bare(path.read_bytes()) for path in home.glob("out/*")]
            found += [] if lost or (len(images) == 1 and images[0] in server.images.values()) else ["no image at home"]
    return f"{cell}: {found}" if found else ""


def _wrong(cell: Cell, home: Path, server: LoopbackServer, shown: str, status: str) -> list[str]:
    """Return which of the invariants do not hold."""
    key = KEYS[cell.provider][1]
    files = [path for path in home.rglob("*") if path.is_file() and home / "host" not in path.parents]
    rows = []
    for path in home.rglob("ledger.sqlite3"):
        database = sqlite3.connect(path)
        rows = [row[0] for row in database.execute("SELECT status FROM jobs")]
        rows += [f"{said}!" for (said,) in database.execute("PRAGMA integrity_check") if said != "ok"]
        database.close()
    checks = {
        "a traceback": "Traceback" in shown or "unexpected" in shown,
        "a key": key in shown or any(key.encode() in path.read_bytes() for path in files),
        "a temporary file": any(path.name.startswith(".flux-") for path in files),
        f"accepted {server.accepted(cell.provider)}": server.accepted(cell.provider) != cell.accepted,
        f"ledger {rows}": rows != ([status] if status else []),
    }
    return [name for name, wrong in checks.items() if wrong]


def test_the_installed_program_keeps_the_promises_of_the_table(tmp_path, record_property, warm_program):
    """Over real sockets too: true exit codes and ledger, one purchase at most, and every image comes home."""
    cells = list(one_of_each(CELLS, lambda cell: (cell.operation, cell.fault, cell.lasting)))
    homes = [tmp_path / f"home-{number}" for number in range(len(cells))]
    cold = [
        [one.operation for one in cells].index(operation)
        for operation in ("submit", "poll", "cancel", "check", "download")
    ]
    cold += [number for number, one in enumerate(cells) if one.fault == "no room"]  # a limit of the process itself
    programs = [FLUX if number in cold else warm_program for number in range(len(cells))]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        tried = pool.map(attempt, cells, homes, programs, itertools.repeat(warm_program))
        wrong = [one for one in tried if one]

    record_property(
        "summary", f"torture table, installed: {len(cells)} of {len(CELLS)} cells over real sockets, {len(wrong)} wrong"
    )
    assert wrong == []
