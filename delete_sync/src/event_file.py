"""Reads event files: verifies that one is what ``proto/event_file.sql`` describes, then turns it into lines of JSON.

A file is input from outside, whoever wrote it: it is opened read-only, checked before any of its tables is touched, and
SQLite itself builds the lines, so that no value is ever quoted by hand.
"""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import RefusedFileError

DDL = Path(__file__).with_name("event_file.sql")
FORMAT_VERSION = 1
NAME = re.compile(r"events_\d{8}T\d{6}Z\.db")
PORTION_BYTES = 1_000_000
LONGEST_VALUE = 64_000_000  # bytes of one value, where SQLite can be told so
LONGEST_TEXT = 255  # characters, of delete_tracker's VARCHAR columns
LARGEST_PAYLOAD = 16_000_000  # bytes; a VARIANT takes 16 MB

TEXT_COLUMNS = ("event_id", "topic", "object_name", "record_id", "deleted_by", "owner_id")
TIME_COLUMNS = ("deleted_date", "ingested_at")


def _is_no_time(column: str) -> str:
    """SQL that is true where a value is not a time in the file's form; adding nothing makes 31 February another day."""
    roundtrip = f"strftime('%Y-%m-%dT%H:%M:%fZ', {column}, '+0 days')"
    return f"(typeof({column}) <> 'text' OR {roundtrip} IS NOT {column} OR {column} < '1582')"


def _problem() -> str:
    """SQL for what keeps a row of ``events`` out of delete_tracker, NULL where nothing does."""
    cases = ["WHEN event_id IS NULL OR event_id = '' THEN 'event_id is empty'"]
    for column in TEXT_COLUMNS:
        cases.append(f"WHEN typeof({column}) NOT IN ('text', 'null') THEN '{column} is not text'")
        cases.append(f"WHEN length({column}) > {LONGEST_TEXT} THEN '{column} is longer than {LONGEST_TEXT} characters'")
        cases.append(f"WHEN instr({column}, char(0)) THEN '{column} holds a NUL character'")
    cases += [f"WHEN {_is_no_time(column)} THEN '{column} is not a time'" for column in TIME_COLUMNS]
    cases.append("WHEN typeof(payload) <> 'text' THEN 'payload is not text'")
    cases.append(f"WHEN length(CAST(payload AS BLOB)) > {LARGEST_PAYLOAD} THEN 'payload is larger than a VARIANT'")
    cases.append("WHEN instr(payload, char(0)) OR NOT json_valid(payload) THEN 'payload is not JSON'")
    cases.append("WHEN json_type(payload) <> 'object' THEN 'payload is not a JSON object'")
    # Rare enough to be looked at one by one: escapes may stand for what Snowflake's text cannot hold.
    cases.append("WHEN instr(payload, '\\u') AND has_bad_escape(payload) THEN 'payload holds a NUL or half a character'")
    return f"CASE {' '.join(cases)} END"


def _has_bad_escape(payload: str) -> bool:
    without_backslashes = payload.replace("\\\\", "")  # an escaped backslash before u0000 is no escape of it
    letters = json.dumps(json.loads(payload), ensure_ascii=False)
    return "\\u0000" in without_backslashes or any("\ud800" <= letter <= "\udfff" for letter in letters)


PROBLEM = _problem()
BAD_KEYS = """
    SELECT 'gap_id ' || quote(substr(gap_id, 1, 80)) FROM gaps NOT INDEXED
    WHERE typeof(gap_id) <> 'text' OR length(gap_id) NOT BETWEEN 1 AND 64 OR instr(gap_id, char(0))
    UNION ALL SELECT 'reject_id ' || quote(substr(reject_id, 1, 80)) FROM rejected_events NOT INDEXED
    WHERE typeof(reject_id) <> 'text' OR length(reject_id) NOT BETWEEN 1 AND 64 OR instr(reject_id, char(0))"""


def _text(column: str, longest: int) -> str:
    """SQL for a text of bounded length, whatever the column holds."""
    return f"replace(substr(CAST({column} AS TEXT), 1, {longest}), char(0), '')"


def _time(column: str) -> str:
    """SQL for a time without its Z, which TIMESTAMP_NTZ has no place for; NULL where the column holds none."""
    return f"CASE WHEN NOT {_is_no_time(column)} THEN substr({column}, 1, 23) END"


def _hex(column: str) -> str:
    """SQL for bytes as text, NULL where there are none or too many for a VARIANT."""
    return f"CASE WHEN length(CAST({column} AS BLOB)) < 4000000 THEN hex({column}) END"


LINES = {
    "delete": f"""
        SELECT json_object('kind', 'delete', 'event_file', :name, 'event_id', event_id, 'topic', topic,
            'object_name', object_name, 'record_id', record_id, 'deleted_by', deleted_by,
            'deleted_date', substr(deleted_date, 1, 23), 'owner_id', owner_id, 'payload', json(payload),
            'ingested_at', substr(ingested_at, 1, 23))
        FROM events NOT INDEXED WHERE {PROBLEM} IS NULL""",
    "refused row": f"""
        SELECT json_object('kind', 'reject', 'refused_by', 'sync', 'reject_id', :sha256 || ':' || id, 'event_file', :name,
            'topic', {_text("topic", 255)}, 'event_id', {_text("event_id", 1000)}, 'replay_id', {_hex("replay_id")},
            'schema_id', {_text("schema_id", 255)}, 'error', {PROBLEM}, 'received_at', {_text("ingested_at", 255)},
            'payload', {_hex("payload")})
        FROM events NOT INDEXED WHERE {PROBLEM} IS NOT NULL""",
    "rejected event": f"""
        SELECT json_object('kind', 'reject', 'refused_by', 'collector', 'reject_id', reject_id, 'event_file', :name,
            'topic', {_text("topic", 255)}, 'event_id', {_text("event_id", 1000)}, 'replay_id', {_hex("replay_id")},
            'schema_id', {_text("schema_id", 255)}, 'error', {_text("error", 4000)}, 'received_at', {_text("received_at", 255)},
            'payload', {_hex("payload")})
        FROM rejected_events NOT INDEXED""",
    "gap": f"""
        SELECT json_object('kind', 'gap', 'event_file', :name, 'gap_id', gap_id, 'topic', {_text("topic", 255)},
            'reason', {_text("reason", 255)}, 'object_name', {_text("object_name", 255)},
            'from_replay_id', {_hex("from_replay_id")}, 'from_time', {_time("from_time")}, 'to_time', {_time("to_time")},
            'detected_at', {_time("detected_at")})
        FROM gaps NOT INDEXED""",
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
                (SELECT count(*) FROM rejected_events NOT INDEXED), (SELECT count(*) FROM gaps NOT INDEXED)
            FROM events NOT INDEXED"""
        with _as_refusal():
            bad_key = self._connection.execute(BAD_KEYS).fetchone()
            rows, refused, first, last, rejected, gaps = self._connection.execute(counts).fetchone()
        if bad_key:
            raise RefusedFileError(f"a key of it is not one: {bad_key[0]}")
        return Figures(rows - refused, refused + rejected, gaps, first and first[:23], last and last[:23])

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """All rows as lines of JSON, about a megabyte at a time with their number, told apart by ``kind``.

        Raises:
            RefusedFileError: a page turned out to be unreadable.
        """
        count, portion = 0, bytearray()
        for statement in LINES.values():
            with _as_refusal():
                for (line,) in self._connection.execute(statement, self._parameters):
                    portion += line.encode() + b"\n"
                    count += 1
                    if len(portion) >= PORTION_BYTES:
                        yield count, bytes(portion)
                        count, portion = 0, bytearray()
        if count:
            yield count, bytes(portion)


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
    if hasattr(connection, "setlimit"):  # Python 3.11
        connection.setlimit(0, LONGEST_VALUE)  # SQLITE_LIMIT_LENGTH
        connection.setlimit(7, 0)  # SQLITE_LIMIT_ATTACHED
    connection.create_function("has_bad_escape", 1, _has_bad_escape, deterministic=True)
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
    found = _schema(connection)
    differences = [what for what in {*expected.schema, *found} if found.get(what) != expected.schema.get(what)]
    for what in sorted(differences, key=lambda what: (what.startswith("index"), what)):
        if what not in expected.schema:
            raise RefusedFileError(f"it holds what an event file has no use for: {what}")
        raise RefusedFileError(f"its {what} is {'not made as an event file has it' if what in found else 'missing'}")
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise RefusedFileError(f"it is damaged: {' '.join(str(verdict).split())}")


@dataclass(frozen=True)
class _Expected:
    application_id: int
    schema: dict[str, str]


def _expected() -> _Expected:
    """What the DDL says, read from a database made by it."""
    with contextlib.closing(sqlite3.connect(":memory:")) as model:
        model.executescript(DDL.read_text(encoding="utf-8"))
        return _Expected(model.execute("PRAGMA application_id").fetchone()[0], _schema(model))


def _schema(connection: sqlite3.Connection) -> dict[str, str]:
    """The statement behind each object, without comments and spacing; none behind the indexes that keys bring along."""
    objects = connection.execute("SELECT type || ' ' || substr(name, 1, 80), substr(sql, 1, 10000) FROM sqlite_master")
    return {name: " ".join(re.sub(r"--[^\n]*", "", sql or "").split()) for name, sql in objects}


@contextlib.contextmanager
def _as_refusal() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, UnicodeError, MemoryError, RecursionError) as error:
        raise RefusedFileError(f"it cannot be read: {type(error).__name__}: {error}") from None
