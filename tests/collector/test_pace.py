"""The pace of Salesforce

If a topic has no new events, Salesforce sends an empty response after up to 270 seconds of silence.
By default, a topic is idle after 30 seconds of silence.
A held topic waits for an empty response, for up to 285 seconds.

In these tests, all these times are a hundred times shorter.
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient, ContainerClient
from local import event_files

from salesforce_client.src.app.backlog import HOLD_SECONDS
from salesforce_client.src.app.collect import Collection, Limits
from salesforce_client.src.app.decoding.interpreter import Interpreter
from salesforce_client.src.app.mock_salesforce import MockSalesforce
from salesforce_client.src.app.model.positions import Preset
from salesforce_client.src.app.model.times import moment_of, now, timestamp
from salesforce_client.src.app.report import TopicReport
from salesforce_client.src.app.salesforce.login import authenticate
from salesforce_client.src.app.salesforce.pubsub import PubSub
from salesforce_client.src.app.settings import read
from salesforce_client.src.app.storage.cursors import from_json
from salesforce_client.src.app.storage.store import Store

TOPIC = "/event/Delete_Event__e"
FAST = 100
SILENCE, IDLE, HOLD = 270 / FAST, 30 / FAST, HOLD_SECONDS / FAST


@pytest.fixture
def mock() -> Iterator[MockSalesforce]:
    """A mock with an hour between two events. Its clock is the machine's clock until a test changes
    it.
    """
    with MockSalesforce(3600, keepalive_seconds=SILENCE) as running:
        yield running


@pytest.fixture
def poll(
    mock: MockSalesforce,
    service: BlobServiceClient,
    blob_settings: Mapping[str, str],
    tmp_path: Path,
) -> Callable[[], TopicReport]:
    """Poll the topic once."""
    salesforce = read({**mock.settings, **blob_settings}).salesforce
    assert salesforce
    login = functools.partial(
        authenticate,
        salesforce.login_url,
        salesforce.audience,
        salesforce.client_id,
        salesforce.username,
        salesforce.private_key,
    )

    def once() -> TopicReport:
        store = Store(
            service, blob_settings["EVENTS_CONTAINER"], blob_settings["CURSORS_CONTAINER"], tmp_path
        )
        limits = Limits(run_seconds=20, idle_seconds=IDLE, file_rows=1000, hold_seconds=HOLD)
        with PubSub(salesforce.pubsub_endpoint.target, tls=False, authenticate=login) as source:
            org_id = source.session.org_id
            records = Interpreter(source.schema, org_id, {})
            report = Collection(
                source,
                store,
                records,
                org_id,
                [TOPIC],
                replay_preset=Preset.EARLIEST,
                limits=limits,
                began=time.monotonic(),
                began_at=now(),
            ).run()
        report.raise_if_failed()
        return report.topics[TOPIC]

    return once


def position_at(mock: MockSalesforce, cursors: ContainerClient) -> datetime:
    raw = cursors.download_blob(f"{mock.org.org_id}{TOPIC}.json").readall()
    position = from_json(raw, mock.org.org_id, TOPIC).position
    assert position
    assert position.at
    return moment_of(position.at)


def test_a_first_poll_waits_for_an_empty_response(
    poll: Callable[[], TopicReport], mock: MockSalesforce, cursors: ContainerClient
) -> None:
    """The first poll of a topic waits for an empty response, and saves the position of that
    response. If the poll receives no position, the topic fails.
    """
    began, topic = time.monotonic(), poll()
    assert topic.ended == "caught_up"
    assert SILENCE <= time.monotonic() - began < HOLD + 2
    assert datetime.now(timezone.utc) - position_at(mock, cursors) < timedelta(seconds=10)


def test_a_later_poll_does_not_wait_and_reads_the_last_event_twice(
    poll: Callable[[], TopicReport],
    mock: MockSalesforce,
    events: ContainerClient,
    cursors: ContainerClient,
    tmp_path: Path,
) -> None:
    """A later poll does not wait: it ends as idle long before Salesforce sends an empty response.
    So the cursor stays before the last event, and each poll reads that event again, with the same
    key.
    """
    now = datetime.now(timezone.utc)
    poll()
    mock.org.now = lambda: now + timedelta(hours=9)
    began, second = time.monotonic(), poll()
    assert (second.ended, second.cursor) == ("idle", "moved")
    assert time.monotonic() - began < SILENCE
    assert second.received > 1
    third = poll()
    assert (third.ended, third.received, third.cursor) == ("idle", 1, "unchanged")
    rows = event_files.rows(events, tmp_path)
    published = mock.org.deletes((TOPIC,), now - timedelta(hours=72), mock.org.now())
    assert {row["event_id"] for row in rows} == {deleted.key for deleted in published}
    assert len(rows) == len(published) + 1


def test_a_quiet_topic_is_held_once_a_day_and_its_cursor_never_gets_old(
    poll: Callable[[], TopicReport], mock: MockSalesforce, cursors: ContainerClient
) -> None:
    """If no event arrives for a day, one poll waits for an empty response and moves the cursor to
    the position of that response. The next poll ends as idle, as usual.
    """
    poll()
    name = f"{mock.org.org_id}{TOPIC}.json"
    stored = json.loads(cursors.download_blob(name).readall())
    aged = {
        **stored,
        "event_id": "e",
        "position_at": timestamp(datetime.now(timezone.utc) - timedelta(hours=30)),
    }
    cursors.upload_blob(name, json.dumps(aged), overwrite=True)
    assert poll().ended == "caught_up"
    assert datetime.now(timezone.utc) - position_at(mock, cursors) < timedelta(minutes=1)
    assert poll().ended == "idle"
