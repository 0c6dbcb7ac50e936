"""The mock's Pub/Sub API: it implements the generated servicer for an org.

It follows Salesforce's "Pub/Sub API" guide. It checks the headers of every call. An error has a
status, an ``error-code`` trailer and ``rpcId:`` in its message. A ``Sender`` decides what
the streams send.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator

import grpc

from ..salesforce.wire import pubsub_api_pb2 as wire
from ..salesforce.wire.pubsub_api_pb2_grpc import PubSubServicer
from . import schemas
from .breaks import Breaks
from .calls import INVALID, NOT_FOUND, UNAUTHENTICATED, UNAVAILABLE, Call, Stream
from .faults import Faults
from .managed import ManagedSubscription, commit_response
from .org import TOPICS, Org
from .publishing import publish, requests_of
from .sender import Sender


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
        self._faults = faults
        self._sender = Sender(
            org, Breaks(faults, expire_sessions), faults, keepalive_seconds, batch_size
        )
        self._managed = ManagedSubscription(org)

    @property
    def delivered(self) -> int:
        """The number of delivered events. It counts towards the org's delivery limit."""
        return self._sender.delivered

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
        stream = Stream(call, first.topic_name, self._sender.start(call, first))
        stream.take(first)
        threading.Thread(target=stream.read, args=(request_iterator,), daemon=True).start()
        if first.replay_preset == wire.LATEST and self._faults.on("latest_immediate", stream.topic):
            stream.empty_responses_due = 1
        for events in self._sender.responses(stream):
            pending = stream.use_up(len(events))
            yield wire.FetchResponse(
                events=[self._sender.consumer_event(event, stream) for event in events],
                latest_replay_id=self._org.replay_id(stream.told),
                rpc_id=call.rpc_id,
                pending_num_requested=pending,
            )

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
            for events in self._sender.responses(stream):
                response = wire.ManagedFetchResponse(
                    events=[self._sender.consumer_event(event, stream) for event in events],
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
