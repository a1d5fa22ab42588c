"""What the sandbox remembers: one small JSON file a job, written whole, shared by processes and threads.

Who was first is decided by the file system: a record is written under a name of its own and then linked to the job's
name, which fails if that name is taken. So there are no locks, and nobody ever sees half a record.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from flux_cli.sandbox.life import SLOWNESS, Job, rehearsals

_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")


class Store:
    """The records of one kind, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, name: str, record: Any) -> tuple[Any, bool]:
        """Keep ``record`` unless the name is taken; return the one that is kept, and whether it is the new one."""
        temporary = self._write(record)
        try:
            os.link(temporary, self._path(name))
        except FileExistsError:
            return self.get(name), False
        finally:
            temporary.unlink()
        return record, True

    def put(self, name: str, record: Any) -> None:
        """Keep ``record`` in place of whatever is there."""
        self._write(record).replace(self._path(name))

    def get(self, name: str) -> Any:
        """Return the record of that name, or ``None``."""
        if not _NAME.fullmatch(name):
            return None
        try:
            return json.loads(self._path(name).read_bytes())
        except (FileNotFoundError, ValueError):
            return None

    def put_bytes(self, name: str, held: bytes) -> None:
        """Keep ``held`` beside the record of that name."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._path(name).with_suffix(".bin").write_bytes(held)

    def get_bytes(self, name: str) -> bytes | None:
        """Return what is kept beside the record of that name, or ``None``."""
        if not _NAME.fullmatch(name):
            return None
        try:
            return self._path(name).with_suffix(".bin").read_bytes()
        except FileNotFoundError:
            return None

    def names(self) -> list[str]:
        """Return the names of all records."""
        return [path.stem for path in self.folder.glob("*.json")]

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _write(self, record: Any) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self.folder / f".{uuid4().hex}.tmp"
        temporary.write_bytes(json.dumps(record).encode())
        return temporary


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """All that one provider of the sandbox needs to know of the rest of the world."""

    provider: str
    folder: Path
    now: Callable[[], float]
    """Seconds since 1970."""
    hold: float
    """Seconds that an ordinary job takes."""
    links: str
    """Root of the links to images, without a trailing slash."""

    def add(self, job: Job) -> tuple[Job, bool]:
        """Keep ``job`` unless its id is taken; return the job of that id, and whether it is the new one."""
        kept, new = self._jobs.add(job.id, asdict(job))
        return Job(**kept), new

    def accept(self, **asked: Any) -> tuple[Job, bool]:
        """Make a job now, as long as its prompt wants, and keep it as `add` does."""
        slow = SLOWNESS if "slow" in rehearsals(asked["prompt"]) else 1
        return self.add(Job(**dict[str, Any](created=self.now(), hold=self.hold * slow) | asked))

    def job(self, name: str) -> Job | None:
        """Return the job of that id, or ``None``."""
        found = self._jobs.get(name)
        return None if found is None else Job(**found)

    def cancel(self, job: Job) -> None:
        """Take ``job`` off the queue for good."""
        self._jobs.put(job.id, asdict(replace(job, cancelled=True)))

    def jobs(self) -> list[Job]:
        """Return all jobs, the newest first."""
        found = [job for name in self._jobs.names() if (job := self.job(name)) is not None]
        return sorted(found, key=lambda job: (job.created, job.id), reverse=True)

    @property
    def uploads(self) -> Store:
        """The files that were sent ahead of a job: their descriptions, with the bytes beside them."""
        return Store(self.folder / self.provider / "uploads")

    @property
    def tasks(self) -> Store:
        """The ids of requests that made no job, where no id may be used twice."""
        return Store(self.folder / self.provider / "tasks")

    @property
    def _jobs(self) -> Store:
        return Store(self.folder / self.provider)
