"""Reads the rejected events of an event file, of any version of the format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..model.rows import RejectedEvent, StoredRejects
from ..model.times import moment_of
from .readable import Opened, UnusableError, opened

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
    with opened(path, name) as file:
        return _read(file)


def _read(file: Opened) -> StoredRejects:
    connection, version = file
    objects = dict(connection.execute("SELECT name, type FROM sqlite_master"))
    tables = ["rejected_events"] if version == 1 else ["rejected_events", "schemas"]
    for table in tables:
        if objects.get(table) != "table":
            raise UnusableError(f"it has no table {table}")
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
        raise UnusableError("a value in rejected_events has the wrong type")
    try:
        moment_of(reject.received_at)
    except ValueError:
        raise UnusableError("a received_at in rejected_events is not a time") from None
    return reject
