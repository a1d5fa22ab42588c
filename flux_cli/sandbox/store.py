"""Store the jobs of the sandbox: one small JSON file per job, shared by processes and threads.

The file system decides which writer is first: a record is written under a temporary name and then linked to the job's
name, which fails if that name is taken. So no locks are needed, and no reader sees half a record.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from flux_cli.sandbox.life import SLOWNESS, Job, rehearsals

_NAME = r"[A-Za-z0-9_-]{1,128}"


class Store:
    """The records of one kind, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, name: str, record: Any) -> tuple[Any, bool]:
        """Store ``record`` unless the name is taken; return the stored record, and whether it is new."""
        temporary = self._write(record)
        try:
            os.link(temporary, self._path(name))
        except FileExistsError:
            return self.get(name), False
        finally:
            temporary.unlink()
        return record, True

    def put(self, name: str, record: Any) -> None:
        """Store ``record``, replacing any other of that name."""
        self._write(record).replace(self._path(name))

    def get(self, name: str) -> Any:
        """Return the record with this name, or ``None``."""
        if not re.fullmatch(_NAME, name):
            return None
        try:
            return json.loads(self._path(name).read_bytes())
        except (FileNotFoundError, ValueError):
            return None

    def put_bytes(self, name: str, data: bytes) -> None:
        """Store ``data`` next to the record with this name."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._path(name).with_suffix(".bin").write_bytes(data)

    def get_bytes(self, name: str) -> bytes | None:
        """Return the data stored next to the record with this name, or ``None``."""
        if not re.fullmatch(_NAME, name):
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
    """The surroundings of one provider in the sandbox: its clock, folder and links."""

    provider: str
    folder: Path
    now: Callable[[], float]
    """Seconds since 1970."""
    hold: float
    """Seconds that an ordinary job takes."""
    links: str
    """Root of the links to images, without a trailing slash."""

    def add(self, job: Job) -> tuple[Job, bool]:
        """Store ``job`` unless its id is taken; return the stored job, and whether it is new."""
        kept, new = self._jobs.add(job.id, asdict(job))
        return Job(**kept), new

    def accept(self, **fields: Any) -> tuple[Job, bool]:
        """Make a job now and store it as `add` does; its prompt can make it slow."""
        slow = SLOWNESS if "slow" in rehearsals(fields["prompt"]) else 1
        return self.add(Job(**dict[str, Any](created=self.now(), hold=self.hold * slow) | fields))

    def job(self, name: str) -> Job | None:
        """Return the job with this id, or ``None``."""
        found = self._jobs.get(name)
        return None if found is None else Job(**found)

    def cancel(self, job: Job) -> None:
        """Cancel ``job``."""
        self._jobs.put(job.id, asdict(replace(job, cancelled=True)))

    def jobs(self) -> list[Job]:
        """Return all jobs, the newest first."""
        found = [job for name in self._jobs.names() if (job := self.job(name)) is not None]
        return sorted(found, key=lambda job: (job.created, job.id), reverse=True)

    @property
    def uploads(self) -> Store:
        """Uploaded files: their descriptions, with their data next to them."""
        return Store(self.folder / self.provider / "uploads")

    def keep_input(self, content: bytes) -> str:
        """Store an input image, and return its name."""
        name = hashlib.sha256(content).hexdigest()
        if self._inputs.get_bytes(name) is None:
            self._inputs.put_bytes(name, content)
        return name

    def input(self, name: str) -> bytes | None:
        """Return a stored input image, or ``None``."""
        return self._inputs.get_bytes(name) if name else None

    @property
    def _inputs(self) -> Store:
        return Store(self.folder / self.provider / "inputs")

    @property
    def tasks(self) -> Store:
        """The ids of requests that made no job, for providers that allow each id once."""
        return Store(self.folder / self.provider / "tasks")

    @property
    def _jobs(self) -> Store:
        return Store(self.folder / self.provider)
