#!/usr/bin/env python3
"""A mock Salesforce that is faster than any client.

It makes its responses before the measurement. Only the client's credit limits it.
``server.py --events 40000 --latency-ms 0`` prints the settings that a client needs, and serves
until SIGTERM.

Its topics:

- ``/data/AccountChangeEvent`` has deletes of Account with a body of nulls.
- ``/event/Delete_Event__e`` has platform events with 8 fields.
- ``/data/ChangeEvents`` has 1 delete in 20 events. The others are updates.
- A custom channel such as ``/data/Accounts_1__chn`` has the deletes of Account too.
"""

from __future__ import annotations

import argparse
import functools
import json
import queue
import signal
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
import grpc

from salesforce_client.src.app.mock_salesforce import MockSalesforce, certificate, schemas
from salesforce_client.src.app.mock_salesforce.events import encode
from salesforce_client.src.app.mock_salesforce.history import EPOCH
from salesforce_client.src.app.mock_salesforce.ids import record_id
from salesforce_client.src.app.mock_salesforce.pubsub_server import MOST_STREAMS
from salesforce_client.src.app.mock_salesforce.pubsub_service import PubSubService
from salesforce_client.src.app.salesforce.wire import pubsub_api_pb2 as wire

BATCH = 100
DIFFERENT = 500  # number of different payloads; all ids are different
EMPTY_SECONDS = 1.1  # a topic's silence between its last event and an empty response
MILLISECONDS = int(EPOCH.timestamp() * 1000)


def account(number: int, change: str) -> bytes:
    """Return a change of Account: a full header and a body. The body of a delete is null."""
    header = {
        "entityName": "Account",
        "recordIds": [record_id("Account", number)],
        "changeType": change,
        "changeOrigin": "com/salesforce/api/soap/66.0;client=SfdcInternalAPI/",
        "transactionKey": f"00{number:06}-1d5e-4d1c-9c5a-6b1d9a1e2f30",
        "sequenceNumber": 1,
        "commitTimestamp": MILLISECONDS + number,
        "commitNumber": 12_000_000_000_000 + number,
        "commitUser": record_id("User", number % 20),
        "nulledFields": [],
        "diffFields": [],
        "changedFields": ["0x400"] if change == "UPDATE" else [],
    }
    body = {"Phone": "+49 30 123456", "Description": "x" * 200} if change == "UPDATE" else {}
    return encode(schemas.ACCOUNT, {"ChangeEventHeader": header, **body})


def platform_event(number: int) -> bytes:
    """Return a platform event as the trigger publishes it."""
    user = record_id("User", number % 20)
    value = {
        "CreatedDate": MILLISECONDS + number,
        "CreatedById": user,
        "Object_Name__c": "Opportunity",
        "Record_Id__c": record_id("Opportunity", number),
        "Deleted_By__c": user,
        "Deleted_Date__c": MILLISECONDS + number,
        "Owner_Id__c": record_id("User", number % 7),
        "Record_Name__c": f"Opportunity {number} " + "x" * 150,
    }
    return encode(schemas.DELETE_EVENT, value)


def payloads(topic: str) -> list[tuple[str, bytes]]:
    """Return the schema ids and payloads that a topic repeats."""
    if topic.startswith("/event/"):
        return platform_events()
    return changes(rare=topic == "/data/ChangeEvents")


@functools.cache
def platform_events() -> list[tuple[str, bytes]]:
    """Return schema id and payload of each platform event."""
    schema_id = schemas.schema_id(schemas.DELETE_EVENT)
    return [(schema_id, platform_event(number)) for number in range(DIFFERENT)]


@functools.cache
def changes(*, rare: bool) -> list[tuple[str, bytes]]:
    """Return schema id and payload of each change. If ``rare``, 1 in 20 is a delete, else all."""
    schema_id = schemas.schema_id(schemas.ACCOUNT)
    kinds = ["UPDATE" if rare and number % 20 else "DELETE" for number in range(DIFFERENT)]
    return [(schema_id, account(number, kind)) for number, kind in enumerate(kinds)]


def response(topic: str, place: int) -> bytes:
    """Return the response with the events from this place on."""
    repeated = payloads(topic)
    events = []
    for number in range(place, place + BATCH):
        schema_id, payload = repeated[number % DIFFERENT]
        produced = wire.ProducerEvent(
            id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{topic} {number}")),
            schema_id=schema_id,
            payload=payload,
        )
        events.append(
            wire.ConsumerEvent(event=produced, replay_id=(number + 1).to_bytes(8, "big") + b"\0\0")
        )
    return bytes(
        wire.FetchResponse(
            events=events, latest_replay_id=events[-1].replay_id, rpc_id="rpc"
        ).SerializeToString()
    )


class Fast(MockSalesforce):
    """The mock's login and TLS, with a Pub/Sub API that sends prepared responses."""

    def __init__(self, events: int, latency_seconds: float, prepared: list[str]) -> None:
        super().__init__(tls=True)
        self._events = events
        self._latency = latency_seconds
        self._prepared = {
            topic: [response(topic, place) for place in range(0, events, BATCH)]
            for topic in prepared
        }

    def _serve(self, made: certificate.Certificate | None) -> str:
        assert made
        # It serves nothing here. The REST API asks it for the number of delivered events.
        self._service = PubSubService(
            self.org, self.tokens.accepts, self.tokens.expire_tokens, self._faults, 1, BATCH
        )
        server = grpc.server(
            ThreadPoolExecutor(max_workers=2 * MOST_STREAMS),
            options=[("grpc.max_concurrent_streams", MOST_STREAMS)],
        )
        server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler("eventbus.v1.PubSub", self._handlers())]
        )
        port = server.add_secure_port(
            "127.0.0.1:0", grpc.ssl_server_credentials([(made.key, made.chain)])
        )
        server.start()
        self._resources.callback(server.stop, None)
        return f"localhost:{port}"

    def _handlers(self) -> dict[str, Any]:
        def topic(request: Any, _: Any) -> Any:
            return wire.TopicInfo(
                topic_name=request.topic_name,
                can_subscribe=True,
                schema_id=payloads(request.topic_name)[0][0],
            )

        def schema(request: Any, _: Any) -> Any:
            return wire.SchemaInfo(
                schema_json=schemas.BY_ID[request.schema_id], schema_id=request.schema_id
            )

        unary = grpc.unary_unary_rpc_method_handler
        return {
            "GetTopic": unary(
                topic, wire.TopicRequest.FromString, wire.TopicInfo.SerializeToString
            ),
            "GetSchema": unary(
                schema, wire.SchemaRequest.FromString, wire.SchemaInfo.SerializeToString
            ),
            "Subscribe": grpc.stream_stream_rpc_method_handler(
                self._subscribe, wire.FetchRequest.FromString, None
            ),
        }

    def _subscribe(self, requests: Iterator[Any], _: Any) -> Iterator[bytes]:
        """Send a response for each hundred events of credit.

        The time between the request that gave the credit and the response is the latency.
        """
        granted: queue.SimpleQueue[tuple[float, int] | None] = queue.SimpleQueue()
        first = next(requests)

        def read() -> None:
            try:
                for request in requests:
                    granted.put((time.monotonic(), request.num_requested))
            except Exception:  # noqa: BLE001  (gRPC raises it if the client has gone)
                pass
            granted.put(None)

        granted.put((time.monotonic(), first.num_requested))
        threading.Thread(target=read, daemon=True).start()
        place = int.from_bytes(first.replay_id[:8], "big") if first.replay_id else 0
        credit = 0
        while True:
            try:
                grant = granted.get(timeout=EMPTY_SECONDS if place >= self._events else None)
            except queue.Empty:
                yield wire.FetchResponse(
                    latest_replay_id=place.to_bytes(8, "big") + b"\0\0"
                ).SerializeToString()
                continue
            if grant is None:
                return
            at, number = grant
            credit += number
            time.sleep(max(at + self._latency - time.monotonic(), 0))
            while credit >= BATCH and place < self._events:
                prepared = self._prepared.get(first.topic_name)
                yield prepared[place // BATCH] if prepared else response(first.topic_name, place)
                place, credit = place + BATCH, credit - BATCH


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--events",
        type=int,
        required=True,
        help="number of events on each topic, a multiple of 100",
    )
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument(
        "--prepare",
        action="append",
        default=[],
        metavar="TOPIC",
        help="make the responses of this topic at the start",
    )
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with Fast(arguments.events, arguments.latency_ms / 1000, arguments.prepare) as server:
        print(
            json.dumps({**server.settings, "ca_file": server.ca_file, "org_id": server.org.org_id}),
            flush=True,
        )
        signal.pause()


if __name__ == "__main__":
    main()
