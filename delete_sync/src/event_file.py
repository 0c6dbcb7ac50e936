"""Reads event files: verifies that one is what ``proto/event_file.sql`` describes, then turns it into lines of JSON.

A file is input from outside, whoever wrote it: it is opened read-only, checked before any of its tables is touched, and
SQLite itself builds the lines, so that no value is ever quoted by hand.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import RefusedFileError

DDL = Path(__file__).with_name("event_file.sql")
FORMAT_VERSION = 1
NAME = re.compile(r"events_\d{8}T\d{6}Z\.db")
LINES_AT_ONCE = 500
LONGEST_TEXT = 255  # characters, of delete_tracker's VARCHAR columns
LARGEST_PAYLOAD = 16_000_000  # bytes; a VARIANT takes 16 MB

TEXT_COLUMNS = ("event_id", "topic", "object_name", "record_id", "deleted_by", "owner_id")
TIME_COLUMNS = ("deleted_date", "ingested_at")


def _problem() -> str:
    """SQL for what keeps a row of ``events`` out of delete_tracker, NULL where nothing does."""
    cases = ["WHEN event_id IS NULL OR event_id = '' THEN 'event_id is empty'"]
    for column in TEXT_COLUMNS:
        cases.append(f"WHEN typeof({column}) NOT IN ('text', 'null') THEN '{column} is not text'")
        cases.append(f"WHEN length({column}) > {LONGEST_TEXT} THEN '{column} is longer than {LONGEST_TEXT} characters'")
        cases.append(f"WHEN instr({column}, char(0)) THEN '{column} holds a NUL character'")
    for column in TIME_COLUMNS:
        roundtrip = f"strftime('%Y-%m-%dT%H:%M:%fZ', {column}, '+0 days')"  # adding nothing makes 31 February another day
        cases.append(f"WHEN typeof({column}) <> 'text' OR {roundtrip} IS NOT {column} THEN '{column} is not a time'")
    cases.append("WHEN typeof(payload) <> 'text' THEN 'payload is not text'")
    cases.append(f"WHEN length(CAST(payload AS BLOB)) > {LARGEST_PAYLOAD} THEN 'payload is larger than a VARIANT'")
    cases.append("WHEN NOT json_valid(payload) THEN 'payload is not JSON'")
    return f"CASE {' '.join(cases)} END"


PROBLEM = _problem()
FOREIGN = """
    SELECT type || ' ' || name FROM sqlite_master
    WHERE type NOT IN ('table', 'index') OR type = 'table' AND rootpage = 0 OR type = 'index' AND sql IS NOT NULL"""
UTC = "substr({0}, 1, 23)"  # without the Z, which TIMESTAMP_NTZ has no place for
LINES = {
    "delete": f"""
        SELECT json_object('kind', 'delete', 'event_file', :name, 'event_id', event_id, 'topic', topic,
            'object_name', object_name, 'record_id', record_id, 'deleted_by', deleted_by,
            'deleted_date', {UTC.format("deleted_date")}, 'owner_id', owner_id, 'payload', json(payload),
            'ingested_at', {UTC.format("ingested_at")})
        FROM events WHERE {PROBLEM} IS NULL ORDER BY id""",
    "refused row": f"""
        SELECT json_object('kind', 'reject', 'refused_by', 'sync', 'reject_id', :sha256 || ':' || id, 'event_file', :name,
            'topic', CAST(topic AS TEXT), 'event_id', substr(CAST(event_id AS TEXT), 1, 1000), 'replay_id', hex(replay_id),
            'schema_id', CAST(schema_id AS TEXT), 'error', {PROBLEM}, 'received_at', CAST(ingested_at AS TEXT),
            'payload', CASE WHEN length(CAST(payload AS BLOB)) < 4000000 THEN hex(payload) END)
        FROM events WHERE {PROBLEM} IS NOT NULL ORDER BY id""",
    "rejected event": """
        SELECT json_object('kind', 'reject', 'refused_by', 'collector', 'reject_id', reject_id, 'event_file', :name,
            'topic', topic, 'event_id', event_id, 'replay_id', hex(replay_id), 'schema_id', schema_id, 'error', error,
            'received_at', received_at, 'payload', CASE WHEN length(payload) < 4000000 THEN hex(payload) END)
        FROM rejected_events ORDER BY reject_id""",
    "gap": f"""
        SELECT json_object('kind', 'gap', 'event_file', :name, 'gap_id', gap_id, 'topic', topic, 'reason', reason,
            'object_name', object_name, 'from_replay_id', hex(from_replay_id), 'from_time', {UTC.format("from_time")},
            'to_time', {UTC.format("to_time")}, 'detected_at', {UTC.format("detected_at")})
        FROM gaps ORDER BY gap_id""",
}


@dataclass(frozen=True)
class Figures:
    """What an event file holds. Times are those of the deletes, UTC text without a zone, or None.

    ``rejected`` counts rejected events and rows of ``events`` that Snowflake would refuse.
    """

    deletes: int
    rejected: int
    gaps: int
    first_event_at: str | None
    last_event_at: str | None


class EventFile:
    """One verified event file; close it after use.

    Args:
        path: where it lies.
        name: its name in the container.
        sha256: of its content.

    Raises:
        RefusedFileError: it is foreign, newer than this reader, damaged or incomplete.
    """

    def __init__(self, path: Path, name: str, sha256: str) -> None:
        self._parameters = {"name": name, "sha256": sha256}
        _check_length(path)
        self._connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None)
        try:
            with _as_refusal():
                _harden(self._connection)
                _check_format(self._connection)
        except RefusedFileError:
            self._connection.close()
            raise

    def __enter__(self) -> EventFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def figures(self) -> Figures:
        """Counts and the range of the deletes' times."""
        counts = f"""
            SELECT count(*), count({PROBLEM}), min(deleted_date) FILTER (WHERE {PROBLEM} IS NULL),
                max(deleted_date) FILTER (WHERE {PROBLEM} IS NULL),
                (SELECT count(*) FROM rejected_events), (SELECT count(*) FROM gaps)
            FROM events"""
        with _as_refusal():
            rows, refused, first, last, rejected, gaps = self._connection.execute(counts).fetchone()
        return Figures(rows - refused, refused + rejected, gaps, first and first.rstrip("Z"), last and last.rstrip("Z"))

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """All rows as lines of JSON, many at a time with their number: deletes, rejects, gaps, told apart by ``kind``.

        Raises:
            RefusedFileError: a page turned out to be unreadable.
        """
        for statement in LINES.values():
            with _as_refusal():
                cursor = self._connection.execute(statement, self._parameters)
                while lines := cursor.fetchmany(LINES_AT_ONCE):
                    yield len(lines), "".join(f"{line}\n" for (line,) in lines).encode()


def _check_length(path: Path) -> None:
    """SQLite's own checks overlook a cut-off tail: hold the length against what the header says."""
    size = path.stat().st_size
    with path.open("rb") as file:
        header = file.read(100)
    if len(header) < 100 or not header.startswith(b"SQLite format 3\0"):
        raise RefusedFileError("it is not a SQLite file")
    if header[18:20] != b"\x01\x01":
        raise RefusedFileError("it is in WAL mode, so that rows may be missing")
    page_size = int.from_bytes(header[16:18], "big")
    expected = (65536 if page_size == 1 else page_size) * int.from_bytes(header[28:32], "big")
    if size != expected:
        raise RefusedFileError(f"it has {size} bytes where its header says {expected}: damaged or cut off")


def _harden(connection: sqlite3.Connection) -> None:
    """Nothing in the file may run (SQLite docs, "Defense Against The Dark Arts")."""
    for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0", "query_only = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _check_format(connection: sqlite3.Connection) -> None:
    expected = _expected()
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    if application_id != expected.application_id:
        raise RefusedFileError(f"it is not an event file (application_id {application_id})")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > FORMAT_VERSION:
        raise RefusedFileError(f"its format {version} is newer than this reader's {FORMAT_VERSION}: deploy the newer delete_sync")
    if version < 1:
        raise RefusedFileError(f"its format {version} does not exist")
    foreign = connection.execute(FOREIGN).fetchone()
    if foreign:
        raise RefusedFileError(f"it holds what an event file has no use for: {foreign[0]}")
    for table, columns in expected.columns.items():
        found = {name for (name,) in connection.execute("SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0", (table,))}
        if missing := sorted(columns - found):
            raise RefusedFileError(f"its table {table} is missing or lacks {', '.join(missing)}")
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise RefusedFileError(f"it is damaged: {' '.join(str(verdict).split())}")


@dataclass(frozen=True)
class _Expected:
    application_id: int
    columns: dict[str, set[str]]


def _expected() -> _Expected:
    """What the DDL says, read from a database made by it."""
    with contextlib.closing(sqlite3.connect(":memory:")) as model:
        model.executescript(DDL.read_text(encoding="utf-8"))
        tables = [name for (name,) in model.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = {
            table: {row[0] for row in model.execute("SELECT name FROM pragma_table_info(?)", (table,))} for table in tables
        }
        return _Expected(model.execute("PRAGMA application_id").fetchone()[0], columns)


@contextlib.contextmanager
def _as_refusal() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise RefusedFileError(f"it cannot be read: {error}") from None
