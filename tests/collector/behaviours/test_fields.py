"""Fields of platform events

Publishers choose the fields of their events and what they write into them.
When the collector first reads an event with a certain schema, it looks for the fields that the
settings name.
What it reads in another than the plain way, it notes in the payload or in the log.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from local.faulty_org import ACCOUNT, EVENT, NOW, Org, Rows, event_ids, keys

from salesforce_client.src.app.errors import EventFieldsError
from salesforce_client.src.app.mock_salesforce import schemas
from salesforce_client.src.app.mock_salesforce.events import encode
from salesforce_client.src.app.mock_salesforce.ids import record_id
from salesforce_client.src.app.mock_salesforce.org import ARCHIVE_EVENT_TOPIC

ARCHIVE = ARCHIVE_EVENT_TOPIC
CREATED = int(NOW.timestamp() * 1000) - 60_000
A, B = record_id("Account", 1), record_id("Account", 2)


WITH_REASON = schemas.SECOND_VERSIONS[schemas.DELETE_EVENT]


def publish(org: Org, event_id: str, *, schema: str = schemas.ARCHIVE_EVENT, **fields: Any) -> None:
    """Publish a platform event. A field that is not named has a usual value."""
    value = {
        "CreatedDate": CREATED,
        "CreatedById": record_id("User", 1),
        "Object_Name__c": "Account",
        "Record_Id__c": A,
        "Deleted_Date__c": CREATED - 1000,
        **fields,
    }
    org.mock.org.publish(ARCHIVE, event_id, schemas.schema_id(schema), encode(schema, value))


def test_a_topic_without_the_field_that_a_setting_names_fails_and_loses_nothing(
    salesforce: Callable[..., Org], rows: Rows
) -> None:
    """If the events of a topic do not have the field of the record id, or another field that
    ``SALESFORCE_EVENT_FIELDS`` names, the topic fails with ``EventFieldsError``. The error lists
    the fields that there are. The cursor does not move past these events, and the other topics
    continue. When the setting is right, the next poll reads all events.
    """
    org = salesforce()
    report = org.poll(
        SALESFORCE_TOPICS=f"{EVENT},{ACCOUNT}",
        SALESFORCE_EVENT_FIELDS=f"{EVENT}:owner_id=Ownr_Id__c",
    )
    failed = report.topics[EVENT]
    assert isinstance(failed.error, EventFieldsError)
    assert "Owner_Id__c" in str(failed.error)
    assert (failed.ended, failed.cursor, failed.deletes, failed.rejected) == (
        *("failed", "unchanged"),
        *(0, 0),
    )
    assert keys(rows()) == org.published(topics=(ACCOUNT,))
    org.poll(SALESFORCE_TOPICS=EVENT).raise_if_failed()
    assert keys([row for row in rows() if row["topic"] == EVENT]) == org.published(topics=(EVENT,))


def test_a_setting_for_a_newer_schema_fails_until_the_older_events_are_read(
    salesforce: Callable[..., Org], rows: Rows
) -> None:
    """If a setting names a field that only newer events have, the topic fails while older events
    wait. Without this change of the setting, a poll reads them.
    """
    org = salesforce()
    publish(org, "old")
    publish(org, "new", schema=WITH_REASON, Reason__c=record_id("User", 2))
    newer = {"SALESFORCE_TOPICS": ARCHIVE, "SALESFORCE_EVENT_FIELDS": "owner_id=Reason__c"}
    topic = org.poll(**newer).topics[ARCHIVE]
    assert "undo the change until the older events are read" in str(topic.error)
    assert (topic.cursor, rows()) == ("unchanged", [])
    org.poll(SALESFORCE_TOPICS=ARCHIVE).raise_if_failed()
    publish(org, "newer", schema=WITH_REASON, Reason__c=record_id("User", 3))
    org.poll(**newer).raise_if_failed()
    assert event_ids(rows()) == ["new", "newer", "old"]
    owners = {row["event_id"].partition(":")[0]: row["owner_id"] for row in rows()}
    assert owners["newer"] == record_id("User", 3)


def test_a_setting_for_an_older_schema_reads_the_events_before_the_first_newer_one(
    salesforce: Callable[..., Org], rows: Rows
) -> None:
    """If events of several schemas wait and the setting fits only the first ones, these become
    rows, and the cursor moves to the first event that lacks the field. There the topic fails.
    With the setting for the newer events, the next poll reads the rest.
    """
    org = salesforce()
    for event_id in ("a", "b"):
        publish(org, event_id, schema=WITH_REASON, Reason__c=A, Record_Id__c=None)
    for event_id in ("c", "d"):
        publish(org, event_id, Record_Id__c=B)
    older = {"SALESFORCE_TOPICS": ARCHIVE, "SALESFORCE_EVENT_FIELDS": "record_id=Reason__c"}
    topic = org.poll(**older).topics[ARCHIVE]
    assert isinstance(topic.error, EventFieldsError)
    assert (topic.cursor, event_ids(rows())) == ("moved", ["a", "b"])
    org.poll(SALESFORCE_TOPICS=ARCHIVE).raise_if_failed()
    assert event_ids(rows()) == ["a", "b", "c", "d"]
    assert not rows("rejected_events")


def test_a_field_whose_name_differs_only_in_case_is_found(
    salesforce: Callable[..., Org], rows: Rows
) -> None:
    """A field whose name differs only in upper and lower case, or has the namespace of a managed
    package, is found too. The log says so.
    """
    org = salesforce()
    org.poll(
        SALESFORCE_TOPICS=EVENT, SALESFORCE_EVENT_FIELDS="record_id=RECORD_ID__C"
    ).raise_if_failed()
    assert keys(rows()) == org.published(topics=(EVENT,))
    assert all(row["record_id"] for row in rows())


def test_an_event_without_a_usable_record_id_is_rejected_and_the_others_are_rows(
    salesforce: Callable[..., Org], rows: Rows
) -> None:
    """An event whose record id is missing, or is no record id, is kept as a rejected event, and the
    error names the field. An event that names several records becomes several rows.
    """
    org = salesforce()
    publish(org, "null", Record_Id__c=None)
    publish(org, "url", Record_Id__c=f"https://x.my.salesforce.com/{A}")
    publish(org, "short", Record_Id__c=A[:15])
    publish(org, "several", Record_Id__c=json.dumps([A, B]))
    report = org.poll(SALESFORCE_TOPICS=ARCHIVE)
    report.raise_if_failed()
    assert {(row["event_id"], row["error"]) for row in rows("rejected_events")} == {
        ("null", "Record_Id__c is null: the event names no record"),
        ("url", "Record_Id__c has a URL instead of a record id"),
    }
    assert event_ids(rows()) == ["several", "several", "short"]
    assert sorted(row["record_id"] for row in rows()) == [A, A, B]
    topic = report.topics[ARCHIVE]
    assert (topic.received, topic.deletes, topic.rejected, topic.skipped) == (4, 3, 2, 0)


def test_a_filter_says_which_events_are_deletes_and_restores(
    salesforce: Callable[..., Org], rows: Rows
) -> None:
    """If ``SALESFORCE_EVENT_FILTER`` has rules for a topic, only the events that match them are
    deletes or restores. All other events count as skipped, and the cursor moves past them.
    """
    org = salesforce()
    for name in ("DELETE", "Merge", "UNDELETE", "INSERT"):
        publish(org, name, Record_Name__c=name)
    report = org.poll(
        SALESFORCE_TOPICS=ARCHIVE,
        SALESFORCE_EVENT_FILTER=f"{ARCHIVE}:delete:Record_Name__c=DELETE|MERGE;"
        "restore:Record_Name__c=UNDELETE",
    )
    report.raise_if_failed()
    assert event_ids(rows()) == ["DELETE", "Merge"]
    topic = report.topics[ARCHIVE]
    assert (topic.received, topic.deletes, topic.restores) == (4, 2, 1)
    assert (topic.skipped, topic.cursor) == (1, "moved")
    (restore,) = rows("restores")
    assert restore["restore_id"].partition(":")[0] == "UNDELETE"


def test_what_is_read_in_another_than_the_plain_way_is_noted(
    salesforce: Callable[..., Org], rows: Rows
) -> None:
    """A deletion time in seconds is read, and U+0000 in a text is replaced. The payload notes
    both.
    """
    org = salesforce()
    publish(org, "seconds", Deleted_Date__c=CREATED // 1000 - 5)
    publish(org, "nul", Record_Name__c="Acme\0 Ltd")
    org.poll(SALESFORCE_TOPICS=ARCHIVE).raise_if_failed()
    payloads = {row["event_id"].partition(":")[0]: json.loads(row["payload"]) for row in rows()}
    assert payloads["seconds"]["_tracker"] == {"deleted_date_from": "seconds"}
    assert payloads["nul"]["_tracker"] == {"nul_replaced": True}
    assert payloads["nul"]["Record_Name__c"] == "Acme\ufffd Ltd"
    assert {row["deleted_date"] for row in rows()} == {
        "2026-02-01T12:28:55.000Z",
        "2026-02-01T12:28:59.000Z",
    }
