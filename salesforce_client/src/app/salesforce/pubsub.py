"""gRPC adapter for the Salesforce Pub/Sub API: topics, schemas, subscriptions.

Sources: the published ``pubsub_api.proto``; Salesforce "Pub/Sub API" guide, pages "Subscribe RPC Method",
"Pub/Sub API Allocations" and "Supported Authentication".
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
AHEAD_BYTES = 500_000  # of a topic, received and not yet decoded: what waits when a run ends will be delivered again
CHANNEL_OPTIONS = (
    (
        "grpc.max_receive_message_length",
        16 * 1024 * 1024,
    ),  # a response has up to 3 MB; gRPC's own default is 4
    ("grpc.max_send_message_length", 4 * 1024 * 1024),
    # Below the 4 minutes after which Azure's outbound NAT forgets a silent connection, and seldom enough that a server with
    # gRPC's default ping policy does not call it abuse while a quiet topic is waited for.
    ("grpc.keepalive_time_ms", 100_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.enable_retries", 0),  # retries are decided in backlog.py, which knows the position
)


def response_of(received: wire.FetchResponse, arrived_at: str) -> Response:
    """What a response brings, out of its wire form. ``arrived_at`` is UTC text; it counts for an empty response.

    ``latest_replay_id`` is a position of its own only in an empty response (Salesforce "Pub/Sub API"
    guide, "Subscribe RPC Method").
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
    """One channel to the Pub/Sub API, shared by all topics; close it when the run ends.

    Args:
        target: ``host:port``.
        tls: over TLS (with the roots in ``GRPC_DEFAULT_SSL_ROOTS_FILE_PATH`` where set), else plaintext.
        authenticate: makes a new session; called at the start and whenever a session is no longer accepted.
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
        """The session that calls are made with now."""
        return self._session

    def renew(self, expired: Session) -> None:
        """Replace ``expired``, unless another topic's thread has done so already.

        Raises:
            AuthenticationError, SalesforceUnavailableError: as ``login.authenticate``.
        """
        with self._renewing:
            if self._session is expired:
                self._session = self._authenticate()

    def check_topic(self, topic: str) -> None:
        """Ask for the topic before subscribing, for the clearer answer.

        Raises:
            TopicError: it does not exist, or this user may not subscribe to it.
            CollectorError: any other failure of the call.
        """
        info = self._call(self._stub.GetTopic, wire.TopicRequest(topic_name=topic), topic)
        if not info.can_subscribe:
            right = (
                "Read on the platform event"
                if topic.startswith("/event/")
                else "View All on the object"
            )
            raise TopicError(
                f"{topic} exists, but the user may not subscribe to it: grant '{right}' in the permission set of "
                f"SALESFORCE_USERNAME (rpcId: {info.rpc_id})"
            )

    def schema(self, schema_id: str) -> str:
        """The Avro schema under this id, as JSON text; fetched once, as an id never changes its meaning.

        Raises:
            SchemaError: there is none, or it may not be read; asking again will not help in this run.
            CollectorError: any other failure of the call.
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
        """Open a stream; errors come out of ``Subscription.next``."""
        session = self._session
        return Subscription(self._stub.Subscribe, topic, start, session)

    def _call(
        self, method: Any, request: Any, about: str, by_status: ErrorsByStatus = ERRORS_BY_STATUS
    ) -> Any:
        """A unary call with a deadline, repeated once with a new session where the old one is not accepted any more."""
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
    """One Subscribe stream: a context manager that hands out responses and keeps Salesforce supplied with credit.

    A response is received, and its credit given back, while the ones before it are still being worked on: the next one is on its
    way meanwhile. If ``ahead_bytes`` wait already, no more is asked for, so that whoever is slow holds the stream back.
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
        self._ask(
            replay_preset=preset, replay_id=replay_id
        )  # what the later requests say of them is ignored
        self._call = method(iter(self._requests.get, None), metadata=_metadata(session))
        # gRPC's own iterator cannot wait with a time limit, and a silent server must not hang the run.
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
        """The next response, or None when nothing came within ``timeout`` seconds.

        Raises:
            CollectorError: the stream failed or was closed by the server; it cannot be used any more.
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
        """Ask for more events, where enough may be outstanding again."""
        if more := self._credits.grant():
            self._requests.put(
                wire.FetchRequest(topic_name=self._topic, num_requested=more, **start)
            )

    def _read(self) -> None:
        try:
            for response in self._call:
                size = response.ByteSize()
                # Only an empty response needs its time; to ask for it each time costs a stream of events 3 %.
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
            self._responses.put(translate(error, self._topic))
        except Exception as error:  # noqa: BLE001  (whoever waits for the next response must learn of it)
            self._responses.put(
                SalesforceUnavailableError(f"{self._topic}: {type(error).__name__}: {error}")
            )


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
    """A session that is refused right after it was renewed is not expired: someone has to look."""
    return (
        AuthenticationError(f"{error} – the access token is refused although it is new")
        if isinstance(error, SessionExpiredError)
        else error
    )
