"""Events that cannot be decoded

An event that cannot become a row is kept as a rejected event, with its bytes, its schema and the
error.
The cursor moves, because the bytes are safe, and the topic continues.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

from local.faulty_org import ACCOUNT, CHANGES, EVENT, NOW, Org, Rows, event_ids, keys

from salesforce_client.src.app.errors import AllUndecodableError
from salesforce_client.src.app.mock_salesforce import schemas


def test_an_undecodable_event_is_kept_and_the_topic_continues(
    salesforce: Callable[..., Org], rows: Rows
) -> None:
    """If some events of a topic cannot be decoded, they are kept as rejected events, and the topic
    succeeds.
    """
    org = salesforce(f"corrupt=8@{EVENT}")
    report = org.poll(SALESFORCE_TOPICS=EVENT)
    report.raise_if_failed()
    rejects = rows("rejected_events")
    assert (len(rejects), report.topics[EVENT].rejected) == (9, 9)
    assert event_ids([*rows(), *rejects]) == org.published_events()
    assert all(
        row["payload"] and row["schema_id"] and "does not fit its schema" in row["error"]
        for row in rejects
    )


def test_an_undecodable_event_that_arrives_alone_does_not_block_its_topic(
    salesforce: Callable[..., Org], rows: Rows
) -> None:
    """If a response has only one event, and it cannot be decoded, the topic still succeeds."""
    org = salesforce(f"corrupt=8@{EVENT}", batch_size=1)
    org.poll(SALESFORCE_TOPICS=EVENT).raise_if_failed()
    assert event_ids([*rows(), *rows("rejected_events")]) == org.published_events()


def test_an_undecodable_event_at_the_end_of_a_change_topic_does_not_block_it(
    salesforce: Callable[..., Org], rows: Rows
) -> None:
    """If the last event of a change topic cannot be decoded, the cursor moves behind it, and the
    topic succeeds.
    """
    whole = salesforce()
    (*_, last) = whole.mock.org.events(ACCOUNT, whole.mock.org.earliest(), 1000)
    org = salesforce(f"corrupt={last.position // 1_000_000}")
    report = org.poll(SALESFORCE_TOPICS=ACCOUNT)
    assert report.topics[ACCOUNT].error is None
    assert report.topics[ACCOUNT].cursor == "moved"
    assert [row["event_id"] for row in rows("rejected_events")] == [last.event_id]


def test_undecodable_events_do_not_block_the_events_behind_them(
    salesforce: Callable[..., Org], rows: Rows
) -> None:
    """If no event of a poll could be decoded, the next poll continues behind these events."""
    bad = salesforce(f"garbage@{EVENT}")
    bad.poll(SALESFORCE_TOPICS=EVENT)
    org = salesforce()
    org.set_clock(NOW + timedelta(hours=9))
    org.poll(SALESFORCE_TOPICS=EVENT).raise_if_failed()
    assert keys(rows()) == org.published(NOW, (EVENT,))


def test_if_nothing_can_be_decoded_the_topic_fails_once_and_its_bytes_are_kept(
    salesforce: Callable[..., Org], rows: Rows
) -> None:
    """If no event of a topic can be decoded in a poll, the topic fails with
    ``AllUndecodableError``. Its events and their schema are kept, and the cursor moves. So the same
    events do not make the next poll fail.
    """
    org = salesforce(f"garbage@{EVENT}")
    report = org.poll(SALESFORCE_TOPICS=EVENT)
    assert isinstance(report.topics[EVENT].error, AllUndecodableError)
    assert (report.topics[EVENT].ended, report.topics[EVENT].cursor) == ("failed", "moved")
    assert event_ids(rows("rejected_events")) == org.published_events()
    (schema,) = rows("schemas")
    assert schema == {
        "schema_id": schemas.schema_id(schemas.DELETE_EVENT),
        "schema_json": schemas.DELETE_EVENT,
    }
    org.poll(SALESFORCE_TOPICS=EVENT).raise_if_failed()


def test_a_change_event_without_a_schema_becomes_a_row_from_its_header(
    salesforce: Callable[..., Org], rows: Rows
) -> None:
    """If Salesforce does not return the schema of a change event, the collector makes the row from
    the event's header and marks it ``header_only``. A platform event has no such header, so it is
    kept as a rejected event.
    """
    org = salesforce("schema_missing")
    report = org.poll()
    assert keys(rows()) == org.published(topics=(ACCOUNT, CHANGES))
    assert all("header_only" in json.loads(row["payload"])["_tracker"] for row in rows())
    assert isinstance(report.topics[EVENT].error, AllUndecodableError)
    assert event_ids(rows("rejected_events")) == org.published_events()
    assert rows("schemas") == []
