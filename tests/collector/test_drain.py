"""A drain on a stream whose every response is at hand: what no server can be made to time so exactly."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any

from salesforce_client.src.app.deletes import Event
from salesforce_client.src.app.drain import EARLIEST, Beginning, Drain
from salesforce_client.src.app.interpreter import Delivery, Interpreter
from salesforce_client.src.app.mock_salesforce import schemas
from salesforce_client.src.app.mock_salesforce.org import encode, record_id
from salesforce_client.src.app.pubsub import Batch
from salesforce_client.src.app.settings import DEFAULT_EVENT_FIELDS

TOPIC = "/data/AccountChangeEvent"


def deleted(number: int, replay_id: bytes) -> Batch:
    """A response with one delete of Account."""
    header = {
        "entityName": "Account", "recordIds": [record_id("Account", number)], "changeType": "DELETE", "changeOrigin": "",
        "transactionKey": "t", "sequenceNumber": 1, "commitTimestamp": 1767225600123, "commitNumber": 1,
        "commitUser": record_id("User", 1), "nulledFields": [], "diffFields": [], "changedFields": [],
    }  # fmt: skip
    payload = encode(schemas.ACCOUNT, {"ChangeEventHeader": header})
    return Batch([Event(f"e{number}", schemas.schema_id(schemas.ACCOUNT), payload, replay_id)], b"", "rpc")


class Source:
    """Responses that have all arrived already, then silence."""

    def __init__(self, *batches: Batch) -> None:
        self._batches = deque(batches)

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def check_topic(self, _: str) -> None:
        """It is there."""

    def schema(self, schema_id: str) -> str:
        """By its id."""
        return schemas.BY_ID[schema_id]

    def subscribe(self, *_: Any) -> Source:
        """The one stream."""
        return self

    def next(self, timeout: float) -> Batch | None:
        """The next response at once, or None after the time given."""
        if self._batches:
            return self._batches.popleft()
        time.sleep(timeout)
        return None


def test_what_came_in_while_a_delivery_had_to_wait_is_read_before_silence_is_concluded() -> None:
    """Here the rest of a group under one replay id, which a cursor behind its beginning would lose."""
    source: Any = Source(deleted(1, b"1"), deleted(2, b"2"), deleted(3, b"2"))
    taken: list[Delivery] = []

    def deliver(delivery: Delivery) -> None:
        time.sleep(0.3)  # longer than the drain waits for an event
        taken.append(delivery)

    interpreter = Interpreter(source, "00D", DEFAULT_EVENT_FIELDS)
    beginning = Beginning(EARLIEST)
    drain = Drain(TOPIC, beginning, source, interpreter, deliver, threading.Event(), time.monotonic() + 30, idle_seconds=0.1)
    assert drain.run() == "idle"
    assert [(len(delivery.rows), delivery.position and delivery.position.replay_id) for delivery in taken] == [
        (1, b"1"),
        (2, b"2"),
    ]
