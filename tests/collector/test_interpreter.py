"""How events become rows. Each event is read with its own schema. Unreadable events are kept."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any, Optional

import pytest

from salesforce_client.src.app.decoding.decode import Decoder
from salesforce_client.src.app.decoding.interpreter import Interpreter
from salesforce_client.src.app.errors import (
    CollectorError,
    EventFieldsError,
    SalesforceUnavailableError,
    SchemaError,
)
from salesforce_client.src.app.mock_salesforce import schemas
from salesforce_client.src.app.mock_salesforce.events import encode
from salesforce_client.src.app.mock_salesforce.ids import record_id
from salesforce_client.src.app.model.event_rules import DEFAULT_EVENT_FIELDS, EventRules
from salesforce_client.src.app.model.events import Event
from salesforce_client.src.app.model.rows import Delete, Gap, RejectedEvent, Restore, Schema

ACCOUNTS, PLATFORM = "/data/AccountChangeEvent", "/event/Delete_Event__e"
COMMITTED = 1767225600123
ACCOUNT, DELETE_EVENT = schemas.schema_id(schemas.ACCOUNT), schemas.schema_id(schemas.DELETE_EVENT)


def change(number: int, kind: str = "DELETE", committed: int = COMMITTED) -> Event:
    header = {
        "entityName": "Account",
        "recordIds": [record_id("Account", number)],
        "changeType": kind,
        "changeOrigin": "",
        "transactionKey": "t",
        "sequenceNumber": 1,
        "commitTimestamp": committed,
        "commitNumber": 1,
        "commitUser": record_id("User", 1),
        "nulledFields": [],
        "diffFields": [],
        "changedFields": [],
    }
    return Event(
        f"e{number}",
        ACCOUNT,
        encode(schemas.ACCOUNT, {"ChangeEventHeader": header}),
        b"%d" % number,
    )


def platform(number: int, **fields: Any) -> Event:
    value = {
        "CreatedDate": COMMITTED,
        "CreatedById": "005",
        "Record_Id__c": record_id("Account", number),
        **fields,
    }
    return Event(f"e{number}", DELETE_EVENT, encode(schemas.DELETE_EVENT, value), b"%d" % number)


class Schemas:
    """Returns the schemas of the mock, or raises an error."""

    def __init__(self, error: CollectorError | None = None) -> None:
        self.error = error
        self.asked: list[str] = []

    def __call__(self, schema_id: str) -> str:
        """The schema with this id."""
        self.asked.append(schema_id)
        if self.error:
            raise self.error
        return schemas.BY_ID[schema_id]


def interpreter(error: CollectorError | None = None) -> Interpreter:
    return Interpreter(Schemas(error), "00D", {})


def test_the_events_of_one_response_may_have_different_schemas() -> None:
    """A channel carries events of several types. Each has fields of its own."""
    packaged = schemas.BY_ID[DELETE_EVENT].replace("Record_Id__c", "acme__Record_Id__c")
    by_id = {**schemas.BY_ID, "packaged": packaged}
    events = [platform(1), platform(2)._replace(schema_id="packaged"), change(3), platform(4)]
    read = Interpreter(by_id.__getitem__, "00D", {}).read("/data/All__chn", events)
    rows = [row for row in read.rows if isinstance(row, Delete)]
    assert [row.record_id for row in rows] == [record_id("Account", it) for it in (1, 2, 3, 4)]
    assert ["acme__Record_Id__c" in json.loads(row.payload) for row in rows] == [0, 1, 0, 0]
    assert not any("_tracker" in row.payload for row in rows if row.object_name == "Account")


def test_platform_events_of_two_schemas_are_read_each_with_its_own() -> None:
    packaged = schemas.BY_ID[DELETE_EVENT].replace("Record_Id__c", "acme__Record_Id__c")
    by_id = {**schemas.BY_ID, "packaged": packaged}
    events = [platform(1), platform(2)._replace(schema_id="packaged")]
    read = Interpreter(by_id.__getitem__, "00D", {}).read("/event/All__chn", events)
    payloads = [json.loads(row.payload) for row in read.rows if isinstance(row, Delete)]
    assert ["acme__Record_Id__c" in payload for payload in payloads] == [0, 1]


USUAL = {
    "Object_Name__c": "Account",
    "Deleted_By__c": "005",
    "Deleted_Date__c": COMMITTED,
    "Owner_Id__c": "005",
}


@pytest.mark.parametrize("fields", [USUAL, {}], ids=["usual", "unusual"])
def test_platform_events_become_rows_in_their_order(fields: dict[str, Any]) -> None:
    """The result has the publishing time of the last event."""
    later = {**fields, "CreatedDate": COMMITTED + 1000}
    told = interpreter().read(PLATFORM, [platform(1, **fields), platform(2, **later)])
    assert [row.record_id for row in told.rows if isinstance(row, Delete)] == [
        record_id("Account", n) for n in (1, 2)
    ]
    assert (told.received, told.skipped, told.rejects) == (2, 0, [])
    assert told.published_at == "2026-01-01T00:00:01.123Z"


def test_usual_platform_events_are_read_the_quick_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of them is read alone."""
    monkeypatch.delattr(f"{Interpreter.__module__}.from_platform_event")
    told = interpreter().read(PLATFORM, [platform(1, **USUAL), platform(2, **USUAL)])
    assert len(told.rows) == 2


def test_platform_events_are_decoded_once_also_if_one_is_not_usual(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Decoding takes most of the time."""
    decode, decoded = Decoder.decode, []

    def counted(decoder: Decoder, payload: bytes) -> Any:
        decoded.append(payload)
        return decode(decoder, payload)

    monkeypatch.setattr(Decoder, "decode", counted)
    events = [platform(1, **USUAL), platform(2), platform(3, **USUAL)]
    assert len(interpreter().read(PLATFORM, events).rows) == 3
    assert decoded == [event.payload for event in events]


def test_events_become_rows_in_their_order() -> None:
    """The result also counts skipped events, and has the publishing time of the last event."""
    told = interpreter().read(
        ACCOUNTS, [change(1), change(2, "UPDATE"), change(3, committed=COMMITTED + 1000)]
    )
    assert [row.record_id for row in told.rows if isinstance(row, Delete)] == [
        record_id("Account", n) for n in (1, 3)
    ]
    assert (told.received, told.skipped, told.rejects) == (3, 1, [])
    assert told.published_at == "2026-01-01T00:00:01.123Z"


@pytest.mark.parametrize("kind", ["UNDELETE", "GAP_UNDELETE"])
@pytest.mark.parametrize("error", [None, SchemaError("no such schema")])
def test_an_undelete_is_a_restore_also_without_its_schema(
    kind: str, error: Optional[CollectorError]
) -> None:
    """It is not skipped. The header is enough for the row."""
    told = interpreter(error).read(ACCOUNTS, [change(1, kind)])
    (row,) = told.rows
    assert isinstance(row, Restore)
    assert (row.restore_id, row.restored_by) == (
        f"e1:{record_id('Account', 1)}",
        record_id("User", 1),
    )
    assert (told.received, told.skipped, told.rejects) == (1, 0, [])
    assert told.published_at == row.restored_date == "2026-01-01T00:00:00.123Z"


def test_a_skipped_event_counts_for_the_publishing_time() -> None:
    """A channel may have no delete for hours."""
    assert (
        interpreter().read(ACCOUNTS, [change(1, "UPDATE")]).published_at
        == "2026-01-01T00:00:00.123Z"
    )


@pytest.mark.parametrize(
    ("minutes", "believed"), [(-1, True), (4, True), (6, False), (500_000, False)]
)
def test_a_publishing_time_is_never_later_than_now(minutes: int, believed: bool) -> None:
    """Clocks differ by minutes.

    A time that is further ahead is damage, and must not make a topic look caught up.
    """
    committed = int((datetime.now(timezone.utc) + timedelta(minutes=minutes)).timestamp() * 1000)
    told = interpreter().read(ACCOUNTS, [change(1, committed=committed)])
    (row,) = told.rows
    assert isinstance(row, Delete)
    assert told.published_at == (min(row.deleted_date, row.ingested_at) if believed else None)


@pytest.mark.parametrize(
    ("created", "published"),
    [
        (COMMITTED, "2026-01-01T00:00:00.123Z"),
        (COMMITTED // 1000, "2026-01-01T00:00:00.000Z"),
        (2**62, None),
    ],
)
def test_the_publishing_time_of_a_platform_event_is_when_it_was_created(
    created: int, published: str | None
) -> None:
    """A publisher through the Pub/Sub API writes this time itself, perhaps in seconds."""
    assert interpreter().read(PLATFORM, [platform(1, CreatedDate=created)]).published_at == (
        published
    )


def test_a_commit_time_that_is_no_time_rejects_the_event() -> None:
    """Then no event was published at a known time."""
    told = interpreter().read(ACCOUNTS, [change(1, committed=2**62)])
    assert [reject.error for reject in told.rejects] == [
        "commitTimestamp is not a time of the years 1582 to 9999"
    ]
    assert told.published_at is None


def test_a_row_does_not_depend_on_the_events_delivered_with_it() -> None:
    """Neither events with the same event id nor rejected events change a row."""
    events = [
        change(1),
        change(2)._replace(event_id="e1"),
        change(3)._replace(event_id="e1", payload=b"\xff"),
    ]
    together = interpreter().read(ACCOUNTS, events).rows
    alone = [row for event in events for row in interpreter().read(ACCOUNTS, [event]).rows]
    assert {row.event_id for row in together if isinstance(row, Delete)} == {
        row.event_id for row in alone if isinstance(row, Delete)
    }
    assert len({row.event_id for row in together if isinstance(row, Delete)}) == 2


def test_an_unreadable_event_is_kept_with_its_bytes_and_its_schema() -> None:
    """Such an event can be decoded later from the event file alone. Each schema is kept once."""
    broken = [platform(n)._replace(payload=b"\xff" * n) for n in (1, 2)]
    told = interpreter().read(PLATFORM, [platform(3), *broken])
    assert [type(row) for row in told.rows] == [Delete, RejectedEvent, RejectedEvent, Schema]
    assert [reject.payload for reject in told.rejects] == [b"\xff", b"\xff\xff"]
    assert len({reject.error for reject in told.rejects}) == 1, (
        "one text for each cause, so that rejects can be counted by cause"
    )
    assert told.rows[-1] == Schema(DELETE_EVENT, schemas.DELETE_EVENT)
    assert (told.received, told.skipped) == (3, 0)


def test_no_schema_is_kept_if_no_event_is_rejected() -> None:
    """If the schemas of all events were kept, every file would hold schemas."""
    assert not [
        row for row in interpreter().read(PLATFORM, [platform(1)]).rows if isinstance(row, Schema)
    ]


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (platform(1)._replace(event_id=""), "has no id"),
        (platform(1, Record_Id__c=None), "Record_Id__c is null: the event names no record"),
    ],
)
def test_a_readable_event_that_cannot_become_a_row_is_rejected(event: Event, words: str) -> None:
    """The rejected event keeps the bytes."""
    told = interpreter().read(PLATFORM, [event])
    (reject,) = told.rejects
    assert words in reject.error
    assert reject.payload == event.payload


def test_if_salesforce_refuses_a_schema_permanently_its_events_are_rejected_without_it() -> None:
    """These events may be decoded later, if Salesforce returns the schema then."""
    told = interpreter(SchemaError("no such schema")).read(PLATFORM, [platform(1)])
    assert [type(row) for row in told.rows] == [RejectedEvent]
    assert told.rejects[0].error == "no such schema"
    assert told.published_at is None


def test_a_change_event_whose_schema_is_refused_is_read_from_its_header() -> None:
    """The event still becomes a row, with the same key."""
    told = interpreter(SchemaError("no such schema")).read(ACCOUNTS, [change(1)])
    (row,) = told.rows
    (whole,) = interpreter().read(ACCOUNTS, [change(1)]).rows
    assert isinstance(row, Delete)
    assert isinstance(whole, Delete)
    assert json.loads(row.payload)["_tracker"] == {"header_only": "no such schema"}
    assert row._replace(payload="", ingested_at="") == whole._replace(payload="", ingested_at="")
    assert told.published_at == "2026-01-01T00:00:00.123Z"


def test_a_platform_event_is_never_read_as_the_header_of_a_change() -> None:
    """The bytes of a platform event may look like such a header."""
    told = interpreter(SchemaError("no")).read(PLATFORM, [change(1)])
    assert len(told.rejects) == 1


def test_events_are_not_rejected_if_their_schema_cannot_be_fetched_for_now() -> None:
    """The call fails and returns nothing, so the drain reads the events again."""
    with pytest.raises(SalesforceUnavailableError):
        interpreter(SalesforceUnavailableError("busy")).read(ACCOUNTS, [change(1)])


def test_each_topic_has_rules_of_its_own() -> None:
    """The same events may be read differently on two topics. Other topics have the default."""
    rules = EventRules({**DEFAULT_EVENT_FIELDS, "record_id": "Owner_Id__c"})
    several = Interpreter(Schemas(), "00D", {PLATFORM: rules})
    events = [platform(1, Owner_Id__c=record_id("User", 7))]
    found = [several.read(topic, events).rows for topic in (PLATFORM, "/event/Other__e", PLATFORM)]
    assert [row.record_id for (row,) in found if isinstance(row, Delete)] == [
        record_id("User", 7),
        record_id("Account", 1),
        record_id("User", 7),
    ]


def test_events_without_the_field_of_the_record_id_fail_their_topic() -> None:
    """No row and no rejected event is made, so the cursor cannot move past them."""
    rules = EventRules({**DEFAULT_EVENT_FIELDS, "record_id": "Nobody__c"})
    several = Interpreter(Schemas(), "00D", {PLATFORM: rules})
    for _ in range(2):
        with pytest.raises(EventFieldsError, match="record_id needs Nobody__c"):
            several.read(PLATFORM, [platform(1)])


def test_on_a_channel_events_without_the_field_of_the_record_id_are_skipped_and_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """They count as skipped, and for the publishing time."""
    channel = "/event/Deletes__chn"
    rules = EventRules({**DEFAULT_EVENT_FIELDS, "record_id": "Nobody__c"})
    several = Interpreter(Schemas(), "00D", {channel: rules})
    told = several.read(channel, [platform(1), platform(2, Record_Id__c=None)])
    assert (told.rows, told.received, told.skipped) == ([], 2, 2)
    assert told.published_at == "2026-01-01T00:00:00.123Z"
    several.read(channel, [platform(3)])
    assert len(caplog.messages) == 1


def test_an_event_that_names_several_records_is_several_rows_and_one_event() -> None:
    """The figures count events."""
    ids = [record_id("Account", number) for number in (1, 2)]
    told = interpreter().read(PLATFORM, [platform(1, Record_Id__c=",".join(ids))])
    assert [row.record_id for row in told.rows if isinstance(row, Delete)] == ids
    assert (told.received, told.skipped, told.rejects) == (1, 0, [])


def test_a_schema_is_fetched_once() -> None:
    """Later events and later calls use the same schema."""
    known = Schemas()
    several = Interpreter(known, "00D", {})
    for _ in range(2):
        several.read(PLATFORM, [platform(1), platform(2)])
    assert known.asked == [DELETE_EVENT]


def test_a_cursor_gap_lasts_from_the_time_of_the_cursor_until_now() -> None:
    """The gap also has the reason and the replay id of the cursor."""
    gap = interpreter().cursor_gap(
        PLATFORM, "expired_cursor", b"old", since="2026-01-01T00:00:00.000Z"
    )
    assert gap == Gap(
        gap_id=gap.gap_id,
        topic=PLATFORM,
        reason="expired_cursor",
        object_name=None,
        from_replay_id=b"old",
        from_time="2026-01-01T00:00:00.000Z",
        to_time=gap.detected_at,
        detected_at=gap.detected_at,
    )
    assert gap.detected_at > "2026-02"


def test_the_gap_of_a_topic_that_was_never_read_has_no_replay_id() -> None:
    """It begins with the first try."""
    since = "2026-01-01T00:00:00.000Z"
    gap = interpreter().cursor_gap(PLATFORM, "not_readable", None, since=since)
    assert (gap.from_replay_id, gap.from_time, gap.reason) == (None, since, "not_readable")
