"""Draining a topic

A drain reads one topic from its cursor until the topic is caught up or idle, or until the deadline.

A topic is caught up after a late empty response with no event behind it.
An empty response is late if it arrives ``IDLE_SECONDS`` or more after the stream was opened.
A topic is idle after ``IDLE_SECONDS`` without a response.
If a drain waits for an upload, or the process is suspended, that time does not count as silence.
The collector first reads what arrived meanwhile.

The collector requests more events when 50 or fewer are outstanding, and never has more than 100
outstanding.
If its own count differs from that of Salesforce, the count of Salesforce is used.
At the end of a drain, the collector half-closes the stream and cancels it.
The next poll receives again whatever was received and not stored.
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
def test_a_backlog_arrives_whole_however_it_is_served(
    salesforce: Callable[..., Org], rows: Rows, fault: str
) -> None:
    """The whole backlog arrives, even if Salesforce sends it late, one event at a time, in
    responses of odd sizes, or over many short streams. It also arrives if the request for a schema
    fails at first.
    """
    org = salesforce(fault)
    # A stream for every four events takes long.
    org.poll(MAX_RUN_SECONDS="90").raise_if_failed()
    assert keys(rows()) == org.published()


def test_a_backlog_larger_than_the_credit_arrives_whole(
    salesforce: Callable[..., Org], rows: Rows
) -> None:
    """If the backlog is larger than the credit of 100 events, the collector requests more before
    the credit runs out. A client that does not do that stops after 100 events.
    """
    org = salesforce(interval=300)
    report = org.poll()
    assert report.topics[CHANGES].received == 648
    assert keys(rows()) == org.published()


def test_a_slow_stream_that_never_ends_is_stopped_at_the_deadline(
    salesforce: Callable[..., Org], rows: Rows
) -> None:
    """If a slow stream never ends, the collector stops at the deadline and saves what arrived. The
    next poll continues there. It reads the last event again, because its group may not have been
    whole.
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
    """If the position of a quiet topic is older than 24 hours, one drain waits for an empty
    response, longer than ``IDLE_SECONDS``. The position of that response becomes the cursor, long
    before the old one expires.
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
    fails in time, and the rows of the other topics are stored.
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
    """The collector receives responses of up to 16 MB. The largest responses of Salesforce have 3
    MB.
    """
    org = salesforce("large=29", interval=600)
    org.poll(SALESFORCE_TOPICS=EVENT).raise_if_failed()
    assert len(rows()) == 108
