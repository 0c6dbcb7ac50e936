"""Reads event files: turns the rows of a file into lines of JSON.

The reader trusts no file: it opens a file read-only, and ``file_format`` checks it before any table
is read.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import RefusedFileError
from ..model import Figures
from ..scratch import local_storage
from . import companion_rows, rows, usual_rows
from .erasure import Digests, cleaned
from .file_format import AS_TEXT, check_format, check_length, harden, printable
from .lines import Row
from .payloads import RefusedValueError

PORTION_BYTES = 1_000_000  # of lines
CHUNK_BYTES = 100_000  # of payloads


class EventFile:
    """One verified event file. The caller closes it after use.

    Args:
        path: the file on the local disk.
        name: its name in the container.
        sha256: the SHA-256 of its content.
        erased: values that name these records are left out. The rows of these records are not.

    Raises:
        RefusedFileError: the file is not an event file, is too new, or is damaged.
        LocalStorageError: the disk fails.
    """

    def __init__(self, path: Path, name: str, sha256: str, erased: Digests | None = None) -> None:
        self._name = name
        self._erased = erased
        self._sha256 = sha256
        self._counts: Counter[str] = Counter()
        self._deletes = 0
        self._first = self._last = ""  # dates of the first and last delete
        self._about = f"event file {name}"
        with local_storage(self._about):
            check_length(path)
            address = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
            self._connection = sqlite3.connect(address, uri=True, isolation_level=None)
        try:
            with self._as_refusal():
                harden(self._connection)
                self._version = check_format(self._connection)
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> EventFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield all rows as lines of JSON, about a megabyte at a time, each time with their number.

        Each line has a ``kind``: delete, reject, gap, poll, resolved, restore, check or listed.

        Raises:
            RefusedFileError: a page is unreadable.
            LocalStorageError: the disk fails.
        """
        number, size, portion = 0, 0, list[bytes]()
        with self._as_refusal():
            for count, lines in self._lines():
                portion.append(lines)
                number += count
                size += len(lines)
                if size >= PORTION_BYTES:
                    yield number, b"".join(portion)
                    number, size, portion = 0, 0, []
        if portion:
            yield number, b"".join(portion)

    def figures(self) -> Figures:
        """The figures of the rows that ``lines`` has yielded."""
        counts = self._counts + Counter(deletes=self._deletes)
        return Figures.counted(counts, self._first[:23] or None, self._last[:23] or None)

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield the lines, some at a time, with their number. Each has a line break."""
        done: int | None = None
        for usual in self._usual_events():
            yield from self._usual_lines(usual)
            done = usual[-1][0]
        for line in self._events("" if done is None else f"WHERE id > {done}"):
            yield 1, line + b"\n"
        for table in companion_rows.TABLES:
            if self._version < table.since:
                continue
            for row in self._rows_without_erased(table.name, table.columns):
                self._counts[table.figure] += 1
                yield 1, table.line_of(row, self._name, self._sha256) + b"\n"

    def _usual_events(self) -> Iterator[Sequence[Row]]:
        """Yield the rows of ``events``, some at a time, up to a text that is not UTF-8.

        The built-in type for texts is faster than ``AS_TEXT``. It refuses such a text.
        """
        (encoding,) = self._connection.execute("PRAGMA encoding").fetchone()
        if encoding != "UTF-8":  # then the bytes of a payload are not UTF-8 either
            return
        self._connection.text_factory = str
        size, some = 0, list[Row]()
        with contextlib.suppress(sqlite3.Error):  # the exact way reads or reports what is left
            for row in self._rows("events", usual_rows.COLUMNS):
                some.append(row)
                size += len(row[usual_rows.PAYLOAD] or b"")
                if size >= CHUNK_BYTES:
                    yield some
                    size, some = 0, []
        if some:
            yield some
        self._connection.text_factory = AS_TEXT

    def _usual_lines(self, some: Sequence[Row]) -> Iterator[tuple[int, bytes]]:
        """The lines of these rows of ``events``, all by the quick way if that is possible.

        Else one half of them after the other, down to the row that takes the exact way.
        """
        erased = self._erased
        named = erased and any(erased.are_in(row[1:]) for row in some)
        lines = None if named else usual_rows.deletes(some, self._name)
        if lines:
            dates = [row[usual_rows.DELETED_DATE] for row in some]
            self._count_deletes(len(some), min(dates), max(dates))
            yield len(some), lines
        elif len(some) == 1:
            self._connection.text_factory = AS_TEXT
            (line,) = self._events(f"WHERE id = {some[0][0]}")
            yield 1, line + b"\n"
            self._connection.text_factory = str
        else:
            half = len(some) // 2
            yield from self._usual_lines(some[:half])
            yield from self._usual_lines(some[half:])

    def _events(self, where: str) -> Iterator[bytes]:
        """The lines of these rows of ``events``, each by the exact way."""
        for row in self._rows_without_erased("events", rows.EVENTS, where):
            try:
                line = rows.delete(row, self._name)
            except RefusedValueError as error:
                line = rows.refused_row(row, self._name, self._sha256, str(error))
                self._counts["rejected"] += 1
            else:
                self._count_deletes(1, row[rows.DELETED_DATE], row[rows.DELETED_DATE])
            yield line

    def _count_deletes(self, number: int, first: str, last: str) -> None:
        self._deletes += number
        self._first = min(self._first or first, first)
        self._last = max(self._last, last)

    def _rows(self, table: str, columns: Sequence[str], where: str = "") -> Iterator[Row]:
        # quick_check compares no index with its table, so read the table.
        sql = f"SELECT {', '.join(columns)} FROM {table} NOT INDEXED {where}"  # noqa: S608
        return self._connection.execute(sql)

    def _rows_without_erased(
        self, table: str, columns: Sequence[str], where: str = ""
    ) -> Iterator[Row]:
        for row in self._rows(table, columns, where):
            yield cleaned(table, columns, row, self._erased) if self._erased else row

    @contextlib.contextmanager
    def _as_refusal(self) -> Iterator[None]:
        """Turn SQLite's errors about the file into a refusal, but not errors of the disk."""
        try:
            with local_storage(self._about):
                yield
        except (sqlite3.Error, UnicodeError, MemoryError) as error:
            reason = printable(f"{type(error).__name__}: {error}")
            raise RefusedFileError(f"it cannot be read: {reason}") from None
