"""Rows for event files, and the rows of the event files in a container."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from azure.storage.blob import ContainerClient

from salesforce_client.src.app.model.rows import Check, Delete, ListedDelete, Poll, Restore

Row = dict[str, Any]


def delete(event_id: str = "e1", **changes: Any) -> Delete:
    """A delete with plain values, except for these changes."""
    values = {
        "event_id": event_id,
        "topic": "/event/X__e",
        "object_name": "Account",
        "record_id": "001",
        "deleted_by": "005",
        "deleted_date": "2026-02-01T00:00:00.123Z",
        "owner_id": None,
        "payload": "{}",
        "ingested_at": "2026-02-01T00:10:00.456Z",
        "replay_id": b"\1",
        "schema_id": "s",
    }
    return Delete(**{**values, **changes})


def rows(
    events: ContainerClient, folder: Path, table: str = "events", *, name: str = ""
) -> list[Row]:
    """Return the rows of a table from all event files, in the order of the files.

    The files are downloaded into ``folder``. With a name, only this file is read.
    """
    found: list[Row] = []
    for blob in events.list_blobs(name_starts_with=name):
        path = folder / blob.name
        path.write_bytes(events.download_blob(blob.name).readall())
        connection = sqlite3.connect(path)
        connection.row_factory = sqlite3.Row
        found += [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]
        connection.close()
    return found


def poll(poll_id: str = "p1", **changes: Any) -> Poll:
    """What a quiet poll did with a topic, except for these changes."""
    values = {
        "poll_id": poll_id,
        "org_id": "00D5f000000ABCDEA2",
        "writer": "0.1.0",
        "topic": "/event/X__e",
        "began_at": "2026-02-01T00:10:00.000Z",
        "ended_at": "2026-02-01T00:10:09.000Z",
        "objects": None,
        "ended": "idle",
        "read_until": "2026-02-01T00:10:00.000Z",
        "received": 0,
        "deletes": 0,
        "restores": 0,
        "skipped": 0,
        "rejected": 0,
        "gaps": 0,
        "error": None,
    }
    return Poll(**{**values, **changes})


def restore(restore_id: str = "r1", **changes: Any) -> Restore:
    """A restore of the record of ``delete``, except for these changes."""
    values = {
        "restore_id": restore_id,
        "topic": "/data/AccountChangeEvent",
        "object_name": "Account",
        "record_id": "001",
        "restored_by": "005",
        "restored_date": "2026-02-01T00:05:00.000Z",
        "found_by": "event",
        "ingested_at": "2026-02-01T00:10:00.456Z",
        "replay_id": b"\1",
        "schema_id": "s",
    }
    return Restore(**{**values, **changes})


def check(check_id: str = "c1", **changes: Any) -> Check:
    """A check of a day of accounts, except for these changes."""
    values = {
        "check_id": check_id,
        "org_id": "00D5f000000ABCDEA2",
        "writer": "0.1.0",
        "object_name": "Account",
        "window_from": "2026-02-01T00:00:00.000Z",
        "window_to": "2026-02-02T00:00:00.000Z",
        "listed": 1,
        "outcome": "listed",
        "sight": "view_all",
        "api_version": "v67.0",
        "checked_at": "2026-02-02T00:40:00.000Z",
        "error": None,
    }
    return Check(**{**values, **changes})


def listed(check_id: str = "c1", **changes: Any) -> ListedDelete:
    """The record of ``delete`` in the list of a check, except for these changes."""
    values = {
        "check_id": check_id,
        "object_name": "Account",
        "record_id": "001",
        "deleted_date": "2026-02-01T00:00:00.123Z",
        "deleted_by": "005",
        "owner_id": None,
        "merged_into": None,
        "listed_by": "both",
        "state": "bin",
        "payload": '{"id":"001"}',
    }
    return ListedDelete(**{**values, **changes})
