#!/usr/bin/env python3
"""Makes the committed event files.

Run it in the development environment: ``python3 tests/contract/make_files.py``.
``golden/`` holds one file of every released format version and of the current one. The collector of
that version wrote it, so never make an old one again.
``broken/`` holds files that the reader must refuse. The name of a file says what is wrong with it.
Files that begin with ``v1_`` are made from version 1.
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

# Python finds these through the line above.
from salesforce_client.src.app.model.rows import (  # noqa: E402
    Check,
    Delete,
    Gap,
    ListedDelete,
    Poll,
    RejectedEvent,
    ResolvedReject,
    Restore,
)
from salesforce_client.src.app.storage.event_file import EventFile  # noqa: E402

DELETES = [
    Delete(
        event_id="11111111-1111-4111-8111-111111111111",
        topic="/event/Delete_Event__e",
        object_name="Opportunity",
        record_id="0065f00000ABCDEAA1",
        deleted_by="0055f000000ABCDAA1",
        deleted_date="2026-01-31T23:59:59.123Z",
        owner_id="0055f000000ABCEAA1",
        payload='{"Record_Name__c":"it\'s \\"x\\"\\n\\\\ 🦊 $$ %s",'
        '"n":9223372036854775807,"none":null}',
        ingested_at="2026-02-01T00:10:00.000Z",
        replay_id=b"\0\0\0\0\0\0\x93\x8b\0\0",
        schema_id="_CADE3qaegX3ECEW0rlbYA",
    ),
    Delete(
        event_id="22222222-2222-4222-8222-222222222222:0015f00000ABCDEAA1",
        topic="/data/AccountChangeEvent",
        object_name=None,
        record_id=None,
        deleted_by=None,
        deleted_date="2026-02-01T00:00:00.000Z",
        owner_id=None,
        payload="{}",
        ingested_at="2026-02-01T00:10:00.001Z",
        replay_id=b"\0\0\0\0\0\0\x93\x8c\0\0",
        schema_id="",
    ),
]
REJECTED = RejectedEvent(
    reject_id="a" * 64,
    topic="/data/AccountChangeEvent",
    event_id="33333333-3333-4333-8333-333333333333",
    replay_id=b"\0\0\0\0\0\0\x93\x8d\0\0",
    schema_id="_CADE3qaegX3ECEW0rlbYA",
    payload=b"\0\x01\xff",
    error="the payload does not fit its schema",
    received_at="2026-02-01T00:10:00.002Z",
)
SCHEMA = '{"type":"record","name":"AccountChangeEvent","fields":[]}'
GAP = Gap(
    gap_id="b" * 64,
    topic="/data/AccountChangeEvent",
    reason="expired_cursor",
    object_name=None,
    from_replay_id=b"\0\0\0\0\0\0\x93\x01\0\0",
    from_time="2026-01-20T00:00:00.000Z",
    to_time="2026-02-01T00:10:00.000Z",
    detected_at="2026-02-01T00:10:00.003Z",
)
POLL = Poll(
    poll_id="c" * 64,
    org_id="00D5f000000ABCDEA2",
    writer="0.1.0",
    topic="/event/Delete_Event__e",
    began_at="2026-02-01T00:09:59.000Z",
    ended_at="2026-02-01T00:10:30.000Z",
    objects=None,
    ended="idle",
    read_until="2026-02-01T00:09:59.000Z",
    received=3,
    deletes=2,
    restores=0,
    skipped=0,
    rejected=1,
    gaps=1,
    error=None,
)
FAILED_POLL = POLL._replace(
    poll_id="d" * 64,
    topic="/data/AccountChangeEvent",
    objects='["Account"]',
    ended="failed",
    read_until=None,
    error="/data/AccountChangeEvent: Salesforce does not answer",
)
RESOLVED = ResolvedReject("e" * 64, "delete", "2026-02-01T00:10:00.004Z")
RESTORES = [
    Restore(
        restore_id="44444444-4444-4444-8444-444444444444:0015f00000ABCDEAA1",
        topic="/data/AccountChangeEvent",
        object_name="Account",
        record_id="0015f00000ABCDEAA1",
        restored_by="0055f000000ABCDAA1",
        restored_date="2026-02-01T00:05:00.000Z",
        found_by="event",
        ingested_at="2026-02-01T00:10:00.005Z",
        replay_id=b"\0\0\0\0\0\0\x93\x8e\0\0",
        schema_id="_CADE3qaegX3ECEW0rlbYA",
    ),
    Restore(
        restore_id="check:0035f00000ABCDEAA1:2026-01-30T12:00:00.000Z",
        topic="check",
        object_name="Contact",
        record_id="0035f00000ABCDEAA1",
        restored_by=None,
        restored_date="2026-02-01T00:11:59.999Z",
        found_by="check",
        ingested_at="2026-02-01T00:12:00.000Z",
    ),
]
CHECK = Check(
    check_id="f" * 64,
    org_id="00D5f000000ABCDEA2",
    writer="0.1.0",
    object_name="Account",
    window_from="2026-01-31T00:00:00.000Z",
    window_to="2026-01-31T23:30:00.000Z",
    listed=2,
    outcome="listed",
    sight="view_all",
    api_version="v67.0",
    checked_at="2026-02-01T00:12:00.000Z",
    error=None,
)
FAILED_CHECK = CHECK._replace(
    check_id="9" * 64,
    object_name="Contact",
    listed=0,
    outcome="sight_unknown",
    sight="unknown",
    error="the user may not read its own permission sets",
)
LISTED = [
    ListedDelete(
        check_id=CHECK.check_id,
        object_name="Account",
        record_id="0015f00000ABCDFAA1",
        deleted_date="2026-01-31T08:00:00.000Z",
        deleted_by="0055f000000ABCDAA1",
        owner_id="0055f000000ABCEAA1",
        merged_into="0015f00000ABCDEAA1",
        listed_by="both",
        state="bin",
        payload='{"id":"0015f00000ABCDFAA1","deletedDate":"2026-01-31T08:00:00.000Z"}',
    ),
    ListedDelete(
        check_id=CHECK.check_id,
        object_name="Account",
        record_id="0015f00000ABCDGAA1",
        deleted_date="2026-01-31T09:00:00.000Z",
        deleted_by=None,
        owner_id=None,
        merged_into=None,
        listed_by="getDeleted",
        state="purged",
        payload="{}",
    ),
]


def write(path: Path) -> None:
    """Write an event file with a row of every kind."""
    file = EventFile(path, datetime(2026, 2, 1, 0, 10, tzinfo=timezone.utc))
    file.add([*DELETES, REJECTED, RESOLVED, *RESTORES, GAP, POLL, FAILED_POLL])
    file.add([CHECK, FAILED_CHECK, *LISTED])
    file.close()
    sql(f"INSERT INTO schemas VALUES ('{REJECTED.schema_id}', '{SCHEMA}')")(path)


def sql(*statements: str) -> Callable[[Path], None]:
    """A change that breaks a file with SQL statements."""

    def apply(path: Path) -> None:
        connection = sqlite3.connect(path, isolation_level=None)
        for statement in statements:
            connection.execute(statement)
        connection.close()

    return apply


def raw(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """A change that breaks the bytes of a file."""

    def apply(path: Path) -> None:
        path.write_bytes(change(path.read_bytes()))

    return apply


def _scrambled(content: bytes) -> bytes:
    """Overwrite the middle of every page except the first."""
    pages = [content[start : start + 4096] for start in range(0, len(content), 4096)]
    return pages[0] + b"".join(page[:4] + b"\xa5" * 2000 + page[2004:] for page in pages[1:])


REBUILD_EVENTS = "CREATE TABLE events AS SELECT {columns} FROM kept"
ALL = (
    "id, event_id, topic, object_name, record_id, deleted_by, deleted_date, owner_id, payload, "
    "ingested_at, replay_id, schema_id"
)
MOVE_AWAY = "ALTER TABLE events RENAME TO kept"
BROKEN: dict[str, Callable[[Path], None]] = {
    "not_sqlite": raw(lambda _: b"event_id,topic\n1,/event/X__e\n" * 50),
    "empty": raw(lambda _: b""),
    "header_only": raw(lambda content: content[:100]),
    "half": raw(lambda content: content[: len(content) // 2]),
    "three_bytes_short": raw(lambda content: content[:-3]),
    "a_page_too_long": raw(lambda content: content + b"\0" * 4096),
    "scrambled_pages": raw(_scrambled),
    "foreign_application_id": sql("PRAGMA application_id = 1"),
    "no_application_id": sql("PRAGMA application_id = 0"),
    "newer_version": sql("PRAGMA user_version = 3"),
    "version_zero": sql("PRAGMA user_version = 0"),
    "wal_mode": sql("PRAGMA journal_mode = WAL"),
    "table_missing": sql("DROP TABLE gaps"),
    "column_missing": sql(
        MOVE_AWAY, REBUILD_EVENTS.format(columns=ALL.replace("payload, ", "")), "DROP TABLE kept"
    ),
    "column_renamed": sql("ALTER TABLE events RENAME COLUMN payload TO body"),
    "events_is_a_view": sql(MOVE_AWAY, "CREATE VIEW events AS SELECT * FROM kept"),
    "a_view_beside": sql("CREATE VIEW extra AS SELECT 1"),
    "a_trigger": sql("CREATE TRIGGER t AFTER INSERT ON events BEGIN DELETE FROM gaps; END"),
    "a_virtual_table": sql(
        MOVE_AWAY, f"CREATE VIRTUAL TABLE events USING fts5({ALL})", "DROP TABLE kept"
    ),
    "a_generated_column": sql(
        MOVE_AWAY,
        f"CREATE TABLE events ({ALL.replace('payload', 'payload AS (hex(zeroblob(9)))')})",
    ),
    **{
        f"{table}_missing": sql(f"DROP TABLE {table}")
        for table in ("restores", "checks", "listed_deletes", "resolved_rejects")
    },
    "restores_column_renamed": sql("ALTER TABLE restores RENAME COLUMN restored_by TO who"),
    "checks_column_added": sql("ALTER TABLE checks ADD COLUMN note TEXT"),
    "listed_deletes_without_a_key": sql(
        "ALTER TABLE listed_deletes RENAME TO kept",
        "CREATE TABLE listed_deletes AS SELECT * FROM kept",
        "DROP TABLE kept",
    ),
    "resolved_rejects_is_a_view": sql(
        "ALTER TABLE resolved_rejects RENAME TO kept",
        "CREATE VIEW resolved_rejects AS SELECT * FROM kept",
    ),
    "claims_to_be_1": sql("PRAGMA user_version = 1"),
    "an_index_of_its_own": sql("CREATE INDEX i ON events (upper(payload))"),
}

BROKEN_V1: dict[str, Callable[[Path], None]] = {
    "v1_half": raw(lambda content: content[: len(content) // 2]),
    "v1_that_claims_to_be_2": sql("PRAGMA user_version = 2"),
    "v1_with_a_schemas_table": sql(
        "CREATE TABLE schemas (schema_id TEXT PRIMARY KEY, schema_json TEXT NOT NULL)"
    ),
}


def main() -> None:
    """Write the newest version into ``golden/`` if it is missing, and all files of ``broken/``."""
    for folder in ("golden", "broken"):
        (HERE / folder).mkdir(exist_ok=True)
    first, newest = HERE / "golden/v1.db", HERE / "golden/v2.db"
    if not newest.exists():
        write(newest)
    for golden, breakages in ((first, BROKEN_V1), (newest, BROKEN)):
        for name, spoil in breakages.items():
            path = HERE / f"broken/{name}.db"
            shutil.copy(golden, path)
            spoil(path)


if __name__ == "__main__":
    main()
