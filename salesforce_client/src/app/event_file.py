"""Writes event files: ``event_file.sql`` beside this module says what one looks like."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Union

from .deletes import Delete, Gap, RejectedEvent

DDL = Path(__file__).with_name("event_file.sql")


def _insert(table: str, row: type, on_conflict: str) -> str:
    columns = [column.name for column in dataclasses.fields(row)]
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))}) {on_conflict}"  # noqa: S608


# Of two rows with one key the earliest counts, by time and then by topic, whichever thread was faster.
EARLIEST_WINS = (
    "ON CONFLICT (event_id) DO UPDATE SET {} WHERE (excluded.ingested_at, excluded.topic) < (ingested_at, topic)".format(
        ", ".join(f"{column.name} = excluded.{column.name}" for column in dataclasses.fields(Delete) if column.name != "event_id")
    )
)
INSERTS = {
    Delete: _insert("events", Delete, EARLIEST_WINS),
    RejectedEvent: _insert("rejected_events", RejectedEvent, "ON CONFLICT DO NOTHING"),
    Gap: _insert("gaps", Gap, "ON CONFLICT DO NOTHING"),
}


class EventFile:
    """One event file while it is written: a single transaction, committed and flushed to disk by ``close``.

    Args:
        path: where to write; must not exist yet.
        begun_at: UTC; names the file.
    """

    def __init__(self, path: Path, begun_at: datetime) -> None:
        self.path = path
        self.begun_at = begun_at
        self.rows = 0
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.executescript(DDL.read_text(encoding="utf-8"))
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("BEGIN")

    def add(self, rows: Sequence[Union[Delete, RejectedEvent, Gap]]) -> None:
        """Add rows of any of the three tables, each under its own key once."""
        for kind, statement in INSERTS.items():
            values = [tuple(vars(row).values()) for row in rows if type(row) is kind]
            if values:
                self._connection.executemany(statement, values)
        self.rows += len(rows)

    def close(self) -> None:
        """Commit; afterwards the file is complete by itself, without a journal beside it."""
        self._connection.execute("COMMIT")
        self._connection.close()


def blob_name(begun_at: datetime, attempt: int = 0) -> str:
    """``events_YYYYMMDDTHHMMSSZ.db`` for the second in which the file was begun, or a later one where that is taken."""
    return f"events_{begun_at + timedelta(seconds=attempt):%Y%m%dT%H%M%SZ}.db"
