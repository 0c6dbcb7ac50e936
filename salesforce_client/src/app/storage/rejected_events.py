"""Reads the rejected events of an event file, of any version of the format."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

from ..errors import EventFileError
from ..model import RejectedEvent, StoredRejects, moment_of
from ..scratch import local_storage

APPLICATION_ID = 1_396_991_060  # as in ``event_file.sql``
NEWEST = 2  # the version of ``event_file.sql``
TYPES = tuple(
    bytes if column in ("replay_id", "payload") else str for column in RejectedEvent._fields
)
COLUMNS = ", ".join(RejectedEvent._fields)


def read_rejects(path: Path, name: str) -> StoredRejects:
    """The rejected events of an event file on this machine, and their schemas.

    Args:
        path: the file. It is opened read-only.
        name: what to call the file in messages.

    Raises:
        EventFileError: the file is not an event file, is too new, or is damaged.
        LocalStorageError: the file cannot be opened, or the disk fails.
    """
    about = f"event file {name}"
    try:
        with local_storage(about):
            _check_length(path)
            address = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
            with contextlib.closing(sqlite3.connect(address, uri=True)) as connection:
                connection.execute("PRAGMA trusted_schema = OFF")
                return _read(connection)
    except (_Unusable, sqlite3.Error, UnicodeError) as error:
        raise EventFileError(
            f"{about}: {error}, so its rejected events cannot be decoded again. Nothing is changed."
            " Check that this is an event file of the collector, and that it was not changed:"
            " see 'EventFileError' in docs/operations.md"
        ) from None


class _Unusable(Exception):  # noqa: N818  (``read_rejects`` turns it into an error of the app)
    """The file is no event file that this module can read. The text says why."""


def _check_length(path: Path) -> None:
    """Compare the length with the header. SQLite does not notice that the end of a file is cut."""
    size = path.stat().st_size
    with path.open("rb") as file:
        header = file.read(100)
    if len(header) < 100 or not header.startswith(b"SQLite format 3\0"):
        raise _Unusable("it is not a SQLite file")
    page_size = int.from_bytes(header[16:18], "big")
    expected = (65536 if page_size == 1 else page_size) * int.from_bytes(header[28:32], "big")
    if header[18:20] != b"\x01\x01" or size != expected:
        raise _Unusable("it is damaged or cut off")


def _read(connection: sqlite3.Connection) -> StoredRejects:
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application_id != APPLICATION_ID:
        raise _Unusable("it is not an event file")
    if not 1 <= version <= NEWEST:
        raise _Unusable(f"its format is {version}, and this collector knows 1 to {NEWEST}")
    objects = dict(connection.execute("SELECT name, type FROM sqlite_master"))
    tables = ["rejected_events"] if version == 1 else ["rejected_events", "schemas"]
    for table in tables:
        if objects.get(table) != "table":
            raise _Unusable(f"it has no table {table}")
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise _Unusable("it is damaged")
    rejects = [
        _reject(row)
        for row in connection.execute(
            f"SELECT {COLUMNS} FROM rejected_events ORDER BY rowid"  # noqa: S608  (our own names)
        )
    ]
    schemas = (
        dict(connection.execute("SELECT schema_id, schema_json FROM schemas"))
        if version > 1
        else {}
    )
    return StoredRejects(rejects, schemas)


def _reject(row: tuple[Any, ...]) -> RejectedEvent:
    reject = RejectedEvent(*row)
    if tuple(map(type, row)) != TYPES:
        raise _Unusable("a value in rejected_events has the wrong type")
    try:
        moment_of(reject.received_at)
    except ValueError:
        raise _Unusable("a received_at in rejected_events is not a time") from None
    return reject
