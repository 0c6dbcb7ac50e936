"""A row at fault costs the row, not the file.

A value that Snowflake would refuse never reaches Snowflake. If it is in the table ``events``, its
row becomes a reject. In the other tables, the value is cut, replaced or left out.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import sqlite3
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from contract.make_files import CHECK, GAP, LISTED, POLL, REJECTED, RESOLVED, RESTORES
from hypothesis import given, settings
from hypothesis import strategies as st
from local.event_files import delete

from delete_sync.src.errors import RefusedFileError
from delete_sync.src.event_files import values
from delete_sync.src.event_files.event_file import EventFile
from delete_sync.src.event_files.file_format import FORMATS
from delete_sync.src.model import Figures
from salesforce_client.src.app.model.ids import with_checksum

NAME = "events_20260201T001059Z.db"
SHA256 = "f" * 64
Line = dict[str, Any]


class Text(NamedTuple):
    """A text in a file. Its bytes need not be UTF-8."""

    content: bytes


def written(
    path: Path,
    *,
    version: int = 2,
    encoding: str = "UTF-8",
    **tables: Sequence[Mapping[str, Any]],
) -> Path:
    """Write a file with these rows, without the checks of the collector."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous = OFF")  # no test needs a file after a power cut
        connection.execute(f"PRAGMA encoding = '{encoding}'")
        connection.executescript(FORMATS[version])
        for table, rows in tables.items():
            for row in rows:
                places = ["CAST(? AS TEXT)" if isinstance(it, Text) else "?" for it in row.values()]
                connection.execute(
                    f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(places)})",
                    [it.content if isinstance(it, Text) else it for it in row.values()],
                )
        connection.commit()
    return path


def read(path: Path) -> tuple[list[Line], Figures]:
    """Return the lines of a file, and its figures."""
    with EventFile(path, NAME, SHA256) as file:
        raw = b"".join(portion for _, portion in file.lines())
        return [parsed(line) for line in raw.split(b"\n")[:-1]], file.figures()


def parsed(line: bytes) -> Line:
    """The values of a line. The line must be JSON as Snowflake reads it."""

    def unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        assert len({key for key, _ in pairs}) == len(pairs), "a key is twice in one object"
        return dict(pairs)

    def number(text: str) -> str:
        assert len(re.sub(r"[eE].*|\D", "", text)) <= 38, "a number has too many digits"
        assert abs(float(text)) < float("inf"), "a number is too large"
        return text

    def not_json(text: str) -> None:
        raise AssertionError(f"{text} is not JSON")

    found: Line = json.loads(
        line.decode(),
        object_pairs_hook=unique,
        parse_int=number,
        parse_float=number,
        parse_constant=not_json,
    )
    texts = json.dumps(found, ensure_ascii=False)
    texts.encode()  # fails if half a character is in it
    assert "\\u0000" not in texts.replace("\\\\", ""), "Snowflake stores no NUL"
    return found


def event(event_id: Any = "e1", **changes: Any) -> dict[str, Any]:
    """A row of ``events`` with plain values, except for these changes."""
    return {**delete(event_id)._asdict(), **changes}


# -- rows of events

BAD_BYTES = Text(b'{"a":"\xff"}')
ACCOUNT = "0015f00000ABCDEAA5"
RESTORE, ENTRY = RESTORES[0], LISTED[0]
LONG = "1" + "0" * 20
BECAME = "reprocessed: became "
GONE = object()  # a value that the line does not have
NOTED = {"a": "\ufffd", "_tracker": {"nul_replaced": True}}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"event_id": ""}, "event_id is empty"),
        ({"event_id": "x" * 256}, "event_id is longer than 255 characters"),
        ({"record_id": "ü" * 256}, "record_id is longer than 255 characters"),
        ({"owner_id": b"\1\2"}, "owner_id is not text"),
        ({"event_id": BAD_BYTES}, "event_id is not UTF-8"),
        ({"topic": BAD_BYTES}, "topic is not UTF-8"),
        ({"object_name": BAD_BYTES}, "object_name is not UTF-8"),
        ({"record_id": BAD_BYTES}, "record_id is not UTF-8"),
        ({"deleted_by": BAD_BYTES}, "deleted_by is not UTF-8"),
        ({"owner_id": BAD_BYTES}, "owner_id is not UTF-8"),
        ({"owner_id": Text(b"\xed\xa0\x80")}, "owner_id is not UTF-8"),
        ({"payload": BAD_BYTES}, "payload is not UTF-8"),
        ({"payload": Text(b'{"\\u0061":"\xff"}')}, "payload is not UTF-8"),
        ({"deleted_date": BAD_BYTES}, "deleted_date is not a time"),
        ({"ingested_at": BAD_BYTES}, "ingested_at is not a time"),
        ({"deleted_date": "2026-02-31T00:00:00.000Z"}, "deleted_date is not a time"),
        ({"deleted_date": "yesterday"}, "deleted_date is not a time"),
        ({"deleted_date": "2026-02-01T00:00:00.000"}, "deleted_date is not a time"),
        ({"deleted_date": "2026-02-01T00:00:00.000+"}, "deleted_date is not a time"),
        ({"deleted_date": "2026-02-01 00:00:00.000Z"}, "deleted_date is not a time"),
        ({"deleted_date": "2026-02-01T24:00:00.000Z"}, "deleted_date is not a time"),
        ({"deleted_date": "2026-W05-7T00:00:00.000Z"}, "deleted_date is not a time"),
        ({"deleted_date": "1581-12-31T23:59:59.999Z"}, "deleted_date is not a time"),
        ({"deleted_date": "0001-01-01T00:00:00.000Z"}, "deleted_date is not a time"),
        ({"deleted_date": b"2026-02-01T00:00:00.000Z"}, "deleted_date is not a time"),
        ({"ingested_at": 5}, "ingested_at is not a time"),
        ({"ingested_at": "2026-02-01T00:00:00.0\0Z"}, "ingested_at is not a time"),
        ({"payload": b"{}"}, "payload is not text"),
        ({"payload": "[]"}, "payload is not a JSON object"),
        ({"payload": '{"a":1,"a":1}'}, "payload has a key twice in one object"),
    ],
)
def test_a_row_that_snowflake_would_refuse_becomes_a_reject(
    tmp_path: Path, changes: dict[str, Any], problem: str
) -> None:
    """The reject has the reason, and the other rows are read."""
    rows = [event("first"), event(**{"event_id": "bad", **changes}), event("last")]
    (first, bad, last), figures = read(written(tmp_path / "x.db", events=rows))
    assert (first["event_id"], last["event_id"]) == ("first", "last")
    assert (bad["kind"], bad["refused_by"], bad["error"], bad["reject_id"]) == (
        "reject",
        "sync",
        problem,
        f"{SHA256}:2",
    )
    assert (figures.deletes, figures.rejected) == (2, 1)


def test_a_reject_keeps_everything_that_identifies_the_row(tmp_path: Path) -> None:
    """The payload is kept byte for byte, also if it is no text."""
    rows = [
        event(
            "x" * 2000,
            topic=Text(b"t\xff\0"),
            payload=BAD_BYTES,
            replay_id=b"\1\2",
            schema_id="s" * 300,
            ingested_at=5,
        ),
        event("", payload=b"\0\1\xff", schema_id=1.5),
        event(7, payload=8),
    ]
    (first, second, third), _ = read(written(tmp_path / "x.db", events=rows))
    assert first == {
        "kind": "reject",
        "refused_by": "sync",
        "reject_id": f"{SHA256}:1",
        "event_file": NAME,
        "topic": "t\ufffd\ufffd",
        "event_id": "x" * 1000,
        "replay_id": "0102",
        "schema_id": "s" * 255,
        "error": "event_id is longer than 255 characters",
        "received_at": "5",
        "payload": BAD_BYTES.content.hex().upper(),
    }
    assert (second["payload"], second["schema_id"]) == ("0001FF", "1.5")
    # SQLite itself makes these numbers texts, because their columns have the type TEXT.
    assert (third["kind"], third["event_id"], third["error"], third["payload"]) == (
        "reject",
        "7",
        "payload is not a JSON object",
        "38",
    )


def test_a_nul_in_a_text_is_replaced_and_noted(tmp_path: Path) -> None:
    """Snowflake stores no U+0000. The payload says that the row had one."""
    columns = ("event_id", "topic", "object_name", "record_id", "deleted_by", "owner_id")
    rows = [event(f"e{column}") for column in columns]
    for row, column in zip(rows, columns):
        row[column] = f"{column}\0b"
    found, figures = read(written(tmp_path / "x.db", events=rows))
    assert figures.deletes == len(columns)
    for line, column in zip(found, columns):
        assert (line["kind"], line[column]) == ("delete", f"{column}\ufffdb")
        assert line["payload"] == {"_tracker": {"nul_replaced": True}}


def test_a_nul_in_a_payload_is_replaced_and_noted(tmp_path: Path) -> None:
    """It may be an escape sequence or the character itself."""
    rows = [
        event("e1", payload='{"a\\u0000":"\\u0000"}'),
        event("e2", payload='{"a":"\0"}'),
        event("e3", payload='{"a":"\\\\u0000"}'),
    ]
    (first, second, third), _ = read(written(tmp_path / "x.db", events=rows))
    note = {"_tracker": {"nul_replaced": True}}
    assert first["payload"] == {"a\ufffd": "\ufffd", **note}
    assert second["payload"] == {"a": "\ufffd", **note}
    assert third["payload"] == {"a": "\\u0000"}


def test_text_of_255_characters_of_any_width_fits(tmp_path: Path) -> None:
    """Snowflake counts characters, not bytes, in a VARCHAR."""
    longest = "🦊" * 255
    # The NUL leads the second row past the quick way.
    rows = [event("e1", record_id=longest), event("e2\0", record_id=longest)]
    for row in rows:
        ((line,), _) = read(written(tmp_path / f"{row['event_id'][:2]}.db", events=[row]))
        assert line["record_id"] == longest


def test_a_record_id_of_15_characters_gets_its_checksum(tmp_path: Path) -> None:
    """The digests of erased records are those of 18 characters."""
    ((line,), _) = read(written(tmp_path / "x.db", events=[event(record_id="0015f00000ABCDE")]))
    assert line["record_id"] == ACCOUNT


def test_the_first_year_that_snowflake_advises_is_a_time(tmp_path: Path) -> None:
    """So is the last millisecond of the year 9999."""
    first, last = "1582-01-01T00:00:00.000", "9999-12-31T23:59:59.999"
    rows = [event("e1", deleted_date=f"{last}Z"), event("e2", deleted_date=f"{first}Z")]
    found, figures = read(written(tmp_path / "x.db", events=rows))
    assert [line["deleted_date"] for line in found] == [last, first]
    assert (figures.first_event_at, figures.last_event_at) == (first, last)


def test_only_deletes_have_a_first_and_a_last_time(tmp_path: Path) -> None:
    """A row that becomes a reject does not count."""
    rows = [
        event("e1", deleted_date="2026-02-02T00:00:00.000Z"),
        event("", deleted_date="2026-02-01T00:00:00.000Z"),
        event("e3", deleted_date="2026-02-04T00:00:00.000Z"),
        event("e4", deleted_date="2026-02-05T00:00:00.000Z", payload="[]"),
        event("e5", deleted_date="2026-02-03T00:00:00.000Z"),
    ]
    _, figures = read(written(tmp_path / "x.db", events=rows))
    assert figures == Figures(3, 2, 0, "2026-02-02T00:00:00.000", "2026-02-04T00:00:00.000", 0)


def test_a_file_may_store_its_texts_in_utf_16(tmp_path: Path) -> None:
    """SQLite then converts them to UTF-8. It makes something of half a character."""
    half = Text("x\udd8a".encode("utf-16-le", "surrogatepass"))
    rows = [event("ü🦊"), event("e2", record_id=half)]
    (first, second), _ = read(written(tmp_path / "x.db", encoding="UTF-16le", events=rows))
    assert (first["kind"], first["event_id"]) == ("delete", "ü🦊")
    assert second["event_id"] == "e2"


# -- rows of the other tables


def test_a_gap_is_read_with_all_its_columns(tmp_path: Path) -> None:
    """Its times have no Z, because TIMESTAMP_NTZ has no time zone."""
    ((line,), _) = read(written(tmp_path / "x.db", gaps=[{**GAP._asdict(), "object_name": "A"}]))
    assert line == {
        "kind": "gap",
        "event_file": NAME,
        "gap_id": "b" * 64,
        "topic": "/data/AccountChangeEvent",
        "reason": "expired_cursor",
        "object_name": "A",
        "from_replay_id": "00000000000093010000",
        "from_time": "2026-01-20T00:00:00.000",
        "to_time": "2026-02-01T00:10:00.000",
        "detected_at": "2026-02-01T00:10:00.003",
    }


def test_a_key_has_1_to_64_characters(tmp_path: Path) -> None:
    """The collector writes a SHA-256, which has 64."""
    gaps = [{**GAP._asdict(), "gap_id": key} for key in ("ü", "g" * 64)]
    found, _ = read(written(tmp_path / "x.db", gaps=gaps))
    assert [line["gap_id"] for line in found] == ["ü", "g" * 64]


def test_values_at_fault_in_gaps_and_rejects_are_cut_or_replaced(tmp_path: Path) -> None:
    """Gaps and rejects are records for operators. A cut record is better than none."""
    gap = {
        **GAP._asdict(),
        "topic": "t" * 300,
        "reason": Text(b"a\xff\0"),
        "object_name": b"Account\xff",
        "from_replay_id": None,
        "from_time": "yesterday",
        "to_time": "2026-02-31T00:00:00.000Z",
    }
    reject = {
        **REJECTED._asdict(),
        "event_id": "e" * 1001,
        "payload": b"\0" * 8_000_000,
        "error": "x" * 4001,
        "received_at": "now\0",
        "replay_id": Text(b"\xff"),
    }
    path = written(tmp_path / "x.db", gaps=[gap], rejected_events=[reject])
    (line_of_reject, line_of_gap), figures = read(path)
    assert line_of_gap == {
        "kind": "gap",
        "event_file": NAME,
        "gap_id": GAP.gap_id,
        "topic": "t" * 255,
        "reason": "a\ufffd\ufffd",
        "object_name": "Account\ufffd",
        "from_replay_id": None,
        "from_time": None,
        "to_time": None,
        "detected_at": "2026-02-01T00:10:00.003",
    }
    assert line_of_reject == {
        "kind": "reject",
        "refused_by": "collector",
        "reject_id": REJECTED.reject_id,
        "event_file": NAME,
        "topic": REJECTED.topic,
        "event_id": "e" * 1000,
        "replay_id": "FF",
        "schema_id": REJECTED.schema_id,
        "error": "x" * 4000,
        "received_at": "now\ufffd",
        "payload": None,
    }
    assert figures == Figures(0, 1, 1, None, None, 0)


def test_a_rejected_payload_is_kept_if_its_hex_fits_into_a_varchar(tmp_path: Path) -> None:
    """The largest one has just under four million bytes."""
    row = {**REJECTED._asdict(), "payload": b"\1" * 3_999_999}
    ((line,), _) = read(written(tmp_path / "x.db", rejected_events=[row]))
    assert line["payload"] == "01" * 3_999_999


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("org_id", "o" * 256, "o" * 18),
        ("writer", "w" * 256, "w" * 64),
        ("ended", "e" * 256, "e" * 16),
        ("writer", Text(b"1.0\xff"), "1.0\ufffd"),
        ("topic", 5, "5"),
        ("ended", "idle\0", "idle\ufffd"),
        ("error", "x" * 4001, "x" * 4000),
        ("began_at", "yesterday", None),
        ("ended_at", 5, None),
        ("read_until", "2026-02-31T00:00:00.000Z", None),
        ("received", "many", None),
        ("deletes", 1.5, None),
        ("restores", -1, None),
        ("skipped", 0, "0"),
        ("rejected", b"1", None),
        ("gaps", 2**63 - 1, str(2**63 - 1)),
        ("objects", '["A","\\u0000"]', ["A", "\ufffd"]),
        ("objects", json.dumps(["o" * 256]), ["o" * 255]),
        ("objects", "[]", []),
        ("objects", '["A",1]', None),
        ("objects", '{"A":"B"}', None),
        ("objects", '["A"', None),
        ("objects", '["\\ud800"]', None),
        ("objects", "[" * 200_000, None),
        ("objects", b'["A"]', None),
    ],
)
def test_values_at_fault_in_polls_are_cut_replaced_or_left_out(
    tmp_path: Path, column: str, value: Any, expected: Any
) -> None:
    """A poll tells an operator that the collector runs. A cut record is better than none."""
    path = written(tmp_path / "x.db", polls=[{**POLL._asdict(), column: value}])
    ((line,), figures) = read(path)
    ((plain,), _) = read(written(tmp_path / "y.db", polls=[POLL._asdict()]))
    assert line == {**plain, column: expected}
    assert figures == Figures(0, 0, 0, None, None, 1)


@pytest.mark.parametrize(
    ("table", "row", "changes", "expected"),
    [
        ("restores", RESTORE, {"topic": "t" * 256}, {"topic": "t" * 255}),
        ("restores", RESTORE, {"object_name": None}, {"object_name": None}),
        ("restores", RESTORE, {"record_id": "0015f00000ABCDE"}, {"record_id": ACCOUNT}),
        ("restores", RESTORE, {"record_id": "0015f00000ABC-E"}, {"record_id": "0015f00000ABC-E"}),
        ("restores", RESTORE, {"record_id": Text(b"a\xff\0")}, {"record_id": "a\ufffd\ufffd"}),
        ("restores", RESTORE, {"restored_by": "u" * 256}, {"restored_by": "u" * 255}),
        ("restores", RESTORE, {"restored_date": "yesterday"}, {"restored_date": None}),
        ("restores", RESTORE, {"found_by": "f" * 17}, {"found_by": "f" * 16}),
        ("restores", RESTORE, {"ingested_at": 5}, {"ingested_at": None}),
        ("checks", CHECK, {"org_id": "o" * 19}, {"org_id": "o" * 18}),
        ("checks", CHECK, {"writer": "w" * 65}, {"writer": "w" * 64}),
        ("checks", CHECK, {"object_name": b"A\xff"}, {"object_name": "A\ufffd"}),
        ("checks", CHECK, {"window_from": "2026-02-31T00:00:00.000Z"}, {"window_from": None}),
        ("checks", CHECK, {"window_to": ""}, {"window_to": None}),
        ("checks", CHECK, {"listed": -1}, {"listed": None}),
        ("checks", CHECK, {"outcome": "o" * 33}, {"outcome": "o" * 32}),
        ("checks", CHECK, {"sight": "s" * 17}, {"sight": "s" * 16}),
        ("checks", CHECK, {"api_version": "v" * 17}, {"api_version": "v" * 16}),
        ("checks", CHECK, {"checked_at": b"2026"}, {"checked_at": None}),
        ("checks", CHECK, {"error": "x" * 4001}, {"error": "x" * 4000}),
        ("listed_deletes", ENTRY, {"object_name": "o" * 256}, {"object_name": "o" * 255}),
        ("listed_deletes", ENTRY, {"record_id": "0015f00000ABCDE"}, {"record_id": ACCOUNT}),
        ("listed_deletes", ENTRY, {"record_id": "r" * 19}, {"record_id": "r" * 18}),
        ("listed_deletes", ENTRY, {"deleted_date": "never"}, {"deleted_date": None}),
        ("listed_deletes", ENTRY, {"deleted_by": 5}, {"deleted_by": "5"}),
        ("listed_deletes", ENTRY, {"owner_id": "o\0"}, {"owner_id": "o\ufffd"}),
        ("listed_deletes", ENTRY, {"merged_into": "0015f00000ABCDE"}, {"merged_into": ACCOUNT}),
        ("listed_deletes", ENTRY, {"merged_into": "m" * 19}, {"merged_into": "m" * 18}),
        ("listed_deletes", ENTRY, {"listed_by": "l" * 17}, {"listed_by": "l" * 16}),
        ("listed_deletes", ENTRY, {"state": "s" * 17}, {"state": "s" * 16}),
        ("listed_deletes", ENTRY, {"payload": f'{{"n":{LONG}}}'}, {"payload": {"n": LONG}}),
        ("listed_deletes", ENTRY, {"payload": '{"a":"\0"}'}, {"payload": NOTED}),
        ("listed_deletes", ENTRY, {"payload": "[]"}, {"payload": GONE}),
        ("listed_deletes", ENTRY, {"payload": '{"a":1,"a":1}'}, {"payload": GONE}),
        ("listed_deletes", ENTRY, {"payload": b"{}"}, {"payload": GONE}),
        ("listed_deletes", ENTRY, {"payload": BAD_BYTES}, {"payload": GONE}),
        ("resolved_rejects", RESOLVED, {"became": "nothing"}, {"why": BECAME + "nothing"}),
        ("resolved_rejects", RESOLVED, {"became": "b" * 33}, {"why": BECAME + "b" * 32}),
        ("resolved_rejects", RESOLVED, {"resolved_at": "soon"}, {"acknowledged_at": None}),
    ],
)
def test_values_at_fault_in_the_tables_of_version_2_are_cut_replaced_or_left_out(
    tmp_path: Path, table: str, row: Any, changes: Line, expected: Line
) -> None:
    """The row arrives, and all other values of it are as they were."""
    plain: dict[str, Any] = {table: [row._asdict()]}
    changed: dict[str, Any] = {table: [{**row._asdict(), **changes}]}
    ((line,), _) = read(written(tmp_path / "x.db", **plain))
    ((found,), figures) = read(written(tmp_path / "y.db", **changed))
    wanted = {**line, **expected}
    assert found == {column: value for column, value in wanted.items() if value is not GONE}
    assert figures.rows == 1


@pytest.mark.parametrize(
    ("table", "row", "column", "of_line", "longest"),
    [
        ("restores", RESTORE, "restore_id", "restore_id", 255),
        ("checks", CHECK, "check_id", "check_id", 64),
        ("listed_deletes", ENTRY, "check_id", "check_id", 64),
        ("resolved_rejects", RESOLVED, "reject_id", "id", 64),
    ],
)
def test_a_malformed_key_of_version_2_becomes_its_digest(
    tmp_path: Path, table: str, row: Any, column: str, of_line: str, longest: int
) -> None:
    """A row of these tables has no number. Equal keys stay equal, and others stay different."""
    keys = ["", "k" * (longest + 1), "Jane\0", b"Jane", Text(b"Jane\xff"), "Jane"]
    tables: dict[str, Any] = {table: [{**row._asdict(), column: key} for key in keys]}
    lines, _ = read(written(tmp_path / "x.db", **tables))
    found = {line[of_line] for line in lines}
    assert len(found) == len(keys)
    assert "Jane" in found
    for key in found - {"Jane"}:
        assert re.fullmatch(rf"{SHA256}:{column}:[0-9a-f]{{16}}", key)
    reversed_rows: dict[str, Any] = {table: tables[table][::-1]}
    again, _ = read(written(tmp_path / "y.db", **reversed_rows))
    assert {line[of_line] for line in again} == found
    whole: dict[str, Any] = {table: [{**row._asdict(), column: "k" * longest}]}
    ((line,), _) = read(written(tmp_path / "z.db", **whole))
    assert line[of_line] == "k" * longest


def test_an_entry_of_a_list_keeps_its_check_if_the_key_is_malformed(tmp_path: Path) -> None:
    path = written(
        tmp_path / "x.db",
        checks=[{**CHECK._asdict(), "check_id": "c" * 65}],
        listed_deletes=[{**ENTRY._asdict(), "check_id": "c" * 65}],
    )
    (check, entry), _ = read(path)
    assert check["check_id"] == entry["check_id"] != "c" * 65


@pytest.mark.parametrize(
    ("key", "hashed"),
    [("", b"str:"), ("Jane\0", b"str:Jane\0"), (b"Jane\0", b"bytes:Jane\0")],
)
def test_the_digest_of_a_malformed_key_is_that_of_its_type_and_its_bytes(
    key: Any, hashed: bytes
) -> None:
    """Each version of the app must find the same key, or it would add the row once more."""
    digest = hashlib.sha256(hashed).hexdigest()[:16]
    assert values.key_without_place(key, SHA256, "check_id") == f"{SHA256}:check_id:{digest}"


@given(st.text("abzABZ0189", min_size=15, max_size=15))
def test_the_checksum_of_a_record_id_is_the_one_that_the_collector_adds(short: str) -> None:
    assert values.record_id(short) == with_checksum(short)


@pytest.mark.parametrize(
    ("table", "row", "column"),
    [
        ("rejected_events", REJECTED._asdict(), "reject_id"),
        ("gaps", GAP._asdict(), "gap_id"),
        ("polls", POLL._asdict(), "poll_id"),
    ],
)
@pytest.mark.parametrize("key", ["", "k" * 65, "Jane\0", b"Jane", Text(b"Jane\xff"), None])
def test_a_row_with_a_malformed_key_is_identified_by_its_place(
    tmp_path: Path, table: str, row: dict[str, Any], column: str, key: Any
) -> None:
    """The row arrives. Its key is the same whenever the file is read."""
    tables: dict[str, Any] = {table: [row, {**row, column: key}]}
    lines, _ = read(written(tmp_path / "x.db", **tables))
    assert [line[column] for line in lines] == [row[column], f"{SHA256}:{column}:2"]


def test_the_name_of_a_foreign_table_is_quoted_without_unprintable_letters(tmp_path: Path) -> None:
    """Snowflake and the log could not store them."""
    path = written(tmp_path / "x.db")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE x1 (a)")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_master SET name = CAST(x'FF0041' AS TEXT) WHERE name = 'x1'"
        )
        connection.commit()
    with pytest.raises(RefusedFileError) as raised:
        EventFile(path, NAME, SHA256)
    str(raised.value).encode()
    assert str(raised.value).isprintable()


# -- any values


FRAGMENTS = st.sampled_from(
    [
        *("a", "b", "_tracker", "nul_replaced", "ü", "🦊", " ", "]", "}", "[", "{", ":", ","),
        *("\\u0061", "\\u0000", "\\u00e4", "\\ud83e\\udd8a", "\\ud800", "\\udd8a", "\\n", "\\/"),
        *("\\\\", "\\\\u0000", '\\"', "\0", "\n", "\\x", "\\"),
    ]
)
JSON_TEXTS = st.lists(FRAGMENTS, max_size=3).map(lambda parts: f'"{"".join(parts)}"')
JSON_NUMBERS = st.sampled_from(
    ["0", "-1", "1.5", "1e5", "1E400", "9" * 38, "9" * 39, "0." + "1" * 40, "01", "NaN", "-"]
)
DEPTHS = st.sampled_from([1, 1, 1, 98, 99, 100, 200_000])
SPACES = st.sampled_from(["", "", "", " ", "\n", "\r\n", "\t", "\u2028"])


def objects(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Texts of JSON objects, in which a key may be twice."""
    pair = st.builds("{}{}:{}{}".format, JSON_TEXTS, SPACES, SPACES, inner)
    return st.lists(pair, max_size=3).map(lambda pairs: f"{{{','.join(pairs)}}}")


JSON_VALUES = st.recursive(
    JSON_TEXTS | JSON_NUMBERS | st.sampled_from(["true", "false", "null", "", "nul"]),
    lambda inner: (
        objects(inner)
        | st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]")
        | st.builds(lambda it, depth: "[" * depth + it + "]" * depth, inner, DEPTHS)
    ),
    max_leaves=6,
)
OBJECTS = st.builds("{}{}{}".format, SPACES, objects(JSON_VALUES), SPACES)
PAYLOADS = OBJECTS | OBJECTS | OBJECTS | JSON_VALUES
ANY_TEXT = (
    st.binary(max_size=12)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=300).map(str.encode)
    | PAYLOADS.map(str.encode)
    | st.sampled_from([b"2026-02-01T00:00:00.000Z", b"2026-02-31T00:00:00.000Z", b"0"])
).map(Text)
ANY_VALUE = (
    ANY_TEXT | st.binary(max_size=5) | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
)
KEYS = st.text("0123456789abcdef", min_size=1, max_size=64)


NAMES = st.none() | st.sampled_from(["Account", "ü🦊", "a\0b", "x" * 255])
TIMES = st.datetimes(datetime(1582, 1, 1)).map(
    lambda it: it.isoformat(timespec="milliseconds") + "Z"
)
GOOD_EVENTS = st.fixed_dictionaries(
    {
        "event_id": st.uuids().map(str),
        "topic": st.just("/data/X"),
        **dict.fromkeys(("object_name", "record_id", "deleted_by", "owner_id"), NAMES),
        "deleted_date": TIMES,
        "ingested_at": TIMES,
        "payload": PAYLOADS.map(str.encode).map(Text),
        "replay_id": ANY_VALUE,
        "schema_id": ANY_VALUE,
    }
)
# A row with several values at fault is refused for the first one. So few columns get any value.
CHANGES = st.dictionaries(
    st.sampled_from(
        [
            *("event_id", "topic", "object_name", "record_id", "deleted_by", "owner_id"),
            *("deleted_date", "ingested_at", "payload"),
        ]
    ),
    ANY_VALUE,
    max_size=1,
)
EVENTS = st.builds(lambda row, changes: {**row, **changes}, GOOD_EVENTS, st.just({}) | CHANGES)
GAPS = st.fixed_dictionaries(
    {
        "gap_id": KEYS,
        **dict.fromkeys(("topic", "reason", "detected_at"), ANY_VALUE),
        **dict.fromkeys(
            ("object_name", "from_replay_id", "from_time", "to_time"), ANY_VALUE | st.none()
        ),
    }
)
REJECTED_EVENTS = st.fixed_dictionaries(
    {
        "reject_id": KEYS,
        **dict.fromkeys(set(REJECTED._fields) - {"reject_id"}, ANY_VALUE),
    }
)
POLLS = st.fixed_dictionaries(
    {
        "poll_id": KEYS,
        **dict.fromkeys(set(POLL._fields) - {"poll_id"}, ANY_VALUE),
        **dict.fromkeys(("org_id", "objects", "read_until", "error"), ANY_VALUE | st.none()),
    }
)
OTHERS = {
    table: st.fixed_dictionaries(
        {
            **dict.fromkeys(set(row._fields) - {column}, ANY_VALUE),
            **dict.fromkeys(may_be_null, ANY_VALUE | st.none()),
            column: KEYS,
        }
    )
    for table, row, column, may_be_null in (
        ("resolved_rejects", RESOLVED, "reject_id", ()),
        ("restores", RESTORE, "restore_id", ("object_name", "record_id", "restored_by")),
        ("checks", CHECK, "check_id", ("error",)),
        ("listed_deletes", ENTRY, "check_id", ("deleted_by", "owner_id", "merged_into")),
    )
}
REASONS = re.compile(
    r"(event_id|topic|object_name|record_id|deleted_by|owner_id|payload)"
    r" is (empty|not text|not UTF-8|longer than 255 characters)"
    r"|(deleted_date|ingested_at) is not a time"
    r"|payload is (not JSON|not a JSON object|more than 100 levels deep)"
    r"|payload has (a key twice in one object|a number of more than 38 digits"
    r"|a number that is too large for a double|a _tracker that is not an object)"
    r"|payload has half a character"
)
LONGEST = {
    "event_file": 255,
    "error": 4000,
    "replay_id": 8_000_000,
    "from_replay_id": 8_000_000,
    "reject_id": 128,
}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}")


def check_texts(line: Line) -> None:
    """Each text fits into its VARCHAR, and each time is one."""
    for column, value in line.items():
        longest = LONGEST.get(column, 255)
        if column in ("event_id", "payload") and line["kind"] == "reject":
            longest = 8_000_000
        if isinstance(value, str):
            assert len(value) <= longest, column
        if column.endswith(("_at", "_time", "_date", "_until")) and column != "received_at":
            assert value is None or TIME.fullmatch(value), column


def original(payload: Text) -> Any:
    """The values of a payload, with U+FFFD for U+0000."""

    def clean(value: Any) -> Any:
        if isinstance(value, str):
            return value.replace("\0", "\ufffd")
        if isinstance(value, list):
            return [clean(item) for item in value]
        if isinstance(value, dict):
            return {clean(key): clean(item) for key, item in value.items()}
        return value

    decoder = json.JSONDecoder(strict=False, parse_int=str, parse_float=str)
    return clean(decoder.decode(payload.content.decode()))


def unnoted(payload: dict[str, Any]) -> dict[str, Any]:
    """The payload without the reader's note."""
    tracker = payload.get("_tracker", {})
    if not isinstance(tracker, dict):
        return payload
    return {**payload, "_tracker": {**tracker, "nul_replaced": None}}


def distinct(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows without those whose event id an earlier row has. Each gets its number as its id."""
    found: dict[Any, dict[str, Any]] = {}
    for row in rows:
        key = row["event_id"]
        if isinstance(key, (int, float)):  # SQLite makes a text of it
            key = row["event_id"] = f"number {key}"
        found.setdefault(Text(key.encode()) if isinstance(key, str) else key, row)
    return [{**row, "id": number} for number, row in enumerate(found.values())]


@settings(max_examples=100, deadline=None)
@given(
    version=st.sampled_from([1, 2]),
    events=st.lists(EVENTS, max_size=4),
    gaps=st.lists(GAPS, max_size=1),
    rejected=st.lists(REJECTED_EVENTS, max_size=1),
    polls=st.lists(POLLS, max_size=1),
    others=st.fixed_dictionaries({table: st.lists(it, max_size=1) for table, it in OTHERS.items()}),
)
def test_any_value_in_any_column_costs_at_most_its_row(
    version: int,
    events: list[dict[str, Any]],
    gaps: list[dict[str, Any]],
    rejected: list[dict[str, Any]],
    polls: list[dict[str, Any]],
    others: dict[str, list[dict[str, Any]]],
) -> None:
    """Every row becomes one line that Snowflake can load. No reason quotes a value."""
    tables: dict[str, Any] = {"gaps": gaps, "rejected_events": rejected}
    if version == 2:
        tables |= {"polls": polls, **others}
    events = distinct(events)
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder) / "x.db", version=version, events=events, **tables)
        found, figures = read(path)
    for line in found:
        check_texts(line)
    of_events = found[: len(events)]
    for row, line in zip(events, of_events):
        if line["kind"] == "reject":
            assert line["reject_id"] == f"{SHA256}:{row['id']}"
            assert REASONS.fullmatch(line["error"])
        else:
            assert line["event_id"]
            assert isinstance(line["payload"], dict)
            assert unnoted(line["payload"]) == unnoted(original(row["payload"]))
    kinds = [line["kind"] for line in of_events]
    assert [line["kind"] for line in found[len(events) :]] == [
        *["reject"] * len(rejected),
        *["gap"] * len(gaps),
        *["poll"] * len(tables.get("polls", [])),
        *["resolved"] * len(tables.get("resolved_rejects", [])),
        *["restore"] * len(tables.get("restores", [])),
        *["check"] * len(tables.get("checks", [])),
        *["listed"] * len(tables.get("listed_deletes", [])),
    ]
    dates = sorted(line["deleted_date"] for line in of_events if line["kind"] == "delete")
    first, last = (dates[0], dates[-1]) if dates else (None, None)
    assert figures == Figures(
        kinds.count("delete"),
        kinds.count("reject") + len(rejected),
        len(gaps),
        first,
        last,
        *(
            len(tables.get(table, []))
            for table in ("polls", "resolved_rejects", "restores", "checks", "listed_deletes")
        ),
    )
