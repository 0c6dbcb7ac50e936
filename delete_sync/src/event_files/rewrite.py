"""Searches an event file for erased records, and writes it anew without them.

Every other row keeps its values, byte for byte, and its place in the file.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..errors import RefusedFileError
from ..model import Named
from ..scratch import local_storage
from . import rows
from .erasure import OTHERS, OWN, Erased, clear, names, told_by
from .event_file import EventFile
from .file_format import harden
from .payloads import RefusedValueError

ATTACHED = 7  # SQLITE_LIMIT_ATTACHED: VACUUM INTO attaches the new file


def search(path: Path, name: str, erased: Erased) -> Named:
    """Count the rows of an event file that name an erased record.

    Args:
        path: the file on the local disk.
        name: its name in the container.
        erased: the records.

    Raises:
        RefusedFileError: the reader refuses the file, so nobody knows what is in it.
        LocalStorageError: the disk fails.
    """
    with EventFile(path, name, ""):
        pass
    with _opened(path, f"{path.resolve().as_uri()}?mode=ro&immutable=1", erased) as connection:
        return Named(_count(connection, OWN_ROWS), _count(connection, OTHER_ROWS))


def rejects(path: Path, sha256: str, erased: Erased) -> list[str]:
    """The keys of the rejects that a sweep has made of rows of the records.

    Such a reject has the payload of its row and not the record id, so it may not name the record.

    Args:
        path: a file that ``search`` has accepted.
        sha256: the digest by which keys know the file.
        erased: the records.
    """
    columns, found = ", ".join(rows.EVENTS), []
    with _opened(path, f"{path.resolve().as_uri()}?mode=ro&immutable=1", erased) as connection:
        own = f"SELECT {columns} FROM events NOT INDEXED WHERE {OWN_ROWS['events']}"  # noqa: S608
        for row in connection.execute(own):
            try:
                rows.delete(row, path.name)
            except RefusedValueError:
                found.append(rows.key_of_refused(row, sha256))
    return found


def rewrite(path: Path, new: Path, name: str, erased: Erased) -> None:
    """Write an event file anew without what names an erased record.

    Args:
        path: a file that ``search`` has accepted. It is changed, and is then of no use.
        new: the new file.
        name: the name in the container.
        erased: the records.

    Raises:
        RefusedFileError: the new file is not what it must be. Nothing was uploaded.
        LocalStorageError: the disk is full or fails.
    """
    before = _rows(path, name)
    with _opened(path, f"{path.resolve().as_uri()}?mode=rw", erased) as connection:
        removed = _count(connection, OWN_ROWS)
        connection.execute("PRAGMA query_only = OFF")
        if hasattr(connection, "setlimit"):  # Python 3.11
            connection.setlimit(ATTACHED, 1)
        connection.execute("BEGIN")
        there = _tables(connection)
        for table, column in OWN.items():
            if table in there:
                connection.execute(f"DELETE FROM {table} WHERE {_names(column)}")  # noqa: S608
        for table, columns in OTHERS.items():
            for column, how in columns.items():
                if table in there:
                    connection.execute(
                        f"UPDATE {table} SET {column} = {_cleared(column, how)}"  # noqa: S608
                        f" WHERE {_any(told_by(table, column))}"
                    )
        connection.execute("COMMIT")
        # What was removed stays in free pages of this file, so only its rows are copied.
        connection.execute("VACUUM INTO ?", [str(new)])
    if _rows(new, name) != before - removed or any(search(new, name, erased)):
        raise RefusedFileError("it was written anew, but has other rows than it must have")


def _rows(path: Path, name: str) -> int:
    with EventFile(path, name, "") as file:
        return sum(count for count, _ in file.lines())


def _names(column: str) -> str:
    # Values are passed as bytes, because a text may not be UTF-8.
    return f"names(CAST({column} AS BLOB))"


def _cleared(column: str, how: str) -> str:
    value = f"clear_{how}(CAST({column} AS BLOB))"
    return value if how == "bytes" else f"CAST({value} AS TEXT)"


def _any(columns: Iterable[str]) -> str:
    return " OR ".join(_names(column) for column in columns)


OWN_ROWS = {table: _names(column) for table, column in OWN.items()}
OTHER_ROWS = {
    table: f"NOT {OWN_ROWS[table]} AND ({_any(columns)})" if table in OWN else _any(columns)
    for table, columns in OTHERS.items()
}


def _count(connection: sqlite3.Connection, wanted: dict[str, str]) -> int:
    found = 0
    for table in _tables(connection):
        if table in wanted:
            ((count,),) = connection.execute(
                f"SELECT COUNT(*) FROM {table} NOT INDEXED WHERE {wanted[table]}"  # noqa: S608
            )
            found += int(count)
    return found


def _tables(connection: sqlite3.Connection) -> list[str]:
    """The tables of the file. Those of an older format are fewer."""
    found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return [str(name) for (name,) in found]


@contextlib.contextmanager
def _opened(path: Path, address: str, erased: Erased) -> Iterator[sqlite3.Connection]:
    """A connection with the functions that the statements use."""

    def names_one(value: Any) -> bool:
        return names(value, erased)

    def clear_one(how: str, value: Any) -> Any:
        text = clear(how, value, erased)
        return text.encode(errors="surrogateescape") if isinstance(text, str) else text

    try:
        with local_storage(f"event file {path.name}"):
            connection = sqlite3.connect(address, uri=True, isolation_level=None)
            try:
                harden(connection)
                connection.create_function("names", 1, names_one)
                for how in ("value", "text", "payload", "bytes"):
                    connection.create_function(
                        f"clear_{how}", 1, lambda value, how=how: clear_one(how, value)
                    )
                yield connection
            finally:
                connection.close()
    except (sqlite3.Error, UnicodeError, MemoryError) as error:
        raise RefusedFileError(f"it cannot be read: {type(error).__name__}") from None
