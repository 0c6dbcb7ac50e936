"""Breaks the mock's streams and sessions, if a fault says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc

from .calls import INVALID, NOT_FOUND, UNAUTHENTICATED, UNAVAILABLE, Stream
from .faults import Faults

NEVER = float("inf")
# The fault ``error`` accepts any code. These codes have another status than INVALID_ARGUMENT. If
# Salesforce does not document the status of a code, it is assumed.
STATUS_OF: dict[str, Any] = {
    "service.unavailable": UNAVAILABLE,
    "service.protection.triggered": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "service.auth.error": UNAUTHENTICATED,
    "concurrent.client.limit.exceeded": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "subscription.limit.exceeded": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "subscription.internal.error": grpc.StatusCode.INTERNAL,
    "subscription.topic.cannot.subscribe": grpc.StatusCode.PERMISSION_DENIED,
    "topic.not.found": NOT_FOUND,
}


class Breaks:
    """The faults that end streams.

    Args:
        faults: the faults that are switched on.
        expire_sessions: ends all sessions.
    """

    def __init__(self, faults: Faults, expire_sessions: Callable[[], None]) -> None:
        self._faults = faults
        self._expire_sessions = expire_sessions

    def limit(self, stream: Stream, limit: int) -> int:
        """Return how many events may be sent before the next break, at most ``limit``."""
        for name in ("drop_stream", "end_stream", "expire_session", "revoke_session"):
            after = self._faults.number(name, stream.topic)
            if after is not None and stream.sent < after:
                limit = min(limit, int(after) - stream.sent)
        return limit

    def end(self, stream: Stream, delivered: int) -> None:
        """End the stream or the sessions if a fault is due.

        ``delivered`` counts towards the org's delivery limit.
        """
        faults, topic, sent = self._faults, stream.topic, stream.sent
        if sent >= (faults.number("end_stream", topic) or NEVER):
            stream.close()
        if sent >= (faults.number("drop_stream", topic) or NEVER):
            stream.call.fail(
                UNAVAILABLE, "", "RST_STREAM closed stream. HTTP/2 error code: NO_ERROR"
            )
        if status := faults.value("status", topic):
            stream.call.fail(grpc.StatusCode[status], "", "An undocumented error.")
        if delivered >= (faults.number("delivery_limit", topic) or NEVER):
            message = "You have exceeded the event delivery limit for your org."
            stream.call.fail(
                grpc.StatusCode.RESOURCE_EXHAUSTED, "subscription.limit.exceeded", message
            )
        self._end_sessions(stream)
        self._fail_as_asked(stream)

    def _end_sessions(self, stream: Stream) -> None:
        for name in ("expire_session", "revoke_session"):
            due = stream.sent >= (self._faults.number(name, stream.topic) or NEVER)
            if due and self._faults.happens(name, stream.topic, times=1):
                self._expire_sessions()
                if name == "expire_session":
                    stream.call.fail(
                        UNAUTHENTICATED,
                        "service.auth.error",
                        "An authentication exception occurred.",
                    )

    def _fail_as_asked(self, stream: Stream) -> None:
        error = self._faults.value("error", stream.topic)
        if error is None:
            return
        code, after, times = (error.split(":") + ["0", "always"][error.count(":") :])[:3]
        limit = NEVER if times == "always" else float(times)
        if stream.sent >= int(after) and self._faults.happens("error", stream.topic, times=limit):
            stream.call.fail(STATUS_OF.get(code, INVALID), code, f"The fault requests {code}.")
