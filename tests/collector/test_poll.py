"""A poll of several topics

The collector drains all topics at the same time, and writes their rows into the same event files.
If one topic fails, the others continue.
"""

from __future__ import annotations

import gc
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Optional

import pytest
from azure.storage.blob import ContainerClient
from local.emulators import Server, connection_string, connections_to
from local.event_files import Row, rows
from local.proxy import Request, proxy

from salesforce_client.src.app.errors import (
    AuthenticationError,
    GapError,
    RunFailedError,
    StorageRefusedError,
    TopicError,
)
from salesforce_client.src.app.mock_salesforce import (
    DEFAULT_TOPICS,
    MockSalesforce,
)
from salesforce_client.src.app.mock_salesforce.org import RETENTION
from salesforce_client.src.app.model.times import moment_of, now, timestamp
from salesforce_client.src.app.report import Report
from salesforce_client.src.app.run import run

NOW = datetime(2026, 2, 1, 12, 30, tzinfo=timezone.utc)


@pytest.fixture
def poll(mock: MockSalesforce, blob_settings: Mapping[str, str]) -> Callable[..., Report]:
    """Run one poll against ``mock``. The org's clock is ``NOW`` until a test changes it."""
    mock.org.now = lambda: NOW

    def once(**changes: str) -> Report:
        return run({**blob_settings, **mock.settings, "IDLE_SECONDS": "1", **changes})

    return once


def keys(deletes: list[Row]) -> list[str]:
    return sorted(row["event_id"] for row in deletes)


def published(
    mock: MockSalesforce, since: datetime, topics: tuple[str, ...] = DEFAULT_TOPICS
) -> list[str]:
    return sorted(it.key for it in mock.org.deletes(topics, since, mock.org.now()))


def test_a_first_poll_stores_every_delete_that_is_retained(
    poll: Callable[..., Report], mock: MockSalesforce, events: ContainerClient, tmp_path: Path
) -> None:
    """The first poll reads everything that Salesforce still has, and uploads the rows of all topics
    in one file. A change that arrives on two channels is one row.
    """
    report = poll()
    assert len(list(events.list_blobs())) == len(report.files) == 1
    assert keys(rows(events, tmp_path)) == published(mock, NOW - RETENTION)
    assert all(topic.cursor == "moved" for topic in report.topics.values())


def test_a_second_poll_resumes_where_the_first_ended(
    poll: Callable[..., Report], mock: MockSalesforce, events: ContainerClient, tmp_path: Path
) -> None:
    """The next poll starts behind the cursors. It reads new deletes and none of the old ones."""
    poll()
    mock.org.now = lambda: NOW + timedelta(hours=13)
    report = poll()
    assert sum(topic.received for topic in report.topics.values()) == 3 + 7 + 10
    found = keys(rows(events, tmp_path))
    assert found == published(mock, NOW - RETENTION)
    assert len(found) == len(set(found))


def test_a_poll_without_new_events_leaves_a_small_file_and_the_cursor_moves(
    poll: Callable[..., Report], cursors: ContainerClient, events: ContainerClient, tmp_path: Path
) -> None:
    """If there are no new events, the poll uploads a small file that tells only of the poll. If an
    empty response arrives, the cursor still moves to its position. So the cursor of a topic without
    events does not become too old.
    """
    poll()
    found = len(rows(events, tmp_path))
    before = {blob.name: blob.etag for blob in cursors.list_blobs()}
    report = poll()
    (quiet,) = report.files
    assert events.get_blob_client(quiet).get_blob_properties().size < 70_000
    assert len(rows(events, tmp_path)) == found
    told = rows(events, tmp_path, "polls")[-len(DEFAULT_TOPICS) :]
    assert [(row["topic"], row["received"], row["ended"]) for row in told] == [
        (topic, 0, "caught_up") for topic in DEFAULT_TOPICS
    ]
    after = {blob.name: blob.etag for blob in cursors.list_blobs()}
    assert before.keys() == after.keys()
    assert all(before[name] != after[name] for name in before)
    assert b'"source": "keepalive"' in cursors.download_blob(next(iter(after))).readall()


def test_latest_reads_what_is_published_after_the_first_poll(
    poll: Callable[..., Report], mock: MockSalesforce, events: ContainerClient, tmp_path: Path
) -> None:
    """With ``LATEST``, the first poll waits for the position of an empty response. The next poll
    reads everything that was published since then.
    """
    poll(SALESFORCE_REPLAY_PRESET="LATEST")
    assert rows(events, tmp_path) == []
    mock.org.now = lambda: NOW + timedelta(hours=6)
    poll(SALESFORCE_REPLAY_PRESET="LATEST")
    assert keys(rows(events, tmp_path)) == published(mock, NOW)


def test_a_full_file_is_uploaded_and_the_poll_continues_in_a_new_one(
    poll: Callable[..., Report], mock: MockSalesforce, events: ContainerClient, tmp_path: Path
) -> None:
    """A full file is uploaded and its cursors are saved while the next file is being filled."""
    report = poll(MAX_FILE_ROWS="20")
    assert len(report.files) >= 2
    assert sorted(blob.name for blob in events.list_blobs()) == sorted(report.files)
    assert set(keys(rows(events, tmp_path))) == set(published(mock, NOW - RETENTION))


def test_the_last_file_of_a_poll_tells_what_the_poll_did_with_each_topic(
    poll: Callable[..., Report], mock: MockSalesforce, events: ContainerClient, tmp_path: Path
) -> None:
    """The last file of a poll has a row of ``polls`` for each topic, also for a topic that failed.
    The row has the time of the poll, its figures, and how far the topic was read. A topic that was
    read to its end was read until the poll's beginning.
    """
    missing, account = "/event/Missing__e", "/data/AccountChangeEvent"
    before = now()
    report = poll(SALESFORCE_TOPICS=f"{missing},{account}", MAX_FILE_ROWS="20")
    *_, last = events.list_blobs()
    assert len(report.files) >= 2
    assert last.name == report.files[-1]
    failed, read = rows(events, tmp_path, "polls")
    assert before <= failed["began_at"] == read["began_at"]
    assert all(row["began_at"] <= row["ended_at"] <= now() for row in (failed, read))
    assert {row["org_id"] for row in (failed, read)} == {mock.org.org_id}
    assert (failed["topic"], failed["ended"], failed["read_until"]) == (missing, "failed", None)
    assert failed["error"].startswith("TopicError: /event/Missing__e")
    assert (read["topic"], read["objects"], read["error"]) == (account, '["Account"]', None)
    assert (read["ended"], read["read_until"]) == ("caught_up", read["began_at"])
    assert read["deletes"] == len(rows(events, tmp_path)) > 0


def test_a_poll_whose_login_fails_leaves_a_file(
    poll: Callable[..., Report], events: ContainerClient, tmp_path: Path
) -> None:
    """If Salesforce refuses the login, the poll still uploads a file. Its rows of ``polls`` have no
    org, and they have the error.
    """
    report = poll(SALESFORCE_USERNAME="nobody@example.com")
    with pytest.raises(AuthenticationError, match="approved"):
        report.raise_if_failed()
    assert [blob.name for blob in events.list_blobs()] == report.files
    told = rows(events, tmp_path, "polls")
    assert [row["topic"] for row in told] == list(DEFAULT_TOPICS)
    assert {(row["org_id"], row["ended"], row["read_until"]) for row in told} == {
        (None, "failed", None)
    }
    assert all(row["error"].startswith("AuthenticationError: ") for row in told)
    assert rows(events, tmp_path) == []


def test_a_poll_whose_upload_fails_leaves_a_file_if_storage_answers_again(
    blob_settings: Mapping[str, str],
    mock: MockSalesforce,
    azurite: Server,
    cursors: ContainerClient,
    events: ContainerClient,
    tmp_path: Path,
) -> None:
    """If Blob Storage refuses an event file and then answers again, the poll uploads a file that
    tells only of the poll. The poll fails with the first error, and no cursor moves.
    """
    mock.org.now = lambda: NOW
    with proxy(azurite.port) as through:
        refused: list[str] = []

        def refuse_once(request: Request) -> Optional[tuple[int, bytes]]:
            if request.method == "PUT" and ".db" in request.path and not refused:
                refused.append(request.path)
                return 403, b""
            return None

        through.before = refuse_once
        through_it = {**blob_settings, "EVENTS_STORAGE": connection_string(through.port)}
        report = run({**through_it, **mock.settings, "IDLE_SECONDS": "1"})
    with pytest.raises(StorageRefusedError):
        report.raise_if_failed()
    assert [blob.name for blob in events.list_blobs()] == report.files
    assert rows(events, tmp_path) == []
    told = rows(events, tmp_path, "polls")
    assert len(told) == len(DEFAULT_TOPICS)
    assert {(row["org_id"], row["ended"], row["read_until"]) for row in told} == {
        (mock.org.org_id, "failed", None)
    }
    assert all(row["error"].startswith("StorageRefusedError: ") for row in told)
    assert list(cursors.list_blobs()) == []


@pytest.mark.parametrize(
    ("faults", "told"),
    [
        ("", "allocation=ok left="),
        ("limits_used=95", "allocation=low left="),
        ("rest_error=REQUEST_LIMIT_EXCEEDED:9@limits", "allocation=unknown reason=the limits of"),
    ],
)
def test_each_poll_tells_what_is_left_of_the_orgs_allocation(
    blob_settings: Mapping[str, str], faults: str, told: str
) -> None:
    """At its end, each poll asks what is left of the org's deliveries, and logs it. If Salesforce
    does not tell, the poll does not fail.
    """
    with MockSalesforce(3600, faults=faults, keepalive_seconds=0.2) as mock:
        report = run({**blob_settings, **mock.settings, "SALESFORCE_TOPICS": DEFAULT_TOPICS[0]})
    report.raise_if_failed()
    assert any(line.startswith(told) for line in report.lines())


def test_a_topic_that_fails_does_not_keep_the_others_back(
    poll: Callable[..., Report], mock: MockSalesforce, events: ContainerClient, tmp_path: Path
) -> None:
    """If one topic fails, the rows of the others are uploaded and their cursors move. The poll ends
    as failed, and its error names the topic and the reason.
    """
    report = poll(SALESFORCE_TOPICS="/event/Missing__e,/event/Delete_Event__e")
    assert keys(rows(events, tmp_path)) == published(
        mock, NOW - RETENTION, ("/event/Delete_Event__e",)
    )
    assert isinstance(report.topics["/event/Missing__e"].error, TopicError)
    with pytest.raises(
        RunFailedError,
        match=r"1 topic\(s\) failed\. The rows of the other topics are uploaded, and the next poll"
        r" continues .*\n.*/event/Missing__e: TopicError: .*not found",
    ):
        report.raise_if_failed()


@pytest.mark.parametrize("fault", ["upload", "cursor"])
def test_a_poll_that_cannot_upload_reports_it_for_every_topic(
    blob_settings: Mapping[str, str],
    mock: MockSalesforce,
    azurite: Server,
    cursors: ContainerClient,
    fault: str,
) -> None:
    """If Blob Storage refuses the files or the cursors, the report has a failed line for every
    topic. No cursor moves.
    """
    mock.org.now = lambda: NOW
    what = ".db" if fault == "upload" else ".json"
    with proxy(azurite.port) as through:
        through.before = lambda request: (
            (403, b"") if request.method == "PUT" and what in request.path else None
        )
        through_it = {**blob_settings, "EVENTS_STORAGE": connection_string(through.port)}
        report = run({**through_it, **mock.settings, "IDLE_SECONDS": "1"})
    lines = [line for line in report.lines() if not line.startswith("allocation=")]
    assert len(lines) == 1 + len(DEFAULT_TOPICS)
    assert all(
        "state=failed" in line and line.endswith("error=StorageRefusedError") for line in lines[1:]
    )
    assert all("ended=failed" in line for line in lines[1:]) == (fault == "upload")
    assert lines[0].endswith("error=StorageRefusedError") == (fault == "upload")
    with pytest.raises(StorageRefusedError if fault == "upload" else RunFailedError):
        report.raise_if_failed()
    assert list(cursors.list_blobs()) == []


def test_a_cursor_that_salesforce_no_longer_knows_leaves_a_gap(
    poll: Callable[..., Report],
    mock: MockSalesforce,
    cursors: ContainerClient,
    events: ContainerClient,
    tmp_path: Path,
) -> None:
    """If Salesforce no longer knows a cursor, the collector records a gap and reads again all
    events that Salesforce still has. The poll fails, so that a person notices, and the next poll
    succeeds.
    """
    topic = "/event/Delete_Event__e"
    poll(SALESFORCE_TOPICS=topic)
    (blob,) = cursors.list_blobs()
    old = cursors.download_blob(blob.name).readall().decode()
    cursors.upload_blob(
        blob.name, old.replace('"replay_id": "', '"replay_id": "AAAA'), overwrite=True
    )
    report = poll(SALESFORCE_TOPICS=topic)
    (gap,) = rows(events, tmp_path, "gaps")
    assert (gap["topic"], gap["reason"]) == (topic, "expired_cursor")
    assert gap["from_time"] in old
    with pytest.raises(RunFailedError, match=r"GapError.*expired_cursor"):
        report.raise_if_failed()
    assert set(keys(rows(events, tmp_path))) == set(published(mock, NOW - RETENTION, (topic,)))
    poll(SALESFORCE_TOPICS=topic).raise_if_failed()


def test_a_damaged_cursor_blob_leaves_a_gap(
    poll: Callable[..., Report], cursors: ContainerClient, events: ContainerClient, tmp_path: Path
) -> None:
    """If a stored cursor is damaged, the collector records a gap with the damaged bytes and reads
    from ``EARLIEST``. The poll fails, and the next poll succeeds.
    """
    topic = "/event/Delete_Event__e"
    poll(SALESFORCE_TOPICS=topic)
    (blob,) = cursors.list_blobs()
    cursors.upload_blob(blob.name, b"not json", overwrite=True)
    with pytest.raises(RunFailedError, match="unreadable_cursor"):
        poll(SALESFORCE_TOPICS=topic).raise_if_failed()
    (gap,) = rows(events, tmp_path, "gaps")
    assert (gap["reason"], gap["from_replay_id"], gap["from_time"]) == (
        "unreadable_cursor",
        b"not json",
        None,
    )
    poll(SALESFORCE_TOPICS=topic).raise_if_failed()


@pytest.mark.parametrize(("days", "lost"), [(0, False), (4, True)])
def test_a_topic_that_could_not_be_read_for_too_long_leaves_a_gap(
    poll: Callable[..., Report],
    mock: MockSalesforce,
    cursors: ContainerClient,
    events: ContainerClient,
    tmp_path: Path,
    days: int,
    lost: bool,
) -> None:
    """If a topic that has no cursor cannot be read, the poll stores when that was. The first poll
    that can read the topic reads all events that Salesforce still has. If the first try is older
    than these events, it records a gap, and fails once. All retained deletes are stored.
    """
    topic = "/event/Delete_Event__e"
    wrong = {"SALESFORCE_EVENT_FIELDS": "record_id=Absent__c"}
    for _ in range(2):
        with pytest.raises(RunFailedError, match="EventFieldsError"):
            poll(SALESFORCE_TOPICS=topic, **wrong).raise_if_failed()
    (blob,) = cursors.list_blobs()
    mark = json.loads(cursors.download_blob(blob.name).readall())
    assert mark["tried_at"] == rows(events, tmp_path, "polls")[0]["began_at"]
    tried_at = timestamp(moment_of(mark["tried_at"]) - timedelta(days=days))
    cursors.upload_blob(blob.name, json.dumps({**mark, "tried_at": tried_at}), overwrite=True)
    report = poll(SALESFORCE_TOPICS=topic)
    assert set(keys(rows(events, tmp_path))) == set(published(mock, NOW - RETENTION, (topic,)))
    gaps = rows(events, tmp_path, "gaps")
    assert [(gap["topic"], gap["reason"], gap["from_time"]) for gap in gaps] == (
        [(topic, "not_readable", tried_at)] if lost else []
    )
    assert isinstance(report.topics[topic].error, GapError) == lost
    assert report.topics[topic].cursor == "moved"
    poll(SALESFORCE_TOPICS=topic).raise_if_failed()
    assert len(rows(events, tmp_path, "gaps")) == len(gaps)


def test_a_session_that_ends_between_two_polls_does_no_harm(
    poll: Callable[..., Report], mock: MockSalesforce
) -> None:
    """If the session ends between two polls, the next poll logs in again and succeeds."""
    poll()
    mock.tokens.expire_tokens()
    poll().raise_if_failed()


def test_the_connections_to_blob_storage_are_closed_at_the_end(
    blob_settings: Mapping[str, str], mock: MockSalesforce, azurite: Server
) -> None:
    """Each poll closes its connections to Blob Storage at the end, even if it fails. A Functions
    worker runs for days, so open connections would add up.
    """
    with proxy(azurite.port) as through:
        settings = {
            **blob_settings,
            **mock.settings,
            "EVENTS_STORAGE": connection_string(through.port),
        }
        run(settings).raise_if_failed()
        assert through.seen
        gc.collect()  # the client neither reads the body of a 404 nor returns its connection
        assert connections_to(through.port) == 0
        assert run({**settings, "SALESFORCE_USERNAME": "nobody@example.com"}).error
        gc.collect()
        assert connections_to(through.port) == 0


def test_files_that_killed_polls_left_behind_are_removed(
    poll: Callable[..., Report], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A killed poll may leave up to 100 MB of files on the disk. Later polls remove these files.
    They keep files that are younger than an hour, because another poll may still use them.
    """
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    old, young, others = (
        tmp_path / name
        for name in ("sf-delete-tracker-poll-old", "sf-delete-tracker-poll-young", "others")
    )
    for folder in (old, young, others):
        folder.mkdir()
        (folder / "x.db").write_bytes(b"x")
    for folder in (old, others):
        os.utime(folder, (0, 0))
    poll()
    assert sorted(tmp_path.iterdir()) == [others, young]
