"""How long it takes to find jobs among many: a filtered list, compared with the plain list of the same length.

Each is measured as a whole process and as the ledger's query alone, in turns, so that a busy machine is unfair to all
of them alike; the medians are compared. Words that hit nothing are the hard case: every job is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter, time

from flux_cli.jobs import Cost, Image, Job
from flux_cli.ledger.filters import JobFilter
from flux_cli.ledger.ledger import Ledger
from tests.benchmarks.ground import PROGRAM, Row, User, folder
from tests.benchmarks.spent import imports
from tests.benchmarks.startup import timed

JOBS = 10_000
RUNS, QUERIES = 15, 40
LIMIT = 20
MOST = 1.5
"""How much longer than the plain list a filtered one may take, as a process."""
DAY = 86_400.0
_PLAIN = "the plain list"
_WORDS = ("red", "old", "owl", "fox", "heron", "hare", "snow", "rain", "harbour", "engraved", "dawn", "night", "light")
_MODELS = ("flux-1.1-pro-ultra", "flux-1.1-pro", "flux-2-pro", "flux-kontext-max")
CASES: Mapping[str, tuple[list[str], Callable[[float], JobFilter]]] = {
    _PLAIN: ([], lambda _now: {}),
    "--search, the newest hit": (["--search", "FOX"], lambda _now: {"search": "FOX"}),
    "--search, the oldest hits": (["--search", "zeppelin"], lambda _now: {"search": "zeppelin"}),
    "--search, nothing hits": (["--search", "Löwe"], lambda _now: {"search": "Löwe"}),
    "--model, every fourth": (["-m", "flux-2-pro"], lambda _now: {"model": "flux-2-pro"}),
    "--model, none": (["-m", "flux-3-image"], lambda _now: {"model": "flux-3-image"}),
    "--since, a few": (["--since", "1h"], lambda now: {"since": now - DAY / 24}),
    "--since, nearly all": (["--since", "99d"], lambda now: {"since": now - 99 * DAY}),
    "all of them": (
        ["--search", "fox red", "-m", "flux-2-pro", "-p", "runware", "--since", "50d"],
        lambda now: {"search": "fox red", "model": "flux-2-pro", "provider": "runware", "since": now - 50 * DAY},
    ),
}
"""What is typed after ``flux status --offline --limit 20``, and what the ledger is asked then, given the time."""


def fill(path: Path, count: int, *, now: float) -> None:
    """Write so many finished jobs of a hundred days into a ledger, with prompts of about 200 characters."""
    with closing(Ledger(path)) as ledger, ledger._database.transaction():
        for number in range(count):
            words = (_WORDS[number * step % len(_WORDS)] for step in range(1, 41))
            prompt = " ".join(words) + (f" a zeppelin, {number}" if number < LIMIT // 2 else f" {number}")
            ledger._write(
                Job(
                    id=f"j{number:07d}", run=f"r{number:07d}", provider="runware", model=_MODELS[number % 4],
                    prompt=prompt, status="succeeded", created_at=now - 100 * DAY * (count - 1 - number) / count - 1,
                    remote_id=f"{number:036d}", seed=number, parameters={"aspect_ratio": "16:9"},
                    request={"method": "POST", "path": "/", "body": [{"positivePrompt": prompt, "seed": number}]},
                    images=(Image(url=f"https://im.example/{number:036d}.jpg", path=f"/images/{number}.jpg"),),
                    cost=Cost(amount=0.06), ready_between=(8.0, 9.0), finished_at=now,
                )
            )  # fmt: skip


@contextmanager
def somebody(count: int = JOBS) -> Generator[tuple[User, Path]]:
    """Yield a user with many jobs, and the ledger's file."""
    with folder() as place:
        user = User(place, "http://127.0.0.1:9/v1")
        path = place / ".local" / "state" / "flux-cli" / "ledger.sqlite3"
        fill(path, count, now=time())
        yield user, path


def command(case: str) -> list[str]:
    """Return the command line of a case."""
    return [PROGRAM, "status", "--offline", "--limit", str(LIMIT), *CASES[case][0]]


def processes(user: User, runs: int = RUNS) -> dict[str, float]:
    """Return the median time of each case as a process, in milliseconds."""
    times: dict[str, list[float]] = {case: [] for case in CASES}
    timed(command(_PLAIN), user.env)  # not counted: Python compiles its files
    for _ in range(runs):
        for case, found in times.items():
            found.append(timed(command(case), user.env))
    return {case: median(found) for case, found in times.items()}


def queries(path: Path, runs: int = QUERIES) -> dict[str, tuple[float, int]]:
    """Return the median time of each case as a query, in milliseconds, and how many jobs it finds."""
    times: dict[str, list[float]] = {case: [] for case in CASES}
    hits: dict[str, int] = {}
    now = time()
    with closing(Ledger(path)) as ledger:
        for _ in range(runs):
            for case, (_, filters) in CASES.items():
                start = perf_counter()
                hits[case] = len(ledger.recent(sandbox=False, limit=LIMIT, **filters(now)))
                times[case].append((perf_counter() - start) * 1000)
    return {case: (median(found), hits[case]) for case, found in times.items()}


def rows() -> list[Row]:
    """Measure everything, and return the lines of the table."""
    with somebody() as (user, path):
        asked, run = queries(path), processes(user)
    found: list[Row] = []
    for case, whole in run.items():
        query, hits = asked[case]
        ratio = whole / run[_PLAIN]
        part = f"query {query:.1f} ms, {query / asked[_PLAIN][0]:.1f} x, {hits} jobs"
        target = (f"{MOST:g} x", ratio <= MOST) if case != _PLAIN else ("", None)
        found.append(Row(f"{JOBS} jobs: {case}", f"{whole:.0f} ms, {ratio:.2f} x; {part}", *target))
    return found


def profile() -> str:
    """Return what the hard case loads."""
    with somebody(LIMIT) as (user, _):
        case = "--search, nothing hits"
        return f"flux status {case} loads\n{imports(command(case), user.env)}"
