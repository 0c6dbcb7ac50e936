"""Calls the Salesforce Pub/Sub API over gRPC: topics, schemas and subscriptions.

Sources: the published ``pubsub_api.proto``, and the Salesforce "Pub/Sub API" guide, pages
"Subscribe RPC Method" and "Supported Authentication".
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Union

import grpc

from ..errors import (
    SchemaError,
    SessionExpiredError,
    TopicError,
)
from ..model.events import Session
from ..model.positions import Start
from .channel import open_channel
from .network import route_to
from .rpc_errors import ERRORS_BY_STATUS, ERRORS_OF_A_SCHEMA, ErrorsByStatus, translate
from .subscription import Subscription, metadata
from .wire import pubsub_api_pb2 as wire
from .wire.pubsub_api_pb2_grpc import PubSubStub

UNARY_TIMEOUT_SECONDS = 20


class PubSub:
    """One channel to the Pub/Sub API. All topics share it. Close it when the run ends.

    Args:
        target: ``host:port``.
        tls: whether to use TLS.
        authenticate: makes a new session. It is called at the start, and whenever Salesforce no
            longer accepts a session.
        ca_file: path of a PEM file with the trusted certificate authorities. If it is empty, gRPC
            uses its own.

    Raises:
        CollectorError: the login failed, or HTTPS_PROXY cannot be used.
    """

    def __init__(
        self, target: str, *, tls: bool, authenticate: Callable[[], Session], ca_file: str = ""
    ) -> None:
        self._authenticate = authenticate
        self._session = authenticate()
        self._renewing = threading.Lock()
        self._fetching_schema = threading.Lock()
        self._schemas: dict[str, Union[str, SchemaError]] = {}
        url = f"{'https' if tls else 'http'}://{target}"
        self._route = route_to(url, "SALESFORCE_PUBSUB_ENDPOINT", ca_file)
        self._channel = open_channel(target, tls=tls, route=self._route)
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
            CollectorError: see ``schema_id``.
        """
        self.schema_id(topic)

    def schema_id(self, topic: str) -> str:
        """The id of the topic's newest schema. Empty if its events have several types.

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
        return str(info.schema_id)

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
        return Subscription(self._stub.Subscribe, topic, start, session, self._route)

    def _call(
        self, method: Any, request: Any, about: str, by_status: ErrorsByStatus = ERRORS_BY_STATUS
    ) -> Any:
        """Make a unary call with a deadline. Repeat it once if the session has expired."""
        for last_try in (False, True):
            session = self._session
            try:
                return method(request, metadata=metadata(session), timeout=UNARY_TIMEOUT_SECONDS)
            except grpc.RpcError as error:
                translated = translate(error, about, self._route, by_status)
                if not isinstance(translated, SessionExpiredError):
                    raise translated from None
                if last_try:
                    raise translated.in_a_new_session() from None
            self.renew(session)
        raise AssertionError("unreachable")
