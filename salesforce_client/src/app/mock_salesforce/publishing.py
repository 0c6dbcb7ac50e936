"""The mock's RPCs that publish events."""

from __future__ import annotations

import queue
import threading
import uuid
from collections.abc import Iterator

from ..salesforce.wire import pubsub_api_pb2 as wire
from .calls import INVALID, Call
from .org import TOPICS, Org

PUBLISH_IDLE_SECONDS = 70  # from the published proto; Salesforce's error table says 1,800


def requests_of(
    call: Call, request_iterator: Iterator[wire.PublishRequest]
) -> Iterator[wire.PublishRequest]:
    """Yield the requests of a publish stream.

    The call fails if the client sends none for ``PUBLISH_IDLE_SECONDS``.
    """
    requests: queue.SimpleQueue[wire.PublishRequest | None] = queue.SimpleQueue()

    def read() -> None:
        try:
            for request in request_iterator:
                requests.put(request)
        except Exception:  # noqa: BLE001, S110  (gRPC raises it if the client has gone)
            pass
        requests.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            request = requests.get(timeout=PUBLISH_IDLE_SECONDS)
        except queue.Empty:
            call.fail(
                INVALID,
                "publish.stream.sweeper.timeout",
                "No publish request came for too long.",
            )
        if request is None:
            return
        yield request


def publish(org: Org, call: Call, request: wire.PublishRequest) -> wire.PublishResponse:
    """Put the events of a request on the bus, and return a result for each."""
    topic = request.topic_name
    if not request.events:
        call.fail(INVALID, "publish.event.count.invalid", "The publish request holds no events.")
    results = []
    for event in request.events:
        event_id = event.id or str(uuid.uuid4())
        if event.schema_id != TOPICS[topic]:
            error = wire.Error(code=wire.PUBLISH, msg="The schema ID does not belong to the topic.")
            results.append(wire.PublishResult(error=error, correlation_key=event_id))
            continue
        published = org.publish(topic, event_id, event.schema_id, event.payload)
        results.append(
            wire.PublishResult(
                replay_id=org.replay_id(published.position), correlation_key=event_id
            )
        )
    return wire.PublishResponse(results=results, schema_id=TOPICS[topic], rpc_id=call.rpc_id)
