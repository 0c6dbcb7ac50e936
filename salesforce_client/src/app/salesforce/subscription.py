"""One stream of the Pub/Sub API: it receives events and asks for more.

Sources: the published ``pubsub_api.proto``, and the Salesforce "Pub/Sub API" guide, pages
"Subscribe RPC Method" and "Supported Authentication".
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from typing import Any, Optional, Union

import grpc

from ..errors import (
    CollectorError,
    ReplayIdRejectedError,
    RequestRefusedError,
    SalesforceUnavailableError,
)
from ..model.events import Event, Response, Session
from ..model.positions import Position, Start
from ..model.times import now
from .credits import Credits
from .network import Route
from .rpc_errors import CURES, translate
from .wire import pubsub_api_pb2 as wire

# How many bytes of a topic may wait to be decoded. If a run ends before their turn, Salesforce
# delivers these events again.
AHEAD_BYTES = 500_000
# A caller that waits gets a response after the request for the next events is sent, but at the
# latest after this time. Usually it takes less than a millisecond.
SENT_SECONDS = 0.05
# Makes a named tuple of a plain one, in half the time that a call of its class takes.
new_event = tuple.__new__


def response_of(received: wire.FetchResponse, arrived_at: str) -> Response:
    """Turn a received message into a response.

    ``latest_replay_id`` is used only if the message has no events. It is then a position of its own
    (Salesforce "Pub/Sub API" guide, "Subscribe RPC Method").

    Args:
        received: the message.
        arrived_at: when the message arrived, as UTC text. It is used only if there are no events.
    """
    events = [
        new_event(Event, (event.id, event.schema_id, event.payload, delivered.replay_id))
        for delivered in received.events
        for event in (delivered.event,)
    ]
    position = None
    if not events and received.latest_replay_id:
        position = Position(received.latest_replay_id, arrived_at, None)
    return Response(events, position, received.rpc_id)


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
        route: Route,
        ahead_bytes: int = AHEAD_BYTES,
    ) -> None:
        self.session = session
        self._most_ahead_bytes = ahead_bytes
        self._topic = topic
        self._route = route
        self._credits = Credits()
        self._requests: queue.SimpleQueue[Union[wire.FetchRequest, None]] = queue.SimpleQueue()
        self._responses: queue.SimpleQueue[
            Union[tuple[wire.FetchResponse, int, str], Exception]
        ] = queue.SimpleQueue()
        self._ahead = threading.Condition()
        self._ahead_bytes = 0
        self._closed = False
        self._sent = threading.Event()  # gRPC has sent the last request
        self._caller_waits = False  # in ``next``
        preset, replay_id = _preset(start)
        self._sent_replay_id = bool(replay_id)
        # Only the first request needs them. Salesforce ignores them in later requests.
        self._ask(replay_preset=preset, replay_id=replay_id)
        self._call = method(self._outgoing(), metadata=metadata(session))
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
        self._caller_waits = True
        try:
            received = self._responses.get(timeout=max(timeout, 0))
        except queue.Empty:
            return None
        finally:
            self._caller_waits = False
        if isinstance(received, Exception):
            raise received
        response, size, arrived_at = received
        with self._ahead:
            self._ahead_bytes -= size
            self._ahead.notify()
        return response_of(response, arrived_at)

    def _outgoing(self) -> Iterator[wire.FetchRequest]:
        """The requests, for gRPC. As soon as it has sent one, it waits here for the next one."""
        while (request := self._requests.get()) is not None:
            yield request
            self._sent.set()

    def _ask(self, **start: Any) -> None:
        """Request more events, if there is little credit left."""
        if more := self._credits.grant():
            self._sent.clear()
            self._requests.put(
                wire.FetchRequest(topic_name=self._topic, num_requested=more, **start)
            )

    def _read(self) -> None:
        try:
            for response in self._call:
                size = response.ByteSize()
                # Only an empty response needs a time. Reading the clock each time costs 3 %.
                arrived_at = "" if response.events else now()
                self._credits.settle(len(response.events), response.pending_num_requested)
                with self._ahead:
                    self._ahead_bytes += size
                    enough = self._ahead_bytes >= self._most_ahead_bytes
                if not enough:
                    self._ask()
                    if self._caller_waits:
                        # Otherwise Python would often run the caller first, and the request would
                        # be sent only after the caller has decoded the response.
                        self._sent.wait(SENT_SECONDS)
                self._responses.put((response, size, arrived_at))
                with self._ahead:
                    self._ahead.wait_for(
                        lambda: self._closed or self._ahead_bytes < self._most_ahead_bytes
                    )
                if self._closed:
                    return
                self._ask()
            self._responses.put(
                SalesforceUnavailableError(
                    f"{self._topic}: the server ended the stream; the next poll continues"
                )
            )
        except grpc.RpcError as error:
            self._responses.put(self._translated(error))
        except Exception as error:  # noqa: BLE001  (``next`` raises it in the caller's thread)
            self._responses.put(
                SalesforceUnavailableError(
                    f"{self._topic}: {type(error).__name__}: {error} – the next poll tries again;"
                    " if this stays, report this error to the maintainers of the collector"
                )
            )

    def _translated(self, error: grpc.RpcError) -> CollectorError:
        """The stream's error. Only a replay id that was sent can be rejected."""
        translated = translate(error, self._topic, self._route)
        if isinstance(translated, ReplayIdRejectedError) and not self._sent_replay_id:
            return RequestRefusedError(f"{translated.text} – {CURES[RequestRefusedError]}")
        return translated


def _preset(start: Start) -> tuple[Any, bytes]:
    if isinstance(start, Position):
        return wire.CUSTOM, start.replay_id
    return wire.ReplayPreset.Value(start.value), b""


def metadata(session: Session) -> Sequence[tuple[str, str]]:
    """The headers of each call."""
    return (
        ("accesstoken", session.access_token),
        ("instanceurl", session.instance_url),
        ("tenantid", session.org_id),
    )
