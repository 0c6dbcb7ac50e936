"""How decoded events become deletes and gaps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesforce_client.src.app.decoding.decode import Decoded, Fields
from salesforce_client.src.app.decoding.deletes import Origin, interpret, published_at, rejected
from salesforce_client.src.app.decoding.values import as_json
from salesforce_client.src.app.errors import DecodeError
from salesforce_client.src.app.model import Delete, Event, Gap, RejectedEvent, identity
from salesforce_client.src.app.settings import DEFAULT_EVENT_FIELDS

EVENT = Event("e1", "s1", b"", b"\0\1")
ORIGIN = Origin("00D000000000001EAA", "/data/AccountChangeEvent", "2026-01-01T00:00:05.000Z")
COMMITTED = 1767225600123
A, B = "001AA000001ExmpAAA", "001AA000001ExmqAAA"


def change(kind: str, *record_ids: str, **body: Any) -> dict[str, Any]:
    header = {
        "entityName": "Account",
        "recordIds": list(record_ids),
        "changeType": kind,
        "commitTimestamp": COMMITTED,
    }
    return {
        "ChangeEventHeader": {
            **header,
            "commitUser": "005AA000000ExmpAAA",
            "commitNumber": 12000000000001,
        },
        **body,
    }


def with_header(value: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The change event with other fields in its header."""
    return {**value, "ChangeEventHeader": {**value["ChangeEventHeader"], **fields}}


def event(value: dict[str, Any]) -> Decoded:
    return value, as_json(value)


def deletes(
    value: dict[str, Any],
    event_fields: Mapping[str, str] = DEFAULT_EVENT_FIELDS,
    schema_fields: Fields = (),
) -> list[Delete]:
    rows = interpret(event(value), EVENT, ORIGIN, event_fields, schema_fields)
    return [row for row in rows if isinstance(row, Delete)]


def gaps(value: dict[str, Any]) -> list[Gap]:
    rows = interpret(event(value), EVENT, ORIGIN, DEFAULT_EVENT_FIELDS)
    return [row for row in rows if isinstance(row, Gap)]


def test_a_delete_of_one_record_is_a_row_keyed_by_event_and_record() -> None:
    """The row has the values of the header, and the unchanged event as its payload.

    The key does not depend on the number of records.
    """
    decoded = change("DELETE", A, OwnerId=None)
    (row,) = deletes(decoded)
    assert (row.event_id, row.object_name, row.record_id) == (f"e1:{A}", "Account", A)
    assert (row.deleted_by, row.deleted_date, row.owner_id) == (
        "005AA000000ExmpAAA",
        "2026-01-01T00:00:00.123Z",
        None,
    )
    assert (row.topic, row.ingested_at, row.replay_id, row.schema_id) == (
        ORIGIN.topic,
        ORIGIN.received_at,
        b"\0\1",
        "s1",
    )
    assert json.loads(row.payload) == decoded


def test_a_delete_of_several_records_is_one_row_for_each_record() -> None:
    """Each key is the event id and the record id. A record id that is named twice counts once."""
    rows = deletes(change("DELETE", A, B, A))
    assert [(row.event_id, row.record_id) for row in rows] == [(f"e1:{A}", A), (f"e1:{B}", B)]
    assert [row.record_id for row in deletes(change("DELETE", A, A))] == [A]


def test_the_owner_of_an_enriched_event_is_used() -> None:
    """Events of a custom channel may be enriched with the owner."""
    assert (
        deletes(change("DELETE", A, OwnerId="005AA000000OwnrAAA"))[0].owner_id
        == "005AA000000OwnrAAA"
    )


@pytest.mark.parametrize(
    "kind",
    [
        "CREATE",
        "UPDATE",
        "UNDELETE",
        "GAP_CREATE",
        "GAP_UPDATE",
        "GAP_UNDELETE",
        "SNAPSHOT",
        "NEW_ONE",
    ],
)
def test_other_changes_are_skipped(kind: str) -> None:
    """Kinds of changes that do not exist yet are skipped too."""
    assert interpret(event(change(kind, A)), EVENT, ORIGIN, DEFAULT_EVENT_FIELDS) == ()


def test_a_gap_delete_is_a_row_that_is_marked_as_such() -> None:
    """Salesforce could not build the full event, but the record is deleted."""
    (row,) = deletes(change("GAP_DELETE", A))
    assert json.loads(row.payload)["_tracker"] == {"gap": True}


def test_an_overflow_is_a_gap_without_rows() -> None:
    """The event names no records."""
    assert not deletes(change("GAP_OVERFLOW"))
    (gap,) = gaps(change("GAP_OVERFLOW"))
    assert gap == Gap(
        gap_id=gap.gap_id,
        topic=ORIGIN.topic,
        reason="overflow",
        object_name="Account",
        from_replay_id=EVENT.replay_id,
        from_time="2026-01-01T00:00:00.123Z",
        to_time="2026-01-01T00:00:00.123Z",
        detected_at=ORIGIN.received_at,
    )


def test_a_wildcard_is_both_a_row_with_its_pattern_and_a_gap() -> None:
    """It is unknown which records the pattern means."""
    (row,) = deletes(change("DELETE", "001*"))
    assert row.record_id == "001*"
    assert json.loads(row.payload)["_tracker"] == {"wildcard": True}
    (gap,) = gaps(change("DELETE", "001*", "00Q*"))
    assert (gap.reason, gap.object_name, gap.from_time, gap.to_time) == (
        "wildcard",
        "Account",
        *["2026-01-01T00:00:00.123Z"] * 2,
    )


def test_a_delete_that_names_its_records_leaves_no_gap() -> None:
    """Each record id is complete, and none is a pattern."""
    assert gaps(change("DELETE", A, B)) == []


DELETED = change("DELETE", A)


@pytest.mark.parametrize(
    ("decoded", "message"),
    [
        (change("DELETE"), "a DELETE of Account names no record id"),
        (change("GAP_DELETE", A, ""), "a GAP_DELETE of Account names no record id"),
        (with_header(DELETED, recordIds=[A, 7]), "a DELETE of Account names no record id"),
        (with_header(DELETED, recordIds=None), "a DELETE of Account names no record id"),
        (with_header(DELETED, commitTimestamp=2**62), "commitTimestamp is not a time"),
        ({"CreatedDate": None}, "neither Deleted_Date__c nor CreatedDate is a time"),
    ],
)
def test_an_event_that_cannot_become_a_row_raises_an_error(
    decoded: dict[str, Any], message: str
) -> None:
    """The collector keeps such an event as a rejected event."""
    with pytest.raises(DecodeError) as raised:
        deletes(decoded)
    assert str(raised.value) == message


def test_an_event_without_an_id_raises_an_error() -> None:
    """Nobody could recognize a second delivery of such an event, so it does not become a row."""
    with pytest.raises(DecodeError) as raised:
        interpret(event(DELETED), EVENT._replace(event_id=""), ORIGIN, DEFAULT_EVENT_FIELDS)
    assert str(raised.value) == (
        "the event has no id; a second delivery of it would make a duplicate row"
    )


def test_a_change_event_is_marked_if_only_its_header_could_be_read() -> None:
    """The mark is the reason.

    The bitmaps stay numbers, because only the schema has the names of the fields.
    """
    decoded = with_header(DELETED, changedFields=["0x1"])
    (row,) = interpret(
        event(decoded), EVENT, ORIGIN, DEFAULT_EVENT_FIELDS, header_only="no such schema"
    )
    assert isinstance(row, Delete)
    assert json.loads(row.payload) == {**decoded, "_tracker": {"header_only": "no such schema"}}


FIELDS = (
    ("ChangeEventHeader", ("entityName",)),
    ("Name", ("FirstName", "LastName")),
    ("Phone", ()),
    ("Website", ()),
)


@pytest.mark.parametrize(
    ("bitmaps", "names"),
    [
        (["0x4"], ["Phone"]),
        (["0x0C", "1-0x02"], ["Phone", "Website", "Name.LastName"]),
        (["1-0x3"], ["Name.FirstName", "Name.LastName"]),
        (["0xffff"], ["ChangeEventHeader", "Name", "Phone", "Website"]),
        (["4-0x1", "9-0x1", "nonsense", "0x"], None),
    ],
)
def test_the_bitmaps_of_a_header_are_kept_and_expanded_to_field_names(
    bitmaps: list[str], names: list[str] | None
) -> None:
    """The bitmaps name top-level fields, nested fields, or both.

    An unknown bit or a damaged bitmap adds no name, and the event still becomes a row.
    """
    decoded = change("DELETE", A)
    decoded["ChangeEventHeader"]["changedFields"] = bitmaps
    (row,) = deletes(decoded, schema_fields=FIELDS)
    payload = json.loads(row.payload)
    assert payload["ChangeEventHeader"]["changedFields"] == bitmaps
    assert payload.get("_tracker", {}).get("changed_fields") == names


@pytest.mark.parametrize(
    ("field", "remark"),
    [
        ("changedFields", "changed_fields"),
        ("nulledFields", "nulled_fields"),
        ("diffFields", "diff_fields"),
    ],
)
def test_each_of_the_three_bitmaps_has_a_remark_of_its_own(field: str, remark: str) -> None:
    """A header may have only one of the bitmaps."""
    (row,) = deletes(with_header(DELETED, **{field: ["0x4"]}), schema_fields=FIELDS)
    assert json.loads(row.payload)["_tracker"] == {remark: ["Phone"]}


PLATFORM = {
    "CreatedDate": COMMITTED,
    "CreatedById": "005AA000000CrtrAAA",
    "Object_Name__c": "Case",
    "Record_Id__c": "500AA000001ExmpAAA",
    "Deleted_By__c": "005AA000000DltrAAA",
    "Deleted_Date__c": COMMITTED - 5000,
    "Owner_Id__c": "005AA000000OwnrAAA",
}


def test_a_platform_event_fills_its_row_from_its_fields() -> None:
    """Here the fields have their default names."""
    (row,) = deletes(PLATFORM)
    assert row == Delete(
        event_id=row.event_id,
        topic=ORIGIN.topic,
        object_name="Case",
        record_id="500AA000001ExmpAAA",
        deleted_by="005AA000000DltrAAA",
        deleted_date="2025-12-31T23:59:55.123Z",
        owner_id="005AA000000OwnrAAA",
        payload=as_json(PLATFORM),
        ingested_at=ORIGIN.received_at,
        replay_id=EVENT.replay_id,
        schema_id=EVENT.schema_id,
    )


def test_a_platform_event_is_keyed_by_its_id_and_its_bytes() -> None:
    """Publishers may number their events, or use one id for all.

    An event that is delivered again has the same bytes.
    """
    one, again, other = (
        interpret(
            event(PLATFORM),
            EVENT._replace(payload=payload, replay_id=replay_id),
            ORIGIN,
            DEFAULT_EVENT_FIELDS,
        )[0]
        for payload, replay_id in ((b"one", b"1"), (b"one", b"2"), (b"other", b"3"))
    )
    assert isinstance(one, Delete)
    assert isinstance(again, Delete)
    assert isinstance(other, Delete)
    assert one.event_id == again.event_id == f"e1:{hashlib.sha256(b'one').hexdigest()[:16]}"
    assert other.event_id == f"e1:{hashlib.sha256(b'other').hexdigest()[:16]}"


@pytest.mark.parametrize(
    ("value", "published"),
    [
        (change("UPDATE", A), "2026-01-01T00:00:00.123Z"),
        ({"CreatedDate": COMMITTED}, "2026-01-01T00:00:00.123Z"),
        ({"CreatedDate": 2**62}, None),
        ({"ChangeEventHeader": "a field of this name"}, None),
        ({}, None),
    ],
)
def test_the_publishing_time_of_an_event_comes_from_salesforce(
    value: dict[str, Any], published: str | None
) -> None:
    """The time is that of the commit or of the creation, not a field that a publisher fills."""
    assert published_at(value) == published


def test_a_rejected_event_is_kept_with_all_that_was_received_and_the_error() -> None:
    """The bytes of a rejected event may be decoded later."""
    found = rejected(EVENT._replace(payload=b"\xff"), ORIGIN, DecodeError("it does not fit"))
    assert found == RejectedEvent(
        reject_id=found.reject_id,
        topic=ORIGIN.topic,
        event_id="e1",
        replay_id=b"\0\1",
        schema_id="s1",
        payload=b"\xff",
        error="it does not fit",
        received_at=ORIGIN.received_at,
    )


def test_a_rejected_event_has_the_same_key_at_each_delivery() -> None:
    """A redelivery has another replay id and another time.

    Another topic, event id or payload gives another key.
    """
    again = ORIGIN._replace(received_at="2026-01-02T00:00:00.000Z")
    first = rejected(EVENT, ORIGIN, DecodeError("x"))
    assert (
        rejected(EVENT._replace(replay_id=b"other"), again, DecodeError("y")).reject_id
        == first.reject_id
    )
    others = [EVENT._replace(payload=b"x"), EVENT._replace(event_id="e2")]
    elsewhere = rejected(EVENT, ORIGIN._replace(topic="/data/ChangeEvents"), DecodeError("x"))
    assert first.reject_id not in {
        elsewhere.reject_id,
        *(rejected(one, ORIGIN, DecodeError("x")).reject_id for one in others),
    }


def test_each_overflow_and_each_wildcard_is_a_gap_of_its_own() -> None:
    """The key of the gap depends on the event, the org, the topic and the reason."""

    def key(value: dict[str, Any], event_id: str = "e1", **origin: str) -> str:
        rows = interpret(
            event(value),
            EVENT._replace(event_id=event_id),
            ORIGIN._replace(**origin),
            DEFAULT_EVENT_FIELDS,
        )
        (gap,) = (row for row in rows if isinstance(row, Gap))
        return gap.gap_id

    overflow, wildcard = change("GAP_OVERFLOW"), change("DELETE", "001*")
    assert key(overflow) == key(overflow)
    assert (
        len(
            {
                key(overflow),
                key(overflow, "e2"),
                key(overflow, topic="/data/ChangeEvents"),
                key(overflow, org_id="00D000000000002EAA"),
                key(wildcard),
            }
        )
        == 5
    )


def test_the_fields_of_a_platform_event_may_have_other_names() -> None:
    """``SALESFORCE_EVENT_FIELDS`` sets their names."""
    (row,) = deletes({**PLATFORM, "Id__c": A}, {**DEFAULT_EVENT_FIELDS, "record_id": "Id__c"})
    assert row.record_id == A


@pytest.mark.parametrize(
    ("value", "deleted_date"),
    [
        (None, "2026-01-01T00:00:00.123Z"),
        ("", "2026-01-01T00:00:00.123Z"),
        ("yesterday", "2026-01-01T00:00:00.123Z"),
        (2**62, "2026-01-01T00:00:00.123Z"),
        ("2025-12-31", "2025-12-31T00:00:00.000Z"),
        ("2025-12-31T10:00:00Z", "2025-12-31T10:00:00.000Z"),
        ("2025-12-31T10:00:00.5+0200", "2025-12-31T08:00:00.500Z"),
        ("2025-12-31 10:00", "2025-12-31T10:00:00.000Z"),
    ],
)
def test_the_deletion_time_is_never_missing(value: Any, deleted_date: str) -> None:
    """If the field is not a time, the row takes the time at which the event was created.

    The payload keeps the field unchanged.
    """
    (row,) = deletes({**PLATFORM, "Deleted_Date__c": value})
    assert row.deleted_date == deleted_date
    assert json.loads(row.payload)["Deleted_Date__c"] == value


def test_if_the_deleter_is_unknown_the_row_names_the_publisher() -> None:
    """The field of the deleter is null or empty."""
    for nobody in (None, ""):
        assert deletes({**PLATFORM, "Deleted_By__c": nobody})[0].deleted_by == "005AA000000CrtrAAA"


def test_json_keeps_integers_exact_and_writes_bytes_as_base64() -> None:
    """NaN and the infinities are written as text, because JSON has no such numbers."""
    value = {
        "long": 2**63 - 1,
        "bytes": b"\0\xff",
        "nan": float("nan"),
        "inf": [float("inf")],
        "text": 'it\'s "x"\n\\ 🦊 $$ %s',
    }
    assert as_json(value) == (
        '{"long":9223372036854775807,"bytes":"AP8=","nan":"nan","inf":["inf"],'
        '"text":"it\'s \\"x\\"\\n\\\\ 🦊 $$ %s"}'
    )


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), JSON_VALUES))
def test_json_round_trips(value: dict[str, Any]) -> None:
    """A value that contains no bytes comes back unchanged."""
    assert json.loads(as_json(value)) == value


@given(st.lists(st.binary(), min_size=2, max_size=2), st.lists(st.binary(), min_size=2, max_size=2))
def test_identities_differ_if_any_part_differs(one: list[bytes], other: list[bytes]) -> None:
    """Two identities differ even if their joined parts are the same bytes."""
    assert (identity(*one) == identity(*other)) == (one == other)
