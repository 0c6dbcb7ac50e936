"""Writes event files. ``event_file.sql`` in this folder defines their format."""

from __future__ import annotations

import functools
import itertools
import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any

from ..model.rows import (
    Check,
    Delete,
    Gap,
    ListedDelete,
    Poll,
    RejectedEvent,
    ResolvedReject,
    Restore,
    Row,
    Schema,
)
from ..scratch import local_storage

DDL = Path(__file__).with_name("event_file.sql")


FILL_BYTES = 50_000_000  # maximum size of a file; during its upload the file is in memory
# A file begins with the small pages of the DDL, because each table and each key needs a page of its
# own. So the file of a poll that found nothing is small. At SMALL_BYTES the pages are made larger:
# rows of about 2 kB leave half of a 4 kB page empty, but only a tenth of a 16 kB page.
SMALL_BYTES = 1_000_000
PAGE_BYTES = 32_768
# Rows of one INSERT. A response has up to 100 events. SQLite before 3.32 accepts at most 999 values
# in a statement. A row of events has 11 values. A row of polls has 16, but a file has few of them.
ROWS_AT_ONCE = 100 if sqlite3.sqlite_version_info >= (3, 32) else 60
# How many prepared statements are kept. The number is small, because each of them also keeps its
# last values in memory. There is one statement for each table and number of rows.
STATEMENTS_KEPT = 4
# Of two rows with the same key, the earlier one stays. If their times are equal, the topic decides.
# So the result does not depend on which thread was faster.
EARLIEST_WINS = (
    "ON CONFLICT ({}) DO UPDATE SET {} "
    "WHERE (excluded.ingested_at, excluded.topic) < (ingested_at, topic)"
)


def _earliest_wins(row: type[Row]) -> str:
    key, *others = row._fields
    return EARLIEST_WINS.format(key, ", ".join(f"{one} = excluded.{one}" for one in others))


TABLES = {
    Delete: ("events", _earliest_wins(Delete)),
    Restore: ("restores", _earliest_wins(Restore)),
    ResolvedReject: ("resolved_rejects", "ON CONFLICT DO NOTHING"),
    Check: ("checks", "ON CONFLICT DO NOTHING"),
    ListedDelete: ("listed_deletes", "ON CONFLICT DO NOTHING"),
    RejectedEvent: ("rejected_events", "ON CONFLICT DO NOTHING"),
    Schema: ("schemas", "ON CONFLICT DO NOTHING"),
    Gap: ("gaps", "ON CONFLICT DO NOTHING"),
    Poll: ("polls", "ON CONFLICT DO NOTHING"),
}


@functools.cache
def _insert(row: type[Row], rows: int) -> str:
    """The statement that inserts this number of rows at once.

    SQLite then releases Python's global lock once for all rows, and other threads run meanwhile.
    """
    table, on_conflict = TABLES[row]
    columns: tuple[str, ...] = row._fields
    values = ", ".join([f"({', '.join('?' * len(columns))})"] * rows)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {values} {on_conflict}"  # noqa: S608


def _values(kind: type[Row], rows: Sequence[Row]) -> list[Any]:
    """The values of rows of one kind, one after another."""
    values: list[Any] = list(itertools.chain.from_iterable(rows))
    if kind is Delete:
        # For each ``bytes``, sqlite3 first searches for an adapter. That takes three times as long
        # as binding it. For a ``bytearray`` it does not search.
        places = slice(Delete._fields.index("replay_id"), None, len(Delete._fields))
        values[places] = map(bytearray, values[places])
    return values


class EventFile:
    """One event file while it is written.

    All rows are one transaction. ``close`` commits it and flushes the file to disk.

    Args:
        path: the file to write. It must not exist yet.
        begun_at: when the file was begun, in UTC. The name of its blob is made from this time.
        fill_bytes: maximum size of the file.

    Raises:
        LocalStorageError: this machine's disk is full or fails. Each method raises it too.
    """

    def __init__(self, path: Path, begun_at: datetime, fill_bytes: int = FILL_BYTES) -> None:
        self.path = path
        self.begun_at = begun_at
        self._fill_bytes = fill_bytes
        self._rows = self._bytes = 0
        with self._writing():
            self._connection = sqlite3.connect(
                path,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=STATEMENTS_KEPT,
            )
            self._connection.execute("PRAGMA synchronous = OFF")  # the file has no rows yet
            self._connection.executescript(DDL.read_text(encoding="utf-8"))
            # No journal is needed: if writing fails or is interrupted, nobody reads the file.
            for pragma in ("synchronous = FULL", "journal_mode = OFF"):
                self._connection.execute(f"PRAGMA {pragma}")
            (self._page_bytes,) = self._connection.execute("PRAGMA page_size").fetchone()
            self._connection.execute("BEGIN")

    def add(self, rows: Sequence[Row]) -> None:
        """Add rows of any table. Two rows with the same key become one.

        If this fails, the file is closed and cannot be used.
        """
        try:
            with self._writing():
                for kind, of_kind in itertools.groupby(rows, key=type):
                    while some := list(itertools.islice(of_kind, ROWS_AT_ONCE)):
                        self._connection.execute(_insert(kind, len(some)), _values(kind, some))
                        (pages,) = self._connection.execute("PRAGMA page_count").fetchone()
                        self._bytes = pages * self._page_bytes
                        if self._page_bytes < PAGE_BYTES and self._bytes >= SMALL_BYTES:
                            self._enlarge_pages()
        except BaseException:
            # Without a journal, a part of a failed statement stays. So the file must not be used.
            self.abandon()
            raise
        self._rows += len(rows)

    def is_full(self, most_rows: int) -> bool:
        """Whether the file has at least ``most_rows`` rows or its maximum size."""
        return self._rows >= most_rows or self._bytes >= self._fill_bytes

    def close(self) -> None:
        """Commit and close the file. It is then complete, without a journal file."""
        try:
            with self._writing():
                self._connection.execute("COMMIT")
        finally:
            self._connection.close()

    def abandon(self) -> None:
        """Close the file unfinished. Nobody may read it."""
        self._connection.close()

    def _enlarge_pages(self) -> None:
        """Write the file again with large pages. For ``SMALL_BYTES`` this takes milliseconds."""
        for statement in (
            "COMMIT",
            "PRAGMA synchronous = OFF",
            f"PRAGMA page_size = {PAGE_BYTES}",
            "VACUUM",
            # SQLite counts its cache in pages, so this follows the change of the page size.
            "PRAGMA cache_size = -16384",
            "PRAGMA synchronous = FULL",
            "BEGIN",
        ):
            self._connection.execute(statement)
        self._page_bytes = PAGE_BYTES

    def _writing(self) -> AbstractContextManager[None]:
        return local_storage(f"event file {self.path.name}")
