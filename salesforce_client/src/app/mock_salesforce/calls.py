"""The state of one RPC and of one stream in the mock's Pub/Sub API."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import grpc

MAX_CREDITS = 100
CODE_PREFIX = "sfdc.platform.eventbus.grpc."
INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


class Call:
    """One RPC: its id and its headers. ``fail`` ends it with an error."""

    def __init__(self, context: grpc.ServicerContext) -> None:
        self.context = context
        self.rpc_id = str(uuid.uuid4())
        self._headers = {str(key): str(value) for key, value in context.invocation_metadata()}

    def header(self, name: str) -> str:
        """Return a request header, or an empty text if the request has no such header."""
        return self._headers.get(name, "")

    def fail(self, status: grpc.StatusCode, code: str, message: str) -> NoReturn:
        """End the call with an error in Salesforce's form.

        The error has a status and an ``error-code`` trailer. Its message ends with the call's id.
        """
        if code:
            self.context.set_trailing_metadata((("error-code", CODE_PREFIX + code),))
        self.context.abort(status, f"{message} rpcId: {self.rpc_id}")
        raise AssertionError("abort raises")


class Stream:
    """The state of a subscription: its position and its remaining credit.

    A separate thread reads the requests.

    Attributes:
        position: the position of the last event that the stream has sent.
        told: the position that the next response names.
        sent: how many events the stream has sent.
        empty_responses_due: how many empty responses the stream sends before anything else.
        unsent: the next events to send. They come after ``position``, except the remaining parts of
            a split event: all its parts have the same position.
    """

    def __init__(self, call: Call, topic: str, position: int) -> None:
        self.call = call
        self.topic = topic
        self.position = self.told = position
        self.credit = 0
        self.sent = 0
        self.empty_responses_due = 0
        self.unsent: list[Any] = []
        self._closed = False
        self._refusal: tuple[str, str] | None = None
        self._changed = threading.Condition()

    def read(self, requests: Iterator[Any], commit: Callable[[Any], None] | None = None) -> None:
        """Read all later requests. ``commit`` receives the requests that commit a position."""
        try:
            for request in requests:
                if commit and request.HasField("commit_replay_id_request"):
                    commit(request.commit_replay_id_request)
                    self.empty_responses_due += 1
                if not commit or request.num_requested:
                    self.take(request)
        except Exception:  # noqa: BLE001, S110  (gRPC raises it if the client has gone)
            pass

    def take(self, request: Any) -> None:
        """Add the credit of a request."""
        with self._changed:
            if request.num_requested <= 0:
                code = "subscription.fetch.requested.events.invalid"
                self._refusal = (
                    code,
                    "The requested number of events in a fetch request must be greater than zero.",
                )
            elif getattr(request, "topic_name", "") not in ("", self.topic):
                self._refusal = (
                    "subscription.fetch.topic.mismatch",
                    "The topic name can't change within a stream.",
                )
            self.credit = min(self.credit + request.num_requested, MAX_CREDITS)
            self._changed.notify_all()

    def is_open(self) -> bool:
        """Return whether the stream is open and the client is still connected."""
        return not self._closed and bool(self.call.context.is_active())

    def close(self) -> None:
        """End the stream without an error."""
        self._closed = True

    def fail_if_refused(self) -> None:
        """Fail the call if one of its requests was invalid."""
        if self._refusal:
            self.call.fail(INVALID, *self._refusal)

    def use_up(self, events: int) -> int:
        """Subtract the credit for the sent events, and return the remaining credit."""
        with self._changed:
            self.credit -= events
            return self.credit

    def wait(self, seconds: float) -> None:
        """Wait until a request arrives, at most this many seconds."""
        with self._changed:
            self._changed.wait(seconds)
