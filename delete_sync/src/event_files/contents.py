"""Shows what is in an event file to a person, also if the sync refuses the file.

A file that is refused may be damaged or foreign. So it is opened as the reader opens a file, only
tables of the format are read, and a table that cannot be read is named.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import RefusedFileError
from ..scratch import local_storage
from .event_file import EventFile
from .file_format import harden

SQLITE = b"SQLite format 3\0"


class Columns(NamedTuple):
    """The columns of a table that tell what a row is about. Empty if there is none."""

    key: str
    object_name: str
    record_id: str
    time: str


# Every table of every version of the format.
TABLES = {
    "events": Columns("event_id", "object_name", "record_id", "deleted_date"),
    "rejected_events": Columns("reject_id", "", "", "received_at"),
    "schemas": Columns("schema_id", "", "", ""),
    "resolved_rejects": Columns("reject_id", "", "", "resolved_at"),
    "restores": Columns("restore_id", "object_name", "record_id", "restored_date"),
    "gaps": Columns("gap_id", "object_name", "", "detected_at"),
    "polls": Columns("poll_id", "", "", "began_at"),
    "checks": Columns("check_id", "object_name", "", "checked_at"),
    "listed_deletes": Columns("check_id", "object_name", "record_id", "deleted_date"),
}


class Found(NamedTuple):
    """A row that was looked for. The names are those of ``--json``."""

    table: str
    id: Any
    object_name: Any
    record_id: Any
    time: Any


class Contents:
    """The content of one event file. The caller closes it after use.

    Args:
        path: the file on the local disk.
        name: its name in the container.
        sha256: the SHA-256 of its content.

    Attributes:
        refusal: why the reader refuses the file. Empty if it accepts it.
        version: the version of the format that the file claims. None if it has none.
        unreadable: the tables that could not be read, and why.

    Raises:
        LocalStorageError: the disk fails.
    """

    def __init__(self, path: Path, name: str, sha256: str) -> None:
        self.refusal = _refusal(path, name, sha256)
        self.version: int | None = None
        self.unreadable: dict[str, str] = {}
        self._connection: sqlite3.Connection | None = None
        with local_storage(f"event file {name}"), path.open("rb") as file:
            is_sqlite = file.read(len(SQLITE)) == SQLITE
        if not is_sqlite:
            return
        address = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
        connection = sqlite3.connect(address, uri=True, isolation_level=None)
        try:
            harden(connection)
            (self.version,) = connection.execute("PRAGMA user_version").fetchone()
        except sqlite3.Error as error:
            connection.close()
            self.unreadable["the file"] = _shown(error)
            return
        self._connection = connection

    def __enter__(self) -> Contents:
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection:
            self._connection.close()

    def tables(self) -> list[str]:
        """The tables of the format that the file has."""
        ordinary = self._ask(
            "the file",
            "SELECT name FROM sqlite_master WHERE type = 'table'"
            " AND upper(substr(sql, 1, 14)) <> 'CREATE VIRTUAL'",
        )
        there = {name for (name,) in ordinary}
        return [name for name in TABLES if name in there]

    def count(self, table: str) -> int | None:
        """The number of rows of a table. None if it cannot be read."""
        found = list(self._ask(table, f"SELECT COUNT(*) FROM {table} NOT INDEXED"))  # noqa: S608
        return int(found[0][0]) if found else None

    def rows(self, table: str, most: int) -> list[dict[str, Any]]:
        """The first rows of a table."""
        names = [row[1] for row in self._ask(table, f"PRAGMA table_info({table})")]
        found = self._ask(table, f"SELECT * FROM {table} NOT INDEXED LIMIT ?", [most])  # noqa: S608
        return [dict(zip(names, map(_plain, row))) for row in found]

    def of_record(self, ids: Sequence[str]) -> Iterator[Found]:
        """The rows about a record, which has these ids."""
        marks = ", ".join("?" * len(ids))
        for table, columns in TABLES.items():
            if columns.record_id:
                yield from self._found(table, f"{columns.record_id} IN ({marks})", ids)

    def between(self, begin: str, end: str) -> Iterator[Found]:
        """The rows whose time is ``begin`` or later, and before ``end``."""
        for table, columns in TABLES.items():
            if columns.time:
                wanted = f"{columns.time} >= ? AND {columns.time} < ?"
                yield from self._found(table, wanted, [begin, end])

    def _found(self, table: str, wanted: str, values: Sequence[str]) -> Iterator[Found]:
        if table not in self.tables():
            return
        shown = ", ".join(column or "NULL" for column in TABLES[table])
        rows = self._ask(
            table,
            f"SELECT {shown} FROM {table} NOT INDEXED WHERE {wanted}",  # noqa: S608
            values,
        )
        for row in rows:
            yield Found(table, *map(_plain, row))

    def _ask(self, table: str, sql: str, values: Sequence[Any] = ()) -> Iterator[Any]:
        """The rows of a query, as far as they can be read."""
        if self._connection is None:
            return
        try:
            yield from self._connection.execute(sql, values)
        except (sqlite3.Error, UnicodeError, MemoryError) as error:
            self.unreadable[table] = _shown(error)


def _refusal(path: Path, name: str, sha256: str) -> str:
    try:
        with EventFile(path, name, sha256):
            return ""
    except RefusedFileError as error:
        return str(error)


def _plain(value: Any) -> Any:
    """A value that JSON and a terminal can show: bytes in hex, and only UTF-8."""
    if isinstance(value, bytes):
        return value.hex().upper()
    if isinstance(value, str):
        return value.encode(errors="surrogateescape").decode(errors="replace")
    return value


def _shown(error: Exception) -> str:
    text = f"{type(error).__name__}: {error}"
    return "".join(letter if letter.isprintable() else "?" for letter in text)
