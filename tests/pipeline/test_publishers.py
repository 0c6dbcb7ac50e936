"""Publishers that choose the event ids

Publishers of platform events may choose the event id.
Some publishers number their events, and some use one id for all events.
So the key of a row also contains a digest of the event's payload.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from local import apps, crashes, emulators, warehouse

from salesforce_client.src.app.mock_salesforce import MockSalesforce, schemas
from salesforce_client.src.app.mock_salesforce.events import encode
from salesforce_client.src.app.mock_salesforce.history import DELETE_EVENT_TOPIC
from salesforce_client.src.app.mock_salesforce.ids import record_id
from salesforce_client.src.app.mock_salesforce.org import ARCHIVE_EVENT_TOPIC

SCHEMAS = {DELETE_EVENT_TOPIC: schemas.DELETE_EVENT, ARCHIVE_EVENT_TOPIC: schemas.ARCHIVE_EVENT}
NEVER = 10_000_000.0  # seconds between two events that the mock publishes itself


class Publisher:
    """Publishes deletes of new records each time, under event ids of its own choice."""

    def __init__(self, mock: MockSalesforce, topic: str, ids: Callable[[int], str]) -> None:
        self._mock = mock
        self._topic = topic
        self._ids = ids
        self.records: list[str] = []

    def publish(self, count: int) -> None:
        """Publish ``count`` deletes."""
        for _ in range(count):
            number = len(self.records) + 1
            record = record_id(
                "Account", number + (1000 if self._topic == ARCHIVE_EVENT_TOPIC else 0)
            )
            value = {
                "CreatedDate": 1769900000000 + number,
                "CreatedById": record_id("User", 1),
                "Record_Id__c": record,
            }
            schema = SCHEMAS[self._topic]
            self._mock.org.publish(
                self._topic, self._ids(number), schemas.schema_id(schema), encode(schema, value)
            )
            self.records.append(record)


@pytest.fixture
def mock() -> Iterator[MockSalesforce]:
    with MockSalesforce(NEVER, keepalive_seconds=0.2) as running:
        yield running


@pytest.mark.parametrize(
    "ids",
    [
        pytest.param((str, str), id="two publishers that count"),
        pytest.param((lambda _: "261", lambda _: "261"), id="one id for all"),
        pytest.param(
            (lambda _: "6b1d9a1e-0000-4000-8000-000000000000", str), id="one UUID for all"
        ),
    ],
)
def test_each_delete_is_exactly_one_row(
    ids: tuple[Callable[[int], str], ...],
    mock: MockSalesforce,
    blob_settings: Mapping[str, str],
    snowflake_settings: Mapping[str, str],
    azurite: emulators.Server,
    connection: Any,
) -> None:
    """Whatever event ids the publishers choose, each delete becomes exactly one row. This is also
    true if a poll is killed after it uploaded a file and before it saved the cursors.
    """
    topics = ",".join(SCHEMAS)
    settings = {**blob_settings, **snowflake_settings, **mock.settings, "SALESFORCE_TOPICS": topics}
    publishers = [Publisher(mock, topic, chosen) for topic, chosen in zip(SCHEMAS, ids)]
    for ending in ("well", "killed", "well"):
        for publisher in publishers:
            publisher.publish(3)
        if ending == "killed":
            crashes.run_until_ended(
                crashes.COLLECTOR,
                settings,
                azurite,
                crashes.through_storage,
                crashes.cursor,
                when="before",
            )
        else:
            polled = apps.poll(settings)
            assert polled.succeeded, polled.log
        swept = apps.sweep(settings)
        assert swept.succeeded, swept.log
    found = warehouse.query(connection, "SELECT topic, record_id, event_id FROM delete_tracker")[1]
    published = [record for publisher in publishers for record in publisher.records]
    assert sorted(row[1] for row in found) == sorted(published)
    assert len({row[2] for row in found}) == len(published) == 18, json.dumps(found)
