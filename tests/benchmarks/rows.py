"""The rows that a sweep and its alternatives load into the warehouse."""

from __future__ import annotations

import uuid
from typing import Any

Rows = list[tuple[Any, ...]]
COLUMNS = (
    "event_id",
    "topic",
    "object_name",
    "record_id",
    "deleted_by",
    "deleted_date",
    "owner_id",
    "payload",
    "ingested_at",
)
TABLE = """CREATE TABLE t (event_id VARCHAR, topic VARCHAR, object_name VARCHAR,
    record_id VARCHAR, deleted_by VARCHAR, deleted_date TIMESTAMP_NTZ, owner_id VARCHAR,
    payload VARCHAR, ingested_at TIMESTAMP_NTZ)"""
INSERT_NEW = (
    "INSERT INTO t SELECT s.* FROM s LEFT JOIN t ON t.event_id = s.event_id "
    "WHERE t.event_id IS NULL"
)


def plain(count: int, first: int = 0) -> Rows:
    """Make rows in the order of ``COLUMNS``.

    They look like deletes from platform events, with a payload of 300 bytes.
    """
    made = []
    for number in range(first, first + count):
        key = str(uuid.uuid5(uuid.NAMESPACE_OID, str(number)))
        record, payload = (
            f"006AA{number:010}EXA",
            f'{{"Record_Id__c":"006AA{number:010}EXA","Record_Name__c":"{"x" * 240}"}}',
        )
        times = (f"2026-01-{number % 28 + 1:02}T00:00:00.123", "2026-02-01T00:10:00.456")
        made.append(
            (key, "/event/X__e", "Opportunity", record, "005", times[0], "005", payload, times[1])
        )
    return made
