"""Calls the Salesforce Pub/Sub API over gRPC: topics, schemas and subscriptions.

Sources: the published ``pubsub_api.proto``, and the Salesforce "Pub/Sub API" guide, pages
"Subscribe RPC Method", "Pub/Sub API Allocations" and "Supported Authentication".
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any, Optional, Union

import grpc

from ..errors import (
    AuthenticationError,
    CollectorError,
    ReplayIdRejectedError,
    RequestRefusedError,
    SalesforceUnavailableError,
    SchemaError,
    SessionExpiredError,
    TopicError,
)
from ..model import Event, Position, Response, Session, Start, now
from .credits import Credits
from .rpc_errors import ERRORS_BY_STATUS, ERRORS_OF_A_SCHEMA, ErrorsByStatus, translate
from .wire import pubsub_api_pb2 as wire
from .wire.pubsub_api_pb2_grpc import PubSubStub

UNARY_TIMEOUT_SECONDS = 20
# How many bytes of a topic may wait to be decoded. If a run ends before their turn, Salesforce
# delivers these events again.
AHEAD_BYTES = 500_000
CHANNEL_OPTIONS = (
    # A response has up to 3 MB. gRPC's own default is 4 MB.
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
    ("grpc.max_send_message_length", 4 * 1024 * 1024),
    # Azure's outbound NAT forgets a silent connection after 4 minutes, so pings must come sooner.
    # But a server with gRPC's default ping policy treats too frequent pings on a quiet topic as
    # abuse. These pings are rare enough.
    ("grpc.keepalive_time_ms", 100_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.enable_retries", 0),  # the drain retries, because it knows the position
)


def response_of(received: wire.FetchResponse, arrived_at: str) -> Response:
    """Turn a received message into a response.

    ``latest_replay_id`` is used only if the message has no events. It is then a position of its own
    (Salesforce "Pub/Sub API" guide, "Subscribe RPC Method").

    Args:
        received: the message.
        arrived_at: when the message arrived, as UTC text. It is used only if there are no events.
    """
    events = [
        Event(event.id, event.schema_id, event.payload, delivered.replay_id)
        for delivered in received.events
        for event in (delivered.event,)
    ]
    position = None
    if not events and received.latest_replay_id:
        position = Position(received.latest_replay_id, arrived_at, None)
    return Response(events, position, received.rpc_id)


class PubSub:
    """One channel to the Pub/Sub API. All topics share it. Close it when the run ends.

    Args:
        target: ``host:port``.
        tls: whether to use TLS. If ``GRPC_DEFAULT_SSL_ROOTS_FILE_PATH`` is set, gRPC takes the root
            certificates from that file.
        authenticate: makes a new session. It is called at the start, and whenever Salesforce no
            longer accepts a session.
    """

    def __init__(self, target: str, *, tls: bool, authenticate: Callable[[], Session]) -> None:
        self._authenticate = authenticate
        self._session = authenticate()
        self._renewing = threading.Lock()
        self._fetching_schema = threading.Lock()
        self._schemas: dict[str, Union[str, SchemaError]] = {}
        options = list(CHANNEL_OPTIONS)
        if tls:
            self._channel = grpc.secure_channel(
                target, grpc.ssl_channel_credentials(), options=options
            )
        else:
            self._channel = grpc.insecure_channel(target, options=options)
        self._stub = PubSubStub(self._channel)

    def __enter__(self) -> PubSub:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    @property
    def session(self) -> Session:
        """The session that calls use now."""
        return self._session

    def renew(self, expired: Session) -> None:
        """Replace the session ``expired``, unless another topic's thread has already done it.

        Raises:
            AuthenticationError, SalesforceUnavailableError: see ``login.authenticate``.
        """
        with self._renewing:
            if self._session is expired:
                self._session = self._authenticate()

    def check_topic(self, topic: str) -> None:
        """Check the topic. Call this before ``subscribe``, because its errors are clearer.

        Raises:
            TopicError: the topic does not exist, or this user may not subscribe to it.
            CollectorError: the call failed for another reason.
        """
        info = self._call(self._stub.GetTopic, wire.TopicRequest(topic_name=topic), topic)
        if not info.can_subscribe:
            right = (
                "Read on the platform event"
                if topic.startswith("/event/")
                else "View All on the object"
            )
            raise TopicError(
                f"{topic} exists, but the user may not subscribe to it: grant '{right}'"
                f" in the permission set of SALESFORCE_USERNAME (rpcId: {info.rpc_id})"
            )

    def schema(self, schema_id: str) -> str:
        """The Avro schema with this id, as JSON text.

        It is fetched once, because the schema of an id never changes.

        Raises:
            SchemaError: there is no such schema, or this user may not read it. A retry in this run
                would not help.
            CollectorError: the call failed for another reason.
        """
        with self._fetching_schema:
            known = self._schemas.get(schema_id)
            if known is None:
                known = self._schemas[schema_id] = self._fetch_schema(schema_id)
        if isinstance(known, SchemaError):
            raise known
        return known

    def _fetch_schema(self, schema_id: str) -> Union[str, SchemaError]:
        if not schema_id:
            return SchemaError("the event names no schema id")
        request = wire.SchemaRequest(schema_id=schema_id)
        try:
            return str(
                self._call(
                    self._stub.GetSchema, request, f"schema {schema_id}", ERRORS_OF_A_SCHEMA
                ).schema_json
            )
        except SchemaError as error:
            return error

    def subscribe(self, topic: str, start: Start) -> Subscription:
        """Open a stream. ``Subscription.next`` raises its errors."""
        session = self._session
        return Subscription(self._stub.Subscribe, topic, start, session)

    def _call(
        self, method: Any, request: Any, about: str, by_status: ErrorsByStatus = ERRORS_BY_STATUS
    ) -> Any:
        """Make a unary call with a deadline. Repeat it once if the session has expired."""
        for last_try in (False, True):
            session = self._session
            try:
                return method(request, metadata=_metadata(session), timeout=UNARY_TIMEOUT_SECONDS)
            except grpc.RpcError as error:
                translated = translate(error, about, by_status)
                if last_try or not isinstance(translated, SessionExpiredError):
                    raise _final(translated) from None
            self.renew(session)
        raise AssertionError("unreachable")


class Subscription:
    """One Subscribe stream, to use in a ``with`` block. It requests more events as credit runs low.

    A thread receives responses and requests more events while the caller still works on earlier
    responses. As soon as ``ahead_bytes`` are waiting, the thread requests no more. So a slow caller
    slows down the stream.
    """

    def __init__(
        self,
        method: Any,
        topic: str,
        start: Start,
        session: Session,
        ahead_bytes: int = AHEAD_BYTES,
    ) -> None:
        self.session = session
        self._most_ahead_bytes = ahead_bytes
        self._topic = topic
        self._credits = Credits()
        self._requests: queue.SimpleQueue[Union[wire.FetchRequest, None]] = queue.SimpleQueue()
        self._responses: queue.SimpleQueue[
            Union[tuple[wire.FetchResponse, int, str], Exception]
        ] = queue.SimpleQueue()
        self._ahead = threading.Condition()
        self._ahead_bytes = 0
        self._closed = False
        preset, replay_id = _preset(start)
        self._sent_replay_id = bool(replay_id)
        # Only the first request needs them. Salesforce ignores them in later requests.
        self._ask(replay_preset=preset, replay_id=replay_id)
        self._call = method(iter(self._requests.get, None), metadata=_metadata(session))
        # gRPC's own iterator has no time limit. A thread reads it, so that a silent server cannot
        # block the run.
        threading.Thread(target=self._read, name=f"read {topic}", daemon=True).start()

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *_: object) -> None:
        with self._ahead:
            self._closed = True
            self._ahead.notify()
        self._requests.put(None)
        self._call.cancel()

    def next(self, timeout: float) -> Optional[Response]:
        """The next response. None if no response arrives within ``timeout`` seconds.

        Raises:
            CollectorError: the stream failed or the server closed it. It can no longer be used.
        """
        try:
            received = self._responses.get(timeout=max(timeout, 0))
        except queue.Empty:
            return None
        if isinstance(received, Exception):
            raise received
        response, size, arrived_at = received
        with self._ahead:
            self._ahead_bytes -= size
            self._ahead.notify()
        return response_of(response, arrived_at)

    def _ask(self, **start: Any) -> None:
        """Request more events, if there is little credit left."""
        if more := self._credits.grant():
            self._requests.put(
                wire.FetchRequest(topic_name=self._topic, num_requested=more, **start)
            )

    def _read(self) -> None:
        try:
            for response in self._call:
                size = response.ByteSize()
                # Only an empty response needs a time. Reading the clock each time costs 3 %.
                arrived_at = "" if response.events else now()
                with self._ahead:
                    self._ahead_bytes += size
                    self._responses.put((response, size, arrived_at))
                    self._ahead.wait_for(
                        lambda: self._closed or self._ahead_bytes < self._most_ahead_bytes
                    )
                if self._closed:
                    return
                self._credits.settle(len(response.events), response.pending_num_requested)
                self._ask()
            self._responses.put(
                SalesforceUnavailableError(f"{self._topic}: the server ended the stream")
            )
        except grpc.RpcError as error:
            self._responses.put(self._translated(error))
        except Exception as error:  # noqa: BLE001  (``next`` raises it in the caller's thread)
            self._responses.put(
                SalesforceUnavailableError(f"{self._topic}: {type(error).__name__}: {error}")
            )

    def _translated(self, error: grpc.RpcError) -> CollectorError:
        """The stream's error. Only a replay id that was sent can be rejected."""
        translated = translate(error, self._topic)
        if isinstance(translated, ReplayIdRejectedError) and not self._sent_replay_id:
            return RequestRefusedError(str(translated))
        return translated


def _preset(start: Start) -> tuple[Any, bytes]:
    if isinstance(start, Position):
        return wire.CUSTOM, start.replay_id
    return wire.ReplayPreset.Value(start.value), b""


def _metadata(session: Session) -> Sequence[tuple[str, str]]:
    return (
        ("accesstoken", session.access_token),
        ("instanceurl", session.instance_url),
        ("tenantid", session.org_id),
    )


def _final(error: CollectorError) -> CollectorError:
    """The error to raise after the last attempt.

    If Salesforce refuses a session right after its renewal, the session has not expired. Then a
    person must act.
    """
    return (
        AuthenticationError(
            f"{error} – the access token is refused although it is new:"
            " see 'AuthenticationError' in docs/operations.md"
        )
        if isinstance(error, SessionExpiredError)
        else error
    )
