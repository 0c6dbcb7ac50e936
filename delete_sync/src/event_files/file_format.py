"""Checks that a file is an event file, before any of its tables is read.

The format is in ``event_file.sql``. The reader trusts no file.
"""

from __future__ import annotations

import contextlib
import functools
import re
import sqlite3
from pathlib import Path
from typing import NamedTuple

from ..errors import RefusedFileError

# The DDL of every version of the format.
FORMATS = {
    version: Path(__file__).with_name(name).read_text(encoding="utf-8")
    for version, name in ((1, "event_file_v1.sql"), (2, "event_file.sql"))
}
FORMAT_VERSION = max(FORMATS)
LONGEST_VALUE = 64_000_000  # bytes of one value; SQLite enforces it from Python 3.11 on
# A str for each text. A byte that is not UTF-8 becomes a surrogate, so that its row can be read.
AS_TEXT = functools.partial(str, encoding="utf-8", errors="surrogateescape")


def printable(text: str) -> str:
    """The text with "?" for each character that a log or Snowflake could not store."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def check_length(path: Path) -> None:
    """Compare the length with the header. SQLite does not notice that the end of a file is cut.

    Raises:
        RefusedFileError: the file is not a SQLite file, or is incomplete.
    """
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


def check_format(connection: sqlite3.Connection) -> int:
    """The version of the format, which is one that this reader knows.

    Raises:
        RefusedFileError: this is no event file, it is too new, or it is damaged.
    """
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
            raise RefusedFileError(f"it has something that no event file has: {printable(what)}")
        raise RefusedFileError(
            f"its {what} {'differs from the event file format' if what in found else 'is missing'}"
        )


class _Expected(NamedTuple):
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
