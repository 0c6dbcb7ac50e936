"""What the mock's streams send, and when.

A stream has a credit of at most 100 events. An empty response names a position that no event has. A
stream with the preset ``CUSTOM`` starts after the replay id of its request.
"""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Iterator

from ..salesforce.wire import pubsub_api_pb2 as wire
from .breaks import Breaks
from .calls import INVALID, Call, Stream
from .events import OrgEvent
from .faults import Faults
from .org import Org, UnknownReplayIdError

POLL_SECONDS = 0.02  # how often a stream looks at the org's clock


class Sender:
    """Decides the responses of all streams of an org.

    Args:
        org: the org.
        breaks: ends streams.
        faults: the faults that are switched on.
        keepalive_seconds: after this many seconds of silence, a stream with credit sends an empty
            response.
        batch_size: maximum number of events in one response.

    Attributes:
        delivered: the number of delivered events. It counts towards the org's delivery limit.
    """

    def __init__(
        self,
        org: Org,
        breaks: Breaks,
        faults: Faults,
        keepalive_seconds: float,
        batch_size: int,
    ) -> None:
        self._org = org
        self._breaks = breaks
        self._faults = faults
        self._keepalive_seconds = keepalive_seconds
        self._batch_size = batch_size
        self.delivered = 0

    def start(self, call: Call, first: wire.FetchRequest) -> int:
        """Return the position after which a stream with this first request starts."""
        if first.replay_preset == wire.LATEST:
            return self._org.tip()
        if first.replay_preset == wire.EARLIEST:
            return self._org.earliest()
        code = "subscription.fetch.replayid.validation.failed"
        if not first.replay_id:
            call.fail(INVALID, code, "A replay ID is required with the CUSTOM preset.")
        if self._faults.happens("refuse_replay_id", first.topic_name):
            call.fail(INVALID, code, "The Replay ID validation failed. Ensure that it is valid.")
        try:
            position = self._org.position(first.replay_id)
        except UnknownReplayIdError:
            position = None
        if position is None or self._faults.happens("reject_replay_id", first.topic_name):
            call.fail(
                INVALID,
                "subscription.fetch.replayid.corrupted",
                "The Replay ID validation failed. Ensure that the replay_id field value in "
                "FetchRequest is valid and refers to an event that is within the retention window.",
            )
        return position

    def responses(self, stream: Stream) -> Iterator[list[OrgEvent]]:
        """Yield the events of each response as soon as the response is due.

        An empty response has no events. ``stream.told`` is the position that the response names.
        """
        faults, topic = self._faults, stream.topic
        fast = faults.number("fast") or 1
        keepalive = self._silence(topic) / fast
        patience = (faults.number("close_without_credit", topic) or 60) / fast
        quiet_until = time.monotonic() + (faults.number("delay_first", topic) or 0) / fast
        stream.empty_responses_due = int(
            faults.number("empty_first", topic) or stream.empty_responses_due
        )
        last_response = time.monotonic()
        while stream.is_open():
            stream.fail_if_refused()
            now = time.monotonic()
            if faults.on("silent", topic) or now < quiet_until:
                stream.wait(POLL_SECONDS)
                continue
            self._breaks.end(stream, self.delivered)
            if not stream.is_open():
                return
            tip = self._org.tip()
            events = (
                self._next_events(stream)
                if stream.credit and not stream.empty_responses_due
                else []
            )
            if events:
                stream.position = stream.told = events[-1].position
                stream.sent += len(events)
                self.delivered += len(events)
                quiet_until = now + (faults.number("trickle", topic) or 0) / fast
            elif stream.empty_responses_due:
                stream.empty_responses_due -= 1
                stream.told = self._org.keepalive_position()
            elif stream.credit and now - last_response >= keepalive:
                stream.position = stream.told = self._org.keepalive_position(tip)
            elif not stream.credit and now - last_response >= patience:
                return
            else:
                stream.wait(POLL_SECONDS)
                continue
            last_response, keepalive = time.monotonic(), self._silence(topic) / fast
            yield events

    def _silence(self, topic: str) -> float:
        """Return the seconds of silence before the next empty response."""
        least, _, most = (self._faults.value("keepalive", topic) or "").partition("-")
        if not least:
            return self._keepalive_seconds
        return random.uniform(float(least), float(most or least))

    def _next_events(self, stream: Stream) -> list[OrgEvent]:
        limit = min(stream.credit, self._batch_size)
        if self._faults.on("odd_batches", stream.topic):
            limit = random.randint(1, limit)
        if self._faults.on("trickle", stream.topic):
            limit = 1
        limit = self._breaks.limit(stream, limit)
        if not stream.unsent:
            events = self._org.events(stream.topic, stream.position, limit)
            stream.unsent = [part for event in events for part in _parts(event)]
        events, stream.unsent = stream.unsent[:limit], stream.unsent[limit:]
        return events

    def consumer_event(self, event: OrgEvent, stream: Stream) -> wire.ConsumerEvent:
        """Return an event as the stream sends it."""
        payload = event.payload
        every = self._faults.number("corrupt", stream.topic)
        if every and event.position // 1_000_000 % int(every) == 0:
            payload = payload[: len(payload) // 2]
        if self._faults.on("garbage", stream.topic):
            payload = random.Random(event.position).randbytes(len(payload))
        produced = wire.ProducerEvent(id=event.event_id, schema_id=event.schema_id, payload=payload)
        return wire.ConsumerEvent(event=produced, replay_id=self._org.replay_id(event.position))


def _parts(event: OrgEvent) -> list[OrgEvent]:
    """Return the events to send for an event: its parts if it is split, otherwise itself."""
    return [
        dataclasses.replace(event, event_id=one, payload=payload) for one, payload in event.parts
    ] or [event]
