"""Draining a topic

A drain reads one topic from its cursor.
It ends when the topic is caught up or idle, or when the poll's time is up (the deadline).

A topic is caught up if a late empty response arrives and no event follows it.
An empty response is late if it arrives ``IDLE_SECONDS`` or more after the stream was opened.
A topic is idle after ``IDLE_SECONDS`` without a response.
A drain may have to wait for an upload, or the process may be suspended.
That time does not count as silence.
Afterwards the collector first reads what arrived in the meantime.

The *credit* of a stream is the number of events that the collector has requested and not yet
received.
The collector requests more when the credit is 50 or less, and the credit is never more than 100.
Each response says how much credit Salesforce has counted.
If the collector has counted another number, it uses Salesforce's number.

At the end of a drain, the collector closes its side of the stream and then cancels the stream.
If it received events that it did not store, the next poll receives them again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest
from azure.storage.blob import ContainerClient
from local.faulty_org import ACCOUNT, CHANGES, EVENT, Org, Rows, keys

from salesforce_client.src.app.errors import SalesforceUnavailableError


@pytest.mark.parametrize(
    "fault",
    ["odd_batches", "delay_first=0.5", "trickle=0.01", "end_stream=4", "schema_unavailable=2"],
)
def test_a_backlog_arrives_whole_however_salesforce_sends_it(
    salesforce: Callable[..., Org], rows: Rows, fault: str
) -> None:
    """All waiting events (the backlog) arrive, even if Salesforce sends them late, one at a time,
    in responses of any size, or over many short streams. They also arrive if the request for a
    schema fails at first.
    """
    org = salesforce(fault)
    # With end_stream=4, each stream brings only four events, so the poll takes longer.
    org.poll(MAX_RUN_SECONDS="90").raise_if_failed()
    assert keys(rows()) == org.published()


def test_a_backlog_larger_than_the_credit_arrives_whole(
    salesforce: Callable[..., Org], rows: Rows
) -> None:
    """If more than 100 events wait, the collector requests more before the credit is used up. A
    client that does not do that receives only 100 events.
    """
    org = salesforce(interval=300)
    report = org.poll()
    assert report.topics[CHANGES].received == 648
    assert keys(rows()) == org.published()


def test_a_slow_stream_that_never_ends_is_stopped_at_the_deadline(
    salesforce: Callable[..., Org], rows: Rows
) -> None:
    """If a slow stream never ends, the collector stops at the deadline and saves what arrived. The
    next poll continues from there. It reads the last event again, because more events of the same
    group may follow.
    """
    org = salesforce("trickle=0.5", interval=600)
    began = time.monotonic()
    report = org.poll(MAX_RUN_SECONDS="10", SALESFORCE_TOPICS=EVENT)
    assert time.monotonic() - began < 10
    assert (report.topics[EVENT].ended, report.topics[EVENT].cursor) == ("deadline", "moved")
    first = keys(rows())
    assert first
    org.poll(MAX_RUN_SECONDS="10", SALESFORCE_TOPICS=EVENT)
    second = keys(rows())
    assert len(set(second)) > len(first)
    assert len(second) - len(set(second)) == 1, (
        "the next poll reads the last event again: its group may not have been whole"
    )


def test_a_quiet_topics_cursor_is_refreshed_long_before_it_expires(
    salesforce: Callable[..., Org], cursors: ContainerClient
) -> None:
    """If a topic has no new events and its position is older than 24 hours, one drain waits longer
    than ``IDLE_SECONDS``, until an empty response arrives. The cursor moves to the position of that
    response, long before the old position expires.
    """
    org = salesforce("keepalive=3")
    org.poll(SALESFORCE_TOPICS=EVENT, IDLE_SECONDS="4")
    (blob,) = cursors.list_blobs()
    cursor = json.loads(cursors.download_blob(blob.name).readall())
    aged = {
        **cursor,
        "position_at": (datetime.now(timezone.utc) - timedelta(hours=30)).isoformat(
            timespec="milliseconds"
        ),
    }
    cursors.upload_blob(blob.name, json.dumps(aged), overwrite=True)
    org.poll(SALESFORCE_TOPICS=EVENT).raise_if_failed()
    refreshed = json.loads(cursors.download_blob(blob.name).readall())
    assert refreshed["source"] == "keepalive"
    assert refreshed["position_at"] > cursor["position_at"]


def test_a_silent_server_cannot_block_the_poll(salesforce: Callable[..., Org], rows: Rows) -> None:
    """Every wait for Salesforce has a limit. If a topic without a cursor receives no response, it
    fails before the poll's time is up, and the rows of the other topics are stored.
    """
    org = salesforce(f"silent@{ACCOUNT}")
    began = time.monotonic()
    report = org.poll(SALESFORCE_TOPICS=f"{ACCOUNT},{EVENT}", MAX_RUN_SECONDS="10")
    assert time.monotonic() - began < 10
    assert isinstance(report.topics[ACCOUNT].error, SalesforceUnavailableError)
    assert keys(rows()) == org.published(topics=(EVENT,))


def test_a_response_of_three_megabytes_is_received(
    salesforce: Callable[..., Org], rows: Rows
) -> None:
    """The collector accepts responses of up to 16 MB. Salesforce sends at most 3 MB."""
    org = salesforce("large=29", interval=600)
    org.poll(SALESFORCE_TOPICS=EVENT).raise_if_failed()
    assert len(rows()) == 108
