"""How decoded change events become deletes, restores and gaps."""

from __future__ import annotations

import json
from typing import Any

import pytest

from salesforce_client.src.app.decoding.change_events import from_change_event
from salesforce_client.src.app.decoding.decode import Decoded, Fields
from salesforce_client.src.app.decoding.rows import Origin
from salesforce_client.src.app.decoding.values import as_json
from salesforce_client.src.app.errors import DecodeError
from salesforce_client.src.app.model.events import Event
from salesforce_client.src.app.model.rows import Delete, Gap, Restore

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
    schema_fields: Fields = (),
) -> list[Delete]:
    rows = from_change_event(event(value), EVENT, ORIGIN, schema_fields)
    return [row for row in rows if isinstance(row, Delete)]


def gaps(value: dict[str, Any]) -> list[Gap]:
    rows = from_change_event(event(value), EVENT, ORIGIN)
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
        "GAP_CREATE",
        "GAP_UPDATE",
        "SNAPSHOT",
        "NEW_ONE",
    ],
)
def test_other_changes_are_skipped(kind: str) -> None:
    """Kinds of changes that do not exist yet are skipped too."""
    assert from_change_event(event(change(kind, A)), EVENT, ORIGIN) == ()


def restores(value: dict[str, Any]) -> list[Restore]:
    rows = from_change_event((value, None), EVENT, ORIGIN)
    return [row for row in rows if isinstance(row, Restore)]


@pytest.mark.parametrize("kind", ["UNDELETE", "GAP_UNDELETE"])
def test_an_undelete_is_a_restore_for_each_record(kind: str) -> None:
    """Its key is made as that of a delete. The header is enough, so the body is not decoded."""
    first, second = restores(change(kind, A, B, A))
    assert first == Restore(
        restore_id=f"e1:{A}",
        topic=ORIGIN.topic,
        object_name="Account",
        record_id=A,
        restored_by="005AA000000ExmpAAA",
        restored_date="2026-01-01T00:00:00.123Z",
        found_by="event",
        ingested_at=ORIGIN.received_at,
        replay_id=b"\0\1",
        schema_id="s1",
    )
    assert second == first._replace(restore_id=f"e1:{B}", record_id=B)
    assert from_change_event(event(change(kind, A)), EVENT, ORIGIN, header_only="no schema") == [
        first
    ]


def test_a_wildcard_of_an_undelete_is_only_a_gap() -> None:
    """A restore names a record, and nobody knows which records the pattern means."""
    value = change("UNDELETE", A, "001*")
    assert [row.record_id for row in restores(value)] == [A]
    assert restores(change("UNDELETE", "001*")) == []
    (gap,) = gaps(value)
    assert (gap.reason, gap.object_name, gap.from_time) == (
        "wildcard",
        "Account",
        "2026-01-01T00:00:00.123Z",
    )
    assert gaps(change("UNDELETE", A)) == []


def test_the_texts_of_a_restore_fit_into_their_columns() -> None:
    """Snowflake stores no U+0000, and a text has at most 255 characters."""
    (row,) = restores(
        with_header(change("UNDELETE", A), entityName="O\0" + "x" * 254, commitUser="u" * 256)
    )
    assert (row.object_name, row.restored_by) == ("O\ufffd" + "x" * 253, "u" * 255)
    (row,) = restores(with_header(change("UNDELETE", A), entityName=None, commitUser=""))
    assert (row.object_name, row.restored_by) == (None, None)


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
NO_TIME = "commitTimestamp is not a time of the years 1582 to 9999"
NO_KEY = (
    "the event's id and a record id make no key: together they have more than 254 characters, or"
    " one of them has U+0000"
)


@pytest.mark.parametrize(
    ("decoded", "message"),
    [
        (change("DELETE"), "a DELETE of Account names no record id"),
        (change("GAP_DELETE", A, ""), "a GAP_DELETE of Account names no record id"),
        (with_header(DELETED, recordIds=[A, 7]), "a DELETE of Account names no record id"),
        (with_header(DELETED, recordIds=None), "a DELETE of Account names no record id"),
        *(
            (with_header(it, commitTimestamp=time), NO_TIME)
            for it in (DELETED, change("UNDELETE", A))
            for time in (2**62, None, 253402300800000, -12244089600001)
        ),
        *(
            (change(kind, A, record_id), NO_KEY)
            for kind in ("DELETE", "UNDELETE")
            for record_id in ("0" * 253, "001\0")
        ),
        (change("UNDELETE"), "an UNDELETE of Account names no record id"),
        (change("GAP_UNDELETE", ""), "a GAP_UNDELETE of Account names no record id"),
    ],
)
def test_an_event_that_cannot_become_a_row_raises_an_error(
    decoded: dict[str, Any], message: str
) -> None:
    """The collector keeps such an event as a rejected event."""
    with pytest.raises(DecodeError) as raised:
        deletes(decoded)
    assert str(raised.value) == message


def test_what_just_fits_becomes_a_row() -> None:
    """The key has 255 characters, and the times are the first and the last ones."""
    (row,) = deletes(change("DELETE", "0" * 252))
    assert len(row.event_id) == 255
    for time, text in (
        (-12244089600000, "1582-01-01T00:00:00.000Z"),
        (253402300799999, "9999-12-31T23:59:59.999Z"),
    ):
        (row,) = deletes(with_header(DELETED, commitTimestamp=time))
        assert row.deleted_date == text


def test_an_event_with_too_long_an_id_raises_an_error() -> None:
    """A key identifies a row, so it cannot be cut."""
    with pytest.raises(DecodeError) as raised:
        from_change_event(event(DELETED), EVENT._replace(event_id="x" * 237), ORIGIN)
    assert str(raised.value) == NO_KEY
    assert from_change_event(event(DELETED), EVENT._replace(event_id="x" * 236), ORIGIN)


@pytest.mark.parametrize("kind", ["DELETE", "UNDELETE"])
def test_an_event_whose_own_id_has_nul_raises_an_error(kind: str) -> None:
    """Snowflake stores no U+0000, and without it the key could be that of another event."""
    with pytest.raises(DecodeError) as raised:
        from_change_event(event(change(kind, A)), EVENT._replace(event_id="x\0"), ORIGIN)
    assert str(raised.value) == NO_KEY


@pytest.mark.parametrize(
    ("name", "column"),
    [("entityName", "object_name"), ("commitUser", "deleted_by"), ("OwnerId", "owner_id")],
)
def test_a_text_that_is_longer_than_its_column_is_cut_and_noted(name: str, column: str) -> None:
    """The payload has the whole text, and the other notes stay."""
    for length, notes in ((255, {"gap": True}), (256, {"gap": True, "cut": [column]})):
        long = {name: "x" * length}
        gap = change("GAP_DELETE", A)
        decoded = {**gap, **long} if name == "OwnerId" else with_header(gap, **long)
        (row,) = deletes(decoded)
        assert getattr(row, column) == "x" * 255
        payload = json.loads(row.payload)
        assert payload.pop("_tracker") == notes
        assert payload == decoded


def test_the_object_of_a_gap_fits_into_its_column() -> None:
    """A gap has no payload, so nothing is noted."""
    (gap,) = gaps(with_header(change("GAP_OVERFLOW"), entityName="O\0" + "x" * 254))
    assert gap.object_name == "O\ufffd" + "x" * 253


def test_an_event_without_an_id_raises_an_error() -> None:
    """Nobody could recognize a second delivery of such an event, so it does not become a row."""
    with pytest.raises(DecodeError) as raised:
        from_change_event(event(DELETED), EVENT._replace(event_id=""), ORIGIN)
    assert str(raised.value) == (
        "the event has no id; a second delivery of it would make a duplicate row"
    )


def test_a_change_event_is_marked_if_only_its_header_could_be_read() -> None:
    """The mark is the reason.

    The bitmaps stay numbers, because only the schema has the names of the fields.
    """
    decoded = with_header(DELETED, changedFields=["0x1"])
    (row,) = from_change_event(event(decoded), EVENT, ORIGIN, header_only="no such schema")
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


def test_each_overflow_and_each_wildcard_is_a_gap_of_its_own() -> None:
    """The key of the gap depends on the event, the org, the topic and the reason."""

    def key(value: dict[str, Any], event_id: str = "e1", **origin: str) -> str:
        rows = from_change_event(
            event(value),
            EVENT._replace(event_id=event_id),
            ORIGIN._replace(**origin),
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


def test_a_nul_in_an_enriched_event_is_replaced_and_noted() -> None:
    """Snowflake stores no U+0000. The other notes stay."""
    decoded = change("GAP_DELETE", A, B, Name="Acme\0 Ltd", OwnerId="005\0")
    for row in deletes(decoded):
        assert row.owner_id == "005\ufffd"
        payload = json.loads(row.payload)
        assert (payload["Name"], payload["OwnerId"]) == ("Acme\ufffd Ltd", "005\ufffd")
        assert payload["_tracker"] == {"gap": True, "nul_replaced": True}


def test_an_event_without_a_nul_is_not_noted() -> None:
    r"""A text may have the six characters ``\u0000``."""
    decoded = change("DELETE", A, Name="\\u0000 \ufffd")
    (row,) = deletes(decoded)
    assert json.loads(row.payload) == decoded
