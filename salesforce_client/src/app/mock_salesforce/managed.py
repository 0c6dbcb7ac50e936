"""The mock's only ManagedEventSubscription.

The mock keeps the subscription's cursor. Only one client at a time may use the subscription.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

import grpc

from ..model.ids import with_checksum
from ..salesforce.wire import pubsub_api_pb2 as wire
from .calls import INVALID, NOT_FOUND, Call
from .history import DELETE_EVENT_TOPIC
from .org import Org, UnknownReplayIdError

DEVELOPER_NAME = "Delete_Events"
SUBSCRIPTION_ID = with_checksum("18x5f0000000001")


class ManagedSubscription:
    """A managed subscription to the platform event, in state RUN.

    It starts at the oldest retained event until a client commits a position.
    """

    topic = DELETE_EVENT_TOPIC

    def __init__(self, org: Org) -> None:
        self._org = org
        self._committed: int | None = None
        self._slot = threading.Lock()

    @property
    def position(self) -> int:
        """The subscription sends the events after this position."""
        return self._org.earliest() if self._committed is None else self._committed

    def check_first(self, call: Call, request: wire.ManagedFetchRequest) -> None:
        """Fail the call if its first request is invalid.

        The request must name this subscription, and must not commit a position.
        """
        prefix = "managed.subscription."
        if bool(request.subscription_id) == bool(request.developer_name):
            call.fail(
                INVALID,
                prefix + "id.or.developer.name.empty",
                "Give exactly one of the subscription ID and the developer name.",
            )
        if request.HasField("commit_replay_id_request"):
            code = prefix + "fetch.request.commit.request.restricted"
            call.fail(INVALID, code, "The first request can't contain a commit.")
        if request.developer_name not in ("", DEVELOPER_NAME):
            call.fail(
                NOT_FOUND,
                prefix + "developer.name.not.found",
                f"No managed subscription {request.developer_name}.",
            )
        if request.subscription_id not in ("", SUBSCRIPTION_ID, SUBSCRIPTION_ID[:15]):
            valid = len(request.subscription_id) in (15, 18)
            code = "subscription.id.not.found" if valid else "subscription.id.invalid"
            call.fail(
                NOT_FOUND if valid else INVALID,
                prefix + code,
                f"No managed subscription {request.subscription_id}.",
            )

    @contextlib.contextmanager
    def occupied(self, call: Call) -> Iterator[None]:
        """Reserve the subscription for this call, or fail the call if another client uses it."""
        if not self._slot.acquire(blocking=False):
            message = "An active managed subscription with the same ID already exists."
            call.fail(
                grpc.StatusCode.ALREADY_EXISTS, "managed.subscription.already.active", message
            )
        try:
            yield
        finally:
            self._slot.release()

    def commit(self, raw: bytes, delivered: int) -> str:
        """Move the cursor. Return an empty text, or the reason if the cursor cannot move."""
        try:
            position = self._org.position(raw)
        except UnknownReplayIdError:
            return "The replay ID is invalid or expired."
        if position > delivered:
            return "The replay ID has not been delivered yet."
        if position < self.position:
            return "The replay ID is older than the committed one."
        self._committed = position
        return ""


def commit_response(
    managed: ManagedSubscription, request: wire.CommitReplayRequest, delivered: int
) -> wire.CommitReplayResponse:
    """Return the response to a commit. A refused commit does not end the stream."""
    problem = managed.commit(request.replay_id, delivered)
    response = wire.CommitReplayResponse(
        commit_request_id=request.commit_request_id, process_time=int(time.time() * 1000)
    )
    if problem:
        response.error.CopyFrom(wire.Error(code=wire.COMMIT, msg=problem))
    else:
        response.replay_id = request.replay_id
    return response
