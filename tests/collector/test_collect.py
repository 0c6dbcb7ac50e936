"""Whole polls in this process: a real mock Salesforce, a real Azurite, real event files."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from azure.storage.blob import ContainerClient
from local.event_files import Row, rows

from salesforce_client.src.app import collect, event_file
from salesforce_client.src.app.collect import Collection, Limits
from salesforce_client.src.app.model import Event, Gap
from salesforce_client.src.app.drain import KEEPALIVE_SECONDS, Patience
from salesforce_client.src.app.errors import RunFailedError, SettingsError, StorageUnavailableError, TopicError
from salesforce_client.src.app.model import Delivery, Position
from salesforce_client.src.app.mock_salesforce import DEFAULT_TOPICS, MockSalesforce
from salesforce_client.src.app.mock_salesforce.org import RETENTION
from salesforce_client.src.app.salesforce.pubsub import Batch
from salesforce_client.src.app.report import Report
from salesforce_client.src.app.run import run
from salesforce_client.src.app.model import Cursor, StoredCursor
from salesforce_client.src.app.storage.blobs import Storage

NOW = datetime(2026, 2, 1, 12, 30, tzinfo=timezone.utc)


@pytest.fixture
def poll(mock: MockSalesforce, blob_settings: Mapping[str, str]) -> Callable[..., Report]:
    """One run against ``mock``; the org's clock stands at ``NOW`` until a test moves it."""
    mock.org.now = lambda: NOW

    def once(**changes: str) -> Report:
        return run({**blob_settings, **mock.settings, "IDLE_SECONDS": "1", **changes})

    return once


def keys(deletes: list[Row]) -> list[str]:
    return sorted(row["event_id"] for row in deletes)


def published(mock: MockSalesforce, since: datetime, topics: tuple[str, ...] = DEFAULT_TOPICS) -> list[str]:
    return sorted(it.key for it in mock.org.deletes(topics, since, mock.org.now()))


def test_a_first_poll_stores_every_delete_that_is_retained(
    poll: Callable[..., Report], mock: MockSalesforce, events: ContainerClient, tmp_path: Path
) -> None:
    """From all topics in one file; a change that shows on two channels is one row."""
    report = poll()
    assert len(list(events.list_blobs())) == len(report.files) == 1
    assert keys(rows(events, tmp_path)) == published(mock, NOW - RETENTION)
    assert all(topic.cursor == "moved" for topic in report.topics.values())


def test_a_second_poll_resumes_where_the_first_ended(
    poll: Callable[..., Report], mock: MockSalesforce, events: ContainerClient, tmp_path: Path
) -> None:
    """It finds the new deletes and none of the old ones."""
    poll()
    mock.org.now = lambda: NOW + timedelta(hours=13)
    report = poll()
    assert sum(topic.received for topic in report.topics.values()) == 3 + 7 + 10
    found = keys(rows(events, tmp_path))
    assert found == published(mock, NOW - RETENTION)
    assert len(found) == len(set(found))


def test_without_news_there_is_no_file_and_the_cursor_moves_all_the_same(
    poll: Callable[..., Report], cursors: ContainerClient, events: ContainerClient
) -> None:
    """To the position that a keepalive told, so that a quiet topic's cursor does not age."""
    poll()
    before = {blob.name: blob.etag for blob in cursors.list_blobs()}
    report = poll()
    assert report.files == []
    assert len(list(events.list_blobs())) == 1
    after = {blob.name: blob.etag for blob in cursors.list_blobs()}
    assert before.keys() == after.keys()
    assert all(before[name] != after[name] for name in before)
    assert b'"source": "keepalive"' in cursors.download_blob(next(iter(after))).readall()


def test_a_full_file_is_uploaded_and_the_run_goes_on_in_a_new_one(
    poll: Callable[..., Report], mock: MockSalesforce, events: ContainerClient, tmp_path: Path
) -> None:
    """With its cursors saved before."""
    report = poll(MAX_FILE_ROWS="20")
    assert len(report.files) >= 2
    assert sorted(blob.name for blob in events.list_blobs()) == sorted(report.files)
    assert set(keys(rows(events, tmp_path))) == set(published(mock, NOW - RETENTION))


def test_a_file_is_full_too_when_it_is_large(
    poll: Callable[..., Report], blob_settings: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever ``MAX_FILE_ROWS`` says: a file is in memory while it is uploaded."""
    assert len(poll().files) == 1
    monkeypatch.setattr(event_file, "FILL_BYTES", 1)
    assert len(poll(CURSORS_CONTAINER=f"{blob_settings['CURSORS_CONTAINER']}-2").files) > 1


def test_no_more_than_two_files_lie_on_the_disk(poll: Callable[..., Report], monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is filled and one that is uploaded, however many a run has."""
    found: list[int] = []
    upload = Storage.upload

    def slowly(store: Storage, path: Path, begun_at: datetime) -> str:
        time.sleep(0.2)
        found.append(len(list(path.parent.iterdir())))
        return upload(store, path, begun_at)

    monkeypatch.setattr(Storage, "upload", slowly)
    assert len(poll(MAX_FILE_ROWS="5").files) > 3
    assert max(found) == 2


def test_a_topic_that_fails_does_not_keep_the_others_back(
    poll: Callable[..., Report], mock: MockSalesforce, events: ContainerClient, tmp_path: Path
) -> None:
    """Their rows are uploaded and their cursors move; the run ends as failed and names the one."""
    report = poll(SALESFORCE_TOPICS="/event/Missing__e,/event/Delete_Event__e")
    assert keys(rows(events, tmp_path)) == published(mock, NOW - RETENTION, ("/event/Delete_Event__e",))
    assert isinstance(report.topics["/event/Missing__e"].error, TopicError)
    with pytest.raises(RunFailedError, match=r"1 topic\(s\) failed.*\n.*/event/Missing__e: TopicError: .*not found"):
        report.raise_if_failed()


def test_latest_begins_with_what_is_published_after_the_first_poll(
    poll: Callable[..., Report], mock: MockSalesforce, events: ContainerClient, tmp_path: Path
) -> None:
    """The first poll waits for a keepalive, as without a position the second would begin later still."""
    assert poll(SALESFORCE_REPLAY_PRESET="LATEST").files == []
    mock.org.now = lambda: NOW + timedelta(hours=6)
    poll(SALESFORCE_REPLAY_PRESET="LATEST")
    assert keys(rows(events, tmp_path)) == published(mock, NOW)


def test_a_cursor_that_salesforce_no_longer_knows_leaves_a_gap_on_record(
    poll: Callable[..., Report], mock: MockSalesforce, cursors: ContainerClient, events: ContainerClient, tmp_path: Path
) -> None:
    """What is still retained is read again from the start, and the run ends as failed so that someone is told."""
    topic = "/event/Delete_Event__e"
    poll(SALESFORCE_TOPICS=topic)
    (blob,) = cursors.list_blobs()
    old = cursors.download_blob(blob.name).readall().decode()
    cursors.upload_blob(blob.name, old.replace('"replay_id": "', '"replay_id": "AAAA'), overwrite=True)
    report = poll(SALESFORCE_TOPICS=topic)
    (gap,) = rows(events, tmp_path, "gaps")
    assert (gap["topic"], gap["reason"]) == (topic, "expired_cursor")
    assert gap["from_time"] in old
    with pytest.raises(RunFailedError, match=r"GapError.*expired_cursor"):
        report.raise_if_failed()
    assert set(keys(rows(events, tmp_path))) == set(published(mock, NOW - RETENTION, (topic,)))
    poll(SALESFORCE_TOPICS=topic).raise_if_failed()


def test_a_cursor_blob_that_cannot_be_read_leaves_a_gap_on_record(
    poll: Callable[..., Report], cursors: ContainerClient, events: ContainerClient, tmp_path: Path
) -> None:
    """With the bytes that lay there."""
    topic = "/event/Delete_Event__e"
    poll(SALESFORCE_TOPICS=topic)
    (blob,) = cursors.list_blobs()
    cursors.upload_blob(blob.name, b"not json", overwrite=True)
    with pytest.raises(RunFailedError, match="unreadable_cursor"):
        poll(SALESFORCE_TOPICS=topic).raise_if_failed()
    (gap,) = rows(events, tmp_path, "gaps")
    assert (gap["reason"], gap["from_replay_id"], gap["from_time"]) == ("unreadable_cursor", b"not json", None)
    poll(SALESFORCE_TOPICS=topic).raise_if_failed()


def test_a_session_that_ends_in_the_middle_is_renewed(poll: Callable[..., Report], mock: MockSalesforce) -> None:
    """Once for each topic, without losing the position."""
    poll()
    mock.tokens.expire_tokens()
    poll().raise_if_failed()


def test_invented_deletes_stay_out_of_azure(blob_settings: Mapping[str, str]) -> None:
    """Unless someone says that they are wanted."""
    azure = {**blob_settings, "MOCK_MODE": "true", "WEBSITE_SITE_NAME": "app"}
    with pytest.raises(SettingsError, match="MOCK_MODE is true in Azure"):
        run(azure)
    local = {"MOCK_INTERVAL_SECONDS": "36000", "IDLE_SECONDS": "1"}
    run({**azure, **local, "MOCK_MODE_IN_AZURE": "true"}).raise_if_failed()
    run({**azure, **local, "AZURE_FUNCTIONS_ENVIRONMENT": "Development"}).raise_if_failed()


EVENTS = Batch([Event("e", "s", b"", b"1")], b"1", "")
KEEPALIVE = Batch([], b"2", "")
NEITHER = Batch([], b"", "")


@pytest.mark.parametrize(
    ("hold", "heard", "until"),
    [
        (False, [], 30),
        (False, [(1, EVENTS)], 31),
        (False, [(1, EVENTS), (2, KEEPALIVE)], 4),
        (False, [(1, EVENTS), (2, KEEPALIVE), (3, KEEPALIVE)], 4),
        (False, [(1, EVENTS), (2, KEEPALIVE), (3, EVENTS)], 33),
        (False, [(1, KEEPALIVE)], 30),
        (False, [(1, KEEPALIVE), (20, EVENTS)], 50),
        (False, [(29, KEEPALIVE)], 31),
        (True, [], KEEPALIVE_SECONDS),
        (True, [(1, KEEPALIVE)], 30),
        (True, [(200, KEEPALIVE)], 202),
        (True, [(200, KEEPALIVE), (201, KEEPALIVE)], 202),
        (True, [(1, NEITHER)], KEEPALIVE_SECONDS),
        (True, [(100, EVENTS)], 130),
    ],
)
def test_patience_ends_a_drain_neither_too_early_nor_too_late(hold: bool, heard: list[tuple[float, Batch]], until: float) -> None:
    """An empty response before any event is no end, one after events nearly is; keepalives alone do not prolong."""
    patience = Patience(0, 30, 1000, hold)
    for now, batch in heard:
        patience.heard(batch, now)
    assert patience.until == until
    assert patience.left(until) == 0


def test_the_runs_deadline_ends_any_patience() -> None:
    """Even with events coming without end."""
    patience = Patience(0, 30, 10, hold_for_keepalive=True)
    patience.heard(EVENTS, 9)
    assert patience.left(9) == 1


class FailingOnce:
    """A store whose first upload fails after a second."""

    def __init__(self) -> None:
        self.failures = [StorageUnavailableError("the storage account does not answer")]
        self.saved: list[Cursor] = []

    def upload(self, *_: Any) -> str:
        """Under one name."""
        if self.failures:
            time.sleep(1)
            raise self.failures.pop()
        return "events_20260201T000000Z.db"

    def load_cursor(self, *_: Any) -> StoredCursor:
        """There is none."""
        return StoredCursor(None, None)

    def save_cursor(self, cursor: Cursor, *_: Any) -> str:
        """Remembered."""
        self.saved.append(cursor)
        return "etag"


class OneRow:
    """A drain that delivers one row; of the topic ``late``, once the run has given up on it."""

    time_is_up = threading.Event()

    def __init__(self, topic: str, *given: Any) -> None:
        self.topic, self.deliver = topic, given[3]

    def run(self) -> str:
        """Deliver and end."""
        if self.topic == "late":
            self.time_is_up.wait()
        row = Gap(self.topic, self.topic, "overflow", None, b"1", None, None, "2026-02-01T00:00:00.000Z")
        self.deliver(Delivery(self.topic, [row], Position(b"1", "e", "2026-02-01T00:00:00.000Z")))
        return "idle"


class Overtaken(Collection):
    """A run in whose last moment a late topic delivers."""

    def _wait_for_drains(self) -> None:
        super()._wait_for_drains()
        OneRow.time_is_up.set()
        time.sleep(0.2)


def test_nothing_is_published_behind_an_upload_that_failed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not even what a topic delivers that is late, and waits for that upload while the run ends."""
    monkeypatch.setattr(collect, "GRACE_SECONDS", 0.1)
    monkeypatch.setattr(collect, "Drain", OneRow)
    source: Any = SimpleNamespace(session=SimpleNamespace(org_id="00D000000000001EAA"))
    store = FailingOnce()
    limits = Limits(run_seconds=0.4, idle_seconds=0.1, file_rows=1)
    topics = ["first", "late"]
    run = Overtaken(
        source, store, tmp_path, topics, replay_preset="EARLIEST", event_fields={}, limits=limits, began=time.monotonic()
    )
    with pytest.raises(StorageUnavailableError, match="does not answer"):
        run.run()
    assert not store.saved
