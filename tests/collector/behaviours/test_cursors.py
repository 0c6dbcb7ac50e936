"""Cursors

A cursor is the stored position of one topic of one org.
Salesforce starts the next stream behind it.

The events under one replay id are a *group*.
A group is *whole* when an event with another replay id follows, or when an empty response ends the
drain.
The cursor moves to the last whole group whose rows are uploaded.

An *empty response* has no events, but it names a position.
No event has that position, but a stream can start behind it.
The cursor moves to it only if the empty response ends the drain.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from azure.storage.blob import ContainerClient
from local.faulty_org import CHANGES, EVENT, NOW, Org, Rows, keys

from salesforce_client.src.app.errors import LimitExceededError, StorageRefusedError
from salesforce_client.src.app.mock_salesforce import DEFAULT_TOPICS
from salesforce_client.src.app.mock_salesforce.org import RETENTION
from salesforce_client.src.app.model.ids import with_checksum
from salesforce_client.src.app.report import Report


def test_an_empty_response_before_the_backlog_does_not_end_the_drain(
    salesforce: Callable[..., Org], rows: Rows
) -> None:
    """If Salesforce sends empty responses before the backlog, the collector continues to read. The
    position of such a response is newer than events that have not arrived yet, so the cursor does
    not move to it.
    """
    org = salesforce("empty_first=2, drop_stream=3", batch_size=3)
    report = org.poll(SALESFORCE_TOPICS=EVENT)
    assert keys(rows()) == org.published(topics=(EVENT,))
    assert report.topics[EVENT].error is None


def test_replay_ids_are_opaque(salesforce: Callable[..., Org], rows: Rows) -> None:
    """Replay ids may have any length and any order, for example after an org migration. The
    collector compares them only for equality, stores them as base64 and sends them back unchanged.
    """
    org = salesforce("opaque_ids, drop_stream=5")
    org.poll().raise_if_failed()
    org.set_clock(NOW + timedelta(hours=9))
    org.poll().raise_if_failed()
    assert keys(rows()) == org.published()
    assert len({len(row["replay_id"]) for row in rows()}) > 3


@pytest.mark.parametrize("ids", ["shared", "own"])
@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_a_cursor_never_points_into_a_group_of_events(
    ids: str, batch_size: int, salesforce: Callable[..., Org], rows: Rows
) -> None:
    """On an enriched channel, a change of 20 records arrives as 20 events under one replay id. If
    the stream or the poll ends in the middle of these events, the collector reads all of them
    again.
    """
    org = salesforce(
        f"split={ids}, drop_stream=31, delivery_limit=97, rare_changes", batch_size=batch_size
    )
    reports = [org.poll(SALESFORCE_TOPICS=CHANGES, MAX_FILE_ROWS="7") for _ in range(2)]
    assert isinstance(reports[0].topics[CHANGES].error, LimitExceededError)
    clear = salesforce(f"split={ids}, rare_changes")
    clear.poll(SALESFORCE_TOPICS=CHANGES).raise_if_failed()
    assert keys(rows()) == org.published(topics=(CHANGES,))


def test_two_collectors_at_once_lose_and_duplicate_nothing(
    salesforce: Callable[..., Org], rows: Rows, cursors: ContainerClient
) -> None:
    """If two collectors run at once, neither overwrites an event file of the other. If one of them
    has moved a cursor, the other one does not overwrite that cursor. Each of them leaves a file
    that tells of its poll.
    """
    org = salesforce("trickle=0.01")
    reports: list[Report] = []
    runs = [threading.Thread(target=lambda: reports.append(org.poll())) for _ in range(2)]
    for one in runs:
        one.start()
    for one in runs:
        one.join()
    for report in reports:
        report.raise_if_failed()
    assert {topic.cursor for report in reports for topic in report.topics.values()} == {
        "moved",
        "kept",
    }
    assert set(keys(rows())) == set(org.published())
    assert len({name for report in reports for name in report.files}) >= 2
    assert Counter(row["topic"] for row in rows("polls")) == dict.fromkeys(DEFAULT_TOPICS, 2)
    assert sum(topic.received for topic in org.poll().topics.values()) == 0


def test_a_cursor_that_storage_refuses_to_replace_fails_its_topic(
    salesforce: Callable[..., Org], rows: Rows, cursors: ContainerClient
) -> None:
    """If Blob Storage does not let the collector replace a cursor, for example because the blob has
    a lease, the topic fails and names Azure's reason. The rows are uploaded, and the cursor stays.
    When the lease has ended, the next poll reads the same events again, with the same keys.
    """
    org = salesforce()
    org.poll(SALESFORCE_TOPICS=EVENT).raise_if_failed()
    (name,) = [blob.name for blob in cursors.list_blobs()]
    before = cursors.download_blob(name).readall()
    lease = cursors.get_blob_client(name).acquire_lease(-1)
    org.set_clock(NOW + timedelta(hours=9))
    report = org.poll(SALESFORCE_TOPICS=EVENT)
    error = report.topics[EVENT].error
    assert isinstance(error, StorageRefusedError)
    assert f"cursor {name}" in str(error)
    assert "LeaseIdMissing" in str(error)
    assert "another run" not in str(error)
    assert cursors.download_blob(name).readall() == before
    lease.release()
    org.poll(SALESFORCE_TOPICS=EVENT).raise_if_failed()
    assert set(keys(rows())) == {
        it.key for it in org.mock.org.deletes((EVENT,), NOW - RETENTION, NOW + timedelta(hours=9))
    }


def test_another_org_has_cursors_of_its_own(
    salesforce: Callable[..., Org], cursors: ContainerClient
) -> None:
    """Each org has its own cursors. A refreshed sandbox has a new org id, so the collector never
    uses the old sandbox's cursors for it.
    """
    org = salesforce()
    org.poll(SALESFORCE_TOPICS=EVENT)
    org.mock.org.org_id = org.mock.tokens.org_id = with_checksum("00D5f00000NewOr")
    org.poll(SALESFORCE_TOPICS=EVENT).raise_if_failed()
    assert len({blob.name.partition("/")[0] for blob in cursors.list_blobs()}) == 2
