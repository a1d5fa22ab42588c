"""Copy what can be read of a damaged SQLite file into a new one, and keep the damaged one.

The copy goes table by table and row by row and knows nothing of what the tables mean, so a file keeps its layout. The
name of a kept file says whether anything of it is missing.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

_PROBED = 1_000_000
"""Rows to look for one by one in a gap between readable rows, at most."""
_BEYOND = 10_000
"""The same behind the last readable row, where the file does not say how many there are."""

Rows = Mapping[int, tuple[object, ...]]
"""Rows of a table by their rowid."""

_FILES = ("", "-wal", "-shm")
"""Suffixes of the files that make up a database."""
_UNREAD, _READ = ".broken-", ".set-aside-"
"""Infixes of the names of kept files: while anything of them is missing, and otherwise."""


def set_aside_name(path: Path) -> Path:
    """Return a name beside ``path`` for a damaged file of which something is missing."""
    return path.with_name(f"{path.name}{_UNREAD}{time.time_ns()}")


def move(old: Path, new: Path) -> None:
    """Rename a database. Raises ``OSError``."""
    for ending in _FILES:
        with contextlib.suppress(FileNotFoundError):
            old.with_name(old.name + ending).rename(new.with_name(new.name + ending))


def find_unread(path: Path) -> list[Path]:
    """Return the kept files of ``path`` of which something is missing, the newest first."""
    found = path.parent.glob(f"{path.name}{_UNREAD}*")
    return sorted((one for one in found if not one.name.endswith(_FILES[1:])), reverse=True)


def rename_accepted(kept: Path) -> Path:
    """Rename a kept file to say that nothing is missing of it, and return its path. Raises ``OSError``."""
    accepted = kept.with_name(kept.name.replace(_UNREAD, _READ))
    move(kept, accepted)
    return accepted


def copy_readable_rows(old: Path, new: Path, *, required: frozenset[str]) -> tuple[dict[str, int], bool]:
    """Copy the tables of ``old`` to ``new``, a file that does not exist yet.

    Return how many rows of each table were copied, and whether nothing is missing. Where ``old`` lacks one of the
    ``required`` tables, nothing is copied, and ``new`` is an empty database. Only reads ``old``. Raises
    ``sqlite3.Error`` where ``new`` cannot be written.
    """
    counts: dict[str, int] = {}
    whole = True
    with closing(_open(old)) as source, closing(sqlite3.connect(new, isolation_level=None)) as target:
        for name in _copy_schema(source, target, required):
            rows, complete = _read_rows(source, name)
            counts[name] = _insert(target, name, rows)
            whole = whole and complete and counts[name] == len(rows)
        if target.in_transaction:
            target.execute("COMMIT")
    return counts, whole and bool(counts)


def _copy_schema(source: sqlite3.Connection, target: sqlite3.Connection, required: frozenset[str]) -> list[str]:
    """Begin a transaction that creates one file's tables and indexes in another, and return the tables' names."""
    try:
        schema = source.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        (version,) = source.execute("PRAGMA user_version").fetchone()
        schema = [one for one in schema if not one[1].startswith("sqlite_")]  # SQLite makes those itself
        tables = [name for kind, name, _ in schema if kind == "table"]
        if not required <= set(tables):
            return []
        target.execute("BEGIN")
        for _, _, statement in sorted(schema, key=lambda one: one[0] != "table"):
            target.execute(statement)
        target.execute(f"PRAGMA user_version = {version:d}")
    except sqlite3.Error:
        if target.in_transaction:
            target.execute("ROLLBACK")
        return []
    return tables


def _open(path: Path) -> sqlite3.Connection:
    source = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    source.text_factory = _decode
    source.execute("PRAGMA writable_schema = ON")  # else nothing can be read of a truncated file
    return source


def _decode(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _read_rows(source: sqlite3.Connection, table: str) -> tuple[Rows, bool]:
    """Return the readable rows of a table, and whether these are all."""
    found: dict[int, tuple[object, ...]] = {}
    query = f"SELECT rowid, * FROM {table}"  # noqa: S608 - a name of ours
    try:
        for number, *values in source.execute(f"{query} NOT INDEXED ORDER BY rowid"):
            found[number] = tuple(values)
    except sqlite3.Error:
        pass
    else:
        return found, not _has_more(source, table, len(found))
    first_gap = max(found, default=0) + 1
    with contextlib.suppress(sqlite3.Error):
        for number, *values in source.execute(f"{query} NOT INDEXED ORDER BY rowid DESC"):
            found[number] = tuple(values)
    last = min((number for number in found if number >= first_gap), default=_end_of_table(source, table, first_gap))
    for number in range(first_gap, min(last, first_gap + _PROBED)):
        with contextlib.suppress(sqlite3.Error):
            for _, *values in source.execute(f"{query} WHERE rowid = ?", (number,)):
                found[number] = tuple(values)
    return found, False


def _end_of_table(source: sqlite3.Connection, table: str, first: int) -> int:
    """Return the first rowid behind a table's last row, where its rows cannot show it."""
    with contextlib.suppress(sqlite3.Error, TypeError):
        (last,) = source.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
        return int(last) + 1
    return first + _BEYOND


def _has_more(source: sqlite3.Connection, table: str, rows: int) -> bool:
    """Whether an index has other rows than its table: then some are missing without an error."""
    for (name,) in source.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = ?", (table,)):
        with contextlib.suppress(sqlite3.Error):  # a partial index, or a damaged one
            (known,) = source.execute(f"SELECT COUNT(*) FROM {table} INDEXED BY {name}").fetchone()  # noqa: S608 - see above
            if known != rows:
                return True
    return False


def _insert(target: sqlite3.Connection, table: str, rows: Rows) -> int:
    """Insert rows, and return how many: a row that breaks a constraint of its table is left out."""
    written = 0
    for _, values in sorted(rows.items()):
        marks = ", ".join("?" * len(values))
        with contextlib.suppress(sqlite3.IntegrityError):
            target.execute(f"INSERT INTO {table} VALUES ({marks})", values)  # noqa: S608 - see above
            written += 1
    return written
