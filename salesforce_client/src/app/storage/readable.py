"""Opens event files to read them, of any version of the format."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..errors import EventFileError
from ..scratch import local_storage

APPLICATION_ID = 1_396_991_060  # as in ``event_file.sql``
NEWEST = 2  # the version of ``event_file.sql``


class UnusableError(Exception):
    """The file is no event file that this app can read. The text says why.

    ``opened`` turns it into an ``EventFileError``.
    """


class Opened(NamedTuple):
    """An event file that is open. ``version`` is that of its format."""

    connection: sqlite3.Connection
    version: int


@contextlib.contextmanager
def opened(path: Path, name: str) -> Iterator[Opened]:
    """Open an event file on this machine, read-only. Errors inside of the block count too.

    Args:
        path: the file.
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
                yield Opened(connection, _version(connection))
    except (UnusableError, sqlite3.Error, UnicodeError) as error:
        raise EventFileError(
            f"{about}: {error}, so its rejected events cannot be decoded again. Nothing is changed."
            " Check that this is an event file of the collector, and that it was not changed:"
            " see 'EventFileError' in docs/operations.md"
        ) from None


def _check_length(path: Path) -> None:
    """Compare the length with the header. SQLite does not notice that the end of a file is cut."""
    size = path.stat().st_size
    with path.open("rb") as file:
        header = file.read(100)
    if len(header) < 100 or not header.startswith(b"SQLite format 3\0"):
        raise UnusableError("it is not a SQLite file")
    page_size = int.from_bytes(header[16:18], "big")
    expected = (65536 if page_size == 1 else page_size) * int.from_bytes(header[28:32], "big")
    if header[18:20] != b"\x01\x01" or size != expected:
        raise UnusableError("it is damaged or cut off")


def _version(connection: sqlite3.Connection) -> int:
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application_id != APPLICATION_ID:
        raise UnusableError("it is not an event file")
    if not 1 <= version <= NEWEST:
        raise UnusableError(f"its format is {version}, and this collector knows 1 to {NEWEST}")
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise UnusableError("it is damaged")
    return int(version)
