"""Copy what can be read of a damaged SQLite file into a new one, and keep the damaged one.

It is copied table by table and row by row, and nothing is known here of what the tables mean: a file of an older
layout comes out as one of that layout. The name of a file that is kept says whether anything of it is missing.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

_PROBED = 1_000_000
"""Rows between two that can be read which are looked for one by one, at most."""
_BEYOND = 10_000
"""The same behind the last one that can be read, where the file does not say how many there are."""

Rows = Mapping[int, tuple[object, ...]]
"""Rows of a table by their number."""


_FILES = ("", "-wal", "-shm")
"""What the names of the files end in that make up a database."""
_UNREAD, _READ = ".broken-", ".set-aside-"
"""What the names of files that are kept have in them: as long as anything of them is missing, and otherwise."""


def set_aside_name(path: Path) -> Path:
    """Return a name beside ``path`` under which it can be kept, as one that something is missing of."""
    return path.with_name(f"{path.name}{_UNREAD}{time.time_ns()}")


def move(old: Path, new: Path) -> None:
    """Rename a database. Raises ``OSError``."""
    for ending in _FILES:
        with contextlib.suppress(FileNotFoundError):
            old.with_name(old.name + ending).rename(new.with_name(new.name + ending))


def find_unread(path: Path) -> list[Path]:
    """Return the files that were kept of ``path`` and that something is missing of, the newest first."""
    found = path.parent.glob(f"{path.name}{_UNREAD}*")
    return sorted((one for one in found if not one.name.endswith(_FILES[1:])), reverse=True)


def rename_accepted(kept: Path) -> Path:
    """Give a file that was kept the name of one that nothing is missing of, and return it. Raises ``OSError``."""
    settled = kept.with_name(kept.name.replace(_UNREAD, _READ))
    move(kept, settled)
    return settled


def copy_readable_rows(old: Path, new: Path, *, wanted: frozenset[str]) -> tuple[dict[str, int], bool]:
    """Copy the tables of ``old`` to ``new``, a file that does not exist yet.

    Return how many rows of each table were copied, and whether nothing is missing. Where not even all the ``wanted``
    tables are known, nothing is copied, and ``new`` is an empty database. Only reads ``old``. Raises ``sqlite3.Error``
    where ``new`` cannot be written.
    """
    counts: dict[str, int] = {}
    whole = True
    with closing(_open(old)) as source, closing(sqlite3.connect(new, isolation_level=None)) as target:
        for name in _lay_out(source, target, wanted):
            rows, complete = _rows(source, name)
            counts[name] = _insert(target, name, rows)
            whole = whole and complete and counts[name] == len(rows)
        if target.in_transaction:
            target.execute("COMMIT")
    return counts, whole and bool(counts)


def _lay_out(source: sqlite3.Connection, target: sqlite3.Connection, wanted: frozenset[str]) -> list[str]:
    """Make the tables and indexes of one file in another, in a transaction, and return the names of the tables."""
    try:
        schema = source.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        (version,) = source.execute("PRAGMA user_version").fetchone()
        schema = [one for one in schema if not one[1].startswith("sqlite_")]  # SQLite makes those itself
        tables = [name for kind, name, _ in schema if kind == "table"]
        if not wanted <= set(tables):
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
    source.text_factory = _text
    source.execute("PRAGMA writable_schema = ON")  # else nothing is read of a file that was cut off
    return source


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _rows(source: sqlite3.Connection, table: str) -> tuple[Rows, bool]:
    """Return the rows of a table that can be read, and whether those are all."""
    found: dict[int, tuple[object, ...]] = {}
    query = f"SELECT rowid, * FROM {table}"  # noqa: S608 - a name of ours
    try:
        for number, *values in source.execute(f"{query} NOT INDEXED ORDER BY rowid"):
            found[number] = tuple(values)
    except sqlite3.Error:
        pass
    else:
        return found, not _more(source, table, len(found))
    first_gap = max(found, default=0) + 1
    with contextlib.suppress(sqlite3.Error):
        for number, *values in source.execute(f"{query} NOT INDEXED ORDER BY rowid DESC"):
            found[number] = tuple(values)
    last = min((number for number in found if number >= first_gap), default=_last(source, table, first_gap))
    for number in range(first_gap, min(last, first_gap + _PROBED)):
        with contextlib.suppress(sqlite3.Error):
            for _, *values in source.execute(f"{query} WHERE rowid = ?", (number,)):
                found[number] = tuple(values)
    return found, False


def _last(source: sqlite3.Connection, table: str, first: int) -> int:
    """Return behind which number there is no row any more, where the table itself does not tell."""
    with contextlib.suppress(sqlite3.Error, TypeError):
        (last,) = source.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
        return int(last) + 1
    return first + _BEYOND


def _more(source: sqlite3.Connection, table: str, rows: int) -> bool:
    """Whether an index knows of other rows than a table: then some of them are gone without an error."""
    for (name,) in source.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = ?", (table,)):
        with contextlib.suppress(sqlite3.Error):  # an index of some rows only, or one that is damaged itself
            (known,) = source.execute(f"SELECT COUNT(*) FROM {table} INDEXED BY {name}").fetchone()  # noqa: S608 - see above
            if known != rows:
                return True
    return False


def _insert(target: sqlite3.Connection, table: str, rows: Rows) -> int:
    """Write rows down, and return how many there was room for: none that breaks a rule of its table."""
    written = 0
    for _, values in sorted(rows.items()):
        marks = ", ".join("?" * len(values))
        with contextlib.suppress(sqlite3.IntegrityError):
            target.execute(f"INSERT INTO {table} VALUES ({marks})", values)  # noqa: S608 - see above
            written += 1
    return written
