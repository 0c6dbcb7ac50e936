"""One RPC and one stream of the mock's Pub/Sub API."""

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
    """One RPC: its id, its headers, and the way it fails."""

    def __init__(self, context: grpc.ServicerContext) -> None:
        self.context = context
        self.rpc_id = str(uuid.uuid4())
        self._headers = {str(key): str(value) for key, value in context.invocation_metadata()}

    def header(self, name: str) -> str:
        """A request header, empty where it is absent."""
        return self._headers.get(name, "")

    def fail(self, status: grpc.StatusCode, code: str, message: str) -> NoReturn:
        """End the call as Salesforce does: status, ``error-code`` trailer, and the call's id at the end of the message."""
        if code:
            self.context.set_trailing_metadata((("error-code", CODE_PREFIX + code),))
        self.context.abort(status, f"{message} rpcId: {self.rpc_id}")
        raise AssertionError("abort raises")


class Stream:
    """A subscription's state: how far it has got and how much credit is left. Requests arrive on a thread of their own.

    Attributes:
        position: behind which events are sent.
        told: the position that the next response names.
        sent: events sent so far.
        empty_responses_due: how many empty responses come before anything else.
        unsent: events behind ``position`` or, of a group under one replay id, at it, that are next.
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
        """Take all further requests; those that commit a position go to ``commit``."""
        try:
            for request in requests:
                if commit and request.HasField("commit_replay_id_request"):
                    commit(request.commit_replay_id_request)
                    self.empty_responses_due += 1
                if not commit or request.num_requested:
                    self.take(request)
        except Exception:  # noqa: BLE001, S110  (gRPC raises a bare Exception here when the client is gone)
            pass

    def take(self, request: Any) -> None:
        """Add a request's credit."""
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
        """Whether there is still someone to answer."""
        return not self._closed and bool(self.call.context.is_active())

    def close(self) -> None:
        """End without an error."""
        self._closed = True

    def fail_if_refused(self) -> None:
        """Fail if a request was invalid."""
        if self._refusal:
            self.call.fail(INVALID, *self._refusal)

    def use_up(self, events: int) -> int:
        """Take the credit for what is sent; returns what is left."""
        with self._changed:
            self.credit -= events
            return self.credit

    def wait(self, seconds: float) -> None:
        """Until a request comes, or for so long."""
        with self._changed:
            self._changed.wait(seconds)
