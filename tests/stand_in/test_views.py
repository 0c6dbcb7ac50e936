"""The views of ``3_views.sql`` answer a reader's questions. Each answer is written by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import pytest

from .conftest import Connect, Session

CDC, TRIGGER, OTHER = "/data/AccountChangeEvent", "/event/Delete_Event__e", "/data/Other__chn"
Add = Callable[..., None]


@pytest.fixture
def add(set_up: Session, connect: Connect) -> Add:
    """Insert rows into a table: each row has the same columns."""
    administrator: Session = connect(autocommit=True)

    def once(table: str, *rows: dict[str, Any]) -> None:
        selects = [
            "SELECT " + ", ".join(f"{literal(value)} AS {name}" for name, value in row.items())
            for row in rows
        ]
        administrator(f"INSERT INTO {table} ({', '.join(rows[0])}) {' UNION ALL '.join(selects)}")

    return once


def literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, datetime):
        return f"'{value.isoformat(sep=' ')}'::TIMESTAMP_NTZ"
    if isinstance(value, dict):
        return f"PARSE_JSON('{json.dumps(value)}')"
    return str(value) if isinstance(value, int) else f"'{value}'"


def at(hour: int, minute: int = 0, second: int = 0, day: int = 1) -> datetime:
    return datetime(2026, 2, day, hour, minute, second)


def event(event_id: str, record_id: str | None, when: datetime, topic: str = CDC) -> dict[str, Any]:
    """A row of ``delete_tracker``. It is received an hour later."""
    return {
        "event_id": event_id,
        "topic": topic,
        "object_name": "Account",
        "record_id": record_id,
        "deleted_by": "005A",
        "deleted_date": when,
    }


def restored(restore_id: str, record_id: str, when: datetime) -> dict[str, Any]:
    return {"restore_id": restore_id, "record_id": record_id, "restored_date": when}


# -- _deletes


def test_two_topics_that_tell_of_one_delete_are_one_delete(add: Add, reader: Session) -> None:
    """The earlier row stays. Ten minutes are close enough, and a second more is not."""
    add(
        "delete_tracker",
        event("t1", "001A", at(8, 0, 0), TRIGGER),
        event("c1", "001A", at(8, 0, 1), CDC),
        event("o1", "001A", at(8, 10, 1), OTHER),
        event("c2", "001B", at(8, 0, 0), CDC),
        event("t2", "001B", at(8, 10, 0), TRIGGER),
        event("c3", "001C", at(8, 0, 0), CDC),
        event("t3", "001C", at(8, 10, 1), TRIGGER),
        event("c4", "001D", at(8, 0, 0), CDC),
        event("c5", "001E", at(8, 0, 0), CDC),
    )
    found = reader("SELECT event_id, source FROM delete_tracker_deletes ORDER BY event_id")
    assert [row[0] for row in found] == ["c2", "c3", "c4", "c5", "t1", "t3"]
    assert {row[1] for row in found} == {"event"}


def test_two_rows_of_one_topic_are_two_deletes(add: Add, reader: Session) -> None:
    """Also within ten minutes: the record was restored in between.

    If another topic has told of both, each of its rows belongs to another delete.
    """
    add(
        "delete_tracker",
        event("c1", "001A", at(8, 0)),
        event("c2", "001A", at(8, 5)),
        event("t1", "001A", at(8, 0, 1), TRIGGER),
        event("t2", "001A", at(8, 5, 1), TRIGGER),
        event("c3", "001B", at(8, 0)),
        event("c4", "001B", at(8, 5)),
        event("t3", "001B", at(8, 5), TRIGGER),
        event("c5", "001C", at(8, 0)),
        event("c6", "001C", at(9, 0)),
        event("t4", "001C", at(9, 0, 1), TRIGGER),
    )
    found = reader("SELECT event_id FROM delete_tracker_deletes ORDER BY event_id")
    assert [row[0] for row in found] == ["c1", "c2", "c3", "c4", "c5", "c6"]


def test_a_delete_without_a_record_counts_and_a_wildcard_does_not(
    add: Add, reader: Session
) -> None:
    """A wildcard stands for records that nobody can name, so it is a gap."""
    add(
        "delete_tracker",
        event("e1", None, at(8)),
        event("e2", None, at(8), TRIGGER),
        event("e3", "001*", at(8)),
    )
    found = reader("SELECT event_id FROM delete_tracker_deletes ORDER BY event_id")
    assert found == [("e1",), ("e2",)]


def test_a_recovered_delete_says_that_a_check_told_of_it(add: Add, reader: Session) -> None:
    """All columns of ``delete_tracker`` are there, with their values."""
    add(
        "delete_tracker",
        {
            **event("check:001A:2026", "001A", at(8), "check"),
            "id": 7,
            "owner_id": "005O",
            "payload": {"a": 1},
            "ingested_at": at(9),
        },
        {
            **event("e1", "001B", at(8)),
            "id": 8,
            "owner_id": "005P",
            "payload": {"a": 2},
            "ingested_at": at(10),
        },
    )
    assert reader(
        "SELECT id, event_id, topic, object_name, record_id, deleted_by, deleted_date, owner_id, "
        "payload:a::INTEGER, ingested_at, source FROM delete_tracker_deletes ORDER BY id"
    ) == [
        (
            *(7, "check:001A:2026", "check", "Account", "001A", "005A", at(8)),
            *("005O", 1, at(9), "check"),
        ),
        (8, "e1", CDC, "Account", "001B", "005A", at(8), "005P", 2, at(10), "event"),
    ]


# -- _latest


def test_the_last_delete_of_each_record_says_whether_the_record_was_restored(
    add: Add, reader: Session
) -> None:
    """Of two restores, the first one counts. A restore before the delete does not."""
    add(
        "delete_tracker",
        event("e1", "001A", at(8)),
        event("e3", "001B", at(8)),
        event("e2", "001B", at(12)),
        event("e4", "001C", at(8)),
        event("e5", "001D", at(8)),
        event("e6", "001E", at(8)),
        event("e7", None, at(8)),
        event("e8", "001*", at(8)),
    )
    add(
        "delete_tracker_restores",
        restored("r1", "001B", at(10)),
        restored("r2", "001C", at(10)),
        restored("r3", "001C", at(9)),
        restored("r4", "001D", at(8)),
        restored("r5", "001E", at(7, 59, 59)),
    )
    assert reader(
        "SELECT record_id, event_id, deleted_date, restored_date, deleted_now, merged_into, "
        "confirmed_at FROM delete_tracker_latest ORDER BY record_id"
    ) == [
        ("001A", "e1", at(8), None, "yes", None, None),
        ("001B", "e2", at(12), None, "yes", None, None),
        ("001C", "e4", at(8), at(9), "no", None, None),
        ("001D", "e5", at(8), at(8), "no", None, None),
        ("001E", "e6", at(8), None, "yes", None, None),
    ]


def test_a_merge_names_the_record_that_is_left(add: Add, reader: Session) -> None:
    """A was merged into B, and B into C. D was merged, restored, and is its own record again.

    Of E, a later check says that it was not merged. F was purged, so the earlier check counts.
    G and H name each other, which cannot be, but must not break the view. I was merged, restored
    without an event, and deleted again after the check. A check that is not compared yet does not
    count, so J has no winner.
    """
    add("delete_tracker", *(event(f"e{one}", f"001{one}", at(8)) for one in "ABDEFGHIJ"))
    add("delete_tracker_restores", restored("r1", "001D", at(9)))
    add(
        "delete_tracker_checks",
        {"check_id": "early", "checked_at": at(10), "compared_at": at(12)},
        {"check_id": "late", "checked_at": at(11), "compared_at": at(12)},
        {"check_id": "before", "checked_at": at(7), "compared_at": at(12)},
        {"check_id": "waiting", "checked_at": at(11), "compared_at": None},
    )

    def listed(check_id: str, record: str, winner: str | None, by: str = "both") -> dict[str, Any]:
        return {
            "check_id": check_id,
            "record_id": f"001{record}",
            "deleted_date": at(8),
            "merged_into": winner,
            "listed_by": by,
        }

    add(
        "delete_tracker_listed",
        listed("early", "A", "001B"),
        listed("early", "B", "001C", "queryAll"),
        listed("late", "D", "001C"),
        listed("early", "E", "001C"),
        listed("late", "E", None),
        listed("early", "F", "001C"),
        listed("late", "F", None, "getDeleted"),
        listed("early", "G", "001H"),
        listed("early", "H", "001G"),
        listed("before", "A", "001X"),
        listed("before", "I", "001X"),
        listed("waiting", "A", "001X"),
        listed("waiting", "J", "001X"),
    )
    found = reader("SELECT record_id, merged_into FROM delete_tracker_latest ORDER BY record_id")
    assert found == [
        *(("001A", "001C"), ("001B", "001C"), ("001D", None), ("001E", None), ("001F", "001C")),
        *(("001G", "001H"), ("001H", "001G"), ("001I", None), ("001J", None)),
    ]


# -- _daily


def test_deletes_are_counted_by_day_object_and_user(add: Add, reader: Session) -> None:
    """The day is that of the delete. Two topics that tell of one delete count once."""
    add(
        "delete_tracker",
        event("c1", "001A", at(23, 59, 59)),
        event("t1", "001A", at(0, 0, 1, day=2), TRIGGER),
        event("c2", "001B", at(8)),
        event("c3", "001B", at(12)),
        {**event("c4", "003A", at(8)), "object_name": "Contact"},
        {**event("c5", "001C", at(8, day=2)), "deleted_by": "005B"},
    )
    assert reader(
        "SELECT day, object_name, deleted_by, deletes, records FROM delete_tracker_daily "
        "ORDER BY day, object_name, deleted_by"
    ) == [
        (date(2026, 2, 1), "Account", "005A", 3, 2),
        (date(2026, 2, 1), "Contact", "005A", 1, 1),
        (date(2026, 2, 2), "Account", "005B", 1, 1),
    ]


# -- _freshness


def test_each_topic_and_object_says_when_it_was_last_read(add: Add, reader: Session) -> None:
    """A failed poll reads nothing, and may not know the objects. An error of the past is gone.

    An object that only an older poll names stays: the topic's gaps need its days.
    """

    def poll(topic: str, hour: int, **others: Any) -> dict[str, Any]:
        told = {"objects": None, "read_until": None, "error": None, **others}
        told["ended"] = "failed" if told["error"] else "caught_up"
        times = {"began_at": at(hour), "ended_at": at(hour, 1)}
        return {"poll_id": f"{topic}{hour}", "topic": topic, **times, **told}

    add(
        "delete_tracker_polls",
        poll(CDC, 8, objects='["Account"]', read_until=at(8)),
        poll(CDC, 9, error="Salesforce does not answer"),
        poll(OTHER, 8, error="it was broken"),
        poll(OTHER, 9, objects='["Lead"]', read_until=at(9)),
        poll(OTHER, 10, objects='["Account","Contact"]', read_until=at(10)),
        poll(TRIGGER, 9, read_until=at(9)),
        poll("/data/None__chn", 9, objects="[]", read_until=at(9)),
    )
    assert reader(
        "SELECT topic, object_name, last_poll_at, read_until, proven_until, last_error "
        "FROM delete_tracker_freshness ORDER BY topic, object_name"
    ) == [
        (CDC, "Account", at(9, 1), at(8), None, "Salesforce does not answer"),
        ("/data/None__chn", None, at(9, 1), at(9), None, None),
        (OTHER, "Account", at(10, 1), at(10), None, None),
        (OTHER, "Contact", at(10, 1), at(10), None, None),
        (OTHER, "Lead", at(10, 1), at(10), None, None),
        (TRIGGER, None, at(9, 1), at(9), None, None),
    ]


# -- _incomplete


def test_what_was_acknowledged_or_resolved_is_no_longer_a_reason(add: Add, reader: Session) -> None:
    """The kind counts too. A file that was replaced and refused again is another reason."""
    add(
        "delete_tracker_gaps",
        *(
            {
                "gap_id": gap,
                "topic": CDC,
                "reason": "overflow",
                "from_time": at(1),
                "to_time": at(2),
                "detected_at": at(3),
            }
            for gap in ("g1", "g2", "x")
        ),
    )
    add(
        "delete_tracker_loads",
        {"event_file": "a.db", "sha256": "s1", "error": "cut off", "loaded_at": at(4)},
        {"event_file": "b.db", "sha256": "s2", "error": "cut off", "loaded_at": at(4)},
        {"event_file": "c.db", "sha256": "s3", "error": None, "loaded_at": at(4)},
    )
    add(
        "delete_tracker_rejects",
        *(
            {
                "reject_id": reject,
                "topic": CDC,
                "error": "unreadable",
                "received_at": "2026-02-01T05:00:00.000",
                "loaded_at": at(6),
            }
            for reject in ("r1", "r2", "x")
        ),
    )
    add(
        "delete_tracker_acknowledged",
        {"kind": "gap", "id": "g1", "why": "listed by hand", "who": "Jane"},
        {"kind": "refused file", "id": "a.db:s1", "why": "it was empty", "who": "Jane"},
        {"kind": "refused file", "id": "b.db:s0", "why": "it was empty", "who": "Jane"},
        {"kind": "reject", "id": "r1", "why": "reprocessed: became delete", "who": "reprocess"},
        {"kind": "reject", "id": "x", "why": "reprocessed: became nothing", "who": "reprocess"},
    )
    assert reader(
        "SELECT what, id, source, why, from_time, to_time, known_since "
        "FROM delete_tracker_incomplete ORDER BY what, id"
    ) == [
        ("gap", "g2", CDC, "overflow", at(1), at(2), at(3)),
        ("gap", "x", CDC, "overflow", at(1), at(2), at(3)),
        ("refused file", "b.db:s2", "b.db", "cut off", None, None, at(4)),
        ("reject", "r2", CDC, "unreadable", None, at(5), at(6)),
    ]


# -- _transactions


def test_a_transaction_shows_what_was_deleted_with_a_record(add: Add, reader: Session) -> None:
    """A trigger tells of the same delete, but not of its transaction."""

    def change(key: str, number: int, record_id: str, name: str) -> dict[str, Any]:
        header = {"transactionKey": key, "sequenceNumber": number}
        return {
            **event(f"{key}{number}:{record_id}", record_id, at(8)),
            "object_name": name,
            "payload": {"ChangeEventHeader": header},
        }

    add(
        "delete_tracker",
        change("k1", 2, "003A", "Contact"),
        change("k1", 1, "001A", "Account"),
        change("k1", 2, "003B", "Contact"),
        change("k2", 3, "001B", "Account"),
        change("k1", 4, "001*", "Account"),
        {**event("t1", "001A", at(7, 59), TRIGGER), "payload": {"Record_Id__c": "001A"}},
        {**event("e1", "001C", at(8)), "payload": None},
    )
    assert reader(
        "SELECT transaction_key, deleted_by, sequence_number, object_name, record_id, event_id, "
        "first_object_name, first_record_id, deletes, deleted_date "
        "FROM delete_tracker_transactions ORDER BY transaction_key, sequence_number, record_id"
    ) == [
        *(
            (*("k1", "005A", number, name, record), event_id, *("Account", "001A", 3, at(8)))
            for number, name, record, event_id in (
                (1, "Account", "001A", "k11:001A"),
                (2, "Contact", "003A", "k12:003A"),
                (2, "Contact", "003B", "k12:003B"),
            )
        ),
        ("k2", "005A", 3, "Account", "001B", "k23:001B", "Account", "001B", 1, at(8)),
    ]
