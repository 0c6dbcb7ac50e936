"""The mock's Pub/Sub API: it implements the generated servicer for an org.

It follows Salesforce's "Pub/Sub API" guide. It checks the headers of every call. An error has a
status, an ``error-code`` trailer and ``rpcId:`` in its message. A stream has a credit of at most
100 events. An empty response names a position that no event has. A stream with the preset
``CUSTOM`` starts after the replay id of its request.
"""

from __future__ import annotations

import dataclasses
import queue
import random
import threading
import time
from collections.abc import Callable, Iterator

import grpc

from ..salesforce.wire import pubsub_api_pb2 as wire
from ..salesforce.wire.pubsub_api_pb2_grpc import PubSubServicer
from . import schemas
from .breaks import Breaks
from .calls import INVALID, NOT_FOUND, UNAUTHENTICATED, UNAVAILABLE, Call, Stream
from .events import OrgEvent
from .faults import Faults
from .managed import ManagedSubscription, commit_response
from .org import TOPICS, Org, UnknownReplayIdError
from .publishing import publish, requests_of

POLL_SECONDS = 0.02  # how often a stream looks at the org's clock


class PubSubService(PubSubServicer):
    """Serves one org.

    Args:
        org: the org.
        accepts: returns whether an access token, instance URL and org id belong to one session.
        expire_sessions: ends all sessions.
        faults: the faults that are switched on.
        keepalive_seconds: after this many seconds of silence, a stream with credit sends an empty
            response.
        batch_size: maximum number of events in one response.
    """

    def __init__(
        self,
        org: Org,
        accepts: Callable[[str, str, str], bool],
        expire_sessions: Callable[[], None],
        faults: Faults,
        keepalive_seconds: float,
        batch_size: int,
    ) -> None:
        self._org = org
        self._accepts = accepts
        self._breaks = Breaks(faults, expire_sessions)
        self._faults = faults
        self._keepalive_seconds = keepalive_seconds
        self._batch_size = batch_size
        self._managed = ManagedSubscription(org)
        self.delivered = 0  # counts towards the org's delivery limit

    # -- topics and schemas

    def GetTopic(self, request: wire.TopicRequest, context: grpc.ServicerContext) -> wire.TopicInfo:
        """Return a topic of the org."""
        call = self._authorized(context)
        if self._faults.happens("topic_unavailable", request.topic_name):
            call.fail(
                UNAVAILABLE,
                "topic.api.unavailable",
                "The topic information is temporarily unavailable.",
            )
        self._require_topic(call, request.topic_name)
        return wire.TopicInfo(
            topic_name=request.topic_name,
            tenant_guid=self._org.org_id,
            can_publish=request.topic_name.startswith("/event/"),
            can_subscribe=not self._faults.on("deny_topic", request.topic_name),
            schema_id=TOPICS[request.topic_name],
            rpc_id=call.rpc_id,
        )

    def GetSchema(
        self, request: wire.SchemaRequest, context: grpc.ServicerContext
    ) -> wire.SchemaInfo:
        """Return the schema with this id."""
        call = self._authorized(context)
        if not request.schema_id:
            call.fail(
                INVALID,
                "schema.validation.failed",
                "Schema validation failed. The schema ID can't be blank.",
            )
        if self._faults.happens("schema_unavailable"):
            call.fail(
                UNAVAILABLE, "schema.api.unavailable", "The schema is temporarily unavailable."
            )
        schema = schemas.BY_ID.get(request.schema_id)
        if schema is None or self._faults.on("schema_missing"):
            call.fail(NOT_FOUND, "", f"The schema {request.schema_id} was not found.")
        return wire.SchemaInfo(schema_json=schema, schema_id=request.schema_id, rpc_id=call.rpc_id)

    # -- subscribing

    def Subscribe(
        self, request_iterator: Iterator[wire.FetchRequest], context: grpc.ServicerContext
    ) -> Iterator[wire.FetchResponse]:
        """Send events of one topic while there is credit."""
        call = self._authorized(context)
        first = next(request_iterator, None)
        if first is None:
            return
        self._require_topic(call, first.topic_name)
        stream = Stream(call, first.topic_name, self._start(call, first))
        stream.take(first)
        threading.Thread(target=stream.read, args=(request_iterator,), daemon=True).start()
        if first.replay_preset == wire.LATEST and self._faults.on("latest_immediate", stream.topic):
            stream.empty_responses_due = 1
        for events in self._responses(stream):
            pending = stream.use_up(len(events))
            yield wire.FetchResponse(
                events=[self._consumer_event(event, stream) for event in events],
                latest_replay_id=self._org.replay_id(stream.told),
                rpc_id=call.rpc_id,
                pending_num_requested=pending,
            )

    def _start(self, call: Call, first: wire.FetchRequest) -> int:
        if first.replay_preset == wire.LATEST:
            return self._org.tip()
        if first.replay_preset == wire.EARLIEST:
            return self._org.earliest()
        code = "subscription.fetch.replayid.validation.failed"
        if not first.replay_id:
            call.fail(INVALID, code, "A replay ID is required with the CUSTOM preset.")
        if self._faults.happens("refuse_replay_id", first.topic_name):
            call.fail(INVALID, code, "The Replay ID validation failed. Ensure that it is valid.")
        try:
            position = self._org.position(first.replay_id)
        except UnknownReplayIdError:
            position = None
        if position is None or self._faults.happens("reject_replay_id", first.topic_name):
            call.fail(
                INVALID,
                "subscription.fetch.replayid.corrupted",
                "The Replay ID validation failed. Ensure that the replay_id field value in "
                "FetchRequest is valid and refers to an event that is within the retention window.",
            )
        return position

    def _responses(self, stream: Stream) -> Iterator[list[OrgEvent]]:
        """Yield the events of each response as soon as the response is due.

        An empty response has no events. ``stream.told`` is the position that the response names.
        """
        faults, topic = self._faults, stream.topic
        fast = faults.number("fast") or 1
        keepalive = self._silence(topic) / fast
        patience = (faults.number("close_without_credit", topic) or 60) / fast
        quiet_until = time.monotonic() + (faults.number("delay_first", topic) or 0) / fast
        stream.empty_responses_due = int(
            faults.number("empty_first", topic) or stream.empty_responses_due
        )
        last_response = time.monotonic()
        while stream.is_open():
            stream.fail_if_refused()
            now = time.monotonic()
            if faults.on("silent", topic) or now < quiet_until:
                stream.wait(POLL_SECONDS)
                continue
            self._breaks.end(stream, self.delivered)
            if not stream.is_open():
                return
            tip = self._org.tip()
            events = (
                self._next_events(stream)
                if stream.credit and not stream.empty_responses_due
                else []
            )
            if events:
                stream.position = stream.told = events[-1].position
                stream.sent += len(events)
                self.delivered += len(events)
                quiet_until = now + (faults.number("trickle", topic) or 0) / fast
            elif stream.empty_responses_due:
                stream.empty_responses_due -= 1
                stream.told = self._org.keepalive_position()
            elif stream.credit and now - last_response >= keepalive:
                stream.position = stream.told = self._org.keepalive_position(tip)
            elif not stream.credit and now - last_response >= patience:
                return
            else:
                stream.wait(POLL_SECONDS)
                continue
            last_response, keepalive = time.monotonic(), self._silence(topic) / fast
            yield events

    def _silence(self, topic: str) -> float:
        """Return the seconds of silence before the next empty response."""
        least, _, most = (self._faults.value("keepalive", topic) or "").partition("-")
        if not least:
            return self._keepalive_seconds
        return random.uniform(float(least), float(most or least))

    def _next_events(self, stream: Stream) -> list[OrgEvent]:
        limit = min(stream.credit, self._batch_size)
        if self._faults.on("odd_batches", stream.topic):
            limit = random.randint(1, limit)
        if self._faults.on("trickle", stream.topic):
            limit = 1
        limit = self._breaks.limit(stream, limit)
        if not stream.unsent:
            events = self._org.events(stream.topic, stream.position, limit)
            stream.unsent = [part for event in events for part in _parts(event)]
        events, stream.unsent = stream.unsent[:limit], stream.unsent[limit:]
        return events

    def _consumer_event(self, event: OrgEvent, stream: Stream) -> wire.ConsumerEvent:
        payload = event.payload
        every = self._faults.number("corrupt", stream.topic)
        if every and event.position // 1_000_000 % int(every) == 0:
            payload = payload[: len(payload) // 2]
        if self._faults.on("garbage", stream.topic):
            payload = random.Random(event.position).randbytes(len(payload))
        produced = wire.ProducerEvent(id=event.event_id, schema_id=event.schema_id, payload=payload)
        return wire.ConsumerEvent(event=produced, replay_id=self._org.replay_id(event.position))

    # -- publishing

    def Publish(
        self, request: wire.PublishRequest, context: grpc.ServicerContext
    ) -> wire.PublishResponse:
        """Put the events of a request on the bus."""
        call = self._authorized(context)
        self._require_publishable(call, request.topic_name)
        return publish(self._org, call, request)

    def PublishStream(
        self, request_iterator: Iterator[wire.PublishRequest], context: grpc.ServicerContext
    ) -> Iterator[wire.PublishResponse]:
        """Answer each publish request of a stream.

        The stream fails if the client sends no request for some time.
        """
        call = self._authorized(context)
        for request in requests_of(call, request_iterator):
            self._require_publishable(call, request.topic_name)
            yield publish(self._org, call, request)

    # -- managed subscriptions

    def ManagedSubscribe(
        self, request_iterator: Iterator[wire.ManagedFetchRequest], context: grpc.ServicerContext
    ) -> Iterator[wire.ManagedFetchResponse]:
        """Send events as Subscribe does, to one client at a time. The mock keeps the cursor."""
        call = self._authorized(context)
        first = next(request_iterator, None)
        if first is None:
            return
        self._managed.check_first(call, first)
        with self._managed.occupied(call):
            stream = Stream(call, self._managed.topic, self._managed.position)
            stream.take(first)
            commits: queue.SimpleQueue[wire.CommitReplayRequest] = queue.SimpleQueue()
            threading.Thread(
                target=stream.read, args=(request_iterator, commits.put), daemon=True
            ).start()
            for events in self._responses(stream):
                response = wire.ManagedFetchResponse(
                    events=[self._consumer_event(event, stream) for event in events],
                    latest_replay_id=self._org.replay_id(stream.told),
                    rpc_id=call.rpc_id,
                    pending_num_requested=stream.use_up(len(events)),
                )
                while not commits.empty():
                    response.commit_response.CopyFrom(
                        commit_response(self._managed, commits.get(), stream.position)
                    )
                yield response

    # -- checks of a call

    def _authorized(self, context: grpc.ServicerContext) -> Call:
        call = Call(context)
        given = [call.header(name) for name in ("accesstoken", "instanceurl", "tenantid")]
        if not all(given):
            code = "service.auth.headers.invalid"
            call.fail(
                UNAUTHENTICATED, code, "Provide the accesstoken, instanceurl and tenantid headers."
            )
        if not self._accepts(*given) or self._faults.on("refuse_session"):
            call.fail(
                UNAUTHENTICATED,
                "service.auth.error",
                "An authentication exception occurred. "
                "Provide valid authentication via metadata headers.",
            )
        return call

    def _require_publishable(self, call: Call, topic: str) -> None:
        if not topic:
            call.fail(INVALID, "publish.topic.validation.empty", "The topic name can't be blank.")
        self._require_topic(call, topic)

    def _require_topic(self, call: Call, topic: str) -> None:
        if not topic:
            call.fail(INVALID, "topic.validation.empty", "The topic name can't be blank.")
        if topic not in TOPICS:
            call.fail(
                NOT_FOUND,
                "topic.not.found",
                f"The topic information for org CORE/prod/{self._org.org_id} and topic {topic} not "
                "found. Ensure the topic name is correct and that the topic exists.",
            )


def _parts(event: OrgEvent) -> list[OrgEvent]:
    """Return the events to send for an event: its parts if it is split, otherwise itself."""
    return [
        dataclasses.replace(event, event_id=one, payload=payload) for one, payload in event.parts
    ] or [event]
