"""How decoded platform events become deletes and restores."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any, Union

import pytest

from salesforce_client.src.app.decoding.event_plan import EventPlan
from salesforce_client.src.app.decoding.platform_events import from_platform_event
from salesforce_client.src.app.decoding.rows import Origin
from salesforce_client.src.app.decoding.values import as_json
from salesforce_client.src.app.errors import DecodeError
from salesforce_client.src.app.model.event_rules import DEFAULT_EVENT_FIELDS, Clause
from salesforce_client.src.app.model.events import Event
from salesforce_client.src.app.model.rows import Delete, Restore

EVENT = Event("e1", "s1", b"payload", b"\0\1")
ORIGIN = Origin("00D000000000001EAA", "/event/Delete_Event__e", "2026-01-01T00:00:05.000Z")
PLAN = EventPlan(**DEFAULT_EVENT_FIELDS, clauses=(), otherwise="delete")
CREATED = 1767225600123
A, B = "001D000000IqhSLIAZ", "005A0000001vZ9yIAE"
KEY = f"e1:{hashlib.sha256(b'payload').hexdigest()[:16]}"
VALUE = {
    "CreatedDate": CREATED,
    "CreatedById": "005AA000000CrtrAAA",
    "Object_Name__c": "Account",
    "Record_Id__c": A,
    "Deleted_By__c": "005AA000000DltrAAA",
    "Deleted_Date__c": CREATED - 5000,
    "Owner_Id__c": "005AA000000OwnrAAA",
}


def deletes(plan: EventPlan = PLAN, event: Event = EVENT, **changes: Any) -> list[Delete]:
    return [row for row in told(plan, event, **changes) if isinstance(row, Delete)]


def told(
    plan: EventPlan = PLAN, event: Event = EVENT, **changes: Any
) -> list[Union[Delete, Restore]]:
    value = {**VALUE, **changes}
    return list(from_platform_event((value, as_json(value)), event, ORIGIN, plan))


def delete(**changes: Any) -> Delete:
    (row,) = deletes(**changes)
    return row


def notes(row: Delete) -> Any:
    return json.loads(row.payload).get("_tracker")


def test_a_platform_event_fills_its_row_from_its_fields() -> None:
    """The payload is the unchanged event."""
    assert delete() == Delete(
        event_id=KEY,
        topic=ORIGIN.topic,
        object_name="Account",
        record_id=A,
        deleted_by="005AA000000DltrAAA",
        deleted_date="2025-12-31T23:59:55.123Z",
        owner_id="005AA000000OwnrAAA",
        payload=as_json(VALUE),
        ingested_at=ORIGIN.received_at,
        replay_id=EVENT.replay_id,
        schema_id=EVENT.schema_id,
    )


def test_the_plan_says_which_field_fills_which_column() -> None:
    """A column without a field is empty."""
    (row,) = deletes(
        EventPlan(record_id="Id__c", owner_id="O__c", otherwise="delete"), Id__c=B, O__c=7
    )
    assert (row.record_id, row.owner_id, row.object_name) == (B, "7", None)


def test_a_platform_event_is_keyed_by_its_id_and_its_bytes() -> None:
    """Publishers may number their events, or use one id for all.

    An event that is delivered again has the same bytes.
    """
    one, again, other = (
        deletes(event=EVENT._replace(payload=payload, replay_id=replay_id))[0].event_id
        for payload, replay_id in ((b"one", b"1"), (b"one", b"2"), (b"other", b"3"))
    )
    assert one == again == f"e1:{hashlib.sha256(b'one').hexdigest()[:16]}"
    assert other == f"e1:{hashlib.sha256(b'other').hexdigest()[:16]}"


def test_an_event_that_names_several_records_is_one_row_for_each() -> None:
    """The key of each row ends with the record id. All else is the same."""
    rows = deletes(Record_Id__c=f"{A[:15]},{B},{A}")
    assert [(row.event_id, row.record_id) for row in rows] == [(f"{KEY}:{A}", A), (f"{KEY}:{B}", B)]
    assert len({row._replace(event_id="", record_id="") for row in rows}) == 1
    assert notes(rows[0]) is None


def test_an_event_that_names_one_record_twice_has_the_key_of_one_record() -> None:
    """The rows of an event do not depend on how the publisher writes its list."""
    assert delete(Record_Id__c=f"{A},{A}").event_id == KEY


def test_an_id_of_15_characters_becomes_one_of_18() -> None:
    """The payload keeps the field unchanged, and no note is needed."""
    row = delete(Record_Id__c=f" {A[:15]} ")
    assert row.record_id == A
    assert json.loads(row.payload) == {**VALUE, "Record_Id__c": f" {A[:15]} "}


def test_an_id_whose_case_was_restored_is_noted() -> None:
    """The checksum told the case."""
    row = delete(Record_Id__c=A.lower())
    assert row.record_id == A
    assert notes(row) == {"record_id_from": "checksum"}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"Record_Id__c": None}, "Record_Id__c is null: the event names no record"),
        ({"Record_Id__c": f"{A},n/a"}, "Record_Id__c has a character that no record id has"),
        (
            {"Record_Id__c": f"{A},{B}", "Text__c": "x" * 8_000_000},
            "the event names so many records that its rows would be too large",
        ),
    ],
)
def test_an_event_that_cannot_become_rows_is_an_error(
    changes: dict[str, Any], problem: str
) -> None:
    """The collector keeps such an event as a rejected event."""
    with pytest.raises(DecodeError) as raised:
        deletes(**changes)
    assert str(raised.value) == problem


def test_rows_of_16_million_characters_are_not_too_large() -> None:
    """One more is. A row of a single record may have any size."""
    rows = deletes(Record_Id__c=f"{A},{B}", Text__c="")
    room = 8_000_000 - len(rows[0].payload)
    assert len(deletes(Record_Id__c=f"{A},{B}", Text__c="x" * room)) == 2
    with pytest.raises(DecodeError, match="too large"):
        deletes(Record_Id__c=f"{A},{B}", Text__c="x" * (room + 1))
    assert len(deletes(Text__c="x" * 16_000_001)) == 1


@pytest.mark.parametrize(
    ("event_id", "problem"),
    [
        ("", "the event has no id; a second delivery of it would make a duplicate row"),
        ("x" * 220, "the event's id has more than 219 characters"),
    ],
)
def test_an_event_without_a_usable_id_is_an_error(event_id: str, problem: str) -> None:
    """Its row would have no key, or one that does not fit into its column."""
    with pytest.raises(DecodeError) as raised:
        deletes(event=EVENT._replace(event_id=event_id))
    assert str(raised.value) == problem


def test_an_id_of_one_character_is_usable() -> None:
    """Publishers choose the id."""
    (row,) = deletes(event=EVENT._replace(event_id="e"))
    assert row.event_id.startswith("e:")


def test_the_longest_key_fits_into_its_column() -> None:
    """It has 255 characters."""
    rows = deletes(event=EVENT._replace(event_id="x" * 219), Record_Id__c=f"{A},{B}")
    assert {len(row.event_id) for row in rows} == {255}


RESTORES = replace(PLAN, clauses=[Clause("restore", "Op__c", frozenset(("undelete",)))])


def restores(**changes: Any) -> list[Restore]:
    rows = told(RESTORES, **{"Op__c": "UNDELETE", **changes})
    assert all(isinstance(row, Restore) for row in rows)
    return [row for row in rows if isinstance(row, Restore)]


def test_an_event_that_is_neither_a_delete_nor_a_restore_is_no_row() -> None:
    """Its other fields do not matter."""
    assert told(replace(PLAN, otherwise="skip"), Record_Id__c=None) == []
    assert len(deletes(RESTORES, Op__c="DELETE")) == 1


def test_a_restore_fills_its_row_from_the_same_fields_as_a_delete() -> None:
    """User and time of the restore are in the fields of the delete. Its key is made as theirs."""
    assert restores() == [
        Restore(
            restore_id=KEY,
            topic=ORIGIN.topic,
            object_name="Account",
            record_id=A,
            restored_by="005AA000000DltrAAA",
            restored_date="2025-12-31T23:59:55.123Z",
            found_by="event",
            ingested_at=ORIGIN.received_at,
            replay_id=b"\0\1",
            schema_id="s1",
        )
    ]
    (row,) = restores(Deleted_By__c=None, Deleted_Date__c=None)
    assert (row.restored_by, row.restored_date) == (
        "005AA000000CrtrAAA",
        "2026-01-01T00:00:00.123Z",
    )


def test_a_restore_of_several_records_is_one_row_for_each() -> None:
    """A record that is named twice counts once."""
    rows = restores(Record_Id__c=f"{A},{B},{A}")
    assert [(row.restore_id, row.record_id) for row in rows] == [
        (f"{KEY}:{A}", A),
        (f"{KEY}:{B}", B),
    ]


def test_the_texts_of_a_restore_fit_into_their_columns() -> None:
    """Snowflake stores no U+0000, and a text has at most 255 characters."""
    (row,) = restores(event=EVENT._replace(event_id="e\0"), Object_Name__c="O\0" + "x" * 254)
    assert row.restore_id == KEY.replace("e1", "e\ufffd")
    assert row.object_name == "O\ufffd" + "x" * 253


def test_a_restore_without_a_usable_record_id_is_an_error() -> None:
    """The collector keeps such an event as a rejected event, as that of a delete."""
    with pytest.raises(DecodeError, match="Record_Id__c is null: the event names no record"):
        restores(Record_Id__c=None)


@pytest.mark.parametrize(
    ("value", "deleted_date", "read_from"),
    [
        (CREATED - 5000, "2025-12-31T23:59:55.123Z", None),
        ("2025-12-31T10:00:00.5+0200", "2025-12-31T08:00:00.500Z", None),
        (1767225595, "2025-12-31T23:59:55.000Z", "seconds"),
        ("2025-12-31 10:00", "2025-12-31T10:00:00.000Z", "no_zone"),
        ("2025-12-31", "2025-12-31T00:00:00.000Z", "date_only"),
        *(
            (it, "2026-01-01T00:00:00.123Z", "created_date")
            for it in (None, "", "yesterday", 2**62)
        ),
    ],
)
def test_the_deletion_time_is_never_missing(
    value: Any, deleted_date: str, read_from: str | None
) -> None:
    """If it is not the plain value of its field, a note says what it is.

    The payload keeps the field unchanged.
    """
    row = delete(Deleted_Date__c=value)
    assert row.deleted_date == deleted_date
    assert json.loads(row.payload)["Deleted_Date__c"] == value
    assert notes(row) == (read_from and {"deleted_date_from": read_from})


@pytest.mark.parametrize("created", [None, 0, 2**62])
def test_without_any_plausible_time_the_row_has_the_time_of_its_receipt(created: Any) -> None:
    """A delete at an unknown time is still a delete."""
    row = delete(Deleted_Date__c=None, CreatedDate=created)
    assert row.deleted_date == ORIGIN.received_at
    assert notes(row) == {"deleted_date_from": "ingested_at"}


def test_a_time_of_creation_in_another_unit_is_read_too() -> None:
    """Salesforce's own Python sample writes seconds."""
    row = delete(Deleted_Date__c=None, CreatedDate=CREATED // 1000)
    assert row.deleted_date == "2026-01-01T00:00:00.000Z"
    assert notes(row) == {"deleted_date_from": "created_date"}


def test_if_the_deleter_is_unknown_the_row_names_the_publisher() -> None:
    """The field of the deleter is null or empty."""
    for nobody in (None, ""):
        assert delete(Deleted_By__c=nobody).deleted_by == "005AA000000CrtrAAA"


def test_a_text_that_does_not_fit_into_its_column_is_cut_and_noted() -> None:
    """The payload keeps the whole text."""
    longer = "ü" * 256
    row = delete(Object_Name__c=longer, Deleted_By__c=longer, Owner_Id__c=longer)
    assert row.object_name == row.deleted_by == row.owner_id == longer[:255]
    assert notes(row) == {"cut": ["object_name", "deleted_by", "owner_id"]}
    assert json.loads(row.payload)["Owner_Id__c"] == longer
    row = delete(Object_Name__c=longer[:255], Owner_Id__c=longer)
    assert (row.object_name, notes(row)) == (longer[:255], {"cut": ["owner_id"]})


COLUMNS = [
    ("Object_Name__c", "object_name"),
    ("Deleted_By__c", "deleted_by"),
    ("Owner_Id__c", "owner_id"),
]


@pytest.mark.parametrize(("field", "column"), COLUMNS)
def test_one_text_that_does_not_fit_is_cut_and_the_others_stay(field: str, column: str) -> None:
    """A text of 255 characters still fits."""
    usual = delete()._asdict()
    for text, cut in (("x" * 255, None), ("x" * 256, {"cut": [column]})):
        row = delete(**{field: text})
        assert notes(row) == cut
        assert row._asdict() == {**usual, column: "x" * 255, "payload": row.payload}


@pytest.mark.parametrize("value", [7, True, 1.5])
@pytest.mark.parametrize(("field", "column"), COLUMNS)
def test_one_value_that_is_not_a_text_becomes_one(field: str, column: str, value: Any) -> None:
    """The payload keeps it unchanged."""
    row = delete(**{field: value})
    assert row._asdict() == {**delete()._asdict(), column: str(value), "payload": row.payload}
    assert json.loads(row.payload) == {**VALUE, field: value}


def test_several_values_that_are_not_texts_become_texts() -> None:
    """Two of them, or all three, may have the same type."""
    row = delete(Object_Name__c=7, Deleted_By__c=8)
    assert (row.object_name, row.deleted_by, row.owner_id) == ("7", "8", VALUE["Owner_Id__c"])
    row = delete(Object_Name__c=7, Deleted_By__c=8, Owner_Id__c=9)
    assert (row.object_name, row.deleted_by, row.owner_id) == ("7", "8", "9")


@pytest.mark.parametrize("nothing", [None, ""])
@pytest.mark.parametrize(("field", "column"), [COLUMNS[0], COLUMNS[2]])
def test_one_missing_value_leaves_its_column_empty(field: str, column: str, nothing: Any) -> None:
    """An empty text is a missing value. Of the deleter, the publisher takes its place."""
    row = delete(**{field: nothing})
    assert row._asdict() == {**delete()._asdict(), column: None, "payload": row.payload}


def test_a_nul_in_any_text_is_replaced_and_noted() -> None:
    """Snowflake stores no U+0000."""
    row = delete(Object_Name__c="a\0", Deleted_By__c="b\0", Owner_Id__c="c\0", Notes__c="d\0")
    assert (row.object_name, row.deleted_by, row.owner_id) == ("a\ufffd", "b\ufffd", "c\ufffd")
    payload = json.loads(row.payload)
    assert (payload["Notes__c"], payload["_tracker"]) == ("d\ufffd", {"nul_replaced": True})


def test_a_nul_in_the_id_of_an_event_is_replaced_and_noted() -> None:
    """Publishers choose the id."""
    (row,) = deletes(event=EVENT._replace(event_id="e\0"))
    assert row.event_id.startswith("e\ufffd:")
    assert notes(row) == {"nul_replaced": True}


def test_several_notes_are_in_one_object() -> None:
    """Nothing that was guessed is silent."""
    row = delete(
        Record_Id__c=A.upper(), Deleted_Date__c="2025-12-31", Owner_Id__c="o" * 300, Notes__c="\0"
    )
    assert notes(row) == {
        "deleted_date_from": "date_only",
        "record_id_from": "checksum",
        "cut": ["owner_id"],
        "nul_replaced": True,
    }
