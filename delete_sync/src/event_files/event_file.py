"""Reads event files: checks the format of a file and turns its rows into lines of JSON.

The format is in ``event_file.sql``. The reader trusts no file: it opens a file read-only and checks
it before it reads any table.
"""

from __future__ import annotations

import contextlib
import functools
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import RefusedFileError
from ..model import Figures
from ..scratch import local_storage
from . import companion_rows, rows, usual_rows
from .erasure import Digests, cleaned
from .lines import Row
from .payloads import RefusedValueError

# The DDL of every version of the format.
FORMATS = {
    version: Path(__file__).with_name(name).read_text(encoding="utf-8")
    for version, name in ((1, "event_file_v1.sql"), (2, "event_file.sql"))
}
FORMAT_VERSION = max(FORMATS)
PORTION_BYTES = 1_000_000
LONGEST_VALUE = 64_000_000  # bytes of one value; SQLite enforces it from Python 3.11 on
# A str for each text. A byte that is not UTF-8 becomes a surrogate, so that its row can be read.
AS_TEXT = functools.partial(str, encoding="utf-8", errors="surrogateescape")


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
            _check_length(path)
            address = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
            self._connection = sqlite3.connect(address, uri=True, isolation_level=None)
        try:
            with self._as_refusal():
                harden(self._connection)
                self._version = _check_format(self._connection)
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
        size, portion = 0, list[bytes]()
        with self._as_refusal():
            for line in self._lines():
                portion.append(line)
                size += len(line)
                if size >= PORTION_BYTES:
                    yield len(portion), b"\n".join([*portion, b""])
                    size, portion = 0, []
        if portion:
            yield len(portion), b"\n".join([*portion, b""])

    def figures(self) -> Figures:
        """The figures of the rows that ``lines`` has yielded."""
        counts = self._counts + Counter(deletes=self._deletes)
        return Figures.counted(counts, self._first[:23] or None, self._last[:23] or None)

    def _lines(self) -> Iterator[bytes]:
        done: int | None = None
        with contextlib.suppress(sqlite3.Error):  # the exact way reads or reports what is left
            for number, line in self._usual_events():
                done = number
                yield line
        yield from self._events("" if done is None else f"WHERE id > {done}")
        for table in companion_rows.TABLES:
            if self._version < table.since:
                continue
            for row in self._rows_without_erased(table.name, table.columns):
                self._counts[table.figure] += 1
                yield table.line_of(row, self._name, self._sha256)

    def _usual_events(self) -> Iterator[tuple[int, bytes]]:
        """Yield the id and the line of each row of ``events``, up to a text that is not UTF-8.

        The built-in type for texts is faster than ``AS_TEXT``. It refuses such a text.
        """
        (encoding,) = self._connection.execute("PRAGMA encoding").fetchone()
        if encoding != "UTF-8":  # then the bytes of a payload are not UTF-8 either
            return
        self._connection.text_factory = str
        try:
            for row in self._rows("events", usual_rows.COLUMNS):
                named = self._erased and self._erased.are_in(row[1:])
                line = None if named else usual_rows.delete(row, self._name)
                if line:
                    self._count_delete(row[usual_rows.DELETED_DATE])
                else:
                    self._connection.text_factory = AS_TEXT
                    (line,) = self._events(f"WHERE id = {row[0]}")
                    self._connection.text_factory = str
                yield row[0], line
        finally:
            self._connection.text_factory = AS_TEXT

    def _events(self, where: str) -> Iterator[bytes]:
        """The lines of these rows of ``events``, each by the exact way."""
        for row in self._rows_without_erased("events", rows.EVENTS, where):
            try:
                line = rows.delete(row, self._name)
            except RefusedValueError as error:
                line = rows.refused_row(row, self._name, self._sha256, str(error))
                self._counts["rejected"] += 1
            else:
                self._count_delete(row[rows.DELETED_DATE])
            yield line

    def _count_delete(self, deleted_date: str) -> None:
        self._deletes += 1
        if deleted_date < self._first or not self._first:
            self._first = deleted_date
        self._last = max(self._last, deleted_date)

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
            reason = _printable(f"{type(error).__name__}: {error}")
            raise RefusedFileError(f"it cannot be read: {reason}") from None


def _printable(text: str) -> str:
    """The text with "?" for each character that a log or Snowflake could not store."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _check_length(path: Path) -> None:
    """Compare the length with the header. SQLite does not notice that the end of a file is cut."""
    size = path.stat().st_size
    with path.open("rb") as file:
        header = file.read(100)
    if len(header) < 100 or not header.startswith(b"SQLite format 3\0"):
        raise RefusedFileError("it is not a SQLite file")
    if header[18:20] != b"\x01\x01":
        raise RefusedFileError("it is in WAL mode, so rows may be missing")
    page_size = int.from_bytes(header[16:18], "big")
    expected = (65536 if page_size == 1 else page_size) * int.from_bytes(header[28:32], "big")
    if size != expected:
        raise RefusedFileError(
            f"it has {size} bytes, but its header says {expected}: it is damaged or cut off"
        )


def harden(connection: sqlite3.Connection) -> None:
    """Prevent a file from running code (SQLite docs, "Defense Against The Dark Arts")."""
    if hasattr(connection, "setlimit"):  # Python 3.11
        connection.setlimit(0, LONGEST_VALUE)  # SQLITE_LIMIT_LENGTH
        connection.setlimit(7, 0)  # SQLITE_LIMIT_ATTACHED
    connection.text_factory = AS_TEXT
    for pragma in (
        "trusted_schema = OFF",
        "cell_size_check = ON",
        "mmap_size = 0",
        "query_only = ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _check_format(connection: sqlite3.Connection) -> int:
    """The version of the format, which is one that this reader knows."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application_id != _expected(FORMAT_VERSION).application_id:
        raise RefusedFileError(f"it is not an event file (application_id {application_id})")
    if version > FORMAT_VERSION:
        raise RefusedFileError(
            f"its format {version} is newer than this reader's {FORMAT_VERSION}: "
            "deploy the newer delete_sync"
        )
    if version not in FORMATS:
        raise RefusedFileError(f"its format {version} does not exist")
    _check_schema(_schema(connection), _expected(version).schema)
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise RefusedFileError(f"it is damaged: {' '.join(str(verdict).split())}")
    return int(version)


def _check_schema(found: dict[str, str], expected: dict[str, str]) -> None:
    """Accept only the tables of the DDL, and only if the same statements have created them."""
    differences = [what for what in {*expected, *found} if found.get(what) != expected.get(what)]
    for what in sorted(differences, key=lambda what: (what.startswith("index"), what)):
        if what not in expected:
            raise RefusedFileError(f"it has something that no event file has: {_printable(what)}")
        raise RefusedFileError(
            f"its {what} {'differs from the event file format' if what in found else 'is missing'}"
        )


@dataclass(frozen=True)
class _Expected:
    application_id: int
    schema: dict[str, str]


@functools.cache
def _expected(version: int) -> _Expected:
    """The application id and the schema of a database that the DDL of this version creates."""
    with contextlib.closing(sqlite3.connect(":memory:")) as model:
        model.executescript(FORMATS[version])
        return _Expected(model.execute("PRAGMA application_id").fetchone()[0], _schema(model))


def _schema(connection: sqlite3.Connection) -> dict[str, str]:
    """The statement that created each object, without comments and extra spaces.

    An index that SQLite creates for a key has an empty text.
    """
    objects = connection.execute(
        "SELECT type || ' ' || substr(name, 1, 80), substr(sql, 1, 10000) FROM sqlite_master"
    )
    return {name: " ".join(re.sub(r"--[^\n]*", "", sql or "").split()) for name, sql in objects}
