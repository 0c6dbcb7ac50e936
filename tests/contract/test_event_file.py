"""The event file as the contract of both apps: the sync reads what the collector writes.

The sync refuses any other file, and says why.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from contract.make_files import BROKEN, BROKEN_V1
from hypothesis import given, settings
from hypothesis import strategies as st
from local.event_files import delete

from delete_sync.src.errors import RefusedFileError
from delete_sync.src.event_files.event_file import EventFile
from delete_sync.src.event_files.file_format import FORMAT_VERSION
from delete_sync.src.model import Figures
from salesforce_client.src.app.decoding.values import as_json
from salesforce_client.src.app.model.rows import Delete
from salesforce_client.src.app.storage.blobs import blob_name
from salesforce_client.src.app.storage.event_file import EventFile as Writer

HERE = Path(__file__).resolve().parent
BEGUN_AT = datetime(2026, 2, 1, 0, 10, 59, tzinfo=timezone.utc)
NAME = "events_20260201T001059Z.db"
KINDS_OF_VERSION_1 = {"delete", "reject", "gap"}


def written(path: Path, *rows: Delete) -> Path:
    file = Writer(path, BEGUN_AT)
    file.add(rows)
    file.close()
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    return read(path)[0]


def read(path: Path) -> tuple[list[dict[str, Any]], Figures]:
    """Return the lines of a file, and its figures."""
    found = []
    with EventFile(path, NAME, "f" * 64) as file:
        for count, portion in file.lines():
            *several, end = portion.split(b"\n")
            assert (len(several), end) == (count, b"")
            found += [json.loads(line) for line in several]
        return found, file.figures()


def polls(path: Path) -> list[dict[str, Any]]:
    return polls_of(lines(path))


def polls_of(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in found if line["kind"] == "poll"]


@pytest.mark.parametrize(
    "golden", sorted((HERE / "golden").glob("*.db")), ids=lambda path: path.stem
)
def test_files_of_every_released_version_are_read(golden: Path) -> None:
    """Each file was written by the collector of its version."""
    (first, second, reject, gap, *_), figures = read(golden)
    times = "2026-01-31T23:59:59.123", "2026-02-01T00:00:00.000"
    of_version_2 = (2, 1, 2, 2, 2) if golden.stem == "v2" else ()
    assert figures == Figures(2, 1, 1, *times, *of_version_2)
    assert first == {
        "kind": "delete",
        "event_file": NAME,
        "event_id": "11111111-1111-4111-8111-111111111111",
        "topic": "/event/Delete_Event__e",
        "object_name": "Opportunity",
        "record_id": "0065f00000ABCDEAA1",
        "deleted_by": "0055f000000ABCDAA1",
        "deleted_date": "2026-01-31T23:59:59.123",
        "owner_id": "0055f000000ABCEAA1",
        "payload": {
            "Record_Name__c": 'it\'s "x"\n\\ 🦊 $$ %s',
            "n": 9223372036854775807,
            "none": None,
        },
        "ingested_at": "2026-02-01T00:10:00.000",
    }
    assert second["record_id"] is None
    assert (reject["refused_by"], reject["payload"], reject["replay_id"]) == (
        "collector",
        "0001FF",
        "000000000000938D0000",
    )
    assert (gap["reason"], gap["from_replay_id"], gap["from_time"]) == (
        "expired_cursor",
        "00000000000093010000",
        "2026-01-20T00:00:00.000",
    )


def test_the_polls_of_version_2_are_read() -> None:
    """A topic that failed says why. Version 1 has no polls."""
    idle, failed = polls(HERE / "golden/v2.db")
    assert idle == {
        "kind": "poll",
        "event_file": NAME,
        "poll_id": "c" * 64,
        "org_id": "00D5f000000ABCDEA2",
        "writer": "0.1.0",
        "topic": "/event/Delete_Event__e",
        "began_at": "2026-02-01T00:09:59.000",
        "ended_at": "2026-02-01T00:10:30.000",
        "objects": None,
        "ended": "idle",
        "read_until": "2026-02-01T00:09:59.000",
        "received": 3,
        "deletes": 2,
        "restores": 0,
        "skipped": 0,
        "rejected": 1,
        "gaps": 1,
        "error": None,
    }
    assert failed == {
        **idle,
        "poll_id": "d" * 64,
        "topic": "/data/AccountChangeEvent",
        "objects": ["Account"],
        "ended": "failed",
        "read_until": None,
        "error": "/data/AccountChangeEvent: Salesforce does not answer",
    }
    assert polls(HERE / "golden/v1.db") == []


def test_the_other_tables_of_version_2_are_read() -> None:
    """A restore, a check and its list, and a rejected event that was decoded again."""
    found = lines(HERE / "golden/v2.db")
    of_version_1 = [line for line in found if line["kind"] in KINDS_OF_VERSION_1]
    resolved, *others = [line for line in found if line not in of_version_1 + polls_of(found)]
    assert resolved == {
        "kind": "resolved",
        "event_file": NAME,
        "id": "e" * 64,
        "why": "reprocessed: became delete",
        "who": "reprocess",
        "acknowledged_at": "2026-02-01T00:10:00.004",
    }
    restores = [line for line in others if line["kind"] == "restore"]
    assert restores == [
        {
            "kind": "restore",
            "event_file": NAME,
            "restore_id": "44444444-4444-4444-8444-444444444444:0015f00000ABCDEAA1",
            "topic": "/data/AccountChangeEvent",
            "object_name": "Account",
            "record_id": "0015f00000ABCDEAA1",
            "restored_by": "0055f000000ABCDAA1",
            "restored_date": "2026-02-01T00:05:00.000",
            "found_by": "event",
            "ingested_at": "2026-02-01T00:10:00.005",
        },
        {
            "kind": "restore",
            "event_file": NAME,
            "restore_id": "check:0035f00000ABCDEAA1:2026-01-30T12:00:00.000Z",
            "topic": "check",
            "object_name": "Contact",
            "record_id": "0035f00000ABCDEAA1",
            "restored_by": None,
            "restored_date": "2026-02-01T00:11:59.999",
            "found_by": "check",
            "ingested_at": "2026-02-01T00:12:00.000",
        },
    ]
    failed, passed = (line for line in others if line["kind"] == "check")
    assert passed == {
        "kind": "check",
        "event_file": NAME,
        "check_id": "f" * 64,
        "org_id": "00D5f000000ABCDEA2",
        "writer": "0.1.0",
        "object_name": "Account",
        "window_from": "2026-01-31T00:00:00.000",
        "window_to": "2026-01-31T23:30:00.000",
        "listed": 2,
        "outcome": "listed",
        "sight": "view_all",
        "api_version": "v67.0",
        "checked_at": "2026-02-01T00:12:00.000",
        "error": None,
    }
    assert (failed["outcome"], failed["error"]) == (
        "sight_unknown",
        "the user may not read its own permission sets",
    )
    merged, purged = (line for line in others if line["kind"] == "listed")
    assert merged == {
        "kind": "listed",
        "event_file": NAME,
        "check_id": "f" * 64,
        "object_name": "Account",
        "record_id": "0015f00000ABCDFAA1",
        "deleted_date": "2026-01-31T08:00:00.000",
        "deleted_by": "0055f000000ABCDAA1",
        "owner_id": "0055f000000ABCEAA1",
        "merged_into": "0015f00000ABCDEAA1",
        "listed_by": "both",
        "state": "bin",
        "payload": {"id": "0015f00000ABCDFAA1", "deletedDate": "2026-01-31T08:00:00.000Z"},
    }
    assert (purged["deleted_by"], purged["merged_into"], purged["payload"]) == (None, None, {})
    assert {line["kind"] for line in lines(HERE / "golden/v1.db")} == KINDS_OF_VERSION_1


def test_the_golden_file_of_the_newest_version_has_a_row_in_every_table() -> None:
    """The table ``schemas`` has one too. The sync checks that table but does not read it."""
    connection = sqlite3.connect(HERE / f"golden/v{FORMAT_VERSION}.db")
    tables = [
        name
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    ]
    empty = [
        table
        for table in tables
        if not connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    ]
    connection.close()
    assert "schemas" in tables
    assert empty == []


@pytest.mark.parametrize(
    "broken", sorted((HERE / "broken").glob("*.db")), ids=lambda path: path.stem
)
def test_a_file_that_is_not_an_event_file_is_refused(broken: Path) -> None:
    """The reader refuses the file before it reads any row."""
    with pytest.raises(RefusedFileError):
        EventFile(broken, NAME, "f" * 64)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("newer_version", "newer than this reader's 2: deploy the newer delete_sync"),
        ("foreign_application_id", "not an event file"),
        ("restores_missing", "its table restores is missing"),
        ("checks_missing", "its table checks is missing"),
        ("listed_deletes_missing", "its table listed_deletes is missing"),
        ("resolved_rejects_missing", "its table resolved_rejects is missing"),
        ("restores_column_renamed", "its table restores differs from the event file format"),
        ("checks_column_added", "its table checks differs from the event file format"),
        ("listed_deletes_without_a_key", "its table listed_deletes differs from the event file"),
        ("resolved_rejects_is_a_view", "that no event file has: table kept"),
        ("wal_mode", "WAL mode"),
        ("three_bytes_short", "damaged or cut off"),
        ("a_virtual_table", "its table events differs from the event file format"),
        ("column_missing", "its table events differs from the event file format"),
        ("table_missing", "its table gaps is missing"),
        ("a_trigger", "that no event file has: trigger t"),
        ("claims_to_be_1", "that no event file has: table checks"),
        ("v1_that_claims_to_be_2", "its table checks is missing"),
        ("v1_with_a_schemas_table", "that no event file has: table schemas"),
    ],
)
def test_a_refusal_says_why(name: str, words: str) -> None:
    """An operator understands the reason from the log alone."""
    with pytest.raises(RefusedFileError, match=words):
        EventFile(HERE / f"broken/{name}.db", NAME, "f" * 64)


def test_the_broken_files_are_those_that_make_files_makes() -> None:
    """If a file were missing, the tests above would pass without testing it."""
    committed = {path.stem for path in (HERE / "broken").glob("*.db")}
    assert committed == {*BROKEN, *BROKEN_V1}


TEXT = st.none() | st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=255
)
NO_SURROGATES = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"))
TIMES = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31)).map(
    lambda it: it.isoformat(timespec="milliseconds") + "Z"
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | NO_SURROGATES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NO_SURROGATES, inner, max_size=4),
    max_leaves=8,
)
ROWS = st.builds(
    Delete,
    event_id=st.uuids().map(str),
    topic=st.just("/event/X__e"),
    object_name=TEXT,
    # To an id of 15 characters the sync adds the checksum, which has tests of its own.
    record_id=TEXT.filter(lambda it: it is None or len(it) != 15),
    deleted_by=TEXT,
    deleted_date=TIMES,
    owner_id=TEXT,
    payload=st.dictionaries(NO_SURROGATES, JSON).map(as_json),
    ingested_at=TIMES,
    replay_id=st.binary(min_size=1, max_size=20),
    schema_id=st.just("s"),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ROWS, max_size=8, unique_by=lambda row: row.event_id))
def test_the_sync_reads_the_same_rows_that_the_collector_wrote(rows: list[Delete]) -> None:
    """The values may be any text, any time and any JSON."""
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder) / "x.db", *rows)
        assert [{**line, "payload": json.dumps(line["payload"])} for line in lines(path)] == [
            {
                "kind": "delete",
                "event_file": NAME,
                "event_id": row.event_id,
                "topic": row.topic,
                "object_name": row.object_name,
                "record_id": row.record_id,
                "deleted_by": row.deleted_by,
                "deleted_date": row.deleted_date[:-1],
                "owner_id": row.owner_id,
                "payload": json.dumps(json.loads(row.payload)),
                "ingested_at": row.ingested_at[:-1],
            }
            for row in rows
        ]


def test_of_two_rows_with_one_key_the_earliest_stays(tmp_path: Path) -> None:
    """The time of receipt decides, then the topic.

    The order in which the rows are added does not matter.
    """
    early, late = "2026-02-01T00:10:00.000Z", "2026-02-01T00:10:00.001Z"
    path = written(
        tmp_path / "x.db",
        delete("e1", topic="/data/B", ingested_at=late),
        delete("e1", topic="/data/B", ingested_at=early),
        delete("e1", topic="/data/A", ingested_at=early),
        delete("e1", topic="/data/C", ingested_at=early),
    )
    assert [(line["topic"], line["ingested_at"]) for line in lines(path)] == [
        ("/data/A", early[:-1])
    ]


def test_a_file_with_a_failed_write_is_never_completed(tmp_path: Path) -> None:
    """The file has no journal, so a part of a failed statement stays in it."""
    file = Writer(tmp_path / "x.db", BEGUN_AT)
    with pytest.raises(sqlite3.IntegrityError):
        file.add([delete("e1"), delete("e2", topic=None)])
    with pytest.raises(sqlite3.ProgrammingError):
        file.close()


def test_a_closed_file_needs_no_other_file(tmp_path: Path) -> None:
    """A closed file has no journal beside it, and its header says that it is an event file."""
    path = written(tmp_path / "x.db", delete())
    assert [file.name for file in tmp_path.iterdir()] == ["x.db"]
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (0x53446454,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    connection.close()


def test_a_blob_is_named_after_the_second_in_which_its_file_begins() -> None:
    """If that name is taken, the next second is used, also over the end of a minute."""
    assert blob_name(BEGUN_AT) == NAME
    assert blob_name(BEGUN_AT, attempt=1) == "events_20260201T001100Z.db"


def test_memory_stays_flat_for_rows_of_any_size(tmp_path: Path) -> None:
    """The reader yields about a megabyte at a time, or one larger row."""
    path = written(
        tmp_path / "x.db",
        *(delete(f"e{number}", payload='{"a":"' + "x" * 700_000 + '"}') for number in range(20)),
    )
    with EventFile(path, NAME, "f" * 64) as file:
        assert max(len(portion) for _, portion in file.lines()) < 2_000_000
