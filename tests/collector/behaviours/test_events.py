"""Events and rows

Each deleted record becomes one row, and each restored record too, in a table of its own.
A change event may name several records, and then becomes several rows.
All other changes are skipped, even if their kind is unknown.
The key of a row depends only on the event, and not on other events that arrive together with it.
So an event that arrives again has the same key.

On channels with several objects, Salesforce leaves out the events of objects that the user may not
see.
It sends no error, so no client can notice that.
So grant *View All* on each object.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

from local.faulty_org import ACCOUNT, CHANGES, EVENT, NOW, Org, Rows, keys

from salesforce_client.src.app.mock_salesforce import DEFAULT_TOPICS
from salesforce_client.src.app.mock_salesforce.org import RETENTION


def test_rare_changes_become_rows_and_gaps(salesforce: Callable[..., Org], rows: Rows) -> None:
    """A ``GAP_DELETE`` becomes a marked row, and a ``GAP_OVERFLOW`` becomes a gap. A delete with a
    pattern instead of a record id (a wildcard) becomes both. ``GAP_UPDATE`` and ``SNAPSHOT`` are
    skipped.
    """
    org = salesforce("rare_changes")
    org.poll().raise_if_failed()
    assert keys(rows()) == org.published()
    told = {(gap["topic"], gap["reason"]) for gap in rows("gaps")}
    assert told == {
        (topic, reason)
        for topic, _, reason in org.mock.org.gaps(DEFAULT_TOPICS, NOW - RETENTION, NOW)
    }
    marked = {tuple(json.loads(row["payload"]).get("_tracker", {})) for row in rows()}
    assert marked == {(), ("gap",), ("wildcard",)}


def test_an_undelete_becomes_a_restore(salesforce: Callable[..., Org], rows: Rows) -> None:
    """An UNDELETE becomes a row of ``restores`` for each record, and is not skipped. If it arrives
    on two channels, it is one row.
    """
    salesforce().poll(SALESFORCE_TOPICS=f"{ACCOUNT},{CHANGES}").raise_if_failed()
    restores = rows("restores")
    assert restores
    assert [poll["restores"] for poll in rows("polls")] == [len(restores)] * 2
    for row in restores:
        assert row["restore_id"].endswith(f":{row['record_id']}")
        assert (row["object_name"], row["found_by"]) == ("Account", "event")
        assert row["restore_id"] not in keys(rows())


def test_an_event_that_arrives_twice_is_one_row(salesforce: Callable[..., Org], rows: Rows) -> None:
    """If an event arrives again under another replay id, it becomes one row only. An event file
    contains it once, and a later poll stores it under the same key.
    """
    org = salesforce("duplicate=2, drop_stream=7")
    org.poll().raise_if_failed()
    assert keys(rows()) == org.published()
    org.set_clock(NOW + timedelta(hours=5))
    org.poll().raise_if_failed()
    assert set(keys(rows())) == set(org.published())


def test_each_event_is_read_with_its_own_schema(salesforce: Callable[..., Org], rows: Rows) -> None:
    """If an admin adds a field while a stream is open, the collector decodes each event with the
    schema that the event names. It fetches each schema once in a poll.
    """
    org = salesforce("schema_change")
    org.poll().raise_if_failed()
    assert keys(rows()) == org.published()
    assert len({row["schema_id"] for row in rows() if row["topic"] == EVENT}) == 2


def test_the_object_comes_from_the_event_and_not_from_the_topic(
    salesforce: Callable[..., Org], rows: Rows
) -> None:
    """If a channel has several objects, each row names the object of its own event."""
    salesforce().poll(SALESFORCE_TOPICS=CHANGES)
    assert {row["object_name"] for row in rows()} == {"Account", "Contact"}
