"""Reads the event files of a container."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from azure.storage.blob import ContainerClient

Row = dict[str, Any]


def rows(events: ContainerClient, folder: Path, table: str = "events") -> list[Row]:
    """Return the rows of a table from all event files, in the order of the files.

    The files are downloaded into ``folder``.
    """
    found: list[Row] = []
    for blob in events.list_blobs():
        path = folder / blob.name
        path.write_bytes(events.download_blob(blob.name).readall())
        connection = sqlite3.connect(path)
        connection.row_factory = sqlite3.Row
        found += [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]
        connection.close()
    return found
