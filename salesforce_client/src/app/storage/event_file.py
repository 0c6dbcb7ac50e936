"""Writes event files: ``event_file.sql`` beside this module says what one looks like."""

from __future__ import annotations

import functools
import itertools
import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path

from ..model import Delete, Gap, RejectedEvent, Row, Schema
from ..scratch import local_storage

DDL = Path(__file__).with_name("event_file.sql")


FILL_BYTES = 50_000_000  # a file is in memory while it is uploaded
PAGE_BYTES = 32_768  # a row of some 2 kB leaves half a page of 4 kB empty, and a tenth of one of 16
# A response has as many events. A row of the widest table has 11 values, of which SQLite before 3.32 takes no more than 999.
ROWS_AT_ONCE = 100 if sqlite3.sqlite_version_info >= (3, 32) else 90
STATEMENTS_KEPT = 4  # prepared, with the values they had last: each size of response has its own
# Of two rows with one key the earliest counts, by time and then by topic, whichever thread was faster.
EARLIEST_WINS = "ON CONFLICT (event_id) DO UPDATE SET {} WHERE (excluded.ingested_at, excluded.topic) < (ingested_at, topic)".format(
    ", ".join(f"{column} = excluded.{column}" for column in Delete._fields if column != "event_id")
)
TABLES = {
    Delete: ("events", EARLIEST_WINS),
    RejectedEvent: ("rejected_events", "ON CONFLICT DO NOTHING"),
    Schema: ("schemas", "ON CONFLICT DO NOTHING"),
    Gap: ("gaps", "ON CONFLICT DO NOTHING"),
}


@functools.cache
def _insert(row: type[Row], rows: int) -> str:
    """One statement for so many rows: it lets go of Python's lock once for them all, and the other threads go on meanwhile."""
    table, on_conflict = TABLES[row]
    columns: tuple[str, ...] = row._fields
    values = ", ".join([f"({', '.join('?' * len(columns))})"] * rows)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {values} {on_conflict}"  # noqa: S608


class EventFile:
    """One event file while it is written: a single transaction, committed and flushed to disk by ``close``.

    Args:
        path: where to write; must not exist yet.
        begun_at: UTC; names the file.
        fill_bytes: how large a full file is.
        page_bytes: of the database; larger pages hold large rows with less waste, and make a small file large.

    Raises:
        LocalStorageError: here and in each method, if this machine's disk is full or fails.
    """

    def __init__(
        self,
        path: Path,
        begun_at: datetime,
        fill_bytes: int = FILL_BYTES,
        page_bytes: int = PAGE_BYTES,
    ) -> None:
        self.path = path
        self.begun_at = begun_at
        self._fill_bytes = fill_bytes
        self._rows = 0
        with self._writing():
            self._connection = sqlite3.connect(
                path,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=STATEMENTS_KEPT,
            )
            self._connection.execute("PRAGMA synchronous = OFF")  # until there is something in it
            self._connection.execute(f"PRAGMA page_size = {page_bytes}")
            self._connection.execute(
                "PRAGMA user_version = 0"
            )  # writes the header, and with it the size of a page
            self._connection.executescript(DDL.read_text(encoding="utf-8"))
            # No journal: a file whose writing fails or is cut off is thrown away, and read by nobody.
            for pragma in ("synchronous = FULL", "journal_mode = OFF", "cache_size = -16384"):
                self._connection.execute(f"PRAGMA {pragma}")
            (self._page_bytes,) = self._connection.execute("PRAGMA page_size").fetchone()
            self._connection.execute("BEGIN")

    def add(self, rows: Sequence[Row]) -> None:
        """Add rows of any table, each under its own key once. If that fails, the file is good for nothing."""
        try:
            with self._writing():
                for kind, of_kind in itertools.groupby(rows, key=type):
                    while some := list(itertools.islice(of_kind, ROWS_AT_ONCE)):
                        self._connection.execute(
                            _insert(kind, len(some)), list(itertools.chain.from_iterable(some))
                        )
        except BaseException:
            self.abandon()  # without a journal, half a statement cannot be undone: nobody shall commit it
            raise
        self._rows += len(rows)

    def is_full(self, most_rows: int) -> bool:
        """Whether it has so many rows, or is as large as a file shall be."""
        (pages,) = self._connection.execute("PRAGMA page_count").fetchone()
        return self._rows >= most_rows or pages * self._page_bytes >= self._fill_bytes

    def close(self) -> None:
        """Commit; afterwards the file is complete by itself, without a journal beside it."""
        try:
            with self._writing():
                self._connection.execute("COMMIT")
        finally:
            self._connection.close()

    def abandon(self) -> None:
        """Close it as it is; it must not be read."""
        self._connection.close()

    def _writing(self) -> AbstractContextManager[None]:
        return local_storage(f"event file {self.path.name}")
