"""The mock's Pub/Sub API: the generated servicer over an org.

Follows Salesforce's "Pub/Sub API" guide: headers checked on every call, errors as status + ``error-code`` trailer + ``rpcId:`` in
the message, credit that adds up to at most 100, keepalives that name a position no event has, ``CUSTOM`` exclusive.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import grpc

from ..wire import pubsub_api_pb2 as wire
from ..wire.pubsub_api_pb2_grpc import PubSubServicer
from . import schemas
from .org import TOPICS, Org, UnknownReplayIdError, replay_id

MAX_CREDITS = 100
CODE_PREFIX = "sfdc.platform.eventbus.grpc."
POLL_SECONDS = 0.02  # how often a stream looks at the org's clock
CLOSE_WITHOUT_CREDIT_SECONDS = 60
INVALID, NOT_FOUND, UNAUTHENTICATED = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.UNAUTHENTICATED,
)


class PubSubService(PubSubServicer):
    """Serves one org.

    Args:
        org: the org.
        accepts: whether an access token, instance URL and org id belong together.
        keepalive_seconds: how long a stream with credit stays silent before an empty response.
        batch_size: the most events in one response.
    """

    def __init__(
        self,
        org: Org,
        accepts: Callable[[str, str, str], bool],
        keepalive_seconds: float = 1.0,
        batch_size: int = MAX_CREDITS,
    ) -> None:
        self._org = org
        self._accepts = accepts
        self._keepalive_seconds = keepalive_seconds
        self._batch_size = batch_size

    def GetTopic(self, request: wire.TopicRequest, context: grpc.ServicerContext) -> wire.TopicInfo:
        """A topic of the org."""
        call = _Call(context)
        self._authorize(call)
        self._require_topic(call, request.topic_name)
        return wire.TopicInfo(
            topic_name=request.topic_name,
            tenant_guid=self._org.org_id,
            can_publish=request.topic_name.startswith("/event/"),
            can_subscribe=True,
            schema_id=TOPICS[request.topic_name],
            rpc_id=call.rpc_id,
        )

    def GetSchema(self, request: wire.SchemaRequest, context: grpc.ServicerContext) -> wire.SchemaInfo:
        """A schema by its id."""
        call = _Call(context)
        self._authorize(call)
        if not request.schema_id:
            call.fail(INVALID, "schema.validation.failed", "Schema validation failed. The schema ID can't be blank.")
        schema = schemas.BY_ID.get(request.schema_id)
        if schema is None:
            call.fail(NOT_FOUND, "", f"The schema {request.schema_id} was not found.")
        return wire.SchemaInfo(schema_json=schema, schema_id=request.schema_id, rpc_id=call.rpc_id)

    def Subscribe(
        self, request_iterator: Iterator[wire.FetchRequest], context: grpc.ServicerContext
    ) -> Iterator[wire.FetchResponse]:
        """Events of one topic, as long as there is credit."""
        call = _Call(context)
        self._authorize(call)
        first = next(request_iterator, None)
        if first is None:
            return
        self._require_topic(call, first.topic_name)
        stream = _Stream(call, first, self._start(call, first))
        threading.Thread(target=stream.read_requests, args=(request_iterator,), daemon=True).start()
        yield from self._serve(stream)

    def _start(self, call: _Call, first: wire.FetchRequest) -> int:
        if first.replay_preset == wire.LATEST:
            return self._org.tip()
        if first.replay_preset == wire.EARLIEST:
            return self._org.earliest()
        if not first.replay_id:
            call.fail(INVALID, "subscription.fetch.replayid.validation.failed", "A replay ID is required with the CUSTOM preset.")
        try:
            return self._org.position(first.replay_id)
        except UnknownReplayIdError:
            call.fail(
                INVALID,
                "subscription.fetch.replayid.corrupted",
                "The Replay ID validation failed. Ensure that the replay_id field value in FetchRequest is valid and refers to "
                "an event that is within the retention window.",
            )

    def _serve(self, stream: _Stream) -> Iterator[wire.FetchResponse]:
        last_response = time.monotonic()
        while stream.open():
            stream.raise_refusal()
            credit = stream.credit
            events = self._org.events(stream.topic, stream.position, min(credit, self._batch_size)) if credit else []
            silent_for = time.monotonic() - last_response
            if events:
                stream.position = events[-1].position
            elif credit and silent_for >= self._keepalive_seconds:
                stream.position = self._org.keepalive_position()
            elif not credit and silent_for >= CLOSE_WITHOUT_CREDIT_SECONDS:
                return
            else:
                stream.wait(POLL_SECONDS)
                continue
            last_response = time.monotonic()
            yield wire.FetchResponse(
                events=[
                    wire.ConsumerEvent(
                        event=wire.ProducerEvent(id=event.event_id, schema_id=event.schema_id, payload=event.payload),
                        replay_id=event.replay_id,
                    )
                    for event in events
                ],
                latest_replay_id=replay_id(stream.position),
                rpc_id=stream.call.rpc_id,
                pending_num_requested=stream.use_up(len(events)),
            )

    def _authorize(self, call: _Call) -> None:
        given = [call.header(name) for name in ("accesstoken", "instanceurl", "tenantid")]
        if not all(given):
            call.fail(
                UNAUTHENTICATED, "service.auth.headers.invalid", "Provide the accesstoken, instanceurl and tenantid headers."
            )
        if not self._accepts(*given):
            call.fail(
                UNAUTHENTICATED,
                "service.auth.error",
                "An authentication exception occurred. Provide valid authentication via metadata headers.",
            )

    def _require_topic(self, call: _Call, topic: str) -> None:
        if not topic:
            call.fail(INVALID, "topic.validation.empty", "The topic name can't be blank.")
        if topic not in TOPICS:
            call.fail(
                NOT_FOUND,
                "topic.not.found",
                f"The topic information for org CORE/prod/{self._org.org_id} and topic {topic} not found. Ensure the topic name "
                "is correct and that the topic exists.",
            )


class _Call:
    """One RPC: its id, its headers, and the way it fails."""

    def __init__(self, context: grpc.ServicerContext) -> None:
        self.context = context
        self.rpc_id = str(uuid.uuid4())
        self._headers = {str(key): str(value) for key, value in context.invocation_metadata()}

    def header(self, name: str) -> str:
        return str(self._headers.get(name, ""))

    def fail(self, status: grpc.StatusCode, code: str, message: str) -> NoReturn:
        if code:
            self.context.set_trailing_metadata((("error-code", CODE_PREFIX + code),))
        self.context.abort(status, f"{message} rpcId: {self.rpc_id}")
        raise AssertionError("abort raises")


class _Stream:
    """A subscription's state: how far it has got and how much credit is left. Requests arrive on a thread of their own."""

    def __init__(self, call: _Call, first: wire.FetchRequest, position: int) -> None:
        self.call = call
        self.topic = first.topic_name
        self.position = position
        self.credit = 0
        self._refusal: tuple[str, str] | None = None
        self._changed = threading.Condition()
        self._take(first)

    def read_requests(self, requests: Iterator[wire.FetchRequest]) -> None:
        try:
            for request in requests:
                self._take(request)
        except Exception:  # noqa: BLE001, S110  (gRPC raises a bare Exception here when the client is gone)
            pass

    def _take(self, request: wire.FetchRequest) -> None:
        with self._changed:
            if request.num_requested <= 0:
                self._refusal = (
                    "subscription.fetch.requested.events.invalid",
                    "The requested number of events in a fetch request must be greater than zero.",
                )
            elif request.topic_name not in ("", self.topic):
                self._refusal = ("subscription.fetch.topic.mismatch", "The topic name can't change within a stream.")
            self.credit = min(self.credit + request.num_requested, MAX_CREDITS)
            self._changed.notify_all()

    def open(self) -> bool:
        return bool(self.call.context.is_active())

    def raise_refusal(self) -> None:
        if self._refusal:
            self.call.fail(INVALID, *self._refusal)

    def use_up(self, events: int) -> int:
        with self._changed:
            self.credit -= events
            return self.credit

    def wait(self, seconds: float) -> Any:
        with self._changed:
            return self._changed.wait(seconds)
