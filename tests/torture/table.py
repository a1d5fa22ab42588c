"""The table: which fault can meet which operation, and what must then be true. Nothing here is read off the program."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from flux_cli.providers import NAMES, load
from tests.torture.faults import FAULTS, Fault

OPERATIONS = {
    "submit": frozenset({"submit"}),
    "poll": frozenset({"queue", "read"}),
    "result": frozenset({"outcome", "read"}),
    "download": frozenset({"file"}),
    "cancel": frozenset({"cancel"}),
    "status": frozenset({"queue", "read"}),
    "check": frozenset({"check"}),
}
"""Each operation, and the kinds of request that are it."""
ABSENCE = dict.fromkeys(NAMES, 10_000.0) | {"bfl": 300.0, "replicate": 3000.0}
"""Seconds until the user comes back, by provider: some keep images for minutes."""
REPEATABLE = frozenset({"apiframe", "runware"})
"""Who has a handle that makes a repeat of the submit safe."""
_TWINS = {
    *(
        "no such host",
        "no route",
        "TLS refused",
        "405",
        "410",
        "connect time-out",
        "bad certificate",
        "closed without a reply",
        "read time-out",
    ),
    *("502 HTML", "504", "429 in a year", "200 empty", "200 of a wrong shape", "200 of 100,000 levels"),
    *("200 gzip bomb", "200 not the gzip it says", "403 HTML", "402"),
}
"""Faults that pass as another one of the same proof does: only their staying is tried."""
_TURNED_AWAY = {"apiframe"}
"""Who documents that a 503 means that nothing was accepted; elsewhere it may mean anything."""
_CODES = {401: 3, 403: 3, 402: 6}
_GONE = {400, 401, 403, 404}
"""What a link answers that no longer works, so that a new one is worth asking for."""


@dataclass(frozen=True)
class Cell:
    """One field of the table. The fault lasts until the command has ended, or hits once and passes."""

    fault: Fault
    operation: str
    provider: str
    lasting: bool

    def __str__(self) -> str:
        return f"{self.operation}-{self.provider}-{self.fault.name}-{'lasting' if self.lasting else 'passing'}"


@dataclass(frozen=True)
class Truth:
    """What a command must come to."""

    code: int
    statuses: frozenset[str]
    """How the job may stand in the ledger; empty where there must be no job."""
    accepted: int = 1
    """Jobs that the host has."""
    saved: bool = False


def impossible(fault: Fault, operation: str, provider: str) -> str:
    """Return why a fault cannot meet an operation, or nothing where it can."""
    if operation == "cancel" and load(provider).cancel is None:
        return f"{provider} has no cancel: nothing is sent"
    if fault.scope == "file" and operation != "download":
        return "only an image is downloaded to the disk"
    if fault.scope not in {"any", "file"} and operation == "download":
        return "an image is no JSON: it has no fields to alter"
    if fault.scope == "links" and operation not in {"poll", "result"}:
        return "links come with the answer to a read"
    if fault.scope == "links" and (provider, operation) in {("runcomfy", "poll"), ("fal", "poll")}:
        return "the queue tells no links: its result does"
    if "status" in fault.name and (provider, operation) == ("fal", "result"):
        return "fal's results have no status: its queue does"
    if fault.scope not in {"any", "api", "file", "links"} and operation not in fault.scope.split():
        return "the answer has no such field"
    return ""


def cells() -> list[Cell]:
    """Return every cell that can be: with a lasting fault, and with a passing one where that makes a difference."""
    found: list[Cell] = []
    for operation in OPERATIONS:
        for provider in NAMES:
            for fault in FAULTS:
                if not impossible(fault, operation, provider):
                    found.append(Cell(fault, operation, provider, lasting=True))
                    if fault.name in _TWINS or operation in {"status", "check"}:
                        continue
                    if operation == "result" and fault.proof in {"busy", "unsent"}:  # as at poll
                        continue
                    if truth(Cell(fault, operation, provider, lasting=False)) != truth(found[-1]):
                        found.append(Cell(fault, operation, provider, lasting=False))
    return found


def described() -> str:
    """Return the size of the table in a line, with the cells that cannot be by their reason."""
    everything = [(fault, operation, name) for fault in FAULTS for operation in OPERATIONS for name in NAMES]
    reasons = Counter(reason for one in everything if (reason := impossible(*one)))
    named = "; ".join(f"{count} because {reason}" for reason, count in reasons.most_common())
    size = f"{len(FAULTS)} faults x {len(OPERATIONS)} operations x {len(NAMES)} providers = {len(everything)} cells"
    cannot = reasons.total()
    return f"torture table: {size}: {len(everything) - cannot} run, {cannot} cannot be ({named})"


def truth(cell: Cell) -> Truth:
    """Return what a cell must come to."""
    rules = {"submit": _submit, "download": _download, "cancel": _cancel, "check": _check}
    return rules.get(cell.operation, _read)(cell, _proof(cell))


def _proof(cell: Cell) -> str:
    if cell.fault.name == "503" and cell.operation != "download" and cell.provider in _TURNED_AWAY:
        return "busy"
    if cell.fault.proof == "slow" and (cell.operation != "submit" or cell.provider in REPEATABLE):
        return "busy"
    return cell.fault.proof


_SAVED = Truth(0, frozenset({"succeeded"}), saved=True)
_GOES_ON = frozenset({"queued", "running"})


def _submit(cell: Cell, proof: str) -> Truth:
    """A submit is repeated only where nothing was accepted, or under a handle; a lost answer is never a no."""
    unknown = Truth(7, frozenset({"unknown"}))
    match proof:
        case "unsent" | "busy":
            return Truth(4, frozenset({"failed"}), accepted=0) if cell.lasting else _SAVED
        case "slow":
            return Truth(4, frozenset({"failed"}), accepted=0)
        case "refused":
            code = 2 if cell.fault.status == 400 else _CODES.get(cell.fault.status, 1)
            return Truth(code, frozenset({"failed"}), accepted=0)
        case "lost" | "moved":
            return unknown if cell.lasting or cell.provider not in REPEATABLE else _SAVED
        case "strange":  # Runware's ids are ours, and a state never heard of is no reason to despair of a job
            again = not cell.lasting and cell.provider in REPEATABLE
            return _SAVED if cell.provider == "runware" or "status" in cell.fault.name or again else unknown
        case _:  # where a repeat is safe, what makes no sense is asked for once more
            return unknown if cell.lasting or cell.provider not in REPEATABLE else _SAVED


def _read(cell: Cell, proof: str) -> Truth:
    """A look that fails harms no job that is paid for: `generate` waits, `result` and `status` say what is known."""
    waits = cell.operation == "poll"
    if cell.operation == "status":
        if proof == "strange":
            return Truth(0, _GOES_ON)
        passes = not cell.lasting and proof not in {"refused", "moved"}
        return Truth(0, frozenset({"succeeded"})) if passes else Truth(4, _GOES_ON)
    over = Truth(8 if waits else 1 if proof == "garbled" else 4, _GOES_ON)
    if proof == "strange" and "link" in cell.fault.name:
        if "scheme" in cell.fault.name or "file" in cell.fault.name:
            return Truth(8 if waits else 1, _GOES_ON) if cell.lasting else _SAVED
        return Truth(10, frozenset({"succeeded"})) if cell.lasting else _SAVED
    if proof == "strange" and (cell.provider, cell.operation) == ("fal", "result"):  # all that it has is links
        return Truth(1, _GOES_ON) if cell.lasting else _SAVED
    if proof == "strange":
        return Truth(8, _GOES_ON) if cell.lasting or not waits else _SAVED
    if proof in {"refused", "moved"}:
        once = cell.fault.status == 404 and waits and not cell.lasting
        return _SAVED if once else Truth(_CODES.get(cell.fault.status, 1), _GOES_ON)
    return over if cell.lasting else _SAVED


def _download(cell: Cell, proof: str) -> Truth:
    """A download that fails leaves the job as it is, and the image collectable."""
    unsaved = Truth(10, frozenset({"succeeded"}))
    away = cell.fault.status in {302, 307} and "circles" not in cell.fault.name
    if away or proof == "strange":  # followed, without a key; and nothing is decoded to be saved
        return _SAVED
    if proof == "disk":
        return unsaved
    return unsaved if cell.lasting else _SAVED


def _cancel(cell: Cell, proof: str) -> Truth:
    """A cancel whose answer is lost may have been heard, and a repeat does no harm."""
    cancelled = Truth(0, frozenset({"cancelled"}))
    match proof:
        case "unsent" | "busy":
            return Truth(4, frozenset({"queued"})) if cell.lasting else cancelled
        case "lost" | "moved":
            return Truth(7, frozenset({"queued"})) if cell.lasting else cancelled
        case "refused":
            return Truth(_CODES.get(cell.fault.status, 1), frozenset({"queued"}))
        case _:
            return cancelled


def _check(cell: Cell, proof: str) -> Truth:
    """A key works only where the host says so."""
    match proof:
        case "unsent" | "busy" | "lost":
            return Truth(4 if cell.lasting else 0, frozenset(), accepted=0)
        case "strange":
            return Truth(0, frozenset(), accepted=0)
        case "garbled":
            return Truth(1, frozenset(), accepted=0)
        case _:
            return Truth(_CODES.get(cell.fault.status, 1), frozenset(), accepted=0)
